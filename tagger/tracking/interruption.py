"""Ctrl-C and ``kill``: finish the batch, keep a checkpoint, stop."""

import signal
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopCleanly(Callback):
    """On the first signal, save ``last.ckpt`` after the batch in hand and stop; on the second, stop at once."""

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.asked = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._previous = {number: signal.signal(number, self._ask) for number in SIGNALS}

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # All processes stop after the same batch, whichever of them was signalled.
        if trainer.world_size > 1:
            self.asked = trainer.strategy.reduce_boolean_decision(self.asked, all=False)
        if self.asked:
            trainer.save_checkpoint(self.checkpoint)
            raise KeyboardInterrupt

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._restore()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._restore()
        if isinstance(exception, KeyboardInterrupt) and trainer.is_global_zero:
            print(f"\nstopped at step {trainer.global_step}; the same command with resume=true goes on from there")

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        print("\nstopping after this batch (once more stops at once)", flush=True)

    def _restore(self) -> None:
        for number, handler in getattr(self, "_previous", {}).items():
            signal.signal(number, handler)
