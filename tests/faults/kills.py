"""Every verb is killed at file events and at moments drawn by the seed; the same command again makes it good."""

import random
import signal
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.faults.contents import place
from tests.faults.disturbed import Disturbed
from tests.faults.journey import JOURNEY, set_out, travelled
from tests.faults.tally import Tally
from tests.faults.typed import Event, Typist

BY_TIME = 0.25
"""Share of the kills that come at a moment, whatever happens then; the others come before a file event."""


def run(folder: Path, *, tests: int, seed: int) -> Tally:
    """Go the journey, and kill every step of it so often that there are so many kills in all."""
    tally, typist = Tally("kills"), Typist(folder / "work", folder / "beside")
    set_out(typist.folder)
    for number, (step, kills) in enumerate(travelled(JOURNEY, tests)):
        killer = Killer(random.Random(f"{seed} {number}"))
        Disturbed(step, typist, folder, traced=kills > 0).run(tally, kills, killer)
    return tally


class Killer:
    """Kills a command once, where the dice say."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice

    def __call__(self, disturbed: Disturbed) -> tuple[str, str]:
        """Kill it; one that ended before is typed again."""
        typist, verb, words = disturbed.typist, disturbed.step.verb, disturbed.step.words
        while True:
            if self.dice.random() < BY_TIME:
                moment = self.dice.uniform(0, disturbed.seconds)
                what, ended = f"killed after {moment:.2f} s", typist.killed_after(moment, verb, words)
            else:
                event = self._drawn(disturbed.events)
                what = f"killed before {event.call} {event.ordinal}, {event.what[:160]}"
                ended = typist.killed_at(event, verb, words, limit=disturbed.limit)
            if ended.hung:
                return what, "it, or a process of it, goes on"
            if ended.exit_code != 0:
                # Where a process of it was killed, it says so itself.
                return what, ended.problem(-signal.SIGKILL, 1)
            disturbed.restore()

    def _drawn(self, events: Sequence[Event]) -> Event:
        """Draw a file and then one of its events: a database has thousands."""
        by_file = defaultdict(list)
        for event in events:
            by_file[event.call, place(Path("/", event.what.partition(",")[0]), Path("/"))[:80]].append(event)
        return self.dice.choice(by_file[self.dice.choice(sorted(by_file))])
