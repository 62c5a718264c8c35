"""What a detector sees is computed once per photo and detector, and never half."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import commands
import numpy as np
import pytest

from tagger.data import by_content
from tagger.data.catalog import Catalog
from tagger.data.datamodule import PhotoData
from tagger.data.photo import BadPhoto
from tagger.tags.detector.cache import Detections, highest_scores
from tagger.tags.detector.mapping import ClassMap
from tagger.tags.detector.onnx_detector import OnnxDetector
from tagger.tags.detector.picture import Undistorted

CLASSES = ("__background__", "crimson", "lime", "navy")
FRAMING = Undistorted(long_side=64)
ALL = np.arange(40)


class Counting(OnnxDetector):
    """It counts the photos that it looks at, and is interrupted before one of them."""

    looks = 0
    until = 10**6

    def highest(self, pixels: np.ndarray) -> np.ndarray:
        if self.looks >= self.until:
            raise KeyboardInterrupt
        self.looks += 1
        return super().highest(pixels)


@pytest.fixture
def catalog(colours: Callable[..., Path], photo_data: Callable[..., PhotoData]) -> Catalog:
    return photo_data(colours(40)).catalog


@pytest.fixture
def detector(colour_detector: Callable[..., bytes]) -> Counting:
    return Counting(colour_detector(), CLASSES)


@pytest.fixture
def look(tmp_path: Path, catalog: Catalog) -> Callable[..., np.ndarray]:
    def make(
        detector: OnnxDetector,
        rows: np.ndarray = ALL,
        *,
        framing: Undistorted = FRAMING,
        catalog: Catalog = catalog,
        workers: int = 0,
    ) -> np.ndarray:
        return highest_scores(detector, framing, catalog, rows, folder=tmp_path / "kept", workers=workers)

    return make


def parts(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "kept").rglob("*.arrow"))


def test_they_are_what_the_detector_sees(catalog: Catalog, detector: Counting, look: Callable[..., np.ndarray]):
    rows = np.array([3, 17, 4])
    expected = [detector.highest(np.asarray(FRAMING.framed(catalog.place(row)))) for row in rows.tolist()]
    assert (look(detector, rows) == np.stack(expected)).all()


def test_the_second_time_the_photos_are_not_needed(
    catalog: Catalog, detector: Counting, look: Callable[..., np.ndarray]
):
    first = look(detector)
    for photo in (Path(catalog.roots[0]) / "images").iterdir():
        photo.unlink()
    assert (look(detector, ALL[::-1]) == first[::-1]).all()
    assert detector.looks == 40


def test_more_photos_are_looked_at_and_the_others_not_again(detector: Counting, look: Callable[..., np.ndarray]):
    few = look(detector, np.arange(10))
    all_ = look(detector)
    assert detector.looks == 40
    assert (all_[:10] == few).all()


def test_another_detector_and_another_size_look_for_themselves(
    tmp_path: Path, colour_detector: Callable[..., bytes], detector: Counting, look: Callable[..., np.ndarray]
):
    first = look(detector)
    other = Counting(colour_detector(factor=0.5), CLASSES)
    assert (look(other) != first).any()
    assert (other.looks, detector.looks) == (40, 40)
    look(detector, framing=Undistorted(long_side=32))
    assert detector.looks == 80
    # How large a file may be says nothing of what is seen.
    look(detector, framing=replace(FRAMING, max_pixels=999_999))
    assert detector.looks == 80
    assert len({path.parent for path in parts(tmp_path)}) == 3


def test_the_same_content_is_looked_at_once(
    catalog: Catalog, detector: Counting, look: Callable[..., np.ndarray], photo_data: Callable[..., PhotoData]
):
    images = Path(catalog.roots[0]) / "images"
    (images / "000.png").write_bytes((images / "001.png").read_bytes())
    found = look(detector, catalog=photo_data(images.parents[1]).catalog)
    assert detector.looks == 39
    assert (found[0] == found[1]).all()


def test_an_interrupted_look_goes_on_where_it_stopped(
    tmp_path: Path, detector: Counting, look: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    detector.until = 13
    with pytest.raises(KeyboardInterrupt):
        look(detector)
    detector.until = 10**6
    found = look(detector)
    assert detector.looks == 40
    monkeypatch.setattr(by_content, "PART_SECONDS", 0.0)
    assert (look(detector, framing=Undistorted(long_side=65)) == found).all()


def test_many_parts_become_one(
    tmp_path: Path, detector: Counting, look: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(by_content, "PART_SECONDS", 0.0)
    monkeypatch.setattr(by_content, "MOST_PARTS", 50)
    first = look(detector)
    assert len(parts(tmp_path)) == 40
    monkeypatch.setattr(by_content, "MOST_PARTS", 8)
    assert (look(detector) == first).all()
    assert len(parts(tmp_path)) == 1
    assert (look(detector) == first).all()
    assert detector.looks == 40


def test_what_is_seen_on_an_edited_file_is_not_kept_as_of_the_photo_that_it_was(
    catalog: Catalog, detector: Counting, look: Callable[..., np.ndarray], photo_data: Callable[..., PhotoData]
):
    images = Path(catalog.roots[0]) / "images"
    true = (images / "000.png").read_bytes()
    (images / "000.png").write_bytes((images / "001.png").read_bytes())
    with pytest.warns(UserWarning, match="1 photo is not what was noted"):
        believed = look(detector)
    assert (believed[0] == believed[1]).all()
    (images / "000.png").write_bytes(true)
    found = look(detector)
    assert (found[0] != found[1]).any()
    assert detector.looks == 41


@pytest.mark.parametrize("left", [0, 50, -10])
def test_a_part_that_was_cut_afterwards_is_computed_again(
    tmp_path: Path, detector: Counting, look: Callable[..., np.ndarray], left: int
):
    first = look(detector)
    (path,) = parts(tmp_path)
    os.truncate(path, left if left >= 0 else path.stat().st_size + left)
    assert (look(detector) == first).all()
    assert detector.looks == 80


def test_a_photo_that_vanishes_meanwhile_is_named_and_the_others_are_kept(
    catalog: Catalog, detector: Counting, look: Callable[..., np.ndarray]
):
    (Path(catalog.roots[0]) / "images" / "033.png").unlink()
    with pytest.raises(BadPhoto, match=r"033\.png: missing; it was readable a moment ago"):
        look(detector)
    seen = detector.looks
    look(detector, np.delete(ALL, 33))
    assert detector.looks == 39 and 0 < seen < 40


def test_processes_that_decode_change_nothing(tmp_path: Path, detector: Counting, look: Callable[..., np.ndarray]):
    alone = look(detector)
    for path in parts(tmp_path):
        path.unlink()
    assert (look(detector, workers=2) == alone).all()


def test_a_batch_is_told_the_labels(detector: Counting, look: Callable[..., np.ndarray]):
    rows = np.array([2, 5, 9])
    map_ = ClassMap(("blue", "red"), ((), (1,), (), (0,)))
    detections = Detections(rows, look(detector, rows), map_, 0.3)
    # 2 is blue, 5 green, 9 green.
    found = detections.of(np.array([5, 2]))
    assert found.shape == (2, 2)
    assert (found[0] == 0).all()
    assert found[1] == pytest.approx([0.78, 0], abs=0.03)


SCRIPT = """
import hashlib, sys, time
from dataclasses import replace
from pathlib import Path
import numpy as np
import pyarrow as pa
from tagger.data import by_content
from tagger.data.sources.listing import Listing
from tagger.data.taxonomy import read_taxonomy
from tagger.tags.detector import cache
from tagger.tags.detector.onnx_detector import OnnxDetector
from tagger.tags.detector.picture import Undistorted

class Slow(OnnxDetector):
    looks = 0
    def highest(self, pixels):
        time.sleep(float(sys.argv[2]))
        self.looks += 1
        return super().highest(pixels)

folder = Path(sys.argv[1])
root = folder / "root"
catalog = Listing(folder="colours", unlisted="absent").read(str(root), read_taxonomy(str(root / "colours.yaml")))
names = [hashlib.sha256(Path(catalog.place(row)).read_bytes()).hexdigest() for row in range(len(catalog))]
catalog = replace(catalog, photos=catalog.photos.append_column("photo_id", pa.array(names)))
detector = Slow((folder / "colours.onnx").read_bytes(), ["", "crimson", "lime", "navy"])
by_content.PART_SECONDS, by_content.MOST_PARTS = 0.0, 100
framing = Undistorted(long_side=64)
cache.highest_scores(detector, framing, catalog, np.arange(40), folder=folder / "kept", workers=0)
print("looks", detector.looks)
"""


@pytest.mark.slow
def test_a_killed_process_has_kept_what_it_saw(
    tmp_path: Path, colours: Callable[..., Path], colour_detector: Callable[..., bytes]
):
    colours(40)
    (tmp_path / "colours.onnx").write_bytes(colour_detector())
    words = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    process = commands.Popen([*words, "0.1"], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(parts(tmp_path)) < 3:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len(parts(tmp_path))
    done = commands.run([*words, "0"], capture_output=True, text=True, check=True, timeout=120)
    looks = int(done.stdout.split("looks ")[1])
    assert 3 <= kept < 40
    assert looks == 40 - kept
