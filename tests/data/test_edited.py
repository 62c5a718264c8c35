"""Edited copies: mirrored, turned, brighter, cropped, and what only looks a little like one."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from tagger.data.duplicates import ALONE, EARLIER_BYTES, as_rows, duplicates, fingerprint
from tagger.data.edited import CROWD, edited_copies

Edit = Callable[[Image.Image], Image.Image]
TURN = Image.Transpose


def picture(seed: int, width: int = 240, height: int = 160) -> Image.Image:
    """Return something like a photo: much in low frequencies, a little in high ones."""
    dice = np.random.default_rng(seed)
    layers = [
        Image.fromarray(dice.integers(0, 256, (rows, rows, 3), dtype=np.uint8)).resize((width, height), 3)
        for rows in (4, 10, 30)
    ]
    return Image.blend(Image.blend(layers[0], layers[1], 0.4), layers[2], 0.2)


def brighter(photo: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(photo).enhance(1.25)


def cropped(left: float, top: float, right: float, bottom: float) -> Edit:
    def crop(photo: Image.Image) -> Image.Image:
        width, height = photo.size
        box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
        return photo.crop(tuple(round(side) for side in box))  # type: ignore[arg-type]

    return crop


def turned(how: TURN) -> Edit:
    return lambda photo: photo.transpose(how)


EDITS: dict[str, Edit] = {
    **{how.name.lower(): turned(how) for how in TURN},
    "brighter": brighter,
    "darker": lambda photo: ImageEnhance.Brightness(photo).enhance(0.75),
    "cropped by 4 %": cropped(0.04, 0.04, 0.04, 0.04),
    "cropped by 8 %": cropped(0.08, 0.08, 0.08, 0.08),
    "cropped at the left": cropped(0.08, 0, 0, 0),
    "cropped at the top": cropped(0, 0.08, 0, 0),
    "cropped at a corner": cropped(0.08, 0, 0, 0.08),
    "mirrored and brighter": lambda photo: brighter(photo.transpose(TURN.FLIP_LEFT_RIGHT)),
    "turned and cropped": lambda photo: cropped(0.08, 0.08, 0.08, 0.08)(photo.transpose(TURN.ROTATE_90)),
    "without colour": lambda photo: photo.convert("L").convert("RGB"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edited_copy_is_alike_and_another_photo_than_the_original(edit: Edit):
    photos = [picture(seed) for seed in range(12)]
    found = duplicates(as_rows([fingerprint(one) for one in (*photos, *map(edit, photos))]))
    assert found.alike.tolist() == [*range(12), *range(12)]
    upright = edit in (EDITS["brighter"], EDITS["darker"], EDITS["without colour"])
    assert upright or set(found.same.tolist()) == {ALONE}, "a mirrored or cropped photo must not inherit annotations"


def test_pictures_that_are_no_copies_are_alone():
    found = duplicates(as_rows([fingerprint(picture(seed)) for seed in range(80)]))
    assert set(found.alike.tolist()) == {ALONE}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(list(TURN)), st.booleans()), min_size=1, max_size=12))
def test_photos_share_a_group_exactly_if_they_are_copies_of_one(made: list[tuple[int, TURN, bool]]):
    prints = [
        fingerprint((brighter if bright else Image.Image.copy)(picture(seed)).transpose(how))
        for seed, how, bright in made
    ]
    seeds = [seed for seed, _, _ in made]
    expected = [seeds.index(seed) if seeds.count(seed) > 1 else ALONE for seed in seeds]
    assert duplicates(as_rows(prints)).alike.tolist() == expected


def test_a_fingerprint_of_an_earlier_version_finds_its_copy_as_it_is():
    whole = [fingerprint(picture(seed)) for seed in range(3)]
    found = duplicates(as_rows([*(one[:EARLIER_BYTES] for one in whole), *whole]))
    assert found.alike.tolist() == found.same.tolist() == [0, 1, 2, 0, 1, 2]


def test_what_is_no_fingerprint_is_named():
    with pytest.raises(ValueError, match="has 344 bytes, or 88 from an earlier version; got 5"):
        as_rows([b"hello"])


def test_a_form_of_which_there_are_many_is_no_copy():
    thumbnails = np.tile(np.random.default_rng(0).integers(0, 256, (1, 256), dtype=np.uint8), (CROWD + 2, 1))
    colours = np.full((len(thumbnails), 48), 99, dtype=np.uint8)
    assert edited_copies(thumbnails, colours).tolist() == []
    assert len(edited_copies(thumbnails[:4], colours[:4])) == 6
