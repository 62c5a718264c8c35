"""What tagging an album leaves: one JSON line a photo, and from these lines a CSV or Parquet table.

The lines are the record. Each is appended when its photo is done, so that a command that is cut (a last line without
its end included) goes on with the photos that are not there yet. A table is made anew from all lines, whole or not at
all; its lines stay beside it, as ``tags.csv.jsonl`` for ``tags.csv``.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.atomic import written_whole
from tagger.errors import UserError, named, reason
from tagger.lock import only_writer
from tagger.tags.runtime import Tag
from tagger.tracking.labels_csv import written

FORMATS = (".jsonl", ".csv", ".parquet")


@dataclass(frozen=True)
class TaggedPhoto:
    """A line: a photo with its tags, or with the reason why it has none."""

    photo: str
    tags: Sequence[Tag] = ()
    scores: dict[str, float] | None = None
    """Of all labels, where they were asked for."""
    near: dict[str, float] | None = None
    """Scores of the labels that it nearly got, where they were asked for: see :mod:`tagger.tags.tagging.near`."""
    error: str = ""


def plain(tagged: TaggedPhoto) -> dict[str, Any]:
    """Return a line as a mapping, as :func:`read_lines` will give it."""
    tags = [vars(tag) | {"score": round(tag.score, 6)} for tag in tagged.tags]
    made: dict[str, Any] = {"photo": tagged.photo, "tags": tags}
    for key, scores in (("scores", tagged.scores), ("near", tagged.near)):
        if scores is not None:
            made[key] = {label: round(score, 6) for label, score in scores.items()}
    return made | ({"error": tagged.error} if tagged.error else {})


def line(tagged: TaggedPhoto) -> bytes:
    r"""Return one JSON line. A name that is not UTF-8 is escaped as Python's JSON reads it back.

    Example:
        >>> tag = Tag("sea", "Meer", 0.912345678, origin="rule", because="follows from beach")
        >>> line(TaggedPhoto("a\nb.jpg", [tag])).partition(b" [")[2]
        b'{"label": "sea", "name": "Meer", "score": 0.912346, "origin": "rule", "because": "follows from beach"}]}\n'
        >>> line(TaggedPhoto("b.jpg", error="empty file"))
        b'{"photo": "b.jpg", "tags": [], "error": "empty file"}\n'
    """
    return json.dumps(plain(tagged), ensure_ascii=False).encode("utf-8", errors="backslashreplace") + b"\n"


class TagFile:
    """The lines of one album; use it in a ``with`` block.

    Args:
        output: What the user asked for; its suffix says the format.
        overwrite: Begin anew.

    Raises:
        UserError: If the suffix is none of ``FORMATS``, the place cannot be written, holds something else, or another
            process is writing there.
    """

    def __init__(self, output: Path, *, overwrite: bool) -> None:
        if output.suffix.lower() not in FORMATS:
            raise UserError(f"output={output} must end in {', '.join(FORMATS)}")
        self.output = output
        self.is_table = output.suffix.lower() != ".jsonl"
        self.lines = output.with_name(f"{output.name}.jsonl") if self.is_table else output
        if self.is_table and output.exists() and not self.lines.exists() and not overwrite:
            raise UserError(f"{output} is there without {self.lines}, so that nothing can be added: overwrite=true")
        self._until_closed = ExitStack()
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            self._until_closed.enter_context(only_writer(self.lines, way_out="name another output"))
            # Without a buffer: what is written is in the file, and what a full disk refuses is nowhere.
            self.file = self._until_closed.enter_context(self.lines.open("a+b", buffering=0))
            if overwrite:
                self.file.truncate(0)
            end = self._end_of_lines()
            self.done = Names(self._names(end))
            self._cut_last_line(end)
        except OSError as error:
            self.close()
            raise UserError(f"output={output} cannot be written: {reason(error)}") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "TagFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others write."""
        self._until_closed.close()

    def append(self, photos: Sequence[TaggedPhoto]) -> None:
        """Append the lines of some photos, all of them or none; from then on only a power cut can lose them."""
        end, rest = self.file.seek(0, os.SEEK_END), memoryview(b"".join(line(photo) for photo in photos))
        try:
            with named(self.lines):
                while rest:
                    rest = rest[self.file.write(rest) :]
        except BaseException:
            self.file.truncate(end)
            raise

    def finish(self) -> None:
        """Make the table of all lines, if one was asked for."""
        if self.is_table:
            write_table = _write_csv if self.output.suffix.lower() == ".csv" else _write_parquet
            write_table(self.output, self.lines)

    def _cut_last_line(self, end: int) -> None:
        """Cut off a last line that has no end: the command was cut while it wrote it."""
        self.file.seek(end)
        begin = b'{"photo": "'
        rest = self.file.read(len(begin))
        if not begin.startswith(rest):
            # Not ours to empty.
            raise UserError(f"{self.lines} holds something else than tags of photos: name another output")
        self.file.truncate(end)
        self.file.seek(0, os.SEEK_END)

    def _end_of_lines(self) -> int:
        at = self.file.seek(0, os.SEEK_END)
        while at > 0:
            start = max(0, at - 65536)
            self.file.seek(start)
            newline = self.file.read(at - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            at = start
        return 0

    def _names(self, end: int) -> Iterator[str]:
        at = 0
        with self.lines.open("rb") as file:
            for number, text in enumerate(file, start=1):
                at += len(text)
                if at > end:
                    break
                yield _parsed(text, f"{self.lines}, line {number}")["photo"]


class Names:
    """Names that were seen, eight bytes each: of a million photos two share a hash with a chance of 1 in 37 million."""

    def __init__(self, names: Iterator[str]) -> None:
        hashes: NDArray[np.uint64] = np.fromiter((_hash(name) for name in names), np.uint64)
        hashes.sort()
        self.hashes = hashes

    def __contains__(self, name: str) -> bool:
        hashed = np.uint64(_hash(name))
        at = int(self.hashes.searchsorted(hashed))
        return at < len(self.hashes) and bool(self.hashes[at] == hashed)

    def __len__(self) -> int:
        return len(self.hashes)


def _hash(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", errors="surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big")


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a file as mappings.

    Raises:
        UserError: If a line is none of ours; says which.
    """
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            yield _parsed(text, f"{path}, line {number}")


def _parsed(text: bytes, where: str) -> dict[str, Any]:
    try:
        tree = json.loads(text)
        if isinstance(tree["photo"], str) and isinstance(tree["tags"], list):
            return tree
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise UserError(f"{where}: no line of tagger.predict; name another output, or overwrite=true to begin anew")


def _write_csv(path: Path, lines: Path) -> None:
    """Write a row per photo: what its tags say, each joined by "; ", then the scores of all labels.

    The photo is its path and nothing else, whatever it begins with: tables are joined by it.
    """
    columns = _scored_labels(lines)
    with written_whole(path) as binary:
        text = io.TextIOWrapper(binary, "utf-8", errors="backslashreplace", newline="")
        table = csv.writer(text)
        head = ["photo", "labels", "names", "scores", "because", "error"]
        table.writerow([*head, *(f"score {label}" for label in columns)])
        for tree in read_lines(lines):
            tags, scores = tree["tags"], tree.get("scores", {})
            cells = [
                *("; ".join(str(tag[key]) for tag in tags) for key in ("label", "name", "score", "because")),
                tree.get("error", ""),
                *(scores.get(label) for label in columns),
            ]
            table.writerow([tree["photo"], *map(written, cells)])
        text.flush()
        text.detach()


def _scored_labels(lines: Path) -> list[str]:
    return next((list(tree["scores"]) for tree in read_lines(lines) if "scores" in tree), [])


def _write_parquet(path: Path, lines: Path) -> None:
    """Write a row per photo, a thousand at a time; ``scores`` is a map from label to score, null without."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tag = pa.struct([(field.name, pa.float32() if field.name == "score" else pa.string()) for field in fields(Tag)])
    schema = pa.schema(
        [
            ("photo", pa.string()),
            ("tags", pa.list_(tag)),
            ("scores", pa.map_(pa.string(), pa.float32())),
            ("error", pa.string()),
        ]
    )
    rows = ({**tree, "photo": _text(tree["photo"]), "error": _text(tree.get("error"))} for tree in read_lines(lines))
    with written_whole(path) as binary, pq.ParquetWriter(binary, schema) as table:
        while some := list(islice(rows, 1000)):
            for row in some:
                row["scores"] = list(row["scores"].items()) if "scores" in row else None
            table.write_table(pa.Table.from_pylist(some, schema=schema))


def _text(value: str | None) -> str | None:
    """Return text that UTF-8 knows: the other bytes of a file name are escaped."""
    return None if value is None else value.encode("utf-8", errors="backslashreplace").decode()
