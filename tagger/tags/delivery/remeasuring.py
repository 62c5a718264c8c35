"""A graph that no longer scores as its checkpoint does: its thresholds fitted again, and its figures measured again."""

from dataclasses import dataclass

import numpy as np
import torch

from tagger.data.datamodule import PhotoData
from tagger.data.dataset import dense_states
from tagger.tags.histogram import Histogram
from tagger.tags.runtime import Tagger
from tagger.tags.tagging.pixel_batches import Pace, pixel_batches
from tagger.tags.thresholds import Contract, Target, fit
from tagger.tracking.outcome import Outcome, outcome
from tagger.tracking.test_scores import Scored


@dataclass(frozen=True, eq=False)
class Remeasured:
    """What a graph gives on the folds of its run."""

    contract: Contract
    validation: Histogram
    """What the contract was fitted on."""
    result: Outcome
    """On the test fold."""


def remeasure(tagger: Tagger, data: PhotoData, target: Target, pace: Pace) -> Remeasured:
    """Score the validation fold and fit its thresholds, then score the test fold and measure them."""
    validation, test = (score(tagger, data, rows, pace) for rows in (data.val_rows, data.test_rows))
    contract = fit(validation.histogram, target, unknown=data.weights)
    result = outcome(contract, test, train_states=data.train_states, taxonomy=data.taxonomy)
    return Remeasured(contract, validation.histogram, result)


def score(tagger: Tagger, data: PhotoData, rows: np.ndarray, pace: Pace) -> Scored:
    """Score catalog rows as an album is scored; those that cannot be read are left out."""
    readable, scores = [np.empty(0, bool)], [np.empty((0, len(tagger.labels)), np.float32)]
    for looked in pixel_batches(data.names(rows), tagger, pace):
        readable.append(looked.readable)
        if len(looked.pixels):
            scores.append(tagger.run(looked.pixels, looked.detected).scores)
    read, found = rows[np.concatenate(readable)], np.concatenate(scores)
    states, kinds = dense_states(data.catalog.states, read), data.kinds_by_label[read]
    histogram = Histogram.of(torch.from_numpy(found), torch.from_numpy(states), kinds=torch.from_numpy(kinds).long())
    return Scored(read, found, states, histogram, kinds)
