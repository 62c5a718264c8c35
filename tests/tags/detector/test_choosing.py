"""Validation decides which labels take the detector."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from tagger.tags.detector.choosing import Choosing, Seen, choose, chosen_figures, measured
from tagger.tags.detector.fusion import WAYS


def seen(
    labels: int = 4, photos: int = 300, *, use: Sequence[float] | float = 1.0, share: float = 0.2, seed: int = 0
) -> Seen:
    """Photos of which a network knows something, and a detector ``use`` times as much of each label."""
    rng = np.random.default_rng(seed)
    present = rng.random((photos, labels)) < share
    scores = 1 / (1 + np.exp(-rng.normal(2.0 * present - 2, 1)))
    clear = 1 / (1 + np.exp(-rng.normal(4.0 * present * np.array(use) - 2, 1)))
    detected = np.where(clear > 0.1, clear, 0)
    states = torch.from_numpy(np.where(present, 1, -1).astype(np.int8))
    floats = (torch.from_numpy(values.astype(np.float32)) for values in (scores, detected))
    return Seen(*floats, states, torch.zeros(photos, dtype=torch.long))


def names(photos: Seen) -> list[str]:
    return [f"label{column}" for column in range(photos.scores.shape[1])]


@pytest.mark.parametrize("way", WAYS)
def test_labels_that_gain_take_it_and_labels_that_do_not_do_not(way: Any):
    photos = seen(6, use=[1, 1, 1, 0, 0, 0])
    taken, choices = choose(names(photos), photos, Choosing(fusion=way), unknown="ignore")
    assert set(taken) == {"label0", "label1", "label2"} == {choice.label for choice in choices if choice.is_taken}
    assert all((choice.val_ap_with or 0) > (choice.val_ap_without or 0) for choice in choices if choice.is_taken)


@pytest.mark.parametrize("way", WAYS)
def test_a_detector_that_sees_nothing_is_taken_by_nobody(way: Any):
    photos = seen()
    blind = Seen(photos.scores, torch.zeros_like(photos.detected), photos.states, photos.kinds)
    taken, choices = choose(names(photos), blind, Choosing(fusion=way), unknown="ignore")
    assert taken == {}
    assert [choice.val_detected for choice in choices] == [0, 0, 0, 0]


def test_chance_is_seldom_taken_for_a_gain():
    photos = seen(200, 100, use=0.0, share=0.1)
    taken, _ = choose(names(photos), photos, Choosing(fusion="logistic"), unknown="ignore")
    assert len(taken) < 20


def test_average_precision_is_that_of_scikit_learn():
    photos = seen(3)
    _, choices = choose(names(photos), photos, Choosing(fusion="maximum"), unknown="ignore")
    for column, choice in enumerate(choices):
        present = (photos.states[:, column] == 1).numpy()
        with_detector = torch.maximum(photos.scores, photos.detected)[:, column]
        assert choice.val_ap_without == pytest.approx(
            average_precision_score(present, photos.scores[:, column]), abs=0.01
        )
        assert choice.val_ap_with == pytest.approx(average_precision_score(present, with_detector), abs=0.01)
        assert choice.val_photos == present.sum()


def rare(gains: bool) -> Seen:
    """Four labels with one photo each; on the second photo the network is wrong, and the detector right or wrong."""
    scores = torch.full((20, 4), 0.1)
    scores[1] = 0.3
    detected = torch.zeros(20, 4)
    detected[0 if gains else 2] = 0.9
    states = torch.full((20, 4), -1, dtype=torch.int8)
    states[0] = 1
    return Seen(scores, detected, states, torch.zeros(20, dtype=torch.long))


@pytest.mark.parametrize("gains", [True, False])
def test_labels_with_few_photos_decide_together(gains: bool):
    photos = rare(gains)
    settings = Choosing(fusion="maximum", least_photos=3)
    taken, choices = choose(names(photos), photos, settings, unknown="ignore")
    assert all(choice.is_rare for choice in choices)
    assert len(taken) == (4 if gains else 0)


def test_labels_with_no_photo_follow_those_with_few():
    photos = rare(gains=True)
    photos.states[0, 3] = -1
    taken, choices = choose(names(photos), photos, Choosing(fusion="maximum", least_photos=3), unknown="ignore")
    assert choices[3].val_ap_with is None
    assert "label3" in taken


def test_too_few_photos_altogether_decide_nothing():
    photos = rare(gains=True)
    taken, _ = choose(names(photos), photos, Choosing(fusion="maximum", least_photos=5), unknown="ignore")
    assert taken == {}


def test_what_nobody_knows_counts_for_what_the_data_set_says():
    photos = seen(1, use=1.0)
    # The detector is wrong wherever nothing is known.
    unknown = torch.arange(300) % 3 == 0
    photos.states[unknown] = 0
    photos.detected[unknown] = 0.99
    settings = Choosing(fusion="maximum")
    for weight, is_taken in (("ignore", True), ("negative", False)):
        _, (choice,) = choose(["label"], photos, settings, unknown=weight)  # type: ignore[arg-type]
        assert choice.is_taken is is_taken
    kinds = Seen(photos.scores, photos.detected, photos.states, unknown.long())
    for weights, is_taken in (((1.0, 0.0), True), ((0.0, 1.0), False)):
        _, (choice,) = choose(["label"], kinds, settings, unknown=weights)
        assert choice.is_taken is is_taken


@pytest.mark.parametrize("way", WAYS)
def test_the_test_fold_is_measured_and_decides_nothing(way: Any):
    photos, others = seen(3, use=[1, 0, 1]), seen(3, use=[0, 1, 1], seed=1)
    settings = Choosing(fusion=way)
    _, choices = choose(names(photos), photos, settings, unknown="ignore")
    found = measured(choices, others, settings, unknown="ignore")
    assert [choice.is_taken for choice in found] == [choice.is_taken for choice in choices] == [True, False, True]
    gains = [(choice.test_ap_with or 0) - (choice.test_ap_without or 0) for choice in found]
    assert gains[1] > -0.02 and gains[2] > 0.02
    assert gains[0] < 0.02
    assert [choice.test_photos for choice in found] == (others.states == 1).sum(dim=0).tolist()


def test_the_figures_are_means_over_the_labels_that_take_it():
    photos = seen(6, use=[1, 1, 1, 0, 0, 0])
    settings = Choosing(fusion="maximum")
    _, choices = choose(names(photos), photos, settings, unknown="ignore")
    figures = chosen_figures(measured(choices, photos, settings, unknown="ignore"), {"kite": 3})
    assert (figures["detector/candidates"], figures["detector/taken"]) == (6, 3)
    assert figures["detector/classes_without_label"] == 1
    expected = np.mean([choice.val_ap_with for choice in choices if choice.is_taken])  # type: ignore[misc]
    assert figures["detector/test_ap_with"] == figures["detector/val_ap_with"] == pytest.approx(expected)


@pytest.mark.parametrize(
    "settings", [{"folds": 1}, {"strength": 0.0}, {"least_photos": 0}, {"least_gain": 2.0}, {"floor": 1.0}]
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]):
    with pytest.raises(ValueError, match=rf"detector\.{next(iter(settings))} must"):
        Choosing(**settings)
