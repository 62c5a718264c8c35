"""No content, in any of its copies, lies in two folds: from a folder as from a catalog."""

import io
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console
from scipy.sparse import csr_array

from tagger.data.assembly import assemble
from tagger.data.assembly.grouping import deal_folds, group_photos
from tagger.data.assembly.tables import assembly_tables
from tagger.data.catalog.one_source import from_catalog
from tagger.data.catalog.store import TABLES, CatalogStore
from tagger.data.copies import Copies, count_copies
from tagger.data.datamodule import PhotoData
from tagger.data.inspection import inspect
from tagger.data.sources.listing import Listing
from tagger.data.split import FREE, join_copies

Make = Callable[..., PhotoData]


def picture(seed: int) -> Image.Image:
    """Return something like a photo."""
    dice = np.random.default_rng(seed)
    layers = [
        Image.fromarray(dice.integers(0, 256, (rows, rows, 3), dtype=np.uint8)).resize((120, 90), 3)
        for rows in (4, 10, 30)
    ]
    return Image.blend(Image.blend(layers[0], layers[1], 0.4), layers[2], 0.2)


def saved(photo: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    photo.save(file, kind, **options)
    return file.getvalue()


COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "exact": partial(saved, kind="PNG"),
    "re-encoded": partial(saved, kind="JPEG", quality=60),
    "mirrored": lambda photo: saved(photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "JPEG", quality=90),
    "turned": lambda photo: saved(photo.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=90),
    "cropped": lambda photo: saved(photo.crop((10, 7, 110, 83)), "JPEG", quality=90),
}


def listed(folder: Path, made: list[tuple[int, str]]) -> Path:
    """Write a data set ``colours`` of such copies; returns its root. Names do not tell which are copies."""
    (folder / "colours" / "images").mkdir(parents=True)
    names = [f"{place * 7919 % 1009:04}.img.png" for place in range(len(made))]
    for name, (seed, copy) in zip(names, made, strict=True):
        (folder / "colours" / "images" / name).write_bytes(COPIES[copy](picture(seed)))
    rows = "\n".join(f"{name},{'red' if seed % 2 else 'blue'}" for name, (seed, _) in zip(names, made, strict=True))
    (folder / "colours" / "labels.csv").write_text(f"image,labels\n{rows}\n")
    (folder / "colours.yaml").write_text("name: colours\nlabels:\n  - red\n  - blue\n")
    return folder


def content_folds(data: PhotoData, made: list[tuple[int, str]]) -> dict[int, set[int]]:
    """Return the folds of every content."""
    place = {f"{number * 7919 % 1009:04}.img.png": seed for number, (seed, _) in enumerate(made)}
    folds: dict[int, set[int]] = {}
    for path, fold in zip(data.catalog.photos["path"].to_pylist(), data.folds.tolist(), strict=True):
        folds.setdefault(place[Path(path).name], set()).add(fold)
    return folds


EVERY = [(seed, "exact") for seed in range(12)]
"""So many contents that none of the parts is empty."""


@settings(max_examples=6, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 11), st.sampled_from(list(COPIES))), max_size=14))
def test_no_content_lies_in_two_folds_of_a_folder(photo_data_of: Make, more: list[tuple[int, str]]) -> None:
    made = EVERY + more
    folder = Path(tempfile.mkdtemp())
    try:
        data = photo_data_of(listed(folder, made), cache=folder / "cache")
        assert all(len(folds) == 1 for folds in content_folds(data, made).values())
        assert data.copies.across == 0
        assert data.copies.photos == sum(count for seed in range(12) if (count := [s for s, _ in made].count(seed)) > 1)
    finally:
        shutil.rmtree(folder)


@settings(max_examples=6, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(list(COPIES))), min_size=1, max_size=10),
    st.integers(0, 10),
)
def test_no_content_lies_in_two_folds_of_a_catalog_whenever_it_comes(made: list[tuple[int, str]], first: int) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        root = listed(folder, made) / "colours" / "images"
        found = inspect(pa.array([f"{place * 7919 % 1009:04}.img.png" for place in range(len(made))]), root, workers=0)
        photos = found.select(["look"]).append_column("source_group", pa.nulls(len(made), pa.string()))
        empty = TABLES["photos"].empty_table()
        before = group_photos(empty, photos.slice(0, first))
        old = photos.slice(0, first).select(["look"]).append_column("group", pa.array(before))
        groups = group_photos(old, photos.slice(first))
        seeds = [seed for seed, _ in made]
        assert groups.tolist() == [seeds.index(seed) for seed in seeds]
        states = csr_array(np.array([[1, -1] if seed % 2 else [-1, 1] for seed in seeds], dtype=np.int8))
        free = np.full(len(made), FREE, dtype=np.int8)
        dealt = deal_folds(states[:first], before, free[:first])
        folds = deal_folds(states, groups, np.concatenate([dealt, free[first:]]))
        assert folds[: len(dealt)].tolist() == dealt.tolist(), "what is in the catalog never moves"
        assert len({*zip(seeds, folds.tolist(), strict=True)}) == len({*seeds})
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def photo_data_of() -> Make:
    """As ``photo_data``, for a test that makes several data sets."""
    from tagger.data.datamodule import Augment
    from tagger.data.replication import Replication

    def make(root: Path, **given_: object) -> PhotoData:
        settings_ = {
            "source": Listing(folder="colours", unlisted="absent"),
            "taxonomy": str(root / "colours.yaml"),
            "root": str(root),
            "split": "folds",
            "unknown": "negative",
            "batch_size": 8,
            "size": 16,
            "fit": "squash",
            "augment": Augment(),
            "bad_photos": "stop",
            "max_pixels": 100_000,
            "workers": 0,
            "seed": 0,
            "sampler": Replication(),
        }
        return PhotoData(**{**settings_, **given_})  # type: ignore[arg-type]

    return make


def test_a_published_split_is_obeyed_and_the_copies_across_it_are_counted(tmp_path: Path, photo_data_of: Make) -> None:
    made = [(seed, copy) for seed in range(14) for copy in ("exact", "mirrored")]
    root = listed(tmp_path, made)
    names = [f"{place * 7919 % 1009:04}.img.png" for place in range(len(made))]
    # Of content 0 both test; of content 1 one does.
    rows = [f"{name},{'test' if place in (0, 1, 2) else 'train'}" for place, name in enumerate(names)]
    (root / "colours" / "splits.csv").write_text("\n".join(["image,split", *rows]) + "\n")
    data = photo_data_of(root, split="official", cache=tmp_path / "cache")
    folds = content_folds(data, made)
    assert [seed for seed, own in folds.items() if len(own) > 1] == [1]
    assert len(data.test_rows) == 3
    assert (data.copies.groups, data.copies.photos, data.copies.across) == (14, 28, 1)
    assert "but for 1 that a published split" in data.copies.sentence()
    prepared = from_catalog(data.source, str(tmp_path / "catalog"), root=str(root), unknown="negative")
    assembly = assemble(
        CatalogStore(Path(prepared.folder)),
        prepared.sources,
        data.taxonomy,
        inspect=lambda root, paths: inspect(paths, root, workers=0),
        split="official",
    )
    assert assembly.copies == Copies(groups=14, photos=28, across=0), "a catalog has copies test with what tests"
    printed = Console(width=500)
    with printed.capture() as told:
        printed.print(*assembly_tables(assembly, data.taxonomy, written=True))
    assert "copies: 14 groups of copies, 28 photos, share folds" in told.get()


def test_of_few_copies_only_those_move_and_no_other_photo(tmp_path: Path, photo_data_of: Make) -> None:
    data = photo_data_of(listed(tmp_path, EVERY), cache=tmp_path / "cache")
    assert data.copies.sentence() == ""
    folds = np.arange(12) % 10
    groups = np.arange(12)
    groups[7] = 3
    assert join_copies(folds, groups, fixed=np.zeros(12, bool)).tolist() == [0, 1, 2, 3, 4, 5, 6, 3, 8, 9, 0, 1]
    assert join_copies(folds, groups, fixed=np.arange(12) == 7)[[3, 7]].tolist() == [7, 7]


def test_a_photo_alone_is_no_group() -> None:
    assert count_copies(np.arange(3), np.array([0, 1, 2]), str).groups == 0
    assert count_copies(np.empty(0, int), np.empty(0, int), str).across == 0
