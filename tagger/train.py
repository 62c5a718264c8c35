"""Train one experiment:   python -m tagger.train +experiment=resampling_focal data=corel5k   (--help says more)."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import hydra
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback, LearningRateMonitor, ModelCheckpoint, RichProgressBar, WeightAveraging
from pytorch_lightning.loggers import Logger
from rich.console import Console

import tagger.config  # noqa: F401 - registers the typed root of conf/train.yaml
from tagger.atomic import written_whole
from tagger.data.datamodule import PhotoData
from tagger.data.replication import plan_tables
from tagger.errors import shown_plainly
from tagger.model.allocation import keep_freed_memory
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
    network = instantiate(config.network, labels=len(data.taxonomy))
    data.prepare(network.normalisation)
    looking = Looking.open(instantiate(config.detector), data.taxonomy, cache=data.cache)
    module = build_module(config, data, network, looking)
    # A misspelled setting of the optimizer speaks up now and not after the features are cached.
    module.optimizer_factory(network)
    facts = run_facts(config, data)
    logger = build_logger(config, run, facts)
    thresholds, test, history = FitThresholds(instantiate(config.thresholds)), TestScores(), History()
    fusing, audit = FuseDetector(looking), AuditRules(config.rules.keep)
    trainer = build_trainer(config, run, logger, [thresholds, fusing, audit, test, history])
    with run_status(logger):
        unmapped = looking.look(data) if looking else {}
        if module.regime.cached:
            data.cache_features(network.backbone, module.regime.views, trainer.strategy.root_device)
        if trainer.is_global_zero:
            run.remember(facts=facts)
        describe_run(logger, config, run)
        fit_started = time.monotonic()
        trainer.fit(module, data, ckpt_path=run.last, weights_only=True)
        fit_seconds = time.monotonic() - fit_started
        val_map = evaluate_best(trainer, module, data, run, fusing, audit)
        if trainer.is_global_zero:
            result = measure(data, thresholds.contract, test.scored)
            result.metrics.update(
                chosen_figures(fusing.choices, unmapped)
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


def build_module(config: DictConfig, data: PhotoData, network: Network, looking: Looking | None = None) -> TaggerModule:
    """Build what Lightning trains, with the recipe to build its network again."""
    settings: Any = OmegaConf.to_container(config.network, resolve=True)
    recipe = {
        "network": {key: value for key, value in settings.items() if key != "weights" and not key.startswith("_")},
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
        loss=instantiate(config.loss),
        optimizer=instantiate(config.optimizer),
        schedule=instantiate(config.schedule),
        unknown=data.weights,
        seed=config.seed,
        recipe=recipe,
        rules=instantiate(config.rules).of(data.taxonomy),
        detector=looking.as_recipe() if looking else None,
    )


def build_trainer(config: DictConfig, run: RunFolder, logger: Logger, callbacks: list[Callback]) -> pl.Trainer:
    """Build Lightning's trainer with our callbacks and the configured ones."""
    keep: dict[str, Any] = {"dirpath": run.checkpoints, "enable_version_counter": False}
    bar = progress_bar()
    everything = [
        *callbacks,
        *(instantiate(callback) for callback in config.callbacks.values()),
        bar,
        LearningRateMonitor(logging_interval="step"),
        ModelCheckpoint(filename="best", monitor="val/map", mode="max", **keep),
        ModelCheckpoint(filename="last", every_n_epochs=1, **keep),
        ModelCheckpoint(filename="last", train_time_interval=timedelta(minutes=config.checkpoint_minutes), **keep),
        StopCleanly(run.checkpoints / "last.ckpt"),
    ]
    return instantiate(
        config.trainer,
        logger=logger,
        callbacks=everything,
        enable_progress_bar=isinstance(bar, RichProgressBar),
        default_root_dir=str(run.path),
    )


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


def evaluate_best(  # noqa: PLR0917 - all of it is needed
    trainer: pl.Trainer,
    module: TaggerModule,
    data: PhotoData,
    run: RunFolder,
    fusing: FuseDetector,
    audit: AuditRules,
) -> float:
    """Load the best epoch's weights, settle fusion, rules and thresholds on validation, score the test fold.

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
    if is_fused := fusing.fuse(module):
        # The relations are judged by the scores that they are applied to.
        audit.again()
        trainer.validate(module, data, verbose=False)
    if is_pruned := audit.switch_off(module):
        # The thresholds belong to the scores of the rules that are left.
        trainer.validate(module, data, verbose=False)
    if (is_fused or is_pruned) and trainer.is_global_zero:
        if is_fused:
            fusing.keep_model(run.path)
        module.on_save_checkpoint(best)
        with written_whole(run.checkpoints / "best.ckpt") as file:
            torch.save(best, file)
    val_map = trainer.callback_metrics["val/map"].item()
    trainer.test(module, data, verbose=False)
    return val_map


def measure(data: PhotoData, contract: Contract, test: Scored) -> Outcome:
    """Measure the contract on the test fold, and how many annotations of each state there were to learn from."""
    result = outcome(contract, test, train_states=data.train_states, taxonomy=data.taxonomy)
    result.metrics.update(data.state_counts() | against_truth(test.scores, data.truth(test.rows)))
    return result


if __name__ == "__main__":
    main()
