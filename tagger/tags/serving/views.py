"""The page as HTML, and its parts: the photos, one photo's tags, one label's curve. Every name in them is escaped."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tagger.pages.template import page_template
from tagger.tags.corrections import Correction, Value
from tagger.tags.delivery.manifest import BundleLabel
from tagger.tags.runtime import Tag, Tagger
from tagger.tags.serving.album import Album, ShownPhoto, Thresholds
from tagger.tags.serving.validation import Point, point_at
from tagger.tracking.charts import curve_points

if TYPE_CHECKING:
    from tagger.tags.serving.desk import Desk

WIDEST = 9.0
"""Log-odds at the ends of the scale that scores and thresholds are drawn on: 0.00012 and 0.99988."""

STEPS = 1000
"""Places of the slider."""

TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99)
"""Scores that are written below the slider."""


def position(score: float) -> float:
    """Return where a score or threshold is drawn, 0..1: by its log-odds, since thresholds of rare labels are small.

    Example:
        >>> position(0.5), round(position(0.01), 3), position(0.0), position(2.0)
        (0.5, 0.245, 0.0, 1.0)
    """
    if not 0 < score < 1:
        return 0.0 if score <= 0 else 1.0
    return min(1.0, max(0.0, 0.5 + math.log(score / (1 - score)) / (2 * WIDEST)))


def short(score: float) -> str:
    """Return a score or threshold for people.

    Example:
        >>> short(0.41238), short(0.0042), short(0.00001), short(2.0)
        ('0.412', '0.0042', 'below 0.0001', 'never')
    """
    if score > 1:
        return "never"
    if 0 < score < 1e-4:
        return "below 0.0001"
    return f"{score:.3f}" if score >= 0.01 else f"{score:.2g}"


PAGE = page_template(Path(__file__).with_name("page.html"))
PARTS: Any = page_template(Path(__file__).with_name("parts.html")).make_module(
    {"position": position, "short": short, "ticks": TICKS, "steps": STEPS}
)

CHIPS = 4
"""Tags that are named below a photo in the grid."""
NEAREST = 5
"""Labels that are listed as nearly given."""

VERDICTS = {
    "certified": "on validation, the lower bound of its precision or recall meets the target",
    "met": "it meets the target on validation, but on too few photos to be sure",
    "unreachable": "no threshold meets the target; a fallback applies",
    "best_f1": "no target was asked for: the threshold of best F1",
}
"""What the verdict of a label means, for people."""

Corrections = Mapping[tuple[str, str], Correction]
"""The verdicts of people and what holds, by photo id and label."""


@dataclass(frozen=True)
class ShownTag:
    """A label on a photo, with everything that the page says of it."""

    id: str
    column: int
    name: str
    score: float
    threshold: float
    is_given: bool
    verdict: str = ""
    origin: str = ""
    because: str = ""
    correction: Value | None = None
    """The verdict of a person on it."""


@dataclass(frozen=True)
class Looks:
    """What the page's parts are made of: one visitor's photos and what was chosen."""

    tagger: Tagger
    language: str
    columns: Mapping[str, int]
    """Column of every label, by its id."""
    album: Album
    thresholds: Thresholds
    corrections: Corrections
    photo: int | None = None
    """Row in the album of the photo that is looked at."""
    label: int | None = None
    """Column of the label that is looked at."""
    by_score: bool = False
    """Whether the photos are in the order of that label's score."""

    @cached_property
    def corrections_by_photo(self) -> dict[str, dict[str, Value]]:
        """The verdicts of people, by photo id and label."""
        by_photo: dict[str, dict[str, Value]] = {}
        for (photo_id, label), correction in self.corrections.items():
            by_photo.setdefault(photo_id, {})[label] = correction.value
        return by_photo


def page(desk: "Desk", drawn: Mapping[str, Any]) -> str:
    """Return the page, with what has been drawn of it."""
    return PAGE.render(desk=desk, manifest=desk.tagger.manifest, drawn=drawn)


def parts(looks: Looks, tags: Sequence[Sequence[Tag]]) -> dict[str, str]:
    """Return the parts of the page that change, by the id of their place."""
    return {"photos": grid(looks, tags), "photo": photo(looks, tags), "curve": label(looks)}


def grid(looks: Looks, tags: Sequence[Sequence[Tag]]) -> str:
    """Return the album: a button for every photo, with its picture and its best tags."""
    return str(PARTS.grid(looks=looks, cards=[_card(looks, row, tags[row]) for row in _order(looks)]))


def photo(looks: Looks, tags: Sequence[Sequence[Tag]]) -> str:
    """Return the photo that is looked at, with all its tags and those that it nearly has."""
    row = looks.photo
    if row is None:
        return str(PARTS.no_photo())
    shown, nearly = shown_tags(looks, row, tags[row]), nearest(looks, row)
    return str(PARTS.photo(photo=looks.album.photos[row], tags=shown, nearest=nearly, verdicts=VERDICTS))


def label(looks: Looks) -> str:
    """Return what is known of the label that is looked at: its promise, its curve, its scores on these photos."""
    if looks.label is None:
        return str(PARTS.no_label())
    label, threshold = looks.tagger.labels[looks.label], float(looks.thresholds[looks.label])
    scores = looks.album.scored.scores[:, looks.label]
    return str(
        PARTS.label(
            label=label,
            column=looks.label,
            threshold=threshold,
            own_threshold=float(looks.tagger.thresholds[looks.label]),
            verdict=VERDICTS.get(label.verdict or "", ""),
            drawing=_drawing(label, threshold, own=float(looks.tagger.thresholds[looks.label])),
            target=looks.tagger.manifest.target or {},
            name=label.name(looks.language),
            scores=[(position(float(score)), bool(score >= threshold)) for score in scores],
            given=int((scores >= threshold).sum()),
        )
    )


def shown_tags(looks: Looks, row: int, tags: Sequence[Tag]) -> list[ShownTag]:
    """Return the tags of a photo, the highest score first, and with them what a person calls missing."""
    shown = [_shown(looks, row, tag.label, tag=tag) for tag in tags]
    given = {tag.label for tag in tags}
    corrections = looks.corrections_by_photo.get(looks.album.photos[row].photo_id, {})
    missing = [label for label, value in corrections.items() if value == "present" and label not in given]
    # A bundle with other labels may have been looked at before.
    return shown + [_shown(looks, row, label) for label in missing if label in looks.columns]


def nearest(looks: Looks, row: int) -> list[ShownTag]:
    """Return the labels that are not given and whose scores are nearest to their thresholds, the nearest first."""
    scores, id_ = looks.album.scored.scores[row], looks.album.photos[row].photo_id
    share = np.where(scores < looks.thresholds, scores / np.maximum(looks.thresholds, 1e-9), -1)
    found = [looks.tagger.labels[label].id for label in np.argsort(-share, kind="stable") if share[label] > 0]
    return [_shown(looks, row, label) for label in found if (id_, label) not in looks.corrections][:NEAREST]


def _shown(looks: Looks, row: int, id_: str, *, tag: Tag | None = None) -> ShownTag:
    column = looks.columns[id_]
    label = looks.tagger.labels[column]
    correction = looks.corrections.get((looks.album.photos[row].photo_id, id_))
    return ShownTag(
        id=id_,
        column=column,
        name=label.name(looks.language),
        score=float(looks.album.scored.scores[row, column]),
        threshold=float(looks.thresholds[column]),
        is_given=tag is not None,
        verdict=label.verdict or "",
        origin=tag.origin if tag else "",
        because=tag.because if tag and tag.origin != "network" else "",
        correction=correction.value if correction else None,
    )


@dataclass(frozen=True)
class _Card:
    photo: ShownPhoto
    is_open: bool
    tags: list[ShownTag]
    more: int
    score: float | None
    is_given: bool


def _card(looks: Looks, row: int, tags: Sequence[Tag]) -> _Card:
    shown = shown_tags(looks, row, tags)
    chosen = None if looks.label is None else float(looks.album.scored.scores[row, looks.label])
    return _Card(
        photo=looks.album.photos[row],
        is_open=row == looks.photo,
        tags=shown[:CHIPS],
        more=max(0, len(shown) - CHIPS),
        score=chosen,
        is_given=chosen is not None and looks.label is not None and chosen >= float(looks.thresholds[looks.label]),
    )


def _order(looks: Looks) -> list[int]:
    if looks.by_score and looks.label is not None:
        return np.argsort(-looks.album.scored.scores[:, looks.label], kind="stable").tolist()
    return sorted(range(len(looks.album)), key=lambda row: looks.album.photos[row].place)


@dataclass(frozen=True)
class _Drawing:
    points: str
    own: Point | None
    now: Point | None
    support: int


def _drawing(label: BundleLabel, threshold: float, *, own: float) -> _Drawing | None:
    curve = label.curve
    if curve is None or not curve.thresholds:
        return None
    points = curve_points(np.array(curve.precision), np.array(curve.recall))
    return _Drawing(points, point_at(curve, own), point_at(curve, threshold), curve.support)
