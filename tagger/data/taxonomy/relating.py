"""Write relations into the text of a label system; all that was there stays as it was, comments too."""

import re
from collections.abc import Iterable
from typing import NamedTuple

import yaml

from tagger.data.taxonomy.label_system import TaxonomyError


class Addition(NamedTuple):
    """One more word under a key of a label."""

    label: str
    key: str
    """``parents``, ``implies`` or ``excludes``."""
    other: str


def with_relations(text: str, additions: Iterable[Addition]) -> str:
    r"""Return the text of a label system with these relations; what it states already is not stated twice.

    Args:
        text: As `read_taxonomy` reads it.
        additions: What to add.

    Raises:
        TaxonomyError: If there is no such label.

    Example:
        >>> print(with_relations("labels:\n  - tree\n  - id: wood  # many\n", [Addition("wood", "implies", "tree")]))
        labels:
          - tree
          - id: wood  # many
            implies: [tree]
        <BLANKLINE>
    """
    # Not libyaml: its marks count otherwise where characters are long.
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    nodes = {_id(node): node for node in value_of(root, "labels").value}
    wanted: dict[tuple[str, str], list[str]] = {}
    for label, key, other in additions:
        if label not in nodes:
            raise TaxonomyError(f"there is no label {label!r} to write {key}: [{other}] to")
        wanted.setdefault((label, key), []).append(other)
    edits = []
    for (label, key), others in wanted.items():
        node = nodes[label]
        there = None if isinstance(node, yaml.ScalarNode) else value_of(node, key, missing=None)
        stated = [] if there is None else [item.value for item in there.value]
        if fresh := [other for other in dict.fromkeys(others) if other not in stated]:
            edits.append((label, *_edit(text, node, key, there, fresh)))
    return _edited(text, edits, nodes)


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


def _edit(text: str, node: yaml.Node, key: str, there: yaml.Node | None, others: list[str]) -> tuple[int, str]:
    """Return where to insert what."""
    words = [as_word(other) for other in others]
    listed = ", ".join(words)
    if there is not None and there.value and not there.flow_style:
        dash = " " * there.start_mark.column
        return end_of_line(text, there.value[-1]), "".join(f"\n{dash}- {word}" for word in words)
    if there is not None:
        return there.end_mark.index - 1, f", {listed}" if there.value else listed
    if isinstance(node, yaml.ScalarNode):
        return node.end_mark.index, f", {key}: [{listed}]"
    if node.flow_style:
        return node.end_mark.index - 1, f", {key}: [{listed}]"
    first = node.value[0][0]
    return end_of_line(text, value_of(node, "id")), f"\n{' ' * first.start_mark.column}{key}: [{listed}]"


def _edited(text: str, edits: list[tuple[str, int, str]], nodes: dict[str, yaml.Node]) -> str:
    """Return the text with all insertions, and with braces around the labels that were a plain word."""
    inserted = [(place, added) for _, place, added in edits]
    for label in {label for label, _, _ in edits}:
        node = nodes[label]
        if isinstance(node, yaml.ScalarNode):
            inserted += [(node.start_mark.index, "{id: "), (node.end_mark.index, "}")]
    # From behind, so that places stay right; of one place the last one first, for the same reason.
    for _, place, added in sorted(((n, *edit) for n, edit in enumerate(inserted)), key=lambda e: (-e[1], -e[0])):
        text = text[:place] + added + text[place:]
    return text


def _id(node: yaml.Node) -> str:
    return str(node.value if isinstance(node, yaml.ScalarNode) else value_of(node, "id").value)


def value_of(node: yaml.Node, key: str, **default: None) -> yaml.Node:
    """Return the node behind a key of a mapping."""
    found = next((value for name, value in node.value if name.value == key), *default.values())
    assert found is not None or default, f"a label system has {key}"
    return found


def end_of_line(text: str, node: yaml.Node) -> int:
    """Return where the line ends on which a node ends."""
    end = node.end_mark.index
    # What is written as a block of lines ends behind its last one.
    end -= len(text[:end]) - len(text[:end].rstrip("\n"))
    end = text.find("\n", end)
    return len(text) if end < 0 else end
