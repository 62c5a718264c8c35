"""Scores counted per label, state and score: all that average precision, curves and thresholds need to know.

A histogram takes the same memory for a hundred photos as for a million, adds up over batches and processes, and keeps
present, absent and unknown apart, so that what unknown counts for is decided when it is read.

Its edges are equally spaced in logit space, because the scores of rare labels crowd together near zero. A score falls
into bin ``k`` exactly if ``edges[k] <= score < edges[k + 1]`` in float32. Whatever is read at an edge is therefore
exact: it is what the decision ``score >= threshold`` gives on the photos themselves.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from tagger.data.states import ABSENT, PRESENT, UNKNOWN

LOGIT_RANGE = 12.0
"""Edges reach from logit −12 to +12, scores from 6e-6 to 1 − 6e-6; what lies beyond shares the outermost bins."""

MAX_BINS = 2048
"""With more, neighbouring edges near 1 would be the same float32 number."""

CHUNK = 2**17
"""Scores that are binned at a time: enough to keep the kernels busy, few enough to stay in the processor's cache."""


class Histogram(NamedTuple):
    """How many photos of each state had a score in each bin.

    A named tuple rather than a dataclass: torchmetrics walks through what ``compute`` returns and refuses frozen
    dataclasses.
    """

    counts: Tensor
    """Photos, shape (states, labels, bins), integers; the states in the order absent, unknown, present, and then, where
    photos are of several kinds, unknown on each further kind."""
    edges: Tensor
    """Lowest score of each bin, float32, increasing from 0, shape (bins,)."""

    @classmethod
    def of(cls, scores: Tensor, states: Tensor, *, kinds: Tensor | None = None, bins: int = MAX_BINS) -> "Histogram":
        """Count the scores of a whole data set at once.

        Args:
            scores: Values in [0, 1], shape (photos, labels).
            states: ``PRESENT``, ``ABSENT`` or ``UNKNOWN``, shape (photos, labels).
            kinds: Kind of every photo, from 0, shape (photos,), or of every label on it, (photos, labels): what is
                unknown of each is counted apart.
            bins: Bins per label, 3..2048.

        Raises:
            ValueError: As ``ScoreHistogram`` does.

        Example:
            >>> histogram = Histogram.of(torch.tensor([[0.9], [0.1], [0.2]]), torch.tensor([[1], [-1], [0]]))
            >>> histogram.counts.sum(dim=2).flatten()
            tensor([1, 1, 1])
        """
        edges = score_edges(bins).to(scores.device)
        most = 1 if kinds is None or not kinds.numel() else int(kinds.max()) + 1
        counts = torch.zeros(2 + most, states.shape[-1], bins, dtype=torch.int32, device=scores.device)
        add_scores(counts, edges, scores, states, kinds)
        return cls(counts, edges)

    def blocks(self, *, labels: int = 32) -> "Iterator[Histogram]":
        """Yield the histogram of a few labels at a time: curves of all labels at once would leave the cache."""
        for counts in self.counts.split(labels, dim=1):
            yield Histogram(counts, self.edges)


class ScoreHistogram(Metric):
    """A histogram that grows batch by batch and is summed over processes.

    Args:
        labels: Number of labels.
        kinds: Kinds of photos: what is unknown on each is counted apart.
        bins: Bins per label, 3..2048. 1,000 labels of 2,048 bins take 25 MB, and torchmetrics
            keeps a copy to reset to, whatever the number of photos.

    Raises:
        ValueError: From ``update``, if shapes differ, a score is NaN or outside [0, 1], or a state is unheard of.

    Example:
        >>> histogram = ScoreHistogram(labels=2)
        >>> histogram.update(torch.tensor([[0.9, 0.1]]), torch.tensor([[1, -1]], dtype=torch.int8))
        >>> histogram.update(torch.tensor([[0.3, 0.2]]), torch.tensor([[1, 0]], dtype=torch.int8))
        >>> histogram.compute().counts.sum(dim=2)
        tensor([[0, 1],
                [0, 1],
                [2, 0]])
    """

    full_state_update = False
    counts: Tensor

    def __init__(self, labels: int, *, kinds: int = 1, bins: int = MAX_BINS) -> None:
        super().__init__()
        # Not a buffer: `module.half()` would round the edges, and every reading at an edge would cease to be exact.
        self.edges = score_edges(bins)
        # The sum over processes is int64; one process would need two billion photos in a bin to overflow.
        self.add_state("counts", torch.zeros(2 + kinds, labels, bins, dtype=torch.int32), dist_reduce_fx="sum")

    def update(self, scores: Tensor, states: Tensor, kinds: Tensor | None = None) -> None:
        """Count a batch: scores in [0, 1] of any float type and states, both (batch, labels); kinds as in `of`."""
        self.edges = self.edges.to(self.counts.device)
        add_scores(self.counts, self.edges, scores, states, kinds)

    def compute(self) -> Histogram:
        """Return what has been counted so far; later updates do not change it."""
        return Histogram(self.counts.clone(), self.edges)


def score_edges(bins: int) -> Tensor:
    """Return the lowest score of each bin: 0, then scores equally spaced in logit space; float32, shape (bins,).

    Raises:
        ValueError: If ``bins`` lies outside 3..2048.

    Example:
        >>> score_edges(4)
        tensor([0.0000e+00, 6.1442e-06, 5.0000e-01, 9.9999e-01])
    """
    if not 3 <= bins <= MAX_BINS:
        raise ValueError(f"bins must lie in 3..{MAX_BINS}, got {bins}")
    logits = torch.linspace(-LOGIT_RANGE, LOGIT_RANGE, bins - 1, dtype=torch.float64)
    return torch.cat([torch.zeros(1), logits.sigmoid().float()])


def bin_of(scores: Tensor, edges: Tensor) -> Tensor:
    """Return the last bin whose edge does not exceed the score.

    Arithmetic gives the bin or a neighbour (the edges are rounded to float32); a look at the edges settles it. This is
    ``torch.bucketize(scores, edges, right=True) - 1``, fifteen times faster.

    Args:
        scores: Values in [0, 1], float32, any shape.
        edges: As from ``score_edges``.

    Returns:
        Bins 0..bins − 1, int32, in the shape of ``scores``.

    Example:
        >>> bin_of(torch.tensor([0.0, 0.4, 0.5, 1.0]), score_edges(4))
        tensor([0, 1, 2, 3], dtype=torch.int32)
    """
    last = len(edges) - 1
    per_logit = (last - 1) / (2 * LOGIT_RANGE)
    # Bin 1 begins at logit −12; the logits of 0 and 1 are infinite and end in the outermost bins.
    nearby = torch.logit(scores).mul_(per_logit).add_(LOGIT_RANGE * per_logit + 1).clamp_(0, last).to(torch.int32)
    # No score reaches 2: the last bin has no next one.
    next_edges = torch.cat([edges[1:], edges.new_tensor([2.0])])
    too_low, too_high = scores >= _take(next_edges, nearby), scores < _take(edges, nearby)
    # Converted first: arithmetic between types, here and below, takes six times as long.
    return nearby.add_(too_low.int()).sub_(too_high.int())


def add_scores(counts: Tensor, edges: Tensor, scores: Tensor, states: Tensor, kinds: Tensor | None = None) -> None:
    """Add photos to the counts in place, a chunk at a time, so that a large input needs no large working memory.

    Args:
        counts: Integers, contiguous, shape (states, labels, bins).
        edges: As from ``score_edges``, shape (bins,).
        scores: Values in [0, 1], any float type; compared as float32; shape (photos, labels).
        states: ``PRESENT``, ``ABSENT`` or ``UNKNOWN``, shape (photos, labels).
        kinds: Kind of every photo, shape (photos,), or of every label on it, (photos, labels); None: all are of kind 0.

    Raises:
        ValueError: If shapes differ, a score is NaN or outside [0, 1], a state is none of the three, or there are more
            kinds than are counted.
    """
    planes, labels, bins = counts.shape
    _refuse_bad_input(scores, states, labels=labels)
    unclear = _planes_of_unknown(kinds, len(states), kinds_counted=planes - 2).to(counts.device)
    first_bin = torch.arange(0, labels * bins, bins, dtype=torch.int32, device=counts.device)
    photos = max(1, CHUNK // labels)
    parts = zip(scores.split(photos), states.split(photos), unclear.split(photos), strict=True)
    for some_scores, some_states, some_unclear in parts:
        place = some_states.int().add_(1)
        if planes > 3:
            place = torch.where(place == 1, some_unclear, place)
        place = place.mul_(labels * bins)
        place = place.add_(bin_of(some_scores.float(), edges)).add_(first_bin)
        # Label by label, so that the few bins in use stay in the cache.
        place = place.t().to(torch.int64, memory_format=torch.contiguous_format).view(-1)
        counts.view(-1).scatter_add_(0, place, torch.ones_like(place, dtype=counts.dtype))


def _planes_of_unknown(kinds: Tensor | None, photos: int, *, kinds_counted: int) -> Tensor:
    """Return in which plane of the counts what is unknown is counted, int32 (photos, 1) or (photos, labels)."""
    if kinds is None:
        return torch.ones((photos, 1), dtype=torch.int32)
    kinds = kinds if kinds.dim() == 2 else kinds[:, None]
    if photos and not (kinds.min() >= 0 and kinds.max() < kinds_counted):
        raise ValueError(f"kinds must lie in 0..{kinds_counted - 1}, got {int(kinds.min())}..{int(kinds.max())}")
    return torch.where(kinds == 0, 1, kinds + 2).int()


def _take(edges: Tensor, bins: Tensor) -> Tensor:
    return edges.index_select(0, bins.reshape(-1)).view_as(bins)


def _refuse_bad_input(scores: Tensor, states: Tensor, *, labels: int) -> None:
    if scores.shape != states.shape or scores.dim() != 2 or scores.shape[1] != labels:
        shapes = f"got scores {tuple(scores.shape)} and states {tuple(states.shape)}"
        raise ValueError(f"scores and states must both have the shape (photos, {labels}), {shapes}")
    if scores.numel() == 0:
        return
    low, high = scores.aminmax()
    # Written so that NaN, which compares as false, is refused too.
    if not (low >= 0 and high <= 1):
        raise ValueError(f"scores must lie in [0, 1], {_name_first_bad(scores)}")
    low, high = states.aminmax()
    if low < ABSENT or high > PRESENT:
        raise ValueError(f"states must be {ABSENT}, {UNKNOWN} or {PRESENT}, got {int(low)}..{int(high)}")


def _name_first_bad(scores: Tensor) -> str:
    photo, label = (~((scores >= 0) & (scores <= 1))).nonzero()[0].tolist()
    return f"got {scores[photo, label].item()} for photo {photo} of the batch, label {label}"
