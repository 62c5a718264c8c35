import os
import signal
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tagger.data.decoding import framed
from tagger.data.framing import StillFraming


@dataclass(frozen=True, kw_only=True)
class Deadly(StillFraming):
    """A decoder that dies of one photo, as a bug in a library would have it."""

    def picture(self, photo):
        if photo.size == (7, 7):
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().picture(photo)


def photo(folder: Path, number: int, size: tuple[int, int] = (20, 10)) -> str:
    Image.new("RGB", size, (number, 0, 0)).save(folder / f"{number}.png")
    return str(folder / f"{number}.png")


@pytest.mark.parametrize("workers", [0, 2])
def test_photos_come_in_their_order_and_bad_ones_with_their_reason(tmp_path, workers):
    photos = [photo(tmp_path, number) for number in range(9)]
    (tmp_path / "4.png").write_bytes(b"no photo")
    (tmp_path / "5.png").unlink()
    results = list(framed(photos, StillFraming(size=4), workers=workers, ahead=3))
    assert [result.photo for result in results] == photos
    assert {result.photo: result.error for result in results if result.error} == {
        photos[4]: "not an image",
        photos[5]: "missing",
    }
    for number, result in enumerate(results):
        if number not in (4, 5):
            assert result.pixels is not None
            assert np.array_equal(result.pixels, np.full((4, 4, 3), [number, 0, 0]))


def test_photos_are_asked_for_as_they_are_needed(tmp_path):
    asked = []

    def endless():
        for number in count():
            asked.append(number)
            yield photo(tmp_path, number % 5)

    results = framed(endless(), StillFraming(size=4), workers=1, ahead=6)
    assert len(list(islice(results, 10))) == 10
    results.close()
    assert len(asked) <= 10 + 6


def test_a_photo_that_kills_its_decoder_costs_no_other_photo(tmp_path):
    photos = [photo(tmp_path, number, (7, 7) if number in (3, 11) else (20, 10)) for number in range(16)]
    results = list(framed(photos, Deadly(size=4), workers=2, ahead=4))
    assert [result.photo for result in results] == photos
    assert [number for number, result in enumerate(results) if result.error] == [3, 11]
    assert "died" in results[3].error
