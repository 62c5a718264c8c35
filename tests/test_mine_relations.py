"""The command as typed, on the drawn album: relations are found, looked at, and written into a new label system."""

import csv
import sys
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import commands
import numpy as np
import pytest
from scipy.sparse import csr_array

from tagger.data.taxonomy import read_taxonomy
from tagger.errors import UserError
from tagger.mining.annotated import as_said
from tagger.mining.opened import Mining
from tagger.mining.relations.accepted import read_suggestions
from tagger.mining.steps import relations
from tagger.studies.composing import composed, composing
from tagger.tags.relations.rules import Relation, relations_of


def mining(*words: str, name: str | None = "sample") -> Mining:
    """Return what the command works with."""
    with composing():
        config = composed("mine", ["what=relations", *([f"data={name}"] if name else []), *words])
    return Mining(config, name, command="typed")


@pytest.mark.slow
def test_relations_are_found_by_the_command(tmp_path: Path):
    command = [sys.executable, "-m", "tagger.mine", "what=relations", "data=sample"]
    done = commands.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "mining" / "relations" / "sample"
    files = {"relations.csv", "relations.yaml", "relations.html", "graph.svg"}
    assert {path.name for path in folder.iterdir()} == files
    with (folder / "relations.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert next(row["taxonomy"] for row in rows if row["label"] == "animal.dog" and row["other"] == "animal") == "known"
    assert "python -m tagger.mine what=relations data=sample" in (folder / "relations.yaml").read_text()
    assert ("plant.tree", "implies", "scene") in read_suggestions(folder / "relations.yaml")


def test_what_is_left_of_the_suggestions_is_written_where_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    Path("relations.yaml").write_text("relations: [{label: object.car, implies: scene.city}]")
    relations.run(mining("patch=relations.yaml", "to=plus.yaml"))
    grown = read_taxonomy("plus.yaml")
    assert grown.labels[grown.column["object.car"]].implies == ("scene.city",)
    # What rules=taxonomy applies is what is audited.
    before, now = (relations_of(taxonomy) for taxonomy in (read_taxonomy("sample"), grown))
    assert set(now) - set(before) == {Relation("implies", "object.car", "scene.city")}
    assert "data=sample data.taxonomy=plus.yaml rules=taxonomy" in capsys.readouterr().out
    with pytest.raises(UserError, match="is there already"):
        relations.run(mining("patch=relations.yaml", "to=plus.yaml"))


def test_what_is_missing_is_asked_for():
    with pytest.raises(UserError, match="patch= and to= belong together"):
        relations.run(mining("to=plus.yaml"))
    for words in ([], ["patch=relations.yaml", "to=plus.yaml"]):
        with pytest.raises(UserError, match="data=… must be given"):
            relations.run(mining(*words, name=None))


def test_only_photos_that_train_are_looked_at_and_near_duplicates_count_once():
    states = csr_array(np.array([[1, 1], [1, 1], [1, 1], [1, -1], [-1, -1], [1, -1], [1, -1]], dtype=np.int8))
    columns = {"group": np.array([7, 7, 1, 2, 3, 4, 5]), "root": None}
    catalog = SimpleNamespace(states=states, column=columns.get)
    data: Any = SimpleNamespace(
        catalog=catalog, train_rows=np.arange(5), weights=(0.0,), kinds=np.zeros(7, dtype=np.int8)
    )
    pairs, said = relations.counted(data)
    assert pairs is said
    # Two frames of one scene, and another one; photos 5 and 6 validate and test.
    assert (pairs.both[0, 1], pairs.only[0, 1], pairs.photos[0, 1]) == (2, 1, 4)


def test_what_validation_and_test_photos_show_changes_nothing():
    data = as_said(mining("data.source.photos=100", "data.source.size=32"))
    before = relations.counted(data)
    others = np.setdiff1d(np.arange(len(data.catalog.photos)), data.train_rows)
    assert len(others) >= 15
    changed = data.catalog.states.tolil()
    changed[others] = 1
    data.catalog = replace(data.catalog, states=csr_array(changed))
    for one, other in zip(before, relations.counted(data), strict=True):
        for field in fields(one):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def test_what_the_label_system_has_filled_in_confirms_nothing():
    source: Any = as_said(mining(name="album")).source
    assert source.complete is False
