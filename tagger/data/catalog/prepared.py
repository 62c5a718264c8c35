"""A prepared catalog as a data set to train on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from tagger.data.catalog.freed import give_back_freed_memory
from tagger.data.catalog.precedence import current, states
from tagger.data.catalog.reading import codes, statements, visible
from tagger.data.catalog.sightings import only_pools, photo_unknown_weights, trained_rows, where_they_are
from tagger.data.catalog.store import CatalogStore
from tagger.data.catalog.view import Catalog
from tagger.data.sources.source import Source, SourceError
from tagger.data.taxonomy import Taxonomy


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Where a catalog lies, and what it is made of.

    ``python -m tagger.prepare`` reads the sources into the catalog; training reads the catalog.
    """

    folder: str
    sources: Mapping[str, Source] = field(default_factory=dict)
    complete: bool = True
    """Whether parents and implied labels of what is present count as present."""

    def __post_init__(self) -> None:
        for name in self.sources:
            if not isinstance(name, str):
                raise SourceError(
                    f"data.source.sources: YAML takes the name of a source for {name!r}: put it in quotes"
                )

    def read(self, root: str | None, taxonomy: Taxonomy) -> Catalog:
        """Read the catalog.

        Raises:
            SourceError: If it has not been prepared, or with another taxonomy.
            CatalogError: If it is damaged.
        """
        store = CatalogStore(Path(self.folder).expanduser())
        if not store.exists:
            raise SourceError(
                f"no catalog in {store.folder}: make it with python -m tagger.prepare and the same data=…"
            )
        made = store.manifest.taxonomy
        if made["fingerprint"] != taxonomy.fingerprint:
            is_same = made["name"] == taxonomy.name
            by = f"an earlier label system {taxonomy.name!r}" if is_same else f"{made['name']!r}, not {taxonomy.name!r}"
            raise SourceError(
                f"the catalog in {store.folder} was prepared with {by}: run python -m tagger.prepare "
                "with the same data=… and data.taxonomy=…; it adds what the label system says, and every photo keeps "
                "its fold"
            )
        return view(store, taxonomy, roots=self._roots(store), complete=self.complete)

    def _roots(self, store: CatalogStore) -> dict[str, str]:
        """Return the root of every source: as configured now, else as it was when the catalog was prepared."""
        known = {name: settings["root"] for name, settings in store.manifest.sources.items()}
        return known | {name: source.root for name, source in self.sources.items() if name in known and source.root}


def view(store: CatalogStore, taxonomy: Taxonomy, *, roots: Mapping[str, str], complete: bool) -> Catalog:
    """Return what training sees of a catalog: photos with a file that a source lists, and the states that hold."""
    catalog = _view(store, taxonomy, roots=roots, complete=complete)
    give_back_freed_memory()
    return catalog


def _view(store: CatalogStore, taxonomy: Taxonomy, *, roots: Mapping[str, str], complete: bool) -> Catalog:
    photos = store.table("photos", ["photo_id", "source", "path", "width", "height", "fold", "group"])
    photos = where_they_are(store, photos)
    annotations = visible(store, ["photo", "label", "value", "origin", "source", "annotator"])
    holding, _ = current(statements(annotations, taxonomy)[0])
    follows = taxonomy.closure if complete else None
    held = states(holding, photos=len(photos), labels=len(taxonomy), follows=follows)
    names, source = codes(photos["source"])
    photos = photos.drop_columns(["source"]).append_column("root", pa.array(source, pa.int8()))
    places = tuple(roots[str(name)] for name in names)
    if (pools := only_pools(store)).any():
        photos = photos.append_column("pool", pa.array(pools))
    catalog = Catalog(taxonomy, places, photos, held, unknown=photo_unknown_weights(store))
    rows = trained_rows(store)
    return catalog if len(rows) == len(photos) else catalog.take(rows)
