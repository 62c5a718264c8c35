"""What a cleaning came to: how far it is, what it changed, whom to trust, and what it bought."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tagger.cleaning.opened import Cleaning
from tagger.cleaning.queue.asked import asked
from tagger.cleaning.queue.table import SAMPLE
from tagger.cleaning.report.annotators import Annotators, annotators, answers_of
from tagger.cleaning.report.gains import Gains, gains
from tagger.cleaning.report.measuring import measure_fold_noise
from tagger.cleaning.report.progress import LabelProgress, Progress, by_kind, by_label
from tagger.cleaning.scoring.scores import kept_scores
from tagger.cleaning.scoring.turns import rows_of
from tagger.cleaning.verdicts.decisions import Decision, decisions
from tagger.data.catalog.fold_noise import FoldNoise
from tagger.data.catalog.history import WORDS
from tagger.data.catalog.prepared import Prepared
from tagger.errors import UserError


@dataclass(frozen=True)
class Change:
    """A photo that has got or lost a label because people say so."""

    row: int
    """Of the photo, as training sees it."""
    photo: str
    """Its path below its root."""
    label: str
    before: str
    """present, absent or unknown."""
    after: str
    people: dict[str, str]
    """Who says what: present, absent or unsure."""


@dataclass(frozen=True)
class Report:
    """What a cleaning came to."""

    data: str
    data_fingerprint: str
    kinds: dict[str, Progress]
    labels: tuple[LabelProgress, ...]
    """The most changed first."""
    total: Progress
    """Every photo and label once."""
    changes: tuple[Change, ...]
    """By label, in the order of ``labels``."""
    annotators: Annotators
    gains: Gains | None
    """None where nothing was scored, or before scorings were kept."""
    noise: FoldNoise | None
    """Of the test fold; None if nobody has decided any of the pairs that were drawn from it."""

    def as_tree(self) -> dict[str, Any]:
        """Return it as mappings and lists, for JSON."""
        tree = asdict(self)
        # Properties, and keys that JSON does not have.
        kinds = {kind: _told(progress) for kind, progress in self.kinds.items()}
        labels = [
            {"label": one.label, "total": _told(one.total), "kinds": {kind: _told(p) for kind, p in one.kinds.items()}}
            for one in self.labels
        ]
        pairs = [
            {"annotators": names, "kappa": kappa, "questions": questions}
            for names, (kappa, questions) in self.annotators.agreement.pairs.items()
        ]
        tree["annotators"]["agreement"]["pairs"] = pairs
        return tree | {"kinds": kinds, "labels": labels, "total": _told(self.total)}


def report_on(cleaning: Cleaning, *, judges: Collection[str] = ()) -> Report:
    """Work out what a cleaning came to.

    Args:
        cleaning: The data set, its catalog and the folder of its cleaning.
        judges: Annotators whose answers count as right.

    Raises:
        UserError: If an judge has answered nothing, or what was kept is damaged.
    """
    store, data = cleaning.store, cleaning.data
    taxonomy, rows = data.taxonomy, rows_of(store)
    answers = answers_of(store)
    for judge in judges:
        if judge not in answers:
            who = ", ".join(sorted(answers)) or "nobody"
            raise UserError(f"judges: {judge!r} has answered nothing; those who have: {who}")
    complete = isinstance(data.source, Prepared) and data.source.complete
    verdicts = decisions(store, taxonomy, complete=complete)
    found = asked(cleaning.folder, store, waiting=True)
    labels = tuple(by_label(verdicts, found))
    return Report(
        data=taxonomy.name,
        data_fingerprint=data.catalog.fingerprint,
        kinds=by_kind(verdicts, found),
        labels=labels,
        total=_sum(labels),
        changes=tuple(_changes(verdicts.made, labels, cleaning, rows)),
        annotators=annotators(answers, judges=judges),
        gains=gains(
            kept_scores(cleaning.folder, taxonomy, photos=store.manifest.rows["photos"]),
            verdicts.made,
            catalog=data.catalog,
            rows=rows,
            unknown=data.weights,
            kinds=data.kinds,
        ),
        noise=measure_fold_noise(
            verdicts,
            asked(cleaning.folder, store).get(SAMPLE, set()),
            states=data.catalog.states,
            rows=rows,
            fold=data.test_rows,
            unknown=np.asarray(data.weights)[data.kinds[data.test_rows]],
            taxonomy=taxonomy,
            data_fingerprint=data.catalog.fingerprint,
            judges=judges,
        ),
    )


def _changes(
    made: Collection[Decision], labels: Collection[LabelProgress], cleaning: Cleaning, rows: np.ndarray
) -> list[Change]:
    place = {int(row): number for number, row in enumerate(rows)}
    order = {one.label: number for number, one in enumerate(labels)}
    changed = [one for one in made if one.is_changed and one.photo in place]
    # Of each label first what was put on, then what was taken off.
    changed.sort(key=lambda one: (order[one.label], -one.value, one.photo))
    return [
        Change(
            row=place[one.photo],
            photo=cleaning.data.catalog.root_and_path(place[one.photo])[1],
            label=one.label,
            before=WORDS[one.before],
            after=WORDS[one.value],
            people={who: WORDS[value] if value else "unsure" for who, value in one.people.items()},
        )
        for one in changed
    ]


def _sum(labels: Collection[LabelProgress]) -> Progress:
    columns = ("found", "decided", "open", "put_on", "taken_off")
    return Progress(**{name: sum(getattr(one.total, name) for one in labels) for name in columns})


def _told(progress: Progress) -> dict[str, Any]:
    share = asdict(progress.share) | {"share": progress.share.share if progress.decided else None}
    return asdict(progress) | {"changed": progress.changed, "share_changed": share}
