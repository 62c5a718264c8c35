"""Read sources into one catalog:   python -m tagger.prepare data=album   (--help says more)."""

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from tagger.config import as_typed
from tagger.data.assembly import Assembly, assemble
from tagger.data.assembly.tables import assembly_tables
from tagger.data.catalog import CatalogStore
from tagger.data.catalog.history import history_tables
from tagger.data.catalog.one_source import from_catalog
from tagger.data.catalog.prepared import Prepared
from tagger.data.inspection import inspect
from tagger.data.taxonomy import Taxonomy, read_taxonomy
from tagger.errors import shown_plainly
from tagger.pages.left_out import print_left_out


@hydra.main(version_base="1.3", config_path="../conf", config_name="prepare")
def main(config: DictConfig) -> None:
    """Read the sources of a data set into its catalog, or look into the catalog."""
    with shown_plainly():
        prepared = catalog_settings(config, HydraConfig.get().runtime.choices["data"])
        store, taxonomy = CatalogStore(Path(prepared.folder).expanduser()), read_taxonomy(config.data.taxonomy)
        console = Console()
        if config.show is not None:
            console.print(*history_tables(store, config.show, taxonomy))
        elif config.undo is not None or config.redo is not None:
            console.print(take_back(store, config.undo, config.redo))
        elif config.plan:
            planned = gathered(config, prepared, store, taxonomy)
            console.print(*assembly_tables(planned, taxonomy, written=False))
            print_all_left_out(planned, console)
        else:
            before = len(store.manifest.batches)
            assembly = fill(config, prepared, store, taxonomy)
            console.print(*assembly_tables(assembly, taxonomy, written=True))
            for batch in store.manifest.batches[before:]:
                console.print(f"batch    {batch.number}: {batch.what}, {batch.annotations:,} annotations")
            console.print(f"catalog  {store.folder}")
            console.print(f"card     {store.folder / 'card.html'}")
            print_all_left_out(assembly, console)


def print_all_left_out(assembly: Assembly, console: Console) -> None:
    """Print what was left out of each source."""
    for name, report in assembly.reports.items():
        print_left_out(report.skipped, console, name=name)


def catalog_settings(config: DictConfig, name: str) -> Prepared:
    """Return where the catalog is and what it is made of; that of one source lies in ``catalogs/<name>``."""
    source, folder = instantiate(config.data.source), config.data.get("catalog")
    if isinstance(source, Prepared) and folder is None:
        return source
    return from_catalog(source, folder or f"catalogs/{name}", root=config.data.root, unknown=config.data.unknown)


def fill(config: DictConfig, prepared: Prepared, store: CatalogStore, taxonomy: Taxonomy) -> Assembly:
    """Read the sources, append what is new and write the data card, while nobody else writes."""
    # Not above: it takes seconds to import, and who looks into a catalog needs no card.
    from tagger.data.card import write_card

    with store.locked():
        assembly = gathered(config, prepared, store, taxonomy)
        write(store, assembly, prepared, taxonomy)
        write_card(store, taxonomy, assembly)
    return assembly


def is_prepared(store: CatalogStore) -> bool:
    """Return whether a catalog is there with its card: a preparation that was killed before that is done again."""
    return store.exists and (store.folder / "card.html").is_file()


def gathered(config: DictConfig, prepared: Prepared, store: CatalogStore, taxonomy: Taxonomy) -> Assembly:
    """Read the sources and work out what they add."""
    cache = Path(config.cache).expanduser().absolute()
    return assemble(
        store,
        prepared.sources,
        taxonomy,
        inspect=lambda root, paths: inspect(
            paths,
            root,
            max_pixels=config.data.max_pixels,
            follow_links=config.data.follow_links,
            workers=config.data.workers,
            cache=cache,
        ),
        split=config.data.split,
        complete=prepared.complete,
    )


def write(store: CatalogStore, assembly: Assembly, prepared: Prepared, taxonomy: Taxonomy) -> None:
    """Append what is new to the catalog, all of it or nothing."""
    sources = {
        name: {
            "root": source.root or ".",
            "vocabulary": source.vocabulary,
            "exhaustive": source.exhaustive,
            "unknown": source.unknown,
            "folds": source.folds,
        }
        for name, source in prepared.sources.items()
    }
    named = {"name": taxonomy.name, "fingerprint": taxonomy.fingerprint}
    store.append(assembly.batches, taxonomy=named, sources=sources)


def take_back(store: CatalogStore, undo: int | None, redo: int | None) -> str:
    """Undo a batch, or bring it back, and say so."""
    with store.locked():
        batch = store.undo(int(undo or redo or 0), undone=undo is not None)
    done = "taken out of sight; redo brings them back" if batch.undone else "back again"
    message = f"batch {batch.number} ({batch.what}, {batch.when}): {batch.annotations:,} annotations are {done}"
    return f"{message}. The data card shows it after the next prepare."


if __name__ == "__main__":
    sys.argv[1:] = as_typed(sys.argv[1:])
    main()
