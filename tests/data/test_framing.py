import numpy as np
import pytest
from PIL import Image

from tagger.data.framing import StillFraming
from tagger.data.transforms import EvalTransform


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_the_runtime_sees_the_very_pixels_that_validation_sees(tmp_path, fit, interpolation):
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.jpg")
    settings = {"size": 64, "fit": fit, "interpolation": interpolation, "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4)}
    framing, transform = StillFraming(**settings), EvalTransform(**settings)
    framed = framing.framed(tmp_path / "photo.jpg")
    assert framed.tobytes() == transform.framed(tmp_path / "photo.jpg").tobytes()
    mean, std = (np.array(settings[name])[:, None, None] for name in ("mean", "std"))
    normalised = (np.asarray(framed).transpose(2, 0, 1) / 255 - mean) / std
    assert np.allclose(transform(tmp_path / "photo.jpg").numpy(), normalised, atol=1e-5)


def test_a_recipe_makes_the_same_framing_again():
    framing = StillFraming(size=32, fit="crop")
    assert StillFraming(**framing.recipe()) == framing
