"""Every family of faults with a fixed seed, a few of each; tests.faults.campaign tries as many as you like."""

import os
import shutil
from importlib import import_module
from pathlib import Path

import pytest

from tests.faults.campaign import TESTS

pytestmark = pytest.mark.slow


# One test each, so that they are spread over the processes of pytest.
@pytest.mark.parametrize("family", TESTS)
def test_faults_are_survived(family: str, tmp_path: Path) -> None:
    if family in ("kills", "disks") and not shutil.which("strace"):
        pytest.skip("strace is not installed: nothing kills at file events")
    if family == "disks" and os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    tally = import_module(f"tests.faults.{family}").run(tmp_path, tests=TESTS[family]["ci"], seed=0)
    assert tally.tests > 0
    assert not tally.failures, "\n".join(tally.failures)
