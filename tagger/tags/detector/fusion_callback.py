"""The callback that decides on validation which labels take the detector; the test fold says what came of it."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.trainer.states import TrainerFn

from tagger.atomic import written_whole
from tagger.model.module import TaggerModule
from tagger.tags.detector.choosing import Choice, Seen, choose, measured
from tagger.tags.detector.data_detector import DataDetector

MODEL = "detector.onnx"
"""Name of the detector's ONNX graph in the folder of a run."""

Part = tuple[np.ndarray, ...]


class FusionCallback(Callback):
    """At the first validation outside a fit, compare the network's scores with and without the detector.

    Args:
        looking: The detector; None: there is none, and nothing happens.
    """

    def __init__(self, detector: DataDetector | None) -> None:
        self.detector = detector
        self.settings = detector.settings if detector else None
        self.candidates = torch.from_numpy(detector.map.candidates) if detector else torch.empty(0, dtype=torch.long)
        self.choices: list[Choice] = []
        self._parts: list[Part] = []
        self._photos: Seen | None = None

    def on_validation_batch_end(  # noqa: PLR0917 - Lightning's signature
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self.settings is not None and self._photos is None and trainer.state.fn == TrainerFn.VALIDATING:
            self._keep(outputs, batch)

    def on_test_batch_end(  # noqa: PLR0917 - Lightning's signature
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self.settings is not None:
            self._keep(outputs, batch)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._parts:
            self._photos = self._gathered(trainer)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.settings is None:
            return
        module, photos = cast(TaggerModule, pl_module), self._gathered(trainer)
        self.choices = measured(self.choices, photos, self.settings, unknown=module.unknown)

    def fuse(self, module: TaggerModule) -> bool:
        """Let the module take the detector where validation gained by it; return whether any label does.

        All processes do the same: they hold the same photos.
        """
        if self.settings is None or self._photos is None:
            return False
        labels = [module.fusion.labels[column] for column in self.candidates.tolist()]
        calibrations, self.choices = choose(labels, self._photos, self.settings, unknown=module.unknown)
        module.take_detector(self.settings.fusion, calibrations, floor=self.settings.floor)
        return bool(calibrations)

    def keep_model(self, folder: Path) -> None:
        """Write the detector into the run's folder: the run must not depend on where its file lies."""
        if self.detector is not None:
            with written_whole(folder / MODEL) as file:
                file.write(self.detector.model)

    def _keep(self, outputs: Any, batch: Any) -> None:
        """Keep the candidates' columns: they are few."""
        kinds = torch.zeros_like(batch.rows) if batch.kinds is None else batch.kinds
        columns = self.candidates.to(batch.rows.device)
        kinds = kinds[:, columns] if kinds.ndim == 2 else kinds
        tensors = (batch.rows, outputs.network[:, columns], batch.detected[:, columns], batch.states[:, columns], kinds)
        self._parts.append(tuple(tensor.cpu().numpy() for tensor in tensors))

    def _gathered(self, trainer: pl.Trainer) -> Seen:
        """Return the photos of all processes in the order of the catalog."""
        parts, self._parts = self._parts, []
        if trainer.world_size > 1:
            gathered: list[Any] = [None] * trainer.world_size
            dist.all_gather_object(gathered, parts)
            parts = [part for rank in gathered for part in rank]
        rows, *others = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(rows)
        return Seen(*(torch.from_numpy(other[order]) for other in others))
