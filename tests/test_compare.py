"""The command as typed, on runs that were trained for it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import commands
import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from tiny import TINY, data_of

pytestmark = pytest.mark.slow

SHORT = [*TINY, "trainer.max_epochs=1", "logger=csv"]


def test_two_runs_are_compared(colours: Callable[..., Path], tmp_path: Path) -> None:
    root = colours(80)
    cwd = tmp_path / "elsewhere"
    cwd.mkdir()

    def typed(verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", f"tagger.{verb}", *words]
        return commands.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=cwd)

    data = data_of(root)
    for words in (["version=v1.0"], ["version=v2.0", "loss=focal"]):
        done = typed("train", *SHORT, *data, *words)
        assert done.returncode == 0, done.stdout + done.stderr
    one, other = sorted((cwd / "runs" / "tiny").iterdir())

    # Runs know their version; the question is taken as it is typed.
    words = ["baseline=v1.0", "output=out", "question=Does focal loss (v2.0) help?", "resamples=200", "pictures=true"]
    done = typed("compare", "runs=[runs/tiny/*]", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "v2.0 tiny: " in done.stdout and "points mAP, interval" in done.stdout
    readme = (cwd / "out" / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("# Does focal loss (v2.0) help?\n")
    assert "'question=Does focal loss (v2.0) help?'" in readme, "the command can be copied"
    kept = json.loads((cwd / "out" / "comparison.json").read_text())
    with np.load(one / "test_scores.npz") as test:
        labels = zip((test["states"] == 1).T, test["scores"].T, strict=True)
        measured = np.mean([average_precision_score(present, scores) for present, scores in labels])
    assert kept["versions"]["v1.0"]["figures"]["map"]["value"] == pytest.approx(measured, abs=1e-6)
    for path in (cwd / "out").rglob("*.*"):
        assert str(tmp_path) not in path.read_text(encoding="utf-8"), path

    # Named by hand, and what does not fit together.
    named = f"runs={{first: {one.relative_to(cwd)}, second: [{other.relative_to(cwd)}]}}"
    assert typed("compare", named, "baseline=first", "output=named", "resamples=50").returncode == 0
    refused = typed("compare", "runs=[runs/tiny/*]", "baseline=v3.0", "output=refused")
    assert refused.returncode == 1
    assert refused.stderr == "error: baseline=v3.0 is none of the versions v1.0, v2.0; name one of them\n"
    assert not (cwd / "refused").exists()
    missing = typed("compare", "baseline=v1.0")
    assert missing.stderr == "error: runs=… and output=… must be given; --help shows an example\n"

    # Other photos are other data.
    (root / "colours" / "images" / "000.png").unlink()
    assert typed("train", *SHORT, *data, "version=v4.0").returncode == 0
    refused = typed("compare", "runs=[runs/tiny/*]", "baseline=v1.0", "output=refused")
    assert refused.returncode == 1
    assert "cannot be compared: their" in refused.stderr and "v4.0 seed 0" in refused.stderr
