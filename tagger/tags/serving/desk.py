"""What all visitors of the page share, and what it does for one of them: tag photos, keep a verdict."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from tagger.pages.visible import visible
from tagger.tags.corrections import Correction, CorrectionsFile, Value, now
from tagger.tags.delivery.bundle import MODEL
from tagger.tags.runtime import Scored, Tag, Tagger
from tagger.tags.serving.album import Album, Thresholds, nothing_scored
from tagger.tags.serving.folder import Root
from tagger.tags.serving.reading import PhotoReader, ReadPhoto

BATCH = 8
"""Photos after which the page shows how far it is."""


class Added(NamedTuple):
    """How far the adding of photos is."""

    album: Album
    remarks: list[str]
    """What could not be added, and why."""
    doing: str
    """What is going on; empty at the end."""


class Said(NamedTuple):
    """A verdict that was kept, and what held before."""

    verdict: Correction
    before: Value


@dataclass(frozen=True)
class Desk:
    """What all visitors share."""

    name: str
    """Of the bundle."""
    tagger: Tagger
    reader: PhotoReader
    corrections: CorrectionsFile
    annotator: str
    pictures: Path
    """Where the small pictures of all albums are."""
    root: Root | None
    """The folder that the page may open; None if none."""
    language: str
    max_photos: int
    """Of one visitor."""

    @cached_property
    def columns(self) -> dict[str, int]:
        """Column of every label, by its id."""
        return {label.id: column for column, label in enumerate(self.tagger.labels)}

    @cached_property
    def choices(self) -> list[tuple[str, str]]:
        """Name and id of every label, by name; with the id behind names that labels share."""
        names = [visible(label.name(self.language)) for label in self.tagger.labels]
        shared = {name for name in names if names.count(name) > 1}
        pairs = zip(names, self.columns, strict=True)
        return sorted((f"{name} ({visible(id_)})" if name in shared else name, id_) for name, id_ in pairs)

    @cached_property
    def nothing(self) -> Scored:
        """What the network says of no photo."""
        return nothing_scored(self.tagger)

    def tags(self, album: Album, thresholds: Thresholds) -> list[list[Tag]]:
        """Return the tags of every photo, the highest score first."""
        scored = replace(album.scored, tags=self.tagger.given(album.scored.scores, thresholds))
        return list(self.tagger.tags_of(scored, language=self.language))

    def room(self, album: Album | None) -> int:
        """Return how many photos may be added."""
        return self.max_photos - (0 if album is None else len(album))

    def add(self, album: Album | None, paths: Sequence[str], names: Sequence[str]) -> Iterator[Added]:
        """Read photos and tag them, a few at a time; yield the album with them after each few."""
        room = self.room(album)
        remarks = [] if len(paths) <= room else [f"only {self.max_photos} photos at a time: remove some first"]
        paths, names = paths[:room], names[:room]
        album = album or Album.empty(self.pictures, self.nothing)
        yield Added(album, remarks, f"reading {len(paths)} photos …" if paths else "")
        for start in range(0, len(paths), BATCH):
            album, bad = self._with_some(album, paths[start : start + BATCH], names[start : start + BATCH])
            remarks, done = remarks + bad, start + BATCH
            yield Added(album, remarks, f"{done} of {len(paths)} photos …" if done < len(paths) else "")

    def say(self, album: Album, photo: int, label: str, value: Literal["present", "absent"]) -> Said | None:
        """Keep a verdict about a photo of an album; return None if it held already.

        Raises:
            UserError: If it cannot be written.
        """
        shown = album.photos[photo]
        verdict = Correction(
            photo_id=shown.photo_id,
            photo=shown.name,
            label=label,
            value=value,
            annotator=self.annotator,
            time=now(),
            bundle=self.tagger.manifest.files[MODEL][1],
            score=float(album.scored.scores[photo, self.columns[label]]),
        )
        before = self.corrections.say(verdict)
        return None if before is None else Said(verdict, before)

    def take_back(self, said: Said) -> None:
        """Let what held before a verdict hold again.

        Raises:
            UserError: If it cannot be written.
        """
        self.corrections.say(said.verdict.withdrawn(before=said.before))

    def _with_some(self, album: Album, paths: Sequence[str], names: Sequence[str]) -> tuple[Album, list[str]]:
        kept: dict[str, tuple[str, ReadPhoto]] = {}
        remarks = []
        for name, photo in zip(names, self.reader.read(paths), strict=True):
            if photo.pixels is None:
                remarks.append(f"{name}: {photo.error}")
            elif album.holds(photo.photo_id) or photo.photo_id in kept:
                remarks.append(f"{name}: is here already")
            else:
                kept[photo.photo_id] = name, photo
        if not kept:
            return album, remarks
        fresh_names, photos = zip(*kept.values(), strict=True)
        detected = self.tagger.detected([photo.beside for photo in photos])
        scored = self.tagger.run(np.stack([photo.pixels for photo in photos]), detected)
        return album.with_photos(fresh_names, photos, scored), remarks
