"""Checkpoints that run something, or describe a network that nobody trains."""

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from tagger.model.network import Network
from tests.faults.hostile.bundles import LABELS
from tests.faults.hostile.place import Place, hostile


def trained(**changed: Any) -> dict[str, Any]:
    """What a checkpoint of a tiny network holds, with other settings in its recipe."""
    half = [0.5] * 3
    network: dict[str, Any] = {"backbone": "test_efficientnet", "mean": half, "std": half}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = {
            f"network.{key}": value for key, value in Network(labels=4, weights=None, **network).state_dict().items()
        }
    recipe = {"network": network, "labels": [{"id": name} for name in LABELS], "size": 32, "fit": "pad"}
    return {"recipe": recipe | changed, "state_dict": state | {"thresholds": torch.full((4,), 0.5)}}


def saved(place: Place, content: Any) -> Path:
    path = place.folder / "run" / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    torch.save(content, path)
    return path


class Runs:
    """What is run when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


@hostile("checkpoint")
def a_pickle_that_runs_a_command(place: Place) -> Path:
    which = place.dice.randrange(3)
    if which == 0:
        return saved(place, trained() | {"hyper_parameters": Runs(place.marker)})
    if which == 1:
        return saved(place, {"recipe": Runs(place.marker)})
    path = saved(place, trained())
    path.write_bytes(pickle.dumps(Runs(place.marker)))
    return path


@hostile("checkpoint")
def a_backbone_of_a_hub_or_a_folder(place: Place) -> Path:
    names = [
        "hf-hub:somebody/x",
        "hf_hub:somebody/x",
        f"local-dir:{place.folder}",
        "HF-HUB:a/b",
        "somebody/x",
        "https://a/b",
    ]
    (place.folder / "config.json").write_text('{"architecture": "test_efficientnet"}')
    return saved(place, trained(network={"backbone": place.dice.choice(names), "mean": [0.5] * 3, "std": [0.5] * 3}))


@hostile("checkpoint")
def a_network_of_all_memory(place: Place) -> Path:
    half = {"mean": [0.5] * 3, "std": [0.5] * 3}
    decoder = {"name": "ml_decoder", "groups": 2, "width": 16, "heads": 2, "hidden": 32, "dropout": 0.0}
    network: dict[str, Any] = place.dice.choice(
        [
            {"backbone": "test_efficientnet", "backbones": place.huge, **half},
            {"backbone": "vit_giant_patch14_224", **half},
            {"backbone": "test_efficientnet", "head": decoder | {"width": place.huge}, **half},
            {"backbone": "test_efficientnet", "head": decoder | {"hidden": 8000, "width": 8000}, **half},
            {"backbone": "test_efficientnet", "prior": "x", **half},
            {"backbone": ["x"], **half},
        ]
    )
    return saved(place, trained(network=network))


@hostile("checkpoint")
def a_recipe_that_is_none(place: Place) -> Path:
    shared: list[Any] = []
    for _ in range(40):
        shared = [shared] * 10
    changed = place.dice.choice(
        [
            {"labels": [{"id": "red"}] * 4},
            {"labels": [{"id": f"{number}"} for number in range(30_000)]},
            {"labels": [{"name": "red"}] * 4},
            {"labels": {"red": 1}},
            {"size": place.huge},
            {"size": -1},
            {"network": None},
            {"rules": shared},
            {"rules": {"relations": [["implies", "red", "nowhere"]]}},
            {"rules": {"pooling": ["x"], "relations": 3}},
            {"detector": {"taken": {"red": [1, 2, 3, 4, 5]}}},
            {"fit": ["x"]},
        ]
    )
    return saved(place, trained(**changed))


@hostile("checkpoint")
def thresholds_that_are_none(place: Place) -> Path:
    content = trained()
    content["state_dict"]["thresholds"] = place.dice.choice(
        [
            torch.ones(1).expand(10**12),
            torch.full((4,), float("nan")),
            torch.full((4,), 7.0),
            torch.ones(4, dtype=torch.int8),
        ]
    )
    return saved(place, content)


@hostile("checkpoint")
def a_checkpoint_that_is_a_bomb(place: Place) -> Path:
    path = saved(place, trained() | {"other": torch.zeros(100_000_000)})
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


@hostile("checkpoint")
def a_checkpoint_that_is_torn(place: Place) -> Path:
    path = saved(place, place.dice.choice([trained(), [1, 2], 3, {"state_dict": {}}]))
    content = path.read_bytes()
    path.write_bytes(content[: place.dice.randrange(len(content) - 1)])
    return path
