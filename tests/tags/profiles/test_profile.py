"""Profiles: what one customer wants of a bundle, from its stored curves, without training."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tagger import Tagger
from tagger.data.sources.sample.draw import draw_photo
from tagger.data.sources.sample.plan import plan_photo
from tagger.errors import UserError
from tagger.tags.delivery.curve import Curve
from tagger.tags.delivery.manifest import BundleLabel, Manifest
from tagger.tags.histogram import Histogram
from tagger.tags.profiles.completion import Completion
from tagger.tags.profiles.profile import Profile, ProfileError
from tagger.tags.profiles.promise import Promise, threshold_of, wilson
from tagger.tags.relations.rules import Relation, Rules
from tagger.tags.thresholds import Target, fit, wilson_lower_bound
from tagger.tracking.curves_json import short_curves

CURVE = Curve((0.9, 0.5, 0.1), (50, 60, 100), (50, 55, 60), positives=60)
MANIFEST = Manifest(
    labels=(
        BundleLabel("pool", {"en": "pool", "de": "Becken"}, 0.3, verdict="met", curve=CURVE),
        BundleLabel("bed", {"en": "bed"}, 0.6, curve=CURVE),
        BundleLabel("water", {"en": "water"}, 0.5),
    ),
    preprocessing={},
    opset=18,
)


def applied(**tree: object) -> dict[str, BundleLabel]:
    return {label.id: label for label in Profile.from_plain(tree).applied(MANIFEST).labels}


def test_an_empty_profile_changes_nothing():
    assert Profile.from_plain({}).applied(MANIFEST) == MANIFEST


def test_labels_that_are_not_chosen_are_never_given():
    labels = applied(labels=["pool"])
    assert [label.threshold for label in labels.values()] == [0.3, 2.0, 2.0]


def test_a_name_is_for_all_languages_or_for_each():
    labels = applied(names={"bed": "Room", "pool": {"de": "Pool"}})
    assert [labels["bed"].name(language) for language in ("en", "de")] == ["Room", "Room"]
    assert [labels["pool"].name(language) for language in ("en", "de")] == ["pool", "Pool"]


def test_a_target_chooses_from_the_curve_and_says_what_may_be_promised():
    labels = applied(labels=["pool", "bed"], target={"precision": 0.9}, targets={"bed": {"recall": 0.99}})
    # 50 of 50 right: the bound is 0.949. All of 60 found: the bound is 0.957.
    assert (labels["pool"].threshold, labels["pool"].verdict) == (0.9, "certified")
    assert (labels["bed"].threshold, labels["bed"].verdict) == (0.1, "met")
    silent = applied(labels=["pool"], target={"precision": 0.99, "recall": 0.99})["pool"]
    assert (silent.threshold, silent.verdict, silent.fallback) == (2.0, "unreachable", "silence")


def test_a_threshold_goes_before_a_target():
    labels = applied(target={"precision": 0.9}, thresholds={"pool": 0.42, "water": 0.5})
    assert (labels["pool"].threshold, labels["pool"].verdict) == (0.42, None)


@pytest.mark.parametrize("target", [Target(0.8), Target(recall=0.4), Target(0.6, 0.3)])
@given(seed=st.integers(0, 10_000))
def test_a_promise_on_a_curve_is_the_contract_on_the_photos(target: Target, seed: int):
    generator = torch.Generator().manual_seed(seed)
    # Few enough photos carry the label that its curve keeps all its points.
    states = torch.where(torch.rand((120, 1), generator=generator) < 0.3, 1, -1)
    scores = (torch.rand((120, 1), generator=generator) + 0.4 * (states == 1)) / 1.4
    histogram = Histogram.of(scores, states)
    contract = fit(histogram, target, unknown="negative")
    (curve,) = short_curves(histogram, fit(histogram, Target(), unknown="negative"))
    threshold, verdict = threshold_of(curve, Promise(target.precision, target.recall))
    assert verdict == contract.verdicts[0]
    if threshold is not None:
        assert threshold == pytest.approx(contract.thresholds.item(), abs=1e-6)


@given(successes=st.integers(0, 500), failures=st.integers(0, 500), confidence=st.floats(0.5, 0.999))
def test_the_bound_of_a_promise_is_the_contracts(successes: int, failures: int, confidence: float):
    trials = successes + failures
    expected = wilson_lower_bound(torch.tensor(successes), torch.tensor(trials), confidence=confidence).item()
    assert wilson(successes, trials, confidence=confidence) == pytest.approx(expected, abs=1e-12)


LABELS = tuple("abcde")
RELATIONS = [("implies", "a", "b"), ("parents", "b", "c"), ("implies", "d", "c"), ("excludes", "a", "e")]


@given(scores=st.lists(st.lists(st.floats(0, 1, width=32), min_size=5, max_size=5), min_size=1, max_size=8))
def test_added_relations_do_what_those_in_the_graph_do(scores: list[list[float]]):
    rules = Rules(LABELS, [Relation(*relation) for relation in RELATIONS])  # type: ignore[arg-type]
    before = torch.tensor(scores)
    after = rules(before)
    completed, origins = Completion(LABELS, RELATIONS)(before.numpy(), np.broadcast_to(np.arange(5), before.shape))
    assert np.array_equal(completed, after.numpy())
    # Of equal sources either may be named.
    named = np.take_along_axis(completed, origins, axis=1)
    assert np.array_equal(named[completed > before.numpy()], completed[completed > before.numpy()])


@pytest.mark.parametrize("word", ["no", "2019", "1e3", "~"])
def test_labels_names_and_languages_are_what_was_typed(tmp_path: Path, word: str):
    path = tmp_path / "mine.yaml"
    path.write_text(
        f"labels: [{word}]\nnames: {{{word}: {{{word}: {word}}}}}\nthresholds: {{{word}: 0.1}}\nlanguage: {word}\n"
        f"implies: {{{word}: [{word}]}}\ntargets: {{{word}: {{recall: 0.5}}}}\ntags_per_photo: 5\n"
    )
    assert Profile.read(path) == Profile(
        labels=(word,),
        names={word: {word: word}},
        thresholds={word: 0.1},
        language=word,
        implies={word: (word,)},
        targets={word: Promise(recall=0.5)},
        tags_per_photo=5,
    )


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"label": ["pool"]}, "there is no setting 'label'; there are labels, names"),
        ({"labels": "pool"}, "labels must be a list of label ids, got 'pool'"),
        ({"labels": ["pol"]}, "profile, labels: the bundle has no label 'pol'"),
        ({"names": {"pol": "x"}}, "profile, names: the bundle has no label 'pol'"),
        ({"names": {"pool": 3}}, "names.pool must be a mapping"),
        ({"implies": {"pool": ["wter"]}}, "profile, relations: the bundle has no label 'wter'"),
        ({"target": {"precision": 95}}, r"target must be such as .* must lie in \(0, 1\), got 95"),
        ({"target": {}}, "asks for a precision, a recall or both"),
        ({"target": {"precison": 0.9}}, "unexpected keyword argument 'precison'"),
        ({"target": {"precision": 0.9}}, "no target for water: the bundle has no curve of it"),
        ({"thresholds": {"pool": "low"}}, r"thresholds.pool must lie in \[0, 2\], got 'low'"),
        ({"tags_per_photo": 0}, "tags_per_photo must be a whole number from 1, got 0"),
        ({"language": ["de"]}, "language must be a text"),
        (["pool"], "a profile must be a mapping"),
    ],
)
def test_a_profile_that_does_not_fit_is_refused_by_name(tree: object, message: str):
    with pytest.raises((ValueError, ProfileError), match=message):
        Profile.from_plain(tree).applied(MANIFEST)


@pytest.mark.parametrize(
    ("relations", "message"),
    [
        ([("implies", "a", "b"), ("implies", "b", "a")], "a and b would follow from each other"),
        ([("implies", "a", "b"), ("excludes", "a", "b")], "a implies both a and b, which exclude each other"),
    ],
)
def test_added_relations_that_contradict_each_other_are_refused(relations: list, message: str):
    with pytest.raises(UserError, match=message):
        Completion(LABELS, relations)


@pytest.mark.parametrize("text", ["labels: [pool", "!!python/object/apply:os.system [true]", "labels: [\xff"])
def test_a_file_that_is_no_profile_is_named(tmp_path: Path, text: str):
    (tmp_path / "x.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ProfileError, match=r"x\.yaml"):
        Profile.read(tmp_path / "x.yaml")
    with pytest.raises(ProfileError, match=r"none\.yaml cannot be read: No such file"):
        Profile.read(tmp_path / "none.yaml")


@pytest.fixture
def album(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{number}.jpg" for number in range(20)]
    for number, path in enumerate(paths):
        draw_photo(plan_photo(0, number), size=96).save(path)
    return [str(path) for path in paths]


def test_a_tagger_with_a_profile_tags_as_the_customer_wants(delivered: Path, album: list[str]):
    profile = Profile.from_plain(
        {
            "names": {"grey": {"de": "Grau"}},
            "thresholds": {"grey": 0.0, "green": 0.0},
            "implies": {"red": ["grey"]},
            "tags_per_photo": 2,
            "language": "de",
        }
    )
    tagger, plain = (Tagger.load(delivered / "album.tagger", profile=wanted) for wanted in (profile, None))
    scores = dict(zip((label.id for label in plain.labels), plain.scores(album).T, strict=True))
    tagged = tagger.tag(album)
    assert {len(tags) for tags in tagged} <= {1, 2}
    assert tagger.scores(album)[:, 3] == pytest.approx(np.maximum(scores["grey"], scores["red"]))
    grey = [tag for tags in tagged for tag in tags if tag.label == "grey"]
    assert {tag.name for tag in grey} == {"Grau"}
    assert any(tag.origin == "rule" and "follows from Blue" in tag.because for tag in grey), "blue implies red"
    assert any(tag.origin == "rule" and "follows from Red" in tag.because for tag in grey)


def test_a_profile_needs_no_torch(delivered: Path, album: list[str], tmp_path: Path):
    (tmp_path / "hotel.yaml").write_text("implies: {red: [grey]}\nthresholds: {grey: 0.1}\n")
    code = (
        "import sys; sys.modules['torch'] = None; from tagger import Tagger; "
        "print(len(Tagger.load(sys.argv[1], profile=sys.argv[2]).tag(sys.argv[3:])))"
    )
    words = [sys.executable, "-c", code, str(delivered / "album.tagger"), str(tmp_path / "hotel.yaml"), *album[:3]]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, env=env)
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr
