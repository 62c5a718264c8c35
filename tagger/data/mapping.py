"""From a source's own names to our labels: the one place where vocabularies meet.

A name says that its labels are present. That a label is absent can only be claimed by a name that means just this
label: a photo without apples may show other fruit. An exhaustive source looked for every name that it declares, so a
label that one of them means exactly, and that it does not list, is absent; of all other labels it says nothing. Where
it says something that no label claims, nobody knows what that is: what it does not list there stays unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagger.data.catalog.reading import codes
from tagger.data.skipped import Skipped
from tagger.data.sources.source import NAMELESS
from tagger.data.states import ABSENT, PRESENT, UNKNOWN
from tagger.data.taxonomy import Names, Taxonomy

ORIGINS = ("source", "human", "rule", "model", "product")
"""Who may say something; annotations in memory hold the place in this tuple."""


@dataclass(frozen=True, eq=False)
class Claims:
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

    def take(self, rows: np.ndarray) -> "Claims":
        """Return these statements, in this order."""
        return Claims(*(column[rows] for column in vars(self).values()))

    def followed_by(self, other: "Claims") -> "Claims":
        """Return these statements and then the others."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Claims(*(np.concatenate(pair) for pair in pairs))


def to_labels(
    photo: np.ndarray, annotations: pa.Table, taxonomy: Taxonomy, *, vocabulary: str, skipped: Skipped | None = None
) -> Claims:
    """Say in labels what a source says in names: one statement per photo, label and origin.

    Of several names of one label, one that is present decides, and then one that is explicitly unknown. A label that is
    present by a name that means just it and absent by another such name is unknown.

    Args:
        photo: Number of the photo of every annotation, int (annotations,).
        annotations: Columns name, value, origin and score of ``sources.source.ANNOTATIONS``.
        taxonomy: The labels and what this vocabulary calls them.
        vocabulary: Whose names these are.
        skipped: Counts such contradictions.

    Raises:
        ValueError: If an origin is none of ``ORIGINS``.

    Example:
        >>> from tagger.data.taxonomy import Label
        >>> fruit = Label("fruit", {}, sources={"coco": ("apple",)})
        >>> columns = {"name": ["apple"] * 2, "value": [1, -1], "origin": ["source"] * 2, "score": [None] * 2}
        >>> annotations = pa.table(columns)
        >>> found = to_labels(np.array([7, 8]), annotations, Taxonomy("mine", (fruit,)), vocabulary="coco")
        >>> found.photo.tolist(), found.value.tolist()
        ([7], [1])
    """
    found, code = codes(annotations["name"])
    words = _spelled(found, Names(taxonomy, vocabulary))
    row, label = _expanded(code, words, taxonomy.columns_of(vocabulary))
    value = annotations["value"].to_numpy().astype(np.int8, copy=False)[row]
    exact = _pairs(words, taxonomy.exact_columns_of(vocabulary), labels=len(taxonomy))
    is_exact = np.isin(code[row].astype(np.int64) * len(taxonomy) + label, exact)
    can_be_said = (value != ABSENT) | is_exact
    row, label, value, is_exact = row[can_be_said], label[can_be_said], value[can_be_said], is_exact[can_be_said]
    score = annotations["score"].cast(pa.float32()).to_numpy().astype(np.float32, copy=False)
    claims = Claims(photo.astype(np.int32)[row], label, value, _places(annotations["origin"])[row], score[row])
    once = _once_each(claims, labels=len(taxonomy))
    disputed = _disputed(claims.take(np.flatnonzero(is_exact)), labels=len(taxonomy))
    if not len(disputed):
        return once
    against = np.flatnonzero(np.isin(subjects(once, labels=len(taxonomy)), disputed))
    once.value[against] = UNKNOWN
    if skipped is not None:
        example = taxonomy.ids[once.label[against[0]]]
        skipped.add("label both present and absent on one photo, now unknown", example, times=len(against))
    return once


def unclaimed_photos(photo: np.ndarray, annotations: pa.Table, names: Names) -> np.ndarray:
    """Return the photos, ascending, of which a source says something that no label claims and nobody left out."""
    words, code = codes(annotations["name"])
    strange = np.array([*(names.known(str(word)) is None for word in words), False], dtype=bool)[code]
    # That something without a label is absent makes no label present.
    strange &= annotations["value"].to_numpy() != ABSENT
    if strange.any():
        strange &= _places(annotations["origin"]) == ORIGINS.index("source")
    return np.unique(photo[strange])


def absences(claims: Claims, photos: np.ndarray, taxonomy: Taxonomy, *, looked_for: Sequence[int]) -> Claims:
    """Return the labels that an exhaustive source looked for and does not list.

    Labels that a listed one is or implies, or one that the source calls explicitly unknown, are not absent; those that
    it calls absent itself are not repeated.

    Args:
        claims: What the source claims.
        photos: Numbers of the photos on which these labels were looked for, ascending.
        taxonomy: The labels.
        looked_for: Their columns, see ``Taxonomy.looked_for``.

    Example:
        >>> from tagger.data.taxonomy import Label
        >>> nothing = Claims(*(np.zeros(0, dtype=int) for _ in range(5)))
        >>> absences(nothing, np.array([7]), Taxonomy("mine", (Label("dog", {}),)), looked_for=[0]).value.tolist()
        [-1]
    """
    columns = np.array(looked_for, dtype=np.int64)
    mentioned = np.zeros((len(photos), len(taxonomy)), dtype=bool)
    place = np.searchsorted(photos, claims.photo)
    known = (place < len(photos)) & (photos[np.minimum(place, len(photos) - 1)] == claims.photo)
    facts = np.flatnonzero(known & (claims.origin == ORIGINS.index("source")))
    place, label, value = place[facts], claims.label[facts], claims.value[facts]
    mentioned[place, label] = True
    for child in np.unique(label[value != ABSENT]).tolist():
        # If nobody knows whether it is a dog, nobody knows that there is no animal.
        of_child = place[(label == child) & (value != ABSENT)]
        mentioned[np.ix_(of_child, np.flatnonzero(taxonomy.closure[child]))] = True
    row, column = np.nonzero(~mentioned[:, columns])
    count = len(row)
    return Claims(
        photos[row].astype(np.int32),
        columns[column].astype(np.int32),
        np.full(count, ABSENT, dtype=np.int8),
        np.full(count, ORIGINS.index("source"), dtype=np.int8),
        np.full(count, np.nan, dtype=np.float32),
    )


@dataclass(frozen=True)
class Heard:
    """How often names are listed, by what became of them."""

    unclaimed: dict[str, int]
    """Those that no label claims and nobody thought of."""
    left_out: dict[str, int]
    """Those that the label system leaves out on purpose."""
    spelled: dict[str, int]
    """Those that stand for another spelling: ``'Dog' for 'dog'``."""


def heard(annotations: pa.Table, names: Names) -> Heard:
    """Return what became of the names."""
    found = Heard({}, {}, {})
    counts = pc.value_counts(annotations["name"])
    for name, count in zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True):
        known = names.known(name)
        if known is None:
            if name != NAMELESS:
                found.unclaimed[name] = count
            continue
        if known != name:
            found.spelled[f"{name!r} for {known!r}"] = count
        if known not in names.columns:
            found.left_out[known] = found.left_out.get(known, 0) + count
    return found


def _spelled(words: Sequence[str | None], names: Names) -> list[str]:
    """Return names as the label system spells them."""
    return [names.known(str(word)) or str(word) for word in words]


def _disputed(exact: Claims, *, labels: int) -> np.ndarray:
    """Return the subjects of facts that names of one meaning make both present and absent, int64."""
    facts = exact.take(np.flatnonzero(exact.origin == ORIGINS.index("source")))
    absent = np.flatnonzero(facts.value == ABSENT)
    if not len(absent):
        return np.zeros(0, dtype=np.int64)
    subject = subjects(facts, labels=labels)
    return np.intersect1d(subject[absent], subject[facts.value == PRESENT])


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


def subjects(claims: Claims, *, labels: int) -> np.ndarray:
    """Return photo, label and origin of every statement as one number, in this order of weight; int64 (rows,)."""
    return (claims.photo.astype(np.int64) * labels + claims.label) * len(ORIGINS) + claims.origin


def _once_each(claims: Claims, *, labels: int) -> Claims:
    """Keep one statement per photo, label and origin: present before unknown before absent, then the highest score."""
    subject = subjects(claims, labels=labels)
    order = np.argsort(subject, kind="stable")
    last = last_of_each(subject[order])
    if not last.all():
        # UNKNOWN is 0 and lies between the two.
        order = np.lexsort((np.nan_to_num(claims.score, nan=-1.0), claims.value, subject))
    return claims.take(order[last])


def last_of_each(ascending: np.ndarray) -> np.ndarray:
    """Return which values are the last of their kind, bool."""
    return np.append(ascending[1:] != ascending[:-1], True)[: len(ascending)]
