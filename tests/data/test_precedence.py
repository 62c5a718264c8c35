"""Which statement holds: worked by hand, against a plain loop, and as laws."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from tagger.data.catalog.precedence import PRECEDENCE, Statements, completed, current, states

Row = tuple[int, int, int, str, int]
"""photo, label, value, origin, speaker"""


def statements(*rows: Row) -> Statements:
    columns = [np.array(column) for column in zip(*rows, strict=True)] if rows else [np.zeros(0, dtype=int)] * 5
    photo, label, value, origin, speaker = columns
    standing = np.array([PRECEDENCE[word] for word in origin], dtype=np.int8)
    return Statements(photo.astype(int), label.astype(int), value.astype(np.int8), standing, speaker.astype(int))


def holding(*rows: Row) -> dict[tuple[int, int], int]:
    held, _ = current(statements(*rows))
    return {
        (photo, label): value
        for photo, label, value in zip(held.photo.tolist(), held.label.tolist(), held.value.tolist(), strict=True)
    }


def test_a_human_verdict_outranks_a_source_even_if_the_source_speaks_later() -> None:
    assert holding((0, 0, -1, "human", 0), (0, 0, 1, "source", 1)) == {(0, 0): -1}


def test_opinions_of_products_and_models_never_count() -> None:
    assert holding((0, 0, 1, "product", 0), (0, 1, 1, "model", 0)) == {}


def test_of_one_speaker_the_last_word_holds() -> None:
    assert holding((0, 0, 1, "source", 0), (0, 0, -1, "source", 0)) == {(0, 0): -1}


def test_a_speaker_who_takes_it_back_leaves_the_others_word() -> None:
    assert holding((0, 0, 1, "source", 0), (0, 0, 0, "source", 0)) == {}
    assert holding((0, 0, 1, "source", 0), (0, 0, 0, "source", 0), (0, 0, -1, "source", 1)) == {(0, 0): -1}


def test_sources_that_contradict_each_other_leave_the_label_unknown_and_are_listed() -> None:
    said = statements((0, 3, 1, "source", 0), (0, 3, -1, "source", 1), (1, 3, 1, "source", 0))
    held, contradictions = current(said)
    assert held.photo.tolist() == [1]
    assert contradictions.speaker.tolist() == [0, 1]
    assert contradictions.label.tolist() == [3, 3]


def test_a_person_settles_a_contradiction() -> None:
    assert holding((0, 0, 1, "source", 0), (0, 0, -1, "source", 1), (0, 0, 1, "human", 2)) == {(0, 0): 1}


def test_among_people_the_majority_holds_and_those_who_cannot_say_do_not_vote() -> None:
    said = [(0, 0, -1, "human", 0), (0, 0, 1, "human", 1), (0, 0, 1, "human", 2), (0, 0, 0, "human", 3)]
    assert holding(*said) == {(0, 0): 1}
    held, contradictions = current(statements(*said))
    assert held.speaker.tolist() == [1], "one of those who say so"
    assert len(contradictions) == 0


def test_a_tie_among_people_is_unknown_whatever_a_source_says() -> None:
    said = [(0, 0, -1, "human", 0), (0, 0, 1, "human", 1), (0, 0, 1, "source", 2)]
    assert holding(*said) == {}
    assert current(statements(*said))[1].speaker.tolist() == [0, 1]


def test_nothing_said_is_nothing_known() -> None:
    held, contradictions = current(statements())
    assert len(held) == len(contradictions) == 0
    assert states(held, photos=2, labels=3).nnz == 0


rows = st.tuples(
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from([-1, 0, 1]),
    st.sampled_from(sorted(PRECEDENCE)),
    st.integers(0, 2),
)


@given(st.lists(rows, max_size=12))
def test_what_holds_is_what_a_plain_loop_finds(said: list[Row]) -> None:
    expected, disputed = {}, set()
    for subject in {(photo, label) for photo, label, *_ in said}:
        words: dict[tuple[int, int], int] = {}
        for photo, label, value, origin, speaker in said:
            if (photo, label) == subject and PRECEDENCE[origin]:
                words[PRECEDENCE[origin], speaker] = value
        top = max((standing for (standing, _), value in words.items() if value), default=0)
        values = [value for (standing, _), value in words.items() if standing == top and value]
        if len(set(values)) == 1 or (top == PRECEDENCE["human"] and sum(values)):
            expected[subject] = max(set(values), key=values.count)
        elif values:
            disputed.add(subject)
    assert holding(*said) == expected
    _, contradictions = current(statements(*said))
    assert set(zip(contradictions.photo.tolist(), contradictions.label.tolist(), strict=True)) == disputed


# poodle -> dog -> animal; forest -> tree
FOLLOWS = np.eye(5, dtype=bool)
for child, parent in ((0, 1), (0, 2), (1, 2), (3, 4)):
    FOLLOWS[child, parent] = True


def complete(*row: int) -> list[int]:
    return completed(csr_array(np.array([row], dtype=np.int8)), FOLLOWS).toarray()[0].tolist()


def test_parents_of_what_is_present_are_present_and_children_of_what_is_absent_are_absent() -> None:
    assert complete(1, 0, 0, 0, 0) == [1, 1, 1, 0, 0]
    assert complete(0, -1, 0, 0, 0) == [-1, -1, 0, 0, 0]
    assert complete(0, 0, 0, 0, 1) == [0, 0, 0, 0, 1]


def test_what_was_said_is_not_overruled_by_what_follows() -> None:
    assert complete(1, 0, -1, 0, 0) == [1, 0, -1, 0, 0]


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=5, max_size=5))
def test_completing_keeps_what_was_said_and_completing_again_changes_nothing(row: list[int]) -> None:
    once = complete(*row)
    assert all(after == before for before, after in zip(row, once, strict=True) if before)
    assert all(complete(*once)[column] == value for column, value in enumerate(once) if value)
