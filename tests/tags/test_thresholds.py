from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from scipy.stats import norm

from tagger.data.states import PRESENT
from tagger.tags.histogram import Histogram, bin_of, score_edges
from tagger.tags.thresholds import NEVER, Contract, Target, fit, report, wilson_lower_bound

CONF = Path(__file__).parents[2] / "conf" / "thresholds"
TARGETS = [Target(precision=0.8), Target(recall=0.6), Target(precision=0.7, recall=0.5), Target()]


def column(scores: list[float], states: list[int]) -> Histogram:
    return Histogram.of(torch.tensor(scores)[:, None], torch.tensor(states)[:, None])


def ranked(states: list[int]) -> Histogram:
    """Return one label whose photos, best score first, have these states."""
    return column(torch.linspace(0.99, 0.01, len(states)).tolist(), states)


def album(photos: int, labels: int, *, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(photos, labels, generator=generator)
    states = torch.where(draws < 0.3, 1, torch.where(draws < 0.8, -1, 0)).to(torch.int8)
    logits = torch.randn(photos, labels, generator=generator) + 3 * (states == PRESENT) - 3
    return logits.sigmoid(), states


# The bound


def test_nine_right_of_ten_are_at_least_65_percent():
    # z² = 2.7055: (0.9 + 0.13528 − 1.64485 √(0.009 + 0.0067638)) / 1.27055.
    assert wilson_lower_bound(torch.tensor(9), torch.tensor(10)).item() == pytest.approx(0.65229, abs=1e-4)


def test_it_takes_25_right_tags_without_a_mistake_to_certify_90_percent():
    bounds = wilson_lower_bound(torch.tensor([24, 25]), torch.tensor([24, 25]))
    assert (bounds >= 0.9).tolist() == [False, True]


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95, 0.999])
def test_the_bound_solves_the_score_equation(confidence):
    # Its definition: the share at which what was seen lies exactly z standard deviations above the expectation.
    trials = torch.tensor([1, 2, 10, 37, 100, 2500, 3])
    successes = torch.tensor([1, 1, 9, 5, 90, 2499, 0.5])
    bound = wilson_lower_bound(successes, trials, confidence=confidence).numpy()
    deviation = np.sqrt(bound * (1 - bound) / trials.numpy())
    assert bound + norm.ppf(confidence) * deviation == pytest.approx((successes / trials).numpy())


def test_without_trials_or_successes_the_bound_is_zero():
    assert wilson_lower_bound(torch.tensor([0, 0, 0]), torch.tensor([0, 1, 999])).tolist() == pytest.approx([0, 0, 0])


@given(trials=st.integers(1, 10**6), share=st.floats(0, 1), confidence=st.floats(0.5, 0.9999))
def test_the_bound_lies_between_zero_and_the_estimate(trials, share, confidence):
    successes = round(share * trials)
    bound = wilson_lower_bound(torch.tensor(successes), torch.tensor(trials), confidence=confidence).item()
    assert 0 <= bound <= successes / trials + 1e-12


@given(trials=st.integers(1, 1000), data=st.data())
def test_one_more_success_raises_the_bound_and_one_more_failure_lowers_it(trials, data):
    successes = data.draw(st.integers(1, trials))
    bound, better, worse = wilson_lower_bound(
        torch.tensor([successes, successes + 1, successes]), torch.tensor([trials, trials + 1, trials + 1])
    )
    assert worse < bound < better


# The choice


def test_a_precision_is_certified_at_the_greatest_recall_whose_bound_allows_it():
    # Rank 31 is the first mistake. At rank 40: 39 of 40, bound 0.896. At rank 50: 49 of 50, bound 0.916.
    contract = fit(ranked([1] * 30 + [-1] + [1] * 19 + [-1] * 50), Target(precision=0.9), unknown="negative")
    assert contract.verdicts == ("certified",)
    assert contract.tally.tagged.item() == 50
    assert contract.precision_bound.item() == pytest.approx(0.916, abs=1e-3)


def test_where_no_bound_is_high_enough_the_estimate_decides():
    contract = fit(ranked([1] * 9 + [-1] + [1] * 3 + [-1] * 20), Target(precision=0.9), unknown="negative")
    assert contract.verdicts == ("met",)
    assert contract.fallbacks == ("",)
    assert contract.tally.tagged.item() == 13
    assert contract.precision_bound.item() < 0.9


def test_trailing_mistakes_that_the_target_would_allow_are_not_tagged():
    contract = fit(ranked([1] * 60 + [-1] * 40), Target(precision=0.9), unknown="negative")
    assert contract.tally.precision.item() == 1
    assert contract.tally.recall.item() == 1


def test_a_recall_is_kept_at_the_highest_threshold():
    contract = fit(ranked([-1, 1, -1, 1, -1]), Target(recall=0.5), unknown="negative")
    assert contract.verdicts == ("met",)
    assert contract.tally.found.item() == 1
    assert contract.tally.tagged.item() == 2


def test_a_recall_is_certified_where_its_bound_reaches_it():
    contract = fit(ranked([1] * 100 + [-1] * 100), Target(recall=0.5), unknown="negative")
    assert contract.verdicts == ("certified",)
    # 58 of 100 has the bound 0.498, 59 of 100 the bound 0.508.
    assert contract.tally.found.item() == 59
    assert contract.recall_bound.item() >= 0.5


def test_with_both_the_best_f1_is_taken_among_the_thresholds_that_meet_both():
    states = [1] * 60 + [-1] * 5 + [1] * 20 + [-1] * 60
    contract = fit(ranked(states), Target(precision=0.85, recall=0.5), unknown="negative")
    # 80 of 85 certifies 0.85 with F1 0.97; stopping before the mistakes would give F1 0.86.
    assert contract.verdicts == ("certified",)
    assert contract.tally.tagged.item() == 85


def test_with_both_a_certain_pair_goes_before_a_better_f1():
    states = [1] * 60 + [-1] * 5 + [1] * 20 + [-1] * 60
    contract = fit(ranked(states), Target(precision=0.93, recall=0.5), unknown="negative")
    assert contract.verdicts == ("certified",)
    assert contract.tally.tagged.item() == 60


def test_an_unreachable_target_falls_back_to_the_best_f1_and_says_so():
    contract = fit(ranked([-1, 1, 1, -1, -1, -1]), Target(precision=0.9), unknown="negative")
    assert (contract.verdicts, contract.fallbacks) == (("unreachable",), ("best_f1",))
    assert contract.tally.tagged.item() == 3
    assert contract.tally.precision.item() == pytest.approx(2 / 3)


def test_a_fallback_that_would_mostly_be_wrong_silences_the_label():
    # One photo carries the label; it comes fourth, so that best F1 tags four photos with a precision of 0.25.
    ranks = ranked([-1, -1, -1, 1, -1, -1])
    contract = fit(ranks, Target(precision=0.9), unknown="negative")
    assert (contract.verdicts, contract.fallbacks) == (("unreachable",), ("silence",))
    assert contract.thresholds.item() == NEVER
    lenient = fit(ranks, Target(precision=0.9, fallback_precision=0.25), unknown="negative")
    assert (lenient.fallbacks, lenient.tally.tagged.item()) == (("best_f1",), 4)
    assert fit(ranks, Target(), unknown="negative").tally.tagged.item() == 4, "best F1 was asked for"


def test_an_unreachable_target_can_silence_the_label():
    target = Target(precision=0.9, fallback="silence")
    contract = fit(ranked([-1, 1, 1, -1]), target, unknown="negative")
    point = contract.points()[0]
    assert (point.verdict, point.fallback, point.threshold) == ("unreachable", "silence", NEVER)
    assert (point.precision, point.precision_bound, point.recall, point.tagged) == (None, None, 0, 0)


def test_without_a_target_the_verdict_claims_nothing():
    contract = fit(ranked([1, 1, -1, 1, -1, -1]), Target(), unknown="negative")
    assert (contract.verdicts, contract.fallbacks) == (("best_f1",), ("",))
    assert contract.tally.tagged.item() == 4


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("states", [[-1, -1, 0], [1, 1, 0]])
def test_a_label_that_cannot_be_judged_is_unreachable_and_silent(target, states):
    # Every precision is 1 where no photo is known to lack the label; to certify that would be a lie.
    contract = fit(ranked(states), target, unknown="ignore")
    assert (contract.verdicts, contract.fallbacks) == (("unreachable",), ("silence",))
    assert contract.thresholds.item() == NEVER


def test_unknown_photos_count_against_precision_by_their_weight():
    states = [1] * 40 + [0] * 8 + [1] * 40 + [-1] * 20
    recall = [
        fit(ranked(states), Target(precision=0.9), unknown=unknown).tally.recall.item()
        for unknown in ("ignore", 0.1, "negative")
    ]
    assert recall == [1, 1, 0.5]


def test_saturated_scores_give_a_threshold_that_still_tags():
    contract = fit(column([1.0, 1.0, 1.0, 0.0], [1, 1, -1, -1]), Target(), unknown="negative")
    assert contract.thresholds.item() == score_edges(2048)[-1].item()
    assert contract.tally.tagged.item() == 3


def by_hand(scores: np.ndarray, states: np.ndarray, target: Target, unknown: float) -> tuple[str, float | None]:
    """Return verdict and threshold of one label by trying every score, best F1 as the fallback."""
    weights = np.where(states == 0, unknown, 1.0)
    positives = (states == 1).sum()
    points = []
    for threshold in np.unique(scores[(weights > 0)]):
        tags = scores >= threshold
        found, tagged = (tags & (states == 1)).sum(), weights[tags].sum()
        bounds = [wilson_lower_bound(torch.tensor(found), torch.tensor(n)).item() for n in (tagged, positives)]
        shares = [found / tagged, found / positives]
        f1 = 2 * found / (tagged + positives)
        if target.precision and target.recall:
            preference = f1
        elif target.precision:
            preference = shares[1]
        else:
            preference = threshold if target.recall else f1
        points.append((preference, threshold, f1, shares, bounds))

    def meets(shares: list[float]) -> bool:
        return shares[0] >= (target.precision or 0) and shares[1] >= (target.recall or 0)

    for verdict, place in (("certified", 4), ("met", 3)):
        good = [point[:2] for point in points if meets(point[place])]
        if good and not (target.is_best_f1 and verdict == "certified"):
            return "best_f1" if target.is_best_f1 else verdict, max(good)[1]
    worthwhile = [(point[2], point[1]) for point in points if point[3][0] >= target.fallback_precision]
    return "unreachable", max(worthwhile)[1] if worthwhile else NEVER


@pytest.mark.parametrize("target", TARGETS)
@given(seed=st.integers(0, 10_000), photos=st.integers(10, 150), unknown=st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=20, deadline=None)
def test_the_choice_is_that_of_trying_every_threshold_by_hand(target, seed, photos, unknown):
    scores, states = album(photos, 4, seed=seed)
    edges = score_edges(2048)
    rounded = edges[bin_of(scores, edges).long()].numpy()
    histogram = Histogram.of(scores, states)
    contract = fit(histogram, target, unknown=unknown)
    counted = contract.tally.counted.tolist()
    for label, point in enumerate(contract.points()):
        expected = by_hand(rounded[:, label], states[:, label].numpy(), target, unknown) if counted[label] else None
        assert (point.verdict, point.threshold) == (expected or ("unreachable", NEVER))


@pytest.mark.parametrize("target", TARGETS)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_a_verdict_is_what_the_figures_beside_it_say(target, seed):
    contract = fit(Histogram.of(*album(200, 5, seed=seed)), target, unknown=0.5)
    for point in contract.points():
        bounds = (point.precision_bound or 0, point.recall_bound or 0)
        shares = (point.precision or 0, point.recall or 0)
        wanted = (target.precision or 0, target.recall or 0)
        certain = all(bound >= want for bound, want in zip(bounds, wanted, strict=True))
        enough = all(share >= want for share, want in zip(shares, wanted, strict=True))
        if target.is_best_f1:
            assert point.verdict == "best_f1"
        else:
            assert point.verdict == ("certified" if certain else "met" if enough else "unreachable")
        assert (point.fallback != "") == (point.verdict == "unreachable")


def test_every_threshold_is_finite_and_an_edge_or_silence():
    scores, states = album(100, 50)
    states[:, ::7] = -1
    contract = fit(Histogram.of(scores, states), Target(precision=0.9, recall=0.5), unknown="negative")
    allowed = torch.cat([score_edges(2048), torch.tensor([NEVER])])
    assert contract.thresholds.dtype == torch.float32
    assert torch.isin(contract.thresholds, allowed).all()


def test_silence_stays_above_every_score_in_half_precision():
    for dtype in (torch.float16, torch.bfloat16):
        assert torch.tensor(NEVER, dtype=dtype) > torch.tensor(1.0, dtype=dtype)


# The report


def test_on_the_photos_it_was_fitted_on_the_report_repeats_the_contract():
    histogram = Histogram.of(*album(300, 6))
    contract = fit(histogram, Target(precision=0.8, recall=0.5), unknown=0.5)
    again = report(contract, histogram)
    assert torch.equal(again.precision, contract.tally.precision)
    assert torch.equal(again.recall, contract.tally.recall)


def test_the_report_is_what_the_decisions_on_other_photos_give():
    contract = fit(Histogram.of(*album(300, 6, seed=1)), Target(precision=0.8), unknown="negative")
    scores, states = album(400, 6, seed=2)
    tags, present = scores >= contract.thresholds, states == PRESENT
    tally = report(contract, Histogram.of(scores, states))
    assert tally.tagged.tolist() == tags.sum(dim=0).tolist()
    assert tally.found.tolist() == (tags & present).sum(dim=0).tolist()
    assert tally.positives.tolist() == present.sum(dim=0).tolist()


def test_a_histogram_of_other_labels_is_refused():
    contract = fit(Histogram.of(*album(30, 6)), Target(), unknown="negative")
    with pytest.raises(ValueError, match=r"shape \(5,\), one per label, got \(6,\)"):
        report(contract, Histogram.of(*album(30, 5)))


def test_a_certified_precision_holds_on_fresh_photos_and_a_lucky_one_often_does_not():
    """On labels whose scores are known to the last photo: normal logits, apart by as much as is drawn per label."""
    labels, photos = 400, 4000
    generator = torch.Generator().manual_seed(7)
    frequency = 0.02 + 0.18 * torch.rand(labels, generator=generator)
    distance = 2.0 + 1.5 * torch.rand(labels, generator=generator)
    present = torch.rand(photos, labels, generator=generator) < frequency
    logits = torch.randn(photos, labels, generator=generator) + torch.where(present, distance, 0.0) - 3
    histogram = Histogram.of(logits.sigmoid(), torch.where(present, 1, -1))

    def missed(contract: Contract, chosen: torch.Tensor) -> float:
        # The precision on infinitely many fresh photos.
        logit = contract.thresholds[chosen].double().logit() + 3
        right = frequency[chosen] * torch.special.ndtr(distance[chosen] - logit)
        wrong = (1 - frequency[chosen]) * torch.special.ndtr(-logit)
        return (right / (right + wrong) < 0.9).double().mean().item()

    certain = fit(histogram, Target(precision=0.9), unknown="negative")
    # A bound of confidence one half is the estimate itself.
    lucky = fit(histogram, Target(precision=0.9, confidence=0.5), unknown="negative")
    certified = torch.tensor([verdict == "certified" for verdict in certain.verdicts])
    reached = torch.tensor([verdict == "certified" for verdict in lucky.verdicts])

    assert certified.sum() > 200
    assert missed(lucky, reached) > 0.25
    assert missed(certain, certified) < 0.08


# The settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": 90}, r"thresholds.precision must lie in \(0, 1\) or be null, got 90"),
        ({"recall": 0}, r"thresholds.recall must lie in \(0, 1\) or be null, got 0"),
        ({"precision": float("nan")}, r"thresholds.precision must lie in \(0, 1\) or be null, got nan"),
        ({"fallback": "silent"}, r"thresholds.fallback must be 'best_f1' or 'silence', got 'silent'"),
        ({"fallback_precision": 1}, r"thresholds.fallback_precision must lie in \[0, 1\), got 1"),
        ({"confidence": 1}, r"thresholds.confidence must lie in \[0.5, 1\), got 1"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(settings, message):
    with pytest.raises(ValueError, match=message):
        Target(**settings)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("precision90", Target(precision=0.9)),
        ("recall50", Target(recall=0.5)),
        ("both", Target(precision=0.9, recall=0.5)),
        ("best_f1", Target()),
    ],
)
def test_every_configuration_gives_the_target_of_its_name(name, target):
    assert instantiate(OmegaConf.load(CONF / f"{name}.yaml")) == target


def test_a_misspelled_setting_is_refused():
    config = OmegaConf.merge(OmegaConf.load(CONF / "both.yaml"), {"precison": 0.8})
    with pytest.raises(Exception, match="precison"):
        instantiate(config)
