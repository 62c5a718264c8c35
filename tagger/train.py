"""Train one experiment:   python -m tagger.train +experiment=resampling_focal data=corel5k   (--help says more)."""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import hydra
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback, LearningRateMonitor, ModelCheckpoint, RichProgressBar, WeightAveraging
from pytorch_lightning.loggers import Logger
from rich.console import Console
from torch import nn

import tagger.config  # noqa: F401 - registers the typed root of conf/train.yaml
from tagger.atomic import written_whole
from tagger.data.datamodule import PhotoData
from tagger.data.replication import plan_tables
from tagger.errors import UserError, shown_plainly
from tagger.model.allocation import keep_freed_memory
from tagger.model.checkpoint import load_checkpoint
from tagger.model.experts import Experts, merge
from tagger.model.losses import ByReplication, NeedsCounts, WeighedLoss
from tagger.model.module import TaggerModule
from tagger.model.network import Network
from tagger.tags.detector.choosing import chosen_figures
from tagger.tags.detector.fusing import FuseDetector
from tagger.tags.detector.looking import Looking
from tagger.tags.fitting import FitThresholds
from tagger.tags.relations.audit import audit_figures
from tagger.tags.relations.auditing import AuditRules
from tagger.tags.thresholds import Contract
from tagger.tracking.console import print_closing
from tagger.tracking.deliverables import write_deliverables
from tagger.tracking.expert import ExpertFolder, ExpertLogger, Trained, expert_figures
from tagger.tracking.history import History
from tagger.tracking.interruption import StopCleanly
from tagger.tracking.mlflow import build_logger, deliver, describe_run, run_status
from tagger.tracking.outcome import Outcome, against_truth, outcome
from tagger.tracking.progress import progress_bar
from tagger.tracking.quiet import quieten
from tagger.tracking.resources import peak_memory_gib
from tagger.tracking.run_folder import RunFolder, close_run, open_run, provenance
from tagger.tracking.test_scores import Scored, TestScores


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def main(config: DictConfig) -> float | None:
    """Train one experiment and return the validation mAP that sweeps maximise."""
    quieten()
    keep_freed_memory()
    with shown_plainly():
        data = build_data(config)
        if config.plan:
            Console().print(*plan_tables(data.plan(), data.taxonomy.ids, data.names(data.train_rows)))
            return None
        run = open_run(config)
        try:
            return train(config, data, run)
        finally:
            close_run()


def train(config: DictConfig, data: PhotoData, run: RunFolder) -> float:
    """Fit, take the best epoch, fit its thresholds on validation, report on the test fold."""
    started = time.monotonic()
    pl.seed_everything(config.seed, workers=True, verbose=False)
    experts = instantiate(config.experts).divide(data.taxonomy)
    module, looking = assemble(config, data, experts=len(experts))
    facts = run_facts(config, data)
    logger = build_logger(config, run, facts)
    thresholds, test, history = FitThresholds(instantiate(config.thresholds)), TestScores(), History()
    fusing, audit = FuseDetector(looking), AuditRules(config.rules.keep)
    ours = [thresholds, fusing, audit, test, history, progress_bar(), StopCleanly(run.checkpoints / "last.ckpt")]
    trainer = build_trainer(config, run, logger, ours)
    with run_status(logger):
        unmapped = see_photos(data, module, looking, trainer.strategy.root_device)
        if trainer.is_global_zero:
            run.remember(facts=facts)
        describe_run(logger, config, run)
        fit_started, trained = time.monotonic(), list[Trained]()
        if experts:
            trained = fit_experts(config, data, module, experts, run, logger, trainer)
            history.follow(trained)
        else:
            trainer.fit(module, data, ckpt_path=run.last, weights_only=True)
        fit_seconds = time.monotonic() - fit_started
        val_map = settle_best(trainer, module, data, run, fusing, audit)
        trainer.test(module, data, verbose=False)
        if trainer.is_global_zero:
            result = measure(data, thresholds.contract, test.scored)
            result.metrics.update(
                chosen_figures(fusing.choices, unmapped)
                | expert_figures(trained)
                | audit_figures(audit.effects or [])
                | {
                    "val/map": val_map,
                    "seconds/fit": fit_seconds,
                    "seconds/total": time.monotonic() - started,
                    "photos_per_second": history.photos / fit_seconds,
                    "peak_memory_gib": peak_memory_gib(),
                }
            )
            write_deliverables(
                run.path,
                result,
                contract=thresholds.contract,
                validation=thresholds.histogram,
                test=test.scored,
                detector=fusing.choices,
                unmapped=unmapped,
                audit=audit.effects or [],
                photos=data.places(test.scored.rows),
                history=history.rows,
                bad_photos=[*data.rejected, *history.bad_photos.items()],
                facts=facts,
            )
            deliver(logger, run.path, result.metrics, step=trainer.global_step)
            print_closing(result.metrics, result.labels, run_folder=run.path)
    return val_map


def build_data(config: DictConfig) -> PhotoData:
    """Build the data set; nothing is read yet."""
    cache = Path(config.cache).expanduser().absolute()
    # Partial: Hydra would turn a dataclass among the arguments into a config.
    return instantiate(config.data, _partial_=True)(cache=cache, seed=config.seed, sampler=instantiate(config.sampler))


def assemble(config: DictConfig, data: PhotoData, *, experts: int = 0) -> tuple[TaggerModule, Looking | None]:
    """Build what Lightning trains and the detector that looks for objects beside it; no photo is looked at yet."""
    network = build_network(config, len(data.taxonomy), experts=experts)
    data.prepare(network.normalisation)
    looking = Looking.open(instantiate(config.detector), data.taxonomy, cache=data.cache)
    module = build_module(config, data, network, looking)
    # A misspelled setting of the optimizer speaks up now and not after the features are cached.
    module.optimizer_factory(network)
    return module, looking


def see_photos(
    data: PhotoData, module: TaggerModule, looking: Looking | None, device: torch.device
) -> Mapping[str, int]:
    """Let the detector and a backbone whose features are cached see the photos once.

    Returns:
        What `Looking.look` does: the detector's classes that mean no label.
    """
    unmapped = looking.look(data) if looking else {}
    if module.regime.cached:
        data.cache_features(module.network.backbone, module.regime.views, device)
    return unmapped


def build_network(config: DictConfig, labels: int, *, experts: int = 0) -> Network:
    """Build the network; where experts are to be merged into it, with all the backbones that they train."""
    if experts and config.head.name != "linear":
        raise UserError(f"experts can be merged only where heads are linear: head=linear instead of {config.head.name}")
    build = instantiate(config.network, _partial_=True, labels=labels, head=config.head)
    return build(backbones=experts, weights=None) if experts and config.regime.train_backbone else build()


def build_module(config: DictConfig, data: PhotoData, network: Network, looking: Looking | None = None) -> TaggerModule:
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
        "fingerprints": {"catalog": data.catalog.fingerprint, "taxonomy": data.taxonomy.fingerprint},
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
        detector=looking.as_recipe() if looking else None,
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


def build_trainer(config: DictConfig, run: RunFolder, logger: Logger | None, ours: Sequence[Callback]) -> pl.Trainer:
    """Build Lightning's trainer with our callbacks and the configured ones."""
    keep: dict[str, Any] = {"dirpath": run.checkpoints, "enable_version_counter": False}
    everything = [
        *ours,
        *(instantiate(callback) for callback in config.callbacks.values()),
        *([LearningRateMonitor(logging_interval="step")] if logger else []),
        ModelCheckpoint(filename="best", monitor="val/map", mode="max", **keep),
        ModelCheckpoint(filename="last", every_n_epochs=1, **keep),
        ModelCheckpoint(filename="last", train_time_interval=timedelta(minutes=config.checkpoint_minutes), **keep),
    ]
    return instantiate(
        config.trainer,
        logger=logger or False,
        callbacks=everything,
        enable_progress_bar=any(isinstance(callback, RichProgressBar) for callback in everything),
        default_root_dir=str(run.path),
    )


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
    with written_whole(run.checkpoints / "best.ckpt") as file:
        torch.save(checkpoint, file)
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
    trainer.fit(module, data, ckpt_path=folder.run.last, weights_only=True)
    best = max(row["val/map"] for row in history.rows)
    return Trained(folder.group, epochs, trainer.global_step, best, history.photos, history.rows, history.bad_photos)


def run_facts(config: DictConfig, data: PhotoData) -> dict[str, str]:
    """Return what a reader needs to find the run and to run it again; also its tags in MLflow."""
    return {
        "experiment": config.name,
        "version": config.version,
        "data": data.taxonomy.name,
        "seed": str(config.seed),
        "data_fingerprint": data.catalog.fingerprint,
        "taxonomy_fingerprint": data.taxonomy.fingerprint,
        **provenance(),
    }


def settle_best(  # noqa: PLR0917 - all of it is needed
    trainer: pl.Trainer,
    module: TaggerModule,
    data: PhotoData,
    run: RunFolder,
    fusing: FuseDetector,
    audit: AuditRules,
) -> float:
    """Load the best epoch's weights and settle fusion, rules and thresholds on validation; nothing sees the test fold.

    Returns:
        The validation mAP.
    """
    # An averaging callback would swap its own weights in again.
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    callbacks[:] = [callback for callback in callbacks if not isinstance(callback, WeightAveraging)]
    trainer.strategy.barrier()
    best = torch.load(run.checkpoints / "best.ckpt", map_location=module.device, weights_only=True)
    module.load_state_dict(best["state_dict"])
    trainer.validate(module, data, verbose=False)
    # The single network's were kept with its best epoch; those of merged experts are new.
    is_fitted = bool((module.thresholds.cpu() != best["state_dict"]["thresholds"].cpu()).any())
    if is_fused := fusing.fuse(module):
        # The relations are judged by the scores that they are applied to.
        audit.again()
        trainer.validate(module, data, verbose=False)
    if is_pruned := audit.switch_off(module):
        # The thresholds belong to the scores of the rules that are left.
        trainer.validate(module, data, verbose=False)
    if (is_fitted or is_fused or is_pruned) and trainer.is_global_zero:
        if is_fused:
            fusing.keep_model(run.path)
        module.on_save_checkpoint(best)
        with written_whole(run.checkpoints / "best.ckpt") as file:
            torch.save(best, file)
    return trainer.callback_metrics["val/map"].item()


def measure(data: PhotoData, contract: Contract, test: Scored) -> Outcome:
    """Measure the contract on the test fold, and how many annotations of each state there were to learn from."""
    result = outcome(contract, test, train_states=data.train_states, taxonomy=data.taxonomy)
    result.metrics.update(data.state_counts() | against_truth(test.scores, data.truth(test.rows)))
    return result


if __name__ == "__main__":
    main()
