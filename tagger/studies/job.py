"""A job of a study: one version trained with one seed, and what is there of it already."""

import json
import re
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from tagger.config import as_typed
from tagger.studies.composing import composed
from tagger.studies.lasting import lasting
from tagger.studies.study import Study, StudyError
from tagger.tracking.run_folder import RunFolder, settings_of
from tagger.yaml_text import read_plain

_PLAIN = re.compile(r"[A-Za-z0-9_./~+-]+")


@dataclass(frozen=True)
class Job:
    """One run of a study."""

    number: int
    """Its place among the jobs of the study, from 0."""
    version: str
    seed: int
    words: tuple[str, ...]
    """All words of ``python -m tagger.train``."""
    folder: Path
    """Holds the folders of its version's runs, ``<name>/<date>_s<seed>``, and a folder of its own."""

    @property
    def own(self) -> Path:
        """Folder of ``output.log`` and ``attempt.json``."""
        return self.folder / f"s{self.seed}"

    def config(self) -> DictConfig:
        """Return what the words compose to now.

        Raises:
            StudyError: If they do not compose.
        """
        try:
            return composed("train", self.words)
        except (HydraException, OmegaConfBaseException) as error:
            causes = f"{error}" if error.__cause__ is None else f"{error}: {error.__cause__}"
            raise StudyError(f"version {self.version} ({' '.join(self.words)}): {causes}") from error

    def settings(self, config: DictConfig | None = None) -> str:
        """Return the settings that the run would have now, as its ``config.yaml`` has them.

        Args:
            config: What the words of another seed compose to; None composes these.

        Raises:
            StudyError: If the words do not compose, or what they ask for is not there.
        """
        config = copy(config) if config is not None else self.config()
        config.seed = self.seed
        try:
            return settings_of(config)
        except OmegaConfBaseException as error:
            raise StudyError(f"version {self.version} ({' '.join(self.words)}): {error}") from error

    def finished_run(self, settings: str) -> Path | None:
        """Return the newest run of these settings that is measured; the logger may lack some of it."""
        wanted = _lasting(settings)
        measured = (run.path for run in self._runs() if run.is_measured)
        return next((run for run in measured if _lasting(_config(run)) == wanted), None)

    def open_run(self, settings: str) -> Path | None:
        """Return the newest run of these settings that is not finished: ``resume=true`` goes on there."""
        is_open = (run.path for run in self._runs() if not run.is_finished)
        return next((run for run in is_open if _config(run) == settings), None)

    def _runs(self) -> list[RunFolder]:
        found = (path.parent for path in self.folder.glob(f"*/[!.]*_s{self.seed}*/config.yaml"))
        return [RunFolder(run, resumed=True) for run in sorted(found, key=lambda run: run.name, reverse=True)]


def jobs_of(study: Study, runs: Path) -> list[Job]:
    """Return the jobs of a study, seed by seed: when it is cut, every version has been trained as often.

    Args:
        study: What is asked.
        runs: The folder of all runs.

    Example:
        >>> from tagger.studies.study import read_study
        >>> jobs = jobs_of(read_study("v1_v2"), Path("runs"))
        >>> [(job.version, job.seed) for job in jobs[:4]]
        [('v1.0', 0), ('v2.0', 0), ('v2.1', 0), ('v1.0', 1)]
        >>> print(*jobs[1].words)
        data=corel5k data.split=official +experiment=resampling seed=0 version=v2.0 runs=runs/studies/v1_v2/v2.0
    """
    pairs = [(seed, version) for seed in study.seeds for version in study.versions]
    return [_job(study, number, version, seed, runs) for number, (seed, version) in enumerate(pairs)]


def map_on_test(run: Path) -> float | None:
    """Return the figure that a finished run is spoken of by."""
    value = json.loads((run / "metrics.json").read_text()).get("test/map")
    return None if value is None else float(value)


def _job(study: Study, number: int, version: str, seed: int, runs: Path) -> Job:
    folder = study.folder(runs) / version
    own = [f"seed={seed}", f"version={version}", f"runs={folder}"]
    # Quoted only if it must be: the words are shown, and can be typed.
    own = own if _PLAIN.fullmatch(str(folder)) else as_typed(own, "runs")
    return Job(number, version, seed, (*study.words, *study.versions[version], *own), folder)


def _config(run: Path) -> str:
    return (run / "config.yaml").read_text(encoding="utf-8")


def _lasting(settings: str) -> dict[str, Any]:
    """Return the settings that a run's result depends on."""
    return lasting(read_plain(settings))
