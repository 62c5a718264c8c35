"""Photos that belong together: groups that share a fold, and photos that several sources have."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Groups:
    """Groups of two photos and more, the largest first."""

    first: np.ndarray
    """The photo that each is called by, int64 (groups,)."""
    sizes: np.ndarray
    """int64 (groups,)."""

    def __len__(self) -> int:
        return len(self.sizes)


def groups_of(group: np.ndarray) -> Groups:
    """Return the groups of at least two photos.

    Args:
        group: Of every photo, the row of the first photo of its group, int (photos,).

    Example:
        >>> groups = groups_of(np.array([0, 1, 1, 3, 3, 3]))
        >>> groups.first.tolist(), groups.sizes.tolist()
        ([3, 1], [3, 2])
    """
    first, sizes = np.unique(group, return_counts=True)
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] > 1]
    return Groups(first[order], sizes[order])


@dataclass(frozen=True)
class Shared:
    """Two sources that have some of the same photos."""

    first: str
    second: str
    photos: int


def shared_photos(members: csr_array, names: list[str]) -> list[Shared]:
    """Return how many photos every two sources share, most first; pairs that share none are left out.

    Args:
        members: Which photos each source has, bool (sources, photos).
        names: Of the sources.

    Example:
        >>> shared_photos(csr_array(np.array([[1, 1, 0], [0, 1, 1]])), ["mine", "yours"])
        [Shared(first='mine', second='yours', photos=1)]
    """
    sets = csr_array(members.astype(np.int64))
    overlap = np.triu((sets @ sets.T).toarray(), k=1)
    pairs = [Shared(names[i], names[j], int(overlap[i, j])) for i, j in zip(*np.nonzero(overlap), strict=True)]
    return sorted(pairs, key=lambda pair: -pair.photos)
