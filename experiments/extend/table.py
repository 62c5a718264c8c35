"""Compare extended models with the models that they were made of and with others trained from scratch.

    python experiments/extend/table.py extend runs keep train distill negative scratch

Reads ``extend/hidden.txt`` (see hide.py) and, of every named folder of runs, all finished ones: one a seed. Average
precision on the test fold, over the labels that have a training photo of their own in the models before.
"""

import sys
from pathlib import Path

import numpy as np

from tagger.tracking.labels_csv import read_labels


def main(data: Path, runs: Path, names: list[str]) -> None:
    """Print a row for the models before, and for each way."""
    hidden = {line.split()[0] for line in (data / "hidden.txt").read_text().splitlines()}
    before = aps(runs / "before")
    old = sorted(set.intersection(*(set(run) for run in before.values())) - hidden)
    print(f"{len(old)} earlier labels, {len(hidden)} new ones; mean (lowest to highest) of seeds {sorted(before)}")
    print("| way | mAP earlier | points lost | lost most | mAP new |\n|---|--:|--:|--:|--:|")
    print(f"| before | {shown([100 * mean(run, old) for run in before.values()])} | | | |")
    for name in names:
        found = aps(runs / name)
        seeds = sorted(found)
        lost = {seed: np.array([before[seed][id_] - found[seed][id_] for id_ in old]) * 100 for seed in seeds}
        columns = [
            shown([100 * mean(found[seed], old) for seed in seeds]),
            shown([lost[seed].mean() for seed in seeds], digits=2),
            shown([lost[seed].max() for seed in seeds]),
            shown([100 * mean(found[seed], sorted(hidden)) for seed in seeds]),
        ]
        print(f"| {name} | {' | '.join(columns)} |")


def aps(runs: Path) -> dict[int, dict[str, float]]:
    """Return the average precision of every label that can be judged and was trained, by seed."""
    found = {}
    for run in sorted(runs.glob("*_s*")):
        if (run / "metrics.json").is_file():
            labels = read_labels(run / "labels.csv")
            seed = int(run.name.rpartition("_s")[2])
            found[seed] = {label.id: label.ap for label in labels if label.ap is not None and label.train_count}
    return found


def mean(run: dict[str, float], ids: list[str]) -> float:
    """Return the mean over labels."""
    return float(np.mean([run[id_] for id_ in ids]))


def shown(values: list[float], digits: int = 1) -> str:
    """Return mean, lowest and highest."""
    mid, low, high = (f"{value:.{digits}f}" for value in (np.mean(values), min(values), max(values)))
    return f"{mid} ({low} to {high})"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
