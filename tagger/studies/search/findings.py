"""What a search found: plain values for the terminal, the page and the experiment."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


@dataclass(frozen=True)
class Tried:
    """One trial."""

    number: int
    state: str
    """``finished``, ``pruned``, ``failed``, ``cut`` (its process ended) or ``running``."""
    choice: dict[str, Any]
    val_map: float | None
    """Of the best epoch, 0..1; of a pruned one, as far as it came; None: it was not judged."""
    epoch: int | None
    """The best one of a finished trial, the last one of a pruned trial."""
    seconds: float
    reason: str

    @classmethod
    def of(cls, trial: FrozenTrial) -> "Tried":
        """Read a trial of Optuna's."""
        attributes = trial.user_attrs
        value = trial.value if trial.state is TrialState.COMPLETE else _furthest(trial)
        return cls(
            number=trial.number,
            state="cut" if attributes.get("cut") else STATES[trial.state],
            choice=json.loads(attributes.get("choice", "{}")),
            val_map=value if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) else None,
            epoch=attributes.get("epoch"),
            seconds=attributes.get("seconds", 0.0),
            reason=attributes.get("reason", ""),
        )


@dataclass(frozen=True)
class Confirmation:
    """Validation mAP of the best trial's settings and of the start's, by seeds that chose nothing."""

    best: Mapping[int, float]
    start: Mapping[int, float]

    @property
    def best_mean(self) -> float:
        """Mean over the seeds."""
        return statistics.fmean(self.best.values())

    @property
    def start_mean(self) -> float:
        """Mean over the seeds."""
        return statistics.fmean(self.start.values())

    @property
    def ahead(self) -> int:
        """Seeds with which the best is ahead of the start."""
        return sum(self.best[seed] > self.start[seed] for seed in self.best)

    @property
    def is_better(self) -> bool:
        """Whether the best settings are ahead on average."""
        return self.best_mean > self.start_mean

    @property
    def is_clear(self) -> bool:
        """Whether they are ahead with every seed."""
        return self.ahead == len(self.best)


@dataclass(frozen=True)
class Findings:
    """A search as it stands."""

    name: str
    space: str
    data: str
    command: str
    train_command: str
    """That trains what was found."""
    facts: Mapping[str, str]
    """Commit, seed, fingerprints and when: in this order."""
    start: Mapping[str, Any]
    """The start as a choice."""
    start_number: int | None
    """The trial that is the start, or None if the space does not hold it."""
    trials: Sequence[Tried]
    importances: Mapping[str, float] = field(default_factory=dict)
    """Shares of what the settings explain, the largest first; empty where there are too few finished trials."""
    confirmation: Confirmation | None = None
    experiment: str | None = None
    """The file that was written."""
    version: str = ""

    @property
    def finished(self) -> list[Tried]:
        """Finished trials, the best first."""
        done = [trial for trial in self.trials if trial.state == "finished"]
        return sorted(done, key=lambda trial: (-(trial.val_map or 0.0), trial.number))

    @property
    def best(self) -> Tried | None:
        """The best finished trial; of equals the first."""
        return next(iter(self.finished), None)

    def count(self, state: str) -> int:
        """Return how many trials are in a state."""
        return sum(trial.state == state for trial in self.trials)

    def changed(self, trial: Tried) -> dict[str, Any]:
        """Return what a trial has that the start has not."""
        return {key: value for key, value in trial.choice.items() if self.start.get(key, ...) != value}

    @property
    def answer(self) -> str:
        """One or two sentences, such as the first of a README."""
        return answer(self)


def answer(found: Findings) -> str:
    """Return what a search says, in words."""
    best, confirmation = found.best, found.confirmation
    if best is None:
        return "No trial was finished: nothing was found."
    trials = counted(found)
    if not found.changed(best):
        return f"Nothing beats the start: it has the best validation mAP, {best.val_map:.4f}, of {trials}."
    figure = f"trial {best.number} has the best validation mAP, {best.val_map:.4f}, of {trials}"
    if confirmation is None:
        return (
            f"{figure[0].upper()}{figure[1:]}. That is the best of many, so it is optimistic, and no other seed has "
            "confirmed it."
        )
    seeds = len(confirmation.best)
    means = (
        f"with {seeds} other seed{'s' if seeds > 1 else ''} its settings reach {confirmation.best_mean:.4f} on average "
        f"and the start {confirmation.start_mean:.4f} (ahead with {confirmation.ahead} of {seeds})"
    )
    if confirmation.is_better:
        gain = 100 * (confirmation.best_mean - confirmation.start_mean)
        yes = "Yes" if confirmation.is_clear else "Perhaps"
        agree = "" if confirmation.is_clear else " The seeds do not agree."
        own = f"Its own {best.val_map:.4f} is the best of {trials}."
        return f"{yes}, trial {best.number} by {gain:.2f} points on validation: {means}.{agree} {own}"
    return f"No: {figure}, but {means}. The lead does not hold, and no experiment was written."


def counted(found: Findings) -> str:
    """Return how many trials there were and what became of them.

    Example:
        >>> trials = [Tried(0, "finished", {}, 0.4, 3, 9.0, ""), Tried(1, "failed", {}, None, None, 1.0, "NaN")]
        >>> counted(Findings("mine", "head", "sample", "", "", {}, {}, 0, trials))
        '2 trials (1 finished, 1 failed)'
    """
    states = ("finished", "pruned", "failed", "cut", "running")
    parts = ", ".join(f"{number} {state}" for state in states if (number := found.count(state)))
    return f"{len(found.trials)} trials ({parts})"


def importances(study: optuna.Study) -> dict[str, float]:
    """Return how much of the trials' differences each setting explains (PED-ANOVA, Watanabe et al. 2023).

    Returns:
        Shares that add up to 1, the largest first; none with fewer than ten finished trials, which say nothing.
    """
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(finished) < 10 or len({trial.value for trial in finished}) == 1:
        return {}
    shares = optuna.importance.get_param_importances(study)
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def shown(settings: Mapping[str, Any]) -> str:
    """Return settings as words, or that there are none.

    Example:
        >>> shown({"loss": "focal", "loss.gamma": 1.5}), shown({})
        ('loss=focal loss.gamma=1.5', 'as the start')
    """
    return " ".join(f"{key}={value}" for key, value in settings.items()) or "as the start"


def _furthest(trial: FrozenTrial) -> float | None:
    values = [value for value in trial.intermediate_values.values() if math.isfinite(value)]
    return max(values, default=None)
