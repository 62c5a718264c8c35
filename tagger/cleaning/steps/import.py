"""step=import: what people answered, into the catalog."""  # noqa: N999 - the step's name

from collections.abc import Iterable, Iterator
from pathlib import Path

from omegaconf import OmegaConf

from tagger.cleaning.counted import counted
from tagger.cleaning.opened import Cleaning
from tagger.cleaning.verdicts.importing import Imported, import_verdicts
from tagger.data.taxonomy import read_taxonomy
from tagger.errors import UserError

SHOWN = 20
"""Rows that were left out, and questions that stay open, that are named."""


def run(cleaning: Cleaning) -> None:
    """Check a file row by row, and make one batch of what is new."""
    config = cleaning.config
    if config.from_file is None:
        raise UserError("from=… must be given: the file that the page saved, the table, or Label Studio's export")
    path = Path(config.from_file).expanduser()
    done = import_verdicts(
        path,
        folder=cleaning.folder,
        store=cleaning.store,
        taxonomy=read_taxonomy(config.data.taxonomy),
        annotator=config.annotator,
        annotators=names(config.annotators),
    )
    for line in import_lines(done, path, prepare=cleaning.command_of("prepare")):
        cleaning.say(line)
    if done.batch:
        cleaning.say(f"what is still open: {cleaning.command_of('clean', 'step=queue')}")
    if done.problems and not (done.answers or done.opinions):
        raise UserError(f"no row of {path} could be taken; the catalog is as it was")


def names(annotators: object) -> dict[str, str]:
    """Return the names of annotators by what Label Studio calls them, a number or an address."""
    plain = OmegaConf.to_container(annotators) if OmegaConf.is_config(annotators) else annotators
    if plain is None:
        return {}
    if not isinstance(plain, dict):
        raise UserError(
            f"annotators={plain} must say who is who, such as annotators='{{1: ann, bob@example.com: bob}}'"
        )
    return {str(key): str(name) for key, name in plain.items()}


def import_lines(done: Imported, path: Path, *, prepare: str) -> Iterator[str]:
    """Yield what came of a file, line by line.

    Args:
        done: What came of it.
        path: The file.
        prepare: The command that undoes and brings back.
    """
    if done.before:
        when = done.before.when[:16].replace("T", " ")
        back = f"; it was undone since, and {prepare} redo={done.before.number} brings it back"
        yield f"{path} was imported {when} as batch {done.before.number}{back if done.before.undone else ''}"
        return
    known = f", {done.known:,} of them known before" if done.known else ""
    yield f"{path}: {counted(done.answers, 'verdict')}{known}"
    if done.opinions:
        yield f"{counted(done.opinions, 'prediction')} of other models: kept, never counted"
    if done.problems:
        yield f"{counted(len(done.problems), 'row')} left out:"
        yield from first(f"{problem.place}: {problem.reason}" for problem in done.problems)
    if done.majorities:
        yield f"{counted(done.majorities, 'answer')} decided by a majority"
    if done.ties:
        yield f"{counted(len(done.ties), 'question')} open, as many say present as absent:"
        yield from first(f"{label} on photo {photo}" for photo, label in done.ties)
    for number in done.undone:
        yield f"some of them were undone with batch {number}: {prepare} redo={number} brings them back"
    if done.batch:
        yield f"batch {done.batch.number} of the catalog: {prepare} undo={done.batch.number} takes it back"


def first(lines: Iterable[str]) -> Iterator[str]:
    """Yield the first lines, and how many more there are."""
    every = list(lines)
    yield from (f"  {line}" for line in every[:SHOWN])
    if len(every) > SHOWN:
        yield f"  and {len(every) - SHOWN:,} more"
