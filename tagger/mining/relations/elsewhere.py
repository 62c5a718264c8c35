"""What another label system says of a relation, its labels found by what this one says that they are called there."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tagger.data.taxonomy import Label, Taxonomy
from tagger.mining.relations.finding import Finding
from tagger.mining.relations.known import Bools, Known


def beside(findings: Sequence[Finding], taxonomy: Taxonomy, other: Taxonomy) -> list[Finding]:
    """Return the findings with what another label system says of them; it says nothing of labels that it lacks."""
    known, columns = Known.of(other), translation(taxonomy, other)
    result = []
    for finding in findings:
        note = _said(finding, known, columns[finding.label], columns[finding.other])
        words = "; ".join(filter(None, [finding.elsewhere, note and f"{other.name}: {note}"]))
        result.append(replace(finding, elsewhere=words))
    return result


def translation(taxonomy: Taxonomy, other: Taxonomy) -> dict[str, tuple[int, ...]]:
    """Return the columns that every label has in another label system, none where it has none.

    A label that says what it is called there is that: by its exact names if it has some, else by all. One that says
    nothing is found by its id and its English name.

    Example:
        >>> ours = Taxonomy("mine", (Label("big_cat", {"en": "Big cats"}), Label("x", {}, exact={"oi": ("/m/1",)})))
        >>> theirs = Taxonomy("oi", (Label("/m/1", {"en": "Tree"}), Label("/m/2", {"en": "Big cat"})))
        >>> translation(ours, theirs)
        {'big_cat': (1,), 'x': (0,)}
    """
    named = other.columns_of(other.name)
    by_word: dict[str, tuple[int, ...]] = {}
    for column, label in enumerate(other.labels):
        for word in _words(label):
            by_word[word] = tuple(dict.fromkeys((*by_word.get(word, ()), column)))
    found = {}
    for label in taxonomy.labels:
        own = label.exact.get(other.name) or label.sources.get(other.name)
        places = [by_word.get(word, ()) for word in _words(label)] if own is None else [named.get(n, ()) for n in own]
        found[label.id] = tuple(dict.fromkeys(column for place in places for column in place))
    return found


def _words(label: Label) -> list[str]:
    """Return what a label is called in English, plain and singular."""
    return [_singular(name.lower().replace("_", " ")) for name in (label.id, label.names.get("en", label.id))]


def _singular(word: str) -> str:
    for end, instead in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("ss", "ss"), ("s", "")):
        if word.endswith(end) and len(word) > len(end) + 2:
            return word.removesuffix(end) + instead
    return word


def _said(finding: Finding, known: Known, ones: tuple[int, ...], twos: tuple[int, ...]) -> str:
    if not ones or not twos:
        return ""
    follows = known.follows[np.ix_(ones, twos)]
    reverse: Bools = known.follows[np.ix_(twos, ones)].T
    exclusive = known.excluded[np.ix_(ones, twos)]
    if finding.kind == "implies":
        # Each of the narrower must be one of the wider.
        if follows.any(axis=1).all():
            return "known"
        return "contradicting" if (reverse & ~follows).any() or exclusive.any() else "new"
    related = bool((follows | reverse).any())
    if finding.kind == "excludes":
        # Of a label system without exclusions it is no news that one is missing.
        unstated = "new" if known.stated.any() else ""
        return "known" if exclusive.all() else "contradicting" if related else unstated
    return "known" if related else "new"
