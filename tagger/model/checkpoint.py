"""Checkpoints: plain tensors, numbers and names, so that ``weights_only=True`` is enough to read them.

A checkpoint may come from anybody. It is looked over before torch reads it, its recipe holds plain values, and the
network is built of it only where the weights in the file are those of such a network.
"""

from collections import Counter
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, get_args

import torch
from torch import Tensor

from tagger.archive import ArchiveError, check_unpacked
from tagger.data.framing import Fit
from tagger.model.network import Network
from tagger.trust import is_trusted, refused

MAX_PICKLE = 16 * 2**20
"""Most bytes of all but the tensors: names, settings, the state of optimizers."""

MAX_VALUES = 2_000_000
"""Most names, numbers and lists in a recipe."""

MAX_LABELS, MAX_SIZE, MAX_BACKBONES, MAX_WIDTH = 25_000, 4096, 64, 8192


class CheckpointError(ValueError):
    """A file that is no checkpoint of ours; the message says why."""


def load_checkpoint(path: str | Path) -> tuple[Network, Tensor, dict[str, Any]]:
    """Build the network of a checkpoint again, without its pretrained weights being downloaded again.

    Returns:
        The network in evaluation mode, the thresholds (labels,), and the recipe: ``network``, ``labels``, ``size``,
        ``fit``, ``fingerprints``, and ``rules`` if there are any. Thresholds apply to scores that
        ``Rules.from_recipe(recipe)`` has completed.

    Raises:
        ValueError: If the file is not a checkpoint of ours.
        UserError: If its backbone is one of a hub or of a folder, which files may not name.
    """
    _check_file(Path(path))
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise CheckpointError(f"{path} holds more than tensors, numbers and names, or is damaged") from error
    if not isinstance(checkpoint, dict) or "recipe" not in checkpoint:
        raise CheckpointError(
            f"{path} is no checkpoint of tagger: it has no recipe; train one with python -m tagger.train"
        )
    recipe, state = checkpoint["recipe"], checkpoint.get("state_dict")
    _check_recipe(recipe)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError("its state_dict does not hold tensors")
    weights = {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}
    settings = recipe["network"] | {"labels": len(recipe["labels"]), "weights": None}
    # Of a network that takes no memory: a recipe may name one of four billion weights.
    with torch.device("meta"):
        wanted = Network(**settings).state_dict()
    if differing := [key for key in wanted if key not in weights or weights[key].shape != wanted[key].shape]:
        raise CheckpointError(f"its weights are not those of the network in its recipe, for instance {differing[0]!r}")
    network = Network(**settings)
    network.load_state_dict(weights)
    return network.eval(), _thresholds(state.get("thresholds"), len(recipe["labels"])), recipe


def _check_file(path: Path) -> None:
    """Refuse a file that is larger in memory than on the disk."""
    try:
        members = check_unpacked(path, most=path.stat().st_size)
    except ArchiveError as error:
        raise CheckpointError(f"it is no checkpoint, or is damaged: {error}") from error
    if sum(member.file_size for member in members if member.filename.endswith(".pkl")) > MAX_PICKLE:
        raise CheckpointError(f"beside its tensors it has more than {MAX_PICKLE:,} bytes")


def _check_recipe(recipe: Any) -> None:
    """Refuse a recipe that is none of ours, or describes a network that nobody trains."""
    _check_plain(recipe)
    labels, network = recipe.get("labels"), recipe.get("network")
    if not isinstance(labels, list) or not 0 < len(labels) <= MAX_LABELS or not isinstance(network, dict):
        raise CheckpointError(f"its recipe must have a network and 1 to {MAX_LABELS:,} labels")
    if not all(isinstance(label, dict) and isinstance(label.get("id"), str) for label in labels):
        raise CheckpointError("its recipe has a label without an id")
    ((id_, count),) = Counter(label["id"] for label in labels).most_common(1)
    if count > 1:
        raise CheckpointError(f"its recipe has the label {id_!r} twice")
    head, backbone = network.get("head") or {}, network.get("backbone")
    for name, value, most in (
        ("size", recipe.get("size", 1), MAX_SIZE),
        ("backbones", network.get("backbones", 1), MAX_BACKBONES),
        *((f"head.{name}", value, MAX_WIDTH) for name, value in head.items() if isinstance(value, int)),
    ):
        if type(value) is not int or not 1 <= value <= most:
            raise CheckpointError(f"its recipe has {name}={value!r:.80}, which must lie in 1..{most}")
    if recipe.get("fit", "squash") not in get_args(Fit):
        raise CheckpointError(
            f"its recipe has fit={recipe['fit']!r:.80}, which must be one of {', '.join(get_args(Fit))}"
        )
    # hf-hub:… would be looked for in a hub, local-dir:… read wherever it points.
    if isinstance(backbone, str) and ":" in backbone and not is_trusted(backbone):
        raise refused("its recipe: network.backbone", backbone)


def _check_plain(value: Any) -> None:
    """Refuse what is not a mapping of texts, numbers, lists and mappings, or too many of them."""
    left, count = [value], 0
    if not isinstance(value, dict):
        raise CheckpointError("its recipe is no mapping")
    while left:
        one = left.pop()
        count += 1
        if count > MAX_VALUES:
            raise CheckpointError(f"its recipe has more than {MAX_VALUES:,} values")
        if isinstance(one, dict):
            left += [*one, *one.values()]
        elif isinstance(one, list | tuple):
            left += one
        elif one is not None and not isinstance(one, bool | int | float | str):
            raise CheckpointError(f"its recipe holds a {type(one).__name__}")


def _thresholds(thresholds: Any, labels: int) -> Tensor:
    if not isinstance(thresholds, Tensor) or thresholds.shape != (labels,) or not thresholds.is_floating_point():
        raise CheckpointError(f"it has no threshold for each of its {labels} labels")
    if not bool(((thresholds >= 0) & (thresholds <= 2)).all()):
        raise CheckpointError("its thresholds do not lie in [0, 2]")
    return thresholds
