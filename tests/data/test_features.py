"""Cached features: what the backbone gives, computed once, and never half."""

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tagger.data.catalog import Catalog
from tagger.data.datamodule import PhotoData
from tagger.data.dataset import draw_seed
from tagger.data.features import VIEW_SEED, cached_views
from tagger.data.photo import BadPhoto
from tagger.data.transforms import EvalTransform, TrainTransform, seeded
from tagger.model.weights import build_backbone

PLAIN, AUGMENTED = EvalTransform(size=16), TrainTransform(size=16)


class Backbone(nn.Module):
    """Pixels to six features; it counts how often it is called."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.kernel = nn.Conv2d(3, 6, 16)
        self.norm = nn.BatchNorm2d(6)
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        return self.norm(self.kernel(images)).flatten(1)


@pytest.fixture
def catalog(colours: Callable[..., Path], photo_data: Callable[..., PhotoData]) -> Catalog:
    return photo_data(colours(40)).catalog


@pytest.fixture
def views(tmp_path: Path, catalog: Catalog) -> Callable[..., list[np.ndarray]]:
    def make(backbone: nn.Module, *transforms: Any, catalog: Catalog = catalog, workers: int = 0) -> list[np.ndarray]:
        first, *others = transforms
        shared = {"cache": tmp_path, "workers": workers, "device": torch.device("cpu")}
        return [np.array(view) for view in cached_views(backbone, catalog, first, others, **shared)]

    return make


def arrays(tmp_path: Path) -> list[Path]:
    """The augmented views; the plain one is in the store of embeddings."""
    return sorted((tmp_path / "features").glob("*.npy"))


def test_they_are_what_the_backbone_gives_for_the_plain_photo(catalog: Catalog, views: Callable[..., list[np.ndarray]]):
    torch.manual_seed(0)
    backbone, width = build_backbone("test_efficientnet", weights=None)
    (found,) = views(backbone.train(), PLAIN)
    assert found.dtype == np.float16
    assert found.shape == (40, width)
    with torch.no_grad():
        photos = torch.stack([PLAIN(Path(catalog.roots[0]) / path.as_py()) for path in catalog.photos["path"]])
        expected = backbone.eval()(photos).numpy()
    # float16 keeps eleven bits; the layout in memory changes the last bits of float32.
    np.testing.assert_allclose(found, expected, rtol=2**-10, atol=1e-5)


def test_the_further_views_are_augmented_by_their_number(catalog: Catalog, views: Callable[..., list[np.ndarray]]):
    backbone = Backbone()
    plain, first, second = views(backbone, PLAIN, AUGMENTED, AUGMENTED)
    assert (plain != first).any() and (first != second).any()
    for number, view in ((1, first), (2, second)):
        with seeded(draw_seed(VIEW_SEED, number * 40 + 7)), torch.no_grad():
            photo = AUGMENTED(Path(catalog.roots[0]) / "images" / "007.png")
            np.testing.assert_allclose(view[7], backbone(photo[None])[0].numpy(), rtol=2**-10, atol=1e-5)


def test_the_second_time_neither_backbone_nor_photos_are_needed(
    catalog: Catalog, views: Callable[..., list[np.ndarray]]
):
    backbone = Backbone()
    first = views(backbone, PLAIN, AUGMENTED)
    calls = backbone.calls
    for photo in (Path(catalog.roots[0]) / "images").iterdir():
        photo.unlink()
    second = views(backbone, PLAIN, AUGMENTED)
    assert backbone.calls == calls == 4, "two batches of at most 32 photos for each of two views"
    assert all((one == two).all() for one, two in zip(first, second, strict=True))


def test_more_views_keep_those_that_are_there(views: Callable[..., list[np.ndarray]]):
    backbone = Backbone()
    (one,) = views(backbone, PLAIN)
    again, _, _ = views(backbone, PLAIN, AUGMENTED, AUGMENTED)
    assert backbone.calls == 6
    assert (one == again).all()


def test_other_weights_photos_and_transforms_have_another_file(
    tmp_path: Path, catalog: Catalog, views: Callable[..., list[np.ndarray]]
):
    _, first = views(Backbone(seed=0), PLAIN, AUGMENTED)
    _, weights = views(Backbone(seed=1), PLAIN, AUGMENTED)
    _, backwards = views(Backbone(seed=0), PLAIN, AUGMENTED, catalog=catalog.take(np.arange(40)[::-1]))
    _, transform = views(Backbone(seed=0), PLAIN, replace(AUGMENTED, mean=(0.4, 0.5, 0.6)))
    assert len(arrays(tmp_path)) == 4
    assert (weights != first).any() and (transform != first).any() and (backwards[::-1] != first).any()


def test_another_decoder_has_another_file(
    tmp_path: Path, views: Callable[..., list[np.ndarray]], monkeypatch: pytest.MonkeyPatch
):
    transform = EvalTransform(size=16, fit="squash", mean=(0.5,) * 3, std=(0.5,) * 3, interpolation="bilinear")
    views(Backbone(), transform, AUGMENTED)
    assert len(arrays(tmp_path)) == 1
    monkeypatch.setattr("tagger.data.features.decoder", lambda: "Pillow 99, libjpeg 9")
    views(Backbone(), transform, AUGMENTED)
    assert len(arrays(tmp_path)) == 2


def test_a_photo_with_other_content_under_the_same_name_has_another_file(
    tmp_path: Path, colours: Callable[..., Path], photo_data: Callable[..., PhotoData], catalog: Catalog
):
    root = Path(catalog.roots[0]).parent
    before = photo_data(root).catalog.photos["photo_id"].to_pylist()
    red, green = Path(catalog.roots[0]) / "images" / "000.png", Path(catalog.roots[0]) / "images" / "001.png"
    red.write_bytes(green.read_bytes())
    after = photo_data(root).catalog.photos["photo_id"].to_pylist()
    assert before != after
    assert after[0] == after[1] == hashlib.sha256(green.read_bytes()).hexdigest()
    now = photo_data(root).catalog
    shared: dict[str, Any] = {"cache": tmp_path, "workers": 0, "device": torch.device("cpu")}
    # Who still believes in the old content computes what the file is now, and keeps it as that.
    with pytest.warns(UserWarning, match=r"1 photo is not what was noted, for instance .*000\.png"):
        believed = cached_views(Backbone(), catalog, PLAIN, [AUGMENTED], **shared)
    (path,) = arrays(tmp_path)
    np.testing.assert_array_equal(cached_views(Backbone(), now, PLAIN, [AUGMENTED], **shared)[1], believed[1])
    assert arrays(tmp_path) == [path]


def test_a_drifted_batch_norm_is_another_backbone(tmp_path: Path, views: Callable[..., list[np.ndarray]]):
    backbone = Backbone()
    views(backbone, PLAIN, AUGMENTED)
    backbone.norm.running_mean.add_(1)  # type: ignore[union-attr]
    views(backbone, PLAIN, AUGMENTED)
    assert len(arrays(tmp_path)) == 2


def test_workers_change_nothing(tmp_path: Path, views: Callable[..., list[np.ndarray]]):
    alone = views(Backbone(), PLAIN, AUGMENTED)
    shutil.rmtree(tmp_path / "features")
    shutil.rmtree(tmp_path / "embeddings")
    shared = views(Backbone(), PLAIN, AUGMENTED, workers=2)
    assert all((one == two).all() for one, two in zip(alone, shared, strict=True))


def test_computing_them_does_not_change_the_backbone(views: Callable[..., list[np.ndarray]]):
    backbone = Backbone().train()
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    views(backbone, PLAIN)
    assert all((tensor == before[name]).all() for name, tensor in backbone.state_dict().items())


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_killed_writer_leaves_no_half_array(
    tmp_path: Path, views: Callable[..., list[np.ndarray]], monkeypatch: pytest.MonkeyPatch, moment: str
):
    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[moment], killed)
        with pytest.raises(KeyboardInterrupt):
            views(Backbone(), PLAIN, AUGMENTED)
    assert arrays(tmp_path) == []
    _, found = views(Backbone(), PLAIN, AUGMENTED)
    assert found.shape == (40, 6)
    assert len(arrays(tmp_path)) == 1


def test_what_a_killed_process_left_beside_is_not_taken_for_features(
    tmp_path: Path, views: Callable[..., list[np.ndarray]]
):
    _, first = views(Backbone(), PLAIN, AUGMENTED)
    (path,) = arrays(tmp_path)
    whole = path.read_bytes()
    path.with_suffix(".12345.tmp").write_bytes(whole[:100])
    path.unlink()
    _, second = views(Backbone(), PLAIN, AUGMENTED)
    assert (first == second).all()
    assert path.read_bytes() == whole


@pytest.mark.parametrize("left", [0, 50, -10])
def test_an_array_that_was_cut_afterwards_is_computed_again(
    tmp_path: Path, views: Callable[..., list[np.ndarray]], left: int
):
    _, first = views(Backbone(), PLAIN, AUGMENTED)
    (path,) = arrays(tmp_path)
    os.truncate(path, left if left >= 0 else path.stat().st_size + left)
    _, second = views(Backbone(), PLAIN, AUGMENTED)
    assert (first == second).all()


def test_a_photo_that_vanishes_meanwhile_is_named(
    tmp_path: Path, catalog: Catalog, views: Callable[..., list[np.ndarray]]
):
    (Path(catalog.roots[0]) / "images" / "033.png").unlink()
    with pytest.raises(BadPhoto, match=r"033\.png.*run again to have it left out"):
        views(Backbone(), PLAIN)
    assert arrays(tmp_path) == []
    assert list(tmp_path.glob("embeddings/*/features.f16")) == []
