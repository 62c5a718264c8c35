"""Did one version beat another?   python -m tagger.compare runs=… baseline=v1.0 output=…   (--help says more)."""

import shlex
import sys
import tempfile
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from tagger.config import as_typed, needed
from tagger.errors import shown_plainly
from tagger.studies.comparison.comparison import Settings
from tagger.studies.comparison.mlflow import log_comparison
from tagger.studies.comparison.named_runs import named_runs
from tagger.studies.comparison.report import compare_runs
from tagger.studies.comparison.verdict import headline, verdict
from tagger.tracking.quiet import quieten
from tagger.tracking.run_folder import commit_of_code


@hydra.main(version_base="1.3", config_path="../conf", config_name="compare")
def main(config: DictConfig) -> None:
    """Compare runs, write what came out, and say it in words."""
    quieten()
    with shown_plainly(), tempfile.TemporaryDirectory() as downloads:
        needed(config, "runs", "baseline", "output")
        output = Path(config.output).expanduser()
        comparison = compare_runs(
            named_runs(OmegaConf.to_object(config.runs), uri=config.tracking_uri, downloads=Path(downloads)),
            baseline=config.baseline,
            output=output,
            # As typed: sys.argv has the quotes that Hydra wants.
            command=shlex.join(["python", "-m", "tagger.compare", *sys.orig_argv[1 - len(sys.argv) :]]),
            commit=commit_of_code(),
            question=config.question,
            settings=Settings(
                resamples=config.resamples,
                seed=config.seed,
                false_discovery_rate=config.false_discovery_rate,
                least_photos=config.least_photos,
                moved=config.moved,
                examples=config.examples,
            ),
            pictures=config.pictures,
        )
        if config.mlflow_parent is not None:
            from mlflow import MlflowClient

            log_comparison(MlflowClient(config.tracking_uri), config.mlflow_parent, comparison, folder=output)
        console = Console(soft_wrap=True, highlight=False, markup=False)
        console.print(headline(comparison))
        for version in comparison.challengers:
            console.print(f"- {verdict(comparison, version)}.")
        console.print(f"written  {output}/README.md and report.html")


if __name__ == "__main__":
    sys.argv[1:] = as_typed(sys.argv[1:], "output", "question")
    main()
