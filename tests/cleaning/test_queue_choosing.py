"""Which pairs people are asked about: kinds apart, within the budget, nothing that was decided."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from tagger.cleaning.queue.choosing import Pairs, choose

PHOTOS, LABELS = 400, 4


@pytest.fixture(scope="module")
def album() -> dict[str, Any]:
    """Four labels that a model sees well, and wrong annotations: the first 5 present ones and the last 5 others."""
    rng = np.random.default_rng(0)
    truth = rng.random((PHOTOS, LABELS)) < 0.3
    scores = 1 / (1 + np.exp(-(np.where(truth, 2.0, -2.0) + rng.normal(0, 0.7, truth.shape))))
    states = np.where(truth, 1, -1).astype(np.int8)
    for column in range(LABELS):
        states[np.flatnonzero(truth[:, column])[:5], column] = -1
        states[np.flatnonzero(~truth[:, column])[-5:], column] = 1
    wrong = states != np.where(truth, 1, -1)
    said = csr_array(states)
    return {"scores": scores.astype(np.float16), "states": said, "annotated": said, "wrong": wrong}


def chosen(album: dict[str, Any], **settings: Any) -> dict[str, Pairs]:
    own = {key: value for key, value in album.items() if key != "wrong"}
    nothing = csr_array((PHOTOS, LABELS), dtype=np.int8)
    return choose(**{"unknown": np.ones(PHOTOS), "closed": nothing, "columns": range(LABELS), **own, **settings})


@pytest.mark.parametrize("rank", ["margin", "cleanlab"])
def test_the_wrong_annotations_come_first_and_the_kinds_are_kept_apart(album: dict[str, Any], rank: str):
    found = chosen(album, budget=40, rank=rank)
    states = album["states"].toarray()
    for kind, state in (("missing", -1), ("mistaken", 1)):
        pairs = found[kind]
        assert len(pairs) == 20
        assert (states[pairs.row, pairs.column] == state).all()
        assert album["wrong"][pairs.row, pairs.column].sum() >= 18, "of twenty that were put in"


def test_the_best_come_first(album: dict[str, Any]):
    for pairs in chosen(album, budget=100).values():
        assert (np.diff(pairs.margin) <= 0).all()
    for pairs in chosen(album, budget=100, rank="cleanlab").values():
        assert (np.diff(pairs.cleanlab) >= 0).all()


def test_a_budget_a_label_leaves_room_for_the_others(album: dict[str, Any]):
    found = chosen(album, budget=100, per_label=3)
    for pairs in found.values():
        assert np.bincount(pairs.column).tolist() == [3, 3, 3, 3]


def test_what_one_kind_cannot_use_the_other_gets(album: dict[str, Any]):
    found = chosen(album, budget=10_000)
    sizes = {kind: len(pairs) for kind, pairs in found.items()}
    assert sum(sizes.values()) == PHOTOS * LABELS
    found = chosen(album, budget=1000)
    assert len(found["mistaken"]) == sizes["mistaken"] < 500
    assert len(found["missing"]) == 1000 - sizes["mistaken"]


def test_only_the_labels_and_kinds_that_were_wanted_are_asked_about(album: dict[str, Any]):
    found = chosen(album, columns=[2], kinds=["missing"])
    assert set(found) == {"missing"}
    assert set(found["missing"].column) == {2}


def test_what_people_decided_does_not_come_back(album: dict[str, Any]):
    first = chosen(album, budget=10)
    pairs = {kind: list(zip(some.row, some.column, strict=True)) for kind, some in first.items()}
    both = [*pairs["missing"], *pairs["mistaken"]]
    closed = csr_array((np.ones(10, dtype=np.int8), np.array(both).T), shape=(PHOTOS, LABELS))
    again = chosen(album, budget=10, closed=closed)
    for kind, some in again.items():
        assert not set(zip(some.row, some.column, strict=True)) & set(pairs[kind])
        assert len(some) == 5


def test_a_label_that_only_follows_from_another_is_not_asked_about_as_mistaken(album: dict[str, Any]):
    states = album["states"].toarray()
    spoken = states.copy()
    spoken[:, 0] = np.where(states[:, 0] == 1, 0, states[:, 0])
    found = chosen(album, annotated=csr_array(spoken))
    assert 0 not in found["mistaken"].column
    assert 0 in found["missing"].column


def test_unknown_is_asked_about_as_missing_and_never_as_mistaken(album: dict[str, Any]):
    states = album["states"].toarray()
    states[:100] = 0
    sparse = csr_array(states)
    found = chosen(album, states=sparse, annotated=sparse, unknown=np.zeros(PHOTOS))
    assert (found["mistaken"].row >= 100).all()
    asked = found["missing"]
    assert (asked.row < 100).sum() == 100 * LABELS
    # Of what is unknown the model finds most of what is there, without calling the rest missing.
    assert asked.margin[asked.row < 100].max() > 0.4
    assert asked.margin[asked.row < 100].min() < -0.4


def test_the_same_album_gives_the_same_queue(album: dict[str, Any]):
    level = {**album, "scores": np.full((PHOTOS, LABELS), 0.5, dtype=np.float16)}
    first, second = chosen(level, budget=50), chosen(level, budget=50)
    for kind in first:
        assert first[kind].row.tolist() == second[kind].row.tolist()


def test_a_label_that_the_model_cannot_tell_is_hardly_called_mistaken_be_it_rare_or_common():
    states = np.full((PHOTOS, 2), -1, dtype=np.int8)
    states[:160, 0] = states[:2, 1] = 1
    # Of both labels the model says no more than how many photos have it.
    scores = np.broadcast_to((states == 1).mean(axis=0), states.shape).astype(np.float16)
    said, nothing = csr_array(states), csr_array(states.shape, dtype=np.int8)
    found = chosen({"scores": scores, "states": said, "annotated": said, "closed": nothing}, columns=range(2))
    assert found["mistaken"].margin + 0.5 == pytest.approx(0.05, abs=0.03)
