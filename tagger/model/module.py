"""The LightningModule: it assembles network, loss, optimizer and metrics, and decides nothing itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer

from tagger.data.batch import Batch
from tagger.data.states import targets_and_weights
from tagger.errors import UserError
from tagger.model.losses.distillation import Distillation, said_and_weights
from tagger.model.losses.limits import at_least_zero
from tagger.model.mixup import Mix, draw_mix
from tagger.model.network import Network
from tagger.model.regime import Regime
from tagger.model.schedule import planned_steps
from tagger.tags.detector.fusion import Calibration, Fusion, Way
from tagger.tags.histogram import ScoreHistogram
from tagger.tags.metrics import mean_average_precision
from tagger.tags.relations.rules import Rules


class NotFiniteLossError(UserError):
    """The loss became NaN or infinite; the message names the step and the photos of the batch."""


class Steps(NamedTuple):
    """The scores of a batch on their way, all (batch, labels) in 0..1."""

    network: Tensor
    """Of the network alone."""
    fused: Tensor
    """With what a detector saw: what relations are applied to."""
    scores: Tensor
    """What comes out of the whole chain: what is measured, and what thresholds are fitted on."""


class TaggerModule(pl.LightningModule):
    """A network in training.

    Args:
        network: Photos or features to logits (batch, labels).
        regime: Which part of it learns.
        loss: ``(logits, targets, weights) -> scalar``.
        optimizer: ``module -> Optimizer``.
        schedule: ``(optimizer, total steps) -> scheduler``, stepped every optimisation step.
        unknown: Weight in [0, 1] of an unknown label as a negative, in the loss and the metrics; several
            if it differs between kinds of photos (see `Batch.kinds`).
        seed: Seed of dropout and mixup, which are functions of (seed, step): the same after a resume.
        mixup: Alpha of `draw_mix`, by which photos of a batch are blended in pairs; 0: they are not.
        recipe: What is needed to build the network again, as plain values; stored in every checkpoint.
        rules: What completes the scores before they are measured and thresholds are fitted; None: nothing does.
        detector: What a checkpoint must say of the detector whose detections the batches hold, as plain values.
        distillation: How much of the loss the scores of teachers are that the batches hold; None: nothing.
    """

    thresholds: Tensor
    unknown_weights: Tensor

    def __init__(
        self,
        *,
        network: Network,
        regime: Regime,
        loss: nn.Module,
        optimizer: Callable[[nn.Module], Optimizer],
        schedule: Callable[[Optimizer, int], Any],
        unknown: float | Sequence[float],
        seed: int,
        recipe: dict[str, Any],
        mixup: float = 0.0,
        rules: Rules | None = None,
        detector: Mapping[str, Any] | None = None,
        distillation: Distillation | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.regime = regime
        self.loss = loss
        self.distillation = distillation
        self.optimizer_factory = optimizer
        self.schedule_factory = schedule
        self.unknown = (unknown,) if isinstance(unknown, int | float) else tuple(unknown)
        self.register_buffer("unknown_weights", torch.tensor(self.unknown), persistent=False)
        at_least_zero(mixup=mixup)
        self.seed = seed
        self.mixup = mixup
        self.recipe = recipe
        ids = [label["id"] for label in recipe["labels"]]
        self.rules = rules or Rules(ids)
        self.detector = dict(detector or {})
        # Nothing is taken before validation has judged the trained network.
        self.fusion = Fusion(ids)
        labels = network.head.out_features
        self.register_buffer("thresholds", torch.full((labels,), 0.5))
        self.validation = ScoreHistogram(labels, kinds=len(self.unknown))
        self.test = ScoreHistogram(labels, kinds=len(self.unknown))
        self.network.backbone.requires_grad_(regime.train_backbone)
        # Lightning starts a fit in whatever mode the module is in.
        self.train()

    def forward(self, images: Tensor, detected: Tensor | None = None) -> Tensor:
        """Return the scores (batch, labels), 0..1, of photos (batch, 3, height, width) and what a detector saw."""
        return self.steps(self.network(images), detected).scores

    def steps(self, logits: Tensor, detected: Tensor | None) -> Steps:
        """Take logits (batch, labels) through the chain: sigmoid, fusion, relations."""
        scores = logits.float().sigmoid()
        if not self.fusion.taken:
            return Steps(scores, scores, self.rules(scores))
        if detected is None:
            raise ValueError(f"{len(self.fusion.taken)} labels take a detector: say what it saw, zeros if nothing")
        fused = self.fusion(scores, detected)
        return Steps(scores, fused, self.rules(fused))

    def take_detector(self, way: Way, taken: Mapping[str, Calibration], *, floor: float) -> None:
        """Let some labels take the detector from now on."""
        self.fusion = Fusion(self.fusion.labels, way, taken, floor=floor).to(self.thresholds.device)

    def train(self, mode: bool = True) -> "TaggerModule":
        """Keep a frozen backbone in evaluation mode: its batch norms must not drift."""
        super().train(mode)
        if not self.regime.train_backbone:
            self.network.backbone.eval()
        return self

    def logits(self, batch: Batch) -> Tensor:
        """Return the logits (batch, labels) of photos or of cached features."""
        return self.network.classify(batch.inputs) if batch.inputs.ndim < 4 else self.network(batch.inputs)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        torch.manual_seed(hash((self.seed, self.global_step, self.global_rank)))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        mix = draw_mix(self.mixup, len(batch.rows), device=batch.inputs.device) if self.mixup else None
        inputs = batch.inputs if mix is None else mix.blend(batch.inputs)
        loss = self.loss_of(self.logits(batch._replace(inputs=inputs)), batch, mix)
        if not torch.isfinite(loss):
            raise NotFiniteLossError(self._not_finite(loss, batch))
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch.rows))
        return loss

    def loss_of(self, logits: Tensor, batch: Batch, mix: Mix | None = None) -> Tensor:
        """Return the loss of logits (batch, labels) against the annotations and, with a teacher, against its scores."""

        def judged(loss: nn.Module, targets: Tensor, weights: Tensor) -> Tensor:
            value: Tensor = loss(logits, targets, weights) if mix is None else mix.loss(loss, logits, targets, weights)
            return value

        kinds = torch.zeros_like(batch.rows) if batch.kinds is None else batch.kinds
        unknown = self.unknown_weights[kinds if kinds.ndim == 2 else kinds[:, None]]
        known = targets_and_weights(batch.states, unknown=unknown)
        annotated = judged(self.loss, *known)
        if self.distillation is None or batch.taught is None:
            return annotated
        return self.distillation.shared(annotated, judged(self.distillation, *said_and_weights(batch.taught)))

    def on_validation_epoch_start(self) -> None:
        self.validation.reset()

    # Lightning hands on what a step returns, whatever it is.
    def validation_step(self, batch: Batch, batch_idx: int) -> Steps:  # type: ignore[override]
        """Measure what comes out of the whole chain; return its steps, by which each of them is judged."""
        steps = self.steps(self.logits(batch), batch.detected)
        self.validation.update(steps.scores, batch.states, batch.kinds)
        return steps

    def on_validation_epoch_end(self) -> None:
        # Every process holds the sum over all processes: nothing is left to reduce.
        mean = mean_average_precision(self.validation.compute(), unknown=self.unknown)
        self.log("val/map", mean.value or 0.0, prog_bar=True)
        self.log("val/labels_counted", float(mean.labels))

    def on_test_epoch_start(self) -> None:
        self.test.reset()

    def test_step(self, batch: Batch, batch_idx: int) -> Steps:  # type: ignore[override]
        steps = self.steps(self.logits(batch), batch.detected)
        self.test.update(steps.scores, batch.states, batch.kinds)
        return steps

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = self.optimizer_factory(self.network)
        # Not `estimated_stepping_batches`: it builds the loader before a resumed epoch and batch are known.
        steps = planned_steps(self.trainer, batches=self.trainer.datamodule.batches)  # type: ignore[attr-defined]
        schedule = self.schedule_factory(optimizer, steps)
        # Lightning's default is once per epoch.
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        rules = {"rules": self.rules.as_recipe()} if self.rules.relations else {}
        detector = {"detector": self.detector | self.fusion.as_recipe()} if self.fusion.taken else {}
        checkpoint["recipe"] = self.recipe | rules | detector
        # An averaging callback has put its own copy here, which may be older than the last fit.
        checkpoint["state_dict"]["thresholds"] = self.thresholds.clone()

    def _not_finite(self, loss: Tensor, batch: Batch) -> str:
        photos = self.trainer.datamodule.names(batch.rows.cpu().numpy())  # type: ignore[attr-defined]
        return (
            f"the loss is {loss.item()} at step {self.global_step}; the photos of the batch are {', '.join(photos)}. "
            "Lower optimizer.lr, lengthen schedule.warmup, or set trainer.gradient_clip_val=1"
        )
