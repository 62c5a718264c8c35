"""Checkpoints are whole, whatever becomes of the process or the disk."""

import errno
import random
import shutil
import signal
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from tagger.data.datamodule import PhotoData
from tagger.errors import failure
from tagger.model.module import TaggerModule
from tagger.tracking.run_folder import RunFolder
from tagger.training.checkpoints import LastCheckpoint, WholeCheckpoints, write_checkpoint

MEBIBYTE = 1 << 18
"""Numbers of four bytes."""


def checkpoint(number: int, *, mebibytes: int = 6) -> dict[str, Any]:
    return {"number": number, "weights": torch.full((mebibytes * MEBIBYTE,), float(number))}


def number_of(path: Path) -> int:
    kept = torch.load(path, weights_only=True)
    assert (kept["weights"] == kept["number"]).all()
    return int(kept["number"])


def newest(folder: Path) -> Path | None:
    (folder / "checkpoints").mkdir(exist_ok=True)
    return RunFolder(folder, resumed=True).newest_checkpoint()


def write_until_killed(path: Path, seconds: float) -> None:
    kept = checkpoint(1)
    WholeCheckpoints().save_checkpoint(kept, path)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    while True:
        WholeCheckpoints().save_checkpoint(kept, path)


def test_a_kill_while_it_is_written_leaves_a_whole_one_where_the_temporary_folder_is_another_disk(
    small_disk: Path, tmp_path: Path, in_child: Callable[..., int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TMPDIR", str(small_disk))
    monkeypatch.setattr(tempfile, "tempdir", None)
    rng = random.Random(0)
    path = tmp_path / "checkpoints" / "last.ckpt"
    for _ in range(12):
        assert in_child(lambda: write_until_killed(path, rng.uniform(0.001, 0.1))) == -signal.SIGALRM
        found = newest(tmp_path)
        assert found is not None
        assert number_of(found) == 1
    assert not list(small_disk.iterdir()), "nothing of it passes through the temporary folder"


def test_a_full_disk_leaves_the_one_before_and_says_so(small_disk: Path):
    path = small_disk / "checkpoints" / "last.ckpt"
    for number in range(2):
        write_checkpoint(checkpoint(number), path)
    # The disk has 20 MB, and two are kept.
    with pytest.raises(OSError, match="No space left") as raised:
        write_checkpoint(checkpoint(2, mebibytes=12), path)
    assert raised.value.errno == errno.ENOSPC
    assert "last.ckpt: the disk is full" in str(failure(raised.value))
    assert newest(small_disk) == path
    assert number_of(path) == 1
    assert {file.name for file in path.parent.iterdir()} == {"last.ckpt", "previous.ckpt"}


def test_a_damaged_one_is_passed_over_for_the_one_before_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    last = tmp_path / "checkpoints" / "last.ckpt"
    assert newest(tmp_path) is None
    for number in range(3):
        write_checkpoint(checkpoint(number, mebibytes=1), last)
    assert newest(tmp_path) == last
    assert number_of(last) == 2
    whole = last.read_bytes()
    # Cut, and changed in the middle: the second would be read without a word.
    for damaged in (whole[: len(whole) // 2], whole[:500_000] + b"!" + whole[500_001:], b""):
        last.write_bytes(damaged)
        found = newest(tmp_path)
        assert found is not None and number_of(found) == 1
        assert capsys.readouterr().out.startswith(f"{last} is damaged (")
    # Killed between the two names.
    last.unlink()
    found = newest(tmp_path)
    assert found is not None and number_of(found) == 1
    assert not capsys.readouterr().out


def test_of_the_best_one_none_is_kept_beside(tmp_path: Path):
    for number in range(2):
        write_checkpoint(checkpoint(number, mebibytes=1), tmp_path / "best.ckpt")
    assert [path.name for path in tmp_path.iterdir()] == ["best.ckpt"]


def test_a_new_run_goes_on_from_nothing(tmp_path: Path):
    write_checkpoint(checkpoint(1, mebibytes=1), tmp_path / "checkpoints" / "last.ckpt")
    assert RunFolder(tmp_path, resumed=False).newest_checkpoint() is None


def test_a_training_that_ends_keeps_one_and_what_every_epoch_came_to_is_in_it(
    tmp_path: Path,
    tagger_module: Callable[..., TaggerModule],
    trainer: Callable[..., pl.Trainer],
    photo_data: Callable[..., PhotoData],
    colours: Callable[..., Path],
):
    keep = LastCheckpoint(tmp_path / "checkpoints", minutes=0)
    run = trainer(callbacks=[keep], plugins=[WholeCheckpoints()], max_epochs=2, enable_checkpointing=True)
    run.fit(tagger_module(), photo_data(colours(40)))
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]
    assert torch.load(keep.path, weights_only=True)["global_step"] == 8
    assert zipfile.is_zipfile(keep.path)
    # Killed before the one before was removed, and typed again.
    shutil.copy(keep.path, keep.path.with_name("previous.ckpt"))
    again = trainer(
        callbacks=[LastCheckpoint(keep.path.parent, minutes=0)],
        plugins=[WholeCheckpoints()],
        max_epochs=2,
        enable_checkpointing=True,
    )
    again.fit(tagger_module(), photo_data(tmp_path / "root"), ckpt_path=keep.path, weights_only=True)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]
