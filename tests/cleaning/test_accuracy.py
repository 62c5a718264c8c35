"""Accuracy and agreement: against the published examples, scikit-learn and scipy, and as laws."""

from math import isnan

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from tagger.cleaning.report.accuracy import (
    Stratum,
    accuracy,
    agreement,
    cohen_kappa,
    fleiss_kappa,
    noise_left,
    wilson_interval,
)

# Fleiss 1971, table 1: thirty patients, six psychiatrists each, five diagnoses.
FLEISS_1971 = np.array(
    [
        *([0, 0, 0, 6, 0], [0, 3, 0, 0, 3], [0, 1, 4, 0, 1], [0, 0, 0, 0, 6], [0, 3, 0, 3, 0], [2, 0, 4, 0, 0]),
        *([0, 0, 4, 0, 2], [2, 0, 3, 1, 0], [2, 0, 0, 4, 0], [0, 0, 0, 0, 6], [1, 0, 0, 5, 0], [1, 1, 0, 4, 0]),
        *([0, 3, 3, 0, 0], [1, 0, 0, 5, 0], [0, 2, 0, 3, 1], [0, 0, 5, 0, 1], [3, 0, 0, 1, 2], [5, 1, 0, 0, 0]),
        *([0, 2, 0, 4, 0], [1, 0, 2, 0, 3], [0, 0, 0, 0, 6], [0, 1, 0, 5, 0], [0, 2, 0, 1, 3], [2, 0, 0, 4, 0]),
        *([1, 0, 0, 4, 1], [0, 5, 0, 1, 0], [4, 0, 0, 0, 2], [0, 2, 0, 4, 0], [1, 0, 5, 0, 0], [0, 0, 0, 0, 6]),
    ]
)

answers = st.lists(st.tuples(st.sampled_from([-1, 0, 1]), st.sampled_from([-1, 0, 1])), min_size=1, max_size=60)


@given(st.integers(1, 400), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_is_scipys(of: int, data: st.DataObject, confidence: float) -> None:
    right = data.draw(st.integers(0, of))
    found = wilson_interval(right, of, confidence=confidence)
    theirs = binomtest(right, of).proportion_ci(confidence, method="wilson")
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert 0 <= found.low <= found.share <= found.high <= 1


def test_of_nothing_anything_may_be_right() -> None:
    found = wilson_interval(0, 0)
    assert isnan(found.share)
    assert (found.low, found.high) == (0, 1)
    with pytest.raises(ValueError, match=r"right must lie in \[0, 3\], got 4"):
        wilson_interval(4, 3)


def test_only_answers_to_gold_questions_count_and_unsure_is_not_right() -> None:
    gold = {(0, "dog"): 1, (1, "dog"): -1, (2, "dog"): 1}
    said = {(0, "dog"): 1, (1, "dog"): 0, (1, "cat"): 1}
    assert (accuracy(said, gold).right, accuracy(said, gold).of) == (1, 2)


@given(answers)
def test_cohens_kappa_is_scikit_learns(said: list[tuple[int, int]]) -> None:
    first, second = (list(words) for words in zip(*said, strict=True))
    found = cohen_kappa(first, second)
    if len(set(first + second)) == 1:
        assert isnan(found), "one answer throughout tells nothing about agreement"
    else:
        assert found == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)


def test_fleiss_kappa_is_that_of_the_paper() -> None:
    assert FLEISS_1971.shape == (30, 5)
    assert (FLEISS_1971.sum(axis=1) == 6).all()
    # The paper's p̄ of table 2.
    assert FLEISS_1971.sum(axis=0).tolist() == [26, 26, 30, 55, 43]
    assert fleiss_kappa(FLEISS_1971) == pytest.approx(0.430, abs=5e-4)


@given(st.lists(st.sampled_from([[2, 0], [0, 2], [1, 1]]), min_size=1, max_size=30))
def test_fleiss_kappa_of_two_is_scotts_pi(rows: list[list[int]]) -> None:
    counts = np.array(rows)
    share = counts.sum(axis=0) / counts.sum()
    by_chance = float((share**2).sum())
    assume(by_chance < 1)
    same = float(np.mean([max(row) == 2 for row in rows]))
    assert fleiss_kappa(counts) == pytest.approx((same - by_chance) / (1 - by_chance))


def test_fleiss_kappa_needs_as_many_answers_to_every_question() -> None:
    with pytest.raises(ValueError, match=r"every question needs as many answers, two or more; got \[2, 3\]"):
        fleiss_kappa(np.array([[2, 0], [2, 1]]))
    with pytest.raises(ValueError, match=r"got \[1\]"):
        fleiss_kappa(np.array([[1, 0]]))
    assert isnan(fleiss_kappa(np.zeros((0, 3))))


def test_agreement_is_two_by_two_and_of_the_questions_that_most_answered() -> None:
    keys = [(photo, "dog") for photo in range(4)]
    ann = dict(zip(keys, [1, 1, -1, -1], strict=True))
    bob = dict(zip(keys, [1, 1, -1, 1], strict=True))
    eve = {keys[0]: 1}
    found = agreement({"ann": ann, "bob": bob, "eve": eve, "none": {}})
    assert found.pairs["ann", "bob"] == (0.5, 4)
    assert found.pairs["ann", "eve"][1] == 1
    assert not [pair for pair in found.pairs if "none" in pair]
    # Of three questions with two answers: [1, 1], [-1, -1], [-1, 1].
    assert (found.annotators, found.questions) == (2, 3)
    assert found.kappa == pytest.approx((2 / 3 - 1 / 2) / (1 / 2))
    assert agreement({"ann": ann}).questions == 0


def test_noise_is_weighed_by_the_size_of_its_strata() -> None:
    found = noise_left([Stratum("present", 100, 50, 10), Stratum("absent", 900, 100, 1)])
    assert found.share == pytest.approx(0.1 * 0.2 + 0.9 * 0.01)
    assert found.high > found.share


def test_the_bound_of_one_stratum_is_clopper_and_pearsons() -> None:
    theirs = binomtest(3, 200, alternative="less").proportion_ci(0.95, method="exact").high
    assert noise_left([Stratum("all", 10_000, 200, 3)]).high == pytest.approx(theirs)


def test_what_nobody_looked_at_may_be_all_wrong_and_what_was_seen_whole_is_known() -> None:
    unseen = noise_left([Stratum("present", 50, 50, 5), Stratum("absent", 50, 0, 0)])
    assert isnan(unseen.share)
    assert unseen.high == pytest.approx(0.5 * 0.1 + 0.5)
    assert noise_left([Stratum("present", 50, 50, 5)]).high == 0.1
    assert isnan(noise_left([]).high)
    with pytest.raises(ValueError, match="present: expected wrong ≤ looked_at ≤ size"):
        noise_left([Stratum("present", 5, 6, 0)])


def test_the_bound_holds_as_often_as_it_promises() -> None:
    rng = np.random.default_rng(0)
    true = 0.2 * 0.1 + 0.8 * 0.02
    held = 0
    for _ in range(400):
        wrong = rng.binomial(60, 0.1), rng.binomial(120, 0.02)
        strata = [Stratum("present", 20_000, 60, int(wrong[0])), Stratum("absent", 80_000, 120, int(wrong[1]))]
        held += noise_left(strata).high >= true
    assert held / 400 >= 0.95


def test_no_answers_agree_with_nobody() -> None:
    assert isnan(cohen_kappa([], []))
    with pytest.raises(ValueError, match="as many answers of both are needed, got 1 and 0"):
        cohen_kappa([1], [])
