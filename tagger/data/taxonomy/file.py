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
        closed: true                          # nothing but its kinds: where all of them are absent, it is absent
    shared:                                   # names that deliberately stand for several labels
      corel5k: [formula]
    left_out:                                 # names that deliberately stand for none
      corel5k:
        - {reason: says how a photo was taken, names: [close-up]}

Every word is what was typed: `no`, `on`, `2019`, `1e3` and `~` are names like others and need no quotes. A plain word
in place of a mapping is a label without relations. `extends: album` makes it a file of what is there beyond another
label system: see `tagger.data.taxonomy.growing`.
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
from tagger.yaml_text import WordLoader, check_yaml

FOLDER = Path(__file__).parents[3] / "conf" / "taxonomy"

LISTS = ("parents", "implies", "excludes", "aliases")
MAPS = ("sources", "exact")
ROOT = ("name", "extends", "labels", "shared", "left_out")

MAX_BYTES = 16 * 2**20
"""Most bytes of a file: 20,000 labels in two languages have 4 MB."""

MAX_SHOWN = 1000
"""Most mistakes that are told at once."""

MAX_LABELS = 25_000
"""Which follow from which is a square of them."""


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
    return parse_taxonomy(_content(path), path)


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
    if _is_file(path):
        return path
    known = sorted(file.stem for file in FOLDER.glob("*.yaml"))
    here = [f"{name}.yaml"] if _is_file(folder / f"{name}.yaml") else difflib.get_close_matches(name, known, n=1)
    hint = f" (did you mean {here[0]}?)" if here else ""
    raise TaxonomyError(
        f"no taxonomy {name!r}: {path} does not exist{hint}; known are {', '.join(known)}, or give the path of a "
        ".yaml, in which 'extends: album' and the labels to add are enough"
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    # A name may be longer than any file's.
    except OSError:
        return False


def _stated(content: bytes, path: Path, extending: tuple[Path, ...]) -> Stated:
    """Return what a file states together with what it extends.

    Args:
        content: Of the file.
        path: Of the file.
        extending: Files that extend this one, the first one first.
    """
    found: list[Mistake] = []
    try:
        root = _root(content, path, found)
    except RecursionError:
        raise TaxonomyError(f"{path}: lists within lists without an end; a label system has four levels") from None
    entries = [Entry(_fields(entry, found), entry.line) for entry in root["labels"].value]
    stated = Stated(
        _text(root["name"], "name", found) if "name" in root else path.stem,
        [(entry.value, entry.line) for entry in entries if entry.value is not None],
        {key: set(names) for key, names in _lists(root.get("shared"), found).items()},
        _left_out(root.get("left_out"), found),
        hashlib.sha256(content).hexdigest()[:16],
    )
    if "extends" in root:
        there = _extended(root["extends"], path, (*extending, path))
        stated = grown(there, stated)
    if len(stated.labels) > MAX_LABELS:
        raise TaxonomyError(f"{path}: {len(stated.labels):,} labels; a label system has at most {MAX_LABELS:,}")
    found += mistakes([(_label(fields), line) for fields, line in stated.labels], stated.shared, stated.left_out)
    if found:
        lines = [f"line {line}: {text}" if line else text for line, text in sorted(found)]
        shown = lines[:MAX_SHOWN] + [f"and {len(lines) - MAX_SHOWN:,} more"] * (len(lines) > MAX_SHOWN)
        raise TaxonomyError(f"{path}: {len(lines)} mistake{'s' if len(lines) > 1 else ''}\n  " + "\n  ".join(shown))
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
    return _stated(_content(other), other, extending)


def _content(path: Path) -> bytes:
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise TaxonomyError(f"{path} has {size:,} bytes; a label system has at most {MAX_BYTES:,}")
        return path.read_bytes()
    except OSError as error:
        raise TaxonomyError(f"{path} cannot be read: {error.strerror or error}") from error


def _root(content: bytes, path: Path, found: list[Mistake]) -> dict[str, Entry]:
    """Return the entries of the file's top level; those of ``labels`` have not been looked into."""
    try:
        check_yaml(content)
        node = yaml.compose(content, Loader=WordLoader)
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
    return {
        key: entry if key == "labels" else Entry(_value(entry.value, found), entry.line) for key, entry in root.items()
    }


def _fields(entry: Entry, found: list[Mistake]) -> Fields | None:
    """Return the entry of a label, or None and a mistake."""
    node = entry.value
    if isinstance(node, yaml.ScalarNode):
        return {"id": node.value}
    if not isinstance(node, yaml.MappingNode):
        found.append(Mistake(entry.line, f"expected a word or a mapping with an 'id', got {_value(node, found)!r}"))
        return None
    keys = {key: Entry(_value(item.value, found), item.line) for key, item in _items(node, found)}
    id_ = keys.get("id", Entry(None, 0)).value
    if not isinstance(id_, str) or not id_:
        found.append(Mistake(entry.line, f"expected a mapping with an 'id', got {_value(node, [])!r}"))
        return None
    strange = [key for key in keys if key not in Label.__dataclass_fields__]
    found += [Mistake(keys[key].line, f"label {id_!r}: unknown key {key!r}") for key in strange]
    fields: Fields = {"id": id_}
    fields |= {"definition": _text(keys["definition"], "definition", found)} if "definition" in keys else {}
    fields |= {"closed": _truth(keys["closed"], found)} if "closed" in keys else {}
    if "names" in keys:
        names = _mapping(keys["names"], found)
        fields["names"] = {key: _text(Entry(name, keys["names"].line), key, found) for key, name in names.items()}
    fields |= {key: tuple(_words(keys[key], key, found)) for key in LISTS if key in keys}
    return fields | {key: _lists(keys[key], found) for key in MAPS if key in keys}


def _label(fields: Fields) -> Label:
    return Label(**{"names": {"en": fields["id"]}, **fields})


def _items(node: yaml.MappingNode, found: list[Mistake]) -> Iterator[tuple[str, Entry]]:
    """Yield keys and value nodes; YAML lets a later key silently replace an earlier one, we do not."""
    keys: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            found.append(Mistake(_line(key), f"expected a word before the colon, got {_value(key, found)!r}"))
            continue
        if key.value in keys:
            found.append(Mistake(_line(key), f"key {key.value!r} is written twice"))
        keys.add(key.value)
        yield key.value, Entry(value, _line(key))


def _text(entry: Entry, key: str, found: list[Mistake]) -> str:
    if isinstance(entry.value, str) and (entry.value or key == "definition"):
        return entry.value
    found.append(Mistake(entry.line, f"{key}: expected a text, got {entry.value!r}"))
    return ""


def _truth(entry: Entry, found: list[Mistake]) -> bool:
    if entry.value not in ("true", "false"):
        found.append(Mistake(entry.line, f"closed: expected true or false, got {entry.value!r}"))
    return bool(entry.value == "true")


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
    found += [Mistake(entry.line, f"{key}: {word!r} is not a word") for word in strange]
    return [word for word in entry.value if isinstance(word, str)]


def _left_out(entry: Entry | None, found: list[Mistake]) -> dict[str, dict[str, tuple[str, int]]]:
    """Return the reason and the line of every name that is left out, by vocabulary."""
    if entry is None:
        return {}
    result: dict[str, dict[str, tuple[str, int]]] = {}
    for vocabulary, reasons in _mapping(entry, found).items():
        for group in reasons if isinstance(reasons, list) else [reasons]:
            if not isinstance(group, dict) or set(group) != {"reason", "names"}:
                found.append(
                    Mistake(entry.line, f"left_out.{vocabulary}: expected 'reason' and 'names', got {group!r}")
                )
                continue
            for name in _words(Entry(group["names"], entry.line), f"left_out.{vocabulary}", found):
                if name in result.setdefault(vocabulary, {}):
                    found.append(Mistake(entry.line, f"left_out.{vocabulary}: {name!r} is listed twice"))
                result[vocabulary][name] = _text(Entry(group["reason"], entry.line), "reason", found), entry.line
    return result


def _value(node: yaml.Node, found: list[Mistake]) -> Any:
    """Return texts, and lists and mappings of them."""
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, found) for item in node.value]
    return {key: _value(entry.value, found) for key, entry in _items(node, found)}


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
