"""A graph that no longer scores as its checkpoint does: its thresholds fitted again, and its figures measured again."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from tagger.data.datamodule import PhotoData
from tagger.data.dataset import dense_states
from tagger.data.decoding import framed
from tagger.tags.histogram import Histogram
from tagger.tags.runtime import Pixels, Tagger
from tagger.tags.tagging import Pace
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
    kept, scores, at = [], [], 0
    for batch, readable in batches(tagger, data.names(rows), pace):
        kept.append(rows[at : at + len(readable)][readable])
        scores.append(tagger.run(batch).scores)
        at += len(readable)
    read, found = np.concatenate(kept), np.concatenate(scores)
    states, kinds = dense_states(data.catalog.states, read), data.kinds[read]
    tensors = (torch.from_numpy(array) for array in (found, states))
    histogram = Histogram.of(*tensors, kinds=torch.from_numpy(kinds).long())
    return Scored(read, found, states, histogram, kinds)


def batches(tagger: Tagger, photos: list[str], pace: Pace) -> Iterator[tuple[Pixels, np.ndarray]]:
    """Yield framed photos, a batch at a time, and which photos of the batch they are: the others cannot be read."""
    ready = framed(photos, tagger.framing, workers=pace.workers, ahead=2 * pace.batch)
    while some := list(islice(ready, pace.batch)):
        pixels = [photo.pixels for photo in some if photo.pixels is not None]
        size = tagger.framing.size
        yield (
            np.stack(pixels) if pixels else np.empty((0, size, size, 3), np.uint8),
            np.array([photo.pixels is not None for photo in some]),
        )
