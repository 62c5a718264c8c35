import io
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tagger.data import duplicates as module
from tagger.data.duplicates import (
    ALIKE,
    ALONE,
    AT_LEAST,
    BYTES,
    CLOSE,
    CROWD,
    EARLIER_BYTES,
    SAME,
    WINDOW,
    Distance,
    as_rows,
    duplicates,
    fingerprint,
    groups,
    near_pairs,
    within,
)
from tagger.data.photo import decode, open_photo

KEPT = (
    "a80055275f3d5e3da800002f55ff2fff5fe03fa05f003d077a0f343f783c747068f070e171c373874904236e"
    "203b74595374af6b6f04537d206b7c59837eaf9b7404837c209b7e59b37dafcb7704b37d20cb7d59de7eaf98"
)
"""The fingerprint of a small computed picture, as it was when this was written."""


def prints_at_random(photos: int, seed: int = 0) -> np.ndarray:
    prints = np.random.default_rng(seed).integers(0, 256, (photos, BYTES), dtype=np.uint8)
    # Without thumbnails, by which edited copies are found: those have tests of their own.
    prints[:, EARLIER_BYTES:] = 0
    return prints


def flipped(print_: np.ndarray, *, coarse: int = 0, fine: int = 0, colour: int = 0, seed: int = 0) -> np.ndarray:
    """Return a fingerprint that is exactly so far away; colour counts steps, of which 48 are 1 on average."""
    dice = np.random.default_rng(seed)
    bits = np.unpackbits(print_[:40])
    bits[dice.choice(64, coarse, replace=False)] ^= 1
    bits[64 + dice.choice(256, fine, replace=False)] ^= 1
    colours = print_[40:].astype(int)
    fields = np.arange(colour) % 48
    np.add.at(colours, fields, np.where(colours[fields] < 128, 1, -1))
    return np.concatenate([np.packbits(bits), colours.astype(np.uint8)])


def near_by_definition(prints: np.ndarray, distance: Distance) -> set[tuple[int, int]]:
    """Return all near pairs, from all pairs."""
    bits = np.unpackbits(prints[:, :40], axis=1).astype(np.float32)
    near = np.triu(np.ones((len(prints), len(prints)), dtype=bool), k=1)
    for part, limit in ((bits[:, :64], distance.coarse), (bits[:, 64:], distance.fine)):
        # Bits that are set here or there, less those that are set in both.
        near &= part.sum(axis=1)[:, None] + part.sum(axis=1) - 2 * part @ part.T <= limit
    colours = prints[:, 40:EARLIER_BYTES].astype(int)
    return {
        (first, second)
        for first, second in np.argwhere(near).tolist()
        if np.abs(colours[first] - colours[second]).sum() <= 48 * distance.colour
    }


def as_set(pairs: np.ndarray) -> set[tuple[int, int]]:
    return {(first, second) for first, second in pairs.tolist()}


def picture(seed: int = 0, width: int = 480, height: int = 320) -> Image.Image:
    """Return something like a photo: much in low frequencies, a little in high ones."""
    dice = np.random.default_rng(seed)
    layers = [
        Image.fromarray(dice.integers(0, 256, (rows, rows, 3), dtype=np.uint8)).resize((width, height), 3)
        for rows in (4, 10, 30)
    ]
    return Image.blend(Image.blend(layers[0], layers[1], 0.4), layers[2], 0.2)


def print_of(photo: Image.Image, kind: str = "JPEG", **settings: int) -> np.ndarray:
    """Return the fingerprint of the photo as a file."""
    file = io.BytesIO()
    photo.save(file, kind, **settings)
    with open_photo(file) as opened:
        return np.frombuffer(fingerprint(decode(opened, at_least=AT_LEAST)), dtype=np.uint8)


def scaled(photo: Image.Image, factor: float) -> Image.Image:
    return photo.resize((round(photo.width * factor), round(photo.height * factor)), Image.Resampling.LANCZOS)


def copies(photo: Image.Image) -> dict[str, np.ndarray]:
    """Return the fingerprints of what happens to a photo between two sources."""
    return {
        "JPEG 75": print_of(photo, quality=75),
        "JPEG 40": print_of(photo, quality=40),
        "half": print_of(scaled(photo, 0.5), quality=88),
        "80 %": print_of(scaled(photo, 0.8), quality=88),
        "PNG": print_of(photo, "PNG"),
        "WebP": print_of(photo, "WEBP", quality=80),
    }


# Pictures


def test_a_fingerprint_has_a_fixed_length_and_the_same_bits_every_time():
    assert len(fingerprint(picture())) == BYTES
    assert fingerprint(picture()) == fingerprint(picture())
    assert len(fingerprint(Image.new("RGB", (1, 1)))) == BYTES


def test_fingerprints_that_were_kept_fit_those_made_now():
    # Made with ImageHash 4.3.2 and Pillow 13: a version that makes others must not be mixed with catalogs that exist.
    columns, rows = np.meshgrid(np.arange(96), np.arange(64))
    pixels = np.stack([columns * rows % 251, columns**2 // 40 % 256, (3 * rows + columns) % 256], axis=2)
    now = np.frombuffer(fingerprint(Image.fromarray(pixels.astype(np.uint8))), dtype=np.uint8)
    (kept,) = as_rows([bytes.fromhex(KEPT)])
    assert within(np.stack([kept, now]), np.array([[0, 1]]), distance=Distance(coarse=2, fine=4, colour=1.0)).all()


@pytest.mark.parametrize("seed", range(5))
def test_copies_of_a_picture_are_the_same_photo(seed):
    photo = picture(seed)
    found = duplicates(np.stack([print_of(photo, quality=92), *copies(photo).values()]))
    assert found.same.tolist() == [0] * 7
    assert found.alike.tolist() == [0] * 7


def test_other_pictures_are_alone():
    found = duplicates(np.stack([print_of(picture(seed)) for seed in range(50)]))
    assert set(found.same) == set(found.alike) == {ALONE}


def test_a_copy_without_colour_is_another_photo():
    photo = picture()
    both = np.stack([print_of(photo, "PNG"), print_of(photo.convert("L").convert("RGB"), "PNG")])
    assert near_pairs(both, distance=Distance(coarse=0, fine=0, colour=255)).tolist() == [[0, 1]]
    assert near_pairs(both, distance=ALIKE).tolist() == []


@pytest.mark.parametrize("noise", [0, 1])
def test_blank_photos_are_the_same_only_if_equal(noise):
    dice = np.random.default_rng(0)
    prints = []
    for value in (0, 1, 100, 100, 255):
        pixels = np.full((128, 128, 3), value) + noise * dice.integers(-1, 2, (128, 128, 3))
        prints.append(np.frombuffer(fingerprint(Image.fromarray(pixels.clip(0, 255).astype(np.uint8))), dtype=np.uint8))
    prints = np.stack(prints)
    assert not prints[:, :40].any()
    # The colours are means of many pixels: the noise is gone from them too, except where it is cut off at 0 and 255.
    assert near_pairs(prints, distance=ALIKE).tolist() == [[2, 3]]


# The search


@given(
    seed=st.integers(0, 2**32),
    flips=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 20), st.integers(0, 200)), max_size=20),
    distance=st.builds(Distance, coarse=st.integers(0, 9), fine=st.integers(0, 20), colour=st.integers(0, 4)),
)
@example(seed=0, flips=[], distance=Distance(coarse=8, fine=0, colour=0))
def test_the_search_finds_what_comparing_all_pairs_finds(seed, flips, distance):
    prints = prints_at_random(3, seed)
    for number, (coarse, fine, colour) in enumerate(flips):
        # From any of those before, so that there are chains.
        origin = prints[(seed + number) % len(prints)]
        prints = np.vstack([prints, flipped(origin, coarse=coarse, fine=fine, colour=colour, seed=seed + number)])
    prints = np.unique(prints, axis=0)
    assert as_set(near_pairs(prints, distance=distance)) == near_by_definition(prints, distance)


@pytest.mark.parametrize("distance", [SAME, ALIKE, CLOSE])
def test_photos_at_the_very_distance_are_near_and_one_step_further_are_not(distance):
    steps = int(48 * distance.colour)
    at = {"coarse": distance.coarse, "fine": distance.fine, "colour": steps}
    for seed, origin in enumerate(prints_at_random(50)):
        near = np.stack([origin, flipped(origin, **at, seed=seed)])
        assert near_pairs(near, distance=distance).tolist() == [[0, 1]]
        for what, most in at.items():
            far = np.stack([origin, flipped(origin, **at | {what: most + 1}, seed=seed)])
            assert near_pairs(far, distance=distance).tolist() == []


def test_among_3000_photos_of_few_kinds_the_search_finds_what_comparing_all_pairs_finds():
    kinds = prints_at_random(150)
    prints = np.stack(
        [flipped(kinds[photo % 150], coarse=photo % 9, fine=photo % 41, seed=photo) for photo in range(3000)]
    )
    expected = near_by_definition(prints, ALIKE)
    assert len(expected) > 1000
    assert as_set(near_pairs(prints, distance=ALIKE)) == expected


def test_pairs_are_ordered():
    prints = prints_at_random(40)
    prints[20:] = prints[:20][::-1]
    pairs = near_pairs(prints, distance=SAME)
    assert pairs.dtype == np.int64
    assert pairs.tolist() == [[row, 39 - row] for row in range(20)]


def test_no_photo_and_one_photo_have_no_pairs():
    for photos in (0, 1):
        prints = prints_at_random(photos)
        assert near_pairs(prints, distance=ALIKE).shape == (0, 2)
        assert duplicates(prints).same.tolist() == duplicates(prints).alike.tolist() == [ALONE] * photos


@pytest.mark.parametrize("prints", [np.zeros((3, 8), np.uint8), np.zeros((3, BYTES), np.int64), np.zeros(88, np.uint8)])
def test_what_is_no_fingerprint_is_refused(prints):
    with pytest.raises(ValueError, match=r"must be uint8 \(photos, 344\), got"):
        near_pairs(prints, distance=SAME)


def test_a_search_that_would_not_end_is_refused():
    with pytest.raises(ValueError, match=r"coarse must lie in 0\.\.16, got 17"):
        Distance(coarse=17, fine=0, colour=0)


# What could explode


@pytest.mark.parametrize("print_", [np.zeros(BYTES, np.uint8), prints_at_random(1)[0]])
def test_equal_photos_are_paired_with_the_first_and_not_each_with_each(print_):
    prints = np.concatenate([np.tile(print_, (50_000, 1)), prints_at_random(100, seed=1)])
    found = duplicates(prints)
    assert len(near_pairs(prints, distance=ALIKE)) == 49_999
    assert found.same.tolist() == found.alike.tolist() == [0] * 50_000 + [ALONE] * 100


def test_photos_that_agree_on_all_that_is_sorted_are_compared_with_few(monkeypatch):
    prints = prints_at_random(3_000)
    prints[:, :8] = prints[0, :8]
    compared = []
    real = module.within

    def counted(fingerprints, pairs, *, distance):
        compared.append(len(pairs))
        return real(fingerprints, pairs, distance=distance)

    monkeypatch.setattr(module, "within", counted)
    assert near_pairs(prints, distance=SAME).tolist() == []
    assert 3_000 <= sum(compared) <= 3_000 * WINDOW


def form(photos: int, *, fine: int) -> np.ndarray:
    """Return fingerprints of which all are alike: two differ in up to twice as many of the 256 bits."""
    origin = prints_at_random(1, seed=5)[0]
    return np.stack([flipped(origin, fine=fine, seed=photo) for photo in range(photos)])


def test_a_burst_is_a_group():
    assert duplicates(form(CROWD, fine=30)).alike.tolist() == [0] * CROWD


def test_a_crowd_of_photos_that_are_alike_falls_apart():
    prints = form(2 * CROWD, fine=30)
    # All pairs are that near, and would be too many to keep for a crowd of 100,000.
    assert near_pairs(prints, distance=ALIKE).tolist() == []
    assert set(duplicates(prints).alike) == {ALONE}


@pytest.mark.parametrize("photos", [2 * CROWD, 3 * WINDOW])
def test_in_a_crowd_copies_are_found_and_what_is_close(photos):
    prints = form(photos, fine=30)
    for row in range(20):
        prints[row + 20] = flipped(prints[row], coarse=SAME.coarse, fine=SAME.fine, seed=row)
        prints[row + 40] = flipped(prints[row], fine=CLOSE.fine, seed=row)
    found = duplicates(prints)
    assert found.same.tolist() == [*range(20), *range(20), *[ALONE] * (photos - 40)]
    assert found.alike.tolist() == [*range(20), *range(20), *range(20), *[ALONE] * (photos - 60)]


def test_a_long_chain_of_photos_that_are_alike_falls_apart():
    chain = [prints_at_random(1)[0]]
    for link in range(CROWD):
        chain.append(flipped(chain[-1], fine=60, seed=link))
    assert duplicates(np.stack(chain[:-1])).alike.tolist() == [0] * CROWD
    assert duplicates(np.stack(chain)).alike.tolist() == [ALONE] * (CROWD + 1)


def test_a_photo_that_was_copied_more_often_than_a_burst_has_frames_is_still_one_photo():
    prints = np.stack([flipped(prints_at_random(1)[0], fine=photo % 6, seed=photo) for photo in range(3 * CROWD)])
    found = duplicates(prints)
    assert set(found.same) == set(found.alike) == {0}


# Groups


@given(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_photos_share_a_group_exactly_if_pairs_lead_from_one_to_the_other(links):
    pairs = np.array([link for link in links if link[0] != link[1]], dtype=np.int64).reshape(-1, 2)
    reaches = np.eye(30, dtype=bool)
    reaches[pairs[:, 0], pairs[:, 1]] = reaches[pairs[:, 1], pairs[:, 0]] = True
    for _ in range(5):
        reaches = (reaches.astype(int) @ reaches) > 0
    # The lowest row that a photo reaches; nothing but itself: alone.
    expected = np.where(reaches.sum(axis=1) == 1, ALONE, reaches.argmax(axis=1))
    assert groups(pairs, 30).tolist() == expected.tolist()


def test_the_thresholds_contain_each_other():
    for inner, outer in ((SAME, CLOSE), (CLOSE, ALIKE)):
        assert (inner.coarse, inner.fine, inner.colour) <= (outer.coarse, outer.fine, outer.colour)
        assert inner.fine < outer.fine
        assert inner.colour < outer.colour


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(0, 8), st.integers(0, 72)), min_size=1, max_size=80))
def test_one_photo_is_never_in_two_groups_of_alike_photos(seed, flips):
    origin = prints_at_random(1, seed)[0]
    prints = np.stack([flipped(origin, coarse=c, fine=f, seed=row) for row, (c, f) in enumerate(flips)])
    found = duplicates(prints)
    for group in set(found.same.tolist()) - {ALONE}:
        (alike,) = set(found.alike[found.same == group].tolist())
        assert alike != ALONE


def test_groups_keep_their_numbers_when_photos_are_added():
    prints = prints_at_random(60)
    prints[30:40] = prints[10:20]
    before = duplicates(prints)
    after = duplicates(np.concatenate([prints, prints[35:45], prints_at_random(5, seed=1)]))
    grouped = before.same != ALONE
    assert (after.same[:60][grouped] == before.same[grouped]).all()
    assert after.same[60:].tolist() == [15, 16, 17, 18, 19, 40, 41, 42, 43, 44, *[ALONE] * 5]


# Real photos, real numbers


def test_copies_of_real_photos_are_found_and_nothing_else_is(real_photos):
    files = sorted(real_photos.rglob("*.jpg"))[::150]
    photos = [decode(open_photo(file)) for file in files]
    prints = np.stack([print_of(photo, quality=92) for photo in photos])
    every = [copies(photo) for photo in photos]
    found = duplicates(np.concatenate([prints, *(np.stack([of[kind] for of in every]) for kind in every[0])]))
    itself = np.arange(len(files))
    assert len(files) > 50
    for number, kind in enumerate(every[0], start=1):
        part = found.same[number * len(files) : (number + 1) * len(files)]
        assert (part == itself).all(), f"{kind}: {[files[row].name for row in np.flatnonzero(part != itself)]}"


@pytest.mark.slow
def test_of_9000_real_photos_none_are_the_same_and_few_are_alike(real_photos):
    files = sorted(real_photos.rglob("*.jpg"))
    prints = np.stack(
        [np.frombuffer(fingerprint(decode(open_photo(file), at_least=AT_LEAST)), dtype=np.uint8) for file in files]
    )
    found = duplicates(prints)
    assert set(found.same) == {ALONE}
    names = np.array([file.stem for file in files])
    # A tiger, and the same tiger a moment later.
    tiger = found.alike[names == "108015"]
    assert names[found.alike == tiger].tolist() == ["108015", "108041"]
    assert np.bincount(found.alike[found.alike != ALONE]).max() == 3
    # Twelve groups; looked at: eleven show one scene, and two are aeroplanes in the same sky.
    assert (found.alike != ALONE).sum() == 25


@pytest.mark.slow
def test_200000_photos_are_searched_in_a_minute_and_every_planted_pair_is_found():
    prints = prints_at_random(200_000)
    for row in range(2_000):
        prints[100_000 + row] = flipped(prints[row], coarse=8, fine=72, colour=700, seed=row)
    start = time.perf_counter()
    pairs = near_pairs(prints, distance=ALIKE)
    assert time.perf_counter() - start < 60
    assert pairs.tolist() == [[row, 100_000 + row] for row in range(2_000)]
