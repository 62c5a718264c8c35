"""Calibrations against scikit-learn, and what holds for any photos."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from tagger.tags.detector.calibration import NETWORK_ALONE, Observations, calibrate, calibrate_all, held_out_ranks
from tagger.tags.detector.fusion import Calibration


def told(photos: int = 200, labels: int = 1, *, use: float = 1.0, seed: int = 0) -> Observations:
    """Photos of which the network knows something, and a detector ``use`` times as much."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((photos, labels)) < 0.3).astype(float)
    logits = rng.normal(3 * targets - 2, 2)
    seen = np.maximum(0, use * rng.normal(2 * targets - 0.5, 1))
    return Observations(logits, seen, targets, rng.random((photos, labels)) + 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_without_a_hold_it_is_scikit_learns_logistic_regression(seed: int):
    some = told(seed=seed)
    features = np.stack([some.logits.ravel(), some.detected.ravel()], axis=1)
    reference = LogisticRegression(C=np.inf, tol=1e-9, max_iter=1000)
    reference.fit(features, some.targets.ravel(), sample_weight=some.weights.ravel())
    found = calibrate(some, strength=1e-9)
    assert found == pytest.approx((*reference.coef_[0], reference.intercept_[0]), abs=2e-3)


@pytest.mark.parametrize("use", [-1.0, 0.0, 1.0, 3.0])
@pytest.mark.parametrize("strength", [1e-3, 1.0, 30.0])
def test_the_minimum_is_where_scipy_finds_it(use: float, strength: float):
    some, anchor = told(use=use), np.array([0.8, 0.5, -1.0])
    logits, seen, targets, weights = (values.ravel() for values in some)

    def loss(parameters: np.ndarray) -> float:
        network, detection, shift = parameters
        margin = np.where(targets > 0, 1, -1) * (network * logits + detection * seen + shift)
        return float((weights * np.log1p(np.exp(-margin))).sum() + strength / 2 * ((parameters - anchor) ** 2).sum())

    bounds = [(0, None), (0, None), (None, None)]
    reference = minimize(loss, anchor, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-14, "gtol": 1e-9})
    found = calibrate(some, towards=Calibration(*anchor.tolist()), strength=strength)
    assert loss(np.array(found)) <= reference.fun + 1e-9
    assert found == pytest.approx(reference.x, abs=1e-3)


def test_what_speaks_against_a_label_is_left_out_and_the_rest_fitted_without_it():
    some = told()
    against = some._replace(detected=np.maximum(0, 2 - some.detected))
    found = calibrate(against, strength=1e-9)
    reference = LogisticRegression(C=np.inf, tol=1e-9).fit(
        against.logits, against.targets.ravel(), sample_weight=against.weights.ravel()
    )
    assert found.detection == 0
    assert (found.network, found.shift) == pytest.approx((reference.coef_[0, 0], reference.intercept_[0]), abs=2e-3)


@given(st.integers(0, 1000), st.floats(-2, 2), st.floats(1e-3, 100))
def test_no_weight_is_ever_negative(seed: int, use: float, strength: float):
    some = told(30, use=use, seed=seed)
    found = calibrate(some._replace(logits=use * some.logits), strength=strength)
    assert found.network >= 0 and found.detection >= 0


def test_the_stronger_the_hold_the_nearer_it_stays():
    some, anchor = told(), Calibration(2.0, 0.1, 1.0)
    away = [
        float(np.linalg.norm(np.subtract(calibrate(some, towards=anchor, strength=strength), anchor)))
        for strength in (0.1, 10.0, 1e3, 1e7)
    ]
    assert away == sorted(away, reverse=True)
    assert away[0] > 0.5 and away[-1] < 1e-3


def test_nothing_told_is_the_network_alone():
    nothing = Observations(*np.zeros((4, 0, 1)))
    assert calibrate(nothing, strength=1.0) == NETWORK_ALONE


def test_a_label_with_few_photos_learns_from_the_others():
    some = told(300, labels=6)
    rare = some.targets.copy()
    rare[:, 0] = 0
    rare[np.flatnonzero(some.targets[:, 0])[0], 0] = 1
    found = calibrate_all(some._replace(targets=rare), strength=10.0)
    by_itself = calibrate(some._replace(targets=rare).at((slice(None), [0])), strength=10.0)
    assert found[0].detection > 2 * by_itself.detection


def test_no_photo_is_ranked_by_what_is_so_of_itself():
    some = told(60, labels=3)
    before = held_out_ranks(some, strength=3.0, folds=5)
    for photo in range(0, 60, 7):
        targets = some.targets.copy()
        targets[photo] = 1 - targets[photo]
        after = held_out_ranks(some._replace(targets=targets), strength=3.0, folds=5)
        assert (after[photo] == before[photo]).all()
        assert (after != before).any()


def test_photos_without_a_detection_rank_as_the_network_ranks_them():
    some = told(80, labels=2)
    ranks = held_out_ranks(some, strength=3.0, folds=4)
    none = some.detected == 0
    assert none.any() and (ranks[none] == some.logits[none]).all()
    assert (ranks[~none] >= some.logits[~none]).all()
