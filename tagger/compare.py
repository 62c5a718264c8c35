"""Did one version beat another?   python -m tagger.compare study=v1_v2   (--help says more)."""

import shlex
import sys
import tempfile
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from tagger.config import as_typed, needed
from tagger.errors import UserError, shown_plainly
from tagger.studies.answering import compared, spoken
from tagger.studies.comparison.comparison import Comparison, Settings
from tagger.studies.comparison.mlflow import log_comparison
from tagger.studies.comparison.named_runs import named_runs
from tagger.studies.comparison.report import compare_runs
from tagger.studies.status import RUNS, job_statuses
from tagger.studies.study import study_of
from tagger.tracking.quiet import quieten
from tagger.tracking.run_folder import commit_of_code


@hydra.main(version_base="1.3", config_path="../conf", config_name="compare")
def main(config: DictConfig) -> None:
    """Compare runs, write what came out, and say it in words."""
    quieten()
    with shown_plainly():
        settings = Settings(
            resamples=config.resamples,
            seed=config.seed,
            false_discovery_rate=config.false_discovery_rate,
            least_photos=config.least_photos,
            moved=config.moved,
            examples=config.examples,
        )
        of = of_named_runs if config.study is None else of_study
        comparison, output = of(config, settings)
        print(*spoken(comparison), f"written  {output}/README.md and report.html", sep="\n")


def of_named_runs(config: DictConfig, settings: Settings) -> tuple[Comparison, Path]:
    """Compare the runs that were named; return the comparison and where it was written to."""
    needed(config, "runs", "baseline", "output")
    output = Path(config.output).expanduser()
    with tempfile.TemporaryDirectory() as downloads:
        comparison = compare_runs(
            named_runs(OmegaConf.to_object(config.runs), uri=config.tracking_uri, downloads=Path(downloads)),
            baseline=config.baseline,
            output=output,
            command=typed(),
            commit=commit_of_code(),
            question=config.question,
            settings=settings,
            pictures=config.pictures,
            annotations=config.annotations,
        )
    if config.mlflow_parent is not None:
        from mlflow import MlflowClient

        log_comparison(MlflowClient(config.tracking_uri), config.mlflow_parent, comparison, folder=output)
    return comparison, output


def of_study(config: DictConfig, settings: Settings) -> tuple[Comparison, Path]:
    """Compare the versions of a study by its finished runs."""
    study = study_of(config.study, HydraConfig.get().runtime.choices["study"])
    fixed = ("baseline", "question", "mlflow_parent", "annotations")
    if given := [name for name in fixed if not OmegaConf.is_missing(config, name) and config[name] is not None]:
        raise UserError(f"study={study.name} says itself what its {given[0]} is: leave {given[0]}=… out")
    runs = RUNS if OmegaConf.is_missing(config, "runs") else Path(config.runs).expanduser()
    output = (
        Path("experiments") / study.name if OmegaConf.is_missing(config, "output") else Path(config.output).expanduser()
    )
    comparison = compared(
        study,
        job_statuses(study, runs),
        runs=runs,
        output=output,
        command=typed(),
        settings=settings,
        pictures=config.pictures,
    )
    return comparison, output


def typed() -> str:
    """Return the command as typed: sys.argv has the quotes that Hydra wants."""
    return shlex.join(["python", "-m", "tagger.compare", *sys.orig_argv[1 - len(sys.argv) :]])


if __name__ == "__main__":
    sys.argv[1:] = as_typed(sys.argv[1:], "output", "question")
    main()
