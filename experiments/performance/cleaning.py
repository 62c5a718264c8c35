"""How long do scoring and the queue take for 10,000 photos and 260 labels, beside cleanlab's ranking of them?

    python experiments/performance/cleaning.py
    python experiments/performance/cleaning.py --output experiments/performance/cleaning.md

Expected: scoring within ten minutes on two cores once the features are kept, the queue in seconds. Takes about twenty
minutes, a third of it for the features, which do not count.

The photos are drawn (a patch of colour for every label) and small; what the head trains on are the features of
EfficientNet-Lite0 as everywhere. The commands are those that a user types, each a process from start to end. cleanlab
ranks the same scores: its own quality of every label of every photo, of which it makes no queue.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class
from PIL import Image

from tagger.tracking.run_folder import provenance

SIDE, FIELDS = 64, 16
"""Pixels of a photo's side, and fields of colour along it."""


def draw_album(root: Path, *, photos: int, labels: int, seed: int) -> np.ndarray:
    """Draw photos with some four labels each, of which one in twenty is not written down; returns what was written."""
    rng = np.random.default_rng(seed)
    common = np.geomspace(1, 0.02, labels)
    present = rng.random((photos, labels)) < 4 * common / common.sum()
    said = present & (rng.random(present.shape) > 0.05)
    colours = rng.integers(0, 256, (labels, 3))
    places = rng.permutation(FIELDS * FIELDS * 2)[:labels] % (FIELDS * FIELDS)
    images = root / "drawn" / "images"
    images.mkdir(parents=True)
    rows = []
    for number in range(photos):
        fields = rng.integers(90, 130, (FIELDS * FIELDS, 3))
        shown = np.flatnonzero(present[number])
        fields[places[shown]] = colours[shown]
        picture = Image.fromarray(fields.reshape(FIELDS, FIELDS, 3).astype(np.uint8))
        picture.resize((SIDE, SIDE), Image.Resampling.NEAREST).save(images / f"{number}.png")
        rows.append(f"{number}.png,{'|'.join(f'l{label}' for label in np.flatnonzero(said[number]))}")
    (root / "drawn" / "labels.csv").write_text("\n".join(["image,labels", *rows]) + "\n")
    names = "".join(f"  - l{label}\n" for label in range(labels))
    (root / "drawn.yaml").write_text(f"name: drawn\nlabels:\n{names}")
    return said


def timed(module: str, words: list[str], folder: Path) -> float:
    """Run a command to its end and return the seconds it took."""
    start = time.perf_counter()
    with (folder / "output.log").open("a") as log:
        subprocess.run([sys.executable, "-m", module, *words], cwd=folder, stdout=log, stderr=log, check=True)
    return time.perf_counter() - start


def measure(folder: Path, *, photos: int, labels: int, seed: int) -> dict[str, float]:
    """Return the seconds of every part."""
    said = draw_album(folder, photos=photos, labels=labels, seed=seed)
    data = ["data=folder", f"data.root={folder}", "data.source.folder=drawn", "data.source.unlisted=absent"]
    data += [f"data.taxonomy={folder / 'drawn.yaml'}", f"data.size={SIDE}", f"cache={folder / 'cache'}"]
    seconds = {"prepare": timed("tagger.prepare", data, folder)}
    # A run of one epoch: it keeps the features, on which all ten turns train.
    once = [*data, "+data.catalog=catalogs/folder", "+experiment=baseline", "logger=csv", "trainer.max_epochs=1"]
    seconds["features"] = timed("tagger.train", once, folder)
    seconds["score"] = timed("tagger.clean", ["step=score", *data], folder)
    seconds["queue"] = timed("tagger.clean", ["step=queue", "labels=all", "budget=500", *data], folder)
    scores = np.load(folder / "cleaning" / "folder" / "scores.npy").astype(np.float64)
    start = time.perf_counter()
    get_label_quality_scores_per_class([np.flatnonzero(row).tolist() for row in said], scores)
    seconds["cleanlab"] = time.perf_counter() - start
    return seconds


def report(seconds: dict[str, float], *, photos: int, labels: int, seed: int) -> str:
    """Return the page."""
    made, threads = provenance(), torch.get_num_threads()
    return f"""# Cleaning: what scoring and the queue take

    python experiments/performance/cleaning.py --output experiments/performance/cleaning.md

Commit {made["commit"][:12]}, seed {seed}. {photos:,} drawn photos, {labels} labels, {threads} threads; every command
from its start to its end, {seconds["prepare"]:.0f} s of preparing and {seconds["features"]:.0f} s of features before.

| | seconds |
|---|--:|
| `step=score`: ten models of 30 epochs, on kept features | {seconds["score"]:.0f} |
| `step=queue labels=all budget=500`, neighbours asked | {seconds["queue"]:.1f} |
| cleanlab's quality of every label of the same photos, without start and without evidence | {seconds["cleanlab"]:.1f} |

Of the queue's seconds most are those of starting Python and reading the catalog.
"""


def main() -> None:
    """Measure and print, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--labels", type=int, default=260)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path)
    settings = parser.parse_args()
    size = {"photos": settings.photos, "labels": settings.labels, "seed": settings.seed}
    with tempfile.TemporaryDirectory(prefix="cleaning-") as folder:
        page = report(measure(Path(folder), **size), **size)
    print(page)
    if settings.output:
        settings.output.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
