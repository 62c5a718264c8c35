"""Scores and states of every test photo, gathered from all processes in the order of the catalog."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from pytorch_lightning.callbacks import Callback

from tagger.model.module import TaggerModule
from tagger.tags.histogram import Histogram


@dataclass(frozen=True, eq=False)
class Scored:
    """Every test photo once, in the order of the catalog."""

    rows: np.ndarray
    """Catalog rows, int64 (photos,)."""
    scores: np.ndarray
    """float32 (photos, labels), 0..1."""
    states: np.ndarray
    """int8 (photos, labels)."""
    histogram: Histogram
    """The same, counted."""
    kinds: np.ndarray | None = None
    """int8 (photos,): kind of each photo, by what its sources' silence about a label means; None: all of kind 0. Where
    that depends on the label as well, (photos, labels)."""


class TestScores(Callback):
    """Keeps what the test gave; after it, ``scored`` is there on the first process."""

    __test__ = False  # pytest takes every class called Test… for a test

    scored: Scored

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._parts: list[tuple[np.ndarray, ...]] = []

    def on_test_batch_end(  # noqa: PLR0917 - Lightning's signature
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        kinds = torch.zeros_like(batch.rows) if batch.kinds is None else batch.kinds
        tensors: tuple[torch.Tensor, ...] = (batch.rows, outputs.scores, batch.states, kinds.to(torch.int8))
        self._parts.append(tuple(tensor.cpu().numpy() for tensor in tensors))

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        parts, histogram = self._parts, cast(TaggerModule, pl_module).test.compute()
        if trainer.world_size > 1:
            gathered: list[Any] | None = [None] * trainer.world_size if trainer.is_global_zero else None
            dist.gather_object(parts, gathered)
            parts = [part for rank in gathered or [] for part in rank]
        if trainer.is_global_zero:
            rows, scores, states, kinds = (np.concatenate(column) for column in zip(*parts, strict=True))
            order = np.argsort(rows)
            self.scored = Scored(rows[order], scores[order], states[order], histogram, kinds[order])
        del self._parts
