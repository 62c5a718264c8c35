"""Every annotation of one photo, and by whom."""

import pyarrow as pa
import pyarrow.compute as pc
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tagger.data.catalog.precedence import current
from tagger.data.catalog.reading import statements, visible
from tagger.data.catalog.sightings import listed
from tagger.data.catalog.store import CatalogError, CatalogStore
from tagger.data.states import ABSENT, PRESENT, UNKNOWN
from tagger.data.taxonomy import Taxonomy

WORDS = {PRESENT: "present", ABSENT: "absent", UNKNOWN: "unknown"}


def history_tables(store: CatalogStore, wanted: str, taxonomy: Taxonomy) -> list[RenderableType]:
    """Return where a photo was seen, its annotations, the oldest first, and which of them hold.

    Args:
        store: The catalog.
        wanted: The photo's id or 8 digits or more of its beginning, its path, its file name, or what a source calls it.
        taxonomy: The labels; annotations of others are shown, and do not hold.

    Raises:
        CatalogError: If there is no such photo, or several.
    """
    row = find_photo(store, wanted)
    photo = store.table("photos").slice(row, 1).to_pylist()[0]
    sightings = store.table("sightings").filter(pc.field("photo") == row)
    annotations = store.table("annotations").filter(pc.field("photo") == row)
    batches = {batch.number: batch for batch in store.manifest.batches}
    photo_table = Table(title=f"Photo {photo['photo_id']}", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("source", "key", "path", "listed"):
        photo_table.add_column(column, overflow="fold")
    still = listed(store).filter(pc.field("photo") == row).select(["source", "key", "path"]).to_pylist()
    for sighting in sightings.select(["source", "key", "path"]).to_pylist():
        is_listed = "yes" if sighting in still else "no more"
        photo_table.add_row(*(Text(str(cell or "–")) for cell in (*sighting.values(), is_listed)))
    statements = Table(title="Annotations, the oldest first", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("label", "value", "origin", "who", "score", "batch"):
        statements.add_column(column, overflow="fold")
    for annotation in annotations.to_pylist():
        batch = batches[annotation["batch"]]
        statements.add_row(
            annotation["label"],
            WORDS[annotation["value"]],
            annotation["origin"],
            annotation["annotator"] or annotation["source"],
            "" if annotation["score"] is None else f"{annotation['score']:.2f}",
            f"{batch.number}, {batch.when[:16].replace('T', ' ')}{', undone' if batch.undone else ''}",
        )
    size = f"{photo['width']}×{photo['height']} pixels, " if photo["width"] else ""
    group = "alone in its group" if photo["group"] == row else f"in the group of photo {photo['group']}"
    return [
        photo_table,
        Text(f"row {row}, {size}fold {photo['fold']}, {group}"),
        statements,
        Text(_holding(store, row, taxonomy)),
    ]


def _holding(store: CatalogStore, row: int, taxonomy: Taxonomy) -> str:
    """Return what holds of all annotations of a photo; what is in neither list is unknown."""
    of_photo = visible(store).filter(pc.field("photo") == row)
    holding, _ = current(statements(of_photo, taxonomy)[0])
    names = {
        word: [taxonomy.ids[label] for label in sorted(holding.label[holding.value == value].tolist())]
        for value, word in WORDS.items()
        if value != UNKNOWN
    }
    return "\n".join(f"{word:<8} now: {', '.join(ids) or '–'}" for word, ids in names.items())


def find_photo(store: CatalogStore, wanted: str) -> int:
    """Return the row of a photo."""
    photos, sightings = store.table("photos", ["photo_id"]), store.table("sightings", ["photo", "key", "path"])
    # Shorter beginnings are rather somebody's name of a photo.
    begins = len(wanted) >= 8
    by_id = pc.indices_nonzero(pc.starts_with(photos["photo_id"], wanted)).to_pylist() if begins else []
    name = pa.scalar(f"/{wanted}")
    called = pc.or_(
        pc.equal(sightings["key"], wanted),
        pc.fill_null(pc.ends_with(pc.binary_join_element_wise("", sightings["path"], "/"), name.as_py()), False),
    )
    rows = sorted({*by_id, *sightings.filter(called)["photo"].drop_null().to_pylist()})
    if not rows:
        raise CatalogError(f"{store.folder} has no photo {wanted!r}: give its id, path, file name or its source's key")
    if len(rows) > 1:
        ids = ", ".join(photos["photo_id"].take(pa.array(rows[:5])).to_pylist())
        raise CatalogError(f"{store.folder} has {len(rows)} photos {wanted!r}; give an id: {ids}")
    return int(rows[0])
