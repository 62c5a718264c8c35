from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from torch.utils.data import DataLoader

from tagger.data.batch import Batch, collate
from tagger.data.catalog import Catalog
from tagger.data.dataset import FeatureDataset, PhotoDataset, dense_states, draw_seed
from tagger.data.sources.listing import Listing
from tagger.data.taxonomy import read_taxonomy
from tagger.data.transforms import EvalTransform, TrainTransform

AUGMENTED = TrainTransform(size=16, jitter=0.3)


@pytest.fixture
def catalog(colours: Callable[..., Path]) -> Catalog:
    root = colours(24)
    return Listing(folder="colours", unlisted="absent").read(str(root), read_taxonomy(str(root / "colours.yaml")))


def batches(catalog: Catalog, draws: list[list[tuple[int, int]]], *, seed: int = 0, workers: int = 0) -> list[Batch]:
    data = PhotoDataset(catalog, np.arange(len(catalog)), AUGMENTED, seed=seed)
    return list(DataLoader(data, batch_sampler=draws, num_workers=workers, collate_fn=collate))  # type: ignore[arg-type]


# --- photos ---------------------------------------------------------------------------------------------------------


def test_a_photo_comes_with_its_states_and_its_row_of_the_catalog(catalog: Catalog):
    data = PhotoDataset(catalog, np.array([6, 5]), EvalTransform(size=8), seed=0)
    first = data[0, 0]
    assert len(data) == 2
    assert first.row == 6
    assert first.states.tolist() == [-1, -1, 1, -1], "photo 6 is blue"
    assert first.input is not None
    red, _, blue = first.input.mean(dim=(1, 2)).tolist()
    assert blue > 0 > red


def test_augmentation_is_a_function_of_seed_and_draw_whatever_the_workers_and_the_order(catalog: Catalog):
    draws = [[(row, 100 + row) for row in range(start, start + 6)] for start in range(0, 24, 6)]
    alone = torch.cat([batch.inputs for batch in batches(catalog, draws)])
    shared = torch.cat([batch.inputs for batch in batches(catalog, draws, workers=2)])
    backwards = torch.cat([batch.inputs for batch in batches(catalog, [group[::-1] for group in draws[::-1]])])
    assert (alone == shared).all()
    assert (alone == backwards.flip(0)).all()


def test_another_draw_and_another_seed_show_another_part_of_the_photo(catalog: Catalog):
    (first,), (draw,), (seed,) = (
        batches(catalog, [[(0, number)]], seed=seed) for number, seed in ((0, 0), (1, 0), (0, 1))
    )
    assert (first.inputs != draw.inputs).any()
    assert (first.inputs != seed.inputs).any()
    assert (draw.inputs != seed.inputs).any()


def test_augmentation_leaves_the_random_numbers_of_the_process_alone(catalog: Catalog):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    # Not through a DataLoader, which draws the seed of its workers.
    PhotoDataset(catalog, np.arange(24), AUGMENTED, seed=0)[0, 1]
    assert (torch.rand(2) == expected).all()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_photo_that_vanished_is_named_and_the_batch_goes_on(catalog: Catalog, workers: int):
    gone = Path(catalog.roots[0]) / "images" / "001.png"
    gone.unlink()
    (batch,) = batches(catalog, [[(0, 0), (1, 1), (2, 2)]], workers=workers)
    assert batch.rows.tolist() == [0, 2]
    ((path, reason),) = batch.bad
    assert path == str(gone)
    assert "001.png" in reason


def test_a_disk_that_vanished_stops_the_training(catalog: Catalog):
    for photo in (Path(catalog.roots[0]) / "images").iterdir():
        photo.unlink()
    with pytest.raises(RuntimeError, match=r"none of the 2 photos of a batch can be read.*000\.png"):
        batches(catalog, [[(0, 0), (1, 1)]])


# --- features -------------------------------------------------------------------------------------------------------


def features(catalog: Catalog, views: int) -> list[np.ndarray]:
    """Features that say which photo and which view they are of."""
    rows = np.arange(len(catalog))
    return [np.stack([rows, np.full(len(rows), view)], axis=1).astype(np.float16) for view in range(views)]


def test_a_draw_takes_one_view_of_its_photo(catalog: Catalog):
    data = FeatureDataset(catalog, np.array([3, 9, 12]), features(catalog, 2), seed=0)
    batch = data.__getitems__([(2, 50), (0, 51), (2, 52)])
    assert batch.inputs.dtype == torch.float32
    assert batch.rows.tolist() == batch.inputs[:, 0].tolist() == [12, 3, 12]
    assert batch.inputs[:, 1].tolist() == [draw_seed(0, number) % 2 for number in (50, 51, 52)]
    assert batch.states.tolist() == dense_states(catalog.states, np.array([12, 3, 12])).tolist()
    assert len(data) == 3


@pytest.mark.parametrize("views", [1, 2, 3, 4, 5])
def test_every_view_is_taken_about_equally_often(catalog: Catalog, views: int):
    data = FeatureDataset(catalog, np.arange(24), features(catalog, views), seed=7)
    batch = data.__getitems__([(number % 24, number) for number in range(6000)])
    counts = np.bincount(batch.inputs[:, 1].int().numpy(), minlength=views)
    # Four standard deviations of a fair die thrown 6,000 times.
    fair = 6000 / views
    assert np.abs(counts - fair).max() <= 4 * np.sqrt(fair * (1 - 1 / views))


@given(seed=st.integers(0, 2**32), number=st.integers(0, 2**40))
def test_the_seed_of_a_draw_is_one_that_pytorch_takes(seed: int, number: int):
    torch.Generator().manual_seed(draw_seed(seed, number))


def test_the_seeds_of_draws_are_the_same_in_every_process():
    # Written down from another process: Python salts the hashes of texts, not of numbers.
    assert [draw_seed(0, 1), draw_seed(7, 12345)] == [7272873589274253248, 5460524233827230488]


def test_dense_states_keep_the_order_of_the_rows():
    states = csr_array(np.array([[1, 0], [0, -1], [1, -1]], dtype=np.int8))
    assert dense_states(states, np.array([2, 0, 2])).tolist() == [[1, -1], [1, 0], [1, -1]]
