"""A bundle with a detector tags as its checkpoint does, and says which tags are the detector's."""

import base64
import hashlib
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import commands
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.pyfunc.model import PythonModelContext
from PIL import Image

from tagger import Tagger
from tagger.data.sources.sample.draw import draw_photo
from tagger.data.sources.sample.plan import plan_photo
from tagger.tags.delivery.bundle import DETECTOR, BundleError, read_bundle
from tagger.tags.delivery.served import ServedTagger
from tagger.tags.tagging.album import tagged
from tagger.tags.tagging.pixel_batches import pace, pixel_batches


@pytest.fixture
def album(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{number}.jpg" for number in range(12)]
    for number, path in enumerate(paths):
        draw_photo(plan_photo(0, number), size=96).save(path)
    Image.new("RGB", (90, 60), (10, 250, 10)).save(paths[0])
    return [str(path) for path in paths]


@pytest.fixture
def bundle(delivered: Path, tmp_path: Path, colour_detector: Callable[..., bytes]) -> Path:
    """Deliver the tiny run with a detector that sees how red and how green a photo is: a folder."""
    run = Path(shutil.copytree(delivered, tmp_path / "run"))
    model = colour_detector()
    (run / "detector.onnx").write_bytes(model)
    checkpoint = torch.load(run / "checkpoints/best.ckpt", weights_only=True)
    checkpoint["recipe"]["detector"] = {
        "sha256": hashlib.sha256(model).hexdigest(),
        "classes": ["background", "reds", "greens", "blues"],
        "labels": {"reds": ["red"], "greens": ["green"]},
        "long_side": 320,
        "fusion": "maximum",
        "floor": 0.3,
        "taken": {"red": [1.0, 0.0, 0.0], "green": [1.0, 0.0, 0.0]},
    }
    torch.save(checkpoint, run / "checkpoints/best.ckpt")
    words = ["tagger.export", f"checkpoint={run}/checkpoints/best.ckpt", f"bundle={tmp_path}/bundle"]
    done = commands.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path / "bundle"


@pytest.mark.slow
def test_a_bundle_with_a_detector_fuses_what_it_sees(bundle: Path, delivered: Path, album: list[str]):
    tagger, alone = Tagger.load(bundle), Tagger.load(delivered / "album.tagger")
    assert tagger.detecting is not None
    assert Path(bundle / DETECTOR).is_file()
    seen = np.stack([tagger.detecting.detections(photo) for photo in album])
    means = np.stack([np.asarray(Image.open(photo).convert("RGB")).mean(axis=(0, 1)) / 255 for photo in album])
    expected = np.where(means[:, :2] >= 0.3, means[:, :2], 0)
    assert np.abs(seen[:, :2] - expected).max() < 1e-3
    assert (seen[:, 2:] == 0).all()
    without = alone.scores(album)
    assert np.abs(tagger.scores(album) - np.maximum(without, seen)).max() < 1e-4
    green = next(tag for tag in tagger.tag(album[:1])[0] if tag.label == "green")
    assert (green.origin, green.because) == ("detector", f"Green detected, {seen[0, 1]:.2f}")
    origins = {tag.origin for tags in tagger.tag(album) for tag in tags}
    assert origins <= {"detector", "network", "rule"} and "network" in origins

    (batch,) = pixel_batches(album, tagger, pace(workers=2, batch=64))
    assert np.array_equal(batch.detected, seen)
    lines = [photo for some in tagged(album, tagger, pace(0, 5), language=None, scores=False) for photo in some]
    assert [list(line.tags) for line in lines] == tagger.tag(album)

    in_memory = [io.BytesIO(Path(photo).read_bytes()) for photo in album]
    assert tagger.tag(in_memory) == tagger.tag(album)
    texts = pd.DataFrame({"photo": [base64.b64encode(Path(photo).read_bytes()).decode() for photo in album]})
    served = ServedTagger()
    served.load_context(PythonModelContext({"bundle": str(bundle)}, {}))
    given = served.predict(PythonModelContext({}, {}), texts)["tags"]
    assert [[tag["because"] for tag in tags] for tags in given] == [
        [tag.because for tag in tags] for tags in tagger.tag(album)
    ]

    (bundle / DETECTOR).write_bytes(b"another")
    with pytest.raises(BundleError, match=r"detector\.onnx has 7 bytes instead of"):
        read_bundle(bundle)
    (bundle / DETECTOR).unlink()
    with pytest.raises(BundleError, match=r"detector\.onnx is missing"):
        read_bundle(bundle)
    tree = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps(tree | {"detector": {"sha256": 3}}))
    with pytest.raises(BundleError, match=r"detector\.classes must be a list of texts, got None"):
        read_bundle(bundle)
