"""The tiny training: plain colours and a network of 0.1 million parameters, which learns them in three epochs."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (200, 30, 30),
    "green": (30, 180, 30),
    "blue": (30, 30, 200),
    "grey": (128, 128, 128),
}

PHOTOS = ["data=folder", "data.source.folder=colours", "data.size=32", "data.batch_size=8", "data.workers=0"]

NETWORK = ["network=timm", "network.backbone=test_efficientnet", "network.weights=null", "regime=everything"]

TINY = [*PHOTOS, *NETWORK, "optimizer.lr=0.01", "trainer.max_epochs=3", "name=tiny"]
"""Words of ``tagger.train``; `data_of` says where the photos are."""


def write_colours(root: Path, photos: int) -> Path:
    """Write a data set ``colours``, of photos whose label is their colour, and its label system; returns the root."""
    folder = root / "colours"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for number in range(photos):
        name = list(COLOURS)[number % len(COLOURS)]
        pixels = np.clip(np.array(COLOURS[name]) + rng.normal(0, 12, (24, 32, 3)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / f"{number:03}.png")
        rows.append(f"{number:03}.png,{name}")
    (folder / "labels.csv").write_text("\n".join(["image,labels", *rows]) + "\n")
    labels = "\n".join(f"  - {name}" for name in COLOURS)
    (root / "colours.yaml").write_text(f"name: colours\nlabels:\n{labels}\n")
    return root


def data_of(root: Path) -> list[str]:
    """Return the words that name the data set in a folder."""
    return [f"data.root={root}", f"data.taxonomy={root / 'colours.yaml'}"]
