"""How long a search goes on: a number of trials over all calls, or a time for each call."""

import re
from dataclasses import dataclass

from tagger.errors import UserError

UNITS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
"""Seconds of each unit of time."""


@dataclass(frozen=True)
class Budget:
    """Trials or seconds; the other is None.

    Trials count what was judged (finished or pruned) in all calls of the search together. Seconds count from the start
    of each call; the trial under way when they are over is finished.
    """

    trials: int | None = None
    seconds: float | None = None

    def is_left(self, *, trials: int, seconds: float) -> bool:
        """Say whether another trial may begin.

        Args:
            trials: Judged or being judged, over all calls.
            seconds: Since this call began.

        Example:
            >>> Budget(trials=40).is_left(trials=39, seconds=1e6), Budget(seconds=90).is_left(trials=0, seconds=90)
            (True, False)
        """
        if self.trials is not None:
            return trials < self.trials
        return self.seconds is not None and seconds < self.seconds


def parse_budget(text: object) -> Budget:
    """Read what follows ``budget=``.

    Raises:
        UserError: If it is neither a number of trials nor a time.

    Example:
        >>> parse_budget("2h"), parse_budget("1.5 min"), parse_budget(40), parse_budget("40 trials")
        ... # doctest: +NORMALIZE_WHITESPACE
        (Budget(trials=None, seconds=7200.0), Budget(trials=None, seconds=90.0),
         Budget(trials=40, seconds=None), Budget(trials=40, seconds=None))
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", str(text).strip())
    if found:
        number, unit = found.groups()
        if unit in ("", "trial", "trials") and "." not in number and int(number) > 0:
            return Budget(trials=int(number))
        if unit in UNITS and float(number) > 0:
            return Budget(seconds=float(number) * UNITS[unit])
    raise UserError(f"budget={text} is neither a time (2h, 30min, 90s) nor a number of trials (40)")
