"""The loss that a configuration asks for, with what it must know of the training photos."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from tagger.data.datamodule import PhotoData
from tagger.data.replication import Replication
from tagger.model.losses import BinaryCrossEntropy, WeighedLoss
from tagger.model.losses.distribution_balanced import DistributionBalancedLoss
from tagger.training.building import build_loss

CROSS_ENTROPY = OmegaConf.create({"loss": {"_target_": "tagger.model.losses.BinaryCrossEntropy"}})
BALANCED = OmegaConf.create({"loss": {"_target_": "tagger.model.losses.DistributionBalanced", "kappa": 1.0}})


@pytest.fixture
def data(colours: Callable[..., Path], photo_data: Callable[..., PhotoData]) -> Callable[[Replication], PhotoData]:
    # Each of four labels is on eight of 32 training photos.
    return lambda sampler: photo_data(colours(40), sampler=sampler)


def test_what_needs_no_counts_is_as_it_is_configured(data):
    assert type(build_loss(CROSS_ENTROPY, data(Replication()))) is BinaryCrossEntropy


def test_counts_are_those_of_the_training_photos_before_they_are_replicated(data):
    loss = build_loss(BALANCED, data(Replication("uniform", target_frequency=1.0)))
    assert isinstance(loss, DistributionBalancedLoss)
    assert loss.counts.tolist() == [8] * 4
    assert loss.bias.exp().tolist() == pytest.approx([24 / 8] * 4)


def test_at_the_level_of_labels_any_loss_is_weighed_by_the_samplers_factors(data):
    sampler = Replication("uniform", target_frequency=1.0, pooling="sum", level="labels")
    loss = build_loss(BALANCED, data(sampler))
    assert isinstance(loss, WeighedLoss)
    assert isinstance(loss.loss, DistributionBalancedLoss)
    # Each label is on a quarter of the photos, each photo carries one: r(h) = r(I) = mean = 4.
    one = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    assert loss.weigh(one).tolist() == [[4, 1, 1, 1]]


def test_the_state_of_a_loss_is_in_no_checkpoint(data, tagger_module):
    loss = build_loss(BALANCED, data(Replication(level="labels")))
    assert set(tagger_module(loss=loss).state_dict()) == set(tagger_module().state_dict())
