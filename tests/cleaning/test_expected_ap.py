"""The AP that a label's size leads one to expect."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tagger.cleaning.labels.expectation import expected_ap


def album(labels: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Return labels of 10 to 10,000 photos whose AP grows with the logarithm of their number."""
    rng = np.random.default_rng(0)
    photos = np.geomspace(10, 10_000, labels).astype(int)
    return photos, 0.1 + 0.25 * (np.log10(photos) - 1) + rng.normal(0, 0.03, labels)


def test_a_curve_that_is_there_is_found():
    photos, ap = album()
    expected = expected_ap(photos, ap)
    curve = 0.1 + 0.25 * (np.log10(photos) - 1)
    # The ends have neighbours on one side alone.
    assert np.abs(expected.ap - curve)[15:-15].max() < 0.04
    assert 0.015 < np.median(expected.spread) < 0.06


def test_a_label_has_no_say_in_what_is_expected_of_it():
    photos, ap = album()
    poorer = ap.copy()
    poorer[150] = 0.0
    before, after = expected_ap(photos, ap), expected_ap(photos, poorer)
    assert abs(before.ap[150] - after.ap[150]) < 0.02


@given(hnp.arrays(np.int64, st.integers(3, 60), elements=st.integers(0, 5000)), st.integers(0, 2**32 - 1))
def test_more_photos_never_lead_one_to_expect_less(photos: np.ndarray, seed: int):
    ap = np.random.default_rng(seed).random(len(photos))
    expected = expected_ap(photos, ap)
    assert (np.diff(expected.ap[np.argsort(photos, kind="stable")]) >= -1e-12).all()
    assert ((expected.ap >= ap.min() - 1e-12) & (expected.ap <= ap.max() + 1e-12)).all()


def test_labels_without_an_ap_neither_get_nor_give_one():
    photos, ap = np.array([5, 10, 20, 40, 0]), np.array([0.1, 0.2, 0.3, 0.4, np.nan])
    expected = expected_ap(photos, ap)
    assert np.isnan(expected.ap[4])
    assert (expected.ap[:4] == expected_ap(photos[:4], ap[:4]).ap).all()


def test_two_labels_are_too_few_to_expect_anything():
    assert np.isnan(expected_ap(np.array([5, 10]), np.array([0.1, 0.2])).ap).all()
