"""When one of several processes dies, the others end, and it is told once: a real kill of a real one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import commands
import pytest
from tiny import TINY, data_of


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_run_in_one_sentence(colours: Callable[..., Path], tmp_path: Path):
    words = [*TINY, *data_of(colours(80)), "trainer=ddp", "trainer.accelerator=cpu", "logger=csv"]
    words.append("trainer.max_epochs=10000")
    command = [sys.executable, "-m", "tagger.train", *words]
    with commands.Popen(command, cwd=tmp_path, stdout=-1, stderr=-1, text=True) as process:
        deadline = time.monotonic() + 240
        while not list(tmp_path.glob("runs/tiny/*/checkpoints/last.ckpt")):
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()
            time.sleep(0.1)
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in errors
    (told,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert told.startswith("error: process 1 (from 0) of 2 was killed by signal 9")
    assert told.endswith("the same command with resume=true goes on from the last checkpoint")


@pytest.mark.parametrize("is_alive", [True, False])
def test_a_process_whose_first_was_killed_while_it_began_ends(is_alive: bool, tmp_path: Path) -> None:
    first = subprocess.Popen(["sleep", "60"])
    if not is_alive:
        first.kill()
        first.wait()
    code = "from tagger.training.processes import follow_first; follow_first(); print('goes on')"
    done = commands.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"LOCAL_RANK": "1", "TAGGER_FIRST_PROCESS": str(first.pid)},
        capture_output=True,
        text=True,
    )
    first.kill()
    first.wait()
    assert (done.returncode, done.stdout) == ((0, "goes on\n") if is_alive else (1, ""))
