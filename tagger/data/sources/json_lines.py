"""JSON lines: one object a line, read one at a time, whatever the size of the file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tagger.data.sources.encoding import HEAD, encoding_of
from tagger.data.sources.source import Skipped, SourceError

MAX_LINE = 1_000_000
"""Bytes of a line above which it is left out: a file without line ends must not fill the memory."""


def json_lines(path: Path, skipped: Skipped) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the line number and the object of every line; a line that is none is counted, with its number.

    Raises:
        SourceError: If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            number, encoding = 0, encoding_of(file.read(HEAD))
            if encoding != "utf-8-sig":
                raise SourceError(f"{path} is written in {encoding.upper()}, and JSON lines are UTF-8: save it so")
            file.seek(0)
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    while line and not line.endswith(b"\n"):
                        line = file.readline(MAX_LINE)
                    skipped.add(f"line longer than {MAX_LINE:,} bytes", f"{path}, line {number}")
                    continue
                try:
                    entry = _parsed(line) if line.strip() else None
                except (ValueError, RecursionError) as error:
                    skipped.add("not a JSON object", f"{path}, line {number}: {error}")
                    continue
                if entry is not None:
                    yield number, entry
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error


def _parsed(line: bytes) -> dict[str, Any]:
    r"""Return the object that a line holds.

    Example:
        >>> _parsed(b'{"tag": "\xe7\x8c\xab"}')
        {'tag': '猫'}
        >>> _parsed(b"[1]")
        Traceback (most recent call last):
        ...
        ValueError: expected {…}, got list
    """
    entry = json.loads(line.decode("utf-8-sig"))
    if not isinstance(entry, dict):
        raise ValueError(f"expected {{…}}, got {type(entry).__name__}")
    if b"\\u" in line:
        # Half of a surrogate pair is legal JSON, but no text that a table could hold.
        json.dumps(entry, ensure_ascii=False).encode()
    return entry
