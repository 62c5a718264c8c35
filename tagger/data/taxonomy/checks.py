"""Mistakes in a label system: every one is found and named at once, with the line of its label."""

import difflib
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from typing import NamedTuple

import numpy as np

from tagger.data.taxonomy.label_system import Label, closure

RELATIONS = ("parents", "implies", "excludes")

MAX_HINTS = 10
"""Unknown labels for which a known one that looks like them is searched."""

MAX_VOCABULARIES = 200


class Mistake(NamedTuple):
    """What is wrong, and on which line; 0 if on none in particular."""

    line: int
    text: str


def mistakes(
    labels: list[tuple[Label, int]],
    shared: dict[str, set[str]],
    left_out: dict[str, dict[str, tuple[str, int]]],
) -> list[Mistake]:
    """Return everything that is wrong with a label system.

    Args:
        labels: Labels with their lines.
        shared: Names that may stand for several labels, by vocabulary.
        left_out: Reason and line of the names that stand for none, by vocabulary.

    Example:
        >>> mistakes([(Label("dog", {}, parents=("animl",)), 3), (Label("animal", {}), 7)], {}, {})
        [Mistake(line=3, text="label 'dog': parents names 'animl', which is no label; did you mean 'animal'?")]
    """
    found = [*_ids(labels), *_unknown(labels)]
    if not found:
        # A graph with unknown ends has no closure.
        found = [*_cycles(labels)] or [*_contradictions(labels)]
    return [*found, *_claims(labels, shared, left_out)]


def _ids(labels: list[tuple[Label, int]]) -> Iterator[Mistake]:
    first: dict[str, int] = {}
    for label, line in labels:
        if label.id in first:
            yield Mistake(line, f"label {label.id!r} is defined again, first on line {first[label.id]}")
        first.setdefault(label.id, line)
        if not label.id.isascii():
            yield Mistake(line, f"label id {label.id!r} is not ASCII: metric names are made of ids")


def _unknown(labels: list[tuple[Label, int]]) -> Iterator[Mistake]:
    ids, hints = {label.id for label, _ in labels}, 0
    for label, line in labels:
        for relation in RELATIONS:
            for other in getattr(label, relation):
                if other not in ids:
                    hints += 1
                    # Among thousands of labels each takes a tenth of a second.
                    near = difflib.get_close_matches(other, ids, n=1) if hints <= MAX_HINTS else []
                    hint = f"; did you mean {near[0]!r}?" if near else ""
                    yield Mistake(line, f"label {label.id!r}: {relation} names {other!r}, which is no label{hint}")


def _cycles(labels: list[tuple[Label, int]]) -> Iterator[Mistake]:
    """Parents and implications are followed together: a label that follows from itself is a cycle through both."""
    lines = {label.id: line for label, line in labels}
    graph = {label.id: (*label.parents, *label.implies) for label, _ in labels}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        path = list(reversed(error.args[1]))
        yield Mistake(lines[path[0]], f"parents and implies form a cycle: {' -> '.join(path)}")


def _contradictions(labels: list[tuple[Label, int]]) -> Iterator[Mistake]:
    """A label from which two labels follow that exclude each other can never be true."""
    column = {label.id: number for number, (label, _) in enumerate(labels)}
    follows = closure({label.id: (*label.parents, *label.implies) for label, _ in labels})
    for one, other in [(label.id, other) for label, _ in labels for other in label.excludes]:
        for number in np.flatnonzero(follows[:, column[one]] & follows[:, column[other]]).tolist():
            label, line = labels[number]
            why = "" if label.id == one else f", since {one!r} follows from it"
            yield Mistake(line, f"label {label.id!r} implies and excludes {other!r}{why}")


def _claims(
    labels: list[tuple[Label, int]], shared: dict[str, set[str]], left_out: dict[str, dict[str, tuple[str, int]]]
) -> Iterator[Mistake]:
    """Of every vocabulary: names that stand for several labels unstated, and names that are stated to and do not."""
    for label, line in labels:
        for vocabulary, names in label.exact.items():
            for name in set(names) - set(_own(label, vocabulary)):
                yield Mistake(
                    line, f"label {label.id!r}: exact.{vocabulary} lists {name!r}, which is not in its sources"
                )
    vocabularies = {*chain.from_iterable(label.sources for label, _ in labels), *shared, *left_out}
    if len(vocabularies) > MAX_VOCABULARIES:
        yield Mistake(0, f"sources of {len(vocabularies):,} vocabularies; at most {MAX_VOCABULARIES} can be told apart")
        return
    yield from _claimed_again(labels)
    for vocabulary in sorted(vocabularies):
        claims = _claimed(labels, vocabulary)
        allowed, left = shared.get(vocabulary, set()), left_out.get(vocabulary, {})
        for name, owners in claims.items():
            own = [label.id for label, _ in owners]
            if len(owners) > 1 and name not in allowed and any(name in _own(label, vocabulary) for label, _ in owners):
                text = f"{vocabulary} name {name!r} is claimed by {' and '.join(map(repr, own))}"
                yield Mistake(owners[-1][1], f"{text}; list it under shared.{vocabulary} if that is meant")
            if name in left:
                yield Mistake(left[name][1], f"{vocabulary} name {name!r} is left out and claimed by {own[0]!r}")
        for name in sorted(allowed - {name for name, owners in claims.items() if len(owners) > 1}):
            yield Mistake(0, f"shared.{vocabulary} lists {name!r}, which no two labels claim")


def _claimed_again(labels: list[tuple[Label, int]]) -> Iterator[Mistake]:
    """Of all vocabularies: ids and aliases that several labels have."""
    lines: dict[str, list[int]] = defaultdict(list)
    for label, line in labels:
        for name in {label.id, *label.aliases}:
            lines[name].append(line)
    aliases = set(chain.from_iterable(label.aliases for label, _ in labels))
    for name, claimed in lines.items():
        # All claims may be one id defined several times, which is another mistake.
        if len(claimed) > 1 and name in aliases:
            yield Mistake(max(claimed), f"name {name!r} is claimed by {len(claimed)} labels")


def _claimed(labels: list[tuple[Label, int]], vocabulary: str) -> dict[str, list[tuple[Label, int]]]:
    claims: dict[str, list[tuple[Label, int]]] = defaultdict(list)
    for label, line in labels:
        for name in dict.fromkeys((label.id, *label.aliases, *_own(label, vocabulary))):
            claims[name].append((label, line))
    return claims


def _own(label: Label, vocabulary: str) -> tuple[str, ...]:
    return label.sources.get(vocabulary, ())
