"""The campaign sees what it looks for: torn files, files left over, readers that hang or take all memory."""

import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from tests.faults import annotations
from tests.faults.annotations import Target, bounded, read
from tests.faults.contents import contents
from tests.faults.disturbed import difference
from tests.faults.typed import events_of


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A folder with a file of every kind."""
    (tmp_path / "a.json").write_text(json.dumps({"seconds/fit": 1.5, "test/map": 0.5, "when": "2026-01-01"}))
    (tmp_path / "a.html").write_text("<html>" + "x" * 300 + "</html>")
    (tmp_path / "a.svg").write_text("<svg></svg>")
    np.savez(tmp_path / "a.npz", scores=np.arange(99))
    np.save(tmp_path / "a.npy", np.arange(99))
    pq.write_table(pa.table({"photo": ["a"]}), tmp_path / "a.parquet")
    torch.save({"state_dict": {"head": torch.ones(99)}}, tmp_path / "a.ckpt")
    Image.effect_noise((32, 32), 50).save(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "a.tagger", "w") as bundle:
        bundle.writestr("manifest.json", "{}" * 99)
    with closing(sqlite3.connect(tmp_path / "a.db")) as database, database:
        database.execute("create table runs (name)")
        database.executemany("insert into runs values (?)", [(str(number) * 99,) for number in range(200)])
    return tmp_path


def test_files_of_every_kind_are_found_torn(whole: Path) -> None:
    assert contents(whole)["a.json"] == [{"test/map": 0.5}], "without moments and speeds"
    for path in sorted(whole.iterdir()):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 3 // 4])
        with pytest.raises(ValueError, match=f"{path.name} is torn"):
            contents(whole)
        path.write_bytes(content)


def test_moments_and_numbers_of_runs_are_left_out_of_places(tmp_path: Path) -> None:
    for name in ("2026-01-01_12-00-00_s0", "2027-02-02_13-00-00_s0", "c0ffee" * 5 + "00"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("as of 2026-01-01T12:00:00+00:00")
    assert contents(tmp_path) == {"<moment>_s0/a.txt": ["as of <moment>"] * 2, "<run>/a.txt": ["as of <moment>"]}


def test_what_is_missing_left_over_and_different_is_named() -> None:
    assert difference("a", {}, {"a": [1]}) == "a is missing"
    assert difference("a", {"a": [1]}, {}) == "a is left over"
    assert difference("a", {"a": [1]}, {"a": [2]}) == "a differs: - [2] + [1]"


def test_file_events_are_counted_by_thread_and_call() -> None:
    trace = (
        '7 write(1<pipe:[5]>, "x", 1) = 1\n7 write(5</a/b>, "x", 1) = 1\n8 write(5</a/b>, "x", 1) = 1\n8 +++ exited\n'
    )
    assert [(event.call, event.ordinal) for event in events_of(trace)] == [("write", 2), ("write", 1)]


def test_a_reader_that_hangs_takes_all_memory_or_raises_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotations, "HANG_SECONDS", 0.1)

    def hang() -> None:
        while True:
            try:
                sum(range(1000))
            except Exception:
                continue

    for reader, problem in (
        (hang, "TimeoutError"),
        (lambda: bytearray(8 << 30), "MemoryError"),
        ({}.popitem, "KeyError"),
    ):
        assert read(Target("a file", Path("a"), reader)).startswith(problem)
    with bounded():
        pass
