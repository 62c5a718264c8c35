"""Photos framed in processes of their own, in the order they were given, a bounded number at a time.

In processes, because decoding holds Python's lock and Pillow's limit on pixels is one per process. A decoder that dies
on a photo (a crash, or no memory) costs that photo, not the rest: the few that were under way are tried again, each in
a process of its own.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tagger.data.photo import BadPhoto, PhotoFile, read_photo
from tagger.data.workers import fit_sockets


class Framing(Protocol):
    """What is made of every photo; goes to other processes. Mostly a :class:`tagger.data.framing.Framing`."""

    def framed(self, photo: PhotoFile, /) -> Any:
        """Return what NumPy takes for an array of bytes, of any shape.

        Raises:
            BadPhoto: If the photo cannot be read.
        """


class Framings(NamedTuple):
    """What is made of every photo: one picture or two, of the same bytes, and their hash where it is asked for."""

    framing: Framing
    beside: Framing | None
    hashed: bool


# The framings of this process, if it is a decoder.
_FRAMINGS: list[Framings] = []


@dataclass(frozen=True, eq=False)
class Framed:
    """One photo, as the network sees it or with the reason why not."""

    photo: str
    pixels: NDArray[np.uint8] | None
    """(height, width, 3), or what else the framing makes of it."""
    error: str = ""
    beside: NDArray[np.uint8] | None = None
    """The same photo in the other framing, if one was asked for."""
    sha256: str = ""
    """Of the bytes that the pictures were made of, if it was asked for."""


def framed(
    photos: Iterable[str],
    framing: Framing,
    *,
    workers: int,
    ahead: int,
    beside: Framing | None = None,
    hashed: bool = False,
) -> Iterator[Framed]:
    """Yield every photo framed, in order.

    Args:
        photos: Paths or URLs; they are asked for as they are needed.
        framing: How to make pictures of them.
        workers: Processes; 0 decodes in this one.
        ahead: Photos that are decoded or wait to be taken at any time.
        beside: How to make a second picture of each.
        hashed: Whether to tell the hash of the bytes; it takes a twentieth of the time that decoding takes.
    """
    framings = Framings(framing, beside, hashed)
    if workers == 0:
        yield from (_frame(framings, photo) for photo in photos)
        return
    rest = iter(photos)
    while True:
        pending: deque[tuple[str, Future[Framed]]] = deque()
        pool = decoders(framings, workers)
        try:
            yield from _through(pool, rest, pending, ahead)
            return
        except BrokenProcessPool:
            pool.shutdown(wait=False, cancel_futures=True)
            while pending:
                yield _alone(framings, pending.popleft()[0])
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _through(
    pool: ProcessPoolExecutor, photos: Iterator[str], pending: deque[tuple[str, Future[Framed]]], ahead: int
) -> Iterator[Framed]:
    """Yield what the pool makes of the photos; ``pending`` holds those that are under way, also when it breaks."""
    for photo in photos:
        # Not the photo yet, but its place in the queue: a pool that is broken refuses it.
        pending.append((photo, Future()))
        pending[-1] = (photo, pool.submit(_frame_here, photo))
        while len(pending) >= ahead:
            yield _first(pending)
    while pending:
        yield _first(pending)


def _first(pending: deque[tuple[str, "Future[Framed]"]]) -> Framed:
    result = pending[0][1].result()
    pending.popleft()
    return result


def _alone(framings: Framings, photo: str) -> Framed:
    with decoders(framings, 1) as pool:
        try:
            return pool.submit(_frame_here, photo).result()
        except BrokenProcessPool:
            return Framed(photo, None, "the process that decoded it died: a crash, or no memory")


def decoders(framings: Framings, workers: int) -> ProcessPoolExecutor:
    """Return processes that decode; they end with this one, and Ctrl-C is not for them."""
    fit_sockets()
    # A plain fork would copy a process in the middle of what its threads (the network's) are doing.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload([__name__])
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_become_decoder, initargs=(framings,))


def _become_decoder(framings: Framings) -> None:
    _FRAMINGS[:] = [framings]
    # Ctrl-C is for the command, which then ends its decoders.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    """End this process when its parent is gone, killed for instance: it would wait for work for ever."""
    connection.wait([sentinel])
    os._exit(1)


def _frame_here(photo: str) -> Framed:
    return _frame(_FRAMINGS[0], photo)


def _frame(framings: Framings, photo: str) -> Framed:
    framing, beside, hashed = framings
    try:
        # Read once: two pictures and a hash of what a file is now, not of what it was and has become.
        file = read_photo(photo)
        pixels = np.asarray(framing.framed(file))
        other = None if beside is None else np.asarray(beside.framed(file))
        return Framed(photo, pixels, beside=other, sha256=file.sha256 if hashed else "")
    except BadPhoto as error:
        return Framed(photo, None, str(error).removeprefix(f"{photo}: "))
