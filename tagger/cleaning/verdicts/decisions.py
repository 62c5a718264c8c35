"""What people have decided: the verdicts that hold, who gave them, and what was annotated before without people."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from tagger.cleaning.queue.sampling import Places
from tagger.cleaning.verdicts.people import last_words, said_by_people
from tagger.data.catalog.precedence import current, states
from tagger.data.catalog.reading import statements, visible
from tagger.data.catalog.store import CatalogStore
from tagger.data.states import PRESENT, UNKNOWN
from tagger.data.taxonomy import Taxonomy


@dataclass(frozen=True)
class Decision:
    """What holds of a label on a photo because people say so."""

    photo: int
    """Row of the table ``photos``."""
    label: str
    value: int
    """PRESENT or ABSENT: what most say."""
    before: int
    """What held without people: PRESENT, ABSENT or UNKNOWN."""
    people: Mapping[str, int]
    """The verdict of everybody who gave one, UNKNOWN for those who could not tell."""
    batch: int
    """In which the first of their words that hold came."""

    @property
    def is_changed(self) -> bool:
        """Whether the label is now on the photo and was not, or the other way about."""
        return (self.value == PRESENT) != (self.before == PRESENT)

    def by(self, judges: Collection[str]) -> int:
        """Return PRESENT or ABSENT as most of the judges say, where they have spoken; else what most people say.

        Example:
            >>> dog = Decision(7, "dog", value=1, before=1, people={"ann": 1, "ben": 1, "eve": -1}, batch=2)
            >>> dog.by(["eve"]), dog.by(["tom"])
            (-1, 1)
        """
        return int(np.sign(sum(value for who, value in self.people.items() if who in judges))) or self.value


@dataclass(frozen=True)
class Decisions:
    """The verdicts of people on all photos."""

    made: tuple[Decision, ...]
    """By photo and label."""
    open: frozenset[tuple[int, str]]
    """Photos and labels of which people spoke and nothing holds: a tie, or nobody could say."""


def decisions(store: CatalogStore, taxonomy: Taxonomy, *, complete: bool) -> Decisions:
    """Return what people have decided in a catalog.

    Args:
        store: The catalog.
        taxonomy: The labels; annotations of others are left out.
        complete: Whether what follows from a present label holds, too, as training sees it.
    """
    words: dict[tuple[int, str], dict[str, tuple[int, int]]] = {}
    for (photo, label, who), word in last_words(said_by_people(store)).items():
        if label in taxonomy.column:
            words.setdefault((photo, label), {})[who] = word
    without = _without_people(store, taxonomy, complete=complete) if words else csr_array((0, 0))
    made, open_ = [], set()
    for photo, label in sorted(words):
        verdicts = words[photo, label]
        total = sum(value for value, _ in verdicts.values())
        if not total:
            open_.add((photo, label))
            continue
        made.append(
            Decision(
                photo=photo,
                label=label,
                value=int(np.sign(total)),
                before=int(without[photo, taxonomy.column[label]]),
                people={who: value for who, (value, _) in verdicts.items()},
                batch=min(batch for _, batch in verdicts.values()),
            )
        )
    return Decisions(tuple(made), frozenset(open_))


def decided_pairs(store: CatalogStore, taxonomy: Taxonomy, rows: np.ndarray) -> Places:
    """Return what people have decided as rows of what training sees and columns: a pair for everybody who decided it.

    Those who could not say have decided nothing.

    Args:
        store: The catalog.
        taxonomy: The labels.
        rows: Rows of the table ``photos`` that training sees, see :func:`tagger.cleaning.scoring.turns.rows_of`.
    """
    place = np.full(store.manifest.rows["photos"], -1)
    place[rows] = np.arange(len(rows))
    pairs = [
        (int(place[photo]), taxonomy.column[label])
        for (photo, label, _), (value, _) in last_words(said_by_people(store)).items()
        if value != UNKNOWN and label in taxonomy.column and place[photo] >= 0
    ]
    photos, labels = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return photos, labels


def _without_people(store: CatalogStore, taxonomy: Taxonomy, *, complete: bool) -> csr_array:
    """Return the states as they would be had nobody decided anything, int8 (photos, labels)."""
    annotations = visible(store, ["photo", "label", "value", "origin", "source", "annotator"])
    others = annotations.filter(pc.not_equal(annotations["origin"].cast(pa.string()), "human"))
    holding, _ = current(statements(others, taxonomy)[0])
    follows = taxonomy.closure if complete else None
    return states(holding, photos=store.manifest.rows["photos"], labels=len(taxonomy), follows=follows)
