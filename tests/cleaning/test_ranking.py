"""How probably an annotation is wrong: calibrated margins, and cleanlab's quality."""

import numpy as np
import pytest
from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from tagger.cleaning.queue.chances import calibrated, chance_missing, chance_mistaken, cleanlab_quality

PHOTOS = 4000


@pytest.fixture(scope="module")
def overconfident() -> tuple[np.ndarray, np.ndarray]:
    """Scores whose log-odds are twice what they should be, and one too high; annotated as they truly are."""
    rng = np.random.default_rng(0)
    odds = rng.normal(-2, 1.5, PHOTOS)
    present = rng.random(PHOTOS) < 1 / (1 + np.exp(-odds))
    return 1 / (1 + np.exp(-(2 * odds + 1))), np.where(present, 1, -1).astype(np.int8)


def test_scores_become_the_share_of_photos_that_carry_the_label(overconfident: tuple[np.ndarray, np.ndarray]):
    scores, states = overconfident
    chance = calibrated(scores, states, np.ones(PHOTOS))
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 1.0)):
        among = (chance >= low) & (chance < high)
        assert chance[among].mean() == pytest.approx((states[among] == 1).mean(), abs=0.04)


def test_it_is_the_logistic_regression_of_scikit_learn(overconfident: tuple[np.ndarray, np.ndarray]):
    scores, states = overconfident
    # Smaller scores than float16 keeps apart count as equal.
    scores = np.clip(scores, 1e-4, 1 - 1e-4)
    odds = np.log(scores / (1 - scores))[:, None]
    reference = LogisticRegression(C=1e6).fit(odds, states == 1).predict_proba(odds)[:, 1]
    assert calibrated(scores, states, np.ones(PHOTOS)) == pytest.approx(reference, abs=2e-3)


def test_an_unknown_label_is_a_negative_of_the_weight_that_its_source_gives_it():
    scores, states = np.full(300, 0.5), np.r_[np.ones(100), np.zeros(200)].astype(np.int8)
    assert calibrated(scores, states, np.ones(300))[0] == pytest.approx(1 / 3, abs=0.01)
    assert calibrated(scores, states, np.full(300, 0.5))[0] == pytest.approx(1 / 2, abs=0.01)
    assert calibrated(scores, states, np.zeros(300))[0] > 0.9, "nobody says that any lacks it"


def test_a_model_that_orders_photos_the_wrong_way_round_is_not_turned_round():
    scores = np.r_[np.full(50, 0.1), np.full(50, 0.9)]
    states = np.r_[np.ones(50), -np.ones(50)].astype(np.int8)
    chance = calibrated(scores, states, np.ones(100))
    assert np.ptp(chance) == pytest.approx(0, abs=1e-9), "it knows nothing"


@given(
    scores=st.lists(st.floats(0, 1), min_size=1, max_size=30),
    seed=st.integers(0, 99),
)
def test_whatever_the_scores_chances_are_chances_and_keep_their_order(scores: list[float], seed: int):
    rng = np.random.default_rng(seed)
    states = rng.integers(-1, 2, len(scores)).astype(np.int8)
    chance = calibrated(np.array(scores), states, rng.random(len(scores)))
    assert ((chance >= 0) & (chance <= 1)).all()
    assert (np.diff(chance[np.argsort(scores, kind="stable")]) >= -1e-12).all()


def test_cleanlab_is_asked_as_its_own_multi_label_ranking_asks():
    rng = np.random.default_rng(1)
    scores = rng.random((60, 3))
    present = rng.random((60, 3)) < 0.4
    labels = [np.flatnonzero(row).tolist() for row in present]
    wanted = get_label_quality_scores_per_class(labels, scores, method="self_confidence")
    for column in range(3):
        states = np.where(present[:, column], 1, -1).astype(np.int8)
        assert cleanlab_quality(scores[:, column], states, np.ones(60)) == pytest.approx(wanted[:, column])


def test_what_is_unknown_has_no_quality_unless_its_source_calls_it_a_negative():
    scores, states = np.array([0.9, 0.8, 0.2, 0.7]), np.array([1, 1, -1, 0], dtype=np.int8)
    assert np.isnan(cleanlab_quality(scores, states, np.zeros(4))).tolist() == [False, False, False, True]
    assert not np.isnan(cleanlab_quality(scores, states, np.ones(4))).any()
    # The unknown one must not move the others either.
    known = cleanlab_quality(scores[:3], states[:3], np.ones(3))
    assert cleanlab_quality(scores, states, np.zeros(4))[:3] == pytest.approx(known)


def test_cleanlab_says_nothing_of_a_label_that_all_photos_carry_or_none():
    assert np.isnan(cleanlab_quality(np.array([0.9, 0.8]), np.array([1, 1]), np.ones(2))).all()
    assert np.isnan(cleanlab_quality(np.array([0.9, 0.8]), np.array([-1, -1]), np.ones(2))).all()


def test_of_annotations_that_are_probably_wrong_as_many_are_wrong():
    rng = np.random.default_rng(2)
    odds = rng.normal(-3, 2, 200_000)
    truth = rng.random(len(odds)) < 1 / (1 + np.exp(-odds))
    share = truth.mean()
    # Five in a hundred are overlooked, and as many wrong ones written down as make five in a hundred.
    said = np.where(truth, rng.random(len(odds)) > 0.05, rng.random(len(odds)) < 0.05 * share)
    chance = 1 / (1 + np.exp(-odds))
    mistaken = chance_mistaken(chance, noise=0.05, share=share)[said]
    missing = chance_missing(chance, np.full(len(odds), -1), np.zeros(len(odds)), noise=0.05)[~said]
    for figure, wrong in ((mistaken, ~truth[said]), (missing, truth[~said])):
        for low, high in ((0.0, 0.05), (0.05, 0.3), (0.3, 0.9)):
            among = (figure >= low) & (figure < high)
            assert figure[among].mean() == pytest.approx(wrong[among].mean(), abs=0.05), (low, high)


def test_a_label_that_the_model_cannot_tell_is_hardly_called_mistaken():
    # Every photo gets the share of photos that carry it: nothing is known but the annotation.
    assert chance_mistaken(np.array([0.02]), noise=0.05, share=0.02).item() == pytest.approx(0.05, abs=0.005)
