"""How many made copies are found and how many photos are grouped by chance, on photos that no limit was chosen on.

    python experiments/duplicates/recall.py photos/ --copies 400 > experiments/duplicates/recall.md

Limits were chosen on the photos whose sha256 begins with an even byte. Here are the others: all of them are searched
for groups among each other, and of some, drawn with seed 0, each kind of copy is made and searched for.
"""

import argparse
import hashlib
import io
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from tagger.data.duplicates import ALONE, AT_LEAST, as_rows, duplicates, fingerprint
from tagger.data.photo import decode, open_photo

TURN = Image.Transpose


def cropped(photo: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """Leave out shares of a photo at its sides."""
    width, height = photo.size
    return photo.crop(
        (round(left * width), round(top * height), round((1 - right) * width), round((1 - bottom) * height))
    )


def brighter(photo: Image.Image, factor: float = 1.25) -> Image.Image:
    """Multiply all values."""
    return ImageEnhance.Brightness(photo).enhance(factor)


def copies(photo: Image.Image, dice: np.random.Generator) -> Iterator[tuple[str, Image.Image, int]]:
    """Yield each kind of copy, by name, with the quality of its JPEG."""
    across, down = dice.uniform(0, 0.08, 2)
    mirrored = photo.transpose(TURN.FLIP_LEFT_RIGHT)
    anywhere = (across, down, 0.08 - across, 0.08 - down)
    yield "JPEG of quality 40", photo, 40
    yield "half the size", photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.LANCZOS), 85
    yield "mirrored", mirrored, 90
    yield "upside down", photo.transpose(TURN.FLIP_TOP_BOTTOM), 90
    for how in (TURN.ROTATE_90, TURN.ROTATE_180, TURN.ROTATE_270):
        yield f"turned by {how.name[7:]} degrees", photo.transpose(how), 90
    yield "25 % brighter", brighter(photo), 90
    yield "25 % darker", brighter(photo, 0.75), 90
    yield "cropped by 4 % on each side", cropped(photo, 0.04, 0.04, 0.04, 0.04), 90
    yield "cropped by 8 % on each side", cropped(photo, 0.08, 0.08, 0.08, 0.08), 90
    yield "cropped by 8 % at the left", cropped(photo, 0.08, 0, 0, 0), 90
    yield "cropped by 8 % at a corner", cropped(photo, 0.08, 0.08, 0, 0), 90
    yield "cropped to 92 %, anywhere", cropped(photo, *anywhere), 90
    yield "mirrored and 25 % brighter", brighter(mirrored), 90
    yield "mirrored and cropped by 8 % on each side", cropped(mirrored, 0.08, 0.08, 0.08, 0.08), 90
    yield "without colour", photo.convert("L").convert("RGB"), 90
    yield "turned by 3 degrees", cropped(photo.rotate(3, Image.Resampling.BICUBIC), 0.03, 0.03, 0.03, 0.03), 90


def print_of(file: Path | io.BytesIO) -> bytes:
    """Return the fingerprint of a file, as an inspection does."""
    with open_photo(file) as photo:
        return fingerprint(decode(photo, at_least=AT_LEAST))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", type=Path)
    parser.add_argument("--copies", type=int, default=400)
    settings = parser.parse_args()
    files = [
        file for file in sorted(settings.photos.rglob("*.jpg")) if hashlib.sha256(file.read_bytes()).digest()[0] & 1
    ]
    begun = time.process_time()
    prints = as_rows([print_of(file) for file in files])
    each = (time.process_time() - begun) / len(files)
    found = duplicates(prints).alike
    groups = [np.flatnonzero(found == group) for group in np.unique(found[found != ALONE])]
    drawn = np.random.default_rng(0).choice(len(files), settings.copies, replace=False)
    made: dict[str, list[bytes]] = {}
    for number in drawn.tolist():
        with open_photo(files[number]) as opened:
            photo = decode(opened)
        for kind, copy, quality in copies(photo, np.random.default_rng(number)):
            file = io.BytesIO()
            copy.save(file, "JPEG", quality=quality)
            made.setdefault(kind, []).append(print_of(file))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    print(f"Commit {commit.strip()}, seed 0; {len(files):,} held-back photos, copies of {settings.copies}.\n")
    print("| copy | found | grouped with another photo |\n|---|---|---|")
    for kind, own in made.items():
        both = duplicates(np.concatenate([prints[drawn], as_rows(own)])).alike
        of = both[len(drawn) :]
        original = np.where(both[: len(drawn)] == ALONE, -2, both[: len(drawn)])
        wrong = (of != original) & (of != ALONE)
        print(f"| {kind} | {(of == original).mean():.1%} | {int(wrong.sum())} |")
    print(f"\nAmong the {len(files):,} photos as they are, {len(groups)} groups:\n")
    for group in groups:
        print("- " + ", ".join(str(files[row].relative_to(settings.photos)) for row in group))
    print(f"\nA fingerprint takes {1000 * each:.1f} ms of one core, with decoding.")


if __name__ == "__main__":
    main()
