"""What all visitors of the page share, and what it does for one of them: tag photos, keep a correction."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from starlette.concurrency import run_in_threadpool

from tagger.pages.visible import visible
from tagger.tags.corrections import Correction, CorrectionsFile, now
from tagger.tags.delivery.bundle import MODEL
from tagger.tags.runtime import Scored, Tag, Tagger
from tagger.tags.serving.album import Album, Thresholds, nothing_scored
from tagger.tags.serving.reading import ReadPhoto
from tagger.tags.serving.visitors import Kept, Visitor
from tagger.tags.serving.workers import Workers


@dataclass(frozen=True)
class Desk:
    """What all visitors share."""

    name: str
    """Of the bundle."""
    tagger: Tagger
    workers: Workers
    corrections: CorrectionsFile
    annotator: str
    language: str
    max_photos: int
    """Of one visitor."""
    max_bytes: int
    """Of one photo."""
    root: str | None = None
    """What the folder is called that the page may open; None if none."""

    @cached_property
    def columns(self) -> dict[str, int]:
        """Column of every label, by its id."""
        return {label.id: column for column, label in enumerate(self.tagger.labels)}

    @cached_property
    def choices(self) -> list[tuple[str, int]]:
        """Name and column of every label, by name; with the id behind names that labels share."""
        names = [visible(label.name(self.language)) for label in self.tagger.labels]
        shared = {name for name in names if names.count(name) > 1}
        pairs = zip(names, self.columns.items(), strict=True)
        return sorted((f"{name} ({visible(id_)})" if name in shared else name, column) for name, (id_, column) in pairs)

    @cached_property
    def nothing(self) -> Scored:
        """What the network says of no photo."""
        return nothing_scored(self.tagger)

    def newcomer(self) -> Visitor:
        """Return what a new visitor has."""
        return Visitor(Album(self.nothing), self.tagger.thresholds)

    def tags(self, album: Album, thresholds: Thresholds) -> list[list[Tag]]:
        """Return the tags of every photo, the highest score first."""
        scored = replace(album.scored, tags=self.tagger.given(album.scored.scores, thresholds))
        return list(self.tagger.tags_of(scored, language=self.language))

    @property
    def full(self) -> str:
        """The message shown when an album is."""
        return f"only {self.max_photos} photos at a time: remove some first"

    async def add(self, visitor: Visitor, name: str, photo: bytes | bytearray | str, *, place: int) -> str:
        """Read a photo, tag it, and add it to a visitor's album.

        Args:
            visitor: Whose it is.
            name: What it is called; only shown.
            photo: Its bytes, or a path that the workers gave.
            place: Where it was in the order of what was dropped.

        Returns:
            Why it could not be added; empty if it was.
        """
        if len(visitor.album) >= self.max_photos:
            return self.full
        async with visitor.reading:
            read = await self.workers.read(photo)
        if read.pixels is None:
            return visible(f"{name}: {read.error}")
        scored = await run_in_threadpool(self._scored, read)
        async with visitor.turn:
            if len(visitor.album) >= self.max_photos:
                return self.full
            if visitor.album.holds(read.photo_id):
                return visible(f"{name}: is here already")
            visitor.album.add(name, read, scored, place=place)
        return ""

    def correct(self, visitor: Visitor, row: int, column: int, value: Literal["present", "absent"]) -> None:
        """Keep what a visitor says of a label on a photo.

        Raises:
            UserError: If it cannot be written.
        """
        photo = visitor.album.photos[row]
        correction = Correction(
            photo_id=photo.photo_id,
            photo=photo.name,
            label=self.tagger.labels[column].id,
            value=value,
            annotator=self.annotator,
            time=now(),
            bundle=self.tagger.manifest.files[MODEL][1],
            score=float(visitor.album.scored.scores[row, column]),
        )
        before = self.corrections.say(correction)
        if before is not None:
            visitor.history.append(Kept(correction, before))

    def undo(self, visitor: Visitor) -> None:
        """Let what held before a visitor's last correction hold again.

        Raises:
            UserError: If it cannot be written.
        """
        if visitor.history:
            last = visitor.history[-1]
            self.corrections.say(last.correction.withdrawn(before=last.before))
            visitor.history.pop()

    def _scored(self, read: ReadPhoto) -> Scored:
        assert read.pixels is not None
        return self.tagger.run(read.pixels[None], self.tagger.detected([read.beside]))
