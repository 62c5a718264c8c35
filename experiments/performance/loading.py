"""How much faster are large JPEGs loaded than by torchvision's ImageFolder and RandomResizedCrop, and as what pixels?

    python experiments/performance/loading.py
    python experiments/performance/loading.py --output experiments/performance/loading.md

Expected: at least twice as fast, and on average less than two of 255 levels apart. Takes under two minutes.

Both load the same photos with the same seeds, hence the same crops, in one process and one thread, a photo each in
turn, so that whatever else the machine does hits both. A figure is the ratio of the medians.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torch import Tensor
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from tagger.data.transforms import TrainTransform, seeded
from tagger.tracking.run_folder import provenance

SIZE = 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SCALES = {"(0.25, 1), the default here": (0.25, 1.0), "(0.08, 1), torchvision's": (0.08, 1.0)}
PROGRESSIVE = {"baseline": False, "progressive": True}


@dataclass(frozen=True)
class Measured:
    """Milliseconds of every load, and how far the pixels are apart on average, in levels of 255."""

    theirs: list[float]
    ours: list[float]
    levels: list[float]

    @property
    def ratio(self) -> float:
        return float(np.median(self.theirs) / np.median(self.ours))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=6, help="photos of each kind (default: 6)")
    parser.add_argument("--rounds", type=int, default=6, help="loads of each photo (default: 6)")
    parser.add_argument("--output", type=Path, help="also write the table to this Markdown file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for kind, progressive in PROGRESSIVE.items():
        with tempfile.TemporaryDirectory() as folder:
            photos = Path(folder) / "album"
            photos.mkdir()
            for number in range(arguments.photos):
                photo_like(4000, 3000, seed=number).save(photos / f"{number}.jpg", quality=90, progressive=progressive)
            megabytes = np.mean([path.stat().st_size for path in photos.iterdir()]) / 1e6
            for name, scale in SCALES.items():
                measured = compare(Path(folder), scale, rounds=arguments.rounds)
                rows.append(row(f"{kind}, {megabytes:.1f} MB", name, measured))
                print(rows[-1], flush=True)
    if arguments.output:
        arguments.output.write_text(page(rows, arguments), encoding="utf-8")


def photo_like(width: int, height: int, *, seed: int) -> Image.Image:
    """Return a picture with detail at every scale, as in nature: octaves of noise, the finer ones a little fainter."""
    rng = np.random.default_rng(seed)
    pixels = np.zeros((height, width, 3), np.float32)
    cells = 4
    while cells <= width:
        grey, tint = rng.standard_normal((2, cells * height // width, cells, 3)).astype(np.float32)
        coarse = (grey[..., :1] + 0.3 * tint) / cells**0.15
        for channel in range(3):
            layer = Image.fromarray(np.ascontiguousarray(coarse[..., channel]))
            pixels[..., channel] += np.asarray(layer.resize((width, height), Image.Resampling.BICUBIC))
        cells *= 2
    pixels = (pixels - pixels.mean()) / pixels.std() * 48 + 128
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def compare(root: Path, scale: tuple[float, float], *, rounds: int) -> Measured:
    """Load every photo by both, in turn, ``rounds`` times with different crops."""
    theirs = ImageFolder(str(root), transform=torchvisions(scale))
    ours = TrainTransform(size=SIZE, scale=scale, mean=MEAN, std=STD)
    measured = Measured([], [], [])
    # One round more: the first only warms the page cache and the allocators.
    for turn in range(rounds + 1):
        for number, (path, _) in enumerate(theirs.samples):
            seed = turn * len(theirs) + number
            their_time, their_pixels = timed(partial(_photo_of, theirs, number), seed)
            our_time, our_pixels = timed(partial(ours, path), seed)
            if turn:
                measured.theirs.append(their_time)
                measured.ours.append(our_time)
                measured.levels.append(distance(our_pixels, their_pixels))
    return measured


def torchvisions(scale: tuple[float, float]) -> v2.Compose:
    return v2.Compose(
        [
            v2.RandomResizedCrop(SIZE, scale=scale, interpolation=v2.InterpolationMode.BICUBIC, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )


def _photo_of(folder: ImageFolder, number: int) -> Tensor:
    return folder[number][0]


def timed(load: Callable[[], Tensor], seed: int) -> tuple[float, Tensor]:
    """Return the milliseconds of a load and what it gave."""
    with seeded(seed):
        start = time.perf_counter()
        pixels = load()
        return (time.perf_counter() - start) * 1000, pixels


def distance(one: Tensor, other: Tensor) -> float:
    return float(((one - other).abs() * torch.tensor(STD).view(3, 1, 1)).mean()) * 255


def row(photos: str, crop: str, measured: Measured) -> str:
    return (
        f"| {photos} | {crop} | {np.median(measured.theirs):.1f} | {np.median(measured.ours):.1f} | "
        f"**{measured.ratio:.1f}×** | {np.mean(measured.levels):.2f} | {max(measured.levels):.2f} |"
    )


def page(rows: list[str], arguments: argparse.Namespace) -> str:
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, torchvision {torchvision.__version__}"
    return "\n".join(
        [
            "# Loading 12-megapixel JPEGs",
            "",
            "    python " + " ".join(sys.argv),
            "",
            f"Commit {provenance()['commit']}. {arguments.photos} photos of each kind (4000×3000, "
            f"quality 90), {arguments.rounds} crops of each,",
            f"resized to {SIZE} px; one process, one thread. {versions},",
            f"Pillow {PIL.__version__}, {platform.machine()}, {os.cpu_count()} cores.",
            "",
            "| photos | share of the area | ImageFolder + RandomResizedCrop, ms | tagger, ms | faster "
            "| difference, mean | of the worst photo |",
            "|---|---|--:|--:|--:|--:|--:|",
            *rows,
            "",
            "Times are medians. A difference is the mean absolute difference of a crop's pixels, in levels of 255.",
            "It comes from decoding at 1/8 or 1/4 of the size; pictures like these, noise at all scales, show it most.",
            "A progressive JPEG gains less: all of its passes have to be read before the first pixel, at any scale.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
