"""Checkpoints: plain tensors, numbers and names, so that ``weights_only=True`` is enough to read them."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tagger.model.network import Network


def load_checkpoint(path: str | Path) -> tuple[Network, Tensor, dict[str, Any]]:
    """Build the network of a checkpoint again, without its pretrained weights being downloaded again.

    Returns:
        The network in evaluation mode, the thresholds (labels,), and the recipe: ``network``, ``labels``, ``size``,
        ``fit``, ``fingerprints``, and ``rules`` if there are any. Thresholds apply to scores that
        ``Rules.from_recipe(recipe)`` has completed.

    Raises:
        ValueError: If the file is not a checkpoint of ours.
    """
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    if "recipe" not in checkpoint:
        raise ValueError(f"{path} is no checkpoint of tagger: it has no recipe; train one with python -m tagger.train")
    recipe = checkpoint["recipe"]
    network = Network(**recipe["network"] | {"labels": len(recipe["labels"]), "weights": None})
    state = checkpoint["state_dict"]
    network.load_state_dict(
        {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}
    )
    return network.eval(), state["thresholds"], recipe
