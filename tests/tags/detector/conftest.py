"""The real detector, where it is."""

from pathlib import Path

import pytest


@pytest.fixture
def real_detector(real_photos: Path) -> Path:
    """A detector of COCO's classes, beside the real photos."""
    path = real_photos.parent / "models" / "nanodet_coco.onnx"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    return path
