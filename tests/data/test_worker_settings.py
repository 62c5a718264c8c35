"""Worker processes start, and hear each other."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import commands
import pytest

LEARNS = """
import torch
from torch.utils.data import DataLoader, TensorDataset
from tagger.data.workers import worker_settings
print(sum(len(batch) for (batch,) in DataLoader(TensorDataset(torch.ones(8, 1)), batch_size=2, **worker_settings(1))))
"""

KILLED = """
import os, time
import torch
from pathlib import Path
from torch.utils.data import DataLoader, Dataset
from tagger.data.workers import worker_settings

class Photos(Dataset):
    def __len__(self):
        return 8
    def __getitem__(self, row):
        Path(str(os.getpid())).touch()
        if row == 1:
            time.sleep(1)
            os.kill(os.getppid(), 9)
        time.sleep(60)

list(DataLoader(Photos(), **worker_settings(2)))
"""

IN_A_JOB = f"""
from joblib import Parallel, delayed
print(*Parallel(n_jobs=2)(delayed(exec)({LEARNS!r}) for _ in range(2)))
"""


@pytest.mark.parametrize("letters", [1, 60, 200])
def test_workers_of_a_loader_are_heard_however_long_the_temporary_folder_is(tmp_path: Path, letters: int):
    folder = tmp_path / ("a" * letters)
    folder.mkdir()
    done = commands.run(
        [sys.executable, "-c", LEARNS], env={"TMPDIR": str(folder)}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "8\n"), done.stderr
    assert not [*folder.iterdir()]


def test_loaders_in_jobs_of_joblib_have_workers(tmp_path: Path):
    pytest.importorskip("joblib")
    done = commands.run([sys.executable, "-c", IN_A_JOB], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split()) == (0, ["8", "8", "None", "None"]), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends processes with their parent")
def test_workers_of_a_command_that_is_killed_end_with_it(tmp_path: Path):
    done = commands.run([sys.executable, "-c", KILLED], cwd=tmp_path, stderr=subprocess.DEVNULL, timeout=60)
    assert done.returncode == -signal.SIGKILL
    workers = [int(path.name) for path in tmp_path.iterdir()]
    assert len(workers) == 2
    deadline = time.monotonic() + 10
    while any(is_alive(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(is_alive(worker) for worker in workers)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
