"""Embeddings: once per photo and backbone, by content, in files that only grow."""

import hashlib
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tagger.data import embedding_store
from tagger.data.datamodule import PhotoData
from tagger.data.embedding_store import EmbeddingStore, photo_keys
from tagger.data.embeddings import Embeddings, embedded
from tagger.data.features import cached_views
from tagger.data.photo import BadPhoto
from tagger.data.skipped import Skipped
from tagger.data.transforms import EvalTransform, TrainTransform

PLAIN = EvalTransform(size=8)


class MeanColour(nn.Module):
    """Pixels to their mean red, green and blue; it notes how many photos it sees at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.saw: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.saw.append(len(images))
        return images.mean(dim=(2, 3))


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Forty photos, each of another grey."""
    (tmp_path / "photos").mkdir()
    paths = [tmp_path / "photos" / f"{number:02}.png" for number in range(40)]
    for number, path in enumerate(paths):
        Image.new("RGB", (9, 7), (number * 6,) * 3).save(path)
    return paths


@pytest.fixture
def embed(tmp_path: Path) -> Callable[..., Embeddings]:
    def run(paths: list[Path], backbone: nn.Module | None = None, **settings: Any) -> Embeddings:
        ids = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
        shared: dict[str, Any] = {"cache": tmp_path, "workers": 0, "device": torch.device("cpu")}
        transform = settings.pop("transform", PLAIN)
        return embedded(backbone or MeanColour(), ids, lambda row: str(paths[row]), transform, **shared | settings)

    return run


def grey(*numbers: int) -> np.ndarray:
    """What MeanColour gives of these photos: grey as -1..1."""
    return np.repeat(np.array(numbers)[:, None] * 6 / 127.5 - 1, 3, axis=1)


def test_it_is_what_the_backbone_gives_of_the_plain_photo(photos: list[Path], embed: Callable[..., Embeddings]):
    found = embed(photos)
    assert found.shape == (40, 3) and found.dtype == np.float16
    np.testing.assert_allclose(found[:], grey(*range(40)), atol=2e-3)
    np.testing.assert_array_equal(found[[7, 3]], np.asarray(found)[[7, 3]])


def test_only_photos_never_seen_are_decoded(photos: list[Path], embed: Callable[..., Embeddings]):
    backbone = MeanColour()
    first = embed(photos[:30], backbone)
    both = embed(photos[20:], backbone)
    assert backbone.saw == [30, 10]
    np.testing.assert_array_equal(both[:10], first[20:])
    np.testing.assert_allclose(both[:], grey(*range(20, 40)), atol=2e-3)


def test_a_photo_is_known_by_its_content_wherever_it_lies(
    photos: list[Path], embed: Callable[..., Embeddings], tmp_path: Path
):
    backbone = MeanColour()
    embed(photos[:3], backbone)
    (copy := tmp_path / "copy.png").write_bytes(photos[2].read_bytes())
    twice = embed([copy, photos[2], copy], backbone)
    assert backbone.saw == [3]
    np.testing.assert_allclose(twice[:], grey(2, 2, 2), atol=2e-3)


def test_the_same_photo_twice_is_seen_once(photos: list[Path], embed: Callable[..., Embeddings]):
    backbone = MeanColour()
    found = embed([photos[5], photos[1], photos[5]], backbone)
    assert backbone.saw == [2]
    np.testing.assert_allclose(found[:], grey(5, 1, 5), atol=2e-3)


def test_a_catalogs_shorter_ids_mean_the_same_photos(photos: list[Path], tmp_path: Path):
    ids = [hashlib.sha256(path.read_bytes()).hexdigest() for path in photos]
    assert photo_keys(ids).equals(photo_keys([name[:32] for name in ids]))


def test_training_on_cached_features_shares_them(
    colours: Callable[..., Path], photo_data: Callable[..., PhotoData], embed: Callable[..., Embeddings], tmp_path: Path
):
    data, backbone = photo_data(colours(40)), MeanColour()
    paths = [Path(name) for name in data.names(np.arange(40))]
    found = embed(paths, backbone, transform=data.plain)
    shared: dict[str, Any] = {"cache": tmp_path, "workers": 0, "device": torch.device("cpu")}
    plain, _ = cached_views(backbone, data.catalog, data.plain, [TrainTransform(size=16)], **shared)
    assert backbone.saw == [32, 8, 32, 8], "once plain, by whoever came first, and once augmented"
    np.testing.assert_array_equal(plain[:], found[:])


def test_an_edited_file_does_not_speak_for_the_photo_that_it_was(
    photos: list[Path], embed: Callable[..., Embeddings], tmp_path: Path
):
    ids = [hashlib.sha256(path.read_bytes()).hexdigest() for path in photos[:3]]
    (true := tmp_path / "true.png").write_bytes(photos[0].read_bytes())
    photos[0].write_bytes(photos[39].read_bytes())
    shared: dict[str, Any] = {"cache": tmp_path, "workers": 0, "device": torch.device("cpu")}
    with pytest.warns(
        UserWarning, match=r"1 photo is not what was noted, for instance .*00\.png: the files were changed"
    ):
        found = embedded(MeanColour(), ids, lambda row: str(photos[row]), PLAIN, **shared)
    np.testing.assert_allclose(found[:], grey(39, 1, 2), atol=2e-3)
    backbone = MeanColour()
    np.testing.assert_allclose(embed([true, photos[39]], backbone)[:], grey(0, 39), atol=2e-3)
    assert backbone.saw == [1], "what was edited is known as what it became"


def test_of_two_files_of_one_content_of_which_one_is_edited_each_is_what_it_is(photos: list[Path], tmp_path: Path):
    photos[1].write_bytes(photos[0].read_bytes())
    ids = [hashlib.sha256(path.read_bytes()).hexdigest() for path in photos[:2]]
    photos[0].write_bytes(photos[30].read_bytes())
    shared: dict[str, Any] = {"cache": tmp_path, "workers": 0, "device": torch.device("cpu")}
    with pytest.warns(UserWarning, match="1 photo is not what was noted"):
        found = embedded(MeanColour(), ids, lambda row: str(photos[row]), PLAIN, **shared)
    np.testing.assert_allclose(found[:], grey(30, 0), atol=2e-3)


def test_another_transform_or_backbone_has_its_own(photos: list[Path], embed: Callable[..., Embeddings]):
    backbone = MeanColour()
    embed(photos[:3], backbone)
    embed(photos[:3], backbone, transform=EvalTransform(size=9))
    embed(photos[:3], nn.Sequential(backbone, nn.Linear(3, 5)))
    assert backbone.saw == [3, 3, 3]


def test_a_photo_that_cannot_be_read_is_counted_and_has_no_row(photos: list[Path], embed: Callable[..., Embeddings]):
    photos[1].write_bytes(photos[1].read_bytes()[:45])
    photos[3].write_text("no photo")
    skipped = Skipped()
    found = embed(photos[:5], skipped=skipped)
    assert found.is_there.tolist() == [True, False, True, False, True]
    np.testing.assert_allclose(found[found.is_there], grey(0, 2, 4), atol=2e-3)
    assert skipped.counts.total() == 2
    assert skipped.examples["not an image"] == [str(photos[3])]


def test_where_all_photos_must_be_there_a_bad_one_is_an_error_and_the_rest_is_kept(
    photos: list[Path], embed: Callable[..., Embeddings], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tagger.data.embeddings.CHUNK", 4)
    photos[6].write_text("no photo")
    backbone = MeanColour()
    with pytest.raises(BadPhoto, match=r"06\.png: not an image; it was readable a moment ago"):
        embed(photos[:8], backbone)
    embed(photos[:6], backbone)
    assert backbone.saw == [4, 2]


def test_a_pool_of_bad_photos_only_has_no_embeddings(photos: list[Path], embed: Callable[..., Embeddings]):
    photos[0].write_text("no photo")
    assert embed(photos[:1], skipped=Skipped()).is_there.tolist() == [False]


def test_workers_change_nothing(photos: list[Path], embed: Callable[..., Embeddings], tmp_path: Path):
    alone = embed(photos)[:]
    np.testing.assert_array_equal(alone, embed(photos, workers=2, cache=tmp_path / "other")[:])


# --- the files --------------------------------------------------------------------------------------------------------


def keys(*numbers: int) -> Any:
    return photo_keys([f"{number:032x}" for number in numbers])


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    store = EmbeddingStore(tmp_path / "store")
    store.append(keys(1, 2), np.array([[1, 1], [2, 2]], dtype=np.float16))
    return store


def test_what_is_there_stays_mapped_while_the_file_grows(store: EmbeddingStore):
    before = store.read()
    store.append(keys(3), np.array([[3, 3]], dtype=np.float32))
    after = store.read()
    assert before.features.tolist() == [[1, 1], [2, 2]]
    assert isinstance(after.features, np.memmap)
    assert after.features[after.rows(keys(3, 1, 9, 2))[[0, 1, 3]]].tolist() == [[3, 3], [1, 1], [2, 2]]
    assert after.rows(keys(9)).tolist() == [-1]


@pytest.mark.parametrize(("file", "bytes_left"), [("features.f16", 7), ("photos.key", 31), ("photos.key", 16)])
def test_rows_cut_off_afterwards_do_not_count_and_are_written_anew(store: EmbeddingStore, file: str, bytes_left: int):
    os.truncate(store.folder / file, bytes_left)
    assert store.read().rows(keys(1, 2)).tolist() == [0, -1]
    store.append(keys(2, 4), np.array([[2, 2], [4, 4]], dtype=np.float16))
    kept = store.read()
    assert kept.features[kept.rows(keys(1, 2, 4))].tolist() == [[1, 1], [2, 2], [4, 4]]


@pytest.mark.parametrize("file", ["features.f16", "photos.key", "shape.json"])
@pytest.mark.parametrize("content", [None, b"", b"7", b"[0]"])
def test_a_file_lost_or_damaged_means_starting_anew(store: EmbeddingStore, file: str, content: bytes | None):
    (store.folder / file).unlink()
    if content is not None:
        (store.folder / file).write_bytes(content)
    assert store.read().rows(keys(1, 2)).tolist() == [-1, -1]
    store.append(keys(5), np.array([[5, 5]], dtype=np.float16))
    assert store.read().features.tolist() == [[5, 5]]


def test_a_writer_killed_between_rows_and_keys_adds_nothing(store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch):
    write = embedding_store._write_at

    def killed_at_the_keys(path: Path, place: int, content: bytes) -> None:
        if path.name == "photos.key" and content:
            raise KeyboardInterrupt
        write(path, place, content)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("tagger.data.embedding_store._write_at", killed_at_the_keys)
        store.append(keys(3), np.array([[3, 3]], dtype=np.float16))
    assert (store.folder / "features.f16").stat().st_size == 3 * 4, "the row is there"
    assert store.read().rows(keys(1, 2, 3)).tolist() == [0, 1, -1]
    store.append(keys(8), np.array([[8, 8]], dtype=np.float16))
    assert store.read().features.tolist() == [[1, 1], [2, 2], [8, 8]]


def test_a_key_whose_row_was_lost_never_means_another_row(store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch):
    os.truncate(store.folder / "features.f16", 4)
    write, written = os.fsync, []

    def killed(handle: int) -> None:
        write(handle)
        written.append(handle)
        if len(written) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("tagger.data.embedding_store.os.fsync", killed)
        store.append(keys(3), np.array([[3, 3]], dtype=np.float16))
    assert (store.folder / "features.f16").stat().st_size == 2 * 4, "the row of photo 3 is where that of photo 2 was"
    assert store.read().rows(keys(1, 2, 3)).tolist() == [0, -1, -1]


def _see(paths: list[str], cache: str) -> None:
    ids = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths]
    embedded(MeanColour(), ids, paths.__getitem__, PLAIN, cache=Path(cache), workers=0, device=torch.device("cpu"))


def test_two_processes_at_once_keep_every_photo_once(
    photos: list[Path], embed: Callable[..., Embeddings], tmp_path: Path
):
    context = multiprocessing.get_context("fork")
    names = [str(path) for path in photos]
    parts = (names, names[::-1], names[10:30])
    processes = [context.Process(target=_see, args=(part, str(tmp_path))) for part in parts]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    (folder,) = (tmp_path / "embeddings").iterdir()
    assert (folder / "photos.key").stat().st_size == 40 * 16
    np.testing.assert_allclose(embed(photos)[:], grey(*range(40)), atol=2e-3)
