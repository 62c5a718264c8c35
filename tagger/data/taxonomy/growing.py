"""A label system that extends another one: its file says what it has beyond that, and nothing again.

    extends: album                    # a name of conf/taxonomy, or a path from this file
    labels:
      - id: object.sofa               # a new label
        parents: [object.furniture]
      - id: activity.motorsport       # one that is there: what is listed is added, what is one word is replaced
        implies: [object.car]

New labels come behind the others, whose columns stay. Names that were left out and that one of its labels claims are
left out no more. Nothing can be taken away: that wants a file of its own.
"""

import hashlib
from typing import Any, NamedTuple

Fields = dict[str, Any]
"""What a file says of a label, by the names of `Label`'s fields; lists are tuples."""


class Stated(NamedTuple):
    """What a file states, with what it extends; lines are 0 where another file says it."""

    name: str
    labels: list[tuple[Fields, int]]
    """Labels and their lines."""
    shared: dict[str, set[str]]
    """Names that may stand for several labels, by vocabulary."""
    left_out: dict[str, dict[str, tuple[str, int]]]
    """Reason and line of the names that stand for none, by vocabulary."""
    fingerprint: str


def grown(there: Stated, own: Stated) -> Stated:
    """Return what a file states together with the label system that it extends.

    Example:
        >>> there = Stated("a", [({"id": "tree"}, 2), ({"id": "sea"}, 3)], {}, {"voc": {"oak": ("rare", 5)}}, "1")
        >>> own = Stated("b", [({"id": "sea", "aliases": ("oak",)}, 7), ({"id": "sky"}, 8)], {}, {}, "2")
        >>> grown(there, own)[1:4]
        ([({'id': 'tree'}, 0), ({'id': 'sea', 'aliases': ('oak',)}, 7), ({'id': 'sky'}, 8)], {}, {'voc': {}})
    """
    labels: list[tuple[Fields, int]] = [(fields, 0) for fields, _ in there.labels]
    places = {fields["id"]: place for place, (fields, _) in enumerate(labels)}
    for fields, line in own.labels:
        # Popped: a second time in the same file it is defined again.
        place = places.pop(fields["id"], None)
        if place is None:
            labels.append((fields, line))
        else:
            labels[place] = (_joined(labels[place][0], fields), line)
    shared = {key: there.shared.get(key, set()) | own.shared.get(key, set()) for key in {*there.shared, *own.shared}}
    left_out = {
        key: {name: (reason, 0) for name, (reason, _) in names.items() if name not in _claimed(own, key)}
        for key, names in there.left_out.items()
    }
    left_out |= {key: left_out.get(key, {}) | names for key, names in own.left_out.items()}
    fingerprint = hashlib.sha256(f"{there.fingerprint} {own.fingerprint}".encode()).hexdigest()[:16]
    return own._replace(labels=labels, shared=shared, left_out=left_out, fingerprint=fingerprint)


def _joined(there: Any, more: Any) -> Any:
    """Return both: words of two lists, entries of two mappings; what is one word is replaced."""
    if isinstance(more, dict):
        return there | {key: _joined(there[key], value) if key in there else value for key, value in more.items()}
    return tuple(dict.fromkeys((*there, *more))) if isinstance(more, tuple) and isinstance(there, tuple) else more


def _claimed(own: Stated, vocabulary: str) -> set[str]:
    """Return the names of a vocabulary that the labels of a file claim."""
    claims = ((f["id"], *f.get("aliases", ()), *f.get("sources", {}).get(vocabulary, ())) for f, _ in own.labels)
    return {name for claim in claims for name in claim}
