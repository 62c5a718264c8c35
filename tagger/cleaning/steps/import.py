"""step=import: what people answered, into the catalog."""  # noqa: N999 - the step's name

import shlex
from collections.abc import Iterator
from pathlib import Path

from omegaconf import OmegaConf

from tagger.cleaning.importing import Imported, import_verdicts
from tagger.cleaning.opened import Cleaning
from tagger.data.taxonomy import read_taxonomy
from tagger.errors import UserError

SHOWN = 20
"""Rows that were left out, and open questions, that are named."""


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
    for line in told(done, path, prepare=prepare_command(cleaning.words)):
        cleaning.say(line)
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


def prepare_command(words: tuple[str, ...]) -> str:
    """Return the command that looks into the catalog; where it lies need not be said if it lies where it always does.

    Example:
        >>> prepare_command(("data=corel5k", "+data.catalog=catalogs/corel5k"))
        'python -m tagger.prepare data=corel5k'
    """
    usual = {f"+data.catalog=catalogs/{word.partition('=')[2]}" for word in words if word.startswith("data=")}
    return shlex.join(["python", "-m", "tagger.prepare", *(word for word in words if word not in usual)])


def told(done: Imported, path: Path, *, prepare: str) -> Iterator[str]:
    """Yield what came of a file, line by line.

    Args:
        done: What came of it.
        path: The file.
        prepare: The command that undoes and brings back.
    """
    if done.before:
        state = f"undone since: {prepare} redo={done.before.number} brings it back" if done.before.undone else "in"
        yield f"{path} is batch {done.before.number}, imported {done.before.when[:16].replace('T', ' ')}, and {state}"
        return
    known = f", {done.known:,} of them known already" if done.known else ""
    yield f"{path}: {done.answers:,} verdicts{known}"
    if done.opinions:
        yield f"{done.opinions:,} predictions of other models, kept as opinions that never count"
    if done.problems:
        yield f"{len(done.problems):,} rows left out:"
        yield from (f"  {problem.place}: {problem.reason}" for problem in done.problems[:SHOWN])
        yield from more(len(done.problems))
    if done.majorities:
        yield f"{done.majorities:,} photos and labels are decided by a majority"
    if done.ties:
        yield f"{len(done.ties):,} stay open, as many say present as absent:"
        yield from (f"  photo {photo} {label}" for photo, label in done.ties[:SHOWN])
        yield from more(len(done.ties))
    for number in done.undone:
        yield f"some were undone with batch {number}: {prepare} redo={number} brings them back"
    if done.batch:
        yield f"batch {done.batch.number} of the catalog; {prepare} undo={done.batch.number} takes it back"


def more(count: int) -> Iterator[str]:
    """Yield that there is more than is shown, if so."""
    if count > SHOWN:
        yield f"  and {count - SHOWN:,} more"
