"""The figures of a run: by hand on six photos, then against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from tagger.data.taxonomy import Label, Taxonomy
from tagger.tags.histogram import Histogram
from tagger.tags.thresholds import NEVER, Target, fit
from tagger.tracking.outcome import Outcome, against_truth, outcome
from tagger.tracking.test_scores import Scored

NAMES = ("scene.sea", "scene.forest", "animal.poodle", "food.cake", "object.cup", "object.id_card")


def taxonomy(labels: int) -> Taxonomy:
    return Taxonomy("mine", tuple(Label(name, {"en": name, "zh": "海"}) for name in NAMES[:labels]), "0" * 16)


def scored(scores: np.ndarray, states: np.ndarray) -> Scored:
    scores, states = scores.astype(np.float32), states.astype(np.int8)
    histogram = Histogram.of(torch.from_numpy(scores), torch.from_numpy(states))
    return Scored(np.arange(len(scores)), scores, states, histogram)


def measured(val: Scored, test: Scored, *, counts: list[int], target: Target, unknown: float = 1.0) -> Outcome:
    contract = fit(val.histogram, target, unknown=unknown)
    return outcome(
        contract,
        test,
        train_states=np.array([[0] * len(counts), [0] * len(counts), counts]),
        taxonomy=taxonomy(len(counts)),
    )


@pytest.fixture
def six() -> Outcome:
    """Validation: the sea from .6 and the forest from .3; nobody has seen the cake. Test: six other photos."""
    val = scored(
        np.array([[0.9, 0.7, 0.1, 0.2], [0.6, 0.3, 0.1, 0.2], [0.1, 0.2, 0.1, 0.2]]),
        np.array([[1, 1, -1, -1], [1, 1, -1, -1], [-1, -1, -1, -1]]),
    )
    sea, forest = [0.9, 0.8, 0.7, 0.2, 0.2, 0.1], [0.9, 0.4, 0.35, 0.1, 0.1, 0.1]
    test = scored(
        np.array([sea, forest, [0.5] * 6, [0.9, 0.1, 0.1, 0.1, 0.1, 0.1]]).T,
        np.array([[1, -1, 1, 1, -1, -1], [1, 1, -1, -1, -1, -1], [-1] * 6, [1, -1, -1, -1, -1, -1]]).T,
    )
    return measured(val, test, counts=[150, 50, 3, 0], target=Target())


def test_map_is_over_labels_with_training_and_test_photos(six: Outcome):
    # The sea: 1, then 2 of 3, then 3 of 4 or 5 (two photos share a score). Forest: 1 of 1, 2 of 2. No poodle to test
    # on; no cake to train on, so that its perfect ranking is luck.
    sea = (1 / 1 + 2 / 3 + 3 / 5) / 3
    assert six.metrics["test/map"] == pytest.approx((sea + 1) / 2)
    assert six.metrics["test/labels_counted"] == 2
    assert six.metrics["test/map_head"] == pytest.approx(sea)
    assert six.metrics["test/map_medium"] == 1
    assert "test/map_tail" not in six.metrics, "what has no answer has no key"
    tiers = [six.metrics[f"test/labels_{name}"] for name in ("head", "medium", "tail")]
    assert tiers == [1, 1, 0]


def test_tags_are_those_of_the_thresholds_of_validation(six: Outcome):
    # The sea tags .9 .8 .7, right twice, misses one of three; the forest tags .9 .4 .35, right twice.
    assert six.metrics["test/micro_precision"] == pytest.approx(4 / 6)
    # The cake is silent and misses its photo: six photos to find.
    assert six.metrics["test/micro_recall"] == pytest.approx(4 / 6)
    assert six.metrics["test/micro_f1"] == pytest.approx(4 / 6)
    assert six.metrics["test/macro_precision"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert six.metrics["test/macro_recall"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert six.metrics["val/labels_best_f1"] == 2
    assert six.metrics["val/labels_unreachable"] == 2
    assert six.metrics["val/labels_certified"] == six.metrics["val/labels_met"] == 0


def test_a_label_says_how_it_did_and_none_where_there_is_no_answer(six: Outcome):
    sea, forest, poodle, cake = six.labels
    assert [label.id for label in six.labels] == list(NAMES[:4])
    assert sea.names == {"en": "scene.sea", "zh": "海"}
    assert (sea.train_count, sea.train_absent, sea.train_unknown) == (150, 0, 0)
    assert (sea.support, sea.val_support) == (3, 2)
    assert (sea.precision, sea.recall) == pytest.approx((2 / 3, 2 / 3))
    assert (forest.ap, forest.verdict, forest.fallback) == (1, "best_f1", "")
    assert 0.297 < forest.threshold <= 0.3
    assert (forest.val_precision, forest.val_recall) == (1, 1)
    assert forest.lower_bound == pytest.approx(2 / (2 + 1.6449**2), abs=1e-4), "Wilson's bound of two out of two"
    assert (poodle.ap, poodle.precision, poodle.recall, poodle.support) == (None, None, None, 0)
    assert (poodle.threshold, poodle.verdict, poodle.fallback) == (NEVER, "unreachable", "silence")
    assert (cake.ap, cake.precision, cake.recall) == (1, None, 0)
    assert (cake.lower_bound, cake.val_precision, cake.val_recall) == (None, None, None)


def album(seed: int, *, photos: int = 400) -> Scored:
    rng = np.random.default_rng(seed)
    targets = rng.random((photos, 6)) < np.array([0.4, 0.3, 0.2, 0.1, 0.1, 0.05])
    scores = 1 / (1 + np.exp(-rng.normal(2 * targets - 1.5, 1)))
    return scored(scores, np.where(targets, 1, -1))


def test_the_figures_are_those_of_scikit_learn():
    val, test = album(1), album(2)
    result = measured(val, test, counts=[200, 120, 80, 40, 19, 5], target=Target(precision=0.7))
    targets = test.states == 1
    ap = np.array([average_precision_score(targets[:, label], test.scores[:, label]) for label in range(6)])
    # Scores are rounded down to the edges of 2,048 bins.
    for name, labels in (("map", range(6)), ("map_head", (0, 1)), ("map_medium", (2, 3)), ("map_tail", (4, 5))):
        assert result.metrics[f"test/{name}"] == pytest.approx(ap[list(labels)].mean(), abs=0.005)
    tags = test.scores >= np.array([label.threshold for label in result.labels], dtype=np.float32)
    for average in ("micro", "macro"):
        expected = precision_recall_fscore_support(targets, tags, average=average, zero_division=0)
        for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
            assert result.metrics[f"test/{average}_{name}"] == pytest.approx(value)


def test_five_tags_a_photo_are_counted_where_there_are_five_labels(six: Outcome):
    result = measured(album(1), album(2), counts=[100] * 6, target=Target())
    # All but one of six labels are given to every photo.
    assert result.metrics["test/top5_labels_found"] == 6
    assert 0 < result.metrics["test/top5_precision"] < result.metrics["test/top5_recall"] <= 1
    assert not any("top5" in name for name in six.metrics)


def test_an_unknown_label_counts_in_test_as_in_training():
    val = scored(np.array([[0.9], [0.1]]), np.array([[1], [-1]]))
    # The unknown photo ranks first.
    test = scored(np.array([[0.95], [0.9], [0.1]]), np.array([[0], [1], [-1]]))
    figures = [
        measured(val, test, counts=[9], target=Target(), unknown=unknown).metrics["test/map"]
        for unknown in (1.0, 0.5, 0.0)
    ]
    assert figures == pytest.approx([1 / 2, 1 / 1.5, 1])


def test_a_test_fold_without_any_label_has_no_map_and_no_error():
    val = scored(np.array([[0.9], [0.1]]), np.array([[1], [-1]]))
    result = measured(val, scored(np.array([[0.9]]), np.array([[-1]])), counts=[9], target=Target())
    assert "test/map" not in result.metrics
    assert result.metrics["test/labels_counted"] == 0
    assert result.labels[0].ap is None


def test_no_figure_is_nan(six: Outcome):
    assert all(np.isfinite(value) for value in six.metrics.values())


def test_the_truth_is_measured_where_it_is_known():
    scores, truth = album(3).scores, album(3).states
    expected = np.mean([average_precision_score(truth[:, label] == 1, scores[:, label]) for label in range(6)])
    assert against_truth(scores, truth)["truth/map"] == pytest.approx(expected, abs=0.005)
    assert against_truth(scores, None) == {}
