"""How far every annotator can be trusted, and how they agree."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tagger.cleaning.report.accuracy import Agreement, Key, Share, accuracy, agreement, wilson_interval
from tagger.cleaning.verdicts.people import last_words, said_by_people
from tagger.data.catalog.store import CatalogStore

Answers = Mapping[str, Mapping[Key, int]]
"""PRESENT, ABSENT, or UNKNOWN of those who could not say, by annotator, photo and label."""


@dataclass(frozen=True)
class Annotator:
    """One of them."""

    name: str
    answers: int
    unsure: int
    """Of them, answers that they could not say."""
    right: Share
    """Of the others, those that are as the judges say, or without judges as most others say."""
    is_judge: bool


@dataclass(frozen=True)
class Annotators:
    """All of them."""

    people: tuple[Annotator, ...]
    """Those with the most answers first."""
    together: Share
    """Of the answers of all who are no judges."""
    by_judges: bool
    """Whether judges say what is right; else it is what most others say, who may be wrong, too."""
    agreement: Agreement


def answers_of(store: CatalogStore) -> dict[str, dict[Key, int]]:
    """Return the last word of every person about every photo and label."""
    found: dict[str, dict[Key, int]] = {}
    for (photo, label, who), (value, _) in last_words(said_by_people(store)).items():
        found.setdefault(who, {})[photo, label] = value
    return found


def annotators(answers: Answers, *, judges: Collection[str] = ()) -> Annotators:
    """Return how far every annotator can be trusted.

    Answers that somebody could not say are neither right nor wrong.

    Args:
        answers: By annotator, photo and label.
        judges: Annotators whose answers count as right; where they disagree, what most of them say.

    Example:
        >>> verdicts = {"ann": {(0, "dog"): 1, (1, "dog"): 1}, "ben": {(0, "dog"): 1, (1, "dog"): -1}}
        >>> found = annotators(verdicts, judges=["ann"])
        >>> [(one.name, one.right.share) for one in found.people if not one.is_judge]
        [('ben', 0.5)]
    """
    decided = {who: {key: value for key, value in own.items() if value} for who, own in answers.items()}
    asked = {who: own for who, own in decided.items() if who in judges} or decided
    people = [
        Annotator(
            name=who,
            answers=len(answers[who]),
            unsure=len(answers[who]) - len(own),
            right=accuracy(own, _most(other for judge, other in asked.items() if judge != who)),
            is_judge=who in judges,
        )
        for who, own in decided.items()
    ]
    judged = [one.right for one in people if not one.is_judge]
    right, of = sum(share.right for share in judged), sum(share.of for share in judged)
    return Annotators(
        people=tuple(sorted(people, key=lambda one: (-one.answers, one.name))),
        together=wilson_interval(right, of),
        by_judges=asked is not decided,
        agreement=agreement(answers),
    )


def _most(answers: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    """Return what most say; ties are left out."""
    totals: dict[Key, int] = {}
    for own in answers:
        for key, value in own.items():
            totals[key] = totals.get(key, 0) + value
    return {key: int(np.sign(total)) for key, total in totals.items() if total}
