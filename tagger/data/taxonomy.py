"""The label system: ids, display names and how labels relate. One YAML file each under ``conf/taxonomy``."""

import difflib
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import yaml

from tagger.errors import UserError

FOLDER = Path(__file__).parents[2] / "conf" / "taxonomy"


class TaxonomyError(UserError):
    """A label system that cannot be used; the message lists every mistake."""


@dataclass(frozen=True)
class Label:
    """One label: what it is called, where it belongs, what it implies."""

    id: str
    names: dict[str, str]
    parents: tuple[str, ...] = ()
    implies: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    definition: str = ""
    aliases: tuple[str, ...] = ()
    """What the sources call it, beside its id."""


@dataclass(frozen=True)
class Taxonomy:
    """The labels in a fixed order: column j of every ``(photos, labels)`` matrix is ``labels[j]``."""

    name: str
    labels: tuple[Label, ...]
    fingerprint: str = field(compare=False, default="")

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Label ids in column order."""
        return tuple(label.id for label in self.labels)

    @cached_property
    def columns(self) -> dict[str, int]:
        """Column of every name a source may use: ids and aliases."""
        names = {alias: column for column, label in enumerate(self.labels) for alias in label.aliases}
        return names | {label.id: column for column, label in enumerate(self.labels)}

    def nearest(self, name: str) -> str | None:
        """Return the known name that looks most like ``name``, or None if none does."""
        close = difflib.get_close_matches(name, self.columns, n=1)
        return close[0] if close else None


def read_taxonomy(name: str) -> Taxonomy:
    """Read ``conf/taxonomy/<name>.yaml``, or the YAML file that ``name`` is a path of.

    Raises:
        TaxonomyError: If there is no such file or it has mistakes; all are listed.

    Example:
        >>> read_taxonomy("voc").ids[:2]
        ('aeroplane', 'bicycle')
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
        raise TaxonomyError(
            f"no taxonomy {name!r}: {path} does not exist; known are {known}, or give a path to a .yaml"
        )
    content = path.read_bytes()
    tree = yaml.safe_load(content)
    if not isinstance(tree, dict) or not isinstance(tree.get("labels"), list):
        raise TaxonomyError(f"{path}: expected the keys 'name' and 'labels' (a list)")
    labels = [_label(entry, place=f"{path}, label {number}") for number, entry in enumerate(tree["labels"], 1)]
    if mistakes := _mistakes(labels):
        raise TaxonomyError(f"{path}: {len(mistakes)} mistakes\n  " + "\n  ".join(mistakes))
    return Taxonomy(tree.get("name", path.stem), tuple(labels), hashlib.sha256(content).hexdigest()[:16])


def _label(entry: object, *, place: str) -> Label:
    if isinstance(entry, str):
        return Label(entry, {"en": entry})
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise TaxonomyError(f"{place}: expected a mapping with an 'id', got {entry!r}")
    if strange := set(entry) - set(Label.__dataclass_fields__):
        raise TaxonomyError(f"{place} ({entry['id']}): unknown key {sorted(strange)[0]!r}")
    lists = {key: tuple(entry.get(key, ())) for key in ("parents", "implies", "excludes", "aliases")}
    names = entry.get("names", {"en": entry["id"]})
    return Label(entry["id"], names, definition=entry.get("definition", ""), **lists)


def _mistakes(labels: list[Label]) -> list[str]:
    ids = Counter(label.id for label in labels)
    names = Counter(name for label in labels for name in {label.id, *label.aliases})
    found = [f"label {name!r} is defined {count} times" for name, count in ids.items() if count > 1]
    found += [
        f"name {name!r} is claimed by {count} labels" for name, count in names.items() if count > max(1, ids[name])
    ]
    found += [f"label id {name!r} is not ASCII: metric names are made of ids" for name in ids if not name.isascii()]
    for label in labels:
        for relation in ("parents", "implies", "excludes"):
            found += [
                f"label {label.id!r}: {relation} names {other!r}, which is no label"
                for other in getattr(label, relation)
                if other not in ids
            ]
        both = set(label.implies) & set(label.excludes)
        found += [f"label {label.id!r} implies and excludes {other!r}" for other in sorted(both)]
    for relation in ("parents", "implies"):
        found += _cycle({label.id: getattr(label, relation) for label in labels}, relation)
    return found


def _cycle(graph: dict[str, tuple[str, ...]], relation: str) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [f"{relation} form a cycle: {' -> '.join(reversed(error.args[1]))}"]
    return []
