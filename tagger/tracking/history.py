"""The learning curve of a run, kept in its checkpoints so that a resumed run has the whole of it."""

from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from tagger.tracking.expert import Trained


class History(Callback):
    """One row per validation: step, epoch and every metric that was logged."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.bad_photos: dict[str, str] = {}
        self.photos = 0
        """Photos trained on since this process started, over all processes."""
        self._is_validated = False

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.bad_photos.update(batch.bad)
        self.photos += len(batch.rows) * trainer.world_size

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, *_: Any, **__: Any
    ) -> None:
        self.bad_photos.update(batch.bad)

    on_test_batch_end = on_validation_batch_end

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._is_validated = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Lightning hands on the figures of an earlier validation, unless the run was resumed since.
        metrics = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if self._is_validated or not name.startswith("val/")
        }
        self._is_validated = False
        self.rows.append({"step": float(trainer.global_step), "epoch": float(trainer.current_epoch + 1), **metrics})

    def follow(self, experts: Iterable[Trained]) -> None:
        """Put the curves of networks that were trained one after the other into one."""
        for expert in experts:
            before = self.rows[-1]["step"] if self.rows else 0.0
            self.rows += [row | {"step": before + row["step"]} for row in expert.history]
            self.bad_photos.update(expert.bad_photos)
            self.photos += expert.photos

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "bad_photos": self.bad_photos}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])
        self.bad_photos = dict(state_dict["bad_photos"])
