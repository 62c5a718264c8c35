"""How many photos a second does a student tag, beside its teacher, and how large are both?

    python experiments/distill/speed.py album.tagger student.tagger
    python experiments/distill/speed.py album.tagger student.tagger --photos ~/Pictures

The first bundle is the one that the others are compared with. Photos (default: $TAGGER_DATA/unlabelled) are decoded,
framed and tagged one batch after the other in one process, by one thread of onnxruntime, the bundles in turn. Seconds
are those of the processor and not of the clock, so that what else the machine does counts little.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np

from tagger.data.finding import found
from tagger.data.skipped import Skipped
from tagger.tags.runtime import Tagger, batched

BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", nargs="+", type=Path)
    parser.add_argument("--photos", type=Path, default=Path(os.environ.get("TAGGER_DATA", ".")) / "unlabelled")
    parser.add_argument("--most", type=int, default=160, help="photos of a round (default: 160)")
    parser.add_argument("--rounds", type=int, default=7, help="after one that does not count (default: 7)")
    arguments = parser.parse_args()
    photos = list(found([str(arguments.photos)], Skipped()))[: arguments.most]
    taggers = [Tagger.load(path, threads=1) for path in arguments.bundles]
    rounds = np.array([[seconds(tagger, photos) for tagger in taggers] for _ in range(arguments.rounds + 1)])[1:]
    print("| bundle | pixels | MB | network, ms | with decoding, ms | photos/s of a core | network | with decoding |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for number, (path, tagger) in enumerate(zip(arguments.bundles, taggers, strict=True)):
        network, whole = np.median(rounds[:, number], axis=0) / len(photos)
        faster = np.median(rounds[:, 0] / rounds[:, number], axis=0)
        print(
            f"| {path.stem} | {tagger.framing.size} | {path.stat().st_size / 1e6:.1f} | {1000 * network:.2f} | "
            f"{1000 * whole:.2f} | {1 / whole:.0f} | {faster[0]:.2f}× | {faster[1]:.2f}× |"
        )


def seconds(tagger: Tagger, photos: list[str]) -> tuple[float, float]:
    """Return seconds of the processor for all photos: of the network, and with decoding and framing."""
    network, started = 0.0, time.process_time()
    for some in batched(photos, BATCH):
        pixels = np.stack([tagger.pixels(photo) for photo in some])
        begun = time.process_time()
        tagger.run(pixels)
        network += time.process_time() - begun
    return network, time.process_time() - started


if __name__ == "__main__":
    main()
