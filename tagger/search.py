"""Search for settings:   python -m tagger.search space=head budget=2h data=corel5k   (--help says more)."""

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

import hydra
from omegaconf import DictConfig
from rich.console import Console

from tagger.config import needed
from tagger.errors import UserError, shown_plainly
from tagger.model.allocation import keep_freed_memory
from tagger.pages.left_out import print_left_out
from tagger.studies.places import without_places
from tagger.studies.search.budget import Budget, parse_budget
from tagger.studies.search.delta import place_words
from tagger.studies.search.experiment_file import write_experiment
from tagger.studies.search.findings import STATES, Confirmation, Findings, Tried, importances
from tagger.studies.search.page import write_page
from tagger.studies.search.parent_run import ParentRun
from tagger.studies.search.readme import write_readme
from tagger.studies.search.record import Record
from tagger.studies.search.searching import Search, read_data
from tagger.studies.search.space import read_space
from tagger.studies.search.stopping import Stopping
from tagger.studies.search.terminal import Teller, closing
from tagger.studies.search.trainings import Trainings
from tagger.studies.search.version import version_for
from tagger.studies.search.words import as_hydra_takes, as_typed_before, divided
from tagger.tracking.quiet import quieten
from tagger.tracking.run_folder import provenance
from tagger.tracking.server import check_reachable


@hydra.main(version_base="1.3", config_path="../conf", config_name="search")
def main(config: DictConfig) -> None:
    """Search, and write what was found."""
    quieten()
    keep_freed_memory()
    with shown_plainly():
        needed(config, "space", "budget")
        settings = Settings.of(config)
        trainings = settings.trainings
        trainings.check_space()
        start = trainings.start(seed=config.seed)
        check_reachable(start.logger)
        data = read_data(start)
        record = Record(settings.storage, settings.name, seed=config.seed, startup=config.startup)
        record.belongs(
            space=trainings.space.as_lines(),
            settings=trainings.settings(),
            seed=[str(config.seed)],
            data=[f"catalog {data.catalog.fingerprint}", f"taxonomy {data.taxonomy.fingerprint}"],
        )
        console, stopping = Console(soft_wrap=True), Stopping()
        facts = {"space": settings.space, "data": data.taxonomy.name, "seed": str(config.seed)} | searched_by(settings)
        facts |= {"data_fingerprint": data.catalog.fingerprint, "taxonomy_fingerprint": data.taxonomy.fingerprint}
        parent = ParentRun.open(start.logger, settings.name, facts, run_id=record.recall("mlflow run"))
        if parent.run_id:
            record.remember("mlflow run", parent.run_id)
        teller = Teller(console, trainings, parent, best=best_of(record))
        search = Search(trainings, record, config.seed, config.prune, stopping, teller.tell)
        with parent.status(), record.attended(), stopping.listening():
            teller.begin(settings.name, settings.storage, record, budget=config.budget)
            search.run(settings.budget)
            conclude(settings, search, parent, facts=facts, console=console)
            print_left_out(data.left_out, console)


def conclude(
    settings: "Settings", search: Search, parent: ParentRun, *, facts: dict[str, str], console: Console
) -> None:
    """Confirm what was found, write it, and say so; while other processes are still at it, only say what there is."""
    search.record.take_up_cut()
    with search.record.concluding() as is_ours:
        alone = is_ours and not search.record.others()
        found = findings(settings, search, facts=facts)
        best = found.best
        confirmation = None
        if alone and best and found.changed(best) and settings.confirm and not search.stopping.asked:
            console.print(f"again with {settings.confirm} other seeds: trial {best.number} and the start")
            confirmation = search.confirm(best, settings.confirm)
        found = findings(settings, search, facts=facts, confirmation=confirmation)
        if alone and is_to_write(found, settings, stopped=search.stopping.asked):
            config = search.trainings.of(best.choice, seed=settings.seed, choices=True)  # type: ignore[union-attr]
            keys = search.trainings.space.keys
            write_experiment(settings.experiment, for_others(found), config, search.trainings.words, searched=keys)
            found = findings(settings, search, facts=facts, confirmation=confirmation, experiment=settings.experiment)
        if is_ours:
            settings.output.mkdir(parents=True, exist_ok=True)
            write_readme(settings.output / "README.md", for_others(found))
            write_page(settings.output / "report.html", for_others(found))
            parent.deliver(found, settings.output, settings.experiment if found.experiment else None)
        console.print(closing(found, settings.output, others=search.record.others(), stopped=search.stopping.asked))


def is_to_write(found: Findings, settings: "Settings", *, stopped: bool) -> bool:
    """Say whether an experiment is written: something beats the start, with other seeds if any were asked for."""
    if stopped or found.best is None or not found.changed(found.best):
        return False
    return settings.confirm == 0 or (found.confirmation is not None and found.confirmation.is_better)


def findings(
    settings: "Settings",
    search: Search,
    *,
    facts: dict[str, str],
    confirmation: Confirmation | None = None,
    experiment: Path | None = None,
) -> Findings:
    """Read what the search has so far."""
    trainings, record = search.trainings, search.record
    trials = [Tried.of(trial) for trial in record.trials(*STATES)]
    start = trainings.start_choice
    is_start = (trial.number for trial in trials if trial.choice == start and trial.state == "finished")
    words = [f"+experiment={settings.name}", *place_words(trainings.words)]
    return Findings(
        name=settings.name,
        space=settings.space,
        data=facts["data"],
        command=facts["command"],
        train_command=shlex.join(["python", "-m", "tagger.train", *words]),
        facts=facts | {"ended": datetime.now().astimezone().isoformat(timespec="seconds")},
        start=start,
        start_number=next(is_start, None),
        trials=[trial for trial in trials if trial.choice],
        importances=importances(record.study),
        confirmation=confirmation,
        experiment=str(experiment) if experiment else None,
        version=settings.version,
    )


def for_others(found: Findings) -> Findings:
    """Return what is written to be read elsewhere: without paths of this machine."""
    return replace(
        found,
        command=without_places(found.command),
        train_command=without_places(found.train_command),
        facts={name: without_places(fact) for name, fact in found.facts.items()},
        trials=[replace(trial, reason=without_places(trial.reason)) for trial in found.trials],
    )


def best_of(record: Record) -> Tried | None:
    """Return the best trial of earlier calls."""
    done = [trial for trial in map(Tried.of, record.trials(*STATES)) if trial.state == "finished"]
    return max(done, key=lambda trial: trial.val_map or 0.0, default=None)


def searched_by(settings: "Settings") -> dict[str, str]:
    """Return the command as it was typed, the commit, and when."""
    typed = shlex.join(["python", "-m", "tagger.search", *settings.typed])
    return provenance() | {"command": typed}


@dataclass(frozen=True)
class Settings:
    """``conf/search.yaml``, read."""

    name: str
    space: str
    budget: Budget
    seed: int
    confirm: int
    storage: Path
    output: Path
    experiment: Path
    trainings: Trainings
    wanted: str | None
    typed: Sequence[str]

    @classmethod
    def of(cls, config: DictConfig) -> "Settings":
        """Read the settings.

        Raises:
            UserError: If one of them makes no sense, or the experiment could not be written in the end.
        """
        words = tuple(config.words)
        space = read_space(config.space.file).fixed_by(words)
        name = config.name or f"found_{space.name}"
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise UserError(f"name={name}: letters, digits and _ only, as it names a file of conf/experiment")
        for setting, least in (("confirm", 0), ("startup", 1)):
            if config[setting] < least:
                raise UserError(f"{setting}={config[setting]} must be at least {least}")
        own = as_typed_before(word for word in sys.argv[1:] if not word.startswith(("words=", "-")))
        settings = cls(
            name=name,
            space=space.name,
            budget=parse_budget(config.budget),
            seed=config.seed,
            confirm=config.confirm,
            storage=absolute(config.storage or f"searches/{name}.db"),
            output=absolute(config.output or f"searches/{name}"),
            experiment=absolute(config.experiments) / f"{name}.yaml",
            trainings=Trainings(words, space, name),
            wanted=config.version,
            typed=[*own, *words],
        )
        # Not after hours of searching.
        assert settings.version
        return settings

    @cached_property
    def version(self) -> str:
        """Of the experiment."""
        return version_for(self.experiment, self.name, wanted=self.wanted)


def absolute(path: str) -> Path:
    """Return a path that means the same wherever the process goes."""
    return Path(path).expanduser().absolute()


def command() -> None:
    """Divide the words that were typed, then let Hydra read the search's own."""
    try:
        own, training = divided(sys.argv[1:])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    sys.argv[1:] = as_hydra_takes(own, training)
    main()


if __name__ == "__main__":
    command()
