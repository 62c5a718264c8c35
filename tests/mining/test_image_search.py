"""Image search: worked examples, scikit-learn's cosines, and an index that finds nearly the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from sklearn.metrics.pairwise import cosine_similarity

from tagger.data.duplicates import BYTES
from tagger.data.embedding_store import KEY
from tagger.errors import UserError
from tagger.mining.index import kept_index, make_index, recall_of
from tagger.mining.lookalikes import looks, near_any
from tagger.mining.search import best, centre_of, query

HERE = np.zeros(2, dtype=np.float32)


def features(photos: int = 300, width: int = 12, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.4, 1, (photos, width)).astype(np.float16)


def test_scores_are_the_cosines_with_the_mean_of_the_examples_directions():
    pool = features()
    centre = centre_of(pool)
    np.testing.assert_allclose(centre, pool.astype(np.float64).mean(axis=0), rtol=1e-5)
    moved = pool.astype(np.float64) - centre
    examples = moved[:3] / np.linalg.norm(moved[:3], axis=1, keepdims=True)
    expected = cosine_similarity(examples.mean(axis=0)[None], moved)[0]
    np.testing.assert_allclose(query(pool[:3], centre=centre).scores(pool), expected, atol=2e-5)


def test_negative_examples_push_away():
    # Wanted: east. Half a step away from north: the direction (1, -1/2).
    wanted = query(np.array([[5.0, 0.0]]), np.array([[0.0, 0.1]]), centre=HERE, against=0.5)
    np.testing.assert_allclose(wanted.direction, np.array([1, -0.5]) / np.sqrt(1.25), rtol=1e-6)
    rows, _ = best(wanted, np.array([[1, 1], [1, -1], [1, 0]], dtype=np.float16), 3)
    assert rows.tolist() == [1, 2, 0]


def test_a_long_example_counts_no_more_than_a_short_one():
    wanted = query(np.array([[100.0, 0.0], [0.0, 0.01]]), centre=HERE)
    np.testing.assert_allclose(wanted.direction, np.sqrt([0.5, 0.5]), rtol=1e-6)


def test_what_all_photos_have_in_common_says_nothing():
    plain = features()
    common = plain + np.float16(8)
    expected, found = (best(query(pool[:2], centre=centre_of(pool)), pool, 10)[0] for pool in (plain, common))
    # float16 is coarse near 8: the order of near equals may change.
    assert len(np.intersect1d(expected, found)) >= 9


@given(st.integers(1, 60), st.integers(1, 40), st.integers(1, 17))
def test_the_best_are_the_best_of_all_whatever_the_blocks(photos: int, count: int, block: int):
    pool = features(photos, 4, seed=photos)
    wanted = query(pool[:1], centre=np.zeros(4, dtype=np.float32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tagger.mining.search.BLOCK", block)
        rows, scores = best(wanted, pool, count)
    everything = wanted.scores(pool)
    assert len(rows) == min(count, photos)
    np.testing.assert_allclose(scores, np.sort(everything)[::-1][:count], atol=1e-6)
    np.testing.assert_allclose(everything[rows], scores, atol=1e-6)


def test_an_example_finds_itself_first():
    pool = features()
    rows, scores = best(query(pool[7:8], centre=centre_of(pool)), pool, 1)
    assert rows.tolist() == [7]
    assert scores[0] == pytest.approx(1, abs=1e-5)


def test_the_mean_of_a_large_pool_is_drawn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tagger.mining.search.SAMPLE", 200)
    pool = features(2000)
    assert np.abs(centre_of(pool) - pool.mean(axis=0, dtype=np.float64)).max() < 0.25
    np.testing.assert_array_equal(centre_of(pool), centre_of(pool))


# --- millions ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def clustered() -> np.ndarray:
    """Photos in 40 heaps."""
    dice = np.random.default_rng(0)
    heaps = dice.normal(0, 1, (40, 16))
    return (heaps[dice.integers(0, 40, 3000)] + dice.normal(0, 0.3, (3000, 16))).astype(np.float16)


def test_an_index_finds_nearly_the_same(clustered: np.ndarray):
    pytest.importorskip("faiss")
    centre = centre_of(clustered)
    index = make_index(clustered, centre)
    assert 0.85 < index.recall <= 1
    for asked in (5, 17, 600):
        wanted = query(clustered[asked : asked + 1], centre=centre)
        rows, scores = index.best(wanted, clustered, 20)
        exact, exact_scores = best(wanted, clustered, 20)
        assert rows[0] == exact[0] == asked
        assert len(np.intersect1d(rows, exact)) >= 15
        np.testing.assert_allclose(scores, wanted.scores(clustered[rows]), atol=1e-6)
        assert (scores <= exact_scores + 1e-6).all()


def test_an_index_that_looks_everywhere_misses_nothing(clustered: np.ndarray):
    pytest.importorskip("faiss")
    index = make_index(clustered, centre_of(clustered))
    index.faiss.nprobe = index.faiss.nlist
    assert recall_of(index, clustered, clustered[::100]) > 0.995
    index.faiss.nprobe = 1
    assert recall_of(index, clustered, clustered[::100]) < 0.9, "the recall can fall"


def test_an_index_is_made_once_for_a_pool(clustered: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("faiss")
    centre = centre_of(clustered)
    keys = pa.array([number.to_bytes(16, "big") for number in range(3000)], KEY)
    made = kept_index(clustered, keys, centre, kind="lite0", cache=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("tagger.mining.index.make_index", None)
        again = kept_index(clustered, keys, centre, kind="lite0", cache=tmp_path)
    wanted = query(clustered[:2], centre=centre)
    assert again.recall == made.recall
    np.testing.assert_array_equal(again.best(wanted, clustered, 9)[0], made.best(wanted, clustered, 9)[0])
    kept_index(clustered, keys, centre, kind="another", cache=tmp_path)
    files = list((tmp_path / "indexes").glob("*.faiss"))
    assert len(files) == 2
    for file in files:
        file.write_bytes(b"cut")
    mended = kept_index(clustered, keys, centre, kind="lite0", cache=tmp_path)
    np.testing.assert_array_equal(mended.best(wanted, clustered, 9)[0], made.best(wanted, clustered, 9)[0])


def test_without_faiss_the_way_out_is_named(clustered: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(UserError, match=r"pip install tagger\[mine\].*index=exact"):
        make_index(clustered, centre_of(clustered))


# --- near-duplicates --------------------------------------------------------------------------------------------------


def test_a_smaller_brighter_copy_is_nearly_the_same_and_another_photo_is_not(real_photos: Path, tmp_path: Path):
    first, second, *_ = sorted((real_photos / "corel5k" / "images").glob("*.jpg"))[10:40]
    picture = Image.open(first)
    picture.resize((picture.width * 4 // 5, picture.height * 4 // 5)).save(tmp_path / "small.jpg", quality=60)
    picture.point(lambda value: min(255, value * 11 // 10)).save(tmp_path / "bright.jpg")
    picture.filter(ImageFilter.GaussianBlur(0.7)).save(tmp_path / "blurred.png")
    found = looks([str(tmp_path / name) for name in ("small.jpg", "bright.jpg", "blurred.png")] + [str(second)])
    assert near_any(found, looks([str(second)] * 2 + [str(first)])).tolist() == [2, 2, 2, 0]
    assert near_any(found, looks([str(first)])).tolist() == [0, 0, 0, -1]


def test_photos_that_cannot_be_read_are_like_none(tmp_path: Path):
    (tmp_path / "no.jpg").write_text("no photo")
    nothing = looks([str(tmp_path / "no.jpg")])
    assert nothing.shape == (1, BYTES)
    assert near_any(nothing, nothing).tolist() == [-1]


@pytest.mark.parametrize(("found", "examples"), [(0, 2), (2, 0), (0, 0)])
def test_where_there_is_nothing_to_compare_nothing_is_near(found: int, examples: int):
    prints: Any = np.ones((2, BYTES), dtype=np.uint8)
    assert near_any(prints[:found], prints[:examples]).tolist() == [-1] * found
