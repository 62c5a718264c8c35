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

A plain word in place of a mapping is a label without relations.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tagger.data.taxonomy.checks import Mistake, mistakes
from tagger.data.taxonomy.label_system import Label, Taxonomy, TaxonomyError

FOLDER = Path(__file__).parents[3] / "conf" / "taxonomy"

LISTS = ("parents", "implies", "excludes", "aliases")
MAPS = ("sources", "exact")
ROOT = ("name", "labels", "shared", "left_out")

# libyaml reads 600 labels in a tenth of the time.
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Entry(NamedTuple):
    """A value of the file and the line, from 1, on which it begins."""

    value: Any
    line: int


def taxonomy_file(name: str) -> Path:
    """Return where a label system lies: ``conf/taxonomy/<name>.yaml``, or the YAML file that ``name`` is a path of."""
    return Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"


def read_taxonomy(name: str) -> Taxonomy:
    """Read ``conf/taxonomy/<name>.yaml``, or the YAML file that ``name`` is a path of.

    Raises:
        TaxonomyError: If there is no such file or it has mistakes; all are listed.

    Example:
        >>> read_taxonomy("voc").ids[:2]
        ('aeroplane', 'bicycle')
    """
    path = taxonomy_file(name)
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
        raise TaxonomyError(
            f"no taxonomy {name!r}: {path} does not exist; known are {known}, or give a path to a .yaml"
        )
    content = path.read_bytes()
    found: list[Mistake] = []
    root = _root(content, path, found)
    entries = [Entry(_label(entry, found), entry.line) for entry in root["labels"].value]
    labels = [Entry(entry.value, entry.line) for entry in entries if entry.value is not None]
    shared = {key: set(names) for key, names in _plain(root.get("shared"), {}, found).items()}
    left_out = _left_out(root.get("left_out"), found)
    found += mistakes([(entry.value, entry.line) for entry in labels], shared, left_out)
    if found:
        lines = [f"line {line}: {text}" if line else text for line, text in sorted(found)]
        raise TaxonomyError(f"{path}: {len(lines)} mistake{'s' if len(lines) > 1 else ''}\n  " + "\n  ".join(lines))
    title = root["name"].value if "name" in root else path.stem
    reasons = {key: {name: reason for name, (reason, _) in names.items()} for key, names in left_out.items()}
    return Taxonomy(title, tuple(entry.value for entry in labels), reasons, hashlib.sha256(content).hexdigest()[:16])


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


def _label(entry: Entry, found: list[Mistake]) -> Label | None:
    """Return a label, or None and a mistake."""
    node = entry.value
    if isinstance(node, yaml.ScalarNode):
        return Label(node.value, {"en": node.value})
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
    names = _plain(keys.get("names"), {"en": id_}, found)
    sources, exact = (
        {key: tuple(values) for key, values in _plain(keys.get(name), {}, found).items()} for name in MAPS
    )
    lists = {key: tuple(_words(keys[key], key, found)) for key in LISTS if key in keys}
    return Label(
        id_, names, definition=keys.get("definition", Entry("", 0)).value, sources=sources, exact=exact, **lists
    )


def _items(node: yaml.MappingNode, found: list[Mistake]) -> Iterator[tuple[str, Entry]]:
    """Yield keys and value nodes; YAML lets a later key silently replace an earlier one, we do not."""
    seen: set[str] = set()
    for key, value in node.value:
        if key.value in seen:
            found.append(Mistake(_line(key), f"key {key.value!r} is written twice"))
        seen.add(key.value)
        yield key.value, Entry(value, _line(key))


def _plain(entry: Entry | None, default: dict[str, Any], found: list[Mistake]) -> dict[str, Any]:
    """Return a mapping of the file; lists in it are lists of words."""
    if entry is None:
        return default
    if not isinstance(entry.value, dict):
        found.append(Mistake(entry.line, f"expected a mapping, got {entry.value!r}"))
        return default
    return {
        key: _words(Entry(value, entry.line), key, found) if isinstance(value, list) else value
        for key, value in entry.value.items()
    }


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
