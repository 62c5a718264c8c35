"""How surely a difference is one: weights of photos and seeds under resampling, intervals, p-values, discoveries.

Photos are resampled by the Bayesian bootstrap (Rubin 1981, "The Bayesian Bootstrap"): every photo gets a random weight
instead of being drawn so many times. It is as wide as drawing with replacement, but a label with a single test photo
never loses it, so that the same labels count in every resample. All versions get the same weights: what makes a photo
hard for both does not blur their difference.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

Floats = NDArray[np.floating]


def photo_weights(photos: int, *, resamples: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the weight of every photo in every resample, the first of which is the data themselves.

    Returns:
        Exponential weights of mean 1, shape (photos, 1 + resamples); the first column is all ones.

    Example:
        >>> photo_weights(3, resamples=2, rng=np.random.default_rng(0))[:, 0].tolist()
        [1.0, 1.0, 1.0]
    """
    weights = rng.standard_exponential((photos, 1 + resamples), dtype=np.float32)
    weights[:, 0] = 1
    return weights


def seed_weights(seeds: int, *, resamples: int, rng: np.random.Generator) -> Floats:
    """Return the share of every seed in the mean over seeds, in every resample.

    Of n seeds n − 1 are drawn with replacement: n would make the variance of their mean too small by (n − 1) / n, a
    third for three seeds (Rao and Wu 1988, "Resampling Inference With Complex Survey Data"). One seed says nothing of
    how much seeds differ; it stays as it is.

    Returns:
        Shares that sum to 1 over seeds, shape (seeds, 1 + resamples); in the first column all are equal.

    Example:
        >>> shares = seed_weights(2, resamples=9, rng=np.random.default_rng(0))
        >>> shares[:, 0].tolist(), shares.sum(axis=0).tolist() == [1.0] * 10
        ([0.5, 0.5], True)
    """
    drawn = max(seeds - 1, 1)
    counts = rng.multinomial(drawn, np.full(seeds, 1 / seeds), size=resamples).T
    return np.concatenate([np.full((seeds, 1), 1 / seeds), counts / drawn], axis=1)


def interval(values: Floats, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return the ends of the percentile interval of resampled values, (…, 1 + resamples), over the last axis.

    The first of the values, that of the data themselves, is left out.

    Example:
        >>> low, high = interval(np.array([7.0, *range(101)]))
        >>> round(low.item(), 6), round(high.item(), 6)
        (2.5, 97.5)
    """
    outside = (1 - level) / 2
    low, high = np.quantile(values[..., 1:], [outside, 1 - outside], axis=-1)
    return low, high


def p_values(differences: Floats) -> Floats:
    """Return two-sided p-values: twice the share of resamples on the other side of 0, each side counted once more.

    The one more keeps them above 0: resamples cannot prove the impossible (Davison and Hinkley 1997, section 4.2).

    Args:
        differences: Resampled, (…, 1 + resamples); the first is left out.

    Example:
        >>> p_values(np.array([1.0, *[1.0] * 98, -1.0])).item()
        0.04
    """
    resampled = differences[..., 1:]
    below, above = (resampled <= 0).sum(axis=-1), (resampled >= 0).sum(axis=-1)
    return np.minimum(1, 2 * (np.minimum(below, above) + 1) / (resampled.shape[-1] + 1))


def discoveries(p: Floats, *, rate: float) -> NDArray[np.bool_]:
    """Return which differences stand when at most a share ``rate`` of them may be chance (Benjamini and Hochberg 1995).

    Example:
        >>> discoveries(np.array([0.01, 0.03, 0.5]), rate=0.05).tolist()
        [True, True, False]
    """
    return false_discovery_control(p) <= rate if len(p) else np.zeros(0, dtype=bool)
