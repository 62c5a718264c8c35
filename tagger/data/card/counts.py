"""How many photos have each label present, absent or unknown, in all and by source or fold."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from tagger.data.states import ABSENT, PRESENT


@dataclass(frozen=True, eq=False)
class Counts:
    """Photos by set of photos (a source, a fold) and by label and its state."""

    photos: np.ndarray
    """Photos of each set, int64 (sets,)."""
    present: np.ndarray
    """int64 (sets, labels)."""
    absent: np.ndarray
    """int64 (sets, labels)."""

    @property
    def unknown(self) -> np.ndarray:
        """Photos of each set on which nobody knows, int64 (sets, labels)."""
        return self.photos[:, None] - self.present - self.absent


def count_states(states: csr_array, members: csr_array) -> Counts:
    """Count the states of every label on every set of photos.

    Args:
        states: int8 (photos, labels); unknown is not stored.
        members: Which photos are in which set, (sets, photos), 1 or True where one is. Sets may overlap.

    Example:
        >>> states = csr_array(np.array([[1, -1], [1, 0], [0, -1]], dtype=np.int8))
        >>> counts = count_states(states, members_of(np.array([0, 0, 1]), sets=2))
        >>> counts.present.tolist(), counts.absent.tolist(), counts.unknown.tolist()
        ([[2, 0], [0, 0]], [[0, 1], [0, 1]], [[0, 1], [1, 0]])
    """
    sets = csr_array(members.astype(np.int64))
    present, absent = (csr_array((states == state).astype(np.int64)) for state in (PRESENT, ABSENT))
    return Counts(sets.sum(axis=1), (sets @ present).toarray(), (sets @ absent).toarray())


def members_of(number: np.ndarray, *, sets: int, photo: np.ndarray | None = None, photos: int = 0) -> csr_array:
    """Return which photos are in which set, bool (sets, photos).

    Args:
        number: Set of every photo, int; or, with ``photo``, of every mention of a photo.
        sets: Number of sets.
        photo: The photo of every mention, of which there may be several; None: one mention of each photo, in order.
        photos: Number of photos, if ``photo`` is given.

    Example:
        >>> members_of(np.array([0, 1, 1, 1]), sets=2, photo=np.array([0, 0, 2, 2]), photos=3).toarray().astype(int)
        array([[1, 0, 0],
               [1, 0, 1]])
    """
    photo, photos = (np.arange(len(number)), len(number)) if photo is None else (photo, photos)
    mentions = csr_array((np.ones(len(number), dtype=np.int32), (number, photo)), shape=(sets, photos))
    return csr_array(mentions.astype(bool))
