"""From a source's own names to our labels: the one place where vocabularies meet.

A name says that its labels are present. That a label is absent can only be said by a name that means just this label:
a photo without apples may show other fruit. An exhaustive source looked for every name it knows, so a label that it has
an exact name for, and does not list, is absent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagger.data.catalog.reading import codes
from tagger.data.states import ABSENT, PRESENT
from tagger.data.taxonomy import Taxonomy

ORIGINS = ("source", "human", "rule", "model", "product")
"""Who may say something; annotations in memory hold the place in this tuple."""


@dataclass(frozen=True, eq=False)
class Said:
    """Statements about photos and labels as columns of equal length, narrow ones: there may be a hundred million."""

    photo: np.ndarray
    """Number of the photo, int32."""
    label: np.ndarray
    """Column of the label, int32."""
    value: np.ndarray
    """int8: PRESENT, ABSENT or UNKNOWN."""
    origin: np.ndarray
    """int8, place in ``ORIGINS``."""
    score: np.ndarray
    """float32, NaN where there is none."""

    def __len__(self) -> int:
        return len(self.photo)

    def take(self, rows: np.ndarray) -> "Said":
        """Return these statements, in this order."""
        return Said(*(column[rows] for column in vars(self).values()))

    def followed_by(self, other: "Said") -> "Said":
        """Return these statements and then the others."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Said(*(np.concatenate(pair) for pair in pairs))


def to_labels(photo: np.ndarray, annotations: pa.Table, taxonomy: Taxonomy, *, vocabulary: str) -> Said:
    """Say in labels what a source says in names: one statement per photo, label and origin.

    Of several names of one label, one that is present decides, and then one that is explicitly unknown.

    Args:
        photo: Number of the photo of every annotation, int (annotations,).
        annotations: Columns name, value, origin and score of ``sources.source.ANNOTATIONS``.
        taxonomy: The labels and what this vocabulary calls them.
        vocabulary: Whose names these are.

    Raises:
        ValueError: If an origin is none of ``ORIGINS``.

    Example:
        >>> from tagger.data.taxonomy import Label
        >>> fruit = Label("fruit", {}, sources={"coco": ("apple",)})
        >>> said = pa.table({"name": ["apple"] * 2, "value": [1, -1], "origin": ["source"] * 2, "score": [None] * 2})
        >>> found = to_labels(np.array([7, 8]), said, Taxonomy("mine", (fruit,)), vocabulary="coco")
        >>> found.photo.tolist(), found.value.tolist()
        ([7], [1])
    """
    names, code = codes(annotations["name"])
    words = [str(name) for name in names]
    row, label = _expanded(code, words, taxonomy.columns_of(vocabulary))
    value = annotations["value"].to_numpy().astype(np.int8, copy=False)[row]
    exact = _pairs(words, taxonomy.exact_columns_of(vocabulary), labels=len(taxonomy))
    can_be_said = (value != ABSENT) | np.isin(code[row].astype(np.int64) * len(taxonomy) + label, exact)
    row, label, value = row[can_be_said], label[can_be_said], value[can_be_said]
    score = annotations["score"].cast(pa.float32()).to_numpy().astype(np.float32, copy=False)
    said = Said(photo.astype(np.int32)[row], label, value, _places(annotations["origin"])[row], score[row])
    return _once_each(said, labels=len(taxonomy))


def absences(said: Said, photos: np.ndarray, taxonomy: Taxonomy, *, vocabulary: str) -> Said:
    """Return the labels that an exhaustive source looked for and does not list.

    Labels that follow from a listed one, or that the source calls explicitly unknown, are not absent.

    Args:
        said: What the source says.
        photos: Numbers of the photos on which every name of the vocabulary was looked for, ascending.
        taxonomy: The labels.
        vocabulary: Whose names were looked for; see ``Taxonomy.looked_for``.

    Example:
        >>> from tagger.data.taxonomy import Label
        >>> nothing = Said(*(np.zeros(0, dtype=int) for _ in range(5)))
        >>> absences(nothing, np.array([7]), Taxonomy("mine", (Label("dog", {}),)), vocabulary="voc").value.tolist()
        [-1]
    """
    looked_for = np.array(taxonomy.looked_for(vocabulary), dtype=np.int64)
    mentioned = np.zeros((len(photos), len(taxonomy)), dtype=bool)
    facts = np.flatnonzero((said.value != ABSENT) & (said.origin == ORIGINS.index("source")))
    place = np.searchsorted(photos, said.photo[facts])
    known = (place < len(photos)) & (photos[np.minimum(place, len(photos) - 1)] == said.photo[facts])
    present = known & (said.value[facts] == PRESENT)
    mentioned[place[known], said.label[facts[known]]] = True
    for parent_of, follows in enumerate(taxonomy.closure):
        with_label = place[present & (said.label[facts] == parent_of)]
        mentioned[np.ix_(with_label, np.flatnonzero(follows))] = True
    row, column = np.nonzero(~mentioned[:, looked_for])
    count = len(row)
    return Said(
        photos[row].astype(np.int32),
        looked_for[column].astype(np.int32),
        np.full(count, ABSENT, dtype=np.int8),
        np.full(count, ORIGINS.index("source"), dtype=np.int8),
        np.full(count, np.nan, dtype=np.float32),
    )


def names_without_label(
    annotations: pa.Table, taxonomy: Taxonomy, *, vocabulary: str
) -> tuple[dict[str, int], dict[str, int]]:
    """Return how often names were said that no label claims: those nobody thought of, and those left out on purpose."""
    counts = pc.value_counts(annotations["name"])
    known, left = taxonomy.columns_of(vocabulary), taxonomy.left_out.get(vocabulary, {})
    said = zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    missing = {name: count for name, count in said if name not in known}
    forgotten = {name: count for name, count in missing.items() if name not in left}
    return forgotten, {name: count for name, count in missing.items() if name in left}


def _places(column: pa.ChunkedArray) -> np.ndarray:
    """Return the place in ``ORIGINS`` of every row, int8."""
    words, code = codes(column)
    if strange := {str(word) for word in words} - set(ORIGINS):
        raise ValueError(f"origin must be one of {', '.join(ORIGINS)}, got {sorted(strange)[0]!r}")
    # The last one is for no row: without words there are none.
    return np.array([*(ORIGINS.index(str(word)) for word in words), 0], dtype=np.int8)[code]


def _expanded(
    code: np.ndarray, words: Sequence[str], columns: dict[str, tuple[int, ...]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return a row and a label for every row and every label of its word; words without labels fall away."""
    of_word = [columns.get(word, ()) for word in words]
    sizes = np.array([len(labels) for labels in of_word], dtype=np.int32)
    flat = np.array([label for labels in of_word for label in labels], dtype=np.int32)
    if not len(code) or (sizes == 1).all():
        return np.arange(len(code)), flat[code]
    starts, times = sizes.cumsum() - sizes, sizes[code]
    row = np.repeat(np.arange(len(code)), times)
    within = np.arange(len(row)) - np.repeat(times.cumsum() - times, times)
    return row, flat[starts[code][row] + within]


def _pairs(words: Sequence[str], columns: dict[str, tuple[int, ...]], *, labels: int) -> np.ndarray:
    """Return every pair of a word's place and one of its labels as one number."""
    pairs = [place * labels + label for place, word in enumerate(words) for label in columns.get(word, ())]
    return np.array(pairs, dtype=np.int64)


def subjects(said: Said, *, labels: int) -> np.ndarray:
    """Return photo, label and origin of every statement as one number, in this order of weight; int64 (rows,)."""
    return (said.photo.astype(np.int64) * labels + said.label) * len(ORIGINS) + said.origin


def _once_each(said: Said, *, labels: int) -> Said:
    """Keep one statement per photo, label and origin: present before unknown before absent, then the highest score."""
    subject = subjects(said, labels=labels)
    order = np.argsort(subject, kind="stable")
    last = _last_of_each(subject[order])
    if not last.all():
        # UNKNOWN is 0 and lies between the two.
        order = np.lexsort((np.nan_to_num(said.score, nan=-1.0), said.value, subject))
    return said.take(order[last])


def _last_of_each(ascending: np.ndarray) -> np.ndarray:
    """Return which values are the last of their kind, bool."""
    return np.append(ascending[1:] != ascending[:-1], True)[: len(ascending)]
