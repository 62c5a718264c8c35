"""How far the cleaning is: what was found, what people decided of it, and what that changed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tagger.cleaning.queue.asked import Subject
from tagger.cleaning.queue.table import AGAIN, MISSING, MISTAKEN, SAMPLE
from tagger.cleaning.report.accuracy import Share, wilson_interval
from tagger.cleaning.verdicts.decisions import Decision, Decisions
from tagger.data.states import PRESENT

UNASKED = "unasked"
"""What people decided by themselves, for instance in the pages of tagger.serve."""

NOTHING = Decisions((), frozenset())

KINDS = (MISSING, MISTAKEN, SAMPLE, AGAIN, UNASKED)


@dataclass(frozen=True)
class Progress:
    """Photos and labels of one kind of question."""

    found: int
    """That were to be looked at: in the queue, or sent out earlier."""
    decided: int
    open: int
    """Of which people spoke and nothing holds: a tie, or nobody could say."""
    put_on: int
    """Decided ones whose photo now has the label and had not."""
    taken_off: int
    """Decided ones whose photo has no longer the label."""

    @property
    def changed(self) -> int:
        """Decided ones that were wrong before."""
        return self.put_on + self.taken_off

    @property
    def share(self) -> Share:
        """Of wrong ones among those decided, with its 95 % interval: what the queue's precision is."""
        return wilson_interval(self.changed, self.decided)


@dataclass(frozen=True)
class LabelProgress:
    """One label's."""

    label: str
    kinds: dict[str, Progress]
    total: Progress
    """Every photo once, however often it was asked about."""


def by_kind(verdicts: Decisions, found: Mapping[str, Collection[Subject]]) -> dict[str, Progress]:
    """Return how far each kind of question is; kinds of which there is nothing are left out.

    Args:
        verdicts: The verdicts of people.
        found: Photos and labels by kind, see :func:`tagger.cleaning.asked.asked`.
    """
    every = {**found, UNASKED: _unasked(verdicts, found)}
    counted = {
        kind: _progress(verdicts, every[kind]) for kind in (*KINDS, *sorted(every.keys() - {*KINDS})) if kind in every
    }
    return {kind: progress for kind, progress in counted.items() if progress.found}


def by_label(verdicts: Decisions, found: Mapping[str, Collection[Subject]]) -> list[LabelProgress]:
    """Return how far each label is that there is anything of, the most changed and then the most decided first."""
    every: dict[str, dict[str, set[Subject]]] = {}
    for kind, subjects in {**found, UNASKED: _unasked(verdicts, found)}.items():
        for subject in subjects:
            every.setdefault(subject[1], {}).setdefault(kind, set()).add(subject)
    own = _by_label(verdicts)
    labels = [
        LabelProgress(
            label=label,
            kinds=by_kind(own.get(label, NOTHING), kinds),
            total=_progress(own.get(label, NOTHING), set().union(*kinds.values())),
        )
        for label, kinds in every.items()
    ]
    return sorted(labels, key=lambda one: (-one.total.changed, -one.total.decided, -one.total.found, one.label))


def _unasked(verdicts: Decisions, found: Mapping[str, Collection[Subject]]) -> set[Subject]:
    spoken = {(one.photo, one.label) for one in verdicts.made} | verdicts.open
    return spoken.difference(*found.values())


def _by_label(verdicts: Decisions) -> dict[str, Decisions]:
    made: dict[str, list[Decision]] = {}
    for one in verdicts.made:
        made.setdefault(one.label, []).append(one)
    open_: dict[str, set[Subject]] = {}
    for subject in verdicts.open:
        open_.setdefault(subject[1], set()).add(subject)
    return {
        label: Decisions(tuple(made.get(label, ())), frozenset(open_.get(label, ())))
        for label in made.keys() | open_.keys()
    }


def _progress(verdicts: Decisions, subjects: Collection[Subject]) -> Progress:
    decided = [one for one in verdicts.made if (one.photo, one.label) in subjects]
    changed = [one.value for one in decided if one.is_changed]
    return Progress(
        found=len(subjects),
        decided=len(decided),
        open=sum(subject in subjects for subject in verdicts.open),
        put_on=changed.count(PRESENT),
        taken_off=len(changed) - changed.count(PRESENT),
    )
