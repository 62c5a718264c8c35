"""Verdicts on their way into the catalog: what is checked, what is refused, and that nothing happens twice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import commands
import pyarrow as pa
import pytest

from tagger.cleaning.queue.table import catalog_identity
from tagger.cleaning.verdicts.importing import Imported
from tagger.cleaning.verdicts.people import said_by_people
from tagger.data.catalog.prepared import view
from tagger.data.catalog.store import TABLES, CatalogStore
from tagger.data.taxonomy import Taxonomy
from tagger.errors import UserError
from tagger.tags.corrections import Correction

Take = Callable[..., Imported]
Write = Callable[..., Path]


@pytest.fixture
def answered(export: Callable[..., Any], ids: list[str], tmp_path: Path) -> Write:
    """Write a table with verdicts by number of the task; the tasks were exported."""
    export("csv")

    def write(name: str, verdicts: Mapping[int, str], *, annotator: str = "ann", **more: str) -> Path:
        columns = ",".join(["task_id", "verdict", "annotator", *more])
        lines = [",".join([f"t{ids[task]}", said, annotator, *more.values()]) for task, said in verdicts.items()]
        path = tmp_path / name
        path.write_text("\n".join([columns, *lines]) + "\n", encoding="utf-8")
        return path

    return write


def said(store: CatalogStore) -> list[tuple[int, str, int, str]]:
    table = said_by_people(CatalogStore(store.folder))
    return list(zip(*(table[name].to_pylist() for name in ("photo", "label", "value", "annotator")), strict=True))


def states(store: CatalogStore, taxonomy: Taxonomy) -> dict[str, list[int]]:
    catalog = view(CatalogStore(store.folder), taxonomy, roots={"ours": "."}, complete=False)
    return {label: catalog.states[:, [column]].toarray()[:, 0].tolist() for column, label in enumerate(taxonomy.ids)}


def test_verdicts_are_peoples_words_in_one_batch_that_can_be_undone(
    answered: Write, take: Take, store: CatalogStore, taxonomy: Taxonomy
) -> None:
    before = states(store, taxonomy)
    done = take(answered("ann.csv", {0: "no", 1: "yes", 2: "yes", 3: "unsure", 4: ""}))
    assert (done.answers, done.added, done.known, done.problems) == (4, 4, 0, ())
    assert done.batch is not None
    assert done.batch.number == 2
    assert done.batch.what.startswith("verdicts of ann in ann.csv (")
    assert said(store) == [(0, "dog", -1, "ann"), (1, "dog", 1, "ann"), (2, "cat", 1, "ann"), (3, "dog", 0, "ann")]
    assert states(store, taxonomy)["dog"] == [-1, 1, 1, 1, 1, 1], "who is unsure leaves what the source says"
    assert states(store, taxonomy)["cat"] == [0, 0, 1, 0, 0, 0]
    with store.locked():
        store.undo(2)
    assert states(store, taxonomy) == before


def test_the_same_file_twice_changes_nothing(answered: Write, take: Take, store: CatalogStore) -> None:
    path = answered("ann.csv", {0: "no"})
    first = take(path).batch
    fingerprint = CatalogStore(store.folder).fingerprint
    # Under another name, too.
    again = take(path.rename(path.with_name("copy.csv")))
    assert (again.before, again.added) == (first, 0)
    assert CatalogStore(store.folder).fingerprint == fingerprint


def test_an_older_file_does_not_come_back_over_a_newer_one(answered: Write, take: Take, store: CatalogStore) -> None:
    first, second = answered("first.csv", {0: "no"}), answered("second.csv", {0: "yes"})
    for path in (first, second, first):
        take(path)
    assert [value for *_, value, _ in said(store)] == [-1, 1]


def test_the_same_answers_in_another_file_are_known(answered: Write, take: Take) -> None:
    take(answered("ann.csv", {0: "no", 1: "yes"}))
    again = take(answered("more.csv", {0: "no", 1: "yes", 2: "yes"}))
    assert (again.added, again.known) == (1, 2)


def test_what_was_undone_is_not_said_again(answered: Write, take: Take, store: CatalogStore) -> None:
    take(answered("ann.csv", {0: "no"}))
    with store.locked():
        store.undo(2)
    again = take(answered("ann again.csv", {0: "n"}))
    assert (again.batch, again.known, again.undone) == (None, 1, (2,))
    assert said(store) == []


def test_the_majority_holds_and_a_tie_stays_open(
    answered: Write, take: Take, store: CatalogStore, taxonomy: Taxonomy
) -> None:
    take(answered("ann.csv", {0: "no", 1: "no"}))
    done = take(answered("bob.csv", {0: "yes", 1: "yes"}, annotator="bob"))
    assert (done.majorities, done.ties) == (0, ((f"{0:032x}", "dog"), (f"{1:032x}", "dog")))
    assert states(store, taxonomy)["dog"][:2] == [0, 0]
    done = take(answered("eve.csv", {0: "no", 1: "unsure"}, annotator="eve"))
    assert (done.majorities, done.ties) == (1, ((f"{1:032x}", "dog"),))
    assert states(store, taxonomy)["dog"][:2] == [-1, 0]
    assert len(said(store)) == 6, "nobody's word is lost"


def test_of_one_annotator_the_last_word_in_a_file_holds(answered: Write, take: Take, store: CatalogStore) -> None:
    path = answered("ann.csv", {0: "no"})
    path.write_text(path.read_text() + path.read_text().splitlines()[1].replace(",no,", ",yes,") + "\n")
    take(path)
    assert said(store) == [(0, "dog", 1, "ann")]


def test_bad_rows_are_named_and_the_others_count(answered: Write, take: Take, store: CatalogStore) -> None:
    path = answered("ann.csv", {0: "no", 1: "maybe"})
    path.write_text(path.read_text() + "tffffffffffffffff,yes,ann\n,yes,ann\n")
    done = take(path)
    assert done.added == 1
    assert [f"{problem.place}: {problem.reason}" for problem in done.problems] == [
        "ann.csv, line 3: verdict 'maybe' is none of yes, no, unsure",
        "ann.csv, line 4: unknown task 'ffffffffffffffff': it was not exported from here",
        "ann.csv, line 5: unknown task '': it was not exported from here",
    ]


def test_a_column_that_was_sorted_alone_is_noticed(answered: Write, take: Take, store: CatalogStore) -> None:
    (problem,) = take(answered("ann.csv", {0: "yes"}, label="cat")).problems
    assert "asks about 'dog', the row says 'cat': was a column moved?" in problem.reason
    assert said(store) == []


def test_a_label_that_is_no_more_and_a_photo_that_is_not_there_are_named(
    answered: Write, take: Take, store: CatalogStore, cleaning: Path, taxonomy: Taxonomy
) -> None:
    import pyarrow.parquet as pq

    notes = {"task_id": ["a" * 16, "b" * 16], "photo_id": [f"{0:032x}", "f" * 32], "label": ["dogs", "dog"]}
    answered("ann.csv", {})
    pq.write_table(pa.table(notes | {"kind": ["missing"] * 2, "state": [0] * 2}), cleaning / "sent" / "more.parquet")
    path = cleaning / "more.csv"
    path.write_text(f"task_id,verdict,annotator\n{'a' * 16},yes,ann\n{'b' * 16},yes,ann\n")
    assert [problem.reason for problem in take(path).problems] == [
        "unknown label 'dogs', did you mean 'dog'",
        f"unknown photo '{'f' * 32}': the catalog does not have it",
    ]


def test_a_file_of_another_catalog_is_refused_whole(answered: Write, take: Take, store: CatalogStore) -> None:
    path = answered("ann.csv", {0: "no"}, catalog="0123456789abcdef")
    with pytest.raises(
        UserError, match=r"ann\.csv, line 2 is about another catalog \(0123456789abcdef\) than .*catalog"
    ):
        take(path)
    assert said(store) == []


def test_a_catalog_stays_itself_while_it_grows_and_people_decide(
    answered: Write, take: Take, store: CatalogStore, tmp_path: Path
) -> None:
    before = catalog_identity(store)
    path = answered("ann.csv", {0: "no"}, catalog=before)
    with store.locked():
        photos = pa.Table.from_pylist([{"photo_id": "e" * 32, "source": "ours"}], schema=TABLES["photos"])
        store.append({"more": {"photos": photos}})
    assert take(path).added == 1
    assert catalog_identity(CatalogStore(store.folder)) == before
    other = CatalogStore(tmp_path / "other")
    with other.locked():
        other.append({"photos": {"photos": photos}}, taxonomy={"name": "pets"})
    assert catalog_identity(other) != before


def test_who_answered_must_be_known(answered: Write, take: Take, store: CatalogStore) -> None:
    path = answered("nobody.csv", {0: "no"}, annotator="")
    with pytest.raises(UserError, match=r"does not say who answered: import .* with annotator=…"):
        take(path)
    assert take(path, annotator=" bob ").added == 1
    assert said(store) == [(0, "dog", -1, "bob")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"data": {"task_id"', "is not JSON .* was it cut"),
        ('{"format": "tagger verdicts 9"}', "says 'tagger verdicts 9'; this tagger reads 'tagger verdicts 1'"),
        ('{"format": "tagger verdicts 1"}', "holds no verdicts"),
        ('{"verdicts": []}', "is no export of Label Studio, no file saved by the page and no corrections"),
        ('{"photo_id": "xyz"}\n', "line 1 is no correction: photo_id must be 32 hex digits"),
        ('{"photo_id": 1}\n{"photo_id": 2}\n', "line 1 is no correction"),
    ],
)
def test_a_file_of_no_known_kind_is_refused(take: Take, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        take(path)


def test_a_file_or_a_catalog_that_is_not_there_is_named(take: Take, tmp_path: Path, store: CatalogStore) -> None:
    with pytest.raises(UserError, match=r"from=.*none\.csv cannot be read: No such file"):
        take(tmp_path / "none.csv")
    (tmp_path / "some.csv").write_text("task_id,verdict\n")
    (store.folder / "catalog.json").unlink()
    with pytest.raises(UserError, match="no catalog in "):
        take(tmp_path / "some.csv")


def test_the_corrections_of_the_server_come_in_and_are_withdrawn(
    take: Take, store: CatalogStore, tmp_path: Path
) -> None:
    def correction(photo: int, label: str, value: Any, second: int) -> Correction:
        moment = f"2026-01-01T12:00:{second:02}+00:00"
        return Correction(f"{photo:032x}", f"{photo}.jpg", label, value, "ann", moment, "f00", 0.5)

    path = tmp_path / "corrections.jsonl"
    lines = [correction(0, "dog", "absent", 1), correction(1, "cat", "present", 2), correction(1, "cat", "unknown", 3)]
    path.write_bytes(b"".join(line.to_line() for line in lines))
    done = take(path)
    assert (done.answers, done.added) == (2, 1), "what was taken back at once was never said"
    assert said(store) == [(0, "dog", -1, "ann")]
    more = [correction(0, "dog", "unknown", 4), correction(7, "dog", "absent", 5), correction(2, "cow", "present", 6)]
    path.write_bytes(path.read_bytes() + b"".join(line.to_line() for line in more) + b'{"photo_id": "cut')
    done = take(path)
    assert said(store)[1:] == [(0, "dog", 0, "ann")]
    assert [problem.place for problem in done.problems] == ["corrections.jsonl, line 5", "corrections.jsonl, line 6"]


def test_the_later_of_two_times_holds_whatever_the_order(
    export: Callable[..., Any], take: Take, store: CatalogStore, ids: list[str], tmp_path: Path
) -> None:
    export("page")
    verdicts = [
        {"task": ids[0], "verdict": "absent", "time": "2026-01-01T13:00:00.000Z"},
        {"task": ids[0], "verdict": "present", "time": "2026-01-01T13:30:00+01:00"},
    ]
    path = tmp_path / "saved.json"
    path.write_text(json.dumps({"format": "tagger verdicts 1", "annotator": "ann", "verdicts": verdicts}))
    take(path)
    assert said(store) == [(0, "dog", -1, "ann")]


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_full_disk_leaves_the_catalog_as_it_was(
    answered: Write, take: Take, store: CatalogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = answered("ann.csv", {0: "no"})
    before, files = store.fingerprint, sorted(store.folder.rglob("*.parquet"))

    def full(handle: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(UserError, match=r"cannot be written: the disk is full; .*; the catalog is as it was"):
            take(path)
    assert (store.fingerprint, sorted(store.folder.rglob("*.parquet"))) == (before, files)
    assert take(path).added == 1


def test_a_second_importer_is_told_that_there_is_a_first(answered: Write, take: Take, store: CatalogStore) -> None:
    path = answered("ann.csv", {0: "no"})
    with CatalogStore(store.folder).locked(), pytest.raises(UserError, match="another process is writing"):
        take(path)


IMPORTER = """
import sys
from pathlib import Path
from tagger.cleaning.verdicts.importing import import_verdicts
from tagger.data.catalog.store import CatalogStore
from tagger.data.taxonomy import Label, Taxonomy
folder, store, files = Path({cleaning!r}), CatalogStore(Path({store!r})), Path({files!r})
taxonomy = Taxonomy("pets", tuple(Label(name, {{}}) for name in ("animal", "dog", "cat", "=2+5")))
print("ready", flush=True)
for path in sorted(files.iterdir()):
    done = import_verdicts(path, folder=folder, store=store, taxonomy=taxonomy)
    print(path.name if done.batch else "known", flush=True)
"""


@pytest.mark.slow
def test_an_import_that_is_killed_at_any_moment_loses_and_doubles_nothing(
    answered: Write, take: Take, store: CatalogStore, cleaning: Path, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for number in range(12):
        answered("a.csv", dict.fromkeys(range(7), "no"), annotator=f"ann{number:02}").rename(files / f"{number:02}")
    script = IMPORTER.format(cleaning=str(cleaning), store=str(store.folder), files=str(files))
    with commands.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        told = [run.stdout.readline() for _ in range(5)][1:]
        time.sleep(0.003)
        run.send_signal(signal.SIGKILL)
        told += run.stdout.readlines()
    whole = CatalogStore(store.folder)
    batches = len(whole.manifest.batches) - 1
    assert len(told) <= batches < 12, "what was told to be in is in"
    assert len(said(store)) == 7 * batches, "a file counts whole or not at all"
    for path in sorted(files.iterdir()):
        take(path)
    assert len(said(store)) == len(set(said(store))) == 7 * 12
