"""A run of a study that has no result, and why."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Unfinished:
    """A run that did not finish.

    Example:
        >>> Unfinished("v2.1", 2, "hung", "stopped after 20 minutes").state
        'hung'
    """

    version: str
    seed: int
    state: str
    """``failed``, ``hung``, ``cut``, ``running`` or ``not run``."""
    reason: str
