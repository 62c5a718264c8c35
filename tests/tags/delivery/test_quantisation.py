"""An eight-bit graph: smaller, nearly the same, with thresholds of its own."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from tagger.data.sources.sample.draw import draw_photo
from tagger.data.sources.sample.plan import plan_photo
from tagger.tags.delivery.bundle import read_bundle
from tagger.tags.delivery.graph import GraphError
from tagger.tags.delivery.quantisation import quantised, with_thresholds
from tagger.tags.runtime import Tagger


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.stack([np.asarray(draw_photo(plan_photo(0, number), size=64)) for number in range(48)])


def test_an_eight_bit_graph_is_smaller_and_ranks_photos_alike(delivered: Path, pixels: np.ndarray):
    bundle = read_bundle(delivered / "album.tagger")
    small = quantised(bundle.model, [{"pixels": some} for some in np.split(pixels[:32], 4)])
    assert len(small) < 0.6 * len(bundle.model)
    kinds = [node.op_type for node in onnx.load_from_string(small).graph.node]
    assert "QuantizeLinear" in kinds and "Sigmoid" in kinds
    whole, integers = (Tagger(bundle.manifest, model).run(pixels[32:]) for model in (bundle.model, small))
    assert not np.array_equal(whole.scores, integers.scores)
    assert np.corrcoef(whole.scores.ravel(), integers.scores.ravel())[0, 1] > 0.8
    assert (integers.scores[:, 0] >= integers.scores[:, 2]).all(), "blue implies red in integers, too"


def test_thresholds_in_a_graph_can_be_replaced(delivered: Path, pixels: np.ndarray):
    bundle = read_bundle(delivered / "album.tagger")
    graph = with_thresholds(bundle.model, torch.tensor([0.0, 2.0, 0.0, 2.0]))
    _, tags, _ = Tagger(bundle.manifest, graph).session.run(None, {"pixels": pixels[:5]})
    assert tags.tolist() == [[True, False, True, False]] * 5
    with pytest.raises(GraphError, match=r"no 3 thresholds named chain\.thresholds"):
        with_thresholds(bundle.model, torch.zeros(3))


def test_a_graph_that_cannot_be_quantised_is_an_error(pixels: np.ndarray):
    with pytest.raises(GraphError, match="the graph cannot be quantised"):
        quantised(b"no graph", [{"pixels": pixels[:2]}])
