"""Out-of-fold scores on disk: ``scores.npy``, a row per photo of the catalog, and ``scores.json``, where they are from.

What was scored before lies under ``scores/<fingerprint of the data>``: what cleaning has bought is measured with it.

Rows are those of the catalog's table ``photos`` and never move; a photo without a score (it has no file, or came after
the scoring) is NaN. The facts are written last and name the array by its hash, so a killed process leaves either the
scores before or these, never a mixture that looks whole.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tagger.atomic import written_whole
from tagger.data.taxonomy import Taxonomy
from tagger.errors import UserError

ARRAY, FACTS, KEPT = "scores.npy", "scores.json", "scores"


class ScoresError(UserError):
    """Scores that are not there or belong to something else; the message says which command makes them."""


@dataclass(frozen=True, eq=False)
class Scores:
    """What models that had not seen a photo say about it."""

    values: np.ndarray
    """float16 (photos, labels), 0..1; NaN in the rows of photos without a score."""
    facts: Mapping[str, Any]
    """Fingerprints of data and taxonomy, labels, command, commit, and the run of each turn with its mAP."""

    @property
    def is_scored(self) -> np.ndarray:
        """Which photos have scores, boolean (photos,)."""
        return ~np.isnan(self.values[:, 0]) if self.values.shape[1] else np.zeros(len(self.values), dtype=bool)


def write_scores(folder: Path, values: np.ndarray, facts: Mapping[str, Any]) -> Scores:
    """Write both files, and keep them for later.

    Args:
        folder: Where they go; made if it is missing.
        values: (photos, labels), 0..1 or NaN.
        facts: What JSON can hold; ``data_fingerprint`` says under what they are kept.
    """
    array = io.BytesIO()
    np.save(array, values.astype(np.float16), allow_pickle=False)
    signed = {**facts, "array": _digest(array.getvalue())}
    kept = folder / KEPT / facts["data_fingerprint"]
    kept.mkdir(parents=True, exist_ok=True)
    for name, content in (
        (ARRAY, array.getvalue()),
        (FACTS, json.dumps(signed, indent=1, ensure_ascii=False).encode()),
    ):
        with written_whole(kept / name) as file:
            file.write(content)
    for name in (ARRAY, FACTS):
        with written_whole(folder / name) as file, (kept / name).open("rb") as source:
            shutil.copyfileobj(source, file)
    return Scores(values.astype(np.float16), signed)


def kept_scores(folder: Path, taxonomy: Taxonomy, *, photos: int) -> list[Scores]:
    """Return all scores that were kept, the oldest first; those of other labels are left out.

    Arguments as in :func:`read_scores`.
    """
    found = []
    for facts in sorted((folder / KEPT).glob(f"*/{FACTS}")):
        try:
            found.append(read_scores(facts.parent, taxonomy, photos=photos))
        except ScoresError:
            # Of another version of the label system, or cut while it was written: nothing to compare with.
            continue
    return sorted(found, key=lambda scores: str(scores.facts.get("when", "")))


def read_scores(folder: Path, taxonomy: Taxonomy, *, photos: int) -> Scores:
    """Read both files.

    Args:
        folder: Where they are.
        taxonomy: The labels that they must be of.
        photos: Photos of the catalog; those that came after the scoring have no score.

    Raises:
        ScoresError: If they are missing, damaged, of other labels, or of more photos than there are.
    """
    again = "make them with python -m tagger.clean step=score and the same data=…"
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        content = (folder / ARRAY).read_bytes()
    except FileNotFoundError as error:
        raise ScoresError(f"no out-of-fold scores: {error.filename} is missing; {again}") from None
    except (OSError, ValueError) as error:
        raise ScoresError(f"{folder / FACTS} is damaged ({error}); {again}") from error
    if facts["array"] != _digest(content):
        raise ScoresError(f"{folder / ARRAY} is not the array that {FACTS} speaks of; {again}")
    if facts["taxonomy_fingerprint"] != taxonomy.fingerprint:
        raise ScoresError(f"{folder / ARRAY} is of another version of the taxonomy {taxonomy.name!r}; {again}")
    values = np.load(io.BytesIO(content), allow_pickle=False)
    if len(values) > photos:
        raise ScoresError(f"{folder / ARRAY} is of {len(values)} photos and the catalog has {photos}; {again}")
    later = np.full((photos - len(values), values.shape[1]), np.nan, dtype=values.dtype)
    return Scores(np.concatenate([values, later]), facts)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
