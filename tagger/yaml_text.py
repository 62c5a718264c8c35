"""YAML from outside: refused before it is built if it would be larger than it looks.

Ten lines of aliases stand for a billion values (``b: [*a, *a]``, ``c: [*b, *b]``, …), an alias may hold itself, and a
number may have a million digits. What is read here is looked through once, value by value, before anything is made.
"""

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

import yaml

# libyaml reads 600 labels in a tenth of the time, and limits how deep brackets go.
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_VALUES = 1_000_000
"""Most values, those behind aliases counted each time they are meant."""

MAX_DEPTH = 50

_LONG_NUMBER = re.compile(r"[-+.\d][\d_:.]{100,}")


def check_yaml(content: str | bytes, *, values: int = MAX_VALUES) -> None:
    r"""Refuse YAML that stands for too many values, or for values too deep in each other.

    Args:
        content: The text; bytes are UTF-8.
        values: Most values.

    Raises:
        yaml.YAMLError: If it does, or is no YAML.

    Example:
        >>> check_yaml("a: &a [1, 2]\nb: [*a, *a]")
        >>> check_yaml("a: &a [*a]")
        Traceback (most recent call last):
        yaml.error.YAMLError: line 1: *a holds itself, or nothing
    """
    counted = _Counted()
    for event in yaml.parse(content, Loader=Loader):
        counted.add(event)
        line = event.start_mark.line + 1
        if counted.values > values:
            raise yaml.YAMLError(f"line {line}: it stands for more than {values:,} values")
        if len(counted.opened) > MAX_DEPTH:
            raise yaml.YAMLError(f"line {line}: values lie more than {MAX_DEPTH} deep in each other")


def read_plain(content: str | bytes, *, values: int = MAX_VALUES) -> Any:
    """Return what YAML from outside stands for: mappings, lists, texts, numbers.

    Raises:
        yaml.YAMLError: If it is no YAML, names types of Python, or stands for too much.
        ValueError: If a value is none, such as a date of a 13th month.
    """
    check_yaml(content, values=values)
    return yaml.load(content, Loader=Loader)


class WordLoader(Loader):  # type: ignore[misc]
    """Reads every scalar as a text: to YAML ``no`` is a truth, ``2019`` and ``1e3`` are numbers, ``~`` is nothing."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


def read_words(content: str | bytes, *, values: int = MAX_VALUES) -> Any:
    """Return what YAML from outside stands for, every scalar as it was typed: mappings and lists of texts.

    Raises:
        yaml.YAMLError: If it is no YAML, names types of Python, or stands for too much.

    Example:
        >>> read_words("no: [on, 2019, 1e3, ~, 2020-02-02]")
        {'no': ['on', '2019', '1e3', '~', '2020-02-02']}
    """
    check_yaml(content, values=values)
    return yaml.load(content, Loader=WordLoader)


@dataclass
class _Counted:
    """How many values there were so far."""

    values: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    """Of what has a name, by the name."""
    opened: list[tuple[str | None, int]] = field(default_factory=list)
    """Name of every list and mapping that has not ended, and how many values there were before it."""

    def add(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.sizes:
                raise yaml.YAMLError(f"line {event.start_mark.line + 1}: *{event.anchor} holds itself, or nothing")
            self.values += self.sizes[event.anchor]
        elif isinstance(event, yaml.CollectionStartEvent):
            self.opened.append((event.anchor, self.values))
            self.values += 1
            # An earlier one of this name is not meant any more.
            self.sizes.pop(event.anchor, None)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = self.opened.pop()
            self._name(anchor, self.values - before)
        elif isinstance(event, yaml.ScalarEvent):
            self.values += 1
            self._name(event.anchor, 1)
            if _LONG_NUMBER.fullmatch(event.value):
                raise yaml.YAMLError(f"line {event.start_mark.line + 1}: a number of {len(event.value):,} digits")

    def _name(self, anchor: str | None, size: int) -> None:
        if anchor is not None:
            self.sizes[anchor] = size
