"""Which of several statements about a photo and a label holds: the one of highest standing.

A human verdict outranks what a source says, and that outranks what follows by a rule. The opinion of a model or of
another product is no fact: it is kept, and it never counts. Of one speaker the last word holds. Where sources of equal
standing contradict each other nobody knows, so the label is unknown until a person decides. Where people contradict
each other the majority holds; of a tie nobody knows. Who cannot say, or takes a word back, counts for nothing.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, vstack

from tagger.data.states import ABSENT, PRESENT

PRECEDENCE = {"human": 3, "source": 2, "rule": 1, "model": 0, "product": 0}
"""By origin of an annotation; 0 never counts."""

HUMAN = PRECEDENCE["human"]

BLOCK = 1 << 16
"""Photos that are completed at a time."""


@dataclass(frozen=True, eq=False)
class Statements:
    """Annotations as arrays of equal length, the older ones first."""

    photo: np.ndarray
    """Row of the photo, int."""
    label: np.ndarray
    """Column of the label, int."""
    value: np.ndarray
    """int8: PRESENT, ABSENT, or UNKNOWN where somebody takes a statement back or cannot say."""
    precedence: np.ndarray
    """int8, as in ``STANDING``."""
    speaker: np.ndarray
    """Number of who says so, int: the source, or the annotator of a human verdict."""

    def __len__(self) -> int:
        return len(self.photo)

    def take(self, rows: np.ndarray) -> "Statements":
        """Return these statements, in this order."""
        return Statements(*(column[rows] for column in vars(self).values()))


def current(claims: Statements) -> tuple[Statements, Statements]:
    """Return the statements that hold, one per photo and label, and the contradictions, sorted by photo and label.

    Of a contradiction every side is returned; what it is about is unknown and in none of the statements that hold.

    Example:
        >>> columns = ([7, 7, 8, 8], [0, 0, 0, 0], [1, -1, 1, -1], [2, 3, 2, 2], [0, 1, 0, 1])
        >>> holding, contradictions = current(Statements(*map(np.array, columns)))
        >>> holding.photo.tolist(), holding.value.tolist(), contradictions.photo.tolist()
        ([7], [-1], [8, 8])
    """
    facts = claims if (claims.precedence > 0).all() else claims.take(np.flatnonzero(claims.precedence > 0))
    if not len(facts):
        return facts, facts
    ranks, speakers = int(facts.precedence.max()) + 1, int(facts.speaker.max()) + 1
    # One number to sort by instead of four columns: a billion photos, 10,000 labels, 1,000 speakers need 57 bits.
    word = facts.photo.astype(np.int64)
    for column, values in (
        (facts.label, int(facts.label.max()) + 1),
        (facts.precedence, ranks),
        (facts.speaker, speakers),
    ):
        # In place: there may be a hundred million.
        word *= values
        word += column
    if not (word[1:] > word[:-1]).all():
        # Stable: of one speaker the last statement stays last.
        order = np.argsort(word, kind="stable")
        last_word = order[_ends(word[order])]
        facts, word = facts.take(last_word), word[last_word]
    if not facts.value.all():
        # Who takes a word back or cannot say leaves it to those below: of a label that a source says is there and a
        # person cannot see, nobody has claimed that it is not.
        known = np.flatnonzero(facts.value)
        facts, word = facts.take(known), word[known]
    subject = np.floor_divide(word, ranks * speakers, out=word)
    ends = _ends(subject)
    if len(ends) < len(subject):
        top = np.flatnonzero(facts.precedence == np.repeat(facts.precedence[ends], np.diff(ends, prepend=-1)))
        facts, subject = facts.take(top), subject[top]
    return _agreeing(facts, subject)


def _agreeing(facts: Statements, subject: np.ndarray) -> tuple[Statements, Statements]:
    """Split statements of equal standing into those that hold and those that contradict each other.

    Of a majority of people one statement holds, of those that it is made of.
    """
    ends = _ends(subject)
    if len(ends) == len(subject):
        return facts, facts.take(ends[:0])
    sizes = np.diff(ends, prepend=-1)
    sums = np.add.reduceat(facts.value, ends - sizes + 1, dtype=np.int64)
    agreed = (np.abs(sums) == sizes) | ((facts.precedence[ends] == HUMAN) & (sums != 0))
    winning = np.flatnonzero(facts.value == np.repeat(np.where(agreed, np.sign(sums), 0), sizes))
    first = np.diff(subject[winning], prepend=-1) != 0
    return facts.take(winning[first]), facts.take(np.flatnonzero(~np.repeat(agreed, sizes)))


def states(holding: Statements, *, photos: int, labels: int, follows: np.ndarray | None = None) -> csr_array:
    """Return the state of every label on every photo, int8 (photos, labels); unknown is not stored.

    Args:
        holding: One statement per photo and label.
        photos: Number of photos.
        labels: Number of labels.
        follows: Boolean (labels, labels), row i the labels that are true whenever label i is, or None. Then parents and
            implied labels of what is present are present where nobody annotated anything, and labels from which
            something absent follows are absent.

    Example:
        >>> dog = Statements(*(np.array([value]) for value in (0, 0, 1, 2, 0)))
        >>> follows = np.array([[True, True], [False, True]])
        >>> states(dog, photos=1, labels=2, follows=follows).toarray()
        array([[1, 1]], dtype=int8)
    """
    # Four bytes for a column and not eight: the states stay in memory, in every process.
    place = (holding.photo.astype(np.int32), holding.label.astype(np.int32))
    annotated = csr_array((holding.value.astype(np.int8), place), shape=(photos, labels))
    annotated.sort_indices()
    return annotated if follows is None else completed(annotated, follows)


def completed(annotated: csr_array, follows: np.ndarray) -> csr_array:
    """Return the states with what follows from them; what was annotated stays as it is.

    A label that follows both ways (its child is present, its parent absent) is a contradiction in the annotations, and
    stays unknown.

    Args:
        annotated: int8 (photos, labels).
        follows: Boolean (labels, labels), as in :func:`states`.
    """
    ones = csr_array(follows.astype(np.int32))
    # Some photos at a time: what lies between is many times as large as the result.
    parts = [_completed(annotated[start : start + BLOCK], ones) for start in range(0, annotated.shape[0], BLOCK)]
    return csr_array(vstack(parts, format="csr")) if parts else annotated


def _completed(annotated: csr_array, follows: csr_array) -> csr_array:
    up = csr_array((annotated == PRESENT).astype(np.int32)) @ follows
    down = csr_array((annotated == ABSENT).astype(np.int32)) @ csr_array(follows.T)
    derived = up.sign() - down.sign()
    derived.eliminate_zeros()
    # Twice what was annotated outweighs what follows; the sign of the sum is the state.
    result = csr_array((2 * annotated.astype(np.int32) + derived).sign().astype(np.int8))
    result.eliminate_zeros()
    result.sort_indices()
    return result


def _ends(ascending: np.ndarray) -> np.ndarray:
    """Return the last place of every value."""
    return np.flatnonzero(np.append(ascending[1:] != ascending[:-1], True)[: len(ascending)])
