"""The queue: a row for every photo and label that people should look at, best first."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tagger.atomic import written_whole
from tagger.data.catalog.store import CatalogStore
from tagger.errors import UserError

QUEUE = "queue.parquet"
"""What it is called in the folder of a data set's cleaning."""

MISSING, MISTAKEN = "missing", "mistaken"
"""Kinds of tasks: a label that may be on the photo though unannotated, and one that may not be though annotated."""

SAMPLE, AGAIN = "sample", "again"
"""Kinds of tasks drawn at random: of the test fold, which tells the noise left there, and of what people decided, which
tells how far they can be trusted. No evidence is shown for or against them: it would bend the answers."""

QUEUE_SCHEMA = pa.schema(
    {
        "task_id": pa.string(),  # 16 hex digits, see task_id
        "photo_id": pa.string(),  # of the catalog
        "root": pa.string(),  # folder or URL that the path is relative to
        "path": pa.string(),
        "label": pa.string(),  # the label's id
        "kind": pa.string(),  # missing | mistaken | sample | again
        "state": pa.int8(),  # PRESENT, ABSENT or UNKNOWN, as it is now
        "said_by": pa.string(),  # who says so, or who says what where they disagree; "" if nobody
        "score": pa.float32(),  # out of fold, 0..1
        "rank": pa.int32(),  # from 1, within the kind
        "margin": pa.float32(),  # probability that the annotation is wrong, less one half
        "cleanlab": pa.float32(),  # cleanlab's quality of the annotation, 0..1
        "is_top5": pa.bool_(),  # among the photo's five best labels, with a score above 0.5
        "products": pa.string(),  # what other products say; "" if nothing
        "implied_by": pa.string(),  # labels on the photo that imply this one; "" if none
        "neighbours": pa.float32(),  # share of the ten nearest photos that carry the label
        "twin": pa.string(),  # what a near-duplicate says that contradicts; "" if nothing
        "overlap": pa.int8(),  # annotators wanted
    }
)
"""Columns of the queue; figures may be null where they are not known."""


def task_id(photo_id: str, label: str, kind: str) -> str:
    """Return the name of a task: the same in every queue that asks the same.

    Example:
        >>> task_id("9f86d081884c7d659a2feaa0c55ad015", "animal.dog", "missing")
        '342a42e30fa149df'
    """
    return hashlib.sha256("\n".join((photo_id, label, kind)).encode()).hexdigest()[:16]


def catalog_identity(store: CatalogStore) -> str:
    """Return 16 hex digits that tell a catalog from others: of its label system's name and the photos it began with.

    It stays while the catalog grows and while people decide, which the catalog's fingerprint does not.
    """
    digest = hashlib.sha256(store.manifest.taxonomy.get("name", "").encode())
    first = store.table("photos", ["photo_id"], parts=1)
    for photo_id in first["photo_id"].to_pylist():
        digest.update(photo_id.encode())
    return digest.hexdigest()[:16]


def write_queue(path: Path, queue: pa.Table) -> None:
    """Write a queue, whole or not at all; columns may be in any order.

    Raises:
        KeyError: If a column is missing.
        ValueError: If one does not fit the schema.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        pq.write_table(queue.select(QUEUE_SCHEMA.names).cast(QUEUE_SCHEMA), file, compression="zstd")


def read_queue(path: Path) -> pa.Table:
    """Read a queue.

    Raises:
        UserError: If there is none, or it is no queue.
    """
    if not path.is_file():
        raise UserError(f"no queue at {path}: make it with python -m tagger.clean step=queue and the same data=…")
    try:
        # Not by read_table, which takes folders named a=b for columns.
        return pq.ParquetFile(path).read(columns=QUEUE_SCHEMA.names).cast(QUEUE_SCHEMA)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no queue ({error}); make it anew with python -m tagger.clean step=queue") from error
