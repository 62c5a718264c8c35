"""What a run leaves in its folder, whole or, until the end, without ``metrics.json``."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tagger.data.taxonomy import Label, Taxonomy
from tagger.tags.detector.choosing import Choice
from tagger.tags.histogram import Histogram
from tagger.tags.relations.audit import Effect
from tagger.tags.thresholds import Target, fit
from tagger.tracking import deliverables
from tagger.tracking.deliverables import write_deliverables
from tagger.tracking.labels_csv import read_labels
from tagger.tracking.outcome import Outcome, outcome
from tagger.tracking.test_scores import Scored

FILES = ["bad_photos.json", "curves.json", "labels.csv", "metrics.json", "report.html", "test_scores.npz"]


def scored(states: list[list[int]]) -> Scored:
    scores = np.linspace(0.9, 0.1, len(states) * 2, dtype=np.float32).reshape(-1, 2)
    known = np.array(states, dtype=np.int8)
    return Scored(np.arange(len(states)) + 7, scores, known, Histogram.of(torch.tensor(scores), torch.tensor(known)))


@pytest.fixture
def run(tmp_path: Path) -> dict[str, Any]:
    """Arguments for four test photos and two labels, the second of which none of them carries."""
    photos = [(str(tmp_path), f"{number}.jpg") for number in range(4)]
    for root, name in photos:
        Image.new("RGB", (16, 16)).save(Path(root) / name)
    taxonomy = Taxonomy("album", (Label("forest", {"en": "forest", "zh": "森林"}), Label("poodle", {})), "0" * 16)
    validation = scored([[1, 1], [-1, -1], [1, 0]]).histogram
    contract = fit(validation, Target(precision=0.9, recall=0.5), unknown=1.0)
    test = scored([[1, -1], [0, -1], [1, -1], [-1, -1]])
    return {
        "result": outcome(contract, test, train_states=np.array([[2, 2], [0, 4], [5, 1]]), taxonomy=taxonomy),
        "contract": contract,
        "validation": validation,
        "test": test,
        "photos": photos,
        "history": [{"step": 4.0, "epoch": 1.0, "val/map": 0.5, "train/loss": 0.7}],
        "bad_photos": [("图片.jpg", "图片.jpg: empty")],
        "facts": {"experiment": "mine", "data": "album", "commit": "3f2a9c1d"},
    }


def test_everything_is_there_and_can_be_read_again(tmp_path: Path, run: dict[str, Any]):
    folder = tmp_path / "run"
    folder.mkdir()
    write_deliverables(folder, **run)
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert json.loads((folder / "metrics.json").read_text()) == run["result"].metrics
    assert [label.id for label in read_labels(folder / "labels.csv")] == ["forest", "poodle"]
    assert json.loads((folder / "bad_photos.json").read_text(encoding="utf-8")) == {"图片.jpg": "图片.jpg: empty"}
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "What the relations did" not in page
    assert all(text in page for text in ("mine on album", "森林", "3f2a9c1d", "图片.jpg: empty"))


def test_what_the_relations_did_is_there_if_there_were_any(tmp_path: Path, run: dict[str, Any]):
    figures: dict[str, Any] = {"tags": 3, "true": 1, "false": 2, "unknown": 0, "ap": 0.25, "ap_without": 0.75}
    rates = dict.fromkeys(("precision", "precision_without", "recall", "recall_without"))
    effect = Effect("parents", "poodle", "forest", "forest", **figures, **rates, is_harmful=True, is_used=False)
    write_deliverables(tmp_path, **run, audit=[effect])
    assert (
        (tmp_path / "rules.csv")
        .read_text()
        .splitlines()[1]
        .startswith("parents,poodle,forest,forest,3,1,2,0,0.25,0.75")
    )
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "What the relations did" in page
    assert "harmful, switched off" in page


def test_the_scores_of_the_test_photos_are_kept_with_their_rows(tmp_path: Path, run: dict[str, Any]):
    write_deliverables(tmp_path, **run)
    with np.load(tmp_path / "test_scores.npz") as kept:
        assert kept["rows"].tolist() == [7, 8, 9, 10]
        assert (kept["scores"] == run["test"].scores).all()
        assert (kept["states"] == run["test"].states).all()


def test_metrics_are_flat_finite_numbers_in_alphabetical_order(tmp_path: Path, run: dict[str, Any]):
    write_deliverables(tmp_path, **run)

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    metrics = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=refuse)
    assert list(metrics) == sorted(metrics)
    assert {type(value) for value in metrics.values()} == {float}
    assert {"test/map", "test/labels_counted", "test/micro_f1", "test/macro_f1"} <= set(metrics)


def test_a_run_is_not_finished_before_everything_is_written(
    tmp_path: Path, run: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    def killed(*arguments: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(deliverables, "write_report", killed)
    with pytest.raises(KeyboardInterrupt):
        write_deliverables(tmp_path, **run)
    assert not (tmp_path / "metrics.json").exists()


def test_a_run_in_which_nothing_can_be_measured_is_delivered_all_the_same(tmp_path: Path, run: dict[str, Any]):
    nothing = scored([[0, 0], [0, 0], [0, 0], [0, 0]])
    contract = fit(nothing.histogram, Target(), unknown=0.0)
    taxonomy = Taxonomy("album", (Label("forest", {}), Label("poodle", {})), "0" * 16)
    result: Outcome = outcome(contract, nothing, train_states=np.zeros((3, 2), dtype=int), taxonomy=taxonomy)
    write_deliverables(tmp_path, **run | {"result": result, "contract": contract, "test": nothing, "history": []})
    assert set(FILES) <= {path.name for path in tmp_path.iterdir()}
    assert "test/map" not in json.loads((tmp_path / "metrics.json").read_text())


def test_what_a_detector_did_is_there_if_one_looked(tmp_path: Path, run: dict[str, Any]):
    choice = Choice("forest", True, False, 9, 30, 0.25, 0.75, 1.0, 0.5, 0.0, 8, 0.25, None)
    write_deliverables(tmp_path, **run, detector=[choice], unmapped={"<script>alert(1)</script>": 7})
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    section = page[page.index("What the detector did") :]
    section = section[: section.index("</details>")]
    assert "1 of 1 labels take the detector" in section
    assert "0.250 → 0.750" in section and "0.250 → –" in section
    assert "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi> 7" in section
    with (tmp_path / "detector.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["label"], row["is_taken"], row["val_ap_with"], row["test_ap_with"]) == ("forest", "True", "0.75", "")
