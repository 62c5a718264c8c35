"""Two scores become one: worked examples, laws, and the same in ONNX."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tagger.tags.detector.fusion import WAYS, Calibration, Fusion, evidence, log_odds

LABELS = ["bus", "car", "sky"]
TAKEN = {"bus": Calibration(1.0, 0.5, -0.25), "car": Calibration(0.5, 2.0, 0.0)}

score = st.floats(0, 1, width=32)
photos = st.lists(st.tuples(score, score, score), min_size=1, max_size=4).map(torch.tensor)
calibrations = st.tuples(st.floats(0, 4), st.floats(0, 4), st.floats(-3, 3)).map(lambda numbers: Calibration(*numbers))


def fused(way: Any, scores: list[float], detected: list[float]) -> list[float]:
    found: list[float] = Fusion(LABELS, way, TAKEN)(torch.tensor([scores]), torch.tensor([detected]))[0].tolist()
    return found


def test_worked_examples():
    assert fused("maximum", [0.5, 0.5, 0.5], [0.8, 0.2, 0.8]) == pytest.approx([0.8, 0.5, 0.5])
    assert fused("noisy_or", [0.5, 0.5, 0.5], [0.8, 0.2, 0.8]) == pytest.approx([0.9, 0.6, 0.5])
    # Evidence of 0.8 above a floor of 0.05: ln(4) + ln(19); the bus: 0 + 0.5 · 4.33 − 0.25.
    assert fused("logistic", [0.5, 0.5, 0.5], [0.8, 0.0, 0.8]) == pytest.approx([0.8716, 0.5, 0.5], abs=1e-4)


def test_detections_below_the_floor_are_none():
    for way in WAYS:
        assert fused(way, [0.5, 0.3, 0.5], [0.049, 0.01, 0.5]) == fused(way, [0.5, 0.3, 0.5], [0, 0, 0])


def test_evidence_is_what_is_clearer_than_the_floor():
    assert evidence(torch.tensor([0.0, 0.05, 0.5]), floor=0.05).tolist() == pytest.approx([0, 0, np.log(19)], abs=1e-5)
    assert torch.isfinite(log_odds(torch.tensor([0.0, 1.0]))).all()


@pytest.mark.parametrize("way", WAYS)
@given(scores=photos, others=photos, detected=photos, calibration=calibrations)
def test_neither_a_higher_score_nor_a_clearer_detection_lowers_a_score(
    way: Any, scores: Tensor, others: Tensor, detected: Tensor, calibration: Calibration
):
    fusion = Fusion(LABELS, way, dict.fromkeys(LABELS, calibration))
    some = min(len(scores), len(others), len(detected))
    scores, others, detected = scores[:some], others[:some], detected[:some]
    before = fusion(scores, detected)
    assert ((before >= 0) & (before <= 1)).all()
    assert (fusion(torch.maximum(scores, others), detected) >= before - 1e-6).all()
    assert (fusion(scores, torch.maximum(detected, others)) >= before - 1e-6).all()


@pytest.mark.parametrize("way", ["maximum", "noisy_or"])
@given(scores=photos)
def test_without_a_detection_the_score_is_the_networks(way: Any, scores: Tensor):
    fusion = Fusion(LABELS, way, TAKEN)
    torch.testing.assert_close(fusion(scores, torch.zeros_like(scores)), scores, atol=1e-7, rtol=0)
    assert not fusion.owed(scores, torch.zeros_like(scores)).any()


@pytest.mark.parametrize("way", WAYS)
def test_a_label_that_does_not_take_it_keeps_its_score_to_the_bit(way: Any):
    scores, detected = torch.rand(50, 3), torch.rand(50, 3)
    assert (Fusion(LABELS, way, {"car": TAKEN["car"]})(scores, detected)[:, [0, 2]] == scores[:, [0, 2]]).all()


def test_a_score_is_owed_to_the_clearer_of_the_two():
    scores, detected = torch.tensor([[0.4, 0.6, 0.1]]), torch.tensor([[0.6, 0.4, 0.9]])
    for way in ("maximum", "noisy_or"):
        assert Fusion(LABELS, way, TAKEN).owed(scores, detected).tolist() == [[True, False, False]]
    # Logistic: 0.25 without the detection of the bus, and three times as much with it.
    wide = Fusion(["bus"], "logistic", {"bus": Calibration(1.0, 1.0, 0.0)})
    without = wide(torch.tensor([[0.25]]), torch.tensor([[0.0]])).item()
    assert without == pytest.approx(0.25)
    assert wide.owed(torch.tensor([[0.25]]), torch.tensor([[0.9]])).item()
    assert not wide.owed(torch.tensor([[0.6]]), torch.tensor([[0.9]])).item()


@pytest.mark.parametrize("way", WAYS)
def test_a_recipe_gives_the_same_fusion_again(way: Any):
    fusion = Fusion(LABELS, way, TAKEN, floor=0.1)
    recipe = {"labels": [{"id": id_} for id_ in LABELS], "detector": fusion.as_recipe()}
    scores, detected = torch.rand(20, 3), torch.rand(20, 3)
    again = Fusion.from_recipe(recipe)
    assert (again(scores, detected) == fusion(scores, detected)).all()
    assert again.as_recipe() == fusion.as_recipe()


def test_a_checkpoint_without_a_detector_has_a_fusion_that_does_nothing():
    fusion = Fusion.from_recipe({"labels": [{"id": id_} for id_ in LABELS]})
    scores = torch.rand(4, 3)
    assert fusion.taken == {}
    assert (fusion(scores, torch.ones(4, 3)) == scores).all()
    assert fusion.state_dict() == {}


def test_other_settings_are_refused():
    with pytest.raises(ValueError, match=r"detector\.fusion must be maximum, noisy_or or logistic, got 'mean'"):
        Fusion(LABELS, "mean")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"detector\.floor must lie between 0 and 1, got 0"):
        Fusion(LABELS, "maximum", floor=0)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_onnx_computes_the_same(way: Any):
    import onnxruntime

    fusion = Fusion(LABELS, way, TAKEN).eval()
    example = (torch.rand(2, 3), torch.rand(2, 3))
    photos = torch.export.Dim("photos")
    program = torch.onnx.export(fusion, example, dynamo=True, dynamic_shapes=({0: photos}, {0: photos}), verbose=False)
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    scores, detected = torch.rand(50, 3), torch.rand(50, 3)
    scores[:3], detected[:3] = torch.tensor([0.0, 0.5, 1.0]), torch.tensor([1.0, 0.0, 0.05])
    names = [value.name for value in session.get_inputs()]
    (found,) = session.run(None, dict(zip(names, (scores.numpy(), detected.numpy()), strict=True)))
    np.testing.assert_allclose(found, fusion(scores, detected).numpy(), atol=1e-6)
