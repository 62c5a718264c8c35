"""A data set with some of its labels only."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tagger.data.datamodule import PhotoData
from tagger.data.replication import Replication
from tagger.data.sources.listing import Listing
from tagger.errors import UserError

Make = Callable[..., PhotoData]


@pytest.fixture
def data(colours: Callable[..., Path], photo_data: Make) -> PhotoData:
    # Nobody denies anything: a photo of another colour says nothing about red.
    return photo_data(
        colours(40), source=Listing(folder="colours", unlisted="unknown"), sampler=Replication(phi="uniform")
    )


def test_it_has_the_columns_that_were_asked_for_and_the_same_photos_in_the_same_folds(data: PhotoData):
    whole, counts = data.catalog.states.toarray(), data.train_counts
    part = data.only([3, 1])
    assert part.taxonomy.ids == part.catalog.taxonomy.ids == ("grey", "green")
    assert (part.catalog.states.toarray() == whole[:, [3, 1]]).all()
    assert part.names(part.train_rows) == data.names(data.train_rows)
    assert (part.folds == data.folds).all()
    assert part.train_counts.tolist() == counts[[3, 1]].tolist()
    assert len(data.taxonomy) == 4, "the whole is as it was"


def test_how_often_a_photo_is_drawn_follows_from_its_labels_alone(data: PhotoData):
    # A quarter of the photos is red; no label is as rare as the default target.
    data.sampler = Replication(phi="uniform", target_frequency=0.5)
    assert set(data.factors) == {2.0}
    assert set(data.only([0]).factors) == {1.0, 2.0}


def test_its_own_photos_are_those_that_carry_or_deny_a_label(
    data: PhotoData, colours: Callable[..., Path], photo_data: Make, tmp_path: Path
):
    own = data.only([0, 1], own_photos=True)
    states = data.catalog.states.toarray()
    assert own.train_rows.tolist() == [row for row in data.train_rows if states[row, :2].any()]
    assert len(own.train_rows) == len(data.train_rows) / 2
    assert (own.val_rows == data.val_rows).all() and (own.test_rows == data.test_rows).all()
    denied = photo_data(tmp_path / "root", source=Listing(folder="colours", unlisted="absent"))
    assert (denied.only([0], own_photos=True).train_rows == denied.train_rows).all()


def test_cached_features_are_shared(data: PhotoData):
    data.views = [np.arange(80, dtype=np.float16).reshape(40, 2)]
    (batch, *_) = data.only([2]).val_dataloader()
    assert batch.states.shape == (len(batch.rows), 1)
    assert torch.equal(batch.inputs, torch.from_numpy(data.views[0][batch.rows].astype(np.float32)))


def test_labels_of_which_no_photo_says_anything_have_none_of_their_own(data: PhotoData):
    data.folds = np.where(data.catalog.states.toarray()[:, 0] == 1, 0, data.folds)
    with pytest.raises(UserError, match="no photo to train on carries or denies any of red"):
        data.only([0], own_photos=True)
