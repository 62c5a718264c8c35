"""How good scores and tags are, label by label and over all: pure functions of a ``Histogram``.

Average precision is that of the whole set, never a mean over batches. What has no answer is never NaN and never a
silent zero: values per label come with a mask of the labels that count. A label counts if at least one photo carries
it and photos without it weigh something; otherwise any ranking of its photos is as good as any other.
Unknown labels are negatives of the weight ``unknown``, so counts may be fractions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tagger.data.states import PRESENT, Weighing, unknown_weights
from tagger.tags.histogram import Histogram


def ratio(part: Tensor, whole: Tensor) -> Tensor:
    """Return ``part / whole``, and 0 where ``whole`` is 0: precision where nothing is tagged, say."""
    return torch.where(whole > 0, part / whole.where(whole > 0, 1), 0.0)


@dataclass(frozen=True)
class Mean:
    """A mean over the labels that count, and how many they are; the value is None if there are none."""

    value: float | None
    labels: int


@dataclass(frozen=True, eq=False)
class PerLabel:
    """A value for every label that counts."""

    values: Tensor
    """float64, shape (labels,); 0 where the label does not count."""
    counted: Tensor
    """Boolean, shape (labels,)."""

    def mean(self, among: Tensor | None = None) -> Mean:
        """Return the mean over the labels that count, or over those of them that lie in the mask ``among``.

        Example:
            >>> values = PerLabel(torch.tensor([0.5, 1.0, 0.0]), torch.tensor([True, True, False]))
            >>> values.mean()
            Mean(value=0.75, labels=2)
            >>> values.mean(among=torch.tensor([False, False, True]))
            Mean(value=None, labels=0)
        """
        chosen = self.counted if among is None else self.counted & among
        labels = int(chosen.sum())
        return Mean(self.values[chosen].mean().item() if labels else None, labels)


@dataclass(frozen=True, eq=False)
class Tally:
    """What came of tagging with one threshold per label; float64, shape (labels,), or () over all labels."""

    tagged: Tensor
    """Photos tagged."""
    found: Tensor
    """Photos tagged that carry the label."""
    positives: Tensor
    """Photos that carry the label: the support."""
    negatives: Tensor
    """Weight of the photos without it."""

    @property
    def precision(self) -> Tensor:
        """Share of the tagged photos that carry the label; 0 where nothing is tagged."""
        return ratio(self.found, self.tagged)

    @property
    def recall(self) -> Tensor:
        """Share of the photos with the label that are tagged; 0 where no photo has it."""
        return ratio(self.found, self.positives)

    @property
    def f1(self) -> Tensor:
        """Harmonic mean of precision and recall; 0 where nothing is found."""
        return ratio(2 * self.found, self.tagged + self.positives)

    @property
    def counted(self) -> Tensor:
        """The labels with at least one photo that carries them and some weight of photos that do not."""
        return (self.positives > 0) & (self.negatives > 0)

    def overall(self) -> "Tally":
        """Return the tally of all labels together, whose precision, recall and F1 are the micro averages."""
        return Tally(self.tagged.sum(), self.found.sum(), self.positives.sum(), self.negatives.sum())

    def macro(self) -> tuple[Mean, Mean, Mean]:
        """Return the means over labels of precision, recall and F1."""
        precision, recall, f1 = (PerLabel(v, self.counted).mean() for v in (self.precision, self.recall, self.f1))
        return precision, recall, f1


@dataclass(frozen=True, eq=False)
class Curves(Tally):
    """The precision-recall curve of every label: a tally for each edge of the histogram.

    ``tagged``, ``found``, ``precision``, ``recall`` and ``f1`` have the shape (labels, bins); ``positives``,
    ``negatives`` and ``counted``, the same at every threshold, (labels,).
    """

    thresholds: Tensor
    """The edges of the histogram, float32, shape (bins,)."""

    @property
    def recall(self) -> Tensor:
        """Share of the photos with the label that are tagged; 0 where no photo has it."""
        return ratio(self.found, self.positives[:, None])

    @property
    def f1(self) -> Tensor:
        """Harmonic mean of precision and recall; 0 where nothing is found."""
        return ratio(2 * self.found, self.tagged + self.positives[:, None])

    @property
    def steps(self) -> Tensor:
        """Where the curve has a point of its own: the next higher threshold tags fewer photos. Boolean."""
        return self.tagged > functional.pad(self.tagged[:, 1:], (0, 1))


def curves(histogram: Histogram, *, unknown: Weighing) -> Curves:
    """Return the precision-recall curve of every label.

    Args:
        histogram: Scores of any number of photos.
        unknown: What an unknown label counts for: ``"negative"``, ``"ignore"`` or a weight in [0, 1];
            or a weight for each kind of photo.

    Example:
        >>> histogram = Histogram.of(torch.tensor([[0.9], [0.6], [0.1]]), torch.tensor([[1], [-1], [1]]), bins=4)
        >>> curves(histogram, unknown="negative").precision
        tensor([[0.6667, 0.6667, 0.5000, 0.0000]], dtype=torch.float64)
    """
    # Whole photos are summed and fractions of them only then: thresholds that tag the same photos agree to the bit.
    found, mistaken = _weigh(histogram.counts.flip(2).cumsum(2).flip(2), unknown=unknown)
    return Curves(found + mistaken, found, found[:, 0], mistaken[:, 0], histogram.edges)


def average_precision(histogram: Histogram, *, unknown: Weighing) -> PerLabel:
    """Return the average precision AP = Σ (R_k − R_{k+1}) P_k of every label, over thresholds k.

    It is scikit-learn's definition, without interpolation, on scores rounded down to the edges of their bins.
    With 2,048 bins rounding lowers the mean by about 0.001 (experiments/performance/thresholds.md).
    A label that does not count has no average precision; scikit-learn and torchmetrics give it 0, which drags the mean
    down.

    Example:
        >>> scores = torch.tensor([[0.9, 0.2], [0.6, 0.7], [0.1, 0.1]])
        >>> states = torch.tensor([[1, -1], [-1, -1], [1, -1]])
        >>> average_precision(Histogram.of(scores, states), unknown="negative")
        PerLabel(values=tensor([0.8333, 0.0000], dtype=torch.float64), counted=tensor([ True, False]))
    """
    blocks = [_average_precision(block, unknown=unknown) for block in histogram.blocks()]
    return PerLabel(torch.cat([block.values for block in blocks]), torch.cat([block.counted for block in blocks]))


def mean_average_precision(histogram: Histogram, *, unknown: Weighing, among: Tensor | None = None) -> Mean:
    """Return the mean average precision over the labels that count, or over those of them in the mask ``among``."""
    return average_precision(histogram, unknown=unknown).mean(among)


@dataclass(frozen=True, eq=False)
class Tiers:
    """Labels by how many training photos they have; three boolean masks of shape (labels,) that share no label."""

    head: Tensor
    medium: Tensor
    tail: Tensor


def tiers(train_counts: Tensor, *, head: int = 100, tail: int = 20) -> Tiers:
    """Return which labels have at least ``head`` training photos, which fewer than ``tail``, and which lie between.

    Raises:
        ValueError: If ``tail`` exceeds ``head`` or is negative.

    Example:
        >>> tiers(torch.tensor([100, 99, 20, 19])).medium
        tensor([False,  True,  True, False])
    """
    if not 0 <= tail <= head:
        raise ValueError(f"tail must lie in 0..head = 0..{head}, got {tail}")
    is_head, is_tail = train_counts >= head, train_counts < tail
    return Tiers(is_head, ~is_head & ~is_tail, is_tail)


def tally_at(histogram: Histogram, thresholds: Tensor, *, unknown: Weighing) -> Tally:
    """Return what tagging every photo with ``score >= threshold`` gives.

    Exact if the thresholds are edges of the histogram; one that is not is read at the next higher edge. Above the
    highest edge nothing is tagged.

    Args:
        histogram: Scores of any number of photos.
        thresholds: One per label, shape (labels,), compared as float32.
        unknown: What an unknown label counts for.

    Raises:
        ValueError: If there is not one threshold per label, or one is NaN (it would silence a label for ever).

    Example:
        >>> histogram = Histogram.of(torch.tensor([[0.9], [0.6], [0.1]]), torch.tensor([[1], [-1], [1]]))
        >>> tally = tally_at(histogram, torch.tensor([0.5]), unknown="negative")
        >>> tally.precision.item(), tally.recall.item(), tally.f1.item()
        (0.5, 0.5, 0.5)
    """
    labels = histogram.counts.shape[1]
    if thresholds.shape != (labels,):
        raise ValueError(f"thresholds must have the shape ({labels},), one per label, got {tuple(thresholds.shape)}")
    if thresholds.isnan().any():
        raise ValueError(f"the threshold of label {int(thresholds.isnan().nonzero()[0])} is NaN")
    tagging = histogram.edges >= thresholds.to(histogram.edges)[:, None]
    found, mistaken = _weigh(histogram.counts.where(tagging, 0).sum(dim=2), unknown=unknown)
    positives, negatives = _weigh(histogram.counts.sum(dim=2), unknown=unknown)
    return Tally(found + mistaken, found, positives, negatives)


def precision_at_recall(histogram: Histogram, *, recall: float | Tensor, unknown: Weighing) -> PerLabel:
    """Return the precision of every label at the highest threshold that reaches a recall, to compare two models.

    Args:
        histogram: Scores of any number of photos.
        recall: The recall to match, in [0, 1], one for all labels or shape (labels,). At 0 it is the precision at the
            highest threshold that tags anything.
        unknown: What an unknown label counts for.

    Raises:
        ValueError: If a recall lies outside [0, 1].

    Example:
        >>> histogram = Histogram.of(torch.tensor([[0.9], [0.6], [0.1]]), torch.tensor([[1], [-1], [1]]))
        >>> precision_at_recall(histogram, recall=0.6, unknown="negative").values
        tensor([0.6667], dtype=torch.float64)
    """
    wanted = torch.as_tensor(recall, dtype=torch.float64, device=histogram.edges.device)
    if not ((wanted >= 0) & (wanted <= 1)).all():
        raise ValueError(f"recall must lie in [0, 1], got {recall}")
    curve = curves(histogram, unknown=unknown)
    reached = curve.steps & (curve.recall >= wanted.reshape(-1, 1))
    # The recall falls as the threshold rises, so the highest bin that reaches it is the last one.
    last = (reached * torch.arange(1, reached.shape[1] + 1, device=reached.device)).argmax(dim=1)
    precision = curve.precision.gather(1, last[:, None]).squeeze(1)
    return PerLabel(precision.where(curve.counted, 0), curve.counted)


@dataclass(frozen=True)
class Annotation:
    """The figures of the automatic image annotation literature on Corel5k."""

    precision: float
    """Mean over the counted labels of right tags / tags given; 0 for a label that is never given."""
    recall: float
    """Mean over the counted labels of right tags / photos with the label."""
    f1: float
    """Harmonic mean of the two means."""
    labels_found: int
    """N+: labels that are right at least once."""
    labels_counted: int
    """Labels that at least one photo carries."""


def top_k(scores: Tensor, states: Tensor, *, tags: int = 5) -> Annotation:
    """Give every photo its ``tags`` best labels and measure as is usual on Corel5k (Duygulu et al. 2002, five tags).

    Whatever is not present counts as wrong, unknown or not: that is how the published figures were counted. Equal
    scores are resolved in favour of the label that comes first.

    Args:
        scores: Shape (photos, labels).
        states: ``PRESENT``, ``ABSENT`` or ``UNKNOWN``, shape (photos, labels).
        tags: Tags a photo, 1..labels.

    Raises:
        ValueError: If ``tags`` lies outside 1..labels or no photo carries any label.

    Example:
        >>> top_k(torch.tensor([[0.9, 0.1], [0.8, 0.7]]), torch.tensor([[1, 0], [0, 1]]), tags=1)
        Annotation(precision=0.25, recall=0.5, f1=0.3333333333333333, labels_found=1, labels_counted=2)
    """
    if not 1 <= tags <= scores.shape[1]:
        raise ValueError(f"tags must lie in 1..{scores.shape[1]}, the number of labels, got {tags}")
    best = scores.sort(dim=1, descending=True, stable=True).indices[:, :tags]
    given = torch.zeros_like(states, dtype=torch.bool).scatter_(1, best, True)
    present = states == PRESENT
    tagged, found, positives = (mask.sum(dim=0).double() for mask in (given, given & present, present))
    counted = positives > 0
    if not counted.any():
        raise ValueError("no photo carries any label: there is nothing to measure")
    precision = ratio(found, tagged)[counted].mean().item()
    recall = ratio(found, positives)[counted].mean().item()
    f1 = 2 * precision * recall / (precision + recall) if found.any() else 0.0
    return Annotation(precision, recall, f1, int((found > 0).sum()), int(counted.sum()))


def _average_precision(histogram: Histogram, *, unknown: Weighing) -> PerLabel:
    curve = curves(histogram, unknown=unknown)
    values = ratio((histogram.counts[PRESENT + 1] * curve.precision).sum(dim=1), curve.positives)
    return PerLabel(values.where(curve.counted, 0), curve.counted)


def _weigh(counts: Tensor, *, unknown: Weighing) -> tuple[Tensor, Tensor]:
    """Return photos with and without the label, from whole counts of the states (states, …); float64."""
    absent, unclear, present, *others = counts.double()
    unclear_of_kind = [unclear, *others]
    weights = unknown_weights(unknown, kinds=len(unclear_of_kind))
    weighed = [weight * photos for weight, photos in zip(weights, unclear_of_kind, strict=True)]
    return present, absent + torch.stack(weighed).sum(dim=0)
