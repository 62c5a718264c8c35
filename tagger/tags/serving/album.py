"""What one visitor of the page has dropped: photos with their scores, from which tags are decided again and again."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

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

    photo_id: str
    name: str
    picture: Path
    """A small JPEG of it."""


@dataclass(frozen=True, eq=False)
class Album:
    """The photos of one visitor; adding some makes a new album. A photo takes 13 bytes for every label."""

    folder: Path
    """Where its pictures are."""
    photos: tuple[ShownPhoto, ...]
    scored: Scored
    """Row by row what the network said of the photos."""

    @classmethod
    def empty(cls, pictures: Path, scored: Scored) -> "Album":
        """Return an album without photos.

        Args:
            pictures: Where its folder of pictures is made.
            scored: Of no photo.
        """
        return cls(Path(tempfile.mkdtemp(dir=pictures, prefix="album-")), (), scored)

    def __len__(self) -> int:
        return len(self.photos)

    def with_photos(self, names: Sequence[str], read: Sequence[ReadPhoto], scored: Scored) -> "Album":
        """Return the album with more photos, in the order of the rows of ``scored``."""
        shown = []
        for number, (name, photo) in enumerate(zip(names, read, strict=True), start=len(self)):
            picture = self.folder / f"{number}.jpg"
            picture.write_bytes(photo.picture)
            shown.append(ShownPhoto(photo.photo_id, name, picture))
        return replace(self, photos=(*self.photos, *shown), scored=stacked(self.scored, scored))

    def holds(self, photo_id: str) -> bool:
        """Return whether a photo is in the album already."""
        return any(photo.photo_id == photo_id for photo in self.photos)

    def remove_pictures(self) -> None:
        """Remove its folder: the visitor has gone."""
        shutil.rmtree(self.folder, ignore_errors=True)


def stacked(above: Scored, below: Scored) -> Scored:
    """Return the rows of both."""
    parts = {field.name: (getattr(above, field.name), getattr(below, field.name)) for field in fields(Scored)}
    return Scored(**{name: np.concatenate(both) for name, both in parts.items()})


def nothing_scored(tagger: Tagger) -> Scored:
    """Return what the network says of no photo."""
    black = tagger.run(np.zeros((1, tagger.framing.size, tagger.framing.size, 3), np.uint8))
    return Scored(**{field.name: getattr(black, field.name)[:0] for field in fields(Scored)})


def moved(thresholds: Thresholds, tagger: Tagger) -> dict[str, float]:
    """Return the thresholds that are not the tagger's, by label id, with as many digits as a person would type."""
    changed = np.flatnonzero(thresholds != tagger.thresholds).tolist()
    return {tagger.labels[label].id: float(f"{thresholds[label]:.4g}") for label in changed}
