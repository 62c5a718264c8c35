"""The trials of a search in a sqlite file: several processes may add to it, and any of them may be killed.

A trial belongs to the process that began it, which holds a lock of its own beside the file as long as it lives; the
system lets go of it however the process ends. So a trial that is running and whose lock can be had was cut: it is
recorded as failed, and what it tried is tried again.
"""

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import StorageInternalError
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from tagger.errors import UserError
from tagger.studies.search.judging import Judged
from tagger.studies.search.space import Space

RETRIES = 2
"""How often a choice is tried again that was cut; one that always ends the process would never end."""

PATIENCE = 60
"""Seconds for another process to write its report."""

WARM_UP = 3
"""Tenths of a training that no trial is pruned in."""


class OtherSearchError(UserError):
    """The file holds a search of other settings; the message names what differs and the way out."""


class Record:
    """The trials of one search, and this process's place among those that add to it.

    Args:
        path: The sqlite file; made if it is not there.
        name: Of the search.
        seed: Of what is proposed.
        startup: Trials drawn at random before a model of the space proposes.
    """

    def __init__(self, path: Path, name: str, *, seed: int, startup: int) -> None:
        self.path = path
        self.seed = seed
        self.startup = startup
        self.owner = f"{socket.gethostname()}-{os.getpid()}-{time.time_ns()}"
        self._all = FileLock(f"{path}.lock")
        self._alive = FileLock(self._lock_of(self.owner))
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        # Half of the trials at random are enough to compare with.
        pruner = MedianPruner(n_startup_trials=max(1, startup // 2), n_warmup_steps=WARM_UP)
        with stored(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with stored(path), self._all:
            # Writers wait for each other.
            self._storage = RDBStorage(f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 120}})
            self.study = optuna.create_study(
                storage=self._storage, study_name=name, direction="maximize", load_if_exists=True, pruner=pruner
            )

    @contextmanager
    def attended(self) -> Iterator[None]:
        """Hold this process's lock inside; trials of processes that ended are taken up before."""
        with self._alive:
            self.take_up_cut()
            try:
                yield
            finally:
                Path(self._alive.lock_file).unlink(missing_ok=True)

    def belongs(self, **facts: Sequence[str]) -> None:
        """Keep what the search is about at its first call; afterwards refuse to go on with another.

        Args:
            facts: Lines by kind, such as the space's.

        Raises:
            OtherSearchError: If a line differs.
        """
        with stored(self.path), self._all:
            for kind, lines in facts.items():
                before = self.study.user_attrs.get(kind)
                if before is None:
                    self.study.set_user_attr(kind, list(lines))
                elif before != list(lines):
                    gone = [line for line in before if line not in lines]
                    new = [line for line in lines if line not in before]
                    raise OtherSearchError(
                        f"the search {self.study.study_name} in {self.path} has another {kind}: "
                        f"{'; '.join(gone[:3]) or 'nothing'} there, {'; '.join(new[:3]) or 'nothing'} here. Give the "
                        "same words to go on with it, or name=… to begin another"
                    )

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let no other process begin a trial inside."""
        with stored(self.path), self._all:
            yield

    def queue_start(self, values: Mapping[str, Any]) -> None:
        """Let the next trial try the start, unless it was tried and did not fail.

        Args:
            values: Of the parameters that are not fixed.
        """
        with stored(self.path), self._all:
            tried = [trial.state for trial in self.study.get_trials(deepcopy=False) if trial.user_attrs.get("start")]
            if all(state is TrialState.FAIL for state in tried):
                self.study.enqueue_trial(dict(values), user_attrs={"start": True})

    def begin(self, space: Space) -> tuple[optuna.Trial, dict[str, Any]]:
        """Begin a trial: one that waits in the queue, or else one that is proposed.

        Returns:
            The trial and what it chose out of the space.
        """
        with stored(self.path), self._all:
            number = len(self.study.get_trials(deepcopy=False))
            # Of its number alone: a search that was cut proposes what it would have proposed anyway, and not the first
            # draws again.
            entropy = np.random.SeedSequence([self.seed, number]).generate_state(1)
            self.study.sampler = TPESampler(seed=int(entropy[0]), n_startup_trials=self.startup)
            trial = self.study.ask()
            trial.set_user_attr("owner", self.owner)
            chosen = space.chosen(lambda parameter: parameter.suggest(trial))
            trial.set_user_attr("choice", json.dumps(chosen))
            return trial, chosen

    def finish(self, trial: optuna.Trial, judged: Judged) -> FrozenTrial:
        """Record what a trial came to."""
        with stored(self.path):
            trial.set_user_attr("epoch", judged.epoch)
            trial.set_user_attr("seconds", judged.seconds)
            return self.study.tell(trial, judged.val_map)

    def prune(self, trial: optuna.Trial, *, epoch: int, seconds: float) -> FrozenTrial:
        """Record that a trial was stopped because others were ahead."""
        with stored(self.path):
            trial.set_user_attr("epoch", epoch)
            trial.set_user_attr("seconds", seconds)
            return self.study.tell(trial, state=TrialState.PRUNED)

    def fail(self, trial: optuna.Trial, reason: str, *, seconds: float) -> FrozenTrial:
        """Record why a trial could not be judged."""
        with stored(self.path):
            trial.set_user_attr("reason", reason)
            trial.set_user_attr("seconds", seconds)
            return self.study.tell(trial, state=TrialState.FAIL)

    def give_up(self, trial: optuna.Trial) -> None:
        """Record that the search was stopped in the middle of a trial; the next call tries its choice again."""
        with stored(self.path), self._all:
            self._cut(self.study.trials[trial.number], "the search was stopped", counts=False)

    def take_up_cut(self) -> None:
        """Fail the trials whose process is no more, and put what they tried in the queue."""
        with stored(self.path), self._all:
            for trial in self.trials(TrialState.RUNNING):
                if self._is_cut(trial):
                    self._cut(trial, "its process ended in the middle of it", counts=True)

    def others(self) -> int:
        """Return how many trials other living processes are at."""
        return sum(trial.user_attrs.get("owner") != self.owner for trial in self.trials(TrialState.RUNNING))

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Return the trials in these states, or all of them, by number."""
        with stored(self.path):
            return self.study.get_trials(deepcopy=False, states=states or None)

    def judged(self) -> int:
        """Return how many trials were judged, or are being judged: what a budget of trials counts."""
        return len(self.trials(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING))

    def recall(self, key: str) -> Any:
        """Return what :meth:`remember` kept, or None."""
        with stored(self.path):
            return self.study.user_attrs.get(key)

    def remember(self, key: str, value: Any) -> None:
        """Keep a fact of the search."""
        with stored(self.path):
            self.study.set_user_attr(key, value)

    @contextmanager
    def concluding(self) -> Iterator[bool]:
        """Tell inside whether this process is the one that concludes the search.

        Another may be writing what it knew while we were still at a trial: it is waited for. One that confirms is not.
        """
        lock = FileLock(f"{self.path}.conclude.lock")
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def _cut(self, trial: FrozenTrial, reason: str, *, counts: bool) -> None:
        kept = {key: value for key, value in trial.user_attrs.items() if key == "start"}
        cuts = trial.user_attrs.get("cuts", 0) + counts
        is_last = cuts > RETRIES
        message = f"{reason}, {cuts} times: not tried again" if is_last else reason
        for key, value in (("reason", message), ("cut", True)):
            self._storage.set_trial_user_attr(trial._trial_id, key, value)
        self.study.tell(trial.number, state=TrialState.FAIL)
        if not is_last:
            self.study.enqueue_trial(trial.params, user_attrs={**kept, "cuts": cuts})

    def _is_cut(self, trial: FrozenTrial) -> bool:
        owner = trial.user_attrs.get("owner")
        if owner is None or owner == self.owner:
            # Without an owner: killed between two writes, both made under the lock that this process has now.
            return owner is None
        lock = FileLock(self._lock_of(owner))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        lock.release()
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        return True

    def _lock_of(self, owner: str) -> str:
        return f"{self.path}.{owner}.lock"


@contextmanager
def stored(path: Path) -> Iterator[None]:
    """Say which file it was when the storage fails.

    Raises:
        UserError: If the file cannot be read or written, or is no storage of Optuna.
    """
    try:
        yield
    except (StorageInternalError, OSError, RuntimeError) as error:
        raise UserError(
            f"the trials in {path} cannot be read or written: {_first_line(error)}; storage=… names another file"
        ) from error
    except Exception as error:
        # Optuna lets what SQLAlchemy raises while it opens a file pass.
        if not type(error).__module__.startswith("sqlalchemy"):
            raise
        raise UserError(
            f"the trials in {path} cannot be read: {_first_line(error)}; storage=… names another file"
        ) from (error)


def _first_line(error: BaseException) -> str:
    cause = error.__cause__ or error
    return (str(cause).splitlines() or [type(cause).__name__])[0]
