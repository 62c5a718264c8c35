"""What a family of faults came to."""

import sys
from dataclasses import dataclass, field


@dataclass
class Tally:
    """How many faults of one family were tried, and which of them were not survived."""

    name: str
    tests: int = 0
    failures: list[str] = field(default_factory=list)

    def check(self, what: str, holds: bool) -> None:
        """Count one test; keep ``what`` if it does not hold."""
        self.tests += 1
        if not holds:
            self.failures.append(what)
            # A campaign goes on for an hour, and may be stopped.
            print(f"{self.name}: {what}", file=sys.stderr, flush=True)
