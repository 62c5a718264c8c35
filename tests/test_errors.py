import errno
import os
import pickle
import sqlite3
import subprocess
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy
import torch
from mlflow.exceptions import MlflowException
from torch.utils.data import DataLoader, Dataset

from tagger.errors import UserError, failure, named, shown_plainly

LARGE = np.random.default_rng(0).bytes(30_000_000)


def save(path):
    np.save(path, np.frombuffer(LARGE, np.uint8))


def wrapped(path):
    try:
        save(path)
    except OSError as error:
        raise MlflowException(f"cannot log: {error}") from error


def write_table(path):
    pq.write_table(pa.table({"x": [LARGE]}), path, compression="none")


def write_rows(path):
    with sqlalchemy.create_engine(f"sqlite:///{path}").begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE t (x BLOB)"))
        connection.execute(sqlalchemy.text("INSERT INTO t VALUES (:x)"), {"x": LARGE})


def elsewhere(path):
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        pool.submit(save, path).result()


class Fails(Dataset):
    def __init__(self, path):
        self.path = path

    def __len__(self):
        return 1

    def __getitem__(self, _):
        save(self.path)


def in_a_loader(path):
    list(DataLoader(Fails(path), num_workers=1))


def torch_save(path):
    torch.save({"weights": torch.frombuffer(bytearray(LARGE), dtype=torch.uint8)}, path)


@pytest.mark.parametrize(
    "write",
    [save, wrapped, write_table, write_rows, elsewhere, in_a_loader],
    ids=lambda write: write.__name__,
)
def test_a_full_disk_is_one_sentence_whichever_library_meets_it(write, small_disk, capsys):
    with pytest.raises(SystemExit) as ended, shown_plainly():
        write(small_disk / "file")
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1
    assert "the disk is full; make room, or name a place on another disk; then type the same command again" in told


def test_what_pytorch_says_of_a_full_disk_is_known():
    # As it was said by torch.save on a full disk, which takes five seconds to say it.
    said = "[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598"
    assert failure(RuntimeError(said)) == (
        "a file cannot be written, most likely because the disk is full; make room, or name a place on another disk"
    )


def test_a_disk_that_is_read_only_is_named_with_the_way_out(small_disk, capsys):
    write_rows_of_one(small_disk / "runs.db")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for write in (save, write_table, torch_save):
        with pytest.raises(SystemExit), shown_plainly():
            write(small_disk / "file")
        told = capsys.readouterr().err
        assert told.startswith("error: ")
        assert "the disk is read-only; name another place, or have the disk mounted for writing; " in told
    with pytest.raises(SystemExit), shown_plainly():
        write_rows_of_one(small_disk / "runs.db")
    assert "a database (of MLflow, or of a search): it is read-only; " in capsys.readouterr().err


def write_rows_of_one(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (x)")
        connection.execute("INSERT INTO t VALUES (1)")


def test_a_database_that_another_process_holds_is_told(tmp_path):
    write_rows_of_one(tmp_path / "runs.db")
    first, second = (closing(sqlite3.connect(tmp_path / "runs.db", timeout=0)) for _ in range(2))
    with first as holder, second as other:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError) as caught:
            other.execute("INSERT INTO t VALUES (1)")
    assert "another process holds it" in failure(caught.value)


def test_who_may_not_write_is_told_so(tmp_path, in_child, capfd):
    (tmp_path / "mine").mkdir(mode=0o755)

    def write():
        with shown_plainly():
            (tmp_path / "mine" / "a.txt").write_text("")

    assert in_child(write, user=65534) == 1
    told = f"error: {tmp_path}/mine/a.txt: permission denied; have its owner allow it, or name another place; "
    assert capfd.readouterr().err.startswith(told)


def test_a_mistake_of_ours_keeps_its_traceback_also_beside_a_failure():
    with pytest.raises(KeyError), shown_plainly():
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            _ = {}["mistake"]
    for error in (ValueError("28"), FileNotFoundError(errno.ENOENT, "gone", "a"), RuntimeError("[Errno 2] gone: 'a'")):
        with pytest.raises(type(error)), shown_plainly():
            raise error


def test_failures_keep_their_traceback_for_who_asks_for_it(monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(OSError, match="full"), shown_plainly():
        raise OSError(errno.ENOSPC, "full")
    with pytest.raises(SystemExit), shown_plainly():
        raise UserError("mistyped")


def test_a_failure_of_writing_gets_the_name_of_the_file_and_others_keep_theirs():
    for number, name, expected in ((errno.ENOSPC, None, "a"), (errno.ENOSPC, "b", "b"), (errno.EMFILE, None, None)):
        with pytest.raises(OSError, match="because") as caught, named("a"):
            raise OSError(number, "because", name) if name else OSError(number, "because")
        assert caught.value.filename == expected


def test_no_name_can_move_the_cursor_or_stop_the_message():
    assert failure(OSError(errno.ELOOP, "", os.fsdecode(b"\xff\n.jpg"))).startswith(r"\udcff\n.jpg: its links lead")
    assert pickle.loads(pickle.dumps(OSError(errno.EIO, "", "a"))).filename == "a"
