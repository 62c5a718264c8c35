"""What a cluster may be called: ImageNet's words for its photos, and the labels that are nearest to it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from tagger.data.embeddings import Features
from tagger.mining.clusters.cluster import Grouping, Ranked
from tagger.mining.clusters.clustering import ALONE, sums_by_cluster
from tagger.mining.clusters.known import KnownLabels
from tagger.model.imagenet import Classifier, words

NAMES = 3
"""How many names are given of each sort."""


def with_words(found: Grouping, features: Features, classifier: Classifier) -> Grouping:
    """Return the clusters with what ImageNet's classifier calls their photos, rather than those of the whole pool.

    A word's worth is p·log(p/q), its mean probability p in the cluster against q in the pool: what it adds to the
    Kullback-Leibler divergence. Where all photos are indoors, that all of a cluster's are says nothing.

    Args:
        found: The clusters.
        features: Embeddings, (photos, features).
        classifier: What the backbone's weights came with.
    """
    # Photos in no cluster are one more, the first: the pool's words are those of all.
    sums, sizes = sums_by_cluster(
        found.cluster - ALONE, lambda some: classifier.probabilities(features[some]), len(classifier.bias)
    )
    pool, means = sums.sum(axis=0) / len(features), sums[1:] / np.maximum(sizes[1:], 1)[:, None]
    worth = means * np.log(np.maximum(means, 1e-12) / np.maximum(pool, 1e-12))
    names = _ranked(worth, means, words())
    named = (replace(one, words=ranked) for one, ranked in zip(found.clusters, names, strict=True))
    return replace(found, clusters=tuple(named))


def with_scored(found: Grouping, scores: Callable[[slice], np.ndarray], labels: Sequence[str]) -> Grouping:
    """Return the clusters with the labels that a tagger scores highest on their photos, on the mean.

    Args:
        found: The clusters.
        scores: A slice of the photos → their scores, 0..1, (some, labels).
        labels: Ids of the labels.
    """
    sums, sizes = sums_by_cluster(found.cluster, scores, len(labels))
    means = sums / np.maximum(sizes, 1)[:, None]
    return _near(found, _ranked(means, means, labels))


def with_nearest(found: Grouping, known: KnownLabels) -> Grouping:
    """Return the clusters with the labels whose photos they look most like."""
    cosines = found.means @ known.means.T
    return _near(found, _ranked(cosines, cosines, known.ids))


def _ranked(worth: np.ndarray, figures: np.ndarray, names: Sequence[str]) -> list[Ranked]:
    """Return of each row the names of most worth, with their figures."""
    best = np.argsort(-worth, axis=1, kind="stable")[:, :NAMES]
    return [
        tuple((names[one], float(row[one])) for one in few) for row, few in zip(figures, best.tolist(), strict=True)
    ]


def _near(found: Grouping, names: list[Ranked]) -> Grouping:
    named = (replace(one, nearest=ranked) for one, ranked in zip(found.clusters, names, strict=True))
    return replace(found, clusters=tuple(named))
