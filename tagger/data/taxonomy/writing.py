"""Label systems written for people: a file that extends another one, whole and without mistakes, or none."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tagger.atomic import write_text
from tagger.data.taxonomy.file import parse_taxonomy
from tagger.data.taxonomy.label_system import Taxonomy, TaxonomyError
from tagger.errors import UserError
from tagger.lock import only_writer


@contextmanager
def only_author(target: Path | None) -> Iterator[None]:
    """Keep others from writing a label system between reading and writing it; they wait. None: none is written."""
    if target is None:
        yield
        return
    # First: a path leads only through folders that are there.
    target.parent.mkdir(parents=True, exist_ok=True)
    with only_writer(target, wait=True):
        yield


def write_checked(target: Path, text: str) -> Taxonomy:
    """Write the text of a label system, and return it.

    Args:
        target: Its file.
        text: As `read_taxonomy` reads it.

    Raises:
        UserError: If the file is no ``.yaml``, or the label system has mistakes; then nothing is written.
    """
    if target.suffix not in (".yaml", ".yml"):
        raise UserError(f"to={target}: a label system is a .yaml file, such as to={target.name}.yaml")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        grown = parse_taxonomy(text.encode(), target)
    except TaxonomyError as error:
        raise UserError(f"nothing was written: it would be {error}") from error
    write_text(target, text)
    return grown


def beginning(source: str, target: Path) -> str:
    """Return how a label system begins that extends another one.

    Args:
        source: The other one: a name under ``conf/taxonomy``, or a path.
        target: Where the new one goes.

    Example:
        >>> print(beginning("album", Path("plus.yaml")), end="")
        extends: album
        labels:
        >>> print(beginning("mine.yaml", Path("new/plus.yaml")), end="")
        extends: ../mine.yaml
        labels:
    """
    is_path = source.endswith((".yaml", ".yml"))
    return f"extends: {as_word(os.path.relpath(source, target.parent) if is_path else source)}\nlabels:\n"


def as_word(text: str) -> str:
    """Return a text as YAML reads it back, in quotes where it must be.

    Example:
        >>> as_word("scene.forest"), as_word("on"), as_word("/m/01g317"), as_word("a, b")
        ('scene.forest', '"on"', '/m/01g317', '"a, b"')
    """
    is_plain = re.fullmatch(r"[\w./+-]+( [\w./+-]+)*", text) is not None and yaml.safe_load(text) == text
    if is_plain:
        return text
    return '"' + re.sub(r'[^ -~]|["\\]', lambda letter: f"\\U{ord(letter[0]):08x}", text) + '"'
