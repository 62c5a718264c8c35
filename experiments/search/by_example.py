"""Does image search find photos of a label?

    python experiments/search/by_example.py --seed 0

The pool is Corel5k, 4,999 photos. For every label that at least 70 photos carry, some of its photos are drawn as
examples, five times, and the best of the others are looked at: which share of the best 10 and of the best 50 carries
the label? Corel's keywords are at most five a photo, so a photo may show a label and count as wrong. Writes labels.csv
beside this file. Takes five minutes on one core.
"""

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from tagger.data.states import PRESENT
from tagger.mining.search import Query, best, centre_of, directions, query
from tagger.studies.composing import composed, composing
from tagger.tracking.run_folder import provenance
from tagger.training.building import build_data, build_network

LEAST, DRAWS, AT = 70, 5, (10, 50)

Ranked = Callable[[np.ndarray], np.ndarray]
"""Examples → photos, the best first; the examples may be among them."""


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--seed", type=int, default=0)
    seed = words.parse_args().seed
    with composing():
        config = composed("train", ["data=corel5k"])
        data = build_data(config)
        network = build_network(config, len(data.taxonomy))
    data.prepare(network.normalisation)
    data.cache_features(network.backbone, 1, torch.device("cpu"))
    pool = data.views[0][:].astype(np.float32)
    carries = np.asarray(data.catalog.states.toarray() == PRESENT)
    labels = np.flatnonzero(carries.sum(axis=0) >= LEAST)
    print(f"Command: `python experiments/search/by_example.py --seed {seed}`, commit {provenance()['commit'][:12]}.")
    print(f"{len(labels)} labels with at least {LEAST} photos, {DRAWS} draws each.\n")
    print("| | examples | precision at 10 | at 50 |\n|---|---:|---:|---:|")
    here, nowhere = centre_of(pool), np.zeros(pool.shape[1], dtype=np.float32)

    def ours(examples: np.ndarray) -> np.ndarray:
        return best(query(pool[examples], centre=here), pool, 100)[0]

    def without_centre(examples: np.ndarray) -> np.ndarray:
        return best(query(pool[examples], centre=nowhere), pool, 100)[0]

    def nearest(examples: np.ndarray) -> np.ndarray:
        each = [Query(direction, here).scores(pool) for direction in directions(pool[examples], here)]
        return np.argsort(-np.max(each, axis=0), kind="stable")[:100]

    for count in (1, 5, 20):
        found = {label: precisions(ours, carries[:, label], count, seed) for label in labels.tolist()}
        line("this search", count, np.mean(list(found.values()), axis=0))
        if count == 5:
            write_labels(Path(__file__).with_name("labels.csv"), found, carries, data.taxonomy.ids)
    for name, way in (("not seen from the pool's mean", without_centre), ("every example's own neighbours", nearest)):
        line(name, 5, np.mean([precisions(way, carries[:, label], 5, seed) for label in labels], axis=0))
    line("random", 5, np.repeat(np.mean([chance(carries[:, label], 5) for label in labels]), 2))
    print("\nWith up to five negative examples, the first wrong ones of a search with five examples:\n")
    print("| weight of the negative ones | precision at 10 | at 50 |\n|---|---:|---:|")
    for weight in (0.0, 0.1, 0.25, 0.5):
        means = np.mean([refined(pool, here, carries[:, label], weight, seed) for label in labels], axis=0)
        print(f"| {weight:g} | {means[0]:.3f} | {means[1]:.3f} |", flush=True)


def precisions(ranked: Ranked, carries: np.ndarray, count: int, seed: int) -> tuple[float, ...]:
    """Return the mean precision at each of ``AT``, over the draws of examples."""
    dice, hits = np.random.default_rng(seed), []
    for _ in range(DRAWS):
        examples = dice.choice(np.flatnonzero(carries), count, replace=False)
        rows = ranked(examples)
        rows = rows[~np.isin(rows, examples)]
        hits.append([carries[rows[:at]].mean() for at in AT])
    return tuple(np.mean(hits, axis=0).tolist())


def refined(pool: np.ndarray, centre: np.ndarray, carries: np.ndarray, weight: float, seed: int) -> list[float]:
    """Return the precision of a second search, of photos that were neither example nor negative example."""
    dice, hits = np.random.default_rng(seed), []
    for _ in range(DRAWS):
        examples = dice.choice(np.flatnonzero(carries), 5, replace=False)
        first = best(query(pool[examples], centre=centre), pool, 25)[0]
        wrong = first[~carries[first]][:5]
        towards = query(pool[examples], pool[wrong], centre=centre, against=weight)
        rows = best(towards, pool, 100)[0]
        rows = rows[~np.isin(rows, [*examples, *wrong])]
        hits.append([carries[rows[:at]].mean() for at in AT])
    return list(np.mean(hits, axis=0))


def chance(carries: np.ndarray, count: int) -> float:
    """Return what photos drawn at random from those that are no examples give."""
    return (carries.sum() - count) / (len(carries) - count)


def line(name: str, count: int, means: np.ndarray) -> None:
    print(f"| {name} | {count} | {means[0]:.3f} | {means[1]:.3f} |", flush=True)


def write_labels(path: Path, found: dict[int, tuple[float, ...]], carries: np.ndarray, ids: tuple[str, ...]) -> None:
    """Write a row per label, the best first."""
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["label", "photos", *(f"precision_at_{at}" for at in AT), "random"])
        for label, means in sorted(found.items(), key=lambda one: -one[1][0]):
            own = carries[:, label]
            table.writerow([ids[label], own.sum(), *(f"{mean:.3f}" for mean in means), f"{chance(own, 5):.3f}"])


if __name__ == "__main__":
    main()
