"""What people decided: majorities, ties, what was there before; a source says that there is a dog on every photo."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tagger.cleaning.queue.asked import asked
from tagger.cleaning.verdicts.decisions import decided_pairs, decisions
from tagger.data.catalog.store import CatalogStore
from tagger.data.states import ABSENT, PRESENT, UNKNOWN
from tagger.data.taxonomy import Taxonomy

Tell = Callable[..., int]


def test_what_most_say_holds_and_differs_from_what_was_said_before(store: CatalogStore, taxonomy: Taxonomy, tell: Tell):
    first = tell("ann", "dog", {0: ABSENT, 1: PRESENT})
    tell("ben", "dog", {0: PRESENT, 1: UNKNOWN})
    tell("eve", "dog", {0: ABSENT})
    tell("ann", "cat", {2: PRESENT, 3: ABSENT})
    said = decisions(store, taxonomy, complete=False)
    seen = {(one.photo, one.label): (one.before, one.value, one.is_changed) for one in said.made}
    assert seen == {
        (0, "dog"): (PRESENT, ABSENT, True),
        (1, "dog"): (PRESENT, PRESENT, False),
        (2, "cat"): (UNKNOWN, PRESENT, True),
        (3, "cat"): (UNKNOWN, ABSENT, False),
    }
    dog = said.made[0]
    assert dog.people == {"ann": ABSENT, "ben": PRESENT, "eve": ABSENT}
    assert dog.batch == first


def test_ties_and_what_nobody_can_say_stay_open(store: CatalogStore, taxonomy: Taxonomy, tell: Tell):
    tell("ann", "dog", {0: ABSENT, 1: UNKNOWN})
    tell("ben", "dog", {0: PRESENT})
    said = decisions(store, taxonomy, complete=False)
    assert said.made == ()
    assert said.open == {(0, "dog"), (1, "dog")}


def test_the_last_word_of_a_person_counts_and_undone_batches_do_not(
    store: CatalogStore, taxonomy: Taxonomy, tell: Tell
):
    tell("ann", "dog", {0: PRESENT})
    last = tell("ann", "dog", {0: ABSENT})
    assert [one.value for one in decisions(store, taxonomy, complete=False).made] == [ABSENT]
    with store.locked():
        store.undo(last)
    assert [one.value for one in decisions(store, taxonomy, complete=False).made] == [PRESENT]


def test_what_follows_from_a_label_was_there_before(store: CatalogStore, taxonomy: Taxonomy, tell: Tell):
    tell("ann", "animal", {0: PRESENT})
    for complete, before in ((True, PRESENT), (False, UNKNOWN)):
        assert [one.before for one in decisions(store, taxonomy, complete=complete).made] == [before]


def test_labels_that_are_no_more_are_left_out(store: CatalogStore, taxonomy: Taxonomy, tell: Tell):
    tell("ann", "unicorn", {0: PRESENT})
    assert decisions(store, taxonomy, complete=False).made == ()


def test_pairs_are_rows_of_what_training_sees(store: CatalogStore, taxonomy: Taxonomy, tell: Tell):
    tell("ann", "dog", {1: ABSENT, 2: UNKNOWN, 5: PRESENT})
    tell("ben", "dog", {5: PRESENT})
    photos, labels = decided_pairs(store, taxonomy, np.array([1, 3, 5]))
    assert sorted(zip(photos.tolist(), labels.tolist(), strict=True)) == [(0, 1), (2, 1), (2, 1)]
    photos, labels = decided_pairs(store, taxonomy, np.array([3]))
    assert (photos.size, labels.size) == (0, 0)


def test_questions_that_were_sent_are_known_by_kind(export: Callable[..., object], cleaning: Path, store: CatalogStore):
    assert asked(cleaning, store) == {}
    export("csv")
    missing = {(0, "dog"), (1, "dog"), (2, "cat"), (3, "dog"), (0, "cat"), (4, "=2+5"), (5, "dog")}
    assert asked(cleaning, store) == {"missing": missing}
