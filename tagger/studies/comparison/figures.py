"""What is measured of a run, under every set of photo weights at once; the first set is the data themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tagger.data.states import PRESENT, UNKNOWN
from tagger.studies.comparison.runs import Run
from tagger.studies.comparison.weighted import steps
from tagger.tags.histogram import MAX_BINS, score_edges
from tagger.tags.metrics import tiers

Floats = NDArray[np.floating]

TITLES = {
    "map": "mAP",
    "map_head": "… head (≥ 100 training photos)",
    "map_medium": "… medium (20 to 99)",
    "map_tail": "… tail (< 20)",
    "precision_at_matched_recall": "precision at the baseline's recall",
    "precision_at_recall_50": "precision at recall 0.5",
    "micro_f1": "micro F1 at the fitted thresholds",
    "macro_f1": "macro F1 at the fitted thresholds",
    "top5_precision": "five tags a photo: precision",
    "top5_recall": "… recall",
    "top5_f1": "… F1",
}
"""Every figure with an interval, and what a table calls it."""

COUNTS = {
    "top5_labels_found": "… labels found (N+)",
    "labels_reaching": "labels whose target is reached on validation",
    "labels_certified": "… certified",
    "labels_reaching_test": "labels at precision 0.9 and recall 0.5 on the test photos",
}
"""Every figure that counts labels: it has no interval, only a mean over seeds."""


@dataclass(frozen=True, eq=False)
class TestFold:
    """What all runs are measured on."""

    __test__ = False  # pytest takes every class called Test… for a test

    present: NDArray[np.bool_]
    """(photos, labels)"""
    counting: NDArray[np.float32]
    """What a photo counts for if a label is given to it: 1, or where nobody knows what unknown weighs;
    (photos, labels)."""
    weights: NDArray[np.float32]
    """Of every photo in every set, (photos, sets)."""
    train_counts: NDArray[np.int64]
    """Training photos of every label, (labels,)."""
    label_weights: Floats
    """Of every label in a mean over labels, (labels, sets); see `label_weights`."""

    @classmethod
    def of(cls, run: Run, weights: NDArray[np.float32], others: NDArray[np.float32]) -> "TestFold":
        """Return the test fold as a run weighed what is unknown.

        Args:
            run: Any of them: all have the same photos and states.
            weights: Of the photos, (photos, sets).
            others: Drawn apart from the first, for the labels, (photos, sets).
        """
        unknown = run.unknown if run.unknown.ndim == 2 else run.unknown[:, None]
        counting = np.where(run.states == UNKNOWN, unknown, np.float32(1))
        counts = np.array([label.train_count for label in run.labels])
        present = run.states == PRESENT
        return cls(present, counting, weights, counts, label_weights(present, others))

    @property
    def has_both(self) -> NDArray[np.bool_]:
        """Labels with a test photo that carries them, and others that weigh something."""
        return self.present.any(axis=0) & ((self.counting * ~self.present).sum(axis=0) > 0)

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Labels whose ranking can be measured: those that have both, and a training photo."""
        return self.has_both & (self.train_counts > 0)

    @property
    def tiers(self) -> dict[str, NDArray[np.bool_]]:
        """The counted labels by number of training photos."""
        groups = tiers(torch.from_numpy(self.train_counts))
        return {f"map_{name}": getattr(groups, name).numpy() & self.counted for name in ("head", "medium", "tail")}

    def mean(self, values: Floats, labels: NDArray[np.bool_]) -> Floats:
        """Return the weighted mean over labels of what is not NaN, (sets,); NaN where nothing is."""
        values, weights = values[labels], self.label_weights[labels]
        there = ~np.isnan(values)
        total, whole = (np.where(there, part, 0).sum(axis=0) for part in (values * weights, weights))
        return np.divide(total, whole, out=np.full(len(total), np.nan), where=whole > 0)


def label_weights(present: NDArray[np.bool_], weights: NDArray[np.float32]) -> Floats:
    """Return what each label counts for in a mean over labels: the mean weight of the photos that carry it.

    Weights of the photos alone make means over labels look surer than they are: a label with one test photo has the
    same average precision in nearly every resample, though with another photo it might have any. How labels differ
    from one another says how much (survey statistics call this collapsing strata with a single unit, Rust and Kalton
    1987). So labels are weighted too, the more unevenly the fewer photos they have; in the first set all count 1.

    Args:
        present: Which photos carry which label, (photos, labels).
        weights: Drawn apart from those within the labels, which favour the labels that they favour; (photos, sets).

    Returns:
        Shape (labels, sets); 0 for labels that no photo carries.

    Example:
        >>> present = np.array([[True, False], [True, True]])
        >>> label_weights(present, np.array([[1, 0.5], [1, 1.5]], np.float32)).tolist()
        [[1.0, 1.0], [1.0, 1.5]]
    """
    photos = present.sum(axis=0)[:, None]
    photos_weigh = (present.T.astype(np.float32) @ weights).astype(np.float64) / np.maximum(photos, 1)
    return np.maximum(1 + np.sqrt(2 * photos / (photos + 1)) * (photos_weigh - 1), 0)


@dataclass(frozen=True, eq=False)
class Tagged:
    """What tags come to; float64, (labels, sets)."""

    found: Floats
    """Weight of the photos rightly given each label."""
    tagged: Floats
    positives: Floats

    @classmethod
    def of(cls, given: NDArray[np.bool_], fold: TestFold, counting: Floats) -> "Tagged":
        """Return what these tags, (photos, labels), come to when a photo counts so much, (photos, labels)."""

        def total(mask: Floats | NDArray[np.bool_]) -> Floats:
            return (mask.astype(np.float32).T @ fold.weights).astype(np.float64)

        return cls(total(given & fold.present), total(given * counting), total(fold.present))

    @property
    def recall(self) -> Floats:
        """Share of the photos with each label that got it; 0 where no photo has it."""
        return _ratio(self.found, self.positives)

    def f1(self) -> Floats:
        """Harmonic mean of precision and recall of every label."""
        return _ratio(2 * self.found, self.tagged + self.positives)

    def micro_f1(self) -> Floats:
        """… of all labels together, (sets,)."""
        return _ratio(2 * self.found.sum(0), self.tagged.sum(0) + self.positives.sum(0))


@dataclass(frozen=True, eq=False)
class Measured:
    """The figures of a run or, as a mean over seeds, of a version."""

    figures: dict[str, Floats]
    """By the names of ``TITLES``; each (sets,)."""
    counts: dict[str, float]
    """By the names of ``COUNTS``."""
    ap: Floats
    """(labels, sets); NaN for labels that do not count."""
    matched: Floats
    """Precision at the baseline's recall, (labels, sets); NaN where there is none to match."""


def given_tags(run: Run) -> NDArray[np.bool_]:
    """Return what the fitted thresholds tag, (photos, labels).

    ``labels.csv`` has six digits of a threshold: the edge of the histogram that it was fitted on is the nearest one.
    """
    edges = score_edges(MAX_BINS).numpy()
    thresholds = np.array([label.threshold for label in run.labels])
    above = np.searchsorted(edges, thresholds).clip(1, len(edges) - 1)
    nearest = np.where(thresholds - edges[above - 1] < edges[above] - thresholds, edges[above - 1], edges[above])
    # A label that is never given has the threshold 2.
    return run.scores >= np.where(thresholds > 1, 2, nearest).astype(np.float32)


def operating_recalls(runs: Sequence[Run]) -> Floats:
    """Return the recall of every label where a version's thresholds stand, the mean over its runs.

    It is that of the validation photos, on which the thresholds were fitted. At the recalls that a version happened to
    reach on the test photos it would look better than its equal: in a simulation of equals by 5 points.

    Returns:
        Shape (labels,); NaN for a label that has no recall there in some run.
    """
    recalls = [[label.val_recall or np.nan for label in run.labels] for run in runs]
    return np.array(recalls, dtype=np.float64).mean(axis=0)


def measure(run: Run, fold: TestFold, *, recall: Floats) -> Measured:
    """Measure a run.

    Args:
        run: Its scores and thresholds.
        fold: What it is measured on.
        recall: Of every label, to read its precision at, (labels,); NaN: the label has none to match.
    """
    ap, halfway, matched = _rankings(run, fold, recall)
    tags = Tagged.of(given_tags(run), fold, fold.counting)
    figures = {
        "map": fold.mean(ap, fold.counted),
        **{name: fold.mean(ap, labels) for name, labels in fold.tiers.items()},
        "precision_at_matched_recall": fold.mean(matched, fold.counted),
        "precision_at_recall_50": fold.mean(halfway, fold.counted),
        "micro_f1": tags.micro_f1(),
        "macro_f1": fold.mean(tags.f1(), fold.has_both),
    }
    figures |= _five_tags(run, fold)
    return Measured(figures, _counts(run, tags), ap, matched)


def mean_over_seeds(runs: Sequence[Measured], shares: Floats) -> Measured:
    """Return the mean of the runs of a version, varied by what photos and what seeds there happened to be.

    What other photos would change is that of the mean of all runs; what other seeds would change, the difference that
    shares make on the data themselves, is added. Weighing photos and seeds at once would count what one seed makes of
    one photo three times over (Owen 2007, "The Pigeonhole Bootstrap").

    Args:
        runs: One a seed.
        shares: Of every seed, (seeds, sets).
    """

    def mean(values: list[Floats]) -> Floats:
        stacked = np.stack(values)
        by_seed = np.einsum("s...,sr->...r", stacked[..., 0], shares - 1 / len(runs))
        return stacked.mean(axis=0) + by_seed

    figures = {name: mean([run.figures[name] for run in runs]) for name in runs[0].figures}
    counts = {name: float(np.mean([run.counts[name] for run in runs])) for name in runs[0].counts}
    return Measured(figures, counts, mean([run.ap for run in runs]), mean([run.matched for run in runs]))


def _rankings(run: Run, fold: TestFold, recall: Floats) -> tuple[Floats, Floats, Floats]:
    """Return average precision, precision at recall 0.5 and at ``recall``, each (labels, sets)."""
    ap, halfway, matched = np.full((3, len(run.labels), fold.weights.shape[1]), np.nan)
    for label in np.flatnonzero(fold.counted):
        ranking = steps(run.scores[:, label], fold.present[:, label], fold.counting[:, label], fold.weights)
        ap[label] = ranking.average_precision()
        halfway[label] = ranking.precision_at(0.5)
        if not np.isnan(recall[label]):
            matched[label] = ranking.precision_at(recall[label])
    return ap, halfway, matched


def _five_tags(run: Run, fold: TestFold) -> dict[str, Floats]:
    """Return the figures of the annotation literature; whatever is not present counts as wrong, unknown or not."""
    if run.scores.shape[1] < 5 or not fold.present.any():
        return {}
    best = np.argsort(-run.scores, axis=1, kind="stable")[:, :5]
    given = np.zeros(run.scores.shape, dtype=bool)
    np.put_along_axis(given, best, True, axis=1)
    tags = Tagged.of(given, fold, np.ones(1, np.float32))
    counted: NDArray[np.bool_] = np.any(fold.present, axis=0)
    precision = fold.mean(_ratio(tags.found, tags.tagged), counted)
    recall = fold.mean(tags.recall, counted)
    return {
        "top5_precision": precision,
        "top5_recall": recall,
        "top5_f1": _ratio(2 * precision * recall, precision + recall),
    }


def _counts(run: Run, tags: Tagged) -> dict[str, float]:
    verdicts = [label.verdict for label in run.labels]
    precision, recall = _ratio(tags.found[:, 0], tags.tagged[:, 0]), tags.recall[:, 0]
    counts = {
        "labels_reaching": float(verdicts.count("met") + verdicts.count("certified")),
        "labels_certified": float(verdicts.count("certified")),
        "labels_reaching_test": float(((precision >= 0.9) & (recall >= 0.5)).sum()),
    }
    found = run.metrics.get("test/top5_labels_found")
    return counts if found is None else {"top5_labels_found": found} | counts


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
