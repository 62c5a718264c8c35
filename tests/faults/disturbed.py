"""A step of the journey that is disturbed again and again, and compared with what it does undisturbed."""

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from difflib import ndiff
from pathlib import Path
from pprint import pformat

from tests.faults.contents import Contents, alike, content, contents, files, place
from tests.faults.journey import Step
from tests.faults.tally import Tally
from tests.faults.typed import HANG_SECONDS, Ended, Event, Typist

NOTHING_TO_RESUME = "nothing to resume"

PATIENCE = 300.0
"""Seconds that an undisturbed step may take."""


class Disturbed:
    """One step, with the folder as it is before and after it.

    Args:
        step: What is typed.
        typist: Who types it; the folder is as the step before has left it.
        beside: A folder for copies.
        traced: Whether to find out at which file events it can be killed.
    """

    def __init__(self, step: Step, typist: Typist, beside: Path, *, traced: bool = False) -> None:
        self.step = step
        self.typist = typist
        self.work = typist.folder
        self.before, self.after = beside / "before", beside / "after"
        if step.before:
            step.before(self.work)
        self._keep(self.before)
        self.was = contents(self.work)
        self.events: list[Event] = []
        if traced:
            ended, self.events = typist.events(step.verb, step.words, limit=PATIENCE)
        else:
            ended = typist(step.verb, step.words, limit=PATIENCE)
        assert not ended.problem(0), f"{step.name}, undisturbed: {ended.problem(0)}\n{ended.output}"
        self.seconds = ended.seconds
        self.limit = HANG_SECONDS + 3 * ended.seconds
        """Seconds after which it hangs: the machine may have more to do by then."""
        self._keep(self.after)
        self.becomes = contents(self.work)

    def run(self, tally: Tally, times: int, disturb: Callable[["Disturbed"], tuple[str, str]]) -> None:
        """Disturb it so often, each time from the same folder; leave the folder as the undisturbed step does.

        Args:
            tally: Counts every time.
            times: How often.
            disturb: Types the command and disturbs it; returns what it did, and what was wrong even so, or "".
        """
        for _ in range(times):
            self.restore()
            what, problem = disturb(self)
            problems = [*([problem] if problem else []), *self._lost(), *self._mended()]
            tally.check(f"{self.step.name}, {what}: {'; '.join(problems)}", not problems)
        self._copy(self.after)

    def restore(self) -> None:
        """Make the folder what it was before the step."""
        self._copy(self.before)

    def _keep(self, copy: Path) -> None:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.work, copy, symlinks=True)

    def _copy(self, kept: Path) -> None:
        shutil.rmtree(self.work)
        shutil.copytree(kept, self.work, symlinks=True)

    def _lost(self) -> Iterator[str]:
        """Say which files are torn, and which are gone or changed although the step leaves them alone."""
        now = defaultdict(list)
        for path in files(self.work):
            name = place(path, self.work)
            # Others are temporary: an undisturbed command neither finds nor leaves them.
            if name in self.was or name in self.becomes:
                try:
                    now[name].append(content(path, self.work))
                except ValueError as error:
                    now[name].append(str(error))
                    yield str(error)
        for name, several in self.was.items():
            if name in self.becomes and name not in now:
                yield f"{name} is gone"
            elif several == self.becomes.get(name) and alike(name, now[name]) != several:
                yield f"{name} is changed"

    def _mended(self) -> Iterator[str]:
        """Type the same command again, and say how that ends, and what is other than after the undisturbed one."""
        ended = self._again()
        if problem := ended.problem(0):
            yield f"typed again: {problem}"
            return
        try:
            now = contents(self.work)
        except ValueError as error:
            yield f"typed again: {error}"
            return
        for name in sorted({*now, *self.becomes}):
            if now.get(name) != self.becomes.get(name):
                yield f"typed again: {difference(name, now, self.becomes)}"

    def _again(self) -> Ended:
        verb, words = self.step.verb, self.step.words
        if self.step.again:
            ended = self.typist(verb, [*words, *self.step.again], limit=self.limit)
            if NOTHING_TO_RESUME not in ended.output or ended.exit_code != 1 or ended.hung:
                return ended
            finished = [len(list(folder.glob("runs/*/*/metrics.json"))) for folder in (self.before, self.work)]
            if finished[1] > finished[0]:
                return Ended(0, ended.output, ended.seconds)
        return self.typist(verb, words, limit=self.limit)


def difference(name: str, now: Contents, becomes: Contents) -> str:
    """Say how a file differs from what it should be."""
    if name not in now:
        return f"{name} is missing"
    if name not in becomes:
        return f"{name} is left over"
    lines = [pformat(one, width=160).splitlines() for one in (becomes[name], now[name])]
    changed = [line for line in ndiff(*lines) if line[0] in "-+"]
    return f"{name} differs: {' '.join(changed)[:600]}"
