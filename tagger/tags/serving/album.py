"""What one visitor of the page has dropped: photos with their scores, from which tags are decided again and again."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from tagger.tags.runtime import Scored, Tagger
from tagger.tags.serving.reading import ReadPhoto

NEVER = 2.0
"""The threshold that no score reaches."""

Thresholds = NDArray[np.float32]
"""Of all labels, in their order; (labels,)."""


@dataclass(frozen=True)
class ShownPhoto:
    """A photo that the page shows."""

    number: int
    """What the page calls it; none of the visitor's photos ever had the same."""
    photo_id: str
    name: str
    picture: bytes
    """A small JPEG of it."""
    place: int
    """Where it was in the order of what was dropped: photos are read some at a time, and the first may be last."""


class Album:
    """The photos of one visitor. A photo takes 13 bytes for every label, and its small picture.

    Args:
        nothing: What the network says of no photo.
    """

    def __init__(self, nothing: Scored) -> None:
        self.photos: list[ShownPhoto] = []
        self._nothing, self._parts = nothing, [nothing]
        self._first = 0
        self._ids: set[str] = set()

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def scored(self) -> Scored:
        """Row by row the network's scores of the photos."""
        if len(self._parts) > 1:
            self._parts = [stacked(self._parts)]
        return self._parts[0]

    @property
    def next_place(self) -> int:
        """Where the next photo that is dropped goes."""
        return max((photo.place for photo in self.photos), default=-1) + 1

    def add(self, name: str, read: ReadPhoto, scored: Scored, *, place: int) -> None:
        """Add a photo."""
        number = self._first + len(self)
        self.photos.append(ShownPhoto(number, read.photo_id, name, read.picture, place))
        self._parts.append(scored)
        self._ids.add(read.photo_id)

    def holds(self, photo_id: str) -> bool:
        """Return whether a photo is in the album already."""
        return photo_id in self._ids

    def row(self, number: int | None) -> int | None:
        """Return the row of a photo, None if it is not here, or not any more."""
        if number is None or not 0 <= number - self._first < len(self):
            return None
        return number - self._first

    def clear(self) -> None:
        """Remove all photos."""
        self._first += len(self)
        self.photos, self._parts, self._ids = [], [self._nothing], set()


def stacked(parts: list[Scored]) -> Scored:
    """Return the rows of all."""
    return Scored(
        **{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Scored)}
    )


def nothing_scored(tagger: Tagger) -> Scored:
    """Return what the network says of no photo."""
    black = tagger.run(np.zeros((1, tagger.framing.size, tagger.framing.size, 3), np.uint8))
    return Scored(**{field.name: getattr(black, field.name)[:0] for field in fields(Scored)})


def moved(thresholds: Thresholds, tagger: Tagger) -> dict[str, float]:
    """Return the thresholds that are not the tagger's, by label id, with as many digits as a person would type."""
    changed = np.flatnonzero(thresholds != tagger.thresholds).tolist()
    return {tagger.labels[label].id: float(f"{thresholds[label]:.4g}") for label in changed}
