"""Processes of one command can talk, whatever the temporary folder is called."""

import sys
from pathlib import Path

import commands
import pytest

LEARNS = """
import torch
from torch.utils.data import DataLoader, TensorDataset
from tagger.data.sockets import fit_sockets
fit_sockets()
print(sum(len(batch) for (batch,) in DataLoader(TensorDataset(torch.ones(8, 1)), batch_size=2, num_workers=1)))
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
