"""What follows from a fact along the published hierarchy."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from tagger.data.catalog.precedence import completed
from tagger.data.sources.open_images.columns import TEXT, as_numpy, places
from tagger.data.sources.open_images.files import File
from tagger.data.sources.source import SourceError
from tagger.data.sources.tables import annotation_table


@dataclass
class Hierarchy:
    """What facts imply: a parent of what is present is present, a child of what is absent is absent.

    A part is no child: a photo of a wheel need not show the car. Neither is the root of all, "Entity", a label.
    """

    mids: pa.Array
    follows: np.ndarray
    """Boolean (labels, labels), row i the labels that are true whenever label i is."""
    noted: list[tuple[np.ndarray, ...]] = field(default_factory=list)
    """Number of the photo, of the label, and the value of every fact: seven bytes each, since a photo's facts may be
    in several files."""

    @classmethod
    def read(cls, file: File) -> "Hierarchy":
        try:
            root = json.loads(file.read())
            edges = sorted(_edges(root))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SourceError(f"{file.name}: expected nested LabelName, Subcategory and Part, got {error!r}") from error
        mids = sorted({mid for edge in edges for mid in edge})
        follows = np.eye(len(mids), dtype=bool)
        for child, parent in edges:
            follows[mids.index(child), mids.index(parent)] = True
        for _ in range(len(mids).bit_length()):
            follows = (follows.astype(np.float32) @ follows.astype(np.float32)) > 0
        if (circle := np.flatnonzero((follows & follows.T).sum(axis=1) > 1)).size:
            raise SourceError(f"{file.name}: {mids[circle[0]]!r} is below itself")
        return cls(pa.array(mids, TEXT), follows)

    def note(self, annotations: pa.Table, photo: np.ndarray) -> None:
        """Remember the facts about labels of the hierarchy."""
        label = as_numpy(places(annotations["name"], self.mids).fill_null(-1))
        facts = (label >= 0) & as_numpy(pc.equal(annotations["origin"], "source"))
        columns = ((photo, np.int32), (label, np.int16), (as_numpy(annotations["value"]), np.int8))
        self.noted.append(tuple(column[facts].astype(kind) for column, kind in columns))

    def derived(self, ids: pa.ChunkedArray, *, photos: int = 1 << 16) -> Iterator[pa.Table]:
        """Yield what follows and was not annotated, for so many photos at a time.

        What follows both ways (from a child that is present, and from a parent that is absent) is not yielded.
        """
        photo, label, value = (np.concatenate(columns) for columns in zip(*self.noted, strict=True))
        # Stable: of two statements the later one stays later.
        order = np.argsort(photo, kind="stable")
        photo, label, value = photo[order], label[order], value[order]
        for start in range(0, len(ids), photos):
            part = slice(*np.searchsorted(photo, [start, start + photos]))
            new = self._new(photo[part] - start, label[part], value[part], photos)
            yield annotation_table(
                ids.take(pa.array(new.row + start)),
                self.mids.take(pa.array(new.col)),
                value=pa.array(new.data),
                origin="rule",
            )

    def _new(self, photo: np.ndarray, label: np.ndarray, value: np.ndarray, photos: int) -> Any:
        pair = photo.astype(np.int64) * len(self.mids) + label
        # The last statement about a pair is the first one from behind.
        subject, last = np.unique(pair[::-1], return_index=True)
        where = np.divmod(subject, len(self.mids))
        annotated = csr_array((value[::-1][last], where), shape=(photos, len(self.mids)))
        # completed() leaves what was annotated as it was.
        new = completed(annotated, self.follows) - annotated
        new.eliminate_zeros()
        return new.tocoo()


def _edges(root: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the MIDs of every child and its parent."""
    nodes = [root]
    while nodes:
        node = nodes.pop()
        for child in node.get("Subcategory", ()):
            if node is not root:
                yield str(child["LabelName"]), str(node["LabelName"])
        nodes += [*node.get("Subcategory", ()), *node.get("Part", ())]
