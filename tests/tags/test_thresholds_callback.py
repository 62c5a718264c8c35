"""Thresholds are fitted after each validation, and belong to the weights that they were fitted with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from torch import nn

from tagger.data.batch import Batch
from tagger.data.datamodule import PhotoData
from tagger.model.checkpoint import load_checkpoint
from tagger.model.module import TaggerModule
from tagger.model.optimizers import sgd
from tagger.tags.histogram import Histogram
from tagger.tags.thresholds import NEVER, Target, fit
from tagger.tags.thresholds_callback import ThresholdsCallback

CALLBACKS = Path(__file__).parents[2] / "conf" / "callbacks"
MakeModule = Callable[..., TaggerModule]
MakeTrainer = Callable[..., pl.Trainer]


@pytest.fixture
def data(colours: Callable[..., Path], photo_data: Callable[..., PhotoData]) -> PhotoData:
    return photo_data(colours(80), batch_size=16)


def validate(module: TaggerModule, trainer: pl.Trainer, scores: list[list[float]], states: list[list[int]]) -> None:
    """Validate photos that get these scores."""
    module.logits = lambda batch: torch.tensor(scores).logit()  # type: ignore[method-assign]
    batch = Batch(torch.zeros(len(scores), 1), torch.tensor(states, dtype=torch.int8), torch.arange(len(scores)))
    trainer.validate(module, torch.utils.data.DataLoader([batch], batch_size=None), verbose=False)


def test_worked_example(tagger_module: MakeModule, trainer: MakeTrainer):
    # Label 0: all above .5 carry it, none below. Label 1: the best F1 tags everything. Label 2 is on no photo.
    scores = [[0.9, 0.2, 0.3], [0.7, 0.3, 0.3], [0.4, 0.1, 0.3]]
    states = [[1, 1, -1], [1, 1, -1], [-1, 1, -1], [-1, -1, -1]]
    thresholds = ThresholdsCallback(Target())
    module = tagger_module(labels=3)
    validate(module, trainer(callbacks=[thresholds]), [*scores, [0.1, 0.15, 0.3]], states)
    assert module.thresholds.tolist() == thresholds.contract.thresholds.tolist()
    # The edge below the lowest score that is tagged; bins are 0.012 wide in logit.
    assert 0.695 < module.thresholds[0] <= 0.7
    assert 0.095 < module.thresholds[1] <= 0.1
    assert module.thresholds[2] == NEVER
    assert thresholds.contract.verdicts == ("best_f1", "best_f1", "unreachable")


def test_what_unknown_counts_for_is_the_modules(tagger_module: MakeModule, trainer: MakeTrainer):
    # The unknown photo scores highest: as a negative it costs precision, ignored it costs nothing.
    scores, states = [[0.9], [0.8], [0.1]], [[0], [1], [-1]]
    precisions = []
    for unknown in (1.0, 0.0):
        thresholds = ThresholdsCallback(Target())
        validate(tagger_module(labels=1, unknown=unknown), trainer(callbacks=[thresholds]), scores, states)
        precisions.append(thresholds.contract.points()[0].precision)
    assert precisions == [0.5, 1.0]


def test_the_sanity_check_fits_nothing(tagger_module: MakeModule, trainer: MakeTrainer, data: PhotoData):
    seen: list[list[float]] = []

    class Look(Callback):
        def on_sanity_check_end(self, trainer: Any, pl_module: Any) -> None:
            seen.append(pl_module.thresholds.tolist())

    module = tagger_module()
    trainer(callbacks=[ThresholdsCallback(Target()), Look()], num_sanity_val_steps=2).fit(module, data)
    assert seen == [[0.5] * 4]
    assert module.thresholds.tolist() != seen[0]


def keep(folder: Path) -> ModelCheckpoint:
    """Return the callback that keeps ``best.ckpt``, as the command has it."""
    return ModelCheckpoint(dirpath=folder, filename="best", monitor="val/map", mode="max", enable_version_counter=False)


def fitted(network: nn.Module, data: PhotoData, target: Target) -> torch.Tensor:
    """Return the thresholds that this network should have, computed without Lightning."""
    with torch.no_grad():
        photos = torch.stack([data.plain(path) for path in data.names(data.val_rows)])
        scores = network.eval()(photos).sigmoid()
    states = torch.from_numpy(data.catalog.states[data.val_rows].toarray())
    return fit(Histogram.of(scores, states), target, unknown="negative").thresholds


def test_best_holds_the_thresholds_of_its_own_epoch(
    tmp_path: Path, tagger_module: MakeModule, trainer: MakeTrainer, data: PhotoData
):
    # So fast that the second epoch is another network: scores, and thresholds, of both differ.
    module = tagger_module(optimizer=lambda module: sgd(module, lr=1.0, weight_decay=0.0))
    target = Target()
    trainer(callbacks=[keep(tmp_path), ThresholdsCallback(target)], enable_checkpointing=True, max_epochs=3).fit(
        module, data
    )
    network, thresholds, _ = load_checkpoint(tmp_path / "best.ckpt")
    assert thresholds.tolist() == pytest.approx(fitted(network, data, target).tolist(), rel=0.02)


def test_with_an_averaging_callback_weights_and_thresholds_of_best_are_those_of_the_average(
    tmp_path: Path, tagger_module: MakeModule, trainer: MakeTrainer, data: PhotoData
):
    average = instantiate(OmegaConf.load(CALLBACKS / "ema.yaml").ema, decay=0.8)
    target = Target()
    module = tagger_module(optimizer=lambda module: sgd(module, lr=1.0, weight_decay=0.0))
    callbacks = [ThresholdsCallback(target), average, keep(tmp_path)]
    trainer(callbacks=callbacks, enable_checkpointing=True, max_epochs=2).fit(module, data)
    checkpoint = torch.load(tmp_path / "best.ckpt", weights_only=True)
    current, averaged = checkpoint["current_model_state"], checkpoint["state_dict"]
    assert (current["network.head.weight"] != averaged["network.head.weight"]).any()
    network, thresholds, _ = load_checkpoint(tmp_path / "best.ckpt")
    expected = fitted(network, data, target)
    assert thresholds.tolist() == pytest.approx(expected.tolist(), rel=0.02)
    network.load_state_dict(
        {name.removeprefix("network."): value for name, value in current.items() if name.startswith("network.")}
    )
    assert fitted(network, data, target).tolist() != pytest.approx(expected.tolist(), rel=0.02)
    assert averaged["network.backbone.bn1.num_batches_tracked"] > 0, "counts are copied, not averaged"
