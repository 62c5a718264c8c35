"""The callback that audits the relations on validation and, if it is asked to, switches the harmful ones off."""

from dataclasses import replace
from typing import Any, cast

import pytorch_lightning as pl
import torch
import torch.distributed as dist
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from tagger.model.module import TaggerModule
from tagger.tags.relations.audit import Effect, audit, harmful
from tagger.tags.relations.rules import Keep


class AuditCallback(Callback):
    """At the first validation outside a fit, measure what each relation does; it comes after `ThresholdsCallback`.

    Args:
        keep: ``all``, or ``helpful``: then `switch_off` does what its name says.
    """

    def __init__(self, keep: Keep) -> None:
        self.keep = keep
        self.effects: list[Effect] | None = None
        self._parts: list[tuple[Tensor, ...]] = []

    def on_validation_batch_end(  # noqa: PLR0917 - Lightning's signature
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self._is_due(trainer):
            kinds = torch.zeros_like(batch.rows) if batch.kinds is None else batch.kinds
            self._parts.append(tuple(tensor.cpu() for tensor in (batch.rows, outputs.fused, batch.states, kinds)))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._is_due(trainer):
            return
        module, parts = cast(TaggerModule, pl_module), self._parts
        if trainer.world_size > 1:
            # To all processes and not only the first: all of them go on with the same rules.
            gathered: list[Any] = [None] * trainer.world_size
            dist.all_gather_object(gathered, parts)
            parts = [part for rank in gathered for part in rank]
        rows, scores, states, kinds = (torch.cat(column) for column in zip(*parts, strict=True))
        order = rows.argsort()
        rules = module.rules.without([]).cpu()
        self.effects = audit(
            rules,
            scores[order],
            states[order],
            thresholds=module.thresholds.cpu(),
            unknown=module.unknown,
            kinds=kinds[order],
        )
        self._parts = []

    def again(self) -> None:
        """Audit at the next validation once more: the scores that the relations are applied to have changed."""
        self.effects = None

    def switch_off(self, module: TaggerModule) -> bool:
        """Switch off what harms, if that is asked for; return whether the module's rules have changed."""
        harms = harmful(self.effects or [])
        if self.keep != "helpful" or not harms:
            return False
        module.rules = module.rules.without(harms)
        self.effects = [replace(effect, is_used=effect.relation not in harms) for effect in self.effects or []]
        return True

    def _is_due(self, trainer: pl.Trainer) -> bool:
        return trainer.state.fn == TrainerFn.VALIDATING and self.effects is None
