"""What people said, out of a catalog: who, of which photo and label, in which batch."""

import pyarrow as pa
import pyarrow.compute as pc

from tagger.data.catalog.store import CatalogStore


def said_by_people(store: CatalogStore, *, undone: bool = False) -> pa.Table:
    """Return the annotations of origin human, the oldest first: photo (row), label, value, annotator, batch.

    Args:
        store: The catalog.
        undone: Whether those of batches that were undone are among them.
    """
    said = store.table("annotations", ["photo", "label", "value", "origin", "annotator", "batch"])
    said = said.filter(pc.equal(said["origin"].cast(pa.string()), "human")).drop_columns(["origin"])
    if not undone:
        hidden = [batch.number for batch in store.manifest.batches if batch.undone]
        said = said.filter(pc.invert(pc.is_in(said["batch"], pa.array(hidden, pa.int32()))))
    plain = {"label": pa.string(), "annotator": pa.string()}
    return said.cast(pa.schema([pa.field(field.name, plain.get(field.name, field.type)) for field in said.schema]))


def last_words(said: pa.Table) -> dict[tuple[int, str, str], tuple[int, int]]:
    """Return the last value that every person gave a label of a photo, and its batch, by photo, label and annotator."""
    columns = (said[name].to_pylist() for name in ("photo", "label", "annotator", "value", "batch"))
    return {(photo, label, who): (value, batch) for photo, label, who, value, batch in zip(*columns, strict=True)}
