"""What searches found is asked about until somebody decides, whatever queue is made in between."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console
from scipy.sparse import csr_array

from tagger.cleaning.queue.joining import before
from tagger.cleaning.queue.searched import finds, searched_tasks, searches_of
from tagger.cleaning.queue.summary import queue_summary
from tagger.cleaning.queue.table import QUEUE_SCHEMA
from tagger.cleaning.verdicts.people import decided, said_by_people
from tagger.data.catalog.prepared import view
from tagger.data.catalog.reading import visible
from tagger.data.catalog.store import TABLES, CatalogStore
from tagger.data.taxonomy import Taxonomy

Found = dict[int, float | None]
"""Photos and scores."""

Think = Callable[[str, str, Found], None]


@pytest.fixture
def think(store: CatalogStore) -> Think:
    """Append what a search or another product thinks of a label, as photo=score."""

    def think(who: str, label: str, found: Found) -> None:
        rows = [
            {"photo": photo, "label": label, "value": 1, "origin": "product", "source": who, "score": score}
            for photo, score in found.items()
        ]
        folds = {"folds": "all"} if who == "rival" else {"folds": "train"}
        with store.locked():
            table = pa.Table.from_pylist(rows, schema=TABLES["annotations"])
            store.append({f"labels of {who}": {"annotations": table}}, sources={who: {"unknown": "ignore", **folds}})

    return think


@pytest.fixture
def tasks(store: CatalogStore, taxonomy: Taxonomy, photos: Path) -> Callable[..., pa.Table]:
    """Make the questions of all searches of the catalog."""

    def make(**settings: Any) -> pa.Table:
        closed = decided(said_by_people(store), np.arange(6), taxonomy)
        catalog = view(store, taxonomy, roots={"ours": str(photos)}, complete=True)
        return searched_tasks(store, catalog, **{"closed": closed, "searches": searches_of(store), **settings})

    return make


def places(queue: pa.Table) -> list[tuple[int, str]]:
    return [(int(row["photo_id"], 16), row["label"]) for row in queue.to_pylist()]


def test_the_best_of_every_search_come_first_and_of_one_search_its_last_word_holds(
    store: CatalogStore, taxonomy: Taxonomy, think: Think
):
    think("similar:cat", "cat", {0: 0.3, 1: 0.9, 2: 0.5})
    think("cluster:cat", "cat", {2: 0.02, 4: 0.01})
    think("similar:cat", "cat", {0: 0.95})
    think("rival", "cat", {5: 1.0})
    think("similar:gone", "gone", {5: 1.0})
    rows, columns = finds(visible(store), taxonomy, searches_of(store))
    # 0 and 2 are the first of a search, 1 and 4 the second ones.
    assert rows.tolist() == [0, 2, 1, 4]
    assert set(columns.tolist()) == {taxonomy.column["cat"]}
    assert [column.tolist() for column in finds(visible(store), taxonomy, ())] == [[], []]


def test_a_photo_is_asked_about_as_long_as_nobody_knows(tasks: Callable[..., pa.Table], think: Think, tell: Think):
    # That there are dogs is known already.
    think("similar:dog", "dog", {3: 0.9})
    think("similar:cat", "cat", {0: 0.9, 1: 0.8, 2: 0.7, 3: 0.6})
    assert places(tasks()) == [(0, "cat"), (1, "cat"), (2, "cat"), (3, "cat")]
    tell("ann", "cat", {0: -1, 1: 0, 2: 1})
    # Ann cannot say what is on 1; to ask again would not help.
    assert places(tasks()) == [(3, "cat")]
    tell("ben", "cat", {2: -1})
    assert places(tasks()) == [(2, "cat"), (3, "cat")], "a tie is open"
    # Who asks again asks about what nobody could say, too.
    assert places(tasks(closed=csr_array((6, 4), dtype=np.int8))) == [(1, "cat"), (2, "cat"), (3, "cat")]


def test_labels_take_turns_and_budgets_cut_off_the_end(tasks: Callable[..., pa.Table], think: Think):
    think("similar:cat", "cat", {0: 0.9, 1: 0.8, 2: 0.7})
    think("crawl", "=2+5", {5: None, 4: None})
    assert places(tasks()) == [(0, "cat"), (4, "=2+5"), (1, "cat"), (5, "=2+5"), (2, "cat")]
    assert places(tasks(budget=3)) == [(0, "cat"), (4, "=2+5"), (1, "cat")]
    assert places(tasks(per_label=1)) == [(0, "cat"), (4, "=2+5")]
    assert places(tasks(columns=[3])) == [(4, "=2+5"), (5, "=2+5")]
    assert tasks(searches=()).equals(QUEUE_SCHEMA.empty_table())


def test_what_is_known_goes_with_the_question(tasks: Callable[..., pa.Table], think: Think):
    think("similar:cat", "cat", {0: 0.5, 1: 0.25})
    think("rival", "cat", {1: 0.75})
    scores = np.full((6, 4), np.nan, dtype=np.float16)
    scores[1] = 0.625
    first, second = tasks(scores=scores, overlap=1.0).to_pylist()
    assert (first["kind"], first["state"], first["rank"], first["overlap"]) == ("missing", 0, 1, 2)
    assert (first["score"], first["products"], first["is_top5"]) == (None, "similar:cat 0.50", False)
    assert (second["score"], second["products"], second["is_top5"]) == (0.625, "rival 0.75, similar:cat 0.25", True)
    # No score was calibrated, and nobody asks the neighbours.
    assert {row[name] for row in (first, second) for name in ("margin", "cleanlab", "neighbours")} == {None}
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(queue_summary(tasks(), shown=5))
    assert re.search("cat +missing +2 +2 +–", console.export_text())


def test_they_come_before_what_a_queue_asks_already_and_no_question_twice(
    tasks: Callable[..., pa.Table], think: Think, queue: pa.Table
):
    # The queue asks about cats on the photos 2 and 0.
    think("similar:cat", "cat", {3: 0.9, 2: 0.8})
    both = before(tasks(), queue)
    assert both.schema == QUEUE_SCHEMA
    assert places(both)[:3] == [(3, "cat"), (2, "cat"), (0, "dog")]
    assert len(both) == 2 + len(queue) - 1
    assert both["rank"].to_pylist() == [1, 2, 3, 4, 6, 7, 8, 9]
