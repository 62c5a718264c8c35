import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, precision_recall_fscore_support

from tagger.data.states import PRESENT, targets_and_weights
from tagger.tags.histogram import Histogram, bin_of, score_edges
from tagger.tags.metrics import (
    average_precision,
    curves,
    mean_average_precision,
    precision_at_recall,
    tally_at,
    tiers,
    top_k,
)


def album(photos: int, labels: int, *, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return scores that tell present from absent, moderately well, and states of all three kinds."""
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(photos, labels, generator=generator)
    states = torch.where(draws < 0.2, 1, torch.where(draws < 0.6, -1, 0)).to(torch.int8)
    logits = 1.5 * torch.randn(photos, labels, generator=generator) + 2 * (states == PRESENT) - 3
    return logits.sigmoid(), states


def column(scores: list[float], states: list[int]) -> Histogram:
    return Histogram.of(torch.tensor(scores)[:, None], torch.tensor(states)[:, None])


def on_edges(scores: torch.Tensor) -> torch.Tensor:
    edges = score_edges(2048)
    return edges[bin_of(scores, edges).long()]


def test_average_precision_of_three_photos_by_hand():
    # Ranked: right, wrong, right. AP = ½ · 1/1 + ½ · 2/3.
    found = average_precision(column([0.9, 0.6, 0.1], [1, -1, 1]), unknown="negative")
    assert found.values.item() == pytest.approx(5 / 6)


@pytest.mark.parametrize(("unknown", "expected"), [("ignore", 1.0), ("negative", 0.5), (0.5, 2 / 3)])
def test_an_unknown_photo_above_the_right_one_costs_what_it_weighs(unknown, expected):
    found = average_precision(column([0.9, 0.6, 0.1], [0, 1, -1]), unknown=unknown)
    assert found.values.item() == pytest.approx(expected)


@pytest.mark.parametrize("unknown", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_average_precision_is_that_of_scikit_learn_on_scores_rounded_to_edges(unknown, seed):
    scores, states = album(400, 5, seed=seed)
    targets, weights = targets_and_weights(states, unknown=unknown)
    expected = [
        average_precision_score(t, s, sample_weight=w)
        for t, s, w in zip(targets.T, on_edges(scores).T, weights.T, strict=True)
    ]
    found = average_precision(Histogram.of(scores, states), unknown=unknown)
    assert found.values.tolist() == pytest.approx(expected, abs=1e-9)


def test_rounding_scores_to_edges_hardly_changes_average_precision():
    scores, states = album(3000, 20)
    targets, _ = targets_and_weights(states, unknown=1.0)
    expected = average_precision_score(targets, scores, average=None)
    found = average_precision(Histogram.of(scores, states), unknown="negative").values.numpy()
    assert np.abs(found - expected).max() < 0.004


def test_curves_are_those_of_scikit_learn_wherever_the_decision_changes():
    scores, states = album(500, 1)
    targets, weights = targets_and_weights(states, unknown=0.5)
    precision, recall, thresholds = precision_recall_curve(
        targets[:, 0], on_edges(scores)[:, 0], sample_weight=weights[:, 0]
    )
    curve = curves(Histogram.of(scores, states), unknown=0.5)
    steps = curve.steps[0]
    assert curve.thresholds[steps].tolist() == thresholds.tolist()
    assert curve.precision[0, steps].tolist() == pytest.approx(precision[:-1])
    assert curve.recall[0, steps].tolist() == pytest.approx(recall[:-1])


@given(seed=st.integers(0, 10_000), unknown=st.floats(0, 1))
@settings(max_examples=25)
def test_raising_a_threshold_never_tags_or_finds_more_and_nothing_is_nan(seed, unknown):
    curve = curves(Histogram.of(*album(30, 4, seed=seed)), unknown=unknown)
    assert (curve.tagged.diff() <= 0).all()
    assert (curve.found.diff() <= 0).all()
    assert curve.positives.shape == curve.negatives.shape == curve.counted.shape == (4,)
    for share in (curve.precision, curve.recall, curve.f1):
        assert ((share >= 0) & (share <= 1)).all()


def test_a_label_without_positives_or_without_negatives_does_not_count():
    scores = torch.tensor([[0.9, 0.9, 0.9, 0.9], [0.1, 0.1, 0.1, 0.1]])
    states = torch.tensor([[1, -1, 1, 1], [-1, -1, 1, 0]], dtype=torch.int8)
    histogram = Histogram.of(scores, states)
    assert average_precision(histogram, unknown="ignore").counted.tolist() == [True, False, False, False]
    assert average_precision(histogram, unknown=0.1).counted.tolist() == [True, False, False, True]


def test_labels_that_do_not_count_leave_the_mean_alone():
    scores = torch.tensor([[0.9, 0.9], [0.1, 0.1]])
    states = torch.tensor([[1, -1], [-1, -1]], dtype=torch.int8)
    mean = mean_average_precision(Histogram.of(scores, states), unknown="negative")
    assert (mean.value, mean.labels) == (1.0, 1)


def test_a_mean_over_no_label_is_none():
    mean = mean_average_precision(column([0.9, 0.1], [-1, -1]), unknown="negative")
    assert (mean.value, mean.labels) == (None, 0)


def test_a_mean_can_be_taken_over_a_tier():
    histogram = Histogram.of(*album(200, 3))
    tail = tiers(torch.tensor([150, 50, 10])).tail
    mean = mean_average_precision(histogram, unknown="negative", among=tail)
    expected = average_precision(histogram, unknown="negative").values[2].item()
    assert (mean.value, mean.labels) == (pytest.approx(expected), 1)


def test_tiers_share_no_label_and_leave_none_out():
    found = tiers(torch.tensor([0, 19, 20, 99, 100, 5000]))
    assert found.tail.tolist() == [True, True, False, False, False, False]
    assert found.medium.tolist() == [False, False, True, True, False, False]
    assert found.head.tolist() == [False, False, False, False, True, True]
    with pytest.raises(ValueError, match=r"tail must lie in 0\.\.head = 0\.\.100, got 200"):
        tiers(torch.tensor([1]), tail=200)


@pytest.mark.parametrize("unknown", [0.0, 0.3, 1.0])
def test_precision_recall_and_f1_at_edges_are_those_of_the_decisions_themselves(unknown):
    scores, states = album(500, 6)
    targets, weights = targets_and_weights(states, unknown=unknown)
    thresholds = score_edges(2048)[torch.tensor([900, 1000, 1100, 700, 1024, 1300])]
    tags = scores >= thresholds
    tally = tally_at(Histogram.of(scores, states), thresholds, unknown=unknown)
    for label in range(6):
        precision, recall, f1, _ = precision_recall_fscore_support(
            targets[:, label], tags[:, label], sample_weight=weights[:, label], average="binary", zero_division=0
        )
        assert tally.precision[label].item() == pytest.approx(precision)
        assert tally.recall[label].item() == pytest.approx(recall)
        assert tally.f1[label].item() == pytest.approx(f1)


def test_overall_and_macro_figures_are_the_micro_and_macro_averages_of_scikit_learn():
    scores, states = album(500, 6)
    targets, _ = targets_and_weights(states, unknown=1.0)
    thresholds = score_edges(2048)[torch.full((6,), 950)]
    tally = tally_at(Histogram.of(scores, states), thresholds, unknown="negative")
    overall = tally.overall()
    micro = precision_recall_fscore_support(targets, scores >= thresholds, average="micro")[:3]
    macro = precision_recall_fscore_support(targets, scores >= thresholds, average="macro")[:3]
    assert (overall.precision.item(), overall.recall.item(), overall.f1.item()) == pytest.approx(micro)
    assert tuple(mean.value for mean in tally.macro()) == pytest.approx(macro)


def test_a_threshold_above_every_edge_tags_nothing():
    tally = tally_at(column([1.0, 0.9], [1, -1]), torch.tensor([2.0]), unknown="negative")
    assert (tally.tagged.item(), tally.precision.item(), tally.recall.item()) == (0, 0, 0)


def test_thresholds_that_are_nan_or_too_few_are_refused():
    histogram = column([0.9, 0.1], [1, -1])
    with pytest.raises(ValueError, match="threshold of label 0 is NaN"):
        tally_at(histogram, torch.tensor([float("nan")]), unknown=1.0)
    with pytest.raises(ValueError, match=r"shape \(1,\), one per label, got \(2,\)"):
        tally_at(histogram, torch.tensor([0.1, 0.2]), unknown=1.0)


def test_precision_at_matched_recall_is_read_where_the_recall_is_first_reached():
    histogram = column([0.9, 0.8, 0.7, 0.6, 0.5], [1, -1, 1, 1, 1])
    found = [precision_at_recall(histogram, recall=recall, unknown=1.0).values.item() for recall in (0, 0.25, 0.5, 1)]
    assert found == pytest.approx([1, 1, 2 / 3, 4 / 5])


def test_a_model_matched_to_its_own_recall_has_its_own_precision():
    histogram = Histogram.of(*album(300, 8))
    thresholds = score_edges(2048)[torch.arange(800, 1200, 50)]
    tally = tally_at(histogram, thresholds, unknown=0.5)
    matched = precision_at_recall(histogram, recall=tally.recall, unknown=0.5)
    assert (matched.values >= tally.precision).all()
    with pytest.raises(ValueError, match=r"recall must lie in \[0, 1\], got 1.5"):
        precision_at_recall(histogram, recall=1.5, unknown=0.5)


def test_five_tags_a_photo_are_measured_as_on_corel():
    # Tags: photo 0 gets labels 0 and 1, photo 1 labels 1 and 2. Label 3 is never given, label 4 never present.
    scores = torch.tensor([[0.9, 0.8, 0.1, 0.2, 0.0], [0.1, 0.9, 0.8, 0.3, 0.0]])
    states = torch.tensor([[1, 0, 1, 1, 0], [0, 1, 1, 0, -1]], dtype=torch.int8)
    found = top_k(scores, states, tags=2)
    assert found.precision == pytest.approx((1 + 1 / 2 + 1 + 0) / 4)
    assert found.recall == pytest.approx((1 + 1 + 1 / 2 + 0) / 4)
    assert found.f1 == pytest.approx(0.625)
    assert (found.labels_found, found.labels_counted) == (3, 4)


def test_five_tags_agree_with_scikit_learn():
    scores, states = album(100, 30)
    rank = scores.argsort(dim=1, descending=True).argsort(dim=1)
    precision, recall, _, _ = precision_recall_fscore_support(states == PRESENT, rank < 5, average="macro")
    found = top_k(scores, states)
    assert (found.precision, found.recall) == pytest.approx((precision, recall))


def test_more_tags_than_labels_and_photos_without_labels_are_refused():
    with pytest.raises(ValueError, match=r"tags must lie in 1\.\.3, the number of labels, got 5"):
        top_k(torch.rand(2, 3), torch.ones(2, 3))
    with pytest.raises(ValueError, match="no photo carries any label"):
        top_k(torch.rand(2, 3), torch.zeros(2, 3), tags=1)
