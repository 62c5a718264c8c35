"""Whose album is whose: what the server keeps for each browser, under a name that nobody can guess."""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from tagger.tags.corrections import Correction, Value
from tagger.tags.serving.album import Album, Thresholds

MOST = 32
"""Visitors at a time."""

IDLE = 3600.0
"""Seconds after which one who has not come back is forgotten; an open page comes back every ten minutes."""

READING = 2
"""Photos of one visitor that are read at a time: fewer than there are workers, so that nobody has them all."""

UNDONE = 1000
"""Corrections of a visitor that can be undone, the last ones."""


class Kept(NamedTuple):
    """A correction that was kept, and what held before."""

    correction: Correction
    before: Value


@dataclass(eq=False)
class Visitor:
    """What one visitor has."""

    album: Album
    thresholds: Thresholds
    history: deque[Kept] = field(default_factory=lambda: deque(maxlen=UNDONE))
    """Corrections that can be undone."""
    offered: list[str] = field(default_factory=list)
    """Paths of the photos in the folder that was opened last; the page names them by their number."""
    last_seen: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever changes what the visitor has, or looks at it."""
    reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READING))


class Visitors:
    """All visitors.

    Args:
        newcomer: Makes what a new one has.
        most: Most of them; who comes then takes the place of one without photos, or waits until one is forgotten.
    """

    def __init__(self, newcomer: Callable[[], Visitor], *, most: int = MOST) -> None:
        self._newcomer, self._most = newcomer, most
        self._by_token: dict[str, Visitor] = {}

    def __len__(self) -> int:
        return len(self._by_token)

    def find(self, token: str | None) -> Visitor | None:
        """Return a visitor, None if there is none of that name, or not any more."""
        now = time.monotonic()
        self._by_token = {name: one for name, one in self._by_token.items() if now - one.last_seen < IDLE}
        found = None if token is None else self._by_token.get(token)
        if found is not None:
            found.last_seen = now
        return found

    def admit(self) -> tuple[str, Visitor] | None:
        """Let somebody in; return the name and what is kept under it, None if the house is full."""
        if len(self._by_token) >= self._most:
            without_photos = [(one.last_seen, name) for name, one in self._by_token.items() if not one.album]
            if not without_photos:
                return None
            del self._by_token[min(without_photos)[1]]
        token, visitor = secrets.token_urlsafe(32), self._newcomer()
        visitor.last_seen = time.monotonic()
        self._by_token[token] = visitor
        return token, visitor
