"""The model that is extended: a bundle, or a checkpoint of a run."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tagger.data.framing import StillFraming
from tagger.errors import UserError
from tagger.model.network import Network
from tagger.tags.delivery.bundle import Bundle, read_bundle
from tagger.tags.session import open_session
from tagger.tracking.run_folder import read_folds

SHOWN = ("size", "fit", "mean", "std", "interpolation")
"""What decides the pixels that a network sees."""

ROWS, BIASES = "chain.network.head.weight", "chain.network.head.bias"
"""What a bundle's graph calls the head; the exporter leaves a bias out that is 0."""


@dataclass(frozen=True, eq=False)
class Earlier:
    """What an extension takes from the model that there was before."""

    place: str
    ids: tuple[str, ...]
    """Of its labels, in the order of their rows."""
    rows: Tensor
    """The head's weights, (labels, features)."""
    bias: Tensor
    """(labels,)"""
    thresholds: Tensor
    """(labels,)"""
    preprocessing: dict[str, Any]
    """Of its pixels: see ``SHOWN``."""
    fingerprints: dict[str, str]
    """Of the catalog and the taxonomy that it was trained with."""
    network: Network | None = None
    """The whole of it, where it is a checkpoint."""
    bundle: Bundle | None = None
    """Or the bundle: its backbone cannot be taken out of the graph, only asked."""
    folds: dict[str, int] | None = None
    """Fold of every photo, by its content, where it is a checkpoint in the folder of its run."""

    def logits(self, features: Tensor) -> Tensor:
        """Return what it says of what a backbone gave, (photos, earlier labels), for (photos, features)."""
        return torch.nn.functional.linear(features, self.rows.to(features), self.bias.to(features))

    def logits_of_photos(self, photos: list[str]) -> Tensor:
        """Return what the bundle's graph says of photos, before any relation, (photos, earlier labels).

        Raises:
            BadPhoto: If one cannot be read.
        """
        import onnx

        assert self.bundle is not None
        graph = onnx.load_from_string(self.bundle.model)
        (head,) = [node for node in graph.graph.node if ROWS in node.input]
        graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(head.output[0]))
        session = open_session(graph.SerializeToString(), threads=1)
        framing = StillFraming(**self.bundle.manifest.preprocessing)
        inputs = {"pixels": np.stack([np.asarray(framing.framed(photo)) for photo in photos])}
        if self.bundle.manifest.detector:
            inputs["detected"] = np.zeros((len(photos), len(self.ids)), np.float32)
        return torch.from_numpy(session.run([head.output[0]], inputs)[0])


def read_earlier(place: str) -> Earlier:
    """Read a bundle or a checkpoint.

    Raises:
        UserError: If it is neither, or has a head without a row for each label.
    """
    path = Path(place).expanduser()
    return _of_checkpoint(path, place) if path.suffix == ".ckpt" else _of_bundle(path, place)


def _of_checkpoint(path: Path, place: str) -> Earlier:
    # Late: it imports what training imports.
    from tagger.tags.delivery.trained import read_trained

    trained = read_trained(path)
    network, recipe = trained.chain.network, trained.recipe
    if not isinstance(network.head, torch.nn.Linear):
        raise UserError(
            f"from={place}: its head is {recipe['network']['head']['name']}, which has no row of its own for each "
            "label; only linear heads can be extended"
        )
    normalisation = network.normalisation
    return Earlier(
        place,
        tuple(label["id"] for label in recipe["labels"]),
        network.head.weight.detach().clone(),
        network.head.bias.detach().clone(),
        trained.chain.thresholds.clone(),
        {
            "size": recipe["size"],
            "fit": recipe["fit"],
            "mean": list(normalisation.mean),
            "std": list(normalisation.std),
            "interpolation": normalisation.interpolation,
        },
        dict(recipe.get("fingerprints", {})),
        network=network,
        folds=read_folds(path.absolute().parent.parent),
    )


def _of_bundle(path: Path, place: str) -> Earlier:
    bundle = read_bundle(path)
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise UserError(
            f"from={place}: to read a bundle takes onnx: pip install tagger[export], or name the checkpoint that the "
            "bundle was made of"
        ) from error
    manifest = bundle.manifest
    graph = onnx.load_from_string(bundle.model).graph
    arrays = {
        tensor.name: torch.from_numpy(np.array(numpy_helper.to_array(tensor)))
        for tensor in graph.initializer
        if tensor.name in (ROWS, BIASES)
    }
    used = [list(node.input[1:]) for node in graph.node if ROWS in node.input]
    labels = len(manifest.labels)
    if used not in ([[ROWS]], [[ROWS, BIASES]]) or arrays[ROWS].shape[0] != labels or not set(used[0]) <= set(arrays):
        why = f"it computes in {manifest.precision}" if manifest.precision != "float32" else "its head is not linear"
        raise UserError(
            f"from={place}: the bundle does not hold a row of weights for each label ({why}); name the checkpoint "
            "that it was made of: from=runs/…/checkpoints/best.ckpt, with head=linear"
        )
    return Earlier(
        place,
        tuple(label.id for label in manifest.labels),
        arrays[ROWS],
        arrays.get(BIASES, torch.zeros(labels)),
        torch.tensor([label.threshold for label in manifest.labels]),
        json.loads(json.dumps({name: manifest.preprocessing[name] for name in SHOWN})),
        manifest.fingerprints,
        bundle=bundle,
    )
