"""What people decided on tags they looked at: one JSON line a verdict, in a file that only grows.

    {"photo_id": "9f86d081884c7d659a2feaa0c55ad015", "photo": "beach.jpg", "label": "scene.beach", "value": "absent",
     "origin": "human", "annotator": "ann", "time": "2026-01-01T12:00:00+00:00", "bundle": "…", "score": 0.93}

``photo_id`` is the catalog's: the first 32 hex digits of the SHA-256 of the photo's bytes. ``photo`` is what the photo
was called, for people. A verdict is never edited: of two about the same photo and label the later one holds, and
``unknown`` takes back the verdict before. A line counts once its end is on the disk; one that was cut never does.

Needs neither torch nor the page: cleaning reads these lines as annotations of origin ``human``.
"""

import errno
import json
import math
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

from tagger.atomic import written_whole
from tagger.errors import UserError

Value = Literal["present", "absent", "unknown"]
"""The verdict on a label of a photo; ``unknown`` takes a verdict back."""

MAX_LINE = 65536
"""Most bytes of a line: a photo's name takes 1,500 of them at most."""

_BEGIN = b'{"photo_id": "'


@dataclass(frozen=True)
class Correction:
    """One verdict of a person."""

    photo_id: str
    """32 hex digits, of the photo's bytes; the catalog knows it by these."""
    photo: str
    """What it was called; any text, also with line ends."""
    label: str
    """The label's id."""
    value: Value
    annotator: str
    """Who says so."""
    time: str
    """When, UTC, ISO 8601."""
    bundle: str
    """SHA-256 of the bundle's graph, whose tags were looked at."""
    score: float
    """What it gave the label on this photo, 0..1."""
    origin: str = "human"

    def withdrawn(self, *, before: Value = "unknown") -> "Correction":
        """Return the line that takes this one back: what held ``before`` holds again."""
        return replace(self, value=before, time=now())

    def to_line(self) -> bytes:
        r"""Return the JSON line. A name that is not UTF-8 is escaped as Python's JSON reads it back.

        Example:
            >>> Correction("0" * 32, "a\nb.jpg", "sea", "absent", "ann", "2026-01-01T12:00:00+00:00", "f00", 0.5).to_line()
            b'{"photo_id": "00000000000000000000000000000000", "photo": "a\\nb.jpg", "label": "sea", "value": "absent", "annotator": "ann", "time": "2026-01-01T12:00:00+00:00", "bundle": "f00", "score": 0.5, "origin": "human"}\n'
        """  # noqa: E501
        text = json.dumps(asdict(self) | {"score": round(self.score, 6)}, ensure_ascii=False)
        return text.encode("utf-8", errors="backslashreplace") + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Correction":
        """Read a line, from whomever.

        Raises:
            ValueError: If it is none; the message says what is wrong with it.

        Example:
            >>> Correction.from_line(b'{"photo_id": "beach.jpg"}')
            Traceback (most recent call last):
            ...
            ValueError: photo_id must be 32 hex digits, got 'beach.jpg'
        """
        tree = _object(line)
        id_ = tree.get("photo_id")
        if not isinstance(id_, str) or len(id_) != 32 or set(id_) - set("0123456789abcdef"):
            raise ValueError(f"photo_id must be 32 hex digits, got {id_!r:.80}")
        for name in ("photo", "label", "annotator", "time", "bundle"):
            if not isinstance(tree.get(name), str):
                raise ValueError(f"{name} must be a text, got {tree.get(name)!r:.80}")
        if tree.get("value") not in get_args(Value):
            raise ValueError(f"value must be {', '.join(get_args(Value))}, got {tree.get('value')!r:.80}")
        if tree.get("origin") != "human":
            raise ValueError(f"origin must be human, got {tree.get('origin')!r:.80}")
        _check_time(tree["time"])
        tree["score"] = _score(tree.get("score"))
        return cls(**{field.name: tree[field.name] for field in fields(cls)})


def read_corrections(path: Path) -> Iterator[Correction]:
    """Yield the verdicts of a file, the oldest first; a last line that was cut is left out.

    Raises:
        UserError: If the file cannot be read, or a line is none of ours; says which.
    """
    try:
        with path.open("rb") as file:
            yield from _read(file, path)
    except OSError as error:
        raise UserError(f"corrections={path} cannot be read: {error.strerror or error}") from error


def current(corrections: Iterable[Correction]) -> dict[tuple[str, str], Correction]:
    """Return the verdict that holds by photo id and label: the last one, unless it takes back an earlier one.

    Example:
        >>> correction = Correction("0" * 32, "a.jpg", "sea", "absent", "ann", "2026-01-01T12:00:00+00:00", "f00", 0.5)
        >>> list(current([correction]).values()) == [correction], current([correction, correction.withdrawn()])
        (True, {})
    """
    last = {(correction.photo_id, correction.label): correction for correction in corrections}
    return {key: correction for key, correction in last.items() if correction.value != "unknown"}


def now() -> str:
    """Return the time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class CorrectionsFile:
    """The file, open for appending by this process alone; use it in a ``with`` block.

    Args:
        path: Where it is, or will be.

    Raises:
        UserError: If the place cannot be written, holds something else, or another process appends to it.
    """

    def __init__(self, path: Path) -> None:
        from filelock import FileLock, Timeout

        self.path = path
        # One server appends from several threads.
        self._turn = threading.Lock()
        self._lock = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"corrections={path}: another tagger.serve appends to it; end that one, or name another file"
            ) from None
        except OSError as error:
            raise UserError(f"corrections={path} cannot be written: {error.strerror or error}") from error
        try:
            self._file = self._opened()
            self.current: Mapping[tuple[str, str], Correction] = current(self._read_and_mend())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "CorrectionsFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others append."""
        if hasattr(self, "_file"):
            self._file.close()
        self._lock.release()

    def held(self, photo_id: str, label: str) -> Value:
        """Return what holds of a label on a photo; ``unknown`` if nobody has decided."""
        correction = self.current.get((photo_id, label))
        return "unknown" if correction is None else correction.value

    def say(self, correction: Correction) -> Value | None:
        """Append a verdict; when this returns it is on the disk.

        Returns:
            What held before; None if it held already, and nothing was appended.

        Raises:
            UserError: If it cannot be written, for instance because the disk is full; the file is then as it was.
        """
        with self._turn:
            before = self.held(correction.photo_id, correction.label)
            if before == correction.value:
                return None
            self._append(correction.to_line())
            # A new mapping: the pages of others are reading the old one.
            self.current = current([*self.current.values(), correction])
            return before

    def _append(self, line: bytes) -> None:
        end = os.fstat(self._file.fileno()).st_size
        try:
            if self._file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(end)
            raise UserError(f"{self.path} cannot be written: {error.strerror or error}") from error

    def _opened(self) -> FileIO:
        try:
            if not self.path.exists():
                # The folder's record of the new name is then on the disk as well.
                with written_whole(self.path):
                    pass
            # Without a buffer: a line is one write. At the end, wherever that is after a write that failed.
            return self.path.open("ab", buffering=0)
        except OSError as error:
            raise UserError(f"corrections={self.path} cannot be written: {error.strerror or error}") from error

    def _read_and_mend(self) -> list[Correction]:
        """Read the lines, and cut off a last one that has no end: nobody was told that it counts."""
        with self.path.open("rb") as file:
            correction = list(_read(file, self.path))
            rest = file.read() if file.seek(_end_of_lines(file)) >= 0 else b""
        if not _BEGIN.startswith(rest[: len(_BEGIN)]):
            # Not ours to cut.
            raise UserError(f"corrections={self.path} holds something else than corrections: name another file")
        self._file.truncate(os.fstat(self._file.fileno()).st_size - len(rest))
        return correction


def _read(file: BinaryIO, path: Path) -> Iterator[Correction]:
    for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), start=1):
        if len(line) <= MAX_LINE and not line.endswith(b"\n"):
            return
        try:
            if len(line) > MAX_LINE:
                raise ValueError(f"longer than {MAX_LINE:,} bytes")
            yield Correction.from_line(line)
        except ValueError as error:
            raise UserError(f"{path}, line {number} is no correction: {error}") from error


def _end_of_lines(file: BinaryIO) -> int:
    """Return where the last whole line ends."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - MAX_LINE)
    file.seek(start)
    return start + file.read().rfind(b"\n") + 1


def _object(line: bytes) -> dict[str, Any]:
    try:
        tree = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(tree, dict):
        raise ValueError(f"expected {{…}}, got {tree!r:.80}")
    return tree


def _score(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"score must be a number, got {value!r:.80}")
    return float(value)


def _check_time(text: str) -> None:
    try:
        is_utc = datetime.fromisoformat(text).utcoffset() == UTC.utcoffset(None)
    except ValueError:
        is_utc = False
    if not is_utc:
        raise ValueError(f"time must be ISO 8601 in UTC, got {text!r:.80}")
