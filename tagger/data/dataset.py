"""Catalog rows as training examples: photos decoded when asked for, or features cached from the backbone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor
from torch.utils.data import Dataset

from tagger.data.batch import Batch, Example
from tagger.data.catalog import Catalog
from tagger.data.embeddings import Features
from tagger.data.photo import BadPhoto
from tagger.data.sampler import Draw
from tagger.data.transforms import seeded


class Kinds(Protocol):
    """Kind of every photo by its catalog row: (photos,), or by label too, (photos, labels)."""

    def __getitem__(self, rows: Any, /) -> Any: ...


@dataclass(frozen=True, eq=False)
class KindsByLabel:
    """Kinds where what is unknown of some labels weighs the same on every photo, whatever its sources say.

    Example:
        >>> KindsByLabel(np.array([0, 1]), np.array([False, True]), kind=2)[np.array([1, 0])]
        array([[1, 2],
               [0, 2]])
    """

    photos: np.ndarray
    """Kind of every photo, (photos,)."""
    is_per_label: np.ndarray
    """Whether a label has a kind of its own, boolean (labels,)."""
    kind: int
    """That kind."""

    def __getitem__(self, rows: np.ndarray | int) -> np.ndarray:
        return np.where(self.is_per_label, self.kind, self.photos[rows][..., None])


Looked = Callable[[np.ndarray], np.ndarray]
"""Catalog rows → what a detector or a teacher says of every label on them, float32 (rows, labels)."""


class PhotoDataset(Dataset[Example]):
    """Photos decoded, augmented and normalised when they are asked for.

    Augmentation is a function of (seed, draw): the same for any number of workers and processes, and after a resume.
    """

    def __init__(
        self,
        catalog: Catalog,
        rows: np.ndarray,
        transform: Callable[[str], Tensor],
        *,
        seed: int,
        kinds: Kinds | None = None,
        detected: Looked | None = None,
        taught: Looked | None = None,
    ) -> None:
        # Arrow buffers and arrays: forked workers share their pages, because nothing touches a reference count.
        self.catalog = catalog
        self.rows = rows
        self.kinds = kinds
        self.detected = detected
        self.taught = taught
        self.transform = transform
        self.seed = seed

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, draw: Draw) -> Example:
        position, number = draw
        row = int(self.rows[position])
        states = torch.from_numpy(dense_states(self.catalog.states, np.array([row]))[0])
        place = self.catalog.place(row)
        kind = 0 if self.kinds is None else self.kinds[row]
        detected, taught = _said(self.detected, row), _said(self.taught, row)
        try:
            with seeded(draw_seed(self.seed, number)):
                return Example(self.transform(place), states, row, kind=kind, detected=detected, taught=taught)
        except BadPhoto as error:
            return Example(None, states, row, error=(place, str(error)))


class FeatureDataset(Dataset[Batch]):
    """Features that the frozen backbone gave for each view of every photo; a draw takes one of the views."""

    def __init__(
        self,
        catalog: Catalog,
        rows: np.ndarray,
        views: Sequence[Features],
        *,
        seed: int,
        kinds: Kinds | None = None,
        detected: Looked | None = None,
        taught: Looked | None = None,
    ) -> None:
        self.states = catalog.states
        self.kinds: Kinds = np.zeros(len(catalog), dtype=np.int64) if kinds is None else kinds
        self.detected = detected
        self.taught = taught
        self.rows = rows
        self.views = views
        self.seed = seed

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, draws: list[Draw]) -> Batch:
        """Return a whole batch: PyTorch asks for it at once where a data set can give it."""
        positions, numbers = np.array(draws).T
        rows = self.rows[positions]
        chosen = np.array([draw_seed(self.seed, number) % len(self.views) for number in numbers.tolist()])
        features = np.empty((len(rows), *self.views[0].shape[1:]), dtype=np.float32)
        for view, array in enumerate(self.views):
            features[chosen == view] = array[rows[chosen == view]]
        states = torch.from_numpy(dense_states(self.states, rows))
        kinds = torch.from_numpy(self.kinds[rows].astype(np.int64))
        detected, taught = (
            None if say is None else torch.from_numpy(say(rows)) for say in (self.detected, self.taught)
        )
        inputs = torch.from_numpy(features)
        return Batch(inputs, states, torch.from_numpy(rows), kinds=kinds, detected=detected, taught=taught)


def _said(say: Looked | None, row: int) -> Tensor | None:
    return None if say is None else torch.from_numpy(say(np.array([row]))[0])


def dense_states(states: csr_array, rows: np.ndarray) -> np.ndarray:
    """Return rows of the sparse states as a dense int8 array (rows, labels)."""
    return states[rows].toarray()


def draw_seed(seed: int, number: int) -> int:
    """Return the seed of one draw, 0..2^63; the same in every process (hashes of integers are not salted).

    Example:
        >>> draw_seed(0, 1) == draw_seed(0, 1) != draw_seed(1, 1)
        True
    """
    return hash((seed, number)) % 2**63
