"""The catalog's folder: it only grows, it is whole at any moment, and it says what is wrong with it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import commands
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tagger.data.catalog.reading import visible
from tagger.data.catalog.store import SCHEMA_VERSION, TABLES, CatalogError, CatalogStore
from tagger.errors import UserError


def photos(*ids: str) -> pa.Table:
    rows = [{"photo_id": id_, "source": "corel5k", "path": f"{id_}.jpg", "fold": 2, "group": 0} for id_ in ids]
    return pa.Table.from_pylist(rows, schema=TABLES["photos"])


def annotations(*labels: str, photo: int = 0) -> pa.Table:
    rows = [{"photo": photo, "label": label, "value": 1, "origin": "source", "source": "corel5k"} for label in labels]
    return pa.Table.from_pylist(rows, schema=TABLES["annotations"])


@pytest.fixture
def store(tmp_path: Path) -> CatalogStore:
    """A catalog of one photo and two annotations."""
    store = CatalogStore(tmp_path / "album")
    with store.locked():
        store.append({"first": {"photos": photos("a"), "annotations": annotations("dog", "cat")}})
    return store


def labels(store: CatalogStore) -> list[str]:
    return visible(CatalogStore(store.folder))["label"].cast(pa.string()).to_pylist()


def test_what_is_appended_comes_after_what_was_there(store: CatalogStore) -> None:
    with store.locked():
        (batch,) = store.append({"second": {"photos": photos("b"), "annotations": annotations("cow", photo=1)}})
    again = CatalogStore(store.folder)
    assert (batch.number, batch.annotations) == (2, 1)
    assert again.table("photos")["photo_id"].to_pylist() == ["a", "b"]
    assert again.table("annotations").select(["photo", "batch"]).to_pydict() == {"photo": [0, 0, 1], "batch": [1, 1, 2]}
    assert labels(store) == ["dog", "cat", "cow"]
    assert [batch.what for batch in again.manifest.batches] == ["first", "second"]


def test_batches_of_one_append_are_undone_one_by_one(store: CatalogStore) -> None:
    with store.locked():
        store.append({"corel5k": {"annotations": annotations("cow")}, "voc": {"annotations": annotations("pig")}})
        store.undo(2)
    assert labels(store) == ["dog", "cat", "pig"]


def test_nothing_new_is_no_batch(store: CatalogStore) -> None:
    before = store.fingerprint
    with store.locked():
        assert store.append({"nothing": {"photos": photos()}}) == []
    assert store.fingerprint == before


def test_an_undone_batch_is_out_of_sight_and_comes_back(store: CatalogStore) -> None:
    with store.locked():
        store.append({"a mistake": {"annotations": annotations("cow")}})
        store.undo(2)
    assert labels(store) == ["dog", "cat"]
    assert len(CatalogStore(store.folder).table("annotations")) == 3, "nothing is deleted"
    with store.locked():
        store.undo(2, undone=False)
    assert labels(store) == ["dog", "cat", "cow"]


def test_a_batch_that_is_not_there_is_named_with_those_that_are(store: CatalogStore) -> None:
    with pytest.raises(CatalogError, match=r"album has no batch 7; the batches are 1: first, "), store.locked():
        store.undo(7)


def test_the_fingerprint_changes_with_every_change(store: CatalogStore) -> None:
    seen = {store.fingerprint}
    with store.locked():
        store.append({"more": {"annotations": annotations("cow")}})
        seen.add(store.fingerprint)
        store.undo(1)
        seen.add(store.fingerprint)
    assert len(seen) == 3


# --- faults -----------------------------------------------------------------------------------------------------------

WRITER = """
import sys, pyarrow as pa
sys.path[:0] = {tests!r}
from pathlib import Path
from test_store import annotations, photos
from tagger.data.catalog.store import CatalogStore
store = CatalogStore(Path({folder!r}))
with store.locked():
    print("locked", flush=True)
    {action}
"""


@pytest.fixture
def writer(store: CatalogStore) -> Callable[..., None]:
    """Start a process that locks the catalog and does something, and kill it after a while."""

    def start(action: str, wait: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        script = WRITER.format(
            tests=[str(folder) for folder in Path(__file__).parents[:2]], folder=str(store.folder), action=action
        )
        with commands.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "locked\n"
            meanwhile()
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)

    return start


@pytest.mark.slow
def test_a_writer_that_is_killed_at_any_moment_leaves_the_catalog_whole(
    store: CatalogStore, writer: Callable[..., None]
) -> None:
    endless = """
    for number in range(10**6):
        store.append({"more": {"photos": photos(*["b"] * 5000), "annotations": annotations(*["cow"] * 5000)}})
    """
    finished = []
    for wait in (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5):
        writer(endless.strip(), wait)
        whole = CatalogStore(store.folder)
        batches = len(whole.manifest.batches)
        finished.append(batches)
        assert len(whole.table("photos")) == 1 + 5000 * (batches - 1)
        assert len(whole.table("annotations")) == 2 + 5000 * (batches - 1)
    assert finished == sorted(finished)
    assert finished[-1] > 1, "the kills came before anything was written"
    with store.locked():
        store.append({"after the kills": {"annotations": annotations("last")}})
    assert labels(store)[-1] == "last"


def test_a_second_writer_is_told_who_the_first_is_and_a_killed_one_holds_nobody_up(
    store: CatalogStore, in_child: Callable[..., int]
) -> None:
    who = rf"process {os.getpid()} on .* since .*: python "
    with store.locked(), pytest.raises(UserError, match=who) as refused, store.locked():
        pass
    assert str(refused.value).startswith(f"{store.folder}: another process is writing there (")

    def killed() -> None:
        with store.locked():
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(killed) == -signal.SIGKILL
    with store.locked():
        pass
    assert not list(store.folder.glob(".lock"))


def test_a_full_disk_leaves_the_catalog_as_it_was(store: CatalogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    before, parts = store.fingerprint, sorted(store.folder.rglob("*"))

    def full(handle: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"), store.locked():
        store.append({"more": {"photos": photos("b")}})
    assert store.fingerprint == before
    assert sorted(store.folder.rglob("*")) == parts
    assert CatalogStore(store.folder).table("photos")["photo_id"].to_pylist() == ["a"]


def test_a_part_that_was_cut_is_named(store: CatalogStore) -> None:
    part = store.folder / "annotations" / "000001.parquet"
    whole = part.read_bytes()
    for damage in (b"", whole[: len(whole) // 2], b"no parquet"):
        part.write_bytes(damage)
        with pytest.raises(CatalogError, match=r"annotations/000001\.parquet is damaged or missing"):
            store.table("annotations")
    part.unlink()
    with pytest.raises(CatalogError, match=r"annotations/000001\.parquet is damaged or missing"):
        store.table("annotations")


def test_a_part_with_other_columns_is_named(store: CatalogStore) -> None:
    part = store.folder / "photos" / "000001.parquet"
    pq.write_table(pa.table({"photo_id": ["a"]}), part)
    with pytest.raises(CatalogError, match=r"photos/000001\.parquet is damaged or missing"):
        store.table("photos")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": null}'])
def test_a_manifest_that_is_damaged_is_named(store: CatalogStore, text: str) -> None:
    (store.folder / "catalog.json").write_text(text)
    with pytest.raises(CatalogError, match=r"catalog\.json"):
        CatalogStore(store.folder)


def test_a_catalog_of_a_later_version_asks_for_an_update(store: CatalogStore) -> None:
    manifest = store.folder / "catalog.json"
    tree = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(tree | {"schema": SCHEMA_VERSION + 1}))
    with pytest.raises(CatalogError, match=rf"schema version {SCHEMA_VERSION + 1}.*update tagger"):
        CatalogStore(store.folder)
