"""Of a photo the page gets id, picture and pixels, or a reason; what a photo does to its decoder costs that photo."""

import asyncio
import hashlib
import io
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tagger.data.framing import StillFraming
from tagger.data.inspection import inspect
from tagger.errors import UserError
from tagger.tags.detector.picture import Undistorted
from tagger.tags.serving.folder import Root
from tagger.tags.serving.reading import SIDE, Reading, from_answer, to_answer
from tagger.tags.serving.workers import Workers

FRAMING = StillFraming(size=16, fit="pad", max_pixels=1_000_000)
READING = Reading(FRAMING, None, max_bytes=10**6)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Deadly(StillFraming):
    """A decoder that one photo crashes, and that never comes to an end with another, as bugs in a library would."""

    def picture(self, photo: Image.Image) -> Image.Image:
        if photo.size == (7, 7):
            os.kill(os.getpid(), signal.SIGSEGV)
        if photo.size == (8, 8):
            signal.pause()
        if photo.size == (9, 9):
            np.zeros(2**33, np.uint8)
        return super().picture(photo)


def png(size: tuple[int, int] = (900, 600)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(file, "PNG")
    return file.getvalue()


def working(reading: Reading, do: Callable[[Workers], Awaitable[T]], *, seconds: float = 20, count: int = 2) -> T:
    """Do something with workers, and end them."""

    async def doing() -> T:
        workers = Workers(reading, count=count, seconds=seconds)
        try:
            return await do(workers)
        finally:
            processes = [worker.process for worker in workers.all if worker.process]
            await workers.close()
            assert all(process.returncode is not None for process in processes)

    return asyncio.run(doing())


def test_a_photo_has_the_id_that_the_catalog_gives_it(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(png())
    sha256 = inspect(pa.array(["a.png"]), tmp_path, workers=0)["sha256"][0].as_py()
    assert READING.photo(png()).photo_id == sha256[:32]
    assert sha256 == hashlib.sha256(png()).hexdigest()


def test_the_picture_is_small_and_the_pixels_are_what_the_network_sees():
    read = from_answer(to_answer(Reading(FRAMING, Undistorted(long_side=32), max_bytes=10**6).photo(png())))
    assert Image.open(io.BytesIO(read.picture)).size == (SIDE, round(SIDE * 2 / 3))
    assert read.pixels is not None
    assert read.beside is not None
    assert np.array_equal(read.pixels, np.asarray(FRAMING.framed(io.BytesIO(png()))))
    assert read.beside.shape == (21, 32, 3)


@pytest.mark.parametrize(
    ("photo", "error"),
    [
        (b"no photo", "not an image"),
        (b"", "empty file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image but a PostScript program"),
        (b"PK\x03\x04" + bytes(100), "not an image"),
        (png()[:-30], "truncated"),
        (png((1500, 1000)), "1,500,000 pixels, more than max_pixels=1,000,000"),
        (bytes(10**6 + 1), "more than the 1 MB allowed here"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value[:12]),
)
def test_what_cannot_be_shown_has_its_reason(photo: bytes, error: str):
    read = READING.photo(photo)
    assert read.error == error
    assert read.pixels is None
    assert from_answer(to_answer(read)).error == error


@pytest.mark.slow
def test_a_photo_that_kills_its_decoder_or_wants_all_memory_costs_only_itself():
    photos = [png(size) for size in ((20, 10), (7, 7), (20, 10), (9, 9), (30, 10), (7, 7))]

    async def read(workers: Workers) -> list[str]:
        return [photo.error for photo in await asyncio.gather(*map(workers.read, photos))]

    died, greedy = "the process that decoded it died: a crash, or no memory", "it takes more than 4 GiB of memory"
    assert working(Reading(Deadly(size=4), None, max_bytes=10**6), read) == ["", died, "", greedy, "", died]


@pytest.mark.slow
def test_a_photo_that_never_comes_to_an_end_holds_up_nobody_and_is_given_up():
    async def read(workers: Workers) -> None:
        await asyncio.gather(workers.read(png((20, 10))), workers.read(png((20, 10))))
        stuck = asyncio.create_task(workers.read(png((8, 8))))
        await asyncio.sleep(0.1)
        started = time.monotonic()
        assert (await workers.read(png((20, 10)))).error == ""
        assert time.monotonic() - started < 1
        assert (await stuck).error == "given up after 6 seconds"
        assert (await workers.read(png((30, 10)))).error == ""

    working(Reading(Deadly(size=4), None, max_bytes=10**6), read, seconds=6)


@pytest.mark.slow
def test_a_folder_is_looked_through_elsewhere_and_what_is_not_there_is_said(tmp_path: Path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.png").write_bytes(png())

    async def look(workers: Workers) -> None:
        (path,) = await workers.folder("", limit=9)
        assert path == str(tmp_path / "root" / "a.png")
        assert (await workers.read(path)).photo_id == READING.photo(png()).photo_id
        with pytest.raises(UserError, match="there is no folder"):
            await workers.folder("..", limit=9)
        assert "not in the folder" in (await workers.read(str(tmp_path / "secret.png"))).error

    working(Reading(FRAMING, None, max_bytes=10**6, root=Root(tmp_path / "root")), look)


@pytest.mark.slow
def test_a_worker_whose_server_was_killed_ends():
    async def orphan(workers: Workers) -> int | None:
        await workers.start()
        process = workers.all[-1].process
        assert process
        assert process.stdin
        process.stdin.close()
        return await asyncio.wait_for(process.wait(), 10)

    assert working(READING, orphan) == 0
