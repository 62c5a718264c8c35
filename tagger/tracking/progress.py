"""How far a training is: a bar where somebody looks on, a line per epoch where the output goes to a file."""

import sys

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, RichProgressBar


class EpochLines(Callback):
    """Prints one line per epoch."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            metrics = trainer.callback_metrics
            figures = "  ".join(f"{name} {metrics[name]:.4f}" for name in ("train/loss", "val/map") if name in metrics)
            print(
                f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  step {trainer.global_step}  {figures}",
                flush=True,
            )


def progress_bar() -> Callback:
    """Return a rich bar for a terminal, plain lines otherwise."""
    return RichProgressBar(leave=False) if sys.stdout.isatty() else EpochLines()
