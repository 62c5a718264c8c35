"""Train one experiment:   python -m tagger.train +experiment=resampling_focal data=corel5k   (--help says more)."""

import sys
import time

import hydra
import pytorch_lightning as pl
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

import tagger.config  # noqa: F401 - registers the typed root of conf/train.yaml
from tagger.data.catalog.fold_noise import noise_figures
from tagger.data.datamodule import PhotoData
from tagger.data.replication import plan_tables
from tagger.errors import shown_plainly
from tagger.model.allocation import keep_freed_memory
from tagger.pages.left_out import print_left_out
from tagger.tags.detector.choosing import chosen_figures
from tagger.tags.detector.fusion_callback import FusionCallback
from tagger.tags.relations.audit import audit_figures
from tagger.tags.relations.audit_callback import AuditCallback
from tagger.tags.teachers import named
from tagger.tags.thresholds import Contract
from tagger.tags.thresholds_callback import ThresholdsCallback
from tagger.tracking.console import print_closing
from tagger.tracking.deliverables import write_deliverables
from tagger.tracking.expert import Trained, expert_figures
from tagger.tracking.extension import extended_figures
from tagger.tracking.history import History
from tagger.tracking.mlflow import RunLogger, build_logger, deliver, end, run_status
from tagger.tracking.outcome import Outcome, against_truth, outcome
from tagger.tracking.progress import progress_bar
from tagger.tracking.quiet import quieten
from tagger.tracking.resources import peak_memory_gib
from tagger.tracking.run_folder import RunFolder, check_same_data, close_run, keep_folds, open_run, provenance
from tagger.tracking.server import check_reachable
from tagger.tracking.test_scores import Scored, TestScores
from tagger.training.building import assemble, build_data, build_trainer, places, see_photos
from tagger.training.experts import fit_experts
from tagger.training.extending import Extending
from tagger.training.finalising import finalise
from tagger.training.processes import EndTogether, follow_first
from tagger.training.words import as_hydra_takes


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def main(config: DictConfig) -> float | None:
    """Train one experiment and return the validation mAP that sweeps maximise."""
    follow_first()
    quieten()
    keep_freed_memory()
    with shown_plainly():
        if config.plan:
            plan(config)
            return None
        check_reachable(config.logger)
        try:
            if config.resume and (run := open_run(config)).is_measured:
                return tell(config, run)
            data = build_data(config)
            extending = Extending.of(config, data)
            return train(config, data, open_run(config), extending)
        finally:
            close_run()


def plan(config: DictConfig) -> None:
    """Print what the sampler would do."""
    data = build_data(config)
    Extending.of(config, data)
    console = Console()
    console.print(data.copies.sentence() or "copies: none found", soft_wrap=True)
    console.print(*plan_tables(data.plan(), data.taxonomy.ids, data.names(data.train_rows)))
    print_left_out(data.left_out, console)


def train(config: DictConfig, data: PhotoData, run: RunFolder, extending: Extending | None = None) -> float:
    """Fit, take the best epoch, fit its thresholds on validation, report on the test fold."""
    started = time.monotonic()
    pl.seed_everything(config.seed, workers=True, verbose=False)
    experts = instantiate(config.experts).divide(data.taxonomy)
    module, detector = assemble(config, data, experts=len(experts))
    if extending:
        extending.carry_over(module, data)
    facts, noise = run_facts(config, data), noise_figures(data.fold_noise, fingerprint=data.labelled.fingerprint)
    check_same_data(run, facts, *data.folds_by_content)
    logger = build_logger(config, run, facts)
    thresholds = ThresholdsCallback(instantiate(config.thresholds), extending.thresholds if extending else None)
    test, history = TestScores(), History()
    fusion, audit = FusionCallback(detector), AuditCallback(config.rules.keep)
    # Before what keeps checkpoints: they must hold the rows that are kept.
    ours = extending.callbacks() if extending else []
    together = EndTogether(on_end=lambda: end(logger, "FAILED"))
    ours += [thresholds, fusion, audit, test, history, together, progress_bar()]
    trainer = build_trainer(config, run, logger, ours)
    if trainer.is_global_zero and data.copies.groups:
        print(data.copies.sentence(), flush=True)
    with run_status(logger), together.guarded():
        if extending and trainer.is_global_zero:
            print(extending.sentence(data), flush=True)
        unmapped = see_photos(data, module, detector, trainer.strategy.root_device, places(config.teacher))
        before = extending.before(module, data, trainer.strategy.root_device) if extending else None
        if trainer.is_global_zero:
            run.remember(facts=facts)
            keep_folds(run.path, *data.folds_by_content)
        if isinstance(logger, RunLogger):
            logger.begin()
        fit_started, trained = time.monotonic(), list[Trained]()
        if experts:
            trained = fit_experts(config, data, module, experts, run, logger, trainer)
            history.follow(trained)
        else:
            trainer.fit(module, data, ckpt_path=run.newest_checkpoint(), weights_only=True)
        fit_seconds = time.monotonic() - fit_started
        val_map = finalise(trainer, module, data, run, fusion, audit)
        trainer.test(module, data, verbose=False)
        if trainer.is_global_zero:
            result = measure(data, thresholds.contract, test.scored)
            extended = extending.results(before, result.labels, thresholds, module) if extending and before else []
            for place, error in history.bad_photos.items():
                data.left_out.add_photo(place, error)
            result.metrics.update(
                chosen_figures(fusion.choices, unmapped)
                | expert_figures(trained)
                | audit_figures(audit.effects or [])
                | noise
                | extended_figures(extended)
                | data.left_out.figures()
                | {
                    "val/map": val_map,
                    "seconds/fit": fit_seconds,
                    "seconds/total": time.monotonic() - started,
                    "photos_per_second": history.photos / fit_seconds,
                    "peak_memory_gib": peak_memory_gib(),
                }
            )
            run.remember(step=trainer.global_step)
            write_deliverables(
                run.path,
                result,
                contract=thresholds.contract,
                validation=thresholds.histogram,
                test=test.scored,
                detector=fusion.choices,
                unmapped=unmapped,
                audit=audit.effects or [],
                photos=data.places(test.scored.rows),
                history=history.rows,
                bad_photos=[*data.rejected, *history.bad_photos.items()],
                facts=facts,
                extended=extended,
            )
            print_closing(result.metrics, result.labels, run_folder=run.path)
            print_left_out(data.left_out)
            deliver(logger, run)
    return val_map


def tell(config: DictConfig, run: RunFolder) -> float:
    """Give the logger what it lacks of a run whose files are all there."""
    logger = build_logger(config, run, run.recall("facts"))
    with run_status(logger):
        deliver(logger, run)
    print(f"nothing was left to train; the logger knows all of {run.path} now")
    return run.metrics()["val/map"]


def run_facts(config: DictConfig, data: PhotoData) -> dict[str, str]:
    """Return what a reader needs to find the run and to run it again; also its tags in MLflow."""
    return {
        "experiment": config.name,
        "version": config.version,
        "data": data.taxonomy.name,
        "seed": str(config.seed),
        "data_fingerprint": data.labelled.fingerprint,
        "taxonomy_fingerprint": data.taxonomy.fingerprint,
        **named(places(config.teacher)),
        **provenance(),
    }


def measure(data: PhotoData, contract: Contract, test: Scored) -> Outcome:
    """Measure the contract on the test fold, and how many annotations of each state there were to learn from."""
    result = outcome(contract, test, train_states=data.train_states, taxonomy=data.taxonomy)
    result.metrics.update(
        data.state_counts() | data.copies.figures() | against_truth(test.scores, data.truth(test.rows))
    )
    return result


if __name__ == "__main__":
    sys.argv[1:] = as_hydra_takes(sys.argv[1:])
    main()
