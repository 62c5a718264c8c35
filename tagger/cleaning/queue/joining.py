"""New questions before those that a queue asks already."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from tagger.cleaning.queue.making import states_of
from tagger.cleaning.queue.table import AGAIN, MISSING, SAMPLE
from tagger.data.catalog import Catalog


def before(first: pa.Table, others: pa.Table) -> pa.Table:
    """Return a queue that asks first about labels that may be missing, and then what another queue asks."""
    kept = others.filter(pc.invert(pc.is_in(others["task_id"], first["task_id"].combine_chunks())))
    moved = pc.add(kept["rank"], pc.if_else(pc.equal(kept["kind"], MISSING), len(first), 0)).cast(pa.int32())
    return pa.concat_tables([first, kept.set_column(kept.schema.get_field_index("rank"), "rank", moved)])


def still_open(tasks: pa.Table, catalog: Catalog, closed: csr_array) -> pa.Table:
    """Return the questions of a queue that people have not decided yet; those that were drawn at random all stay.

    Args:
        tasks: Rows of ``QUEUE_SCHEMA``.
        catalog: What the queue is about.
        closed: Stored where people have decided; (photos, labels).
    """
    row = pc.fill_null(pc.index_in(tasks["photo_id"], catalog.photos["photo_id"].combine_chunks()), -1).to_numpy()
    column = np.array([catalog.taxonomy.column.get(label, -1) for label in tasks["label"].to_pylist()], dtype=np.int64)
    is_drawn = np.isin(tasks["kind"].to_pylist(), [SAMPLE, AGAIN])
    is_known = np.flatnonzero((row >= 0) & (column >= 0) & ~is_drawn)
    keep = np.ones(len(tasks), dtype=bool)
    keep[is_known] = states_of(closed, row[is_known], column[is_known]) == 0
    return tasks.filter(pa.array(keep))
