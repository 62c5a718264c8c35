"""A catalog made from sources in a test, and what training sees of it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from tagger.data.assembly import Assembly, assemble
from tagger.data.catalog import CatalogStore
from tagger.data.catalog.prepared import Prepared, view
from tagger.data.inspection import SCHEMA
from tagger.data.sources.source import Source
from tagger.data.taxonomy import Taxonomy, parse_taxonomy
from tagger.prepare import write

States = dict[str, dict[str, int]]
"""By photo and label, what is present or absent."""

PETS = """
labels:
  - {id: animal}
  - {id: dog, parents: [animal], sources: {coco: [Hund], voc: [dog]}, exact: {coco: [Hund], voc: [dog]}}
  - {id: cat, parents: [animal], aliases: [kitty], sources: {coco: [Katze]}, exact: {coco: [Katze]}}
  - {id: car, sources: {coco: [Auto]}, exact: {coco: [Auto]}}
left_out: {coco: [{reason: too rare, names: [Toaster]}]}
"""


def system(text: str = PETS) -> Taxonomy:
    return parse_taxonomy(text.encode(), Path("pets.yaml"))


def seen(root: str, paths: pa.ChunkedArray) -> pa.Table:
    """Look at photos as `inspect` does: what a file holds is what it is, and no two look alike."""
    rows = []
    for path in paths.to_pylist():
        file = Path(root) / path
        there = file.is_file()
        found = {"sha256": (file.read_text() or path).ljust(64, "0"), "width": 8, "height": 8} if there else {}
        rows.append({"path": path, "error": None if there else f"{file}: missing", **found})
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def gather_into(folder: Path, sources: Mapping[str, Source], taxonomy: Taxonomy | None = None) -> Assembly:
    """Read the sources into the catalog in a folder, as tagger.prepare does."""
    store, taxonomy = CatalogStore(folder), taxonomy or system()
    with store.locked():
        assembly = assemble(store, sources, taxonomy, inspect=seen, complete=False)
        write(store, assembly, Prepared(folder=str(folder), sources=sources), taxonomy)
    return assembly


def held(folder: Path, taxonomy: Taxonomy | None = None) -> States:
    """Return what training sees of the catalog in a folder, by the names of files."""
    store, taxonomy = CatalogStore(folder), taxonomy or system()
    roots = {name: settings["root"] for name, settings in store.manifest.sources.items()}
    catalog = view(store, taxonomy, roots=roots, complete=False)
    return by_name(catalog.photos["path"].to_pylist(), catalog.states.toarray(), taxonomy)


def by_name(paths: list[str], states: np.ndarray, taxonomy: Taxonomy) -> States:
    return {
        Path(path).name: {taxonomy.ids[label]: int(row[label]) for label in np.flatnonzero(row)}
        for path, row in zip(paths, states, strict=True)
    }
