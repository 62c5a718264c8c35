"""step=report as typed: what people decided, the noise of the test fold, and what cleaning bought."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import commands
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_array

from tagger.cleaning.opened import opened
from tagger.cleaning.queue.sampling import sampled
from tagger.cleaning.report.report import report_on
from tagger.cleaning.scoring.scores import write_scores
from tagger.data.catalog import CatalogStore
from tagger.data.catalog.store import TABLES
from tagger.errors import UserError
from tagger.studies.composing import composed, composing
from tagger.training.building import build_data

pytestmark = pytest.mark.slow


def clean(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tagger.clean", *words]
    return commands.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def colours_in(root: Path) -> list[str]:
    """Return the words that choose the data set that the fixture ``colours`` makes."""
    return [
        "data=folder",
        f"data.root={root}",
        "data.source.folder=colours",
        "data.source.unlisted=absent",
        f"data.taxonomy={root / 'colours.yaml'}",
        "data.workers=0",
    ]


def test_the_report_measures_the_test_fold_and_what_cleaning_bought(
    colours: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    data = colours_in(colours(80))
    with composing():
        # This prepares the catalog.
        cleaning = opened(composed("clean", ["step=report", *data]), "folder", data, command="")
    with pytest.raises(UserError, match="judges: 'eve' has answered nothing; those who have: nobody"):
        report_on(cleaning, judges=["eve"])

    # A sample of the test fold is sent out; ann finds one of ten wrong, and two mistakes that the loop picked.
    store, folder = CatalogStore(tmp_path / "catalogs" / "folder"), tmp_path / "cleaning" / "folder"
    seen = cleaning.data
    states, ids = seen.catalog.states.toarray(), seen.catalog.photos["photo_id"].to_pylist()
    nobody = csr_array(states.shape, dtype=np.int8)
    drawn = sampled(seen.catalog.states, seen.test_rows, count=10, unknown=np.ones(len(seen.test_rows)), closed=nobody)
    picked = [(int(row), int(states[row].argmax())) for row in seen.train_rows[:2]]
    questions = [("sample", *pair) for pair in zip(*(column.tolist() for column in drawn), strict=True)]
    questions += [("mistaken", *pair) for pair in picked]
    note = [{"photo_id": ids[row], "label": seen.taxonomy.ids[label], "kind": kind} for kind, row, label in questions]
    (folder / "sent").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(note), folder / "sent" / "1.parquet")
    told = {"labels": list(seen.taxonomy.ids), "taxonomy_fingerprint": seen.taxonomy.fingerprint, "words": []}
    numbers = [batch.number for batch in store.manifest.batches]
    truth = (1 + states) / 2
    scored = {**told, "data_fingerprint": "before", "when": "2026-01-01", "batches": numbers}
    write_scores(folder, np.clip(truth * 0.2 + np.random.default_rng(0).random(truth.shape), 0, 1), scored)
    said = [
        {
            "photo": row,
            "label": seen.taxonomy.ids[label],
            "value": int(states[row, label]) * (-1 if kind == "mistaken" or not number else 1),
            "origin": "human",
            "annotator": "ann",
        }
        for number, (kind, row, label) in enumerate(questions)
    ]
    with store.locked():
        (batch,) = store.append({"ann": {"annotations": pa.Table.from_pylist(said, schema=TABLES["annotations"])}})
    write_scores(
        folder, truth, {**scored, "data_fingerprint": "after", "when": "2026-01-02", "batches": [batch.number]}
    )

    done = clean("step=report", *data, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "report.json").read_text())
    counts = {kind: (found["found"], found["decided"], found["changed"]) for kind, found in report["kinds"].items()}
    assert counts == {"mistaken": (2, 2, 2), "sample": (10, 10, 1)}
    noise = json.loads((store.folder / "test_noise.json").read_text())
    assert (noise["looked_at"], noise["wrong"]) == (10, 1)
    assert noise["present"]["size"] + noise["absent"]["size"] == 4 * len(seen.test_rows)
    assert noise == report["noise"] | {key: noise[key] for key in ("looked_at", "wrong", "is_under_limit")}
    first, last = report["gains"]["points"]
    assert (first["decided"], last["decided"]) == (0, 12)
    assert first["every"] < last["every"]
    assert {change["people"]["ann"] for change in report["changes"]} <= {"present", "absent"}
    assert len(report["changes"]) == 3
    assert "may be wrong" in " ".join(done.stdout.split())
    with composing():
        again = build_data(composed("train", [*data, "+data.catalog=catalogs/folder"]))
        turned = build_data(composed("train", [*data, "+data.catalog=catalogs/folder", "+data.turn=3"]))
    assert again.fold_noise is not None
    assert again.fold_noise.data_fingerprint == again.catalog.fingerprint, "training knows that it is of these data"
    assert turned.fold_noise is None, "another fold"
