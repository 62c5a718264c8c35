"""What every source gives: photos and what it says about them, in its own words.

A source knows one published format. It yields what it found, chunk by chunk, and counts what it left out and why. It
knows nothing of our labels: names become labels later and in one place, by the taxonomy (tagger.data.mapping).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import pyarrow as pa

from tagger.data.skipped import Skipped as Skipped  # noqa: PLC0414 - every source takes both from here
from tagger.data.states import Unknown
from tagger.errors import UserError

Folds = Literal["all", "train"]
"""Folds that a source's photos are dealt into."""

PHOTOS = pa.schema(
    {
        "key": pa.string(),  # what the source calls the photo, unique within the source: an ImageID, a file name
        "path": pa.string(),  # relative to the source's root, with "/" between folders; null if there is no file
        "split": pa.string(),  # "train" or "test" as published, or null
        "group": pa.string(),  # photos with the same text stay in one fold, or null
        "rotation": pa.int16(),  # degrees counter-clockwise that a file lacks to be upright; null: not known
    }
)
"""A row per photo."""

ANNOTATIONS = pa.schema(
    {
        "key": pa.string(),  # of a photo of this chunk or an earlier one
        "name": pa.string(),  # the source's own name of the label: "/m/0dftk", "dining table"
        "value": pa.int8(),  # PRESENT, ABSENT, or UNKNOWN: looked at, and neither (it is not absent either)
        "origin": pa.string(),  # "source": a fact; "product" or "model": an opinion, which never counts as truth
        "score": pa.float32(),  # confidence of an opinion, 0..1, or null
        "line": pa.int64(),  # where it stands: line of the file, for messages; null if that means nothing
    }
)
"""A row per photo and name."""


NAMELESS = ""
"""The name of something on a photo that cannot be read: what it is nobody knows, so nothing is absent there unsaid."""


class SourceError(UserError):
    """A source that cannot be read; the message names the file, the place and the way out."""


@dataclass(frozen=True)
class Chunk:
    """Some photos and some annotations; any of the two tables may be empty."""

    photos: pa.Table
    """Schema ``PHOTOS``."""
    annotations: pa.Table
    """Schema ``ANNOTATIONS``."""
    file: str = ""
    """The file that ``line`` counts in."""
    declared: tuple[str, ...] | None = None
    """Names that were looked for on every photo, as the file itself lists them; None: it does not."""


class Source(Protocol):
    """A set of photos that somebody labelled; its settings are the constructor's named arguments."""

    @property
    def root(self) -> str | None:
        """Folder or fsspec URL that the photos' paths are relative to."""

    @property
    def vocabulary(self) -> str:
        """Whose names it speaks: a key under ``sources`` of the taxonomy's labels; empty: the taxonomy's own."""

    @property
    def exhaustive(self) -> bool:
        """Whether annotators looked for every name that the source declares, so that one they did not list is absent.

        Where its chunks declare none, these are the names of the vocabulary that the label system knows.
        """

    @property
    def unknown(self) -> Unknown:
        """What a label that is neither present nor absent counts for: negative, ignore or a weight in [0, 1]."""

    @property
    def folds(self) -> Folds:
        """Folds that its photos are dealt into; ``train`` if they were chosen for their labels, as a search does.

        Figures and thresholds are about the data set's photos: where all that a search found are tested on, they are
        about what searches find. What such a source thinks of them becomes questions (tagger.cleaning.queue.searched).
        """

    def chunks(self, skipped: Skipped) -> Iterator[Chunk]:
        """Yield what the source says; count in ``skipped`` what it leaves out.

        Raises:
            SourceError: If a file cannot be read at all; the message names file, line and the way out.
        """
        ...
