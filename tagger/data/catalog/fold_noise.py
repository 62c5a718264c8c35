"""How many labels of the test fold are wrong, as people found who looked at some drawn at random.

Thresholds and figures rest on a test fold of which less than 5 % is wrong. ``test_noise.json`` in the catalog's folder
keeps what was measured; a run takes it into its figures, so that each of its reports can say whether that holds.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tagger.atomic import write_text
from tagger.errors import UserError

FILE = "test_noise.json"

LIMIT = 0.05
"""What the noise must lie under."""

MEASURE = "python -m tagger.clean step=queue kinds=[] sample=400 overlap=1 and the same data=…"
"""The command that begins a measurement."""


@dataclass(frozen=True)
class Part:
    """The labels annotated as present on the test photos, or all the others."""

    size: int
    """Pairs of photo and label."""
    decided: int
    """Of them, pairs that people have decided; they count as right."""
    looked_at: int
    """Pairs that were drawn at random and decided."""
    wrong: int
    """Of those that were drawn, pairs that were not as annotated."""
    share: float | None
    """Of wrong ones among all pairs of the part, as they are now; None if nobody looked at any."""
    high: float
    """Its upper bound."""


@dataclass(frozen=True)
class FoldNoise:
    """What was measured. The bounds of both parts hold together with 95 % confidence, and so does that of the whole."""

    share: float | None
    high: float
    present: Part
    absent: Part
    """Labels that count as absent, annotated or not."""
    unsure: int
    """Pairs that were drawn and that nobody could decide, or people disagree about; they are not looked at."""
    when: str
    data_fingerprint: str

    @property
    def is_under_limit(self) -> bool:
        """Whether both parts are surely under the limit.

        The share of all pairs would not do: nearly all of them are absent labels, and would hide that half of the
        labels annotated as present are wrong.
        """
        return max(self.present.high, self.absent.high) < LIMIT

    @property
    def looked_at(self) -> int:
        """Pairs that were drawn at random and decided."""
        return self.present.looked_at + self.absent.looked_at

    @property
    def wrong(self) -> int:
        """Of them, the wrong ones."""
        return self.present.wrong + self.absent.wrong


def write_fold_noise(folder: Path, noise: FoldNoise | None) -> None:
    """Write ``test_noise.json`` into a catalog's folder; where nothing is measured, or no longer, there is none."""
    if noise is None:
        (folder / FILE).unlink(missing_ok=True)
        return
    content = asdict(noise) | {
        "looked_at": noise.looked_at,
        "wrong": noise.wrong,
        "is_under_limit": noise.is_under_limit,
    }
    write_text(folder / FILE, json.dumps(content, indent=1))


def read_fold_noise(folder: Path) -> FoldNoise | None:
    """Read what was measured; None if nobody has.

    Raises:
        UserError: If the file is damaged.
    """
    path = folder / FILE
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        parts = {name: Part(**tree[name]) for name in ("present", "absent")}
        kept = {name: tree[name] for name in ("share", "high", "unsure", "when", "data_fingerprint")}
        return FoldNoise(**{**kept, **parts})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is damaged ({error!r}): write it again with python -m tagger.clean step=report, or remove it"
        ) from error


def noise_figures(noise: FoldNoise | None, *, fingerprint: str) -> dict[str, float]:
    """Return what was measured as figures of a run; none if nothing was.

    Args:
        noise: What was measured.
        fingerprint: Of the data that the run sees.
    """
    if noise is None:
        return {}
    figures = {
        "test_noise/share": noise.share,
        "test_noise/high": noise.high,
        "test_noise/present_high": noise.present.high,
        "test_noise/absent_high": noise.absent.high,
        "test_noise/looked_at": float(noise.looked_at),
        "test_noise/wrong": float(noise.wrong),
        "test_noise/is_current": float(noise.data_fingerprint == fingerprint),
    }
    return {name: value for name, value in figures.items() if value is not None}


@dataclass(frozen=True)
class Note:
    """What a report says about the noise of its test fold."""

    text: str
    is_warning: bool


def noise_note(metrics: Mapping[str, Any]) -> Note:
    """Return what to say to the reader of a run's figures.

    Args:
        metrics: Of the run, with or without :func:`noise_figures`.

    Example:
        >>> bounds = {"test_noise/high": 0.0121, "test_noise/present_high": 0.081, "test_noise/absent_high": 0.0113}
        >>> print(noise_note(bounds | {"test_noise/looked_at": 400, "test_noise/wrong": 9}).text[:87])
        Of the labels on the test photos up to 8.1 % may be wrong, of the others 1.1 % (400 loo
    """
    if "test_noise/high" not in metrics:
        return Note(f"Nobody has measured how many labels of the test fold are wrong: {MEASURE}", is_warning=False)
    present, absent = metrics["test_noise/present_high"], metrics["test_noise/absent_high"]
    before = "" if metrics.get("test_noise/is_current", 1.0) else ", before the data set was last changed"
    looked = f"{metrics['test_noise/looked_at']:.0f} looked at, {metrics['test_noise/wrong']:.0f} wrong{before}"
    if max(present, absent) < LIMIT:
        text = f"Of the labels on the test photos at most {percent(present)} are wrong, of the others {percent(absent)}"
        return Note(f"{text} ({looked}).", is_warning=False)
    text = f"Of the labels on the test photos up to {percent(present)} may be wrong, of the others {percent(absent)}"
    under = f"figures and thresholds rest on less than {percent(LIMIT, 0)}"
    return Note(f"{text} ({looked}): {under}. Clean the test fold, or look at more of it.", is_warning=True)


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share in per cent.

    Example:
        >>> percent(0.0312), percent(0.00041), percent(None)
        ('3.1 %', '0.04 %', '–')
    """
    if share is None or math.isnan(share):
        return "–"
    # A digit that says something where it is little.
    if 0 < share < 0.001 and digits:
        digits = -math.floor(math.log10(100 * share))
    return f"{100 * share:.{digits}f} %"
