"""Near-duplicates of the examples: found photos that show nothing new are set apart.

Only what was found is looked at: a pool of millions is not decoded for it.
"""

from collections.abc import Iterable

import numpy as np

from tagger.data.duplicates import ALIKE, AT_LEAST, BYTES, Distance, fingerprint, within
from tagger.data.photo import BadPhoto, decode, open_photo


def looks(places: Iterable[str]) -> np.ndarray:
    """Return the fingerprint of every photo, uint8 (photos, `BYTES`); zeros if it cannot be read."""
    prints = []
    for place in places:
        try:
            with open_photo(place) as photo:
                prints.append(fingerprint(decode(photo, at_least=AT_LEAST)))
        except BadPhoto:
            prints.append(bytes(BYTES))
    return np.frombuffer(b"".join(prints), dtype=np.uint8).reshape(-1, BYTES)


def near_any(found: np.ndarray, examples: np.ndarray, *, distance: Distance = ALIKE) -> np.ndarray:
    """Return which example each photo nearly is, int64 (photos,): the first one, or -1.

    Args:
        found: Fingerprints, uint8 (photos, `BYTES`).
        examples: Fingerprints, uint8 (examples, `BYTES`).
        distance: How different two may be.

    Example:
        >>> prints = np.random.default_rng(0).integers(0, 256, (3, BYTES), dtype=np.uint8)
        >>> near_any(prints, prints[[2, 0]]).tolist()
        [1, -1, 0]
    """
    both = np.concatenate([found, examples])
    first, second = np.divmod(np.arange(len(found) * len(examples)), max(len(examples), 1))
    near = within(both, np.stack([first, len(found) + second], axis=1), distance=distance)
    is_near = near.reshape(len(found), len(examples))
    nothing = np.zeros(len(found), dtype=np.int64)
    which = is_near.argmax(axis=1) if len(examples) else nothing
    # Blank pictures have no structure by which they could be told apart.
    has_structure = found[:, :40].any(axis=1)
    return np.where(is_near.any(axis=1) & has_structure if len(examples) else nothing.astype(bool), which, -1)
