"""Measure runs that differ in what an unknown label counted for, all by the same two yardsticks.

    python experiments/unknown/evaluate.py runs/unknown_* --catalog catalogs/album

What a run reports about itself depends on its own setting: with unknown as negative, unknown test labels are mistakes.
Here every run is measured alike, on the photos of each source by themselves: on VOC's by what is known, on Corel's as
the annotation papers do, with unlisted words as negatives.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from tagger.data.catalog import Catalog
from tagger.data.catalog.prepared import Prepared
from tagger.data.states import Unknown
from tagger.data.taxonomy import read_taxonomy
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import mean_average_precision, top_k
from tagger.trust import read_settings

COREL, VOC = 0, 1
"""Places of the two sources in conf/data/album.yaml."""

Row = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs, or folders that hold them")
    parser.add_argument("--catalog", type=Path, required=True)
    options = parser.parse_args()
    catalog = Prepared(folder=str(options.catalog)).read(None, read_taxonomy("album"))
    found: dict[str, list[Row]] = {}
    for scores in sorted(path for run in options.runs for path in run.rglob("test_scores.npz")):
        setting = read_settings(scores.parent / "config.yaml")["data"]["unknown"]
        name = "as each source says" if setting is None else str(setting)
        found.setdefault(name, []).append(measured(scores, catalog))
    print(table(found))


def measured(path: Path, catalog: Catalog) -> Row:
    """Return the figures of one run."""
    with np.load(path, allow_pickle=False) as arrays:
        rows, scores, states = arrays["rows"], arrays["scores"], arrays["states"]
    source = catalog.photos["root"].to_numpy()[rows]
    voc, corel = source == VOC, source == COREL
    five = top_k(torch.from_numpy(scores[corel]), torch.from_numpy(states[corel]))
    validation = json.loads((path.parent / "metrics.json").read_text())["val/map"]
    return {
        "VOC, known: mAP": mean_ap(scores[voc], states[voc], "ignore"),
        "Corel, unlisted negative: mAP": mean_ap(scores[corel], states[corel], "negative"),
        "Corel, five tags: F1": five.f1,
        "Corel, five tags: N+": float(five.labels_found),
        "its own validation mAP": validation,
    }


def mean_ap(scores: np.ndarray, states: np.ndarray, unknown: Unknown) -> float:
    """Return mAP over the labels that can be judged."""
    histogram = Histogram.of(torch.from_numpy(scores), torch.from_numpy(states))
    return mean_average_precision(histogram, unknown=unknown).value or 0.0


def table(found: dict[str, list[Row]]) -> str:
    """Return mean, lowest and highest over the seeds, a column a setting."""
    lines = ["| | " + " | ".join(found) + " |", "|---|" + "--:|" * len(found)]
    for figure in next(iter(found.values()))[0]:
        digits = 0 if figure.endswith("N+") else 3
        cells = [[row[figure] for row in rows] for rows in found.values()]
        shown = [f"{np.mean(c):.{digits}f} ({min(c):.{digits}f}–{max(c):.{digits}f})" for c in cells]
        lines.append(f"| {figure} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
