"""The command as typed, on the drawn album: relations are found, looked at, and written into a new label system."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from tagger.data.taxonomy import read_taxonomy
from tagger.mining.relations.suggestions import read_suggestions


def mine(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tagger.mine", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_relations_are_found_reviewed_and_written(tmp_path: Path):
    done = mine("what=relations", "data.source.photos=150", "support=5", "confidence=0.6", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "mining" / "relations"
    assert {path.name for path in folder.iterdir()} == {
        "relations.csv",
        "relations.yaml",
        "relations.html",
        "graph.svg",
    }
    with (folder / "relations.csv").open() as file:
        rows = list(csv.DictReader(file))
    dogs = next(row for row in rows if (row["label"], row["other"]) == ("animal.dog", "animal"))
    assert dogs["taxonomy"] == "known"
    left = read_suggestions(folder / "relations.yaml")
    assert left
    written = mine("what=relations", "patch=mining/relations/relations.yaml", "to=plus.yaml", cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    grown = read_taxonomy(str(tmp_path / "plus.yaml"))
    stated = {
        (label.id, key, other)
        for label in grown.labels
        for key in ("parents", "implies", "excludes")
        for other in getattr(label, key)
    }
    assert set(left) <= stated
    again = mine("what=relations", "patch=mining/relations/relations.yaml", "to=plus.yaml", cwd=tmp_path)
    assert again.returncode == 1
    assert "is there already" in again.stderr
    alone = mine("what=relations", "to=other.yaml", cwd=tmp_path)
    assert "patch= and to= belong together" in alone.stderr
    nothing = mine("what=relation", cwd=tmp_path)
    assert "what=relation: there is no such thing to mine" in nothing.stderr
