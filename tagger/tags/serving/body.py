"""What a request may send: no more than it may, no slower than it must, and all of them together no more than fits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.exceptions import HTTPException
from starlette.requests import Request

PATIENCE = 10.0
"""Seconds that a body may take whatever its size."""

SLOWEST = 20_000
"""Bytes that must come in every second after that."""


class Bodies:
    """The bodies that are in memory.

    Args:
        most: Bytes of all of them; who would send more is asked to come again.
        patience: Seconds that a body may take whatever its size.
    """

    def __init__(self, *, most: int, patience: float = PATIENCE) -> None:
        self.most, self.patience, self.held = most, patience, 0

    @asynccontextmanager
    async def of(self, request: Request, *, most: int) -> AsyncIterator[bytearray]:
        """Read the body of a request; it counts as in memory until the block is left.

        Args:
            request: Whose body was not read yet.
            most: Bytes of this one.

        Raises:
            HTTPException: 413 if it is longer, 408 if it is too slow, 503 if there is no memory for it now.
        """
        body, too_long = bytearray(), HTTPException(413, f"more than the {most / 1e6:,g} MB allowed here")
        declared = request.headers.get("content-length", "0")
        # Longer numbers than that are not even read.
        if len(declared) > 15 or int(declared) > most:
            raise too_long
        try:
            async for chunk in self._chunks(request, body):
                if len(body) + len(chunk) > most:
                    raise too_long
                if self.held + len(chunk) > self.most:
                    raise HTTPException(503, "too many photos are on their way: try again in a moment")
                body += chunk
                self.held += len(chunk)
            yield body
        finally:
            self.held -= len(body)

    async def _chunks(self, request: Request, body: bytearray) -> AsyncIterator[bytes]:
        """Yield the chunks of a body, of which ``body`` has been read."""
        chunks = request.stream()
        began = asyncio.get_running_loop().time()
        while True:
            try:
                async with asyncio.timeout_at(began + self.patience + len(body) / SLOWEST):
                    chunk = await anext(chunks, b"")
            except TimeoutError:
                raise HTTPException(408, "the photo comes too slowly") from None
            if not chunk:
                return
            yield chunk
