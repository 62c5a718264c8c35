"""The catalog: every photo of a data set and the state of every label on it.

Photos are rows of an Arrow table and states a sparse matrix, so a row costs bytes and not Python objects: a million
photos fit into every worker that is forked from the process that opened them.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from tagger.data.taxonomy import Taxonomy

TEST_FOLD, VALIDATION_FOLD, FOLDS = 0, 1, 10


@dataclass(frozen=True)
class Catalog:
    """Photos and their label states, row by row and column by column."""

    taxonomy: Taxonomy
    root: Path
    """Folder that ``photos["path"]`` is relative to."""
    photos: pa.Table
    """Columns path, and where the source knows them ``split`` (train | test) and ``group`` (photos kept together)."""
    states: csr_array
    """int8 (photos, labels); PRESENT and ABSENT are stored, unknown is not."""
    truth: csr_array | None = None
    """The states without annotation noise, where a drawn album knows them."""

    def __len__(self) -> int:
        return self.photos.num_rows

    def column(self, name: str) -> np.ndarray | None:
        """Return a column of ``photos`` as an array, or None if the source has no such column."""
        if name not in self.photos.column_names:
            return None
        return self.photos[name].to_numpy()

    def take(self, rows: np.ndarray) -> "Catalog":
        """Return the catalog of these rows, in this order."""
        truth = None if self.truth is None else self.truth[rows]
        return replace(self, photos=self.photos.take(rows), states=self.states[rows], truth=truth)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with the taxonomy, any photo or any annotation."""
        digest = hashlib.sha256(self.taxonomy.fingerprint.encode())
        for name in self.photos.column_names:
            digest.update(name.encode())
            for value in self.photos[name].combine_chunks().cast(pa.string()).to_pylist():
                digest.update(f"{value}\0".encode())
        for array in (self.states.indptr, self.states.indices, self.states.data):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]
