"""Train a folder's network, or go on with it; kill this process if that is asked for. Prints what the training came to.

python resuming.py RUN_FOLDER KILL WORDS…, where KILL is never, batch:N (after the checkpoint of step N) or epoch:N
(after that of epoch N); the words are those of tagger.train.
"""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

from tagger.data.datamodule import PhotoData
from tagger.model.module import TaggerModule
from tagger.studies.composing import composed, composing
from tagger.tags.thresholds import Target
from tagger.tags.thresholds_callback import ThresholdsCallback
from tagger.tracking.history import History
from tagger.tracking.quiet import quieten
from tagger.tracking.run_folder import RunFolder
from tagger.training.building import assemble, build_data, build_trainer


class Kill(Checkpoint):
    """Kills this process after a batch or an epoch. Behind what keeps checkpoints, as the last of its kind."""

    def __init__(self, when: str) -> None:
        self.part, _, number = when.partition(":")
        self.number = int(number or 0)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.kill(self.part == "batch" and trainer.global_step == self.number)

    def on_train_epoch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.kill(self.part == "epoch" and trainer.current_epoch + 1 == self.number)

    def kill(self, is_time: bool) -> None:
        if is_time:
            os.kill(os.getpid(), signal.SIGKILL)


class Draws(pl.Callback):
    """Lists the photos of every batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, *_: Any) -> None:
        self.batches.append(batch.rows.tolist())


def digest(tensors: dict[str, torch.Tensor]) -> str:
    whole = hashlib.sha256()
    for name in sorted(tensors):
        whole.update(tensors[name].detach().cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()


def main(folder: str, when: str, *words: str) -> None:
    quieten()
    with composing():
        config = composed("train", [word for word in words if word != "one_epoch_workers"])
    if "one_epoch_workers" in words:
        # Processes that end with the epoch instead of being kept for the next.
        settings = PhotoData._loading
        PhotoData._loading = lambda *given: settings(*given) | {"persistent_workers": False}  # type: ignore[method-assign]
    run = RunFolder(Path(folder), resumed=(Path(folder) / "checkpoints").is_dir())
    pl.seed_everything(config.seed, workers=True, verbose=False)
    data = build_data(config)
    module: TaggerModule = assemble(config, data)[0]
    history, draws = History(), Draws()
    trainer = build_trainer(
        config, run, None, [ThresholdsCallback(Target(precision=None, recall=None)), history, draws]
    )
    trainer.callbacks.append(Kill(when))  # type: ignore[attr-defined]
    trainer.fit(module, data, ckpt_path=run.newest_checkpoint(), weights_only=True)
    if trainer.is_global_zero:
        best = torch.load(run.checkpoints / "best.ckpt", weights_only=True)
        found = {
            "weights": digest(module.state_dict()),
            "best": digest(best["state_dict"]),
            "best step": best["global_step"],
            "history": history.rows,
            "draws": draws.batches,
        }
        print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
