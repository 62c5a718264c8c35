"""Found photos become questions for people: photos of the data set's catalog, with an opinion of what they may show.

An opinion never counts as truth, so the label stays unknown on them until somebody decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from omegaconf import DictConfig

from tagger.cleaning.queue.joining import before, still_open
from tagger.cleaning.queue.searched import finds, searched_tasks
from tagger.cleaning.queue.table import QUEUE, read_queue, write_queue
from tagger.cleaning.scoring.turns import rows_of
from tagger.cleaning.verdicts.people import decided, said_by_people
from tagger.data.catalog import Catalog, CatalogStore
from tagger.data.catalog.prepared import Prepared
from tagger.data.catalog.reading import visible
from tagger.data.inspection import inspect
from tagger.data.sources.source import ANNOTATIONS, PHOTOS, Chunk, Folds, Skipped, Source
from tagger.data.sources.tables import annotation_table, photo_table
from tagger.data.states import UNKNOWN, Unknown
from tagger.data.taxonomy import Taxonomy, read_taxonomy
from tagger.errors import UserError
from tagger.lock import only_writer
from tagger.prepare import catalog_settings, fill, is_prepared, write


@dataclass(frozen=True)
class Candidates:
    """Photos that may show a label."""

    root: str
    """Folder or URL of the pool."""
    paths: tuple[str, ...]
    """Of the photos, relative to ``root``, best first."""
    scores: tuple[float, ...]
    """0..1."""
    label: str
    """Its id."""
    by: str
    """Who thinks so: ``similar:<label>``."""
    drawn: tuple[str, ...] = ()
    """Others of the pool, drawn at random: people are asked about them last. A label wants photos without it as well,
    and, since nobody chose these for it, they may validate and test."""
    folds: Folds = "train"
    """In which the found photos may be that the catalog does not have; in all, figures of the label are about what such
    searches find."""


@dataclass(frozen=True)
class Added:
    """What came of candidates."""

    photos: int
    """Photos that the catalog did not have."""
    asked: int
    """Questions that come first in the queue now: all that this search ever found and nobody knows."""
    known: int
    """Candidates that need none: what they show is known, or people cannot say."""
    left_out: Skipped
    """Candidates that have become no photos of the catalog."""
    queue: Path

    def lines(self) -> Iterator[str]:
        """Yield it in lines, for the terminal."""
        known = f", {self.known:,} need none: people have decided, or what they show is known" if self.known else ""
        yield from self.left_out.lines()
        yield f"catalog   {self.photos:,} photos added"
        yield f"queue     {self.queue}: {self.asked:,} questions come first{known}"


def add_candidates(found: Candidates, config: DictConfig, name: str) -> Added:
    """Add found photos to a data set's catalog, and ask about them: before what the queue asks already.

    Args:
        found: The photos and what they may show.
        config: With ``data``, ``cache`` and ``queue``.
        name: The data set, as in ``data=…``.

    Raises:
        UserError: If the label system has no such label.
    """
    # Deferred: what assembling needs takes time to import, and who only searches needs none of it.
    from tagger.data.assembly import assemble

    taxonomy, prepared = read_taxonomy(config.data.taxonomy), catalog_settings(config, name)
    check_label(found.label, taxonomy)
    store = CatalogStore(Path(prepared.folder).expanduser())
    if not is_prepared(store):
        fill(config, prepared, store, taxonomy)
    cache = Path(config.cache).expanduser().absolute()
    pool = f"pool:{found.root}"
    sources: dict[str, Source] = {
        pool: PoolPhotos(root=found.root, paths=(*found.paths, *found.drawn), folds=found.folds),
        # Seen here as well, they are not only in a source that chose them.
        **({f"drawn:{found.root}": PoolPhotos(root=found.root, paths=found.drawn, folds="all")} if found.drawn else {}),
        found.by: Opinions(of=pool, found=found),
    }
    with store.locked():
        photos = store.manifest.rows["photos"]
        assembly = assemble(
            store,
            sources,
            taxonomy,
            inspect=lambda root, paths: inspect(
                paths,
                root,
                max_pixels=config.data.max_pixels,
                follow_links=config.data.follow_links,
                workers=config.data.workers,
                cache=cache,
            ),
            complete=prepared.complete,
            # A search says what it found now, and takes back nothing that it found before.
            withdraw=False,
        )
        write(store, assembly, Prepared(folder=prepared.folder, sources=sources), taxonomy)
    queue = Path(config.queue or f"cleaning/{name}").expanduser() / QUEUE
    asked, known = _ask(found.by, store, prepared.read(config.data.root, taxonomy), queue)
    return Added(store.manifest.rows["photos"] - photos, asked, known, assembly.reports[pool].skipped, queue)


def check_label(label: str, taxonomy: Taxonomy) -> None:
    """Refuse a label that the label system does not have.

    Raises:
        UserError: If it does not.
    """
    if label not in taxonomy.column:
        near = taxonomy.nearest(label)
        raise UserError(
            f"label={label}: {taxonomy.name} has no such label{f', did you mean {near!r}' if near else ''}; "
            "give the id of one, or add it to the label system first"
        )


def _ask(by: str, store: CatalogStore, catalog: Catalog, queue: Path) -> tuple[int, int]:
    """Put questions about what a search found before those of the queue; return how many, and how many need none."""
    closed = decided(said_by_people(store), rows_of(store), catalog.taxonomy)
    tasks = searched_tasks(store, catalog, closed=closed, searches=(by,))
    if len(tasks):
        queue.parent.mkdir(parents=True, exist_ok=True)
        with only_writer(queue, wait=True):
            others = still_open(read_queue(queue), catalog, closed) if queue.is_file() else None
            write_queue(queue, tasks if others is None else before(tasks, others))
    photos, _ = finds(visible(store), catalog.taxonomy, (by,))
    return len(tasks), len(photos) - len(tasks)


@dataclass(frozen=True, kw_only=True)
class PoolPhotos:
    """Photos of a pool as a source of which nothing is known."""

    root: str
    paths: tuple[str, ...]
    folds: Folds
    vocabulary: str = field(default="", init=False)
    exhaustive: bool = field(default=False, init=False)
    unknown: Unknown = "ignore"

    def chunks(self, skipped: Skipped) -> Iterator[Chunk]:
        """Yield the photos."""
        paths = pa.array(self.paths, pa.string())
        yield Chunk(photo_table(paths, paths), ANNOTATIONS.empty_table())


@dataclass(frozen=True, kw_only=True)
class Opinions:
    """What a search thinks of a pool's photos, as another product's opinion."""

    of: str
    found: Candidates
    vocabulary: str = field(default="", init=False)
    exhaustive: bool = field(default=False, init=False)
    unknown: Unknown = "ignore"
    folds: Folds = field(default="train", init=False)

    @property
    def root(self) -> str:
        return self.found.root

    def chunks(self, skipped: Skipped) -> Iterator[Chunk]:
        """Yield the opinions."""
        found = self.found
        paths, drawn = pa.array(found.paths, pa.string()), pa.array(found.drawn, pa.string())
        scores = pa.array(np.clip(found.scores, 0, 1), pa.float32())
        thought = annotation_table(paths, found.label, origin="product", score=scores)
        # Of what was drawn nobody thinks anything; that it is listed makes it a question all the same.
        open_ = annotation_table(drawn, found.label, origin="product", value=UNKNOWN)
        annotations = pa.concat_tables([thought, open_])
        yield Chunk(PHOTOS.empty_table(), annotations)
