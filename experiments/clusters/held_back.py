"""Do clusters agree with labels that nobody told them?

    python experiments/clusters/held_back.py --data corel5k --seed 1
    python experiments/clusters/held_back.py --data voc2012

All photos of a data set are clustered. Of Corel5k's labels with 30 to 300 photos a half is drawn and held back (the
other half with the next seed); the class of a photo is the one of them that it carries, and photos with none or several
have no class. Of VOC the classes are its animals. How much do clusters and classes say of each other (normalised and
adjusted mutual information), and how many clusters have one label on 60 % of their photos, so that they can be named?
Random clusters have the same sizes. Takes a minute once the embeddings are there.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

from tagger.data.states import PRESENT
from tagger.mining.clusters.clustering import ALONE, clustered, reduced
from tagger.mining.search import centre_of
from tagger.studies.composing import composed, composing
from tagger.tracking.run_folder import provenance
from tagger.training.building import build_data, build_network

FEW, MANY, NAMED = 30, 300, 0.6


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--data", default="corel5k")
    words.add_argument("--seed", type=int, default=0)
    chosen = words.parse_args()
    features, carries = looked_at(chosen.data)
    held = held_back(carries, chosen.seed) if chosen.data == "corel5k" else np.flatnonzero(carries.any(axis=0))
    alone = carries[:, held].sum(axis=1) == 1
    kind = np.where(alone, carries[:, held].argmax(axis=1), -1)
    print(
        f"Command: `python experiments/clusters/held_back.py --data {chosen.data} --seed {chosen.seed}`, "
        f"commit {provenance()['commit'][:12]}. {len(held)} labels held back, {alone.sum():,} of {len(kind):,} photos "
        f"carry just one of them.\n"
    )
    print("| | clusters | photos in one | NMI | random | AMI | can be named | random | seconds |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    centre = centre_of(features)
    for name, made in ways(features, centre).items():
        began = time.perf_counter()
        cluster = made()
        seconds = time.perf_counter() - began
        print(f"| {name} | {judged(cluster, kind, carries, seed=chosen.seed)} | {seconds:.1f} |", flush=True)


def looked_at(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings of a data set, (photos, features), and which photo carries which label."""
    with composing():
        config = composed("train", [f"data={name}"])
        data = build_data(config)
        network = build_network(config, len(data.taxonomy))
    data.prepare(network.normalisation)
    data.cache_features(network.backbone, 1, torch.device("cpu"))
    return data.views[0][:], np.asarray(data.catalog.states.toarray() == PRESENT)


def held_back(carries: np.ndarray, seed: int) -> np.ndarray:
    """Return a half of the labels that are neither rare nor everywhere; seeds 0 and 1 have no label in common."""
    count = carries.sum(axis=0)
    labels = np.flatnonzero((count >= FEW) & (count <= MANY))
    halves = np.array_split(np.random.default_rng(seed // 2).permutation(labels), 2)
    return np.sort(halves[seed % 2])


def ways(features: np.ndarray, centre: np.ndarray) -> dict[str, Callable[[], np.ndarray]]:
    """Return ways to cluster, by name."""
    ours = {"dimensions": 50, "least": 5}
    made: dict[str, Callable[[], np.ndarray]] = {
        "**hdbscan, as the command does**": lambda: clustered(features, centre, method="hdbscan", **ours),
        "hdbscan, 20 dimensions": lambda: clustered(features, centre, method="hdbscan", dimensions=20, least=5),
        "hdbscan, clusters of 10 and more": lambda: clustered(
            features, centre, method="hdbscan", dimensions=50, least=10
        ),
        "scikit-learn's HDBSCAN as it is": lambda: HDBSCAN(copy=True).fit_predict(reduced(features, centre, 50, 0)),
        "**k-means, as the command does**": lambda: clustered(features, centre, method="kmeans", **ours),
    }
    return made


def judged(cluster: np.ndarray, kind: np.ndarray, carries: np.ndarray, *, seed: int) -> str:
    """Return the cells of a row."""
    inside = cluster != ALONE
    chance = cluster.copy()
    chance[inside] = np.random.default_rng(seed).permutation(cluster[inside])
    both = inside & (kind >= 0)
    agreement = normalized_mutual_info_score(kind[both], cluster[both])
    by_chance = normalized_mutual_info_score(kind[both], chance[both])
    adjusted = adjusted_mutual_info_score(kind[both], cluster[both])
    names = [f"{named_share(some, carries):.2f}" for some in (cluster, chance)]
    return (
        f"{len(np.unique(cluster[inside]))} | {inside.mean():.2f} | {agreement:.3f} | {by_chance:.3f} | {adjusted:.3f}"
        f" | {names[0]} | {names[1]}"
    )


def named_share(cluster: np.ndarray, carries: np.ndarray) -> float:
    """Return the share of clusters of whose photos `NAMED` carry one label, whichever it is."""
    shares = [carries[cluster == one].mean(axis=0).max() for one in np.unique(cluster[cluster != ALONE])]
    return float((np.array(shares) >= NAMED).mean())


if __name__ == "__main__":
    main()
