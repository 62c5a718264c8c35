"""The command as typed: a model gets a new label, keeps the others and keeps the others."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import commands
import numpy as np
import pytest
import torch
from tiny import NETWORK, PHOTOS

from tagger.data.transforms import EvalTransform
from tagger.model.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow

TINY = [*PHOTOS, *NETWORK, "optimizer.lr=0.01", "logger=csv"]

AFTER = """
name: after
labels:
  - grey
  - {id: crimson, aliases: [red]}
  - {id: cold, aliases: [green, blue]}
"""


@pytest.fixture
def type_(colours: Callable[..., Path], tmp_path: Path) -> Callable[..., str]:
    """Return a function that trains on plain colours, where nobody has named grey so far."""
    root = colours(80)
    table = root / "colours" / "labels.csv"
    table.write_text(table.read_text().replace(",grey", ","))
    (root / "before.yaml").write_text("name: before\nlabels: [red, green, blue]\n")
    (root / "after.yaml").write_text(AFTER)

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "tagger.train", *TINY, f"data.root={root}", *words]
        done = commands.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_new_labels_are_learnt_and_the_others_stay(type_: Callable[..., str], tmp_path: Path):
    root = tmp_path / "root"
    type_(f"taxonomy={root}/before.yaml", "trainer.max_epochs=4", "name=before")
    (before,) = (tmp_path / "runs" / "before").glob("*/checkpoints/best.ckpt")
    # Somebody looked for grey on every second photo, and named the others as they are.
    table = root / "colours" / "labels.csv"
    rows = [line.split(",") for line in table.read_text().splitlines()[1:]]
    said = []
    for number, (name, label) in enumerate(rows):
        looked = number % 8 < 4
        said.append(f"{name},{label or ('grey' if looked else '')},{'grey' if label and looked else ''}")
    table.write_text("\n".join(["image,labels,absent", *said]) + "\n")
    words = ["+experiment=extend", f"from={before}", f"taxonomy={root}/after.yaml", "regime=head"]
    output = type_(*words, "trainer.max_epochs=3", "rules=taxonomy")
    assert "labels: 1 renamed, 1 merged, 1 new" in output
    assert "earlier labels" in output

    (run,) = (tmp_path / "runs" / "extend").iterdir()
    with (run / "extension.csv").open(newline="") as file:
        grey, crimson, cold = csv.DictReader(file)
    assert (grey["change"], grey["earlier"], grey["ap_before"]) == ("new", "", "")
    assert (crimson["change"], crimson["earlier"], crimson["is_refitted"]) == ("renamed", "red", "False")
    assert crimson["ap"] == crimson["ap_before"]
    assert crimson["threshold"] == crimson["threshold_before"]
    assert (cold["change"], cold["earlier"], cold["threshold_before"]) == ("merged", "green|blue", "")
    figures = json.loads((run / "metrics.json").read_text())
    assert figures["extension/labels_new"] == 1
    assert "extension/new_map" in figures
    assert "What the extension did" in (run / "report.html").read_text(encoding="utf-8")

    # Backbone, row and threshold of what was renamed are the earlier model's.
    (theirs, old, _), (ours, new, recipe) = (
        load_checkpoint(path) for path in (before, run / "checkpoints" / "best.ckpt")
    )
    assert [label["id"] for label in recipe["labels"]] == ["grey", "crimson", "cold"]
    seen = ours.normalisation
    pixels = EvalTransform(size=32, fit="squash", mean=seen.mean, std=seen.std, interpolation=seen.interpolation)
    photos = torch.stack([pixels(photo) for photo in sorted((root / "colours" / "images").iterdir())[:8]])
    with torch.inference_mode():
        np.testing.assert_allclose(ours(photos)[:, 1], theirs(photos)[:, 0], rtol=1e-5)
    assert new[1] == old[0]
