"""How long the search for edited copies takes, and how much memory.

    python experiments/duplicates/scaling.py photos/ 10000 100000 900000 > experiments/duplicates/scaling.md

Pictures are blends of two real photos, of which there are as many as one likes, in a process for each number of them.
"""

import argparse
import multiprocessing
import resource
import subprocess
import time
from pathlib import Path

import numpy as np

from tagger.data.duplicates import AT_LEAST, as_rows, fingerprint
from tagger.data.edited import SIDE, edited_copies
from tagger.data.photo import decode, open_photo


def searched(colours: np.ndarray, thumbnails: np.ndarray, pictures: int) -> tuple[int, float, float]:
    """Search so many blends; return the pairs that were found, the CPU seconds, and the peak memory in GiB."""
    dice = np.random.default_rng(0)
    first, second = dice.integers(0, len(thumbnails), (2, pictures))
    share = dice.uniform(0.3, 0.7, (pictures, 1)).astype(np.float32)
    blended = [
        (share * values[first] + (1 - share) * values[second]).astype(np.uint8) for values in (thumbnails, colours)
    ]
    begun = time.process_time()
    pairs = edited_copies(*blended)
    seconds = time.process_time() - begun
    return len(pairs), seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", type=Path)
    parser.add_argument("pictures", type=int, nargs="+")
    settings = parser.parse_args()
    prints = []
    for file in sorted(settings.photos.rglob("*.jpg"))[::3]:
        with open_photo(file) as photo:
            prints.append(fingerprint(decode(photo, at_least=AT_LEAST)))
    rows = as_rows(prints)
    colours, thumbnails = rows[:, 40:88], rows[:, -SIDE * SIDE :]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    print(f"Commit {commit.strip()}, seed 0, blends of {len(rows):,} photos, one core.\n")
    print("| pictures | CPU seconds | peak memory, GiB | pairs found |\n|--:|--:|--:|--:|")
    for pictures in settings.pictures:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pairs, seconds, memory = pool.apply(searched, (colours, thumbnails, pictures))
        print(f"| {pictures:,} | {seconds:.0f} | {memory:.1f} | {pairs:,} |", flush=True)


if __name__ == "__main__":
    main()
