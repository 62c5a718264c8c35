"""Replication: photos of rare labels are drawn more often. Mahajan et al. 2018, section 2.2.

The factor of a label is r(h) = max(1, phi(t / f(h))), with f(h) its frequency and t the target frequency; the factor of
a photo is the largest of its labels' factors, as in repeat factor sampling (Gupta et al. 2019). That maximum lifts
frequent labels too, where they share photos with rare ones: `plan` shows it before anything is trained, and
``level="labels"`` takes it back by weights in the loss.

The sum of 1 / f(h) draws photos as class-aware sampling does (Shen et al. 2016): a label, each as likely as any other,
then one of its photos.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from rich.table import Table
from scipy.sparse import csr_array

from tagger.data.label_counts import LabelCounts, UnknownWeights, label_counts

Phi = Literal["natural", "sqrt", "uniform"]
Length = Literal["photos", "replicated"]
Pooling = Literal["max", "sum"]
Level = Literal["photos", "labels"]


def label_frequencies(
    states: csr_array, *, unknown: float | np.ndarray | UnknownWeights, factors: np.ndarray | None = None
) -> np.ndarray:
    """Return the share of photos that carry each label, among those that count for it.

    Args:
        states: int8 (photos, labels); what is not stored is unknown.
        unknown: Weight in [0, 1] of an unknown label as a negative, or one for every photo, (photos,). At 0 a label
            whose absences nobody noted has frequency 1, and is not replicated.
        factors: How often each photo counts, (photos,); None: once.

    Returns:
        f(h) = present / (present + absent + unknown weight * unknown) in [0, 1], (labels,); 0 where nothing counts.

    Example:
        >>> states = csr_array(np.array([[1, 1], [1, 0], [-1, 0]], dtype=np.int8))
        >>> label_frequencies(states, unknown=0.5)
        array([0.66666667, 0.5       ])
    """
    return label_counts(states, unknown=unknown, factors=factors).frequencies


def label_factors(frequencies: np.ndarray, *, target_frequency: float, phi: Phi) -> np.ndarray:
    """Return the replication factor r(h) = max(1, phi(t / f(h))) of every label.

    Args:
        frequencies: f(h) in [0, 1], (labels,).
        target_frequency: Frequency t in (0, 1] that rarer labels are lifted towards.
        phi: ``uniform`` lifts by t / f, ``sqrt`` by its root, ``natural`` not at all.

    Returns:
        Factors of at least 1, (labels,). A label that no photo carries has 1.

    Example:
        >>> label_factors(np.array([0.01, 0.04, 0.5, 0.0]), target_frequency=0.16, phi="sqrt")
        array([4., 2., 1., 1.])
    """
    lift = np.divide(target_frequency, frequencies, out=np.ones_like(frequencies), where=frequencies > 0)
    if phi == "natural":
        return np.ones_like(lift)
    return np.maximum(1.0, np.sqrt(lift) if phi == "sqrt" else lift)


def photo_factors(states: csr_array, factors: np.ndarray, *, pooling: Pooling = "max") -> np.ndarray:
    """Return the largest factor among the present labels of every photo, or the sum of them.

    Args:
        states: int8 (photos, labels).
        factors: Factors of the labels, at least 1, (labels,).
        pooling: ``max`` or ``sum``.

    Returns:
        Factors of at least 1, (photos,). A photo without present labels has 1.

    Example:
        >>> states = csr_array(np.array([[1, 1], [1, -1], [0, 0]], dtype=np.int8))
        >>> photo_factors(states, np.array([2.0, 3.0]))
        array([3., 2., 1.])
        >>> photo_factors(states, np.array([2.0, 3.0]), pooling="sum")
        array([5., 2., 1.])
    """
    result = np.ones(states.shape[0])
    annotated = np.flatnonzero(np.diff(states.indptr))
    if annotated.size:
        values = np.where(states.data > 0, factors[states.indices], 0.0)
        # Rows without entries take no room: each start below runs to the next one.
        pool = np.maximum if pooling == "max" else np.add
        result[annotated] = np.maximum(pool.reduceat(values, states.indptr[annotated]), 1.0)
    return result


@dataclass(frozen=True)
class Replication:
    """How often photos are drawn.

    Args:
        phi: ``natural``, ``sqrt`` or ``uniform``; see `label_factors`.
        target_frequency: t in (0, 1].
        length: Draws of an epoch: as many as there are ``photos``, so that every setting trains for equal steps; or
            ``replicated``, the sum of the factors, so that every photo is drawn at least once.
        pooling: A photo's factor is the ``max`` or the ``sum`` of its labels' factors.
        level: What is lifted. ``photos``: whatever a photo carries is lifted by the photo's factor. ``labels``: each
            label by its own factor alone; the loss takes back what the photo's factor gave it beyond that.

    Raises:
        ValueError: If a setting is none of these.
    """

    phi: Phi = "natural"
    target_frequency: float = 0.05
    length: Length = "photos"
    pooling: Pooling = "max"
    level: Level = "photos"

    def __post_init__(self) -> None:
        allowed = {"phi": Phi, "length": Length, "pooling": Pooling, "level": Level}
        for name, choices in allowed.items():
            value = getattr(self, name)
            if value not in get_args(choices):
                raise ValueError(f"{name} must be one of {', '.join(get_args(choices))}, got {value!r}")
        if not 0 < self.target_frequency <= 1:
            raise ValueError(f"target_frequency must lie in (0, 1], got {self.target_frequency}")

    def label_factors(self, states: csr_array, *, unknown: float | np.ndarray | UnknownWeights) -> np.ndarray:
        """Return the factor of every label, float64 (labels,); see `label_factors`."""
        frequencies = label_frequencies(states, unknown=unknown)
        return label_factors(frequencies, target_frequency=self.target_frequency, phi=self.phi)

    def factors(self, states: csr_array, *, unknown: float | np.ndarray | UnknownWeights) -> np.ndarray:
        """Return the factor of every photo, float64 (photos,); see `photo_factors`."""
        return photo_factors(states, self.label_factors(states, unknown=unknown), pooling=self.pooling)


@dataclass(frozen=True)
class Plan:
    """What an epoch will draw: the dry run. Arrays by label are (labels,)."""

    replication: Replication
    frequencies: np.ndarray
    """f(h) of the photos as they are."""
    drawn_frequencies: np.ndarray
    """f(h) of the photos as they are drawn."""
    effective_frequencies: np.ndarray
    """f(h) as the loss weighs what is drawn: as drawn, or as each label's own factor says (``level="labels"``)."""
    label_factors: np.ndarray
    photos: int
    """Draws of an epoch that takes every photo once."""
    replicated_draws: float
    """Draws of an epoch that takes every photo as often as its factor says."""
    draws: float
    """Draws of an epoch by the configured length, before the sampler rounds them down to whole batches."""
    most_repeated: np.ndarray
    """Rows of the photos that are drawn most often, the first most."""
    expected_draws: np.ndarray
    """How often an epoch draws each of them, on average."""
    lifted: np.ndarray
    """Labels that are frequent enough (factor 1) yet count for more than they occur, the most lifted first."""

    @property
    def cost(self) -> float:
        """Length of an epoch relative to one that takes every photo once."""
        return self.draws / self.photos


def plan(
    states: csr_array, replication: Replication, *, unknown: float | np.ndarray | UnknownWeights, top: int = 10
) -> Plan:
    """Return what an epoch will draw, without drawing it.

    Args:
        states: int8 (photos, labels) of the training photos, at least one.
        replication: The settings to look at.
        unknown: Weight in [0, 1] of an unknown label as a negative, or a weight for every photo.
        top: How many of the most repeated photos to name.

    Example:
        >>> states = csr_array(np.array([[1, 1], [1, 0], [1, 0], [0, 0]], dtype=np.int8))
        >>> half = plan(states, Replication(phi="uniform", target_frequency=0.5), unknown=1.0)
        >>> half.replicated_draws, half.effective_frequencies, half.most_repeated[0].item()
        (5.0, array([0.8, 0.4]), 0)
    """
    frequencies = label_frequencies(states, unknown=unknown)
    by_label = replication.label_factors(states, unknown=unknown)
    by_photo = photo_factors(states, by_label, pooling=replication.pooling)
    drawn = effective = label_frequencies(states, unknown=unknown, factors=by_photo)
    if replication.level == "labels":
        counts = label_counts(states, unknown=unknown)
        effective = LabelCounts(by_label * counts.present, counts.absent).frequencies
    draws = float(len(by_photo)) if replication.length == "photos" else by_photo.sum()
    most = np.argsort(-by_photo, kind="stable")[:top]
    # A rise in the last digits is rounding.
    lift = np.divide(effective, frequencies, out=np.ones_like(effective), where=(frequencies > 0) & (by_label == 1))
    return Plan(
        replication=replication,
        frequencies=frequencies,
        drawn_frequencies=drawn,
        effective_frequencies=effective,
        label_factors=by_label,
        photos=len(by_photo),
        replicated_draws=float(by_photo.sum()),
        draws=float(draws),
        most_repeated=most,
        expected_draws=by_photo[most] * draws / by_photo.sum(),
        lifted=np.argsort(-lift, kind="stable")[: np.count_nonzero(lift > 1 + 1e-9)],
    )


def plan_tables(plan: Plan, label_ids: Sequence[str], photo_names: Sequence[str]) -> list[Table]:
    """Return the plan as tables for the terminal: the epoch, the labels (the rarest first), the most repeated photos.

    Args:
        plan: What an epoch will draw.
        label_ids: Ids of the labels, (labels,).
        photo_names: Names of the photos, (photos,); only those of the most repeated ones are read.
    """
    settings = plan.replication
    run = (
        f"this run: phi={settings.phi}, target_frequency={settings.target_frequency:g}, length={settings.length}, "
        f"pooling={settings.pooling}, level={settings.level}"
    )
    epoch = _table("An epoch", "", "draws", "cost")
    for name, draws in (("natural", plan.photos), ("replicated", plan.replicated_draws), (run, plan.draws)):
        epoch.add_row(name, f"{draws:,.0f}", f"{draws / plan.photos:.2f}")

    labels = _table("Labels", "label", "f(h)", "r(h)", "f(h) as drawn", "f(h) as weighed", "note")
    lifted = set(plan.lifted.tolist())
    for label in np.argsort(plan.frequencies, kind="stable").tolist():
        labels.add_row(
            label_ids[label],
            f"{plan.frequencies[label]:.4f}",
            f"{plan.label_factors[label]:.2f}",
            f"{plan.drawn_frequencies[label]:.4f}",
            f"{plan.effective_frequencies[label]:.4f}",
            "frequent, lifted by the rare labels beside it" if label in lifted else "",
        )

    photos = _table("Most repeated photos", "photo", "draws an epoch")
    for photo, draws in zip(plan.most_repeated.tolist(), plan.expected_draws.tolist(), strict=True):
        photos.add_row(str(photo_names[photo]), f"{draws:.2f}")
    return [epoch, labels, photos]


def _table(title: str, first: str, *numbers: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for name in numbers:
        table.add_column(name, justify="left" if name == "note" else "right")
    return table
