"""What searches found: photos that they chose for a label, whose label is a question until somebody decides.

A source with ``folds: train`` chose its photos for their labels: a crawl by keyword, or what tagger.mine finds. What it
thinks of them is an opinion, which never counts. The opinions are in the catalog, so the questions are never lost.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Iterable

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from tagger.cleaning.queue.choosing import Pairs
from tagger.cleaning.queue.making import Known, make_queue, states_of
from tagger.cleaning.queue.sampling import Places
from tagger.cleaning.queue.table import MISSING, QUEUE_SCHEMA
from tagger.cleaning.scoring.turns import rows_of
from tagger.data.catalog import Catalog, CatalogStore
from tagger.data.catalog.precedence import PRECEDENCE
from tagger.data.catalog.reading import codes, visible
from tagger.data.states import PRESENT, UNKNOWN
from tagger.data.taxonomy import Taxonomy


def searches_of(store: CatalogStore) -> set[str]:
    """Return the sources of a catalog that chose their photos."""
    # Catalogs that were prepared earlier do not say.
    return {name for name, settings in store.manifest.sources.items() if settings.get("folds") == "train"}


def searched_tasks(
    store: CatalogStore,
    catalog: Catalog,
    *,
    closed: csr_array,
    searches: Collection[str],
    scores: np.ndarray | None = None,
    columns: Collection[int] | None = None,
    budget: int | None = None,
    per_label: int | None = None,
    overlap: float = 0.0,
) -> pa.Table:
    """Return questions about what searches found and nobody knows, rows of ``QUEUE_SCHEMA``.

    The best of every label come first, then the second ones: scores of different searches do not compare.

    Args:
        store: The catalog on disk.
        catalog: What training sees of it.
        closed: Stored where people have decided: not asked again; (photos, labels).
        searches: Whose finds are asked about.
        scores: Out of fold, (photos, labels), NaN where a photo has none; None: there are none.
        columns: Labels to ask about; None: all.
        budget: Tasks in all; None: no limit.
        per_label: Tasks for one label; None: no limit.
        overlap: Share of the tasks that two people answer, 0..1.
    """
    if not searches:
        # Of a large catalog all that follows takes a while.
        return QUEUE_SCHEMA.empty_table()
    rows, annotations = rows_of(store), visible(store)
    photo, column = finds(annotations, catalog.taxonomy, searches)
    # Photos without a file cannot be shown.
    wanted = np.isin(photo, rows) & np.isin(column, range(len(catalog.taxonomy)) if columns is None else list(columns))
    row, column = np.searchsorted(rows, photo[wanted]), column[wanted]
    is_open = (states_of(catalog.states, row, column) == UNKNOWN) & (states_of(closed, row, column) == 0)
    row, column = row[is_open], column[is_open]
    place = np.array(_places_within(column.tolist()), dtype=np.int64)
    order = np.lexsort((column, place))
    order = order[place[order] < (len(order) if per_label is None else per_label)][:budget]
    row, column = row[order], column[order]
    values = np.broadcast_to(np.float32(np.nan), catalog.states.shape) if scores is None else scores
    unknown = np.full(len(row), np.nan)
    known = Known(catalog, values, rows, annotations, store.table("photos", ["group", "look"]).take(rows))
    return make_queue({MISSING: Pairs(row, column, values[row, column], unknown, unknown)}, known, overlap=overlap)


def finds(annotations: pa.Table, taxonomy: Taxonomy, searches: Collection[str]) -> Places:
    """Return the photos, as rows of the table ``photos``, and the labels that searches found them for.

    Of every search the best come first, what it only drew last; of a pair that several found the better place counts.

    Args:
        annotations: Columns photo, label, value, origin, source, annotator and score of the catalog; the older first.
        taxonomy: The labels; what was found for others is left out.
        searches: Sources.
    """
    names, source = codes(annotations["source"])
    own = annotations.take(
        pa.array(np.flatnonzero(np.isin(source, [names.index(name) for name in names if name in searches])))
    )
    # Of one search the last word about a pair holds.
    last, thought = {}, set()
    for row in own.to_pylist():
        if not PRECEDENCE[row["origin"]]:
            subject = row["source"], row["label"], row["photo"]
            last[subject] = row
            thought |= {subject} if row["value"] == PRESENT else set()
    # What was only drawn is unknown from the beginning; what was thought and is unknown now was withdrawn.
    wanted = [
        row
        for subject, row in last.items()
        if row["value"] == PRESENT or (row["value"] == UNKNOWN and subject not in thought)
    ]
    rows = [row for row in wanted if row["label"] in taxonomy.column]
    rows.sort(key=lambda row: (-(row["score"] or 0.0), row["photo"]))
    places = _places_within([(row["source"], row["label"]) for row in rows])
    best: dict[tuple[int, int], int] = {}
    for row, place in zip(rows, places, strict=True):
        pair = row["photo"], taxonomy.column[row["label"]]
        best[pair] = min(place, best.get(pair, place))
    pairs = np.array(sorted(best, key=lambda pair: (best[pair], pair)), dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _places_within(groups: Iterable[Hashable]) -> list[int]:
    """Return how many of the same group stand before each.

    Example:
        >>> _places_within("abaab")
        [0, 0, 1, 2, 1]
    """
    before: Counter[Hashable] = Counter()
    places = []
    for group in groups:
        places.append(before[group])
        before[group] += 1
    return places
