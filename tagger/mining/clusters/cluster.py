"""A cluster: its photos, how alike they are, and what it may be called."""

from dataclasses import dataclass

import numpy as np

from tagger.data.embeddings import Features
from tagger.mining.clusters.clustering import ALONE, sums_by_cluster
from tagger.mining.search import BLOCK, directions

Ranked = tuple[tuple[str, float], ...]
"""Names with a figure each, the best first."""


@dataclass(frozen=True, eq=False)
class Cluster:
    """Photos that look alike."""

    number: int
    """From 1: that with the most photos, each counted by how well it fits, comes first."""
    rows: np.ndarray
    """Of the pool, int64 (photos,); what fits best comes first."""
    cosines: np.ndarray
    """Between each photo and the cluster's mean direction, float32 (photos,), -1..1."""
    words: Ranked = ()
    """What ImageNet calls it: words and the mean probability of each."""
    nearest: Ranked = ()
    """Labels that are nearest: with the mean score a tagger gives them, or the cosine with their photos."""

    @property
    def cohesion(self) -> float:
        """The mean cosine between its photos and their mean direction: 1 if all are alike, near 0 if nothing is."""
        return float(self.cosines.mean())

    @property
    def name(self) -> str:
        """Its likeliest name; "" if there is none."""
        return self.words[0][0] if self.words else ""


@dataclass(frozen=True, eq=False)
class Grouping:
    """All clusters of a pool."""

    cluster: np.ndarray
    """Of every photo, int64 (photos,): place in ``clusters``, ``ALONE`` where it is in none."""
    clusters: tuple[Cluster, ...]
    means: np.ndarray
    """The mean direction of each, of length 1 (0 where there is none), float32 (clusters, features)."""


def grouping(cluster: np.ndarray, features: Features, centre: np.ndarray) -> Grouping:
    """Return the clusters in order, with their photos.

    Args:
        cluster: Of every photo, as `clustered` gives it.
        features: Embeddings, (photos, features).
        centre: From where directions are seen.
    """
    sums, sizes = sums_by_cluster(cluster, lambda some: directions(features[some], centre), features.shape[1])
    # What all cosines of a cluster add up to is the length of the sum of its directions.
    order = np.argsort(-np.linalg.norm(sums, axis=1), kind="stable")
    order = order[sizes[order] > 0]
    # Photos that point nowhere, as where all of a pool are the same to the network, have no mean direction.
    lengths = np.maximum(np.linalg.norm(sums[order], axis=1, keepdims=True), 1e-12)
    means = (sums[order] / lengths).astype(np.float32)
    place = np.full(len(sums) + 1, ALONE)
    place[order] = np.arange(len(order))
    cluster = place[cluster]
    cosines = np.zeros(len(cluster), dtype=np.float32)
    for at in range(0, len(cluster), BLOCK):
        some = np.flatnonzero(cluster[at : at + BLOCK] != ALONE) + at
        cosines[some] = np.einsum("ij,ij->i", directions(features[some], centre), means[cluster[some]])
    best = np.lexsort((-cosines, cluster))
    starts = np.searchsorted(cluster[best], np.arange(len(order) + 1))
    rows = [best[starts[number] : starts[number + 1]] for number in range(len(order))]
    return Grouping(cluster, tuple(Cluster(number, own, cosines[own]) for number, own in enumerate(rows, 1)), means)
