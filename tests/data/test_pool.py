"""Photos without labels train beside the others, and change nothing of what is measured."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from scipy.sparse import csr_array

from tagger.data.catalog import Catalog
from tagger.data.datamodule import PhotoData
from tagger.data.pool import with_pool
from tagger.data.skipped import Skipped
from tagger.data.states import UNKNOWN
from tagger.data.taxonomy import Label, Taxonomy
from tagger.errors import UserError

Make = Callable[..., PhotoData]


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """A folder of twelve photos, two of them deeper down."""
    folder = tmp_path / "without labels"
    (folder / "deeper").mkdir(parents=True)
    for number in range(12):
        place = folder / "deeper" if number > 9 else folder
        Image.new("RGB", (20, 30), (number, 2 * number, 99)).save(place / f"{number:02}.png")
    return folder


def test_they_train_and_nothing_is_known_of_them(colours: Callable[..., Path], photo_data: Make, pool: Path):
    root = colours(40)
    alone, data = photo_data(root), photo_data(root, pool=[str(pool)])
    assert len(data.catalog) == len(alone.catalog) + 12
    added = np.arange(40, 52)
    assert set(added) <= set(data.train_rows)
    assert (data.catalog.states[added].toarray() == UNKNOWN).all()
    assert sorted(data.names(added)) == sorted(str(path) for path in pool.rglob("*.png"))


def test_they_change_nothing_of_what_is_measured_and_counted(
    colours: Callable[..., Path], photo_data: Make, pool: Path
):
    root = colours(40)
    alone, data = photo_data(root), photo_data(root, pool=[str(pool)])
    assert (data.folds[:40] == alone.folds).all()
    assert (data.val_rows == alone.val_rows).all() and (data.test_rows == alone.test_rows).all()
    assert data.labelled.fingerprint == alone.catalog.fingerprint
    assert data.label_counts.present.tolist() == alone.label_counts.present.tolist()
    assert data.label_counts.absent.tolist() == alone.label_counts.absent.tolist()
    # As negatives they weigh nothing, though what is unknown elsewhere is a negative.
    assert {data.weights[kind] for kind in data.kinds[40:]} == {0.0}
    assert {data.weights[kind] for kind in data.kinds[:40]} == set(alone.weights) == {1.0}


def test_every_turn_trains_on_all_of_them(colours: Callable[..., Path], photo_data: Make, pool: Path):
    root = colours(40)
    for turn in (0, 4, 9):
        assert set(range(40, 52)) <= set(photo_data(root, pool=[str(pool)], turn=turn).train_rows)


def test_experts_train_on_them_too(colours: Callable[..., Path], photo_data: Make, pool: Path):
    data = photo_data(colours(40), pool=[str(pool)])
    part = data.only([1, 3])
    assert (part.train_rows == data.train_rows).all()
    assert part.catalog.states.shape == (52, 2)
    assert part.labelled.states.shape == (40, 2)


def test_a_photo_of_the_data_set_a_copy_and_a_broken_one_are_left_out_and_counted(
    colours: Callable[..., Path], photo_data: Make, pool: Path, capsys: pytest.CaptureFixture[str]
):
    root = colours(40)
    (pool / "test photo.png").write_bytes((root / "colours" / "images" / "007.png").read_bytes())
    (pool / "again.png").write_bytes((pool / "03.png").read_bytes())
    (pool / "broken.jpg").write_bytes(b"no photo")
    (pool / "notes.txt").write_text("no photo either")
    data = photo_data(root, pool=[str(pool)])
    ids = data.catalog.photos["photo_id"].to_pylist()
    assert len(ids) == len(set(ids)) == 52
    assert [Path(path).name for path, _ in data.rejected] == ["broken.jpg"]
    said = capsys.readouterr().out
    assert "pool: 12 photos without labels\n" in said
    for reason in ("no photo by its name", "also a photo of the data set", "twice in the pool"):
        assert f"pool: 1 left out: {reason}, for instance " in said
    assert "pool: 1 of 15 photos left out: not an image, for instance " in said


def test_several_folders_are_one_pool(colours: Callable[..., Path], photo_data: Make, pool: Path):
    data = photo_data(colours(40), pool=[str(pool / "deeper"), str(pool)])
    assert len(data.catalog) == 52
    assert sorted(data.names(np.arange(40, 52))) == sorted(str(path) for path in pool.rglob("*.png"))


def test_a_catalog_of_several_roots_keeps_what_it_says_of_its_own_photos(tmp_path: Path, pool: Path):
    photos = pa.table(
        {
            "photo_id": ["a", "b"],
            "path": ["1.jpg", "2.jpg"],
            "width": pa.array([3, 3], pa.int32()),
            "height": pa.array([4, 4], pa.int32()),
            "fold": pa.array([0, 1], pa.int8()),
            "group": ["x", None],
            "root": pa.array([1, 0], pa.int8()),
        }
    )
    states, truth = csr_array(np.array([[1], [0]], np.int8)), csr_array(np.array([[1], [-1]], np.int8))
    unknown = np.array([0.5, 1.0], np.float32)
    own = Catalog(Taxonomy("mine", (Label("dog", {}),)), ("/one", "/two"), photos, states, truth, unknown)
    joined, bad = with_pool(own, [str(pool)], Skipped(), max_pixels=10_000, workers=0, cache=tmp_path / "cache")
    assert bad == []
    assert joined.take(np.array([0, 1])).photos.equals(photos)
    assert (joined.place(0), joined.place(2)) == ("/two/1.jpg", str(pool / "00.png"))
    assert joined.unknown is not None and joined.unknown.tolist() == [0.5, 1.0] + 12 * [0.0]
    assert joined.truth is not None and joined.truth.toarray()[:, 0].tolist() == [1, -1] + 12 * [0]


def test_what_is_no_folder_or_holds_nothing_new_is_refused(
    colours: Callable[..., Path], photo_data: Make, tmp_path: Path
):
    root = colours(40)
    with pytest.raises(UserError, match="pool=nowhere: there is no such folder"):
        _ = photo_data(root, pool=["nowhere"]).catalog
    with pytest.raises(UserError, match="no photo to use; left out: 40 also a photo of the data set, 0 unreadable"):
        _ = photo_data(root, pool=[str(root / "colours" / "images")]).catalog
