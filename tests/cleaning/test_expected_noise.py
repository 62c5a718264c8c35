"""How many annotations are probably wrong: by hand, against a slow reading of the paper, and on noise that is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.cleaning.labels.noise import expected_noise


def as_the_paper_says(scores: np.ndarray, states: np.ndarray) -> tuple[float, float]:
    """Return mistaken and missing of one label, photo by photo: Northcutt et al. 2021, equations 1 and 2."""
    given_as = [1 if state == 1 else 0 for state in states]
    sides = [[1 - score, score] for score in scores.astype(float)]
    threshold = [np.mean([p[k] for p, g in zip(sides, given_as, strict=True) if g == k]) for k in (0, 1)]
    counts = np.zeros((2, 2))
    for p, g in zip(sides, given_as, strict=True):
        reached = [k for k in (0, 1) if p[k] >= threshold[k]]
        if reached:
            counts[g, max(reached, key=lambda k: p[k])] += 1
    rows, sizes = counts.sum(axis=1), (given_as.count(0), given_as.count(1))
    return tuple(counts[g, 1 - g] / rows[g] * sizes[g] if rows[g] else float("nan") for g in (1, 0))  # type: ignore[return-value]


def test_two_wrong_photos_are_counted_by_hand():
    # Present at 0.9 0.8 0.1, mean 0.6; not at 0.9 0.1 0.2, mean of the rest 0.6. The third and fourth are wrong.
    scores = np.array([[0.9], [0.8], [0.1], [0.9], [0.1], [0.2]])
    noise = expected_noise(scores, np.array([[1], [1], [1], [-1], [-1], [0]]))
    assert noise.mistaken.tolist() == pytest.approx([1.0])
    assert noise.missing.tolist() == pytest.approx([1.0])


@given(
    st.lists(st.tuples(st.integers(0, 100), st.sampled_from([-1, 0, 1])), min_size=2, max_size=40).filter(
        lambda rows: 0 < sum(state == 1 for _, state in rows) < len(rows)
    )
)
def test_it_is_what_the_paper_says(rows: list[tuple[int, int]]):
    scores, states = np.array([row[0] for row in rows]) / 100, np.array([row[1] for row in rows])
    noise = expected_noise(scores[:, None], states[:, None])
    wanted = as_the_paper_says(scores, states)
    assert (noise.mistaken[0], noise.missing[0]) == pytest.approx(wanted, nan_ok=True)


def test_noise_that_was_put_in_is_found():
    rng = np.random.default_rng(0)
    truth = rng.random((4000, 3)) < 0.3
    scores = np.clip(np.where(truth, 0.85, 0.1) + rng.normal(0, 0.08, truth.shape), 0, 1)
    said = truth.copy()
    flipped = rng.random(truth.shape) < np.array([0.0, 0.05, 0.2])
    said ^= flipped
    noise = expected_noise(scores, np.where(said, 1, -1).astype(np.int8))
    # An estimate: of wrong and of right photos not the same share is sure enough to be counted.
    assert noise.mistaken == pytest.approx((said & ~truth).sum(axis=0), rel=0.5)
    assert noise.missing == pytest.approx((~said & truth).sum(axis=0), rel=0.5)
    assert noise.mistaken[0] == noise.missing[0] == 0, "nothing is wrong where nothing was put in"


def test_nothing_is_said_of_a_label_that_all_photos_carry_or_none():
    noise = expected_noise(np.full((3, 2), 0.5), np.array([[1, 0]] * 3))
    assert np.isnan([noise.mistaken, noise.missing]).all()
