"""torchvision's detectors: weights from the hub or a file, and an ONNX graph that sees what they see."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

from tagger.tags.detector.classes import COCO_91
from tagger.tags.detector.onnx_detector import DetectorError, OnnxDetector
from tagger.tags.detector.torchvision_detector import build_torchvision, exported, to_onnx

FEW = ("__background__", "cat", "dog")


def build(**settings: Any) -> Any:
    torch.manual_seed(0)
    # Of random weights each class has about the same score: 1 / 92 of COCO's.
    return build_torchvision(**{"architecture": "ssdlite", "weights": None, "classes": FEW, "floor": 0.005} | settings)


def test_without_a_hub_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models, "get_model", unreachable)
    with pytest.raises(DetectorError, match=r"no weights for 'ssdlite' \(OSError: no route.*\.weights=<file\.pth>"):
        build(weights="hub")


def test_an_unknown_name_is_refused():
    with pytest.raises(DetectorError, match="no detector 'yolo'; there are ssd300, ssdlite, and any as ONNX"):
        build(architecture="yolo")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_come_from_a_file(tmp_path: Path, suffix: str):
    state = {name: tensor.clone().contiguous() for name, tensor in build().state_dict().items()}
    state = {name: tensor + 0.5 if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    path = tmp_path / f"mine{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": state}, path)
    else:
        from safetensors.torch import save_file

        save_file(state, path)
    found = build(weights=str(path)).state_dict()
    assert all((tensor == state[name]).all() for name, tensor in found.items())


@pytest.mark.slow
def test_a_file_of_another_number_of_classes_is_refused(tmp_path: Path):
    torch.save(build().state_dict(), tmp_path / "mine.pth")
    with pytest.raises(DetectorError, match=r"mine\.pth does not fit 'ssdlite'.*detector\.classes must name as many"):
        build(weights=str(tmp_path / "mine.pth"), classes=COCO_91)


@pytest.mark.slow
def test_a_file_that_would_run_code_is_refused(tmp_path: Path):
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(DetectorError, match=r"evil\.pth holds no weights that can be read"):
        build(weights=str(tmp_path / "evil.pth"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(DetectorError, match=r"detector\.weights: .*none\.pth does not exist"):
        build(weights=str(tmp_path / "none.pth"))


def spread_out(model: Any, photos: torch.Tensor) -> None:
    """Let batch norms see photos, so that what is behind them varies from place to place."""
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 1.0
    model.train()
    model.head(list(model.backbone(photos).values()))
    model.eval()


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["ssdlite", pytest.param("ssd300", marks=pytest.mark.nightly)])
def test_the_graph_sees_what_torchvision_sees(architecture: str):
    model = build(architecture=architecture)
    # Random weights say the same everywhere, and which of equal boxes are kept is nobody's promise.
    rng = np.random.default_rng(0)
    with torch.no_grad():
        spread_out(model, torch.from_numpy(rng.random((4, 3, 320, 320), np.float32)))
    for name, parameter in model.named_parameters():
        if "classification_head" in name and parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    detector = OnnxDetector(to_onnx(model), FEW)
    for height, width in ((240, 320), (333, 200), (64, 64)):
        picture = rng.random((3, height, width), np.float32)
        with torch.inference_mode():
            (expected,) = model([torch.from_numpy(picture)])
        found = detector.objects(picture)
        assert len(found.scores) == len(expected["scores"]) > 0
        np.testing.assert_allclose(found.scores, expected["scores"], atol=1e-4)
        for number in range(len(FEW)):
            ours, theirs = found.scores[found.classes == number], expected["scores"][expected["labels"] == number]
            assert max(ours, default=0) == pytest.approx(max(theirs.tolist(), default=0), abs=1e-4)


@pytest.mark.slow
def test_the_graph_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    torch.save(build().state_dict(), tmp_path / "mine.pth")
    settings: dict[str, Any] = {"weights": str(tmp_path / "mine.pth"), "classes": FEW, "floor": 0.05}
    first = exported("ssdlite", folder=tmp_path / "kept", **settings)
    from tagger.tags.detector import torchvision_detector

    monkeypatch.setattr(torchvision_detector, "to_onnx", lambda _: pytest.fail("exported again"))
    assert exported("ssdlite", folder=tmp_path / "kept", **settings) == first
