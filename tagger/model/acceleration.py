"""What makes a GPU faster without changing the mathematics."""

from typing import cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from tagger.model.module import TaggerModule


class Accelerate(Callback):
    """Lay convolutions out channels-last and, optionally, compile the backbone.

    Example:
        >>> Accelerate(channels_last=True, compile=False).channels_last
        True
    """

    def __init__(self, *, channels_last: bool, compile: bool) -> None:  # noqa: A002 - the word of torch.compile
        self.channels_last = channels_last
        self.compile = compile

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self.channels_last:
            pl_module.to(memory_format=torch.channels_last)
        if self.compile:
            # In place: the names in the checkpoint stay those of the plain network.
            cast(TaggerModule, pl_module).network.backbone.compile()
