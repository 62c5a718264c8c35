"""The queue: one row a question, with what is known; what was decided does not come back, ties do."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from tagger.cleaning.queue.choosing import Pairs
from tagger.cleaning.queue.making import Known, drawn_tasks, is_doubled, make_queue
from tagger.cleaning.queue.table import QUEUE_SCHEMA, read_queue, task_id, write_queue
from tagger.cleaning.tasks.task import evidence
from tagger.cleaning.verdicts.people import decided, said_by_people
from tagger.data.catalog.prepared import view
from tagger.data.catalog.reading import visible
from tagger.data.catalog.store import TABLES, CatalogStore
from tagger.data.taxonomy import Taxonomy


@pytest.fixture
def known(store: CatalogStore, taxonomy: Taxonomy, photos: Path) -> Known:
    catalog = view(store, taxonomy, roots={"ours": str(photos)}, complete=True)
    scores = np.random.default_rng(0).random((6, 4)).astype(np.float16)
    scores[3] = [0.9, 0.2, 0.8, 0.1]
    looks = store.table("photos", ["group"]).append_column("look", pa.array([bytes(88)] * 6))
    return Known(catalog, scores, np.arange(6), visible(store), looks, features=np.eye(6))


def pairs(*places: tuple[int, int]) -> Pairs:
    row, column = np.array(places).T
    return Pairs(row, column, np.full(len(row), 0.25), np.full(len(row), 0.4), np.full(len(row), np.nan))


def test_a_row_says_what_is_asked_and_what_is_known(known: Known):
    queue = make_queue({"missing": pairs((3, 2), (4, 2)), "mistaken": pairs((3, 1))}, known)
    assert queue.schema == QUEUE_SCHEMA
    assert [(row["kind"], row["rank"]) for row in queue.to_pylist()] == [
        ("missing", 1),
        ("mistaken", 1),
        ("missing", 2),
    ]
    missing, mistaken, _ = queue.to_pylist()
    assert missing["task_id"] == task_id(f"{3:032x}", "cat", "missing")
    assert (missing["label"], missing["state"], missing["said_by"]) == ("cat", 0, "")
    assert (missing["is_top5"], missing["cleanlab"]) == (True, None), "NaN is no quality"
    assert (mistaken["label"], mistaken["state"], mistaken["said_by"]) == ("dog", 1, "ours")
    assert mistaken["neighbours"] == 1.0, "there is a dog on every photo"
    assert list(evidence(mistaken)) == [
        "now present, says ours",
        "the model gives 0.25",
        "100 % of the nearest photos have it",
    ]


def test_what_follows_from_another_label_is_said_to_be_implied_by_it(known: Known):
    # The catalog completes its states: an animal is on every photo with a dog.
    queue = make_queue({"mistaken": pairs((3, 0))}, known)
    assert queue["implied_by"].to_pylist() == ["dog"]


def test_it_is_read_as_it_was_written(known: Known, tmp_path: Path):
    queue = make_queue({"missing": pairs((3, 2), (0, 2))}, known)
    write_queue(tmp_path / "cleaning" / "a=b" / "queue.parquet", queue)
    assert read_queue(tmp_path / "cleaning" / "a=b" / "queue.parquet").equals(queue)


def test_an_empty_queue_is_a_queue(known: Known):
    nothing = Pairs(*(np.array([], dtype=kind) for kind in (int, int, float, float, float)))
    assert make_queue({"missing": nothing}, known).equals(QUEUE_SCHEMA.empty_table())


def test_a_share_of_the_tasks_goes_to_two_people_and_always_the_same_ones():
    ids = [task_id(f"{number:032x}", "dog", "missing") for number in range(4000)]
    doubled = [id_ for id_ in ids if is_doubled(id_, 0.1)]
    assert len(doubled) == pytest.approx(400, abs=60)
    assert set(doubled) <= {id_ for id_ in ids if is_doubled(id_, 0.2)}


def test_pairs_that_people_decided_are_closed_and_ties_stay_open(store: CatalogStore, taxonomy: Taxonomy):
    said = {
        "ann": [(0, "dog", -1), (1, "dog", 1), (2, "dog", 0), (3, "cat", 0)],
        "ben": [(0, "dog", -1), (1, "dog", -1), (2, "dog", -1)],
        "cem": [(1, "cat", 1)],
    }
    answers = [
        dict.fromkeys(TABLES["annotations"].names)
        | {"photo": photo, "label": label, "value": value, "origin": "human", "annotator": who}
        for who, own in said.items()
        for photo, label, value in own
    ]
    with store.locked():
        store.append({"answers": {"annotations": pa.Table.from_pylist(answers, schema=TABLES["annotations"])}})
    rows = np.array([0, 1, 2, 3])
    closed = decided(said_by_people(store), rows, taxonomy)
    found = {(int(row), taxonomy.ids[column]) for row, column in zip(*closed.nonzero(), strict=True)}
    # 1 is a tie; of 3 nobody can say, and to ask again would not help.
    assert found == {(0, "dog"), (1, "cat"), (2, "dog"), (3, "cat")}
    assert isinstance(closed, csr_array)
    assert decided(said_by_people(store), np.array([0, 2]), taxonomy).shape == (2, len(taxonomy))


def test_what_is_drawn_at_random_comes_without_evidence_and_goes_to_two_if_wanted(known: Known):
    places = np.array([3, 4]), np.array([1, 2])
    queue = drawn_tasks("sample", known.catalog, *places, overlap=1.0)
    assert queue.schema == QUEUE_SCHEMA
    dog, cat = queue.to_pylist()
    assert (dog["label"], dog["kind"], dog["state"], dog["overlap"]) == ("dog", "sample", 1, 2)
    assert (cat["label"], cat["state"]) == ("cat", 0)
    for name in ("score", "margin", "cleanlab", "neighbours"):
        assert dog[name] is None
    for name in ("said_by", "products", "implied_by", "twin"):
        assert dog[name] == "" == cat[name]
    assert drawn_tasks("again", known.catalog, *places)["overlap"].to_pylist() == [1, 1]
    nothing = np.array([], dtype=np.int64)
    assert len(drawn_tasks("again", known.catalog, nothing, nothing)) == 0
