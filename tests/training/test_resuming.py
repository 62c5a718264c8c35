"""A training that was killed goes on to the same weights, bit by bit: real kills of real processes."""

import json
import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands
import pytest
from tiny import write_colours

SCRIPT = Path(__file__).with_name("resuming.py")

WORDS = [
    *("data=folder", "data.source.folder=colours", "data.size=16", "data.batch_size=8", "trainer.max_epochs=3"),
    *("network=timm", "network.backbone=test_efficientnet", "network.weights=null", "regime=everything"),
    # All that draws or gathers something: dropout, blended photos, replicated ones, a moving average.
    *("network.dropout=0.3", "mixup=0.4", "sampler=resample_sqrt", "callbacks=[ema]"),
    # It is kept whenever that is possible.
    "checkpoint_minutes=0",
]

ONE = ["data.workers=0"]
KEPT_WORKERS = ["data.workers=2"]
NEW_WORKERS = ["data.workers=2", "one_epoch_workers"]

Train = Callable[..., dict[str, Any] | None]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colours(tmp_path_factory.mktemp("resuming") / "root", 40)


@pytest.fixture(scope="module")
def train(root: Path) -> Train:
    """Train a folder's network on four batches an epoch; returns what it came to, None if it was killed."""

    def typed(folder: Path, when: str, words: list[str], **environment: str) -> "commands.Popen":
        data = [f"data.root={root}", f"data.taxonomy={root / 'colours.yaml'}", f"cache={root / 'cache'}"]
        command = [sys.executable, SCRIPT, folder, when, *WORDS, *data, *words]
        # One thread: whether two sum up in the same order is not what is asked here.
        environment = os.environ | {"OMP_NUM_THREADS": "1"} | environment
        return commands.Popen(command, cwd=root, env=environment, stdout=-1, stderr=-1, text=True)

    def run(folder: Path, when: str, words: list[str], *, processes: int = 1) -> dict[str, Any] | None:
        if processes == 1:
            started = [typed(folder, when, words)]
        else:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = str(free.getsockname()[1])
            shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(processes), "NODE_RANK": "0"}
            words = [*words, "trainer=ddp", f"trainer.devices={processes}", "trainer.accelerator=cpu"]
            started = [typed(folder, when, words, LOCAL_RANK=str(rank), **shared) for rank in range(processes)]
        told = [process.communicate(timeout=120) for process in started]
        expected = {0} if when == "never" else {-9}
        assert {process.returncode for process in started} == expected, told
        return json.loads(told[0][0].splitlines()[-1]) if when == "never" else None

    return run


@pytest.fixture(scope="module")
def whole(train: Train, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What comes of a training that nobody cuts."""
    found = train(tmp_path_factory.mktemp("whole") / "run", "never", ONE)
    assert found is not None and len(found["draws"]) == 12
    return found


def check(found: dict[str, Any] | None, whole: dict[str, Any], *, trained: int) -> None:
    """Check that a resumed training came to the same, and trained the batches that were missing."""
    assert found is not None
    assert found["draws"] == whole["draws"][trained:]
    assert found["history"] == whole["history"]
    assert {name: found[name] for name in ("weights", "best", "best step")} == {
        name: whole[name] for name in ("weights", "best", "best step")
    }


@pytest.mark.parametrize("words", [ONE, KEPT_WORKERS, NEW_WORKERS], ids=["one", "kept", "new"])
def test_a_training_that_is_killed_in_an_epoch_and_at_the_end_of_one_goes_on_bit_by_bit(
    train: Train, whole: dict[str, Any], tmp_path: Path, words: list[str]
):
    for when in ("batch:2", "epoch:2"):
        train(tmp_path / "run", when, words)
    check(train(tmp_path / "run", "never", words), whole, trained=8)


def test_the_last_batch_of_an_epoch_is_kept_with_its_validation_or_not_at_all(
    train: Train, whole: dict[str, Any], tmp_path: Path
):
    train(tmp_path / "run", "batch:8", ONE)
    # That of the batch before it: else the second epoch would have no row, and could not be the best.
    check(train(tmp_path / "run", "never", ONE), whole, trained=7)


def test_gradients_of_several_batches_are_gathered_whole(train: Train, tmp_path: Path):
    words = [*ONE, "trainer.accumulate_grad_batches=3", "trainer.check_val_every_n_epoch=2"]
    whole = train(tmp_path / "whole", "never", words)
    assert whole is not None
    # Five batches: the fifth is the first that is gathered for the third step.
    train(tmp_path / "run", "batch:3", words)
    found = train(tmp_path / "run", "never", words)
    check(found, whole, trained=len(whole["draws"]) - len(found["draws"]))  # type: ignore[index]


def test_a_training_of_so_many_steps_ends_an_epoch_once(train: Train, tmp_path: Path):
    words = [*ONE, "+trainer.max_steps=10"]
    whole = train(tmp_path / "whole", "never", words)
    assert whole is not None
    train(tmp_path / "run", "epoch:1", words)
    check(train(tmp_path / "run", "never", words), whole, trained=4)


def test_a_training_that_was_stopped_early_stays_stopped(train: Train, tmp_path: Path):
    words = [*ONE, "callbacks=[early_stopping]", "callbacks.early_stopping.patience=1", "optimizer.lr=1"]
    words.append("trainer.max_epochs=9")
    whole = train(tmp_path / "whole", "never", words)
    assert whole is not None
    epochs = len(whole["history"])
    assert epochs < 9
    train(tmp_path / "run", f"epoch:{epochs}", words)
    check(train(tmp_path / "run", "never", words), whole, trained=len(whole["draws"]))


def test_a_damaged_checkpoint_is_passed_over_and_the_result_is_the_same(
    train: Train, whole: dict[str, Any], tmp_path: Path
):
    train(tmp_path / "run", "batch:6", ONE)
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    check(train(tmp_path / "run", "never", ONE), whole, trained=5)
    # And from the beginning, where the one before it is damaged, too.
    shutil.rmtree(tmp_path / "run")
    train(tmp_path / "run", "batch:2", ONE)
    for name in ("last.ckpt", "previous.ckpt"):
        (tmp_path / "run" / "checkpoints" / name).write_bytes(b"")
    check(train(tmp_path / "run", "never", ONE), whole, trained=0)


def test_several_processes_that_are_killed_go_on_bit_by_bit(train: Train, tmp_path: Path):
    whole = train(tmp_path / "whole", "never", NEW_WORKERS, processes=2)
    assert whole is not None
    for when in ("epoch:1", "batch:6"):
        train(tmp_path / "run", when, NEW_WORKERS, processes=2)
    check(train(tmp_path / "run", "never", NEW_WORKERS, processes=2), whole, trained=6)
