"""Which of several statements about a photo and a label holds: the one of highest standing.

A human verdict outranks what a source says, and that outranks what follows by a rule. The opinion of a model or of
another product is no fact: it is kept, and it never counts. Of one speaker the last word holds. Where sources of equal
standing contradict each other nobody knows, so the label is unknown until a person decides.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from tagger.data.states import ABSENT, PRESENT

STANDING = {"human": 3, "source": 2, "rule": 1, "model": 0, "product": 0}
"""By origin of an annotation; 0 never counts."""


@dataclass(frozen=True, eq=False)
class Statements:
    """Annotations as arrays of equal length, the older ones first."""

    photo: np.ndarray
    """Row of the photo, int."""
    label: np.ndarray
    """Column of the label, int."""
    value: np.ndarray
    """int8: PRESENT, ABSENT, or UNKNOWN where somebody takes a statement back or cannot say."""
    standing: np.ndarray
    """int8, as in ``STANDING``."""
    speaker: np.ndarray
    """Number of who says so, int: the source, or the annotator of a human verdict."""

    def __len__(self) -> int:
        return len(self.photo)

    def take(self, rows: np.ndarray) -> "Statements":
        """Return these statements, in this order."""
        return Statements(*(column[rows] for column in vars(self).values()))


def current(said: Statements) -> tuple[Statements, Statements]:
    """Return the statements that hold, one per photo and label, and the contradictions, sorted by photo and label.

    Of a contradiction every side is returned; what it is about is unknown and in none of the statements that hold.

    Example:
        >>> columns = ([7, 7, 8, 8], [0, 0, 0, 0], [1, -1, 1, -1], [2, 3, 2, 2], [0, 1, 0, 1])
        >>> holding, contradictions = current(Statements(*map(np.array, columns)))
        >>> holding.photo.tolist(), holding.value.tolist(), contradictions.photo.tolist()
        ([7], [-1], [8, 8])
    """
    facts = said.take(np.flatnonzero(said.standing > 0))
    labels = int(facts.label.max()) + 1 if len(facts) else 1
    subject = facts.photo.astype(np.int64) * labels + facts.label
    # Stable: of one speaker the last statement stays last.
    facts = facts.take(order := np.lexsort((facts.speaker, facts.standing, subject)))
    subject = subject[order]
    last_word = np.flatnonzero(_differs(subject, facts.standing, facts.speaker))
    facts, subject = facts.take(last_word), subject[last_word]
    top = facts.standing == facts.standing[_last_of(subject)] if len(facts) else np.zeros(0, dtype=bool)
    facts, subject = facts.take(np.flatnonzero(top)), subject[top]
    return _agreeing(facts, subject)


def _agreeing(facts: Statements, subject: np.ndarray) -> tuple[Statements, Statements]:
    """Split statements of equal standing into those that hold and those that contradict each other."""
    known = np.flatnonzero(facts.value != 0)
    facts, subject = facts.take(known), subject[known]
    starts = np.flatnonzero(np.diff(subject, prepend=-1))
    if not len(starts):
        return facts, facts
    sums = np.add.reduceat(facts.value.astype(np.int64), starts)
    sizes = np.diff(starts, append=len(subject))
    agreed = np.abs(sums) == sizes
    return facts.take(starts[agreed]), facts.take(np.flatnonzero(~np.repeat(agreed, sizes)))


def states(holding: Statements, *, photos: int, labels: int, follows: np.ndarray | None = None) -> csr_array:
    """Return the state of every label on every photo, int8 (photos, labels); unknown is not stored.

    Args:
        holding: One statement per photo and label.
        photos: Number of photos.
        labels: Number of labels.
        follows: Boolean (labels, labels), row i the labels that are true whenever label i is, or None. Then parents and
            implied labels of what is present are present where nobody said anything, and labels from which something
            absent follows are absent.

    Example:
        >>> dog = Statements(*(np.array([value]) for value in (0, 0, 1, 2, 0)))
        >>> follows = np.array([[True, True], [False, True]])
        >>> states(dog, photos=1, labels=2, follows=follows).toarray()
        array([[1, 1]], dtype=int8)
    """
    said = csr_array((holding.value.astype(np.int8), (holding.photo, holding.label)), shape=(photos, labels))
    said.sort_indices()
    return said if follows is None else completed(said, follows)


def completed(said: csr_array, follows: np.ndarray) -> csr_array:
    """Return the states with what follows from them; what was said stays as it was said.

    A label that follows both ways (its child is present, its parent absent) is a contradiction in what was said, and
    stays unknown.

    Args:
        said: int8 (photos, labels).
        follows: Boolean (labels, labels), as in :func:`states`.
    """
    ones = csr_array(follows.astype(np.int32))
    up = csr_array((said == PRESENT).astype(np.int32)) @ ones
    down = csr_array((said == ABSENT).astype(np.int32)) @ csr_array(ones.T)
    derived = up.sign() - down.sign()
    derived.eliminate_zeros()
    # Twice what was said outweighs what follows; the sign of the sum is the state.
    result = csr_array((2 * said.astype(np.int32) + derived).sign().astype(np.int8))
    result.eliminate_zeros()
    result.sort_indices()
    return result


def _differs(*sorted_columns: np.ndarray) -> np.ndarray:
    """Return where a row differs from the next one in any column; the last row always does."""
    if not len(sorted_columns[0]):
        return np.zeros(0, dtype=bool)
    changes = np.any([column[1:] != column[:-1] for column in sorted_columns], axis=0)
    return np.append(changes, True)


def _last_of(subject: np.ndarray) -> np.ndarray:
    """Return for every row of a sorted column the last row with the same value."""
    ends = np.flatnonzero(_differs(subject))
    return np.repeat(ends, np.diff(ends, prepend=-1))
