"""The callback that fits the thresholds on validation and keeps them in the module."""

from typing import cast

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from tagger.model.module import TaggerModule
from tagger.tags.histogram import Histogram
from tagger.tags.kept_thresholds import kept
from tagger.tags.thresholds import Contract, Target, fit


class ThresholdsCallback(Callback):
    """After each validation, fit the contract on its scores; the module's thresholds are then the contract's."""

    contract: Contract
    histogram: Histogram
    """What the contract was fitted on."""

    refitted: Tensor | None = None
    """Which labels had a threshold that no longer does, boolean (labels,); None where none had one."""

    def __init__(self, target: Target, earlier: Tensor | None = None) -> None:
        self.target = target
        self.earlier = earlier
        """Thresholds that are left alone where they still do, (labels,), NaN of labels without one."""

    # At the end of validation and not of its epoch: an averaging callback swaps the weights back in between, and the
    # thresholds belong to the averaged ones.
    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking:
            return
        module = cast(TaggerModule, pl_module)
        self.histogram = module.validation.compute()
        self.contract = fit(self.histogram, self.target, unknown=module.unknown)
        if self.earlier is not None:
            self.contract, self.refitted = kept(self.contract, self.histogram, self.earlier)
        module.thresholds.copy_(self.contract.thresholds)
