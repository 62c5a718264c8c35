"""The data card: what is in a catalog, as a page to look at and as a text for a terminal."""

from tagger.atomic import write_text
from tagger.data.assembly import Assembly
from tagger.data.card.facts import facts_of
from tagger.data.card.markdown import card_text
from tagger.data.card.page import card_page
from tagger.data.catalog import CatalogStore
from tagger.data.taxonomy import Taxonomy

__all__ = ["write_card"]


def write_card(store: CatalogStore, taxonomy: Taxonomy, assembly: Assembly, *, progress: bool = True) -> None:
    """Write ``card.html`` and ``card.md`` into the catalog's folder; the previous ones stay whole until then.

    Args:
        store: The catalog, to which the assembly has just been appended.
        taxonomy: Its labels.
        assembly: What came in, what was noticed, and the states of all photos.
        progress: Whether to show a bar if making thumbnails takes long.
    """
    facts, title = facts_of(store, taxonomy, assembly), f"Data card of {store.folder.name}"
    write_text(store.folder / "card.md", card_text(facts, title=title))
    write_text(store.folder / "card.html", card_page(facts, title=title, progress=progress))
