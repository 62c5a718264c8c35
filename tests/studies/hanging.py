"""A training that never ends, for as long as a file is there."""

import time
from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import Callback


class HangAfterAnEpoch(Callback):
    """Sleeps for ever in the second epoch, and does not listen to signals meanwhile."""

    def __init__(self, flag: str) -> None:
        self.flag = Path(flag)

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        while trainer.current_epoch >= 1 and self.flag.exists():
            time.sleep(0.1)
