"""What is left of the suggestions, written as a label system that extends the one they were found for."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from tagger.data.taxonomy import Taxonomy, read_taxonomy
from tagger.data.taxonomy.checks import RELATIONS
from tagger.data.taxonomy.writing import as_word, beginning, write_checked
from tagger.errors import UserError
from tagger.yaml_text import read_words


class Addition(NamedTuple):
    """One more word under a key of a label."""

    label: str
    key: str
    """``parents``, ``implies`` or ``excludes``."""
    other: str


def read_suggestions(path: Path) -> list[Addition]:
    """Read what is left of the suggestions.

    Raises:
        UserError: If the file is not there, not YAML, or holds something else than relations.
    """
    if not path.is_file():
        raise UserError(f"patch={path}: there is no such file; what=relations without patch= writes one")
    try:
        tree = read_words(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"patch={path}: not YAML in UTF-8: {error}") from error
    entries = tree.get("relations") or None if isinstance(tree, dict) else None
    if not isinstance(entries, list | None) or not isinstance(tree, dict) or set(tree) != {"relations"}:
        raise UserError(f"patch={path}: expected 'relations:' and a list, as what=relations writes it")
    if not entries:
        raise UserError(f"patch={path}: no relation is left in it; there is nothing to write")
    return [_addition(entry, path) for entry in entries]


def _addition(entry: object, path: Path) -> Addition:
    if isinstance(entry, dict) and len(entry) == 2 and all(isinstance(value, str) for value in entry.values()):
        (key, *more) = [key for key in entry if key != "label"]
        if not more and key in RELATIONS:
            return Addition(entry["label"], key, entry[key])
    keys = ", ".join(RELATIONS)
    raise UserError(f"patch={path}: expected {{label: …, implies: …}} with one of {keys}, got {entry!r}")


def write_grown(source: str, target: Path, additions: Sequence[Addition]) -> Taxonomy:
    """Write a label system with further relations, which extends the one that lacks them, and return it.

    Args:
        source: Name under ``conf/taxonomy``, or path, of the one that lacks them.
        target: Where the new one goes.
        additions: What it states beyond the old one.

    Raises:
        UserError: If the target is there already, is no ``.yaml``, or the relations contradict the label system; then
            nothing is written.
    """
    if target.exists():
        raise UserError(f"to={target} is there already; give another name: what people wrote is not written over")
    there = read_taxonomy(source)
    for addition in additions:
        if addition.label not in there.column:
            near = there.nearest(addition.label)
            hint = f"; did you mean {near!r}?" if near else ""
            raise UserError(f"nothing was written: {addition.label!r} is no label of {there.name!r}{hint}")
    return write_checked(target, grown_text(source, target, additions))


def grown_text(source: str, target: Path, additions: Sequence[Addition]) -> str:
    """Return the text of a label system that extends another one by relations.

    Example:
        >>> print(grown_text("album", Path("plus.yaml"), [Addition("animal.coral", "implies", "scene.sea")]))
        extends: album
        labels:
          - {id: animal.coral, implies: [scene.sea]}
        <BLANKLINE>
    """
    lines = []
    for label in dict.fromkeys(addition.label for addition in additions):
        stated = ""
        for key in RELATIONS:
            others = [a.other for a in additions if (a.label, a.key) == (label, key)]
            stated += f", {key}: [{', '.join(map(as_word, dict.fromkeys(others)))}]" if others else ""
        lines.append(f"  - {{id: {as_word(label)}{stated}}}")
    return beginning(source, target) + "\n".join(lines) + "\n"
