"""Experts: what they may cost, and one network made of several."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tagger.data.taxonomy import Label, Taxonomy
from tagger.errors import UserError
from tagger.model.experts import Experts, merge
from tagger.model.network import Network

SETTINGS: dict[str, Any] = {"backbone": "test_efficientnet", "weights": None, "mean": (0.5,) * 3, "std": (0.5,) * 3}
PARTS = ((3, 0), (1,), (4, 2))


def network(labels: int, *, seed: int, **settings: Any) -> Network:
    torch.manual_seed(seed)
    made = Network(labels=labels, **SETTINGS | settings).eval()
    # Wide logits: features of random weights are nearly nothing.
    nn.init.normal_(made.head.weight, std=1e6)
    nn.init.normal_(made.head.bias)
    return made


# --- what they cost -------------------------------------------------------------------------------------------------


@given(
    batches=st.lists(st.integers(1, 20), min_size=2, max_size=9),
    epochs=st.integers(1, 40),
    more=st.integers(0, 20),
)
def test_together_they_take_the_batches_of_the_one_network_or_just_fewer(batches: list[int], epochs: int, more: int):
    of = max(batches) + more
    given_ = np.array(Experts(by="group").epochs(batches, epochs=epochs, of=of))
    spent, budget = int(given_ @ batches), epochs * of
    assert (given_ >= 1).all()
    if sum(batches) <= budget:
        assert budget - min(batches) < spent <= budget
    else:
        assert (given_ == 1).all()


def test_none_is_far_behind_another():
    # By hand: one epoch each costs 4 + 1 + 1 of 16; the rest goes to whoever has had least.
    assert Experts(by="group").epochs([4, 1, 1], epochs=4, of=4) == [2, 4, 4]
    assert Experts(by="group").epochs([15] * 8, epochs=30, of=15) == [4, 4, 4, 4, 4, 4, 3, 3]


def test_at_full_cost_each_trains_as_long_as_the_one():
    assert Experts(by="group", cost="full").epochs([4, 1, 1], epochs=30, of=4) == [30, 30, 30]


@pytest.mark.parametrize("settings", [{"by": "colour"}, {"photos": "some"}, {"cost": "none"}])
def test_a_setting_that_is_another_word_is_named(settings: dict[str, Any]):
    ((name, value),) = settings.items()
    with pytest.raises(ValueError, match=rf"experts\.{name} must be one of .*, got '{value}'"):
        Experts(**settings)


def test_one_network_has_no_experts_and_one_group_is_refused():
    flat = Taxonomy("mine", (Label("a", {}), Label("b", {})))
    assert Experts().divide(flat) == {}
    with pytest.raises(UserError, match="the 2 labels of mine are in one group; give them parents"):
        Experts(by="group").divide(flat)
    grouped = Taxonomy("mine", (Label("a", {}), Label("b", {}, parents=("a",)), Label("c", {})))
    assert Experts(by="group").divide(grouped) == {"a": (0, 1), "other": (2,)}


# --- merging --------------------------------------------------------------------------------------------------------


def test_every_label_has_the_logit_of_its_expert_where_they_share_a_backbone():
    merged = network(5, seed=9)
    experts = [network(len(columns), seed=seed) for seed, columns in enumerate(PARTS)]
    for expert in experts:
        expert.backbone = merged.backbone
    merge(merged, list(zip(PARTS, experts, strict=True)))
    photos = torch.rand(3, 3, 64, 64)
    with torch.inference_mode():
        logits = merged(photos)
        for columns, expert in zip(PARTS, experts, strict=True):
            torch.testing.assert_close(logits[:, columns], expert(photos))
            assert logits[:, columns].std() > 0.1
    assert merged.head.weight.shape == (5, experts[0].head.in_features), "it costs what one of them does"


def test_every_label_has_the_logit_of_its_expert_where_each_has_a_backbone_of_its_own():
    merged = network(5, seed=9, backbones=3)
    experts = [network(len(columns), seed=seed) for seed, columns in enumerate(PARTS)]
    merge(merged, list(zip(PARTS, experts, strict=True)))
    photos = torch.rand(3, 3, 64, 64)
    with torch.inference_mode():
        logits = merged(photos)
        for columns, expert in zip(PARTS, experts, strict=True):
            torch.testing.assert_close(logits[:, columns], expert(photos), rtol=1e-4, atol=1e-4)
            assert logits[:, columns].std() > 0.1


@pytest.mark.parametrize("parts", [((0, 1), (1, 2)), ((0,), (1,))])
def test_a_label_without_an_expert_or_with_two_is_refused(parts: tuple[tuple[int, ...], ...]):
    experts = [(columns, network(len(columns), seed=0)) for columns in parts]
    with pytest.raises(ValueError, match="the experts must have every label of 3 once"):
        merge(network(3, seed=0), experts)


def test_several_backbones_come_back_from_a_checkpoint(tmp_path: Path):
    from tagger.model.checkpoint import load_checkpoint

    made = network(5, seed=0, backbones=3)
    labels = [{"id": str(label)} for label in range(5)]
    recipe = {"network": {key: value for key, value in SETTINGS.items() if key != "weights"} | {"backbones": 3}}
    state = {f"network.{name}": value for name, value in made.state_dict().items()} | {"thresholds": torch.ones(5)}
    torch.save({"recipe": recipe | {"labels": labels}, "state_dict": state}, tmp_path / "some.ckpt")
    again, _, _ = load_checkpoint(tmp_path / "some.ckpt")
    photos = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(again(photos), made(photos))
