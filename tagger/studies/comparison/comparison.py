"""What comes of a comparison: every figure of every version, its difference to the baseline, and how sure it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.data.catalog.fold_noise import Note, noise_note
from tagger.data.skipped import left_out_of_run
from tagger.studies.comparison.comparable import check_comparable, weighs_otherwise
from tagger.studies.comparison.examples import Example, telling_photos
from tagger.studies.comparison.figures import (
    COUNTS,
    TITLES,
    Measured,
    TestFold,
    mean_over_seeds,
    measure,
    operating_recalls,
)
from tagger.studies.comparison.resampling import discoveries, interval, p_values, photo_weights, seed_weights
from tagger.studies.comparison.runs import Run
from tagger.studies.unfinished import Unfinished

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Settings:
    """How the comparison is made."""

    resamples: int = 2000
    seed: int = 0
    """Of the resampling."""
    false_discovery_rate: float = 0.1
    """Most of the labels reported to differ that may differ by chance."""
    least_photos: int = 10
    """A label with fewer test photos is not asked whether it differs."""
    moved: int = 8
    """Labels shown with photos, for every version."""
    examples: int = 4
    """Photos shown of each."""


@dataclass(frozen=True)
class Difference:
    """A version's figure less the baseline's, with the ends of its 95 % interval; in the unit of the figure."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """The verdict: ``better``, ``worse``, or ``no difference shown`` where the interval holds 0."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "no difference shown"

    @property
    def is_shown(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Figure:
    """A figure of a version: the mean over its seeds, the lowest and the highest of them."""

    value: float
    lowest: float
    highest: float
    difference: Difference | None = None
    """To the baseline; None for the baseline itself and for counts of labels, which have no interval."""
    percent: Difference | None = None
    """The same in per cent of the baseline's figure."""


@dataclass(frozen=True)
class LabelChange:
    """What became of a label."""

    id: str
    names: dict[str, str]
    train_photos: int
    test_photos: int
    baseline_ap: float
    ap: float
    difference: Difference
    p: float | None
    """Two-sided, of the difference in average precision; None for a label with too few test photos to be asked."""
    stands: bool
    """Whether it differs when at most the set share of such verdicts may be chance."""
    baseline_precision: float | None
    """Both at the recall at which the baseline's operating point stands; None where that has no recall."""
    precision: float | None
    examples: tuple[Example, ...] = ()
    """Photos whose place moved most, for the labels that moved most."""

    @property
    def verdict(self) -> str:
        """``better`` or ``worse``; empty if that is not shown."""
        return "" if not self.stands else "better" if self.difference.value > 0 else "worse"


@dataclass(frozen=True)
class Version:
    """A version, measured."""

    version: str
    experiment: str
    seeds: tuple[int, ...]
    commits: tuple[str, ...]
    mlflow_runs: tuple[str, ...]
    figures: dict[str, Figure]
    """By the names of ``figures.TITLES`` and ``figures.COUNTS``; what has no answer is left out."""
    is_paired: bool
    """Whether it has the baseline's seeds, so that seed is compared with seed."""
    left_out: str = ""
    """What its first run left out of the data, in a sentence."""
    labels: tuple[LabelChange, ...] = ()
    """Every label that counts, in the order of the label system; empty for the baseline."""

    def labels_with(self, verdict: str) -> list[LabelChange]:
        """Return the labels that are shown to be ``better`` or ``worse``, the most changed first."""
        found = [label for label in self.labels if label.verdict == verdict]
        return sorted(found, key=lambda label: -abs(label.difference.value))

    def moved(self) -> list[LabelChange]:
        """Return the labels that are shown with photos, from the most lost to the most won."""
        return sorted((label for label in self.labels if label.examples), key=lambda label: label.difference.value)


@dataclass(frozen=True)
class Comparison:
    """Versions against a baseline, on the same test photos."""

    question: str | None
    baseline: str
    versions: dict[str, Version]
    """The baseline is among them."""
    photos: int
    """Test photos."""
    labels_counted: int
    labels_matched: int
    """Of them, labels whose precision can be compared at the baseline's recall."""
    labels_asked: int
    """Of them, labels with photos enough to be asked whether they differ."""
    tiers: dict[str, int]
    """Labels in each of ``map_head``, ``map_medium`` and ``map_tail``."""
    target: dict[str, float]
    """What the baseline's thresholds were asked for: ``precision``, ``recall``."""
    weighs_otherwise: tuple[str, ...]
    """Versions that were trained with another weight of unknown labels than the baseline, by which all are measured."""
    data: str
    data_fingerprint: str
    taxonomy_fingerprint: str
    settings: Settings
    noise: Note
    """How many labels of the test fold are wrong."""
    unfinished: tuple[Unfinished, ...] = ()
    annotations: str | None = None
    """The version on whose test annotations all are measured; None: all have the same."""

    @property
    def challengers(self) -> list[Version]:
        """All versions but the baseline."""
        return [version for name, version in self.versions.items() if name != self.baseline]


def compare(
    runs: Mapping[str, Sequence[Run]],
    *,
    baseline: str,
    question: str | None = None,
    settings: Settings | None = None,
    unfinished: Sequence[Unfinished] = (),
    annotations: str | None = None,
) -> Comparison:
    """Compare the runs of several versions with those of one of them.

    Raises:
        UserError: If they cannot be compared; see `check_comparable`.
    """
    settings = settings or Settings()
    check_comparable(runs, baseline=baseline)
    rng = np.random.default_rng(settings.seed)
    first = runs[baseline][0]
    weights, others = (photo_weights(len(first.photos), resamples=settings.resamples, rng=rng) for _ in range(2))
    fold = TestFold.of(first, weights, others)
    shares = _shares(runs, baseline=baseline, resamples=settings.resamples, rng=rng)
    recall = operating_recalls(runs[baseline])
    single = {version: [measure(run, fold, recall=recall) for run in same] for version, same in runs.items()}
    measured = {version: mean_over_seeds(found, shares[version]) for version, found in single.items()}
    asked = fold.counted & (fold.present.sum(axis=0) >= settings.least_photos)
    versions = {
        version: Version(
            version=version,
            experiment=same[0].facts["experiment"],
            seeds=tuple(run.seed for run in same),
            commits=tuple(dict.fromkeys(run.facts["commit"] for run in same)),
            mlflow_runs=tuple(run.mlflow_run_id for run in same if run.mlflow_run_id),
            figures=_figures(single[version], measured[version], measured[baseline], is_baseline=version == baseline),
            is_paired=[run.seed for run in same] == [run.seed for run in runs[baseline]],
            left_out=left_out_of_run(same[0].metrics),
            labels=()
            if version == baseline
            else _changes(runs, version, baseline, measured, fold=fold, asked=asked, settings=settings),
        )
        for version, same in runs.items()
    }
    asked_for = first.config.get("thresholds") or {}
    return Comparison(
        question=question,
        baseline=baseline,
        versions=versions,
        photos=len(first.photos),
        labels_counted=int(fold.counted.sum()),
        labels_matched=int((fold.counted & ~np.isnan(recall)).sum()),
        labels_asked=int(asked.sum()),
        tiers={name: int(labels.sum()) for name, labels in fold.tiers.items()},
        target={name: asked_for[name] for name in ("precision", "recall") if asked_for.get(name) is not None},
        weighs_otherwise=tuple(weighs_otherwise(runs, baseline=baseline)),
        data=first.facts.get("data", ""),
        data_fingerprint=first.facts["data_fingerprint"],
        taxonomy_fingerprint=first.facts["taxonomy_fingerprint"],
        settings=settings,
        noise=_noise(runs),
        unfinished=tuple(unfinished),
        annotations=annotations,
    )


def _noise(runs: Mapping[str, Sequence[Run]]) -> Note:
    """Return what the runs say of their test fold; some may have been made before it was measured."""
    every = [run.metrics for same in runs.values() for run in same]
    return noise_note(max(every, key=lambda metrics: metrics.get("test_noise/looked_at", 0.0)))


def _shares(
    runs: Mapping[str, Sequence[Run]], *, baseline: str, resamples: int, rng: np.random.Generator
) -> dict[str, Floats]:
    """Return the shares of each version's seeds; a version with the baseline's seeds draws the same ones."""
    seeds = {version: [run.seed for run in same] for version, same in runs.items()}
    shares = {baseline: seed_weights(len(seeds[baseline]), resamples=resamples, rng=rng)}
    for version, own in seeds.items():
        if own == seeds[baseline]:
            shares[version] = shares[baseline]
        else:
            shares[version] = seed_weights(len(own), resamples=resamples, rng=rng)
    return shares


def _figures(single: Sequence[Measured], mean: Measured, baseline: Measured, *, is_baseline: bool) -> dict[str, Figure]:
    figures = {}
    for name in TITLES:
        if name not in mean.figures or np.isnan(mean.figures[name][0]):
            continue
        values, before = mean.figures[name], baseline.figures[name]
        seeds = [float(run.figures[name][0]) for run in single]
        difference = percent = None
        if not is_baseline:
            difference = _difference(values - before)
            if before.min() > 0:
                percent = _difference(100 * (values - before) / before)
        figures[name] = Figure(float(values[0]), min(seeds), max(seeds), difference, percent)
    for name in COUNTS:
        if name in mean.counts:
            seeds = [run.counts[name] for run in single]
            figures[name] = Figure(mean.counts[name], min(seeds), max(seeds))
    return figures


def _difference(differences: Floats) -> Difference:
    low, high = interval(differences)
    return Difference(float(differences[0]), float(low), float(high))


def _changes(
    runs: Mapping[str, Sequence[Run]],
    version: str,
    baseline: str,
    measured: Mapping[str, Measured],
    *,
    fold: TestFold,
    asked: NDArray[np.bool_],
    settings: Settings,
) -> tuple[LabelChange, ...]:
    """Return what became of every label that counts."""
    before, after = measured[baseline], measured[version]
    differences = after.ap - before.ap
    low, high = interval(differences)
    p = p_values(differences)
    stands = np.zeros(len(asked), dtype=bool)
    stands[asked] = discoveries(p[asked], rate=settings.false_discovery_rate)
    chosen = most_moved(differences[:, 0], stands=stands, asked=asked, count=settings.moved)
    changes = []
    for number in np.flatnonzero(fold.counted).tolist():
        label = runs[baseline][0].labels[number]
        shown = telling_photos(
            runs[baseline],
            runs[version],
            label=number,
            is_gain=bool(differences[number, 0] > 0),
            count=settings.examples if number in chosen else 0,
        )
        changes.append(
            LabelChange(
                id=label.id,
                names=label.names,
                train_photos=label.train_count,
                test_photos=int(fold.present[:, number].sum()),
                baseline_ap=float(before.ap[number, 0]),
                ap=float(after.ap[number, 0]),
                difference=Difference(float(differences[number, 0]), float(low[number]), float(high[number])),
                p=float(p[number]) if asked[number] else None,
                stands=bool(stands[number]),
                baseline_precision=_known(before.matched[number, 0]),
                precision=_known(after.matched[number, 0]),
                examples=shown,
            )
        )
    return tuple(changes)


def most_moved(differences: Floats, *, stands: NDArray[np.bool_], asked: NDArray[np.bool_], count: int) -> set[int]:
    """Return the labels that moved most: first of those whose difference stands, then of the others that were asked.

    Example:
        >>> stands, asked = np.array([True, False, False, False]), np.array([True, True, True, False])
        >>> most_moved(np.array([0.1, -0.3, 0.2, 0.9]), stands=stands, asked=asked, count=2)
        {0, 1}
    """
    moves = np.where(asked, np.abs(differences), 0)
    order = np.lexsort([-moves, ~stands])
    return {int(number) for number in order[:count] if moves[number] > 0}


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
