"""From settings to what Lightning trains."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback, LearningRateMonitor, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import Logger
from torch import nn

from tagger.data.datamodule import PhotoData
from tagger.errors import UserError
from tagger.model.losses import ByReplication, Distillation, NeedsCounts, WeighedLoss
from tagger.model.module import TaggerModule
from tagger.model.network import Network
from tagger.tags.detector.data_detector import DataDetector
from tagger.tags.teachers import Teachers
from tagger.tracking.run_folder import RunFolder
from tagger.training.checkpoints import LastCheckpoint, WholeCheckpoints


def build_data(config: DictConfig) -> PhotoData:
    """Build the data set; nothing is read yet."""
    cache = Path(config.cache).expanduser().absolute()
    # Partial: Hydra would turn a dataclass among the arguments into a config.
    build = instantiate(config.data, _partial_=True)
    # Not there in the settings of runs that were trained before there were pools.
    pool = places(config.get("pool"))
    return build(cache=cache, seed=config.seed, sampler=instantiate(config.sampler), **({"pool": pool} if pool else {}))


def places(value: Any) -> list[str]:
    """Return the places that a setting names: one, several, or none.

    Example:
        >>> places("album.tagger"), places(["a.tagger", "b.tagger"]), places(None)
        (['album.tagger'], ['a.tagger', 'b.tagger'], [])
    """
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(place) for place in value]


def assemble(config: DictConfig, data: PhotoData, *, experts: int = 0) -> tuple[TaggerModule, DataDetector | None]:
    """Build what Lightning trains and the detector that looks for objects beside it; no photo is looked at yet."""
    network = build_network(config, len(data.taxonomy), experts=experts)
    data.prepare(network.normalisation)
    detector = DataDetector.open(instantiate(config.detector), data.taxonomy, cache=data.cache)
    module = build_module(config, data, network, detector)
    # A misspelled setting of the optimizer speaks up now and not after the features are cached.
    module.optimizer_factory(network)
    return module, detector


def build_network(config: DictConfig, labels: int, *, experts: int = 0) -> Network:
    """Build the network; where experts are to be merged into it, with all the backbones that they train."""
    if experts and config.head.name != "linear":
        raise UserError(f"experts can be merged only where heads are linear: head=linear instead of {config.head.name}")
    build = instantiate(config.network, _partial_=True, labels=labels, head=config.head)
    return build(backbones=experts, weights=None) if experts and config.regime.train_backbone else build()


def build_module(
    config: DictConfig, data: PhotoData, network: Network, detector: DataDetector | None = None
) -> TaggerModule:
    """Build what Lightning trains, with the recipe to build its network again."""
    settings: Any = OmegaConf.to_container(config.network, resolve=True)
    settings["head"] = OmegaConf.to_container(config.head, resolve=True)
    recipe = {
        "network": {key: value for key, value in settings.items() if key != "weights" and not key.startswith("_")}
        | ({"backbones": network.backbones} if network.backbones > 1 else {}),
        "labels": [
            {"id": label.id, "names": dict(label.names), "groups": list(data.taxonomy.above(label.id))}
            for label in data.taxonomy.labels
        ],
        "size": data.size,
        "fit": data.fit,
        "fingerprints": {"catalog": data.labelled.fingerprint, "taxonomy": data.taxonomy.fingerprint},
    }
    return TaggerModule(
        network=network,
        regime=instantiate(config.regime),
        loss=build_loss(config, data),
        optimizer=instantiate(config.optimizer),
        schedule=instantiate(config.schedule),
        unknown=data.weights,
        seed=config.seed,
        mixup=config.mixup,
        recipe=recipe,
        rules=instantiate(config.rules).of(data.taxonomy),
        detector=detector.as_recipe() if detector else None,
        distillation=build_distillation(config),
    )


def build_loss(config: DictConfig, data: PhotoData) -> nn.Module:
    """Build the loss, with what it must know of the training photos and what the sampler leaves to it."""
    loss = instantiate(config.loss)
    if isinstance(loss, NeedsCounts):
        loss = loss.of(data.label_counts)
    if data.sampler.level == "photos":
        return cast(nn.Module, loss)
    mean = float(data.factors.mean())
    return WeighedLoss(loss, ByReplication(data.label_factors, pooling=data.sampler.pooling, mean=mean))


def build_distillation(config: DictConfig) -> Distillation | None:
    """Build what is learnt from teachers, or None if there are none.

    Raises:
        UserError: If there are teachers and nothing is learnt from them, or the other way round.
    """
    teachers, settings = places(config.get("teacher")), config.get("distillation")
    if teachers and settings is None:
        raise UserError(f"teacher={teachers[0]}: nothing would be learnt from it without +experiment=distill")
    if settings is not None and not teachers:
        raise UserError(
            f"experiment {config.name} needs a teacher: teacher=album.tagger, a bundle that python -m tagger.export "
            "made, or several: teacher=[a.tagger,b.tagger]"
        )
    if config.get("pool") is not None and not teachers:
        raise UserError(
            f"pool={config.pool}: only a teacher says something of photos without labels; +experiment=distill"
        )
    return instantiate(settings)


def build_trainer(
    config: DictConfig, run: RunFolder, logger: Logger | None, ours: Sequence[Callback], *, resumable: bool = True
) -> pl.Trainer:
    """Build Lightning's trainer with our callbacks and the configured ones.

    Args:
        config: Of the training.
        run: Where its checkpoints go.
        logger: None: nothing is logged.
        ours: Callbacks that come before the configured ones.
        resumable: Whether it keeps what is needed to go on should it be cut.
    """
    everything = [
        *ours,
        *(instantiate(callback) for callback in config.callbacks.values()),
        *([LearningRateMonitor(logging_interval="step")] if logger else []),
        # The best before the last, which knows what was best.
        ModelCheckpoint(
            dirpath=run.checkpoints, filename="best", monitor="val/map", mode="max", enable_version_counter=False
        ),
        *([LastCheckpoint(run.checkpoints, minutes=config.checkpoint_minutes)] if resumable else []),
    ]
    return instantiate(
        config.trainer,
        logger=logger or False,
        callbacks=everything,
        plugins=[WholeCheckpoints()],
        enable_progress_bar=any(isinstance(callback, RichProgressBar) for callback in everything),
        default_root_dir=str(run.path),
    )


def see_photos(
    data: PhotoData,
    module: TaggerModule,
    detector: DataDetector | None,
    device: torch.device,
    teachers: Sequence[str] = (),
) -> Mapping[str, int]:
    """Let the detector, the teachers and a backbone whose features are cached see the photos once.

    Returns:
        What `DataDetector.look` does: the detector's classes that mean no label.
    """
    unmapped = detector.look(data) if detector else {}
    if teachers:
        Teachers.open(teachers, data.taxonomy).teach(data)
    if module.regime.cached:
        data.cache_features(module.network.backbone, module.regime.views, device)
    return unmapped
