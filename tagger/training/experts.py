"""Train a network for each group of labels, one after the other, and merge them into one."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger
from torch import nn

from tagger.data.datamodule import PhotoData
from tagger.errors import UserError
from tagger.model.checkpoint import load_checkpoint
from tagger.model.experts import Experts, merge
from tagger.model.module import TaggerModule
from tagger.tracking.expert import ExpertFolder, ExpertLogger, Trained
from tagger.tracking.history import History
from tagger.tracking.run_folder import RunFolder
from tagger.training.building import build_module, build_network, build_trainer
from tagger.training.checkpoints import write_checkpoint


def fit_experts(  # noqa: PLR0917 - all of it is needed
    config: DictConfig,
    data: PhotoData,
    module: TaggerModule,
    experts: Mapping[str, Sequence[int]],
    run: RunFolder,
    logger: Logger,
    trainer: pl.Trainer,
) -> list[Trained]:
    """Fit a network for each group, one after the other, and merge their best epochs into the module's network."""
    if trainer.world_size > 1:
        raise UserError("experts train one after the other in one process: trainer=cpu or trainer=gpu")
    if trainer.max_steps != -1 or not trainer.max_epochs or trainer.max_epochs < 1:
        raise UserError("experts share epochs: say how many there are with trainer.max_epochs, without max_steps")
    settings: Experts = instantiate(config.experts)
    parts = [data.only(columns, own_photos=settings.photos == "own") for columns in experts.values()]
    epochs = settings.epochs([part.batches for part in parts], epochs=trainer.max_epochs, of=data.batches)
    if min(epochs) < (trainer.check_val_every_n_epoch or 1):
        raise UserError(f"an expert trains only {min(epochs)} epochs: set trainer.check_val_every_n_epoch to 1")
    trained, merged = [], []
    for number, (group, columns) in enumerate(experts.items()):
        folder = ExpertFolder.of(run, group, number)
        if (expert := folder.trained()) is None:
            print(f"expert {number + 1} of {len(experts)}: {group}, {len(columns)} labels", flush=True)
            shared = None if module.regime.train_backbone else module.network.backbone
            expert = fit_expert(config, parts[number], folder, logger, epochs=epochs[number], backbone=shared)
            folder.keep(expert)
        trained.append(expert)
        merged.append((columns, load_checkpoint(folder.best)[0]))
    merge(module.network, merged)
    checkpoint: dict[str, Any] = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(checkpoint)
    write_checkpoint(checkpoint, run.checkpoints / "best.ckpt")
    return trained


def fit_expert(
    config: DictConfig,
    data: PhotoData,
    folder: ExpertFolder,
    logger: Logger,
    *,
    epochs: int,
    backbone: nn.Module | None,
) -> Trained:
    """Fit a network on some of the labels, as one of all labels would be fitted, and go on where it was cut."""
    # What was trained before it makes no difference, so that a resumed run comes to the same result.
    pl.seed_everything(config.seed, workers=True, verbose=False)
    network = build_network(config, len(data.taxonomy))
    network.backbone = backbone or network.backbone
    module, history = build_module(config, data, network), History()
    own: Any = OmegaConf.merge(config, {"trainer": {"max_epochs": epochs}})
    trainer = build_trainer(own, folder.run, ExpertLogger(logger, folder.group), [history])
    trainer.fit(module, data, ckpt_path=folder.run.newest_checkpoint(), weights_only=True)
    # Between two validations a row has none.
    best = max(row["val/map"] for row in history.rows if "val/map" in row)
    return Trained(folder.group, epochs, trainer.global_step, best, history.photos, history.rows, history.bad_photos)
