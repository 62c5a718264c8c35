"""Checkpoints of a training: there whole or not at all, and kept only where nothing is under way."""

import io
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.loops.loop import _Loop

from tagger.atomic import written_whole
from tagger.tracking.run_folder import LAST, PREVIOUS

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a checkpoint whole or not at all; of a `LAST` one, the one before stays beside it as `PREVIOUS`.

    Raises:
        OSError: If the folder is full or not writable; what was there is then still there.
    """
    # Not into the file: torch hides the reason when that fails.
    content = io.BytesIO()
    torch.save(checkpoint, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        file.write(content.getbuffer())
        file.flush()
        if path.name == LAST and path.exists():
            path.replace(path.with_name(PREVIOUS))


class WholeCheckpoints(TorchCheckpointIO):
    """How Lightning writes checkpoints. Its own way is by the temporary folder, and copies from there are torn."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        write_checkpoint(checkpoint, Path(path))


class LastCheckpoint(Checkpoint):
    """Keeps ``last.ckpt``: after every epoch, within long ones every so often, and when somebody asks to stop.

    On the first signal (Ctrl-C, ``kill``) it is kept after the batch in hand, on the second training stops at once.
    Within an epoch it is kept only after a batch that is followed by another one: what is under way in between,
    gradients that are gathered over several batches or a validation, is in no checkpoint.

    Args:
        folder: Of the checkpoints.
        minutes: After so many it is kept within an epoch, too.
    """

    def __init__(self, folder: Path, *, minutes: float) -> None:
        self.path = folder / LAST
        self.seconds = 60 * minutes
        self.asked = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epochs: Any = trainer.fit_loop.epoch_progress.current
        if epochs.started == epochs.processed:
            # Where max_steps is set, Lightning takes an epoch that is over for one under way, and ends it again.
            _Loop.restarting.fset(trainer.fit_loop, False)  # type: ignore[attr-defined]
        self._kept_at = time.monotonic()
        self._previous = {number: signal.signal(number, self._ask) for number in SIGNALS}

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        is_due = trainer.is_global_zero and time.monotonic() - self._kept_at >= self.seconds
        # All processes do so after the same batch, whichever of them was signalled or has waited long enough.
        if _any(trainer, self.asked or is_due) and not _is_under_way(trainer, batch_idx):
            self._keep(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._keep(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._restore()

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Not at the training's end: a training that was over before it was resumed does not end again.
        if trainer.is_global_zero:
            self.path.with_name(PREVIOUS).unlink(missing_ok=True)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._restore()
        if isinstance(exception, KeyboardInterrupt) and trainer.is_global_zero:
            print(f"\nstopped at step {trainer.global_step}; the same command with resume=true goes on from there")

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["should_stop"] = trainer.should_stop

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        # A training that was stopped early is over, also when it is killed afterwards.
        trainer.should_stop = checkpoint.get("should_stop", False)
        for epochs in checkpoint["loops"]["fit_loop"]["epoch_progress"].values():
            if epochs["processed"] == epochs["started"]:
                epochs["completed"] = epochs["processed"]

    def _keep(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._kept_at = time.monotonic()
        if _any(trainer, self.asked):
            raise KeyboardInterrupt

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        print("\nstopping after this batch (once more stops at once)", flush=True)

    def _restore(self) -> None:
        for number, handler in getattr(self, "_previous", {}).items():
            signal.signal(number, handler)


def _any(trainer: pl.Trainer, asked: bool) -> bool:
    """Return whether this holds in any of the processes."""
    return asked if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(asked, all=False)


def _is_under_way(trainer: pl.Trainer, batch_idx: int) -> bool:
    """Return whether something is to be finished before the next batch: a step, a validation or the epoch."""
    # Lightning gathers gradients from the beginning of each epoch on.
    is_between_steps = (batch_idx + 1) % trainer.accumulate_grad_batches != 0
    validates = isinstance(trainer.val_check_batch, int) and (batch_idx + 1) % trainer.val_check_batch == 0
    return trainer.is_last_batch or is_between_steps or validates
