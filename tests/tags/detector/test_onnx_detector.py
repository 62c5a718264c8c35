"""A detector is what has torchvision's signature; everything else is refused by name, before a photo is looked at."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto

from tagger.data.sources.listing import Listing
from tagger.data.taxonomy import read_taxonomy
from tagger.tags.detector.classes import COCO_80, COCO_91
from tagger.tags.detector.detecting import Detecting
from tagger.tags.detector.mapping import ClassMap
from tagger.tags.detector.onnx_detector import DetectorError, OnnxDetector
from tagger.tags.detector.picture import Undistorted
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import average_precision

CLASSES = ("__background__", "crimson", "lime", "navy")
MakeDetector = Callable[..., bytes]


def photo(red: int, green: int, blue: int) -> np.ndarray:
    return np.full((40, 60, 3), (red, green, blue), np.uint8)


def test_the_highest_score_of_every_class_is_kept(colour_detector: MakeDetector):
    scores = OnnxDetector(colour_detector(), CLASSES).highest(photo(255, 51, 0))
    assert scores.tolist() == pytest.approx([0, 1, 0.2, 0], abs=1e-5)
    assert scores.dtype == np.float32


def test_of_several_objects_of_a_class_the_best_counts(colour_detector: MakeDetector):
    scores = OnnxDetector(colour_detector((2, 2, 2)), CLASSES).highest(photo(51, 153, 102))
    assert scores.tolist() == pytest.approx([0, 0, 0.6, 0], abs=1e-5)


def test_outputs_of_other_names_are_told_apart_by_their_types(colour_detector: MakeDetector):
    detector = OnnxDetector(colour_detector(outputs=("7", "9", "8")), CLASSES)
    assert detector.outputs == ["7", "9", "8"]
    assert detector.highest(photo(255, 0, 0))[1] == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image": (1, 3, "height", "width")}, r"must take one image, float32 \[3, height, width\]"),
        ({"image": (3, 300, 300)}, "takes pictures of one size only"),
        ({"image": (4, "height", "width")}, "must take one image"),
        ({"outputs": ("boxes", "labels")}, r"must give boxes .* it gives boxes: tensor\(float\)"),
        ({"number_type": TensorProto.INT32}, r"must give boxes .* labels: tensor\(int32\)"),
        ({"numbers": (1, 2, 4)}, "speaks of class 4, but detector.classes names 0 to 3"),
        ({"numbers": (-1, 2, 3)}, "speaks of class -1"),
        ({"numbers": (0, 1, 2)}, "speaks of class 0, which stands for nothing"),
        ({"factor": 4.0}, r"gives scores from 2 to 2; they must lie in \[0, 1\]"),
        ({"factor": float("nan")}, r"they must lie in \[0, 1\]"),
    ],
)
def test_what_has_another_signature_is_refused(colour_detector: MakeDetector, settings: Any, message: str):
    with pytest.raises(DetectorError, match=message) as caught:
        OnnxDetector(colour_detector(**settings), CLASSES, name="mine.onnx")
    assert str(caught.value).startswith("mine.onnx ")


def test_a_shadow_of_nothing_is_no_class(colour_detector: MakeDetector):
    scores = OnnxDetector(colour_detector((0, 1, 2), factor=0.9), CLASSES).highest(photo(100, 200, 0))
    assert scores[1] == pytest.approx(0.9 * 200 / 255, abs=1e-5)


@pytest.mark.parametrize("content", [b"", b"no detector", b"\x08\x09" * 50])
def test_what_is_no_onnx_file_is_refused(content: bytes):
    with pytest.raises(DetectorError, match=r"mine\.onnx is no detector that onnxruntime can read"):
        OnnxDetector(content, CLASSES, name="mine.onnx")


def test_plain_values_are_all_it_takes(colour_detector: MakeDetector, tmp_path: Path):
    from PIL import Image

    model = colour_detector()
    detector = OnnxDetector(model, CLASSES)
    recipe = {
        "sha256": detector.sha256,
        "classes": list(CLASSES),
        "labels": {"crimson": ["warm", "red"], "lime": ["green"]},
        "long_side": 64,
        "floor": 0.25,
    }
    detecting = Detecting.from_recipe(recipe, ["green", "red", "sky", "warm"], model, threads=1)
    Image.new("RGB", (300, 200), (204, 51, 255)).save(tmp_path / "photo.png")
    assert detecting.detections(tmp_path / "photo.png").tolist() == pytest.approx([0, 0.8, 0, 0.8], abs=1e-5)
    with pytest.raises(DetectorError, match="the detector is another one: its sha256 is"):
        Detecting.from_recipe(recipe, ["green"], colour_detector(factor=0.5))


def test_looking_at_photos_needs_no_torch():
    words = (
        "import sys, tagger.tags.detector.detecting as it; print(it.Detecting, {'torch', 'yaml'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")


# --- a real one -------------------------------------------------------------------------------------------------------


@pytest.fixture
def nanodet(real_detector: Path) -> OnnxDetector:
    return OnnxDetector(real_detector.read_bytes(), COCO_91)


def test_a_real_detector_finds_the_animals(nanodet: OnnxDetector, real_photos: Path):
    taxonomy = read_taxonomy("voc")
    catalog = Listing(folder="voc2012_animals", unlisted="absent").read(str(real_photos), taxonomy)
    rows = np.arange(0, len(catalog), len(catalog) // 60)
    framing = Undistorted(long_side=512)
    highest = np.stack([nanodet.highest(np.asarray(framing.framed(catalog.place(row)))) for row in rows.tolist()])
    scores = ClassMap.of(COCO_91, taxonomy).to_labels(highest, floor=0.05)
    states = torch.from_numpy(catalog.states[rows].toarray())
    ap = average_precision(Histogram.of(torch.from_numpy(scores), states), unknown="ignore")
    for animal in ("cat", "dog", "person"):
        assert ap.values[taxonomy.column[animal]] > 0.8, animal


def test_a_real_detector_under_the_wrong_numbers_is_noticed(real_detector: Path, real_photos: Path):
    detector = OnnxDetector(real_detector.read_bytes(), COCO_80)
    framing = Undistorted(long_side=512)
    with pytest.raises(DetectorError, match=r"detector\.classes names 0 to 79"):
        for path in sorted((real_photos / "voc2012_animals" / "images").iterdir())[:80]:
            detector.highest(np.asarray(framing.framed(path)))
