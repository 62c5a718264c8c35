"""New labels are weighed apart: what nobody looked for is unknown, whatever silence means for the others."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from tagger.data.batch import Batch
from tagger.data.datamodule import PhotoData
from tagger.data.dataset import KindsByLabel
from tagger.data.label_counts import UnknownWeights, label_counts
from tagger.data.sources.listing import Listing
from tagger.data.states import targets_and_weights
from tagger.model.module import TaggerModule
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import average_precision

NAN = float("nan")


@given(seed=st.integers(0, 1000))
def test_counts_are_those_of_every_label_by_itself(seed: int):
    rng = np.random.default_rng(seed)
    states, photos = csr_array(rng.integers(-1, 2, (30, 4)).astype(np.int8)), rng.random(30)
    labels, factors = np.array([NAN, 0.0, 0.25, NAN]), 1 + rng.random(30)
    found = label_counts(states, unknown=UnknownWeights(photos, labels), factors=factors)
    for column, own in enumerate(labels.tolist()):
        weights = photos if np.isnan(own) else np.full(30, own)
        alone = label_counts(states[:, [column]], unknown=weights, factors=factors)
        assert found.present[column] == pytest.approx(alone.present[0])
        assert found.absent[column] == pytest.approx(alone.absent[0])


@given(seed=st.integers(0, 1000))
def test_average_precision_is_that_of_every_label_by_its_own_weight(seed: int):
    rng = torch.Generator().manual_seed(seed)
    scores = torch.rand(60, 3, generator=rng)
    states = torch.randint(-1, 2, (60, 3), generator=rng)
    photos = torch.randint(0, 2, (60,), generator=rng)
    by_label = torch.from_numpy(KindsByLabel(photos.numpy(), np.array([False, True, False]), 2)[np.arange(60)])
    weights = (1.0, 0.5, 0.125)
    found = average_precision(Histogram.of(scores, states, kinds=by_label), unknown=weights)
    shared = average_precision(Histogram.of(scores, states, kinds=photos), unknown=weights[:2])
    alone = average_precision(Histogram.of(scores, states), unknown=weights[2])
    torch.testing.assert_close(found.values, torch.stack([shared.values[0], alone.values[1], shared.values[2]]))


@pytest.fixture
def data(colours: Callable[..., Path], photo_data: Callable[..., PhotoData]) -> PhotoData:
    root = colours(80)
    table = root / "colours" / "labels.csv"
    rows = [line.split(",") for line in table.read_text().splitlines()[1:]]
    # Of every second photo somebody said whether it is grey; of the others nobody did.
    known = []
    for number, (name, label) in enumerate(rows):
        is_grey = label == "grey"
        said = "" if is_grey and number % 8 != 3 else label
        known.append(f"{name},{said},{'' if is_grey or number % 2 == 0 else 'grey'}")
    table.write_text("\n".join(["image,labels,absent", *known]) + "\n")
    return photo_data(root, source=Listing(folder="colours", unlisted="unknown"))


def test_a_batch_weighs_what_is_unknown_of_a_new_label_by_its_own(data: PhotoData):
    data.set_unknown_weight([3], "ignore")
    assert data.weights == (1.0, 0.0)
    batch: Batch = next(iter(data.val_dataloader()))
    assert batch.kinds is not None
    assert batch.kinds.dtype == torch.int64
    assert batch.kinds.tolist() == [[0, 0, 0, 1]] * len(batch.rows)
    _, weights = targets_and_weights(batch.states, unknown=torch.tensor(data.weights)[batch.kinds])
    assert (weights[:, :3] == 1).all()
    assert (weights[:, 3] == (batch.states[:, 3] != 0)).all()
    assert 0 < weights[:, 3].sum() < len(weights)


def test_features_are_weighed_as_photos_are(data: PhotoData):
    data.set_unknown_weight([3], 0.25)
    plain: Batch = next(iter(data.val_dataloader()))
    data.views = [np.zeros((len(data.catalog), 5), np.float16)]
    cached: Batch = next(iter(data.val_dataloader()))
    assert plain.kinds is not None
    assert cached.kinds is not None
    assert torch.equal(plain.kinds, cached.kinds)


def test_counts_samplers_and_figures_know_of_it(data: PhotoData):
    absent = data.train_states[0]
    before = data.label_counts
    assert before.absent[3] > absent[3]
    data = data.only([0, 1, 2, 3])
    data.set_unknown_weight([3], "ignore")
    assert data.label_counts.absent[3] == absent[3]
    assert data.label_counts.absent[:3].tolist() == before.absent[:3].tolist()
    assert data.plan().frequencies[3] == pytest.approx(before.present[3] / (before.present[3] + absent[3]))
    assert data.state_counts()["states/unknown_weight"] == 0.75
    assert data.only([3, 0]).label_counts.absent.tolist() == data.label_counts.absent[[3, 0]].tolist()


def test_nothing_is_learnt_of_a_new_label_where_nobody_looked(
    data: PhotoData, tagger_module: Callable[..., TaggerModule]
):
    data.set_unknown_weight([3], "ignore")
    module = tagger_module(unknown=data.weights)
    batch: Batch = next(iter(data.val_dataloader()))
    logits = torch.zeros(batch.states.shape, requires_grad=True)
    module.loss_of(logits, batch).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad[:, 3] != 0, batch.states[:, 3] != 0)
    assert (logits.grad[:, :3] != 0).all()


def test_without_new_labels_batches_are_as_they_were(data: PhotoData):
    data.set_unknown_weight([], "ignore")
    batch: Batch = next(iter(data.val_dataloader()))
    assert batch.kinds is not None
    assert batch.kinds.shape == batch.rows.shape
