"""What each relation did on the validation photos: the tags it gave or took, right or wrong, and AP with and without.

Every relation is judged by itself: the scores of the whole chain against the same chain without it. Two relations that
give the same tag are each seen to give none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tagger.data.states import ABSENT, PRESENT, UNKNOWN, Weighing
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import average_precision, tally_at
from tagger.tags.relations.rules import Relation, Rules

NOISE = 0.001
"""A loss of AP up to this is none: as much as the bins of a histogram may hide."""


@dataclass(frozen=True)
class Effect:
    """What one relation did to one label; an exclusion has two, one for each side. None where there is no answer."""

    kind: str
    """``parents``, ``implies`` or ``excludes``."""
    label: str
    """The label that states the relation."""
    other: str
    """The label that it names."""
    affected: str
    """The label whose scores change: raised by parents and implies, lowered by excludes."""
    tags: int
    """Photos whose tag is there, or for an exclusion gone, because of the relation, at the fitted thresholds."""
    true: int
    """Those of them on which that is right: the photo carries the label, or for an exclusion is known to lack it."""
    false: int
    """Those on which that is wrong."""
    unknown: int
    """Those on which nobody knows."""
    ap: float | None
    """Average precision of the affected label with the relation."""
    ap_without: float | None
    precision: float | None
    """At the fitted threshold, as recall."""
    precision_without: float | None
    recall: float | None
    recall_without: float | None
    is_harmful: bool
    """Of what is known more tags are wrong than right, or the label loses AP."""
    is_used: bool = True
    """Whether the run used the relation in the end."""

    @property
    def relation(self) -> Relation:
        return Relation(self.kind, self.label, self.other)  # type: ignore[arg-type]


def audit(
    rules: Rules, scores: Tensor, states: Tensor, *, thresholds: Tensor, unknown: Weighing, kinds: Tensor | None = None
) -> list[Effect]:
    """Measure what each relation in use does to the labels it concerns.

    Args:
        rules: The relations.
        scores: Of the network, before any relation, shape (photos, labels).
        states: PRESENT, ABSENT or UNKNOWN, shape (photos, labels).
        thresholds: Fitted on the completed scores, shape (labels,).
        unknown: What an unknown label counts for.
        kinds: Kind of each photo, where ``unknown`` differs between them, or of each label on it, (photos, labels).

    Example:
        >>> rules = Rules(["dog", "animal"], [Relation("parents", "dog", "animal")])
        >>> scores, states = torch.tensor([[0.9, 0.2], [0.1, 0.4]]), torch.tensor([[1, 1], [-1, -1]])
        >>> (effect,) = audit(rules, scores, states, thresholds=torch.tensor([0.5, 0.5]), unknown="ignore")
        >>> effect.tags, effect.true, effect.ap, effect.ap_without
        (1, 1, 1.0, 0.5)
    """
    pairs = list(_concerned(rules))
    if not pairs:
        return []
    columns = torch.tensor([rules.column[affected] for _, affected in pairs])
    with_all = rules(scores)[:, columns]
    without = torch.stack([_without(rules, scores, relation, affected) for relation, affected in pairs], dim=1)
    some_states, some_thresholds = states[:, columns], thresholds[columns]
    kinds = kinds[:, columns] if kinds is not None and kinds.ndim == 2 else kinds
    counts = _counted(with_all >= some_thresholds, without >= some_thresholds, some_states)
    figures = [
        _measured(some_scores, some_states, some_thresholds, kinds, unknown) for some_scores in (with_all, without)
    ]
    return [
        _effect(relation, affected, count, now, before)
        for (relation, affected), count, now, before in zip(pairs, counts, *figures, strict=True)
    ]


def harmful(effects: Sequence[Effect]) -> list[Relation]:
    """Return the relations that harm a label they concern, each once."""
    return list(dict.fromkeys(effect.relation for effect in effects if effect.is_harmful))


def audit_figures(effects: Sequence[Effect]) -> dict[str, float]:
    """Return the audit in a few numbers: relations, harmful ones, ones in use; tags given and taken, right and wrong.

    Example:
        >>> audit_figures([])
        {}
    """
    if not effects:
        return {}
    raising = [effect for effect in effects if effect.kind != "excludes"]
    lowering = [effect for effect in effects if effect.kind == "excludes"]
    figures = {
        "rules/relations": len({effect.relation for effect in effects}),
        "rules/harmful": len(harmful(effects)),
        "rules/used": len({effect.relation for effect in effects if effect.is_used}),
    }
    for name, some in (("given", raising), ("taken", lowering)):
        figures |= {
            f"rules/{name}_{what}": sum(getattr(effect, what) for effect in some)
            for what in ("tags", "true", "false", "unknown")
        }
    return {name: float(figure) for name, figure in figures.items()}


def _concerned(rules: Rules) -> Iterator[tuple[Relation, str]]:
    """Yield every relation in use with each label whose scores it changes."""
    for relation in rules.active:
        if relation.kind == "excludes":
            yield relation, relation.label
        yield relation, relation.other


def _without(rules: Rules, scores: Tensor, relation: Relation, affected: str) -> Tensor:
    """Return the scores (photos,) that a label has if a relation is left out."""
    few = rules.around(affected).without([relation])
    return few(scores[:, [rules.column[label] for label in few.labels]])[:, few.column[affected]]


def _counted(now: Tensor, before: Tensor, states: Tensor) -> list[dict[int, int]]:
    """Return on how many photos the tag changed, by the label's state on them, for every column."""
    changed = now != before
    counts = torch.stack([(changed & (states == state)).sum(dim=0) for state in (ABSENT, UNKNOWN, PRESENT)])
    return [dict(zip((ABSENT, UNKNOWN, PRESENT), column, strict=True)) for column in counts.T.tolist()]


def _measured(
    scores: Tensor, states: Tensor, thresholds: Tensor, kinds: Tensor | None, unknown: Weighing
) -> list[tuple[float | None, float | None, float | None]]:
    """Return average precision, precision and recall of every column."""
    histogram = Histogram.of(scores, states, kinds=kinds)
    if not isinstance(unknown, str | int | float):
        # Kinds of which there is no photo here have no plane in the histogram.
        unknown = unknown[: len(histogram.counts) - 2]
    ap, tally = average_precision(histogram, unknown=unknown), tally_at(histogram, thresholds, unknown=unknown)
    columns = (
        _where(ap.values, ap.counted),
        _where(tally.precision, tally.tagged > 0),
        _where(tally.recall, tally.positives > 0),
    )
    return list(zip(*columns, strict=True))


def _where(values: Tensor, is_known: Tensor) -> list[float | None]:
    return [value if known else None for value, known in zip(values.tolist(), is_known.tolist(), strict=True)]


def _effect(
    relation: Relation,
    affected: str,
    count: dict[int, int],
    now: tuple[float | None, float | None, float | None],
    before: tuple[float | None, float | None, float | None],
) -> Effect:
    right, wrong = (ABSENT, PRESENT) if relation.kind == "excludes" else (PRESENT, ABSENT)
    loss = (before[0] or 0.0) - (now[0] or 0.0)
    return Effect(
        *relation,
        affected=affected,
        tags=sum(count.values()),
        true=count[right],
        false=count[wrong],
        unknown=count[UNKNOWN],
        ap=now[0],
        ap_without=before[0],
        precision=now[1],
        precision_without=before[1],
        recall=now[2],
        recall_without=before[2],
        is_harmful=count[wrong] > count[right] or loss > NOISE,
    )
