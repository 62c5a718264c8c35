"""How far annotators can be trusted: share right with its interval, agreement beyond chance, and the noise left.

Pure functions of counts and answers. Intervals are Wilson's (1927), bounds of noise Clopper and Pearson's (1934), which
never promise too much.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import nan, sqrt
from statistics import NormalDist

import numpy as np
from scipy.stats import beta

Key = tuple[int, str]
"""Row of a photo and a label's id."""


@dataclass(frozen=True)
class Share:
    """A share with its interval."""

    right: int
    of: int
    share: float
    """nan if there is nothing."""
    low: float
    high: float


def wilson_interval(right: int, of: int, *, confidence: float = 0.95) -> Share:
    """Return a share and its two-sided interval (Wilson 1927); 0 to 1 where there is nothing.

    Args:
        right: How many are right.
        of: How many there are.
        confidence: In (0, 1).

    Example:
        >>> found = wilson_interval(90, 100)
        >>> round(found.share, 3), round(found.low, 4), round(found.high, 4)
        (0.9, 0.8256, 0.9448)
    """
    if not 0 <= right <= of:
        raise ValueError(f"right must lie in [0, {of}], got {right}")
    if not of:
        return Share(0, 0, nan, 0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = right / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    # Rounding may leave the ends a hair beside 0 and 1.
    low = 0.0 if right == 0 else max(0.0, middle - half)
    return Share(right, of, share, low, 1.0 if right == of else min(1.0, middle + half))


def accuracy(answers: Mapping[Key, int], gold: Mapping[Key, int], *, confidence: float = 0.95) -> Share:
    """Return the share of an annotator's answers that are as the gold questions, or a second look, say.

    Answers to nothing in ``gold`` are left out; "unsure" (0) is not right unless gold says so too.

    Example:
        >>> accuracy({(0, "dog"): 1, (1, "dog"): -1, (2, "dog"): 1}, {(0, "dog"): 1, (1, "dog"): 1}).share
        0.5
    """
    both = answers.keys() & gold.keys()
    return wilson_interval(sum(answers[key] == gold[key] for key in both), len(both), confidence=confidence)


def cohen_kappa(first: Sequence[int], second: Sequence[int]) -> float:
    """Return the agreement of two annotators beyond chance (Cohen 1960): 1 always, 0 as by chance.

    nan where chance alone explains all: nothing in common, or both always say the same one thing.

    Args:
        first: Answers of one, any words.
        second: Answers of the other about the same, in the same order.

    Example:
        >>> cohen_kappa([1, 1, -1, -1], [1, 1, -1, 1])
        0.5
    """
    if len(first) != len(second):
        raise ValueError(f"as many answers of both are needed, got {len(first)} and {len(second)}")
    if not len(first):
        return nan
    one, two = np.asarray(first), np.asarray(second)
    words = np.unique(np.concatenate([one, two]))
    by_chance = sum(float(np.mean(one == word) * np.mean(two == word)) for word in words)
    return _beyond_chance(float(np.mean(one == two)), by_chance)


def fleiss_kappa(counts: np.ndarray) -> float:
    """Return the agreement of several annotators beyond chance (Fleiss 1971); nan where chance explains all.

    Args:
        counts: Annotators who gave each answer, int (questions, answers); every question was answered by as many, two
            or more.

    Raises:
        ValueError: If questions were answered by different numbers of annotators, or by one.

    Example:
        >>> round(fleiss_kappa(np.array([[3, 0], [0, 3], [2, 1]])), 4)
        0.55
    """
    counts = np.asarray(counts)
    if not len(counts):
        return nan
    annotators = counts.sum(axis=1)
    if (annotators != annotators[0]).any() or annotators[0] < 2:
        raise ValueError(f"every question needs as many answers, two or more; got {sorted(set(annotators.tolist()))}")
    n = int(annotators[0])
    agreed = (np.square(counts).sum(axis=1) - n) / (n * (n - 1))
    shares = counts.sum(axis=0) / counts.sum()
    return _beyond_chance(float(agreed.mean()), float(np.square(shares).sum()))


@dataclass(frozen=True)
class Agreement:
    """How annotators agree."""

    pairs: dict[tuple[str, str], tuple[float, int]]
    """Cohen's kappa and the questions that both answered, by two annotators."""
    kappa: float
    """Fleiss' kappa, of the questions that ``annotators`` answered; nan without any."""
    annotators: int
    questions: int


def agreement(answers: Mapping[str, Mapping[Key, int]]) -> Agreement:
    """Return how annotators agree, two by two and together.

    Fleiss' kappa needs as many answers to every question: it is of the questions with the number of answers, two or
    more, that most questions have.

    Args:
        answers: PRESENT, ABSENT or UNKNOWN for "unsure", by annotator, photo and label.
    """
    pairs = {}
    for first, second in combinations(sorted(answers), 2):
        both = sorted(answers[first].keys() & answers[second].keys())
        if both:
            kappa = cohen_kappa([answers[first][key] for key in both], [answers[second][key] for key in both])
            pairs[first, second] = kappa, len(both)
    counts: dict[Key, list[int]] = {}
    for own in answers.values():
        for key, value in own.items():
            counts.setdefault(key, [0, 0, 0])[value + 1] += 1
    table = np.array([row for row in counts.values() if sum(row) > 1], dtype=np.int64).reshape(-1, 3)
    if not len(table):
        return Agreement(pairs, nan, 0, 0)
    totals = table.sum(axis=1)
    most = int(np.bincount(totals).argmax())
    table = table[totals == most]
    return Agreement(pairs, fleiss_kappa(table), most, len(table))


@dataclass(frozen=True)
class Stratum:
    """Labels on photos of the test fold from which some were drawn at random and looked at."""

    name: str
    size: int
    """Pairs of photo and label that it has."""
    looked_at: int
    wrong: int


@dataclass(frozen=True)
class Noise:
    """The share of wrong labels that is left."""

    share: float
    """The estimate; nan if a part of the fold was not looked at."""
    high: float
    """One-sided upper bound."""


def noise_left(strata: Sequence[Stratum], *, confidence: float = 0.95) -> Noise:
    """Return the share of wrong labels in a fold, and a bound that it is under with this confidence.

    Present and absent labels should be strata of their own: of a thousand pairs drawn from all, a few are present. Each
    stratum has its own bound (Clopper and Pearson 1934), and they hold together (Bonferroni), so the bound of the fold
    is never too low and, with many strata, rather too high. What nobody looked at may be all wrong.

    Args:
        strata: Parts of the fold; pairs that were looked at were drawn from theirs at random, without what the loop
            itself picked.
        confidence: In (0, 1).

    Example:
        >>> round(noise_left([Stratum("present", 5000, 59, 0)]).high, 4)
        0.0495
    """
    total = sum(stratum.size for stratum in strata)
    if not total:
        return Noise(nan, nan)
    each = 1 - (1 - confidence) / len(strata)
    share = sum(s.size / total * (s.wrong / s.looked_at if s.looked_at else nan) for s in strata if s.size)
    high = sum(s.size / total * _upper(s, each) for s in strata if s.size)
    return Noise(float(share), float(high))


def _upper(stratum: Stratum, confidence: float) -> float:
    if not 0 <= stratum.wrong <= stratum.looked_at <= stratum.size:
        raise ValueError(f"{stratum.name}: expected wrong ≤ looked_at ≤ size, got {stratum}")
    if stratum.looked_at == stratum.size:
        # Everything was looked at: nothing is left to chance.
        return stratum.wrong / stratum.size
    if stratum.wrong == stratum.looked_at:
        return 1.0
    return float(beta.ppf(confidence, stratum.wrong + 1, stratum.looked_at - stratum.wrong))


def _beyond_chance(observed: float, by_chance: float) -> float:
    return nan if by_chance >= 1 else (observed - by_chance) / (1 - by_chance)
