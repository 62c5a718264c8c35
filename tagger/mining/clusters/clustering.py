"""Which photos belong together: HDBSCAN on reduced embeddings, k-means where there are too many photos for it.

HDBSCAN (Campello, Moulavi & Sander 2013) finds the dense places and leaves out what lies between them, so most of its
clusters can be named, and half of the photos are in none; k-means names them all and half as well. Settings were chosen
on one half of Corel5k's labels and are judged on the other (experiments/clusters).
"""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from scipy.sparse import csr_array
from sklearn.cluster import HDBSCAN, MiniBatchKMeans
from sklearn.decomposition import PCA

from tagger.data.embeddings import Features
from tagger.mining.search import BLOCK, directions

Method = Literal["hdbscan", "kmeans"]

MANY = 30_000
"""Photos from which on ``method=auto`` takes k-means: HDBSCAN's time grows with their square."""

FIT = 50_000
"""Photos from which the reduction is learnt at most."""

SHARE, FLOOR = 20, 50
"""A cluster has at most a twentieth of the photos, or this many: HDBSCAN would else call half of a pool one cluster."""

ALONE = -1
"""The cluster of a photo that is in none."""


def clustered(
    features: Features,
    centre: np.ndarray,
    *,
    method: Method,
    dimensions: int,
    least: int,
    count: int | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Return the cluster of every photo, int64 (photos,), ``ALONE`` where it is in none.

    Args:
        features: Embeddings, (photos, features).
        centre: From where directions are seen, float32 (features,).
        method: ``hdbscan`` or ``kmeans``.
        dimensions: To which directions are reduced by their principal components.
        least: Photos of a cluster at least.
        count: How many clusters k-means makes; None: one for fifty photos, 2 to 1,000.
        seed: Of the reduction and of k-means.
    """
    photos = len(features)
    if photos < max(least, 2):
        return np.full(photos, ALONE)
    points = reduced(features, centre, dimensions, seed)
    if method == "hdbscan":
        made = HDBSCAN(
            min_cluster_size=max(least, 2), min_samples=1, max_cluster_size=max(FLOOR, photos // SHARE), copy=True
        )
        return np.asarray(made.fit_predict(points), dtype=np.int64)
    many = count or int(np.clip(photos // 50, 2, 1000))
    found = MiniBatchKMeans(min(many, photos), n_init=3, batch_size=4096, random_state=seed).fit_predict(points)
    sizes = np.bincount(found)
    return np.where(sizes[found] < least, ALONE, found).astype(np.int64)


def reduced(features: Features, centre: np.ndarray, dimensions: int, seed: int) -> np.ndarray:
    """Return directions as seen from the centre by their principal components, float32 (photos, dimensions)."""
    photos = np.arange(len(features))
    if len(photos) > FIT:
        photos = np.sort(np.random.default_rng(seed).choice(len(photos), FIT, replace=False))
    learnt = directions(features[photos], centre)
    if (learnt == learnt[0]).all():
        # Nothing differs: there are no components, and scikit-learn would divide by zero.
        return np.zeros((len(features), 1), dtype=np.float32)
    pca = PCA(min(dimensions, *learnt.shape), random_state=seed).fit(learnt)
    return np.concatenate([pca.transform(some).astype(np.float32) for some in _blocks(features, centre)])


def _blocks(features: Features, centre: np.ndarray) -> Iterator[np.ndarray]:
    return (directions(features[at : at + BLOCK], centre) for at in range(0, len(features), BLOCK))


def sums_by_cluster(
    cluster: np.ndarray, values: Callable[[slice], np.ndarray], width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of some values of each cluster's photos, and how many it has: (clusters, width) and (clusters,).

    Args:
        cluster: Of every photo, (photos,), ``ALONE`` where it is in none.
        values: A slice of the photos → their values, (some, width); asked for some photos at a time.
        width: Of the values.
    """
    there = np.flatnonzero(cluster != ALONE)
    sizes = np.bincount(cluster[there])
    belongs = csr_array((np.ones(len(there)), (there, cluster[there])), shape=(len(cluster), len(sizes)))
    sums = np.zeros((len(sizes), width))
    for at in range(0, len(cluster), BLOCK):
        sums += belongs[at : at + BLOCK].T @ values(slice(at, at + BLOCK))
    return sums, sizes
