from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from tagger.model.optimizers import adamw, parameter_groups, sgd

CONF = Path(__file__).parents[2] / "conf" / "optimizer"


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.head = nn.Linear(4, 2)


def names(module: nn.Module, group: dict) -> set[str]:
    ours = {id(parameter) for parameter in group["params"]}
    return {name for name, parameter in module.named_parameters() if id(parameter) in ours}


def test_norms_and_biases_are_not_decayed_and_the_backbone_has_its_own_rate():
    network = Network()
    groups = parameter_groups(network, lr=0.1, weight_decay=0.01, backbone_lr=0.5)
    assert {
        (group["name"], group["lr"], group["weight_decay"], *sorted(names(network, group))) for group in groups
    } == {
        ("backbone", 0.05, 0.01, "backbone.0.weight"),
        ("backbone_no_decay", 0.05, 0.0, "backbone.0.bias", "backbone.1.bias", "backbone.1.weight"),
        ("head", 0.1, 0.01, "head.weight"),
        ("head_no_decay", 0.1, 0.0, "head.bias"),
    }


def test_the_backbone_is_found_inside_another_module_but_not_by_half_its_name():
    module = nn.ModuleDict({"network": Network(), "backbone_norm": nn.LayerNorm(4)})
    groups = {group["name"]: names(module, group) for group in parameter_groups(module, lr=1.0, weight_decay=0.0)}
    assert groups["backbone"] == {"network.backbone.0.weight"}
    assert "backbone_norm.weight" in groups["head_no_decay"]


def test_every_trainable_parameter_is_in_one_group_and_frozen_ones_in_none():
    network = Network()
    network.backbone.requires_grad_(False)
    groups = parameter_groups(network, lr=1.0, weight_decay=0.0)
    assert [names(network, group) for group in groups] == [{"head.weight"}, {"head.bias"}]


def test_a_shared_parameter_is_optimised_once():
    tied = nn.ModuleDict({"one": nn.Linear(2, 2, bias=False), "other": nn.Linear(2, 2, bias=False)})
    tied["other"].weight = tied["one"].weight
    (group,) = parameter_groups(tied, lr=1.0, weight_decay=0.0)
    assert len(group["params"]) == 1


def test_nothing_to_train_is_refused():
    with pytest.raises(ValueError, match="no parameter of Network is trainable"):
        parameter_groups(Network().requires_grad_(False), lr=1.0, weight_decay=0.0)


def test_a_negative_setting_is_refused():
    with pytest.raises(ValueError, match="backbone_lr must be at least 0 and finite, got -1"):
        sgd(Network(), lr=1.0, weight_decay=0.0, backbone_lr=-1)


def test_one_step_of_sgd_by_hand():
    layer = nn.Linear(1, 1)
    nn.init.constant_(layer.weight, 2.0)
    nn.init.constant_(layer.bias, 3.0)
    optimizer = sgd(layer, lr=0.1, weight_decay=0.5, momentum=0.0, nesterov=False)
    layer(torch.ones(1, 1)).sum().backward()
    optimizer.step()
    # The gradient is 1; the weight is decayed by 0.5 * 2, the bias is not.
    assert layer.weight.item() == pytest.approx(2 - 0.1 * (1 + 1))
    assert layer.bias.item() == pytest.approx(3 - 0.1)


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configured_optimizer_learns_and_has_a_plain_state(path, tmp_path):
    network = Network()
    optimizer = instantiate(OmegaConf.load(path))(network)
    photos, losses = torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(0)), []
    for _ in range(5):
        optimizer.zero_grad()
        loss = network.head(network.backbone(photos).flatten(1)).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    torch.save(optimizer.state_dict(), tmp_path / "state")
    optimizer.load_state_dict(torch.load(tmp_path / "state", weights_only=True))


def test_betas_may_be_any_pair():
    assert adamw(Network(), lr=1.0, weight_decay=0.0, betas=[0.8, 0.9]).defaults["betas"] == (0.8, 0.9)
