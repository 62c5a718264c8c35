"""How probably an annotation is wrong: by a calibrated score, and by cleanlab.

Scores of different labels do not compare: 0.2 is much for a rare label and little for a common one. The *margin* is of
scores that were calibrated label by label on the annotations themselves (Platt 1999), so it is a probability: of a
hundred pairs with a margin of 0.4, ninety should be wrong, as far as the annotations can tell.

What is unknown is not absent: it takes part in the calibration with the weight that its source gives it, and in none of
cleanlab's figures unless its source calls it a negative.
"""

import numpy as np
from cleanlab.rank import get_label_quality_scores

from tagger.data.states import PRESENT, UNKNOWN

_LEAST = 1e-4
"""Of a score: float16 rounds smaller ones anyway, and a logit must be finite."""

_PRIOR = 1.0
"""Photos' worth of trust in the scores as they are: a label with five photos is hardly moved."""

_STEPS = 20


def calibrated(scores: np.ndarray, states: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Return the probability that each photo carries a label, float64 (photos,).

    The log-odds of the scores are scaled and shifted to fit the annotations, by Newton's method on the weighted
    log-likelihood with a prior at no change.

    Args:
        scores: Out of fold, of one label, (photos,), 0..1.
        states: PRESENT, ABSENT or UNKNOWN, (photos,).
        unknown: What an unknown state weighs as a negative on every photo, (photos,), 0..1.

    Example:
        >>> half = np.where(np.arange(1000) < 500, 0.5, 0.01)
        >>> states = np.where(np.arange(1000) < 100, 1, -1)  # of those with 0.5 only every fifth has it
        >>> calibrated(half, states, np.ones(1000))[0].round(2).item()
        0.2
    """
    present = states == PRESENT
    weights = np.where(states == UNKNOWN, unknown, 1.0)
    odds = _odds(scores)
    design = np.stack([odds, np.ones_like(odds)])
    start = np.array([1.0, 0.0])
    place = start
    for _ in range(_STEPS):
        chance = _chance(place @ design)
        slope = design @ (weights * (chance - present)) + _PRIOR * (place - start)
        curve = (design * (weights * chance * (1 - chance))) @ design.T + _PRIOR * np.eye(2)
        step = np.linalg.solve(curve, slope)
        # Newton's steps may overshoot where the scores separate perfectly.
        place = place - step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-6:
            break
    # A label whose scores order the photos the wrong way round knows nothing: it must not turn them round.
    return _chance(np.array([max(float(place[0]), 0.0), place[1]]) @ design)


def cleanlab_quality(scores: np.ndarray, states: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Return cleanlab's quality of each photo's annotation of a label, 0..1, float64 (photos,); NaN where it has none.

    The self-confidence of the label against the rest, adjusted for how rare the label is (Northcutt et al. 2021), as
    ``cleanlab.multilabel_classification`` computes it for every label. The lower, the more probably wrong.

    Args:
        scores: As :func:`calibrated`.
        states: As :func:`calibrated`.
        unknown: As :func:`calibrated`; an unknown state that weighs nothing is no annotation.

    Example:
        >>> cleanlab_quality(np.array([0.9, 0.2, 0.1]), np.array([1, 1, -1]), np.ones(3)).round(2).tolist()
        [0.93, 0.41, 0.67]
    """
    present = states == PRESENT
    counted = (states != UNKNOWN) | (unknown > 0)
    quality = np.full(len(scores), np.nan)
    if present.any() and not present[counted].all():
        yes = scores[counted].astype(np.float64)
        both = np.stack([1 - yes, yes], axis=1)
        quality[counted] = get_label_quality_scores(
            present[counted].astype(np.int64), both, method="self_confidence", adjust_pred_probs=True
        )
    return quality


def _odds(scores: np.ndarray) -> np.ndarray:
    scores = np.clip(scores.astype(np.float64), _LEAST, 1 - _LEAST)
    return np.asarray(np.log(scores) - np.log1p(-scores))


def _chance(odds: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-odds)))
