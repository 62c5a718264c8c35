"""What training sees of a data set: every photo and the state of every label on it.

Photos are rows of an Arrow table and states a sparse matrix, so a row costs bytes and not Python objects: a million
photos fit into every worker that is forked from the process that opened them.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from tagger.data.skipped import Skipped
from tagger.data.storage import location
from tagger.data.taxonomy import Taxonomy

TEST_FOLD, VALIDATION_FOLD, FOLDS = 0, 1, 10

TRAINING_FOLDS = tuple(range(2, FOLDS))


@dataclass(frozen=True)
class Catalog:
    """Photos and their label states, row by row and column by column."""

    taxonomy: Taxonomy
    roots: tuple[str, ...]
    """Folders or URLs that paths are relative to: of a photo, the one at its ``root`` in ``photos``, else the first."""
    photos: pa.Table
    """Column path, and where they are known ``root`` (place in ``roots``), ``split`` (train | test), ``group`` (photos
    kept together), ``fold`` (0 to 9), ``photo_id`` (hash of the content), ``width`` and ``height``,
    ``pool`` (whether only a pool has it, in which nobody has looked for any label)."""
    states: csr_array
    """int8 (photos, labels); PRESENT and ABSENT are stored, unknown is not."""
    truth: csr_array | None = None
    """The states without annotation noise, where a drawn album knows them."""
    unknown: np.ndarray | None = None
    """What an unknown label of each photo weighs as a negative, float32 (photos,), where its sources say so."""
    skipped: Skipped | None = None
    """What the source itself left out; None: nothing, or it was counted when the catalog was prepared."""

    def __len__(self) -> int:
        return self.photos.num_rows

    def column(self, name: str) -> np.ndarray | None:
        """Return a column of ``photos`` as an array, or None if the source has no such column."""
        if name not in self.photos.column_names:
            return None
        return self.photos[name].to_numpy()

    def place(self, row: int) -> str:
        """Return the path or URL of a photo."""
        return location(*self.root_and_path(row))

    def root_and_path(self, row: int) -> tuple[str, str]:
        """Return the folder or URL a photo lies under, and its path there."""
        root = self.photos["root"][row].as_py() if "root" in self.photos.column_names else 0
        return self.roots[root], self.photos["path"][row].as_py()

    def take(self, rows: np.ndarray) -> "Catalog":
        """Return the catalog of these rows, in this order."""
        truth = None if self.truth is None else self.truth[rows]
        unknown = None if self.unknown is None else self.unknown[rows]
        photos = self.photos.take(pa.array(rows))
        return replace(self, photos=photos, states=self.states[rows], truth=truth, unknown=unknown)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with the taxonomy, any photo or any annotation."""
        digest = hashlib.sha256(self.taxonomy.fingerprint.encode())
        for name in self.photos.column_names:
            digest.update(name.encode())
            for part in _parts(self.photos[name]):
                digest.update(part)
        for array in (self.states.indptr, self.states.indices, self.states.data, self.unknown):
            digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def _parts(column: pa.ChunkedArray) -> tuple[bytes, bytes]:
    """Return the lengths and the text of all values of a column."""
    text = column.cast(pa.large_string()).combine_chunks()
    lengths = pc.fill_null(pc.binary_length(text), -1).to_numpy()
    start, end = np.frombuffer(text.buffers()[1], dtype=np.int64)[[text.offset, text.offset + len(text)]]
    letters = text.buffers()[2]
    return lengths.tobytes(), b"" if letters is None else letters.slice(start, end - start).to_pybytes()
