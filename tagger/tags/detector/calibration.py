"""The logistic calibration of one label, fitted on photos: how much the network's score and a detection tell.

It minimises the weighted cross-entropy of sigmoid(network · l + detection · e + shift), where l is the logit of the
network's score and e the evidence of the best detection, plus strength / 2 · ((network − 1)² + detection²): with few
photos the label stays as the network has it. Neither weight may be negative. Without that limit a label with a handful
of photos learns that being seen speaks against it; with it, fusion is monotone whatever the photos say.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from tagger.tags.detector.fusion import Calibration

Floats = NDArray[np.float64]


def calibrate(logits: Floats, seen: Floats, targets: Floats, weights: Floats, *, strength: float) -> Calibration:
    """Return the calibration of a label.

    Args:
        logits: Of the network's scores, (photos,).
        seen: Evidence of the best detections, 0 where there is none, (photos,).
        targets: 1 where the photo carries the label, else 0, (photos,).
        weights: What every photo weighs, (photos,).
        strength: How strongly the label holds to the network, above 0.

    Example:
        >>> logits, seen = np.array([-2.0, -2.0, -2.0, -2.0]), np.array([3.0, 3.0, 0.0, 0.0])
        >>> learnt = calibrate(logits, seen, np.array([1.0, 1.0, 0.0, 0.0]), np.ones(4), strength=0.1)
        >>> learnt.detection > 1
        True
    """
    features = np.stack([logits, seen, np.ones_like(logits)], axis=1)
    anchor, pull = np.array([1.0, 0.0, 0.0]), np.array([strength, strength, 0.0])
    signs = np.where(targets > 0, 1.0, -1.0)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        margins = signs * (features @ parameters)
        away = parameters - anchor
        value = float(weights @ np.logaddexp(0, -margins) + 0.5 * pull @ away**2)
        return value, features.T @ (-weights * signs * expit(-margins)) + pull * away

    found = minimize(loss, anchor, jac=True, method="L-BFGS-B", bounds=[(0, None), (0, None), (None, None)])
    return Calibration(*found.x.tolist())


def held_out_ranks(
    logits: Floats, seen: Floats, targets: Floats, weights: Floats, *, strength: float, folds: int, seed: int = 0
) -> Floats:
    """Return by what a label's photos rank if each is calibrated without being looked at, (photos,).

    The photos are dealt into folds, those with the label evenly; each fold is ranked by what the others say. A rank is
    l + detection / network · e: dividing by the network's weight leaves out what differs between folds without changing
    the order within them (shift and scale), and makes the ranks comparable with each other and with l itself.
    """
    fold = _dealt(targets, folds=folds, seed=seed)
    ranks = np.empty_like(logits)
    for number in range(folds):
        out = fold == number
        told = calibrate(logits[~out], seen[~out], targets[~out], weights[~out], strength=strength)
        ranks[out] = logits[out] + told.detection / max(told.network, 1e-3) * seen[out]
    return ranks


def _dealt(targets: Floats, *, folds: int, seed: int) -> NDArray[np.int64]:
    """Return the fold of every photo: those with the label, and those without, each in turn."""
    rng = np.random.default_rng(seed)
    fold = np.empty(len(targets), np.int64)
    for some in (np.flatnonzero(targets > 0), np.flatnonzero(targets <= 0)):
        fold[rng.permutation(some)] = np.arange(len(some)) % folds
    return fold
