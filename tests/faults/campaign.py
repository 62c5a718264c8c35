"""All families of faults:   python -m tests.faults.campaign [family…] [--seed 0] [--scale ci|long] [--table FILE]"""

import argparse
import multiprocessing
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tagger.atomic import write_text
from tagger.tracking.run_folder import commit_of_code
from tests.faults.tally import Tally

TESTS = {
    "kills": {"ci": 32, "long": 340},
    "disks": {"ci": 20, "long": 160},
    "photos": {"ci": 400, "long": 3000},
    "annotations": {"ci": 600, "long": 3000},
    "hostile_bundles": {"ci": 40, "long": 120},
    "forged_requests": {"ci": 50, "long": 200},
}
"""How many faults each family tries at most: in CI, and in a campaign that takes its time."""

MARKER = "<!-- below: written by tests.faults.campaign -->"


@dataclass(frozen=True)
class Outcome:
    """What a family came to."""

    tally: Tally
    seconds: float


def main() -> None:
    """Try families of faults; exit with 1 if one was not survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.campaign", description=__doc__)
    parser.add_argument("families", nargs="*", metavar="family", help=f"of {', '.join(TESTS)}; all if none is named")
    parser.add_argument("--seed", type=int, default=0, help="decides which faults are tried, and when")
    parser.add_argument("--scale", choices=("ci", "long"), default="ci", help="how many")
    parser.add_argument("--tests", type=int, help="how many of each family, whatever the scale")
    parser.add_argument("--table", type=Path, help="a README.md; what stands above its marker is kept")
    asked = parser.parse_args()
    if unknown := set(asked.families) - set(TESTS):
        parser.error(f"there is no family {', '.join(sorted(unknown))}; there are {', '.join(TESTS)}")
    families = asked.families or list(TESTS)
    outcomes = run({family: asked.tests or TESTS[family][asked.scale] for family in families}, seed=asked.seed)
    console = Console(soft_wrap=True, highlight=False)
    console.print(terminal_table(outcomes))
    failures = [failure for outcome in outcomes for failure in outcome.tally.failures]
    console.print(*failures, sep="\n", markup=False)
    if asked.table:
        write_table(asked.table, outcomes, seed=asked.seed)
    sys.exit(1 if failures else 0)


def run(families: Mapping[str, int], *, seed: int) -> list[Outcome]:
    """Run families, each so many tests, in processes of their own, two at a time."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    outcomes: dict[str, Outcome] = {}
    # A new interpreter each: a family forks commands, and what is forked must not have threads.
    context = multiprocessing.get_context("spawn")
    with Progress(*columns) as progress, ProcessPoolExecutor(2, context, max_tasks_per_child=1) as pool:
        task = progress.add_task("families", total=len(families))
        running = {pool.submit(one, family, tests, seed): family for family, tests in families.items()}
        for done in as_completed(running):
            family = running[done]
            outcomes[family] = done.result() if done.exception() is None else broken(family, done.exception())
            tally = outcomes[family].tally
            progress.print(f"{tally.name}: {tally.tests:,} tried, {len(tally.failures):,} not survived")
            progress.advance(task)
    return [outcomes[family] for family in families]


def broken(family: str, error: BaseException | None) -> Outcome:
    """Return the outcome of a family that could not be tried to its end: the others still count."""
    traceback.print_exception(error)
    return Outcome(Tally(family, failures=[f"{family} could not be tried to its end: {error}"]), 0.0)


def one(family: str, tests: int, seed: int) -> Outcome:
    """Run one family in a folder of its own."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tagger-faults-") as folder:
        tally = import_module(f"tests.faults.{family}").run(Path(folder), tests=tests, seed=seed)
    return Outcome(tally, time.monotonic() - started)


def terminal_table(outcomes: Sequence[Outcome]) -> Table:
    """Return the table for the terminal."""
    table = Table("test", "n", "failures", "minutes", box=None)
    for row in rows(outcomes):
        table.add_row(*row)
    return table


def rows(outcomes: Sequence[Outcome]) -> list[tuple[str, str, str, str]]:
    """Return a row per family."""
    return [
        (
            outcome.tally.name.replace("_", " "),
            f"{outcome.tally.tests:,}",
            f"{len(outcome.tally.failures):,}",
            f"{outcome.seconds / 60:.0f}",
        )
        for outcome in outcomes
    ]


def write_table(path: Path, outcomes: Sequence[Outcome], *, seed: int) -> None:
    """Write the table below the marker of a README.md: a row per family and seed, with the command and the commit.

    Rows of what was not tried now stay, and the failures that stand below their table.
    """
    above, _, below = (path.read_text(encoding="utf-8") if path.is_file() else "").partition(MARKER)
    command = shlex.join(["python", "-m", "tests.faults.campaign", *sys.argv[1:]])
    fresh = {(row[0], str(seed)): (*row, commit_of_code(), str(seed), f"`{command}`") for row in rows(outcomes)}
    kept = [line.strip("| ").split(" | ") for line in below.splitlines() if line.startswith("| ")][1:]
    every = {(row[0], row[5]): tuple(row) for row in kept} | fresh
    mended = tuple(f"- {name}, seed {seed}: " for name, seed in fresh)
    failures = [line for line in below.splitlines() if line.startswith("- ") and not line.startswith(mended)]
    failures += [
        f"- {outcome.tally.name.replace('_', ' ')}, seed {seed}: {failure}"
        for outcome in outcomes
        for failure in outcome.tally.failures
    ]
    lines = [
        f"{above}{MARKER}",
        "",
        "| test | n | failures | minutes | commit | seed | command |",
        "|---|--:|--:|--:|---|--:|---|",
        *(f"| {' | '.join(row)} |" for row in every.values()),
        "",
        *failures,
        *([""] if failures else []),
    ]
    write_text(path, "\n".join(lines))


if __name__ == "__main__":
    main()
