import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from tagger.data.framing import Box, central_square
from tagger.data.photo import BadPhoto
from tagger.data.transforms import EvalTransform, TrainTransform, seeded

ZERO_TO_ONE = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
LEVEL = 1 / 255
"""One step of an 8-bit channel."""


def scenery(width: int, height: int, *, seed: int = 0) -> Image.Image:
    """A picture with detail at every scale: noise of seven octaves, finer ones fainter."""
    rng = np.random.default_rng(seed)
    octaves = [2**power for power in range(1, 8)]
    pixels = np.zeros((height, width, 3), np.float32)
    for cells in octaves:
        coarse = rng.standard_normal((cells, cells, 3)).astype(np.float32) / cells**0.5
        for channel in range(3):
            layer = Image.fromarray(coarse[..., channel]).resize((width, height), Image.Resampling.BICUBIC)
            pixels[..., channel] += np.asarray(layer)
    pixels = (pixels - pixels.mean()) / pixels.std() * 45 + 128
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def jpeg(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "large.jpg"
    scenery(1600, 1200).save(path, quality=90)
    return path


@pytest.fixture(scope="module")
def png(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "large.png"
    scenery(640, 480).save(path)
    return path


def torchvisions(size: int, *, interpolation: str = "bicubic", jitter: float = 0.0) -> v2.Compose:
    """What TrainTransform says it is like."""
    steps: list = [v2.RandomResizedCrop(size, scale=(0.25, 1.0), interpolation=interpolation, antialias=True)]
    steps.append(v2.RandomHorizontalFlip(0.5))
    if jitter:
        steps.append(v2.ColorJitter(jitter, jitter, jitter))
    return v2.Compose([*steps, v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])


def levels(one: Tensor, other: Tensor) -> float:
    """Mean absolute difference in steps of an 8-bit channel."""
    return float((one - other).abs().mean()) / LEVEL


# Against torchvision


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_without_reduced_scale_the_pixels_are_torchvisions(png, interpolation, jitter):
    ours = TrainTransform(size=200, interpolation=interpolation, jitter=jitter, **ZERO_TO_ONE)
    theirs = torchvisions(200, interpolation=interpolation, jitter=jitter)
    for seed in range(10):
        with seeded(seed):
            found = ours(png)
        with seeded(seed):
            expected = theirs(Image.open(png).convert("RGB"))
        # Not 0: at its border ours resamples with the pixels beside the crop, and Pillow rounds between its two passes.
        assert levels(found, expected) < 0.1


@pytest.mark.parametrize("size", [32, 96, 224])
def test_at_reduced_scale_the_pixels_are_torchvisions_within_one_level(jpeg, size):
    ours, theirs = TrainTransform(size=size, **ZERO_TO_ONE), torchvisions(size)
    whole = Image.open(jpeg).convert("RGB")
    differences = []
    for seed in range(10):
        with seeded(seed):
            found = ours(jpeg)
        with seeded(seed):
            expected = theirs(whole)
        differences.append(levels(found, expected))
    assert np.mean(differences) < 1.0
    assert max(differences) < 1.5


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_squash_is_torchvisions_resize(png, interpolation):
    found = EvalTransform(size=96, fit="squash", interpolation=interpolation, **ZERO_TO_ONE)(png)
    resize = v2.Resize((96, 96), interpolation=v2.InterpolationMode(interpolation), antialias=True)
    expected = v2.functional.to_dtype(v2.functional.to_image(resize(Image.open(png))), torch.float32, scale=True)
    # The gap of the reducing resize: 640 pixels to 96 first lose every second one by averaging.
    assert levels(found, expected) < 0.5


def test_crop_is_torchvisions_resize_and_central_crop(png):
    found = EvalTransform(size=96, fit="crop", **ZERO_TO_ONE)(png)
    theirs = v2.Compose([v2.Resize(96, interpolation=v2.InterpolationMode.BICUBIC), v2.CenterCrop(96)])
    expected = v2.functional.to_dtype(v2.functional.to_image(theirs(Image.open(png))), torch.float32, scale=True)
    assert levels(found, expected) < 0.5


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
def test_reduced_scale_evaluates_within_one_level_of_a_full_decode(jpeg, tmp_path, fit):
    lossless = tmp_path / "same.png"
    Image.open(jpeg).save(lossless)
    transform = EvalTransform(size=224, fit=fit, **ZERO_TO_ONE)
    assert levels(transform(jpeg), transform(lossless)) < 1.0


@given(
    width=st.integers(1, 5000),
    height=st.integers(1, 5000),
    seed=st.integers(0, 2**32),
    ratio=st.sampled_from([(3 / 4, 4 / 3), (0.2, 0.3), (4.0, 5.0)]),
)
@settings(max_examples=100, deadline=None)
def test_the_crop_is_torchvisions_draw_and_leaves_the_stream_where_it_does(width, height, seed, ratio):
    transform = TrainTransform(size=8, ratio=ratio)
    with seeded(seed):
        box, after = transform.draw(width, height), torch.rand(1)
    with seeded(seed):
        crop = v2.RandomResizedCrop(8, scale=(0.25, 1.0), ratio=ratio)
        params = crop.make_params([torch.empty(1).expand(3, height, width)])
        expected_after = torch.rand(1)
    assert box == Box(params["left"], params["top"], params["width"], params["height"])
    assert after == expected_after


# What every transform promises


@given(
    shape=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    size=st.integers(1, 64),
    kind=st.sampled_from(["JPEG", "PNG"]),
    fit=st.sampled_from(["squash", "crop", "pad", None]),
    seed=st.integers(0, 2**63 - 1),
)
@settings(max_examples=150, deadline=None)
def test_any_photo_becomes_a_finite_square(shape, size, kind, fit, seed):
    photo = io.BytesIO()
    Image.new("RGB", shape, (100, 100, 100)).save(photo, kind)
    transform = TrainTransform(size=size) if fit is None else EvalTransform(size=size, fit=fit)
    with seeded(seed):
        pixels = transform(photo)
    assert pixels.shape == (3, size, size)
    assert pixels.dtype == torch.float32
    assert pixels.isfinite().all()


def turned_photo(folder: Path, orientation: int) -> Path:
    undo = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = scenery(640, 480)
    stored = stored.transpose(undo[orientation]) if orientation in undo else stored
    path = folder / f"{orientation}.jpg"
    stored.save(path, quality=95, subsampling=0, exif=exif)
    return path


@pytest.mark.parametrize("orientation", [3, 6, 8])
@pytest.mark.parametrize(
    "transform",
    [
        TrainTransform(size=64, **ZERO_TO_ONE),
        *(EvalTransform(size=64, fit=fit, **ZERO_TO_ONE) for fit in ("squash", "crop", "pad")),
    ],
)
def test_a_turned_photo_gives_what_the_upright_one_gives(tmp_path, orientation, transform):
    with seeded(3):
        upright = transform(turned_photo(tmp_path, 1))
    with seeded(3):
        turned = transform(turned_photo(tmp_path, orientation))
    assert levels(turned, upright) < 1.0


def test_pixels_are_normalised(tmp_path):
    Image.new("RGB", (40, 30), (255, 51, 0)).save(tmp_path / "plain.png")
    pixels = EvalTransform(size=8, mean=(0.5, 0.2, 0.1), std=(0.25, 0.5, 0.1))(tmp_path / "plain.png")
    torch.testing.assert_close(pixels[:, 4, 4], torch.tensor([2.0, 0.0, -1.0]))


def test_pad_shows_all_of_the_photo_between_bars_that_are_zero(tmp_path):
    Image.new("RGB", (400, 100), "white").save(tmp_path / "wide.png")
    pixels = EvalTransform(size=8, fit="pad", mean=(0.4, 0.2, 0.6))(tmp_path / "wide.png")
    torch.testing.assert_close(pixels[:, 0:3], torch.zeros(3, 3, 8), atol=2 * LEVEL, rtol=0)
    torch.testing.assert_close(pixels[:, 5:8], torch.zeros(3, 3, 8), atol=2 * LEVEL, rtol=0)
    torch.testing.assert_close(pixels[0, 3:5], torch.full((2, 8), 1.2))


def test_crop_shows_the_central_square(tmp_path):
    photo = Image.new("RGB", (300, 100), "black")
    photo.paste((255, 255, 255), (100, 0, 200, 100))
    photo.save(tmp_path / "flag.png")
    assert central_square(300, 100) == Box(100, 0, 100, 100)
    assert EvalTransform(size=10, fit="crop", **ZERO_TO_ONE)(tmp_path / "flag.png")[:, :, 1:-1].min() == 1


def test_flip_mirrors_always_or_never(tmp_path):
    photo = scenery(64, 64)
    photo.save(tmp_path / "photo.png")
    whole = {"size": 64, "scale": (1.0, 1.0), "ratio": (1.0, 1.0), **ZERO_TO_ONE}
    plain = TrainTransform(flip=0.0, **whole)(tmp_path / "photo.png")
    mirrored = TrainTransform(flip=1.0, **whole)(tmp_path / "photo.png")
    assert torch.equal(mirrored, plain.flip(2))


def test_a_photo_above_the_limit_or_damaged_is_a_bad_photo(jpeg, tmp_path):
    with pytest.raises(BadPhoto, match="more than max_pixels=1,000"):
        EvalTransform(size=8, max_pixels=1000)(jpeg)
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(jpeg.read_bytes()[:-1000])
    for transform in (EvalTransform(size=8), TrainTransform(size=8)):
        with pytest.raises(BadPhoto, match=r"cut\.jpg: truncated"):
            transform(cut)


# Randomness


def test_the_seed_alone_decides_what_is_seen(png):
    transform = TrainTransform(size=32, jitter=0.2)
    seen = []
    for before, seed in [(0, 5), (1, 5), (2, 6)]:
        torch.manual_seed(before)
        with seeded(seed):
            seen.append(transform(png))
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_seeded_leaves_the_stream_as_it_was_also_after_an_error():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = torch.rand(1)
    with pytest.raises(BadPhoto), seeded(2):
        torch.randn(5)
        raise BadPhoto("a.jpg: truncated")
    assert torch.equal(torch.cat([first, torch.rand(2)]), expected)


def test_seeded_draws_what_torch_draws_from_that_seed():
    with seeded(2**63 - 1):
        found = torch.rand(3)
    assert torch.equal(found, torch.rand(3, generator=torch.Generator().manual_seed(2**63 - 1)))


# Settings


@pytest.mark.parametrize(
    "transform",
    [
        TrainTransform(size=32, scale=(0.5, 0.9), jitter=0.1),
        EvalTransform(size=32, fit="pad", interpolation="bilinear"),
    ],
)
def test_a_transform_is_rebuilt_from_its_recipe_and_survives_a_trip_to_a_worker(transform, tmp_path):
    path = tmp_path / "recipe.pt"
    torch.save(transform.recipe(), path)
    assert type(transform)(**torch.load(path, weights_only=True)) == transform
    assert type(transform)(**json.loads(json.dumps(transform.recipe()))) == transform
    assert pickle.loads(pickle.dumps(transform)) == transform


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EvalTransform(size=0), "size must be at least 1, got 0"),
        (lambda: EvalTransform(size=8, fit="stretch"), "fit must be squash, crop or pad, got 'stretch'"),
        (
            lambda: EvalTransform(size=8, interpolation="cubic"),
            "interpolation must be bicubic or bilinear, got 'cubic'",
        ),
        (lambda: EvalTransform(size=8, mean=(0.5,)), r"mean must be three numbers, got \(0\.5,\)"),
        (lambda: EvalTransform(size=8, std=(1, 1, 0)), r"std must be three numbers above 0, got \(1, 1, 0\)"),
        (lambda: TrainTransform(size=8, scale=(0.5, 0.2)), r"scale must be rising, in \(0, 1\], got \(0\.5, 0\.2\)"),
        (lambda: TrainTransform(size=8, ratio=(0, 1)), r"ratio must be rising and above 0, got \(0, 1\)"),
        (lambda: TrainTransform(size=8, flip=2), r"flip must be in \[0, 1\], got 2"),
        (lambda: TrainTransform(size=8, jitter=-1), r"jitter must be in \[0, 1\], got -1"),
    ],
)
def test_a_setting_outside_its_range_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_misspelled_setting_is_refused():
    with pytest.raises(TypeError, match="jiter"):
        TrainTransform(size=8, jiter=0.1)
