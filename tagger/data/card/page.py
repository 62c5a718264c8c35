"""``card.html``: one file that shows a data set to people, without network, server or further files.

Names, paths and reasons come from outside: they are made visible and escaped by the template. Layout and style are in
``card.html`` beside this file, what it shares with other pages in :mod:`tagger.pages`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from tagger.data.card.drawings import fold_deviations, fold_sizes, long_tail
from tagger.data.card.facts import Facts, disputed_labels
from tagger.data.card.heat import SIDE, heat_map
from tagger.data.card.sheets import NOBODY
from tagger.data.taxonomy import Label, Taxonomy
from tagger.pages.template import page_template
from tagger.pages.thumbnails import load_thumbnails, style_rules

THUMBNAIL = {"side": 96, "quality": 60}
"""About 2.5 kB each, 3.4 kB in the page."""
SOURCES = 6
"""Most sources that have a column of their own in the table of labels."""
WORST = 15
"""Labels listed that are spread over the folds least evenly."""


@dataclass(frozen=True)
class Shot:
    """One photo to show."""

    row: int
    name: str
    picture: str
    """``shown``, ``unreadable`` or ``left out`` (the page has its number of thumbnails, or there is no file)."""


@dataclass(frozen=True)
class LabelCard:
    """Everything the page says about one label."""

    number: int
    label: Label
    present: int
    absent: int
    unknown: int
    train: int
    tier: str
    by_source: list[int]
    """Photos of each source on which it is present."""
    shots: list[Shot]


@dataclass(frozen=True)
class Section:
    """Labels under one label without parents."""

    label: Label | None
    """None: labels that are in no group."""
    cards: list[LabelCard]


def card_page(
    facts: Facts,
    *,
    title: str,
    thumbnail_limit: int = 2600,
    groups_shown: int = 8,
    group_photos: int = 6,
    disputes_shown: int = 48,
    names_shown: int = 2000,
    progress: bool = False,
) -> str:
    """Return the page.

    Args:
        facts: What it says.
        title: Headline.
        thumbnail_limit: Most photos embedded. Every label has one before any has a second.
        groups_shown: Groups of photos that are shown, the largest.
        group_photos: Most photos shown of a group.
        disputes_shown: Contradictions shown with their photo.
        names_shown: Most names listed that mean no label.
        progress: Whether to show a bar if making thumbnails takes long.
    """
    disputes = facts.contradictions[:disputes_shown]
    groups = [np.flatnonzero(facts.group == first)[:group_photos] for first in facts.groups.first[:groups_shown]]
    rows = rows_to_show(facts.sheets, [*groups, np.array([one.photo for one in disputes], dtype=np.int64)])
    places = {row: place for row in rows[:thumbnail_limit] if (place := facts.place(row))}
    thumbnails = load_thumbnails(places, **THUMBNAIL, progress=progress)

    def shots(some: Iterable[int]) -> list[Shot]:
        return [Shot(row, facts.file(row), picture_of(row, places, thumbnails)) for row in some]

    cards = [label_card(facts, number, shots(_there(facts.sheets[number]))) for number in range(len(facts.taxonomy))]
    return page_template(Path(__file__).with_name("card.html")).render(
        title=title,
        facts=facts,
        cards=sorted(cards, key=lambda card: -card.present),
        sections=sections(cards, facts.taxonomy),
        heat=heat_map(facts.pairs, facts.lifts, facts.taxonomy),
        cell=SIDE,
        # Made by our own code from numbers and bytes only.
        tail_curve=Markup(long_tail(facts.train)),
        fold_bars=Markup(fold_sizes(facts.balance)),
        fold_dots=Markup(fold_deviations(facts.balance)),
        thumbnail_style=Markup(style_rules(thumbnails)),
        worst=facts.balance.worst_first[:WORST].tolist(),
        groups=[
            (size, shots(members.tolist())) for size, members in zip(facts.groups.sizes.tolist(), groups, strict=False)
        ],
        disputes=list(zip(disputes, shots(one.photo for one in disputes), strict=True)),
        disputed=disputed_labels(facts.contradictions),
        names_shown=names_shown,
        columns=np.flatnonzero(facts.by_source.present.sum(axis=1))[:SOURCES].tolist(),
    )


def rows_to_show(sheets: np.ndarray, others: list[np.ndarray]) -> list[int]:
    """Return the photos that the page shows, each once, every label's first before any second.

    Args:
        sheets: Rows of each label, -1 for none, int (labels, count).
        others: Rows of photos that are shown elsewhere.

    Example:
        >>> rows_to_show(np.array([[5, 6], [7, 5], [-1, -1]]), [np.array([6, 9])])
        [5, 7, 6, 9]
    """
    by_turn = np.concatenate([sheets[:, :1].ravel(), *others, sheets[:, 1:].T.ravel()])
    return [int(row) for row in dict.fromkeys(by_turn.tolist()) if row != NOBODY]


def picture_of(row: int, places: Mapping[int, str], thumbnails: Mapping[int, bytes]) -> str:
    """Return what can be seen of a photo.

    Example:
        >>> [picture_of(row, {1: "a.jpg", 2: "b.jpg"}, {1: b"jpeg"}) for row in (1, 2, 3)]
        ['shown', 'unreadable', 'left out']
    """
    if row in thumbnails:
        return "shown"
    return "unreadable" if row in places else "left out"


def label_card(facts: Facts, number: int, shots: list[Shot]) -> LabelCard:
    """Return what the page says about the label of this column."""
    return LabelCard(
        number=number,
        label=facts.taxonomy.labels[number],
        present=int(facts.counts.present[0, number]),
        absent=int(facts.counts.absent[0, number]),
        unknown=int(facts.counts.unknown[0, number]),
        train=int(facts.train[number]),
        tier=tier_of(facts, number),
        by_source=facts.by_source.present[:, number].tolist(),
        shots=shots,
    )


def tier_of(facts: Facts, number: int) -> str:
    """Return ``head``, ``medium``, ``tail``, or ``none`` for a label without training photos."""
    if not facts.train[number]:
        return "none"
    return next(name for name in ("head", "medium", "tail") if getattr(facts.tiers, name)[number])


def sections(cards: list[LabelCard], taxonomy: Taxonomy) -> list[Section]:
    """Return the labels by group, in the order of the taxonomy; those that are in none come last."""
    by_group: dict[str, list[LabelCard]] = {id_: [] for id_ in (*taxonomy.groups, "")}
    for card in cards:
        by_group[group_of(card.label, taxonomy)].append(card)
    labels = {label.id: label for label in taxonomy.labels}
    return [Section(labels.get(id_), members) for id_, members in by_group.items() if members]


def group_of(label: Label, taxonomy: Taxonomy) -> str:
    """Return the label without parents above a label, by way of first parents; nothing if it has no relatives.

    Example:
        >>> dog = Label("dog", {}, parents=("animal", "pet"))
        >>> group_of(dog, Taxonomy("mine", (Label("animal", {}), Label("pet", {}), dog)))
        'animal'
    """
    while label.parents:
        label = taxonomy.labels[taxonomy.column[label.parents[0]]]
    return label.id if label.id in taxonomy.groups else ""


def _there(rows: np.ndarray) -> list[int]:
    return [int(row) for row in rows if row != NOBODY]
