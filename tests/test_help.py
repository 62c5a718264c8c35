"""The verbs in new interpreters, as typed: each imports all that it needs by itself."""

import subprocess
import sys
from pathlib import Path

import pytest

VERBS = sorted(
    path.stem
    for path in (Path(__file__).parents[1] / "tagger").glob("[!_]*.py")
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
)


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_help_begins_with_what_to_type(verb: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", f"tagger.{verb}", "--help"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"python -m tagger.{verb} " in done.stdout
    assert list(tmp_path.iterdir()) == []
