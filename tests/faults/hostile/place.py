"""Where a hostile file is made, and the list of all kinds."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SECRET = "c4narys3cret"
"""In the environment of every process, and in the canary."""


@dataclass(frozen=True)
class Place:
    """Where a hostile file is made, and what must not be touched."""

    folder: Path
    """The working directory of who opens it; it has the canary."""
    marker: Path
    """What code in a file makes when it is run."""
    checkpoint: Path
    """One that is as it should be."""
    dice: random.Random

    @property
    def canary(self) -> str:
        """A way to say where the canary is."""
        full = self.folder / "canary"
        return self.dice.choice(
            ["canary", "./canary", f"../{self.folder.name}/canary", str(full), f"{self.folder}/canary"]
        )

    @property
    def huge(self) -> int:
        return 10 ** self.dice.randint(10, 13)


Make = Callable[[Place], Path]

CASES: list[tuple[str, str, bool, Make]] = []
"""What is opened, the name of the fault, whether it must be refused, and what makes it."""


def hostile(what: str, *, refused: bool = True) -> Callable[[Make], Make]:
    """Register a kind of hostile file."""

    def register(make: Make) -> Make:
        CASES.append((what, make.__name__.replace("_", " "), refused, make))
        return make

    return register
