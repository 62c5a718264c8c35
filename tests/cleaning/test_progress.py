"""How far the cleaning is, whom to trust, and what it bought: by hand, and against scikit-learn."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array
from sklearn.metrics import average_precision_score

from tagger.cleaning.report.annotators import annotators
from tagger.cleaning.report.gains import gains
from tagger.cleaning.report.progress import by_kind, by_label
from tagger.cleaning.scoring.scores import Scores
from tagger.cleaning.verdicts.decisions import Decision, Decisions
from tagger.data.catalog import Catalog
from tagger.data.taxonomy import Label, Taxonomy


def decision(photo: int, label: str, before: int, value: int, batch: int = 2) -> Decision:
    return Decision(photo=photo, label=label, value=value, before=before, people={"ann": value}, batch=batch)


SAID = Decisions(
    (
        decision(0, "dog", 0, 1),
        decision(1, "dog", -1, 1),
        decision(2, "dog", 0, -1),
        decision(3, "dog", 1, -1),
        decision(3, "cat", 1, 1),
    ),
    frozenset({(4, "cat")}),
)
FOUND = {
    "missing": {(0, "dog"), (1, "dog"), (2, "dog"), (5, "dog")},
    "mistaken": {(3, "dog"), (4, "cat")},
    "sample": {(0, "dog")},
}


def test_every_kind_counts_what_was_found_decided_and_changed():
    kinds = by_kind(SAID, FOUND)
    assert list(kinds) == ["missing", "mistaken", "sample", "unasked"]
    missing = kinds["missing"]
    assert (missing.found, missing.decided, missing.open) == (4, 3, 0)
    assert (missing.put_on, missing.taken_off, missing.changed) == (2, 0, 2)
    assert missing.share.share == pytest.approx(2 / 3)
    assert (kinds["mistaken"].decided, kinds["mistaken"].open, kinds["mistaken"].taken_off) == (1, 1, 1)
    # A pair may be asked about for two reasons; nobody asked about the cat on photo 3.
    assert (kinds["sample"].found, kinds["sample"].changed) == (1, 1)
    assert (kinds["unasked"].found, kinds["unasked"].decided, kinds["unasked"].changed) == (1, 1, 0)


def test_a_label_counts_every_photo_once():
    dog, cat = by_label(SAID, FOUND)
    assert (dog.label, dog.total.found, dog.total.decided, dog.total.changed) == ("dog", 5, 4, 3)
    assert {kind: progress.changed for kind, progress in dog.kinds.items()} == {
        "missing": 2,
        "mistaken": 1,
        "sample": 1,
    }
    assert (cat.label, cat.total.found, cat.total.decided, cat.total.open) == ("cat", 2, 1, 1)
    assert sum(one.total.changed for one in (dog, cat)) == sum(one.is_changed for one in SAID.made)


def test_nothing_found_and_nothing_said():
    assert by_kind(Decisions((), frozenset()), {}) == {}
    assert by_label(Decisions((), frozenset()), {}) == []


def answers(**people: str) -> dict[str, dict[tuple[int, str], int]]:
    """Answers to questions 0, 1, …: y, n, u, or - for none."""
    words = {"y": 1, "n": -1, "u": 0}
    return {
        who: {(number, "dog"): words[letter] for number, letter in enumerate(said) if letter != "-"}
        for who, said in people.items()
    }


def test_annotators_are_measured_by_the_experts():
    found = annotators(answers(ann="yynnyu", ben="yyyy--", eve="yynn-n"), judges=["eve"])
    people = {one.name: one for one in found.people}
    assert found.by_judges
    assert (people["ann"].right.right, people["ann"].right.of, people["ann"].unsure) == (4, 4, 1)
    assert (people["ben"].right.right, people["ben"].right.of) == (2, 4)
    assert people["eve"].is_judge
    assert people["eve"].right.of == 0, "nobody else is an judge"
    assert (found.together.right, found.together.of) == (6, 8)
    assert found.agreement.pairs["ann", "ben"] == (pytest.approx(0.0), 4)


def test_without_experts_what_most_others_say_is_right():
    found = annotators(answers(ann="yyy", ben="yyn", eve="yn-"))
    people = {one.name: one for one in found.people}
    assert not found.by_judges
    # Of the second photo ben and eve disagree: it tells nothing of ann.
    assert (people["ann"].right.right, people["ann"].right.of) == (1, 2)
    assert (people["eve"].right.right, people["eve"].right.of) == (1, 2)
    assert annotators({}).people == ()


def test_gains_are_those_of_the_models_on_todays_annotations():
    rng = np.random.default_rng(0)
    states = np.where(rng.random((200, 3)) < 0.3, 1, -1).astype(np.int8)
    taxonomy = Taxonomy("three", tuple(Label(id_, {}) for id_ in ("dog", "cat", "cow")))
    photos = pa.table({"path": [f"{number}.jpg" for number in range(200)]})
    catalog = Catalog(taxonomy, ("/photos",), photos, csr_array(states))

    def scoring(skill: float, **facts: Any) -> Scores:
        noisy = 1 / (1 + np.exp(-(states * skill + rng.normal(0, 1, states.shape))))
        # A row of the catalog has no file, and the last photo came after the first scoring.
        values = np.full((201, 3), np.nan, np.float16)
        values[1:] = noisy
        if not facts["batches"]:
            values[-1] = np.nan
        return Scores(values, {"words": ["a"], **facts})

    kept = [scoring(0.3, when="1", batches=[]), scoring(1.0, when="2", batches=[1, 2])]
    made = [decision(5, "dog", 0, 1, batch=2), decision(6, "dog", 0, 1, batch=3), decision(6, "cow", 0, 1, batch=2)]
    settings: dict[str, Any] = {"unknown": "negative", "kinds": np.zeros(200, np.int8)}
    found = gains(kept, made, catalog=catalog, rows=np.arange(1, 201), **settings)
    assert found is not None
    assert found.photos == 199
    assert found.same_training
    ap = [
        [average_precision_score(states[:199, label] == 1, scores.values[1:200, label]) for label in range(3)]
        for scores in kept
    ]
    assert {one.label for one in found.labels} == {"dog", "cow"}, "of the cat nothing is decided"
    for one in found.labels:
        column = taxonomy.column[one.label]
        assert one.before == pytest.approx(ap[0][column], abs=0.01)
        assert one.after == pytest.approx(ap[1][column], abs=0.01)
        assert one.low < one.after - one.before < one.high
    assert found.gained is not None
    value, low, high = found.gained
    assert value == pytest.approx(np.mean([one.after - one.before for one in found.labels]))
    assert 0 < low < value < high, "the models after are far better"
    assert [point.decided for point in found.points] == [0, 2]
    assert found.points[1].every == pytest.approx(np.mean(ap[1]), abs=0.01)
    assert found.points[1].cleaned == pytest.approx((ap[1][0] + ap[1][2]) / 2, abs=0.01)
    assert gains([], made, catalog=catalog, rows=np.arange(1, 201), **settings) is None
    other = gains(
        [kept[0], scoring(1.0, when="2", batches=[1], words=["b"])],
        [],
        catalog=catalog,
        rows=np.arange(1, 201),
        **settings,
    )
    assert other is not None
    assert not other.same_training
    assert other.points[0].cleaned is None
