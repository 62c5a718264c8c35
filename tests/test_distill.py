"""The command as typed: a student learns from a bundle, also of photos without labels."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import commands
import numpy as np
import pytest
import torch
import yaml
from tiny import NETWORK, PHOTOS, data_of

from tagger.data.transforms import EvalTransform
from tagger.model.checkpoint import load_checkpoint
from tagger.tags.runtime import Tagger

pytestmark = pytest.mark.slow

TINY = [*PHOTOS, *NETWORK, "optimizer.lr=0.01", "logger=csv"]


@pytest.fixture
def distil(colours: Callable[..., Path], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    root = colours(80)
    command = [sys.executable, "-m", "tagger.train", *TINY, *data_of(root)]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return commands.run([*command, *words], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)

    return run


def test_a_student_says_what_its_teacher_says_and_not_what_is_annotated(
    distil: Callable[..., subprocess.CompletedProcess[str]], delivered: Path, tmp_path: Path
):
    # Half of the photos have no labels.
    images, pool = tmp_path / "root" / "colours" / "images", tmp_path / "pool"
    pool.mkdir()
    for photo in sorted(images.iterdir())[40:]:
        photo.rename(pool / photo.name)
    table = images.parent / "labels.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:41]))
    words = ["+experiment=distill", f"teacher={delivered / 'album.tagger'}", f"pool={pool}", "distillation.weight=1"]
    done = distil(*words, "trainer.max_epochs=30")
    assert done.returncode == 0, done.stderr
    assert "pool: 40 photos without labels" in done.stdout
    assert "the teacher knows 4 of 4 labels" in done.stdout
    (run,) = (tmp_path / "runs" / "distill").iterdir()
    settings = yaml.safe_load((run / "config.yaml").read_text())
    assert (settings["pool"], settings["distillation"]["weight"]) == (str(pool), 1)
    assert json.loads((run / "run.json").read_text())["facts"]["teacher"].startswith("album.tagger ")
    assert json.loads((run / "metrics.json").read_text())["states/train_photos"] == 72

    # The last epoch: the best is the best by the annotations, which the teacher contradicts.
    network, _, recipe = load_checkpoint(run / "checkpoints" / "last.ckpt")
    seen = network.normalisation
    pixels = EvalTransform(size=32, fit=recipe["fit"], mean=seen.mean, std=seen.std, interpolation=seen.interpolation)
    photos = sorted(images.iterdir())[:8]
    with torch.inference_mode():
        student = network(torch.stack([pixels(photo) for photo in photos])).sigmoid().numpy()
    teacher = Tagger.load(delivered / "album.tagger").scores(photos)
    truth = np.tile(np.eye(4), (2, 1))
    assert np.abs(student - teacher).mean() < 0.15 < np.abs(teacher - truth).mean()
