"""Ctrl-C and ``kill``: end after the epoch in hand."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Whether somebody asked to stop. The first signal asks, the second ends the process at once."""

    def __init__(self) -> None:
        self.asked = False

    def is_asked(self) -> bool:
        """Say whether a signal has come."""
        return self.asked

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals inside."""
        previous = {number: signal.signal(number, self._ask) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        print("\nstopping after this epoch (once more stops at once)", flush=True)
