"""What another tagger says of photos that a source already has: a JSONL of ``{"photo": …, "tag": …, "score": …}``.

A product's tag is an opinion: it becomes a candidate for people to look at, never the truth, so no state changes.
The photos are not the product's: each ``photo`` is a key or a path of the source that ``of`` names. The chunks have no
photos, and their annotations refer to that source's; who merges the sources finds the photo, and counts those that
nobody has. Nor does this file say what the product would have tagged on other photos, so nothing is absent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from tagger.data.sources.json_lines import json_lines
from tagger.data.sources.source import PHOTOS, Chunk, Folds, Skipped
from tagger.data.sources.tables import annotation_table
from tagger.data.states import Unknown

CHUNK = 65_536
"""Lines that are read at a time."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """The predictions of one product for the photos of one source."""

    root: str
    file: str
    """The JSONL, relative to the root, or an absolute path."""
    of: str
    """Name of the source whose photos these are."""
    vocabulary: str
    """The product's name: its tags are mapped like any source's names."""
    exhaustive: bool = field(default=False, init=False)
    unknown: Unknown = "ignore"
    folds: Folds = field(default="all", init=False)

    def chunks(self, skipped: Skipped) -> Iterator[Chunk]:
        """Yield the predictions in their order, with their lines; repeated ones too, since the file may be endless.

        A line without a photo or a tag, or whose score is neither null nor within 0..1, is counted as left out.

        Raises:
            SourceError: If the file cannot be read.
        """
        path = Path(self.root).expanduser() / self.file
        lines = json_lines(path, skipped)
        # Not the words: a product may say ten million.
        hashes: set[int] = set()
        while batch := list(islice(lines, CHUNK)):
            good = []
            for line, entry in batch:
                if reason := _fault(entry):
                    skipped.add(reason, f"{path}, line {line}: {str(entry)[:200]}")
                else:
                    good.append((line, entry))
                    if (key := hash((entry["photo"], entry["tag"]))) in hashes:
                        skipped.add("tag of a photo listed again", f"{path}, line {line}: {str(entry)[:200]}")
                    hashes.add(key)
            yield _chunk(good, str(path))


def _chunk(rows: list[tuple[int, dict[str, Any]]], file: str) -> Chunk:
    photos, tags = (pa.array([entry[key] for _, entry in rows], pa.string()) for key in ("photo", "tag"))
    scores = pa.array([entry.get("score") for _, entry in rows], pa.float32())
    lines = pa.array([line for line, _ in rows], pa.int64())
    annotations = annotation_table(photos, tags, origin="product", score=scores, line=lines)
    return Chunk(PHOTOS.empty_table(), annotations, file)


def _fault(entry: dict[str, Any]) -> str | None:
    """Return what is wrong with a prediction, None if nothing is.

    Example:
        >>> _fault({"photo": "a.jpg", "tag": "cat", "score": 93})
        'score is not within 0..1'
    """
    for key in ("photo", "tag"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            return f"no {key}"
    score = entry.get("score")
    if score is None:
        return None
    if isinstance(score, bool) or not isinstance(score, int | float):
        return "score is not a number"
    # Not "score < 0 or score > 1": nothing compares with NaN, which Python takes for JSON.
    return None if 0 <= score <= 1 else "score is not within 0..1"
