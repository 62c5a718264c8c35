"""What a comparison says of versions whose difference is known."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from tagger.studies.comparison.comparison import Comparison, Difference, Settings, compare
from tagger.studies.comparison.runs import Run
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import mean_average_precision, tally_at, top_k

Drawn = Callable[..., tuple[list[Run], list[Run]]]
QUICK = Settings(resamples=200)


def compared(drawn_runs: Drawn, seed: int, *, settings: Settings = QUICK, **how: float | int) -> Comparison:
    one, other = drawn_runs(np.random.default_rng(seed), **how)
    return compare({"v1.0": one, "v2.0": other}, baseline="v1.0", settings=replace(settings, seed=seed))


# --- the figures ----------------------------------------------------------------------------------------------------


def test_the_figures_are_those_that_the_rest_of_tagger_measures(drawn_runs: Drawn):
    (run,), _ = drawn_runs(np.random.default_rng(0))
    figures = compare({"v1.0": [run]}, baseline="v1.0", settings=QUICK).versions["v1.0"].figures
    scores, states = torch.from_numpy(run.scores), torch.from_numpy(run.states)
    histogram = Histogram.of(scores, states)
    assert figures["map"].value == pytest.approx(mean_average_precision(histogram, unknown="negative").value, abs=2e-3)
    # Thresholds fitted by a run are edges of the histogram; 0.5 is the nearest that labels.csv could mean.
    nearest = histogram.edges[(histogram.edges - 0.5).abs().argmin()]
    tally = tally_at(histogram, nearest.expand(states.shape[1]), unknown="negative")
    assert figures["micro_f1"].value == pytest.approx(tally.overall().f1.item(), abs=1e-6)
    assert figures["macro_f1"].value == pytest.approx(tally.macro()[2].value, abs=1e-6)
    five = top_k(scores, states, tags=5)
    assert figures["top5_precision"].value == pytest.approx(five.precision, abs=1e-6)
    assert figures["top5_recall"].value == pytest.approx(five.recall, abs=1e-6)
    assert figures["top5_f1"].value == pytest.approx(five.f1, abs=1e-6)


def test_the_figure_of_a_version_is_the_mean_of_its_seeds(drawn_runs: Drawn):
    comparison = compared(drawn_runs, 0, seeds=3, gain=0.5)
    one, other = drawn_runs(np.random.default_rng(0), seeds=3, gain=0.5)

    def mean_ap(run: Run) -> float:
        present = run.states == 1
        return float(
            np.mean([average_precision_score(present[:, n], run.scores[:, n]) for n in range(present.shape[1])])
        )

    aps = [[mean_ap(run) for run in runs] for runs in (one, other)]
    figure = comparison.versions["v2.0"].figures["map"]
    assert figure.value == pytest.approx(np.mean(aps[1]), abs=1e-6)
    assert (figure.lowest, figure.highest) == pytest.approx((min(aps[1]), max(aps[1])), abs=1e-6)
    assert figure.difference is not None and figure.percent is not None
    assert figure.difference.value == pytest.approx(np.mean(aps[1]) - np.mean(aps[0]), abs=1e-6)
    assert figure.percent.value == pytest.approx(100 * (np.mean(aps[1]) / np.mean(aps[0]) - 1), abs=1e-4)
    assert comparison.versions["v1.0"].figures["map"].difference is None


def test_a_version_does_not_differ_from_itself(drawn_runs: Drawn):
    same, _ = drawn_runs(np.random.default_rng(0), seeds=2)
    again = [replace(run, version="v2.0") for run in same]
    version = compare({"v1.0": same, "v2.0": again}, baseline="v1.0", settings=QUICK).versions["v2.0"]
    for figure in version.figures.values():
        if figure.difference:
            assert (figure.difference.value, figure.difference.low, figure.difference.high) == (0, 0, 0)
            assert figure.difference.verdict == "no difference shown"
    assert version.is_paired
    assert not version.labels_with("better") and not version.labels_with("worse") and not version.moved()


def test_other_seeds_are_not_paired(drawn_runs: Drawn):
    one, other = drawn_runs(np.random.default_rng(0), seeds=2)
    moved = [replace(run, seed=run.seed + 5) for run in other]
    assert not compare({"v1.0": one, "v2.0": moved}, baseline="v1.0", settings=QUICK).versions["v2.0"].is_paired


def test_all_are_measured_with_the_baselines_weight_of_what_is_unknown(drawn_runs: Drawn):
    one, other = drawn_runs(np.random.default_rng(0), labels=6)
    unclear = [replace(run, states=np.where(run.states == -1, 0, 1).astype(np.int8)) for run in (*one, *other)]
    weights = np.full(len(unclear[0].photos), 0.5, np.float32)
    halved = replace(unclear[1], unknown=weights)
    comparison = compare({"v1.0": [unclear[0]], "v2.0": [halved]}, baseline="v1.0", settings=QUICK)
    assert comparison.weighs_otherwise == ("v2.0",)
    assert (
        comparison.versions["v1.0"].figures["map"]
        == compare({"v1.0": one}, baseline="v1.0", settings=QUICK).versions["v1.0"].figures["map"]
    ), "unknown weighs 1 for the baseline, as absent does"


def test_labels_without_a_recall_to_match_are_left_out_and_counted(drawn_runs: Drawn):
    (one,), (other,) = drawn_runs(np.random.default_rng(0), labels=10)
    silent = tuple(replace(label, val_recall=[None, 0.0, 0.6][min(n, 2)]) for n, label in enumerate(one.labels))
    comparison = compare({"v1.0": [replace(one, labels=silent)], "v2.0": [other]}, baseline="v1.0", settings=QUICK)
    assert (comparison.labels_counted, comparison.labels_matched) == (10, 8)
    precisions = [label.precision for label in comparison.versions["v2.0"].labels]
    assert precisions[:2] == [None, None] and None not in precisions[2:]
    figure = comparison.versions["v2.0"].figures["precision_at_matched_recall"]
    assert figure.value == pytest.approx(np.mean(precisions[2:]), abs=1e-9)


def test_the_same_comparison_twice_is_the_same(drawn_runs: Drawn):
    assert compared(drawn_runs, 3, gain=0.2, seeds=2) == compared(drawn_runs, 3, gain=0.2, seeds=2)


# --- labels that moved ----------------------------------------------------------------------------------------------


def test_the_label_that_moved_is_found_with_the_photos_that_did_it(made_run: Callable[..., Run]):
    rng = np.random.default_rng(0)
    states = np.where(rng.random((200, 6)) < 0.2, 1, -1)
    good = 1 / (1 + np.exp(-(2.0 * states + rng.normal(size=states.shape))))
    bad = good.copy()
    bad[:, 2] = rng.random(200)
    one, other = made_run(good, states), made_run(bad, states, version="v2.0")
    version = compare({"v1.0": [one], "v2.0": [other]}, baseline="v1.0", settings=QUICK).versions["v2.0"]
    assert [label.id for label in version.labels_with("worse")] == ["label2"]
    assert not version.labels_with("better")
    (moved,) = version.moved()
    assert len(moved.examples) == 4
    for shown in moved.examples:
        assert shown.carries == (states[shown.row, 2] == 1)
        assert (shown.place > shown.baseline_place) == shown.carries, "those with it sank, those without it rose"
        assert shown.photo == f"images/{shown.row:04}.jpg"


# --- how often it is right ------------------------------------------------------------------------------------------


NIGHT = pytest.mark.nightly


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seeds", "spread", "trials"),
    [(1, 0.0, 80), (3, 0.2, 60), pytest.param(1, 0.0, 150, marks=NIGHT), pytest.param(3, 0.2, 150, marks=NIGHT)],
)
def test_intervals_hold_the_known_difference_nineteen_times_in_twenty(
    drawn_runs: Drawn, seeds: int, spread: float, trials: int
):
    how = {"gain": 0.3, "seeds": seeds, "spread": spread, "photos": 200, "labels": 20}
    figures = ("map", "precision_at_matched_recall", "micro_f1", "macro_f1")
    # The truth is the expected difference over test folds of this size, here the mean of many that are not tried.
    others = [
        differences(compared(drawn_runs, 10_000 + n, settings=Settings(resamples=1), **how)) for n in range(trials)
    ]
    truth = {name: np.mean([other[name].value for other in others]) for name in figures}
    tried = [differences(compared(drawn_runs, seed, **how)) for seed in range(trials)]
    held = {name: np.mean([trial[name].low <= truth[name] <= trial[name].high for trial in tried]) for name in figures}
    # Three standard deviations of the share; the truth is not exact either.
    assert all(share >= 0.95 - 3 * (0.95 * 0.05 / trials) ** 0.5 - 0.02 for share in held.values()), held


def differences(comparison: Comparison) -> dict[str, Difference]:
    figures = comparison.versions["v2.0"].figures
    return {name: figure.difference for name, figure in figures.items() if figure.difference}


@pytest.mark.slow
@pytest.mark.parametrize("trials", [80, pytest.param(150, marks=NIGHT)])
def test_where_nothing_differs_hardly_anything_is_found(drawn_runs: Drawn, trials: int):
    rate = 0.1
    settings = Settings(resamples=500, false_discovery_rate=rate)
    found = 0
    for seed in range(trials):
        version = compared(drawn_runs, seed, settings=settings, labels=20).versions["v2.0"]
        found += bool(version.labels_with("better") or version.labels_with("worse"))
    # Without any difference every discovery is false: one comparison in ten may have some.
    assert found / trials <= rate + 3 * (rate * (1 - rate) / trials) ** 0.5


@pytest.mark.parametrize(("gain", "verdict"), [(1.0, "better"), (-1.0, "worse")])
def test_a_difference_that_is_there_is_found(drawn_runs: Drawn, gain: float, verdict: str):
    found = [differences(compared(drawn_runs, seed, gain=gain))["map"].verdict for seed in range(5)]
    assert found == [verdict] * 5


@pytest.mark.slow
def test_three_runs_of_corels_size_take_well_under_twenty_seconds(drawn_runs: Drawn):
    rng = np.random.default_rng(0)
    versions = {}
    for name in ("v1.0", "v2.0", "v2.1"):
        _, runs = drawn_runs(rng, photos=499, labels=374)
        versions[name] = [
            replace(run, version=name, states=(versions or {"v1.0": runs})["v1.0"][n].states)
            for n, run in enumerate(runs)
        ]
    started = time.process_time()
    compare(versions, baseline="v1.0")
    assert time.process_time() - started < 20
