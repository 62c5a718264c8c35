"""The curves that travel: exact at every point they keep, and few."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tagger.tags.delivery.curve import Curve
from tagger.tags.histogram import Histogram
from tagger.tags.thresholds import Target, fit
from tagger.tracking.curves_json import POINTS, read_curves, short_curves, write_curves


def test_a_curve_has_a_point_for_every_photo_that_is_found():
    scores, states = torch.tensor([[0.9], [0.6], [0.3], [0.1]]), torch.tensor([[1], [-1], [1], [-1]])
    histogram = Histogram.of(scores, states)
    (curve,) = short_curves(histogram, fit(histogram, Target(), unknown="negative"))
    assert (curve.tagged, curve.found, curve.positives) == ((1, 3), (1, 2), 2)
    assert curve.precision == (1.0, 2 / 3)
    assert curve.recall == (0.5, 1.0)
    assert curve.thresholds == pytest.approx((0.9, 0.3), abs=0.005)


@given(
    seed=st.integers(0, 1000),
    photos=st.integers(1, 400),
    target=st.sampled_from([Target(), Target(0.9), Target(recall=0.5), Target(0.5, 0.5)]),
)
def test_every_point_says_what_its_threshold_gives_on_the_photos(seed: int, photos: int, target: Target):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand((photos, 2), generator=generator)
    states = torch.randint(-1, 2, (photos, 2), generator=generator)
    histogram = Histogram.of(scores, states)
    contract = fit(histogram, target, unknown="negative")
    for label, curve in enumerate(short_curves(histogram, contract)):
        assert len(curve.thresholds) <= POINTS + 1
        for threshold, tagged, found in zip(curve.thresholds, curve.tagged, curve.found, strict=True):
            given_to = scores[:, label] >= threshold - 1e-7
            assert (given_to.sum(), (given_to & (states[:, label] == 1)).sum()) == (tagged, found)
        own = contract.thresholds[label].item()
        if own <= 1:
            assert min(abs(own - threshold) for threshold in curve.thresholds) < 1e-6


def test_curves_come_back_from_their_file(tmp_path: Path):
    histogram = Histogram.of(torch.rand(500, 1), torch.randint(-1, 2, (500, 1)))
    contract = fit(histogram, Target(), unknown=0.3)
    write_curves(tmp_path / "curves.json", ["sea"], histogram, contract)
    assert read_curves(tmp_path / "curves.json") == {"sea": short_curves(histogram, contract)[0]}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tagged": [1]}, "three columns"),
        ({"thresholds": [0.1, 0.9]}, "fall"),
        ({"thresholds": [1.5, 0.9]}, r"lie in \[0, 1\]"),
        ({"thresholds": ["0.9", 0.1]}, "consists of numbers"),
        ({"found": [2, 2]}, "no more photos found than tagged"),
        ({"found": [float("nan"), 2]}, "consists of numbers"),
        ({"positives": None}, "consists of numbers"),
    ],
)
def test_a_curve_that_is_none_is_refused(changed: dict, message: str):
    good = {"thresholds": [0.9, 0.1], "tagged": [1, 3], "found": [1, 2], "positives": 2}
    assert Curve.from_plain(good).recall == (0.5, 1.0)
    with pytest.raises(ValueError, match=message):
        Curve.from_plain(json.loads(json.dumps(good | changed)))
