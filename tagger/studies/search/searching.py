"""The search itself: trials until the budget is used, then the best and the start again with other seeds."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import optuna
from hydra.errors import InstantiationException
from omegaconf import DictConfig
from optuna.trial import FrozenTrial
from rich.console import Console

from tagger.data.datamodule import PhotoData
from tagger.errors import UserError
from tagger.model.module import NotFiniteLossError
from tagger.studies.search.budget import Budget
from tagger.studies.search.findings import Confirmation, Tried
from tagger.studies.search.judging import StopAskedError, Watch, judge, progress
from tagger.studies.search.record import Record
from tagger.studies.search.stopping import Stopping
from tagger.studies.search.trainings import Trainings
from tagger.training.building import build_data

FAILURES = 5
"""Failed trials in a row that end a search: it is not the settings that are wrong."""


@dataclass
class Search:
    """A search in this process.

    Args:
        trainings: What is trained.
        record: Where the trials are kept.
        seed: Of the trainings.
        prune: Whether trials that are behind are stopped.
        stopping: Whether somebody asked to stop.
        on_trial: Called with every trial that ends.
    """

    trainings: Trainings
    record: Record
    seed: int
    prune: bool
    stopping: Stopping
    on_trial: Callable[[Tried], None]
    failures: int = field(default=0, init=False)

    def run(self, budget: Budget) -> None:
        """Try until the budget is used or somebody asks to stop.

        Raises:
            UserError: If the data, the storage or the start fail, or too many trials in a row.
        """
        began = time.monotonic()
        if self.trainings.start_is_inside():
            fixed = self.trainings.space.fixed
            start = self.trainings.start_choice.items()
            self.record.queue_start({key: value for key, value in start if key not in fixed})
        while not self.stopping.asked:
            with self.record.turn():
                # Another process may have been killed since.
                self.record.take_up_cut()
                if not budget.is_left(trials=self.record.judged(), seconds=time.monotonic() - began):
                    return
                trial, choice = self.record.begin(self.trainings.space)
            if ended := self._try(trial, choice):
                self.on_trial(Tried.of(ended))

    def confirm(self, best: Tried, seeds: int) -> Confirmation | None:
        """Train the best trial's settings and the start's with seeds that chose nothing; known figures are kept.

        Returns:
            None if somebody asked to stop.
        """
        others = range(self.seed + 1, self.seed + 1 + seeds)
        try:
            return Confirmation(
                best={
                    seed: self._known(f"trial {best.number}", seed, self.trainings.of(best.choice, seed=seed))
                    for seed in others
                },
                start={seed: self._known("start", seed, self.trainings.start(seed=seed)) for seed in others},
            )
        except StopAskedError:
            return None

    def _known(self, name: str, seed: int, config: DictConfig) -> float:
        key = f"{name}, seed {seed}"
        known = self.record.recall(key)
        if known is None:
            watch = Watch(None, is_to_stop=self.stopping.is_asked, prune=False)
            known = judge(config, read_data(config), watch, callbacks=progress(Console().is_terminal)).val_map
            self.record.remember(key, known)
        return float(known)

    def _try(self, trial: optuna.Trial, choice: dict[str, Any]) -> FrozenTrial | None:
        """Train one trial and record what came of it; None if the search was stopped in the middle."""
        began = time.monotonic()
        watch = Watch(trial, is_to_stop=self.stopping.is_asked, prune=self.prune)
        try:
            config = self.trainings.of(choice, seed=self.seed)
            judged = judge(config, read_data(config), watch, callbacks=progress(Console().is_terminal))
        except StopAskedError:
            self.record.give_up(trial)
            return None
        except optuna.TrialPruned:
            self.failures = 0
            return self.record.prune(trial, epoch=watch.epoch, seconds=time.monotonic() - began)
        except DataFailedError:
            self.record.give_up(trial)
            raise
        except Exception as error:
            return self._failed(trial, choice, error, seconds=time.monotonic() - began)
        self.failures = 0
        return self.record.finish(trial, judged)

    def _failed(self, trial: optuna.Trial, choice: dict[str, Any], error: Exception, *, seconds: float) -> FrozenTrial:
        """Record a failure, which another choice may not have; end the search when it looks as if all had it."""
        cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
        reason = f"{cause}" if isinstance(cause, UserError) else f"{type(cause).__name__}: {cause}"
        logging.getLogger(__name__).debug("trial %d failed", trial.number, exc_info=error)
        ended = self.record.fail(trial, reason, seconds=seconds)
        self.failures += 1
        if choice == self.trainings.start_choice and not isinstance(cause, NotFiniteLossError):
            raise UserError(f"the settings as typed, which are the start, cannot be trained: {reason}") from error
        if self.failures >= FAILURES:
            raise UserError(f"{FAILURES} trials failed one after the other, the last because: {reason}") from error
        return ended


class DataFailedError(UserError):
    """The photos cannot be read: no other choice would help."""


def read_data(config: DictConfig) -> PhotoData:
    """Build the data set and deal its photos into folds.

    Raises:
        DataFailedError: If that fails for a reason that is not one of the settings.
    """
    try:
        data = build_data(config)
        assert len(data.folds)
    except (UserError, InstantiationException) as error:
        cause = error if isinstance(error, UserError) else error.__cause__
        if isinstance(cause, UserError):
            raise DataFailedError(str(cause)) from error
        raise
    return data
