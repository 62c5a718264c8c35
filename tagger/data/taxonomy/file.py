"""A label system's YAML file: read once, every mistake in it reported at once and with its line.

    name: album
    labels:
      - id: scene.forest
        names: {en: forest, zh: 森林}
        parents: [scene]
        implies: [plant.tree]
        excludes: [scene.desert]
        definition: Many trees close together. A park with single trees does not count.
        aliases: [wood, woods]                # what any source may call it
        sources: {corel5k: [forest, jungle]}  # what one source calls it: where it says so, the label is present
        exact: {corel5k: [forest]}            # those that mean just this label: where they are absent, it is absent
    shared:                                   # names that deliberately stand for several labels
      corel5k: [formula]
    left_out:                                 # names that deliberately stand for none
      corel5k:
        - {reason: says how a photo was taken, names: [close-up]}

A plain word in place of a mapping is a label without relations. `extends: album` makes it a file of what is there
beyond another label system: see `tagger.data.taxonomy.growing`.
"""

import difflib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tagger.data.taxonomy.checks import Mistake, mistakes
from tagger.data.taxonomy.growing import Fields, Stated, grown
from tagger.data.taxonomy.label_system import Label, Taxonomy, TaxonomyError

FOLDER = Path(__file__).parents[3] / "conf" / "taxonomy"

LISTS = ("parents", "implies", "excludes", "aliases")
MAPS = ("sources", "exact")
ROOT = ("name", "extends", "labels", "shared", "left_out")

# libyaml reads 600 labels in a tenth of the time.
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Entry(NamedTuple):
    """A value of the file and the line, from 1, on which it begins."""

    value: Any
    line: int


def read_taxonomy(name: str) -> Taxonomy:
    """Read ``conf/taxonomy/<name>.yaml``, or the YAML file that ``name`` is a path of.

    Raises:
        TaxonomyError: If there is no such file or it has mistakes; all are listed.

    Example:
        >>> read_taxonomy("voc").ids[:2]
        ('aeroplane', 'bicycle')
    """
    path = _path(name, Path())
    return parse_taxonomy(path.read_bytes(), path)


def parse_taxonomy(content: bytes, path: Path) -> Taxonomy:
    """Return the label system that a file of this content is.

    Args:
        content: YAML in UTF-8.
        path: Of the file, which need not be there: messages name it, and what it extends is looked for beside it.

    Raises:
        TaxonomyError: If it has mistakes; all are listed.
    """
    stated = _stated(content, path, ())
    reasons = {key: {name: reason for name, (reason, _) in names.items()} for key, names in stated.left_out.items()}
    labels = tuple(_label(fields) for fields, _ in stated.labels)
    return Taxonomy(stated.name, labels, reasons, stated.fingerprint)


def _path(name: str, folder: Path) -> Path:
    """Return the file of a label system; a path begins at the folder."""
    path = folder / name if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if path.is_file():
        return path
    known = sorted(file.stem for file in FOLDER.glob("*.yaml"))
    here = [f"{name}.yaml"] if (folder / f"{name}.yaml").is_file() else difflib.get_close_matches(name, known, n=1)
    hint = f" (did you mean {here[0]}?)" if here else ""
    raise TaxonomyError(
        f"no taxonomy {name!r}: {path} does not exist{hint}; known are {', '.join(known)}, or give the path of a "
        ".yaml, in which 'extends: album' and the labels to add are enough"
    )


def _stated(content: bytes, path: Path, extending: tuple[Path, ...]) -> Stated:
    """Return what a file states together with what it extends.

    Args:
        content: Of the file.
        path: Of the file.
        extending: Files that extend this one, the first one first.
    """
    found: list[Mistake] = []
    root = _root(content, path, found)
    entries = [Entry(_fields(entry, found), entry.line) for entry in root["labels"].value]
    stated = Stated(
        root["name"].value if "name" in root else path.stem,
        [(entry.value, entry.line) for entry in entries if entry.value is not None],
        {key: set(names) for key, names in _lists(root.get("shared"), found).items()},
        _left_out(root.get("left_out"), found),
        hashlib.sha256(content).hexdigest()[:16],
    )
    if "extends" in root:
        there = _extended(root["extends"], path, (*extending, path))
        stated = grown(there, stated)
    found += mistakes([(_label(fields), line) for fields, line in stated.labels], stated.shared, stated.left_out)
    if found:
        lines = [f"line {line}: {text}" if line else text for line, text in sorted(found)]
        raise TaxonomyError(f"{path}: {len(lines)} mistake{'s' if len(lines) > 1 else ''}\n  " + "\n  ".join(lines))
    return stated


def _extended(entry: Entry, path: Path, extending: tuple[Path, ...]) -> Stated:
    """Return what the label system states that a file extends."""
    if not isinstance(entry.value, str):
        raise TaxonomyError(f"{path}, line {entry.line}: extends: expected a name or a path, got {entry.value!r}")
    try:
        other = _path(entry.value, path.parent)
    except TaxonomyError as error:
        raise TaxonomyError(f"{path}, line {entry.line}: extends: {error}") from error
    if other.resolve() in [file.resolve() for file in extending]:
        chain = " -> ".join(str(file) for file in (*extending, other))
        raise TaxonomyError(f"{path}, line {entry.line}: label systems extend each other in a circle: {chain}")
    return _stated(other.read_bytes(), other, extending)


def _root(content: bytes, path: Path, found: list[Mistake]) -> dict[str, Entry]:
    """Return the entries of the file's top level; those of ``labels`` have not been looked into."""
    try:
        node = yaml.compose(content, Loader=Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise TaxonomyError(f"{path}{place}: {getattr(error, 'problem', None) or error}") from error
    except UnicodeDecodeError as error:
        raise TaxonomyError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    root = dict(_items(node, found)) if isinstance(node, yaml.MappingNode) else {}
    if not isinstance(root.get("labels", Entry(None, 0)).value, yaml.SequenceNode):
        raise TaxonomyError(f"{path}: expected the keys 'name' and 'labels' (a list)")
    found += [Mistake(entry.line, f"unknown key {key!r}") for key, entry in root.items() if key not in ROOT]
    root["labels"] = Entry([Entry(item, _line(item)) for item in root["labels"].value.value], root["labels"].line)
    return {key: entry if key == "labels" else Entry(_value(entry.value), entry.line) for key, entry in root.items()}


def _fields(entry: Entry, found: list[Mistake]) -> Fields | None:
    """Return what is said of a label, or None and a mistake."""
    node = entry.value
    if isinstance(node, yaml.ScalarNode):
        return {"id": node.value}
    if not isinstance(node, yaml.MappingNode):
        found.append(Mistake(entry.line, f"expected a word or a mapping with an 'id', got {_value(node)!r}"))
        return None
    keys = {key: Entry(_value(item.value), item.line) for key, item in _items(node, found)}
    id_ = keys.get("id", Entry(None, 0)).value
    if not isinstance(id_, str) or not id_:
        found.append(Mistake(entry.line, f"expected a mapping with an 'id', got {_value(node)!r}"))
        return None
    strange = [key for key in keys if key not in Label.__dataclass_fields__]
    found += [Mistake(keys[key].line, f"label {id_!r}: unknown key {key!r}") for key in strange]
    fields: Fields = {key: keys[key].value for key in ("id", "definition") if key in keys}
    fields |= {"names": _mapping(keys["names"], found)} if "names" in keys else {}
    fields |= {key: tuple(_words(keys[key], key, found)) for key in LISTS if key in keys}
    return fields | {key: _lists(keys[key], found) for key in MAPS if key in keys}


def _label(fields: Fields) -> Label:
    return Label(**{"names": {"en": fields["id"]}, **fields})


def _items(node: yaml.MappingNode, found: list[Mistake]) -> Iterator[tuple[str, Entry]]:
    """Yield keys and value nodes; YAML lets a later key silently replace an earlier one, we do not."""
    seen: set[str] = set()
    for key, value in node.value:
        if key.value in seen:
            found.append(Mistake(_line(key), f"key {key.value!r} is written twice"))
        seen.add(key.value)
        yield key.value, Entry(value, _line(key))


def _mapping(entry: Entry, found: list[Mistake]) -> dict[str, Any]:
    if isinstance(entry.value, dict):
        return entry.value
    found.append(Mistake(entry.line, f"expected a mapping, got {entry.value!r}"))
    return {}


def _lists(entry: Entry | None, found: list[Mistake]) -> dict[str, tuple[str, ...]]:
    """Return a mapping of lists of words."""
    if entry is None:
        return {}
    return {key: tuple(_words(Entry(value, entry.line), key, found)) for key, value in _mapping(entry, found).items()}


def _words(entry: Entry, key: str, found: list[Mistake]) -> list[str]:
    if not isinstance(entry.value, list):
        found.append(Mistake(entry.line, f"{key}: expected a list, got {entry.value!r}"))
        return []
    strange = [word for word in entry.value if not isinstance(word, str)]
    # In YAML `no`, `on` and 1.0 are no words unless they are quoted.
    found += [Mistake(entry.line, f"{key}: {word!r} is not a word; put it in quotes") for word in strange]
    return [word for word in entry.value if isinstance(word, str)]


def _left_out(entry: Entry | None, found: list[Mistake]) -> dict[str, dict[str, tuple[str, int]]]:
    """Return the reason and the line of every name that is left out, by vocabulary."""
    if entry is None:
        return {}
    result: dict[str, dict[str, tuple[str, int]]] = {}
    for vocabulary, reasons in entry.value.items():
        for group in reasons:
            if not isinstance(group, dict) or set(group) != {"reason", "names"}:
                found.append(
                    Mistake(entry.line, f"left_out.{vocabulary}: expected 'reason' and 'names', got {group!r}")
                )
                continue
            for name in _words(Entry(group["names"], entry.line), f"left_out.{vocabulary}", found):
                if name in result.setdefault(vocabulary, {}):
                    found.append(Mistake(entry.line, f"left_out.{vocabulary}: {name!r} is listed twice"))
                result[vocabulary][name] = group["reason"], entry.line
    return result


def _value(node: yaml.Node) -> Any:
    return yaml.constructor.SafeConstructor().construct_document(node)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
