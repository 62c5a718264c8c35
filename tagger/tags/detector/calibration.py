"""Logistic calibrations fitted on photos: how much the network's score and a detection tell of each label.

A calibration minimises the weighted cross-entropy of sigmoid(network · l + detection · e + shift), where l is the logit
of the network's score and e the evidence of the best detection. First one is fitted that all labels share; then one for
each label, with strength / 2 · |calibration − shared|² added: a label with few photos stays near what is true of all.

Neither weight may be negative. Without that limit a label with a handful of photos learns that being seen speaks
against it; with it, fusion is monotone whatever the photos say.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from tagger.tags.detector.fusion import Calibration

Floats = NDArray[np.float64]

NETWORK_ALONE = Calibration(1.0, 0.0, 0.0)
BOUNDED = np.array([True, True, False])
"""Which of the three may not be negative."""


class Observations(NamedTuple):
    """What network and detector say, and what is so; all of shape (photos,) or (photos, labels)."""

    logits: Floats
    """Of the network's scores."""
    detected: Floats
    """Evidence of the best detections, 0 where there is none."""
    targets: Floats
    """1 where the photo carries the label, else 0."""
    weights: Floats
    """What it weighs."""

    def at(self, index: Any) -> "Observations":
        """Return a part of the photos and labels."""
        return Observations(*(values[index] for values in self))


def calibrate(observations: Observations, *, towards: Calibration = NETWORK_ALONE, strength: float) -> Calibration:
    """Return the calibration of one label, or of all labels together.

    Args:
        observations: Of any shape.
        towards: What it holds to.
        strength: How strongly; at least 0.

    Example:
        >>> columns = [-2.0, -2.0, -2.0], [3.0, 3.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]
        >>> observations = Observations(*map(np.array, columns))
        >>> calibrate(observations, strength=0.1).detection > 1
        True
    """
    logits, detected, targets, weights = (values.ravel() for values in observations)
    features = np.stack([logits, detected, np.ones_like(logits)], axis=1)
    anchor, signs = np.array(towards), np.where(targets > 0, 1.0, -1.0)

    def loss(parameters: Floats) -> float:
        away = parameters - anchor
        return float(weights @ np.logaddexp(0, -signs * (features @ parameters)) + strength / 2 * away @ away)

    parameters = anchor
    # Newton's method within bounds, as in Bertsekas 1982; the loss is convex, and ten steps are many.
    for _ in range(100):
        missed = expit(-signs * (features @ parameters))
        slope = features.T @ (-weights * signs * missed) + strength * (parameters - anchor)
        bend = (features.T * (weights * missed * (1 - missed))) @ features + (strength + 1e-9) * np.eye(3)
        is_free = ~(BOUNDED & (parameters <= 0) & (slope > 0))
        step = np.zeros(3)
        step[is_free] = -np.linalg.solve(bend[np.ix_(is_free, is_free)], slope[is_free])
        moved = _descended(loss, parameters, step, slope)
        if np.abs(moved - parameters).max() < 1e-8:
            break
        parameters = moved
    return Calibration(*parameters.tolist())


def _descended(loss: Callable[[Floats], float], parameters: Floats, step: Floats, slope: Floats) -> Floats:
    """Return where a step leads, made shorter until the loss falls as it should."""
    before = loss(parameters)
    for length in 0.5 ** np.arange(40):
        moved = parameters + length * step
        moved = np.where(BOUNDED, np.maximum(moved, 0), moved)
        if loss(moved) <= before + 1e-4 * slope @ (moved - parameters):
            return moved
    return parameters


def calibrate_all(observations: Observations, *, strength: float) -> list[Calibration]:
    """Return the calibration of every label, each holding to the one that all share."""
    shared = calibrate(observations, strength=1.0)
    labels = range(observations.logits.shape[1])
    return [calibrate(observations.at((slice(None), label)), towards=shared, strength=strength) for label in labels]


def held_out_ranks(observations: Observations, *, strength: float, folds: int, seed: int = 0) -> Floats:
    """Return by what photos rank if each is calibrated without being looked at, (photos, labels).

    The photos are dealt into folds; each fold is ranked by calibrations of the others. A rank is
    l + detection / network · e: dividing by the network's weight leaves out what differs between folds without changing
    the order within them (scale and shift), and makes the ranks comparable with each other and with l itself.
    """
    fold = np.random.default_rng(seed).permutation(len(observations.logits)) % folds
    ranks = np.empty_like(observations.logits)
    for number in range(folds):
        out = fold == number
        calibrations = calibrate_all(observations.at(~out), strength=strength)
        relative = [one.detection / max(one.network, 1e-3) for one in calibrations]
        ranks[out] = observations.logits[out] + np.array(relative) * observations.detected[out]
    return ranks
