"""One training of a search: in this process, judged by the validation mAP of its best epoch."""

import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytorch_lightning as pl
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Callback, RichProgressBar
from pytorch_lightning.trainer.states import TrainerFn

from tagger.data.datamodule import PhotoData
from tagger.tags.detector.fusion_callback import FusionCallback
from tagger.tags.relations.audit_callback import AuditCallback
from tagger.tags.thresholds_callback import ThresholdsCallback
from tagger.tracking.run_folder import RunFolder
from tagger.training.building import assemble, build_trainer, places, see_photos
from tagger.training.finalising import finalise

PARTS = 10
"""Parts of a training at whose ends trials are compared, however many epochs each has."""


class StopAskedError(Exception):
    """Somebody asked the search to stop; the trial under way is not finished."""


@dataclass(frozen=True)
class Judged:
    """What a training came to."""

    val_map: float
    epoch: int
    """The one that validated best, from 1."""
    seconds: float


class Watch(Callback):
    """After each validation: report to the trial, and end the training if it is pruned or the search is to stop.

    Reported is the best validation mAP so far, at the end of each tenth of the training: trials of 15 and of 60 epochs
    can be compared.

    Args:
        trial: Of Optuna; None: nothing is reported or pruned.
        is_to_stop: Asked after every epoch.
        prune: Whether the trial may be pruned.
    """

    def __init__(self, trial: optuna.Trial | None, *, is_to_stop: Callable[[], bool], prune: bool) -> None:
        self.trial = trial
        self.is_to_stop = is_to_stop
        self.prune = prune
        self.best = -math.inf
        self.best_epoch = 0
        self.epoch = 0
        self.part = 0

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking:
            return
        self.epoch = trainer.current_epoch + 1
        value = float(trainer.callback_metrics["val/map"])
        if value > self.best:
            self.best, self.best_epoch = value, self.epoch
        if self.is_to_stop():
            raise StopAskedError
        self._report(part_of(self.epoch, trainer.max_epochs or self.epoch))

    def _report(self, part: int) -> None:
        if self.trial is None or part <= self.part:
            return
        for step in range(self.part + 1, part + 1):
            self.trial.report(self.best, step)
        self.part = part
        # After the last part there is nothing to save.
        if self.prune and part < PARTS and self.trial.should_prune():
            raise optuna.TrialPruned(f"at epoch {self.epoch}")


def part_of(epoch: int, epochs: int) -> int:
    """Return how many tenths of a training are over after an epoch.

    Example:
        >>> [part_of(epoch, 15) for epoch in (1, 2, 14, 15)], part_of(1, 2)
        ([0, 1, 9, 10], 5)
    """
    return PARTS * epoch // epochs


def judge(config: DictConfig, data: PhotoData, watch: Watch, *, callbacks: Sequence[Callback] = ()) -> Judged:
    """Train a configuration as ``tagger.train`` does, and stop where that would look at the test fold.

    Args:
        config: Of the training.
        data: Built of it.
        watch: What ends it early.
        callbacks: Others, such as a progress bar.
    """
    started = time.monotonic()
    pl.seed_everything(config.seed, workers=True, verbose=False)
    module, detector = assemble(config, data)
    thresholds, fusion = ThresholdsCallback(instantiate(config.thresholds)), FusionCallback(detector)
    audit = AuditCallback(config.rules.keep)
    with tempfile.TemporaryDirectory(prefix="tagger-trial-") as folder:
        run = RunFolder(Path(folder), resumed=False)
        trainer = build_trainer(config, run, None, [thresholds, fusion, audit, watch, *callbacks], resumable=False)
        see_photos(data, module, detector, trainer.strategy.root_device, places(config.teacher))
        trainer.fit(module, data)
        val_map = finalise(trainer, module, data, run, fusion, audit)
    return Judged(val_map, watch.best_epoch, time.monotonic() - started)


def progress(is_shown: bool) -> list[Callback]:
    """Return a bar that goes away when the training ends, where somebody looks on."""
    return [RichProgressBar(leave=False)] if is_shown else []
