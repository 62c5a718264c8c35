"""Every question that was ever sent out to people, or waits in the queue."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tagger.cleaning.queue.table import read_queue
from tagger.data.catalog.store import CatalogStore
from tagger.errors import UserError

COLUMNS = ["photo_id", "label", "kind"]

Subject = tuple[int, str]
"""Row of a photo in the table ``photos``, and a label's id."""


def asked(folder: Path, store: CatalogStore, *, waiting: bool = False) -> dict[str, set[Subject]]:
    """Return the photos and labels that people were asked about, by kind of task; of photos that the catalog has.

    Args:
        folder: Of the data set's cleaning; ``sent`` in it notes what was sent out.
        store: The catalog.
        waiting: Whether what is in the queue and was not sent out is among them.

    Raises:
        UserError: If a note is damaged.
    """
    notes = [_note(path) for path in sorted((folder / "sent").glob("*.parquet"))]
    if waiting and (folder / "queue.parquet").is_file():
        notes.append(read_queue(folder / "queue.parquet").select(COLUMNS))
    if not notes:
        return {}
    table = pa.concat_tables(notes)
    rows = pc.index_in(table["photo_id"], value_set=store.table("photos", ["photo_id"])["photo_id"].combine_chunks())
    found: dict[str, set[Subject]] = {}
    columns = (rows.to_pylist(), table["label"].to_pylist(), table["kind"].to_pylist())
    for row, label, kind in zip(*columns, strict=True):
        if row is not None:
            found.setdefault(kind, set()).add((row, label))
    return found


def _note(path: Path) -> pa.Table:
    try:
        return pq.ParquetFile(path).read(columns=COLUMNS)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}); remove it and export its tasks again") from error
