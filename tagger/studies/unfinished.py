"""A run that a study asks for and that is not there."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Unfinished:
    """Which run it is, and why there is nothing of it to compare."""

    version: str
    seed: int
    state: str
    """``failed``, ``hung`` (it took longer than the study allows), ``cut`` (it was stopped) or ``not run``."""
    reason: str
    """One line, empty if there is nothing to say."""
