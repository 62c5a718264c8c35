"""How probably an annotation is wrong: by a calibrated score, and by cleanlab.

Scores of different labels do not compare: 0.2 is much for a rare label and little for a common one. So they are first
calibrated label by label on the annotations themselves (Platt 1999). The annotation is evidence too: a label that
somebody wrote down is there more probably than one of the same score that nobody wrote down. By Bayes' rule, with the
share of wrong annotations that is expected, both give the probability that the annotation is wrong. On the drawn album,
whose truth is known, about as many are wrong as it says; on real photos it is too sure of mistakes, and too modest
about what is missing (experiments/cleaning).

What is unknown is not absent: it takes part in the calibration with the weight that its source gives it, speaks against
the label with that weight, and has no quality by cleanlab unless its source calls it a negative.
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


def chance_mistaken(probability: np.ndarray, *, noise: float, share: float) -> np.ndarray:
    """Return the probability that a label which is annotated as present is not, (photos,).

    The same share of every label's photos is taken to carry it wrongly. Were a wrong label any of the labels, a rare
    one as easily as a common one, every photo of a label that the model has not learnt would be called mistaken: of the
    first hundred on Corel5k 11 % were wrong by that and 29 % by this (experiments/cleaning/corel5k.md).

    Args:
        probability: That the photo carries the label, calibrated.
        noise: Share of the present labels that are expected to be wrong, in (0, 1).
        share: Share of the photos that are annotated with this label, in (0, 1].

    Example:
        >>> chance_mistaken(np.array([0.5, 0.02, 0.0001]), noise=0.05, share=0.02).round(3).tolist()
        [0.001, 0.047, 0.909]
    """
    mistakes = noise * share * (1 - probability)
    return np.asarray(mistakes / np.maximum(mistakes + probability, 1e-12))


def chance_missing(probability: np.ndarray, states: np.ndarray, unknown: np.ndarray, *, noise: float) -> np.ndarray:
    """Return the probability that a label which nobody says is present is there, (photos,).

    Args:
        probability: That the photo carries the label, calibrated.
        states: ABSENT or UNKNOWN, (photos,).
        unknown: What an unknown state weighs as a negative on every photo, 0..1: at 0 it says nothing, at 1 as much as
            an annotated absence.
        noise: Share of the labels that are there and are expected to be overlooked, in (0, 1).

    Example:
        >>> states, unknown = np.array([-1, 0, 0]), np.array([0.0, 0.0, 1.0])
        >>> chance_missing(np.full(3, 0.8), states, unknown, noise=0.05).round(3).tolist()
        [0.167, 0.8, 0.167]
    """
    overlooked = probability * np.where(states == UNKNOWN, noise**unknown, noise)
    return np.asarray(overlooked / np.maximum(overlooked + 1 - probability, 1e-12))


def cleanlab_quality(scores: np.ndarray, states: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Return cleanlab's quality of each photo's annotation of a label, 0..1, float64 (photos,); NaN where it has none.

    The self-confidence of the label against the rest (Northcutt et al. 2021), as by default in
    ``cleanlab.multilabel_classification``, for every label. The lower, the more probably wrong.

    Args:
        scores: As :func:`calibrated`.
        states: As :func:`calibrated`.
        unknown: As :func:`calibrated`; an unknown state that weighs nothing is no annotation.

    Example:
        >>> cleanlab_quality(np.array([0.9, 0.2, 0.1]), np.array([1, 1, -1]), np.ones(3)).round(2).tolist()
        [0.9, 0.2, 0.9]
    """
    present = states == PRESENT
    counted = (states != UNKNOWN) | (unknown > 0)
    quality = np.full(len(scores), np.nan)
    if present.any() and not present[counted].all():
        yes = scores[counted].astype(np.float64)
        quality[counted] = get_label_quality_scores(
            present[counted].astype(np.int64), np.stack([1 - yes, yes], axis=1), method="self_confidence"
        )
    return quality


def _odds(scores: np.ndarray) -> np.ndarray:
    scores = np.clip(scores.astype(np.float64), _LEAST, 1 - _LEAST)
    return np.asarray(np.log(scores) - np.log1p(-scores))


def _chance(odds: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-odds)))
