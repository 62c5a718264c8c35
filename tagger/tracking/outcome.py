"""What came out of a run: flat metrics and a result per label, from the contract and the scores of the test fold."""

from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch

from tagger.data.states import PRESENT
from tagger.data.taxonomy import Taxonomy
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import Mean, Tally, average_precision, precision_at_recall, tally_at, tiers, top_k
from tagger.tags.thresholds import Contract, Verdict
from tagger.tracking.label_result import LabelResult
from tagger.tracking.test_scores import Scored


@dataclass(frozen=True)
class Outcome:
    """The figures of a run."""

    metrics: dict[str, float]
    """Flat, with keys such as ``test/map``; what has no answer has no key."""
    labels: list[LabelResult]


def outcome(contract: Contract, test: Scored, *, train_states: np.ndarray, taxonomy: Taxonomy) -> Outcome:
    """Measure a contract, which was fitted on validation, on the test fold.

    Args:
        contract: Thresholds and verdicts.
        test: Scores and states of the test fold.
        train_states: Training photos on which each label is absent, unknown and present, (3, labels).
        taxonomy: Ids and names of the labels.
    """
    tally = tally_at(test.histogram, contract.thresholds, unknown=contract.unknown)
    metrics = (
        _ranking(test.histogram, contract, train_states[PRESENT + 1]) | _tagging(tally, contract) | _five_tags(test)
    )
    return Outcome(metrics, _label_results(contract, test.histogram, tally, train_states, taxonomy))


def against_truth(scores: np.ndarray, truth: np.ndarray | None) -> dict[str, float]:
    """Return mAP against the states without annotation noise, (photos, labels), where an album knows them."""
    if truth is None:
        return {}
    histogram = Histogram.of(torch.from_numpy(scores), torch.from_numpy(truth))
    return _known({"truth/map": average_precision(histogram, unknown="ignore").mean()})


def _ranking(test: Histogram, contract: Contract, train_counts: np.ndarray) -> dict[str, float]:
    """Return mAP over labels with a training and a test photo, and its head, medium and tail."""
    ap = average_precision(test, unknown=contract.unknown)
    counts = torch.from_numpy(train_counts)
    trained = counts > 0
    groups = tiers(counts)
    means = {"map": ap.mean(trained)}
    means |= {f"map_{name}": ap.mean(trained & getattr(groups, name)) for name in ("head", "medium", "tail")}
    means["precision_at_recall_50"] = precision_at_recall(test, recall=0.5, unknown=contract.unknown).mean(trained)
    figures = _known({f"test/{name}": mean for name, mean in means.items()})
    figures["test/labels_counted"] = float(means["map"].labels)
    return figures | {f"test/labels_{name}": float(means[f"map_{name}"].labels) for name in ("head", "medium", "tail")}


def _tagging(tally: Tally, contract: Contract) -> dict[str, float]:
    """Return precision, recall and F1 at the contract's thresholds, and how many labels have which verdict."""
    micro = tally.overall()
    names = ("precision", "recall", "f1")
    figures = {f"test/micro_{name}": getattr(micro, name).item() for name in names}
    figures |= _known({f"test/macro_{name}": mean for name, mean in zip(names, tally.macro(), strict=True)})
    for verdict in get_args(Verdict):
        figures[f"val/labels_{verdict}"] = float(contract.verdicts.count(verdict))
    return figures


def _five_tags(test: Scored) -> dict[str, float]:
    """Return the figures of the annotation literature: five tags a photo."""
    if test.scores.shape[1] < 5 or not (test.states == PRESENT).any():
        return {}
    five = top_k(torch.from_numpy(test.scores), torch.from_numpy(test.states), tags=5)
    named = {
        "precision": five.precision,
        "recall": five.recall,
        "f1": five.f1,
        "labels_found": float(five.labels_found),
    }
    return {f"test/top5_{name}": value for name, value in named.items()}


def _known(means: dict[str, Mean]) -> dict[str, float]:
    return {name: mean.value for name, mean in means.items() if mean.value is not None}


def _label_results(
    contract: Contract, test: Histogram, tally: Tally, train_states: np.ndarray, taxonomy: Taxonomy
) -> list[LabelResult]:
    ap = average_precision(test, unknown=contract.unknown)
    results = []
    for column, (point, trained) in enumerate(zip(contract.points(), train_states.T.tolist(), strict=True)):
        label = taxonomy.labels[column]
        absent, unknown, present = trained
        results.append(
            LabelResult(
                id=label.id,
                names=label.names,
                train_count=present,
                ap=ap.values[column].item() if ap.counted[column] else None,
                threshold=point.threshold,
                precision=tally.precision[column].item() if tally.tagged[column] else None,
                recall=tally.recall[column].item() if tally.positives[column] else None,
                lower_bound=point.precision_bound,
                support=int(tally.positives[column]),
                verdict=point.verdict,
                fallback=point.fallback,
                val_precision=point.precision,
                val_recall=point.recall,
                val_support=point.support,
                train_absent=absent,
                train_unknown=unknown,
            )
        )
    return results
