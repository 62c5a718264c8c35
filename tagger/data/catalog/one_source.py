"""One source as a catalog: what people decide about its photos has a place, and trains the next model."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.compute as pc

from tagger.data.catalog.prepared import Prepared
from tagger.data.catalog.store import CatalogStore
from tagger.data.catalog.view import Catalog
from tagger.data.sources.listing import Listing
from tagger.data.sources.source import SourceError
from tagger.data.states import Unknown
from tagger.data.taxonomy import Taxonomy


@runtime_checkable
class Listed(Protocol):
    """A source that is a listing, or can be written down as one."""

    def listing(self, root: str | None) -> Listing:
        """Return the listing under ``root``."""


@dataclass(frozen=True, kw_only=True)
class PreparedListing(Prepared):
    """A catalog of one listing. What follows by the taxonomy is left to training, as without a catalog."""

    complete: bool = False

    def read(self, root: str | None, taxonomy: Taxonomy) -> Catalog:
        """Read the catalog, and beside it the truth that a drawn album knows."""
        catalog = super().read(root, taxonomy)
        (listing,) = self.sources.values()
        assert isinstance(listing, Listing)
        return replace(catalog, truth=_truth(catalog, listing, taxonomy))


def from_catalog(source: Any, folder: str, *, root: str | None, unknown: Unknown | None) -> Prepared:
    """Return a data set's source as one that is read from a catalog, with what people decided.

    Args:
        source: Of ``conf/data``: a listing, a drawn album, or already a catalog, which is then read from ``folder``.
        folder: Of the catalog.
        root: Folder under which the source looks.
        unknown: What an unknown label counts for; None: what the source says.

    Raises:
        SourceError: If the source cannot become a catalog, or the catalog there is one of other photos.
    """
    if isinstance(source, Prepared):
        return replace(source, folder=folder)
    if not isinstance(source, Listed):
        raise SourceError(
            f"data.source: {type(source).__name__} can be trained on and not prepared: list it under source.sources "
            "of a data set like conf/data/album.yaml"
        )
    listing = source.listing(root)
    listing = replace(listing, unknown=listing.unknown if unknown is None else unknown)
    # Two folders of one data=… must not become one catalog: their photos may have the same names.
    name, store = listing.folder, CatalogStore(Path(folder).expanduser())
    if store.exists and name not in store.manifest.sources:
        raise SourceError(
            f"the catalog in {store.folder} is of {', '.join(store.manifest.sources)} and not of {name}: "
            "give +data.catalog=<another folder>"
        )
    return PreparedListing(folder=folder, sources={name: listing})


def _truth(catalog: Catalog, listing: Listing, taxonomy: Taxonomy) -> Any:
    """Return the true states of the catalog's photos, or None if nobody knows them."""
    if listing.root is None or not (Path(listing.root).expanduser() / listing.folder / "truth.csv").is_file():
        return None
    drawn = listing.read(listing.root, taxonomy)
    paths = pc.binary_join_element_wise(pa.scalar(listing.folder), drawn.photos["path"].cast(pa.string()), "/")
    rows = pc.index_in(catalog.photos["path"], value_set=paths.combine_chunks())
    return None if rows.null_count or drawn.truth is None else drawn.truth[rows.to_numpy()]
