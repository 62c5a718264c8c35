"""What photos of the labels look like that a data set has."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from tagger.data.embeddings import Features
from tagger.data.skipped import Skipped
from tagger.data.states import PRESENT
from tagger.mining.annotated import as_said
from tagger.mining.opened import Mining
from tagger.mining.search import BLOCK, centre_of, directions

LEAST = 5
"""Photos of a label from which on it is known what it looks like."""


@dataclass(frozen=True, eq=False)
class KnownLabels:
    """What photos of the known labels look like."""

    ids: tuple[str, ...]
    means: np.ndarray
    """The mean direction of each label's photos, of length 1, float32 (labels, features)."""

    @classmethod
    def of(cls, features: Features, states: csr_array, ids: Sequence[str]) -> "KnownLabels":
        """Return what labels look like that enough photos carry.

        Args:
            features: Embeddings of annotated photos, (photos, features). Directions are seen from their own mean, so
                that two collections may differ as a whole.
            states: Of the same photos, (photos, labels).
            ids: Of the labels.
        """
        centre, carries = centre_of(features), csr_array(states == PRESENT).astype(np.float32)
        sums = np.zeros((len(ids), features.shape[1]), dtype=np.float32)
        for at in range(0, len(features), BLOCK):
            sums += carries[at : at + BLOCK].T @ directions(features[at : at + BLOCK], centre)
        known = np.flatnonzero(np.asarray(carries.sum(axis=0)) >= LEAST)
        lengths = np.linalg.norm(sums[known], axis=1, keepdims=True)
        return cls(tuple(ids[label] for label in known.tolist()), sums[known] / np.maximum(lengths, 1e-12))


def known_labels(mining: Mining) -> KnownLabels:
    """Return what the labels of the data set look like, from the photos that train."""
    data = as_said(mining)
    catalog, rows = data.catalog, np.sort(data.train_rows)
    ids = catalog.photos["photo_id"].combine_chunks().take(pa.array(rows))
    features = mining.embeddings(ids, lambda photo: catalog.place(int(rows[photo])), Skipped())
    there = np.flatnonzero(features.is_there)
    return KnownLabels.of(features.take(there), catalog.states[rows[there]], catalog.taxonomy.ids)
