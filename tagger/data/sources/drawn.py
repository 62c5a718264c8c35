"""The embedded default: an album that is drawn once and kept, so that everything works without any photos."""

from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from tagger.data.catalog import Catalog
from tagger.data.sources.listing import Listing
from tagger.data.sources.sample import VERSION, draw_album
from tagger.data.taxonomy import Taxonomy


@dataclass(frozen=True, kw_only=True)
class DrawnAlbum:
    """How many photos to draw, how large, from which seed, and where to keep them."""

    folder: str
    """Cache folder; each version and setting of the album has a folder of its own there."""
    photos: int = 1200
    size: int = 128
    """Side of a photo in pixels."""
    album_seed: int = 0

    def read(self, root: str | None, taxonomy: Taxonomy) -> Catalog:
        """Draw the album under ``root`` (default: the cache) unless it is there, and read it."""
        listing = self.listing(root)
        return listing.read(listing.root, taxonomy)

    def listing(self, root: str | None) -> Listing:
        """Draw the album under ``root`` (default: the cache) unless it is there, and return the list that it has."""
        base = Path(root or self.folder).expanduser().absolute()
        name = f"sample-v{VERSION}-{self.photos}x{self.size}-s{self.album_seed}"
        base.mkdir(parents=True, exist_ok=True)
        with FileLock(base / f"{name}.lock"):
            if not (base / name).is_dir():
                draw_album(base / name, photos=self.photos, size=self.size, seed=self.album_seed)
        return Listing(folder=name, unlisted="unknown", root=str(base))
