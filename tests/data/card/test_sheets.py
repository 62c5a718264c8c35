"""Contact sheets: a handful of photos of every label, the same at every writing."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from tagger.data.card.sheets import NOBODY, contact_sheets


def sheets(states: list[list[int]] | np.ndarray, **settings: Any) -> list[list[int]]:
    photos = len(states)
    some = {
        "order": np.arange(photos),
        "source": np.zeros(photos, dtype=int),
        "group": np.arange(photos),
        "usable": np.ones(photos, dtype=bool),
    }
    return contact_sheets(csr_array(np.array(states, dtype=np.int8)), **some | settings).tolist()


def test_only_photos_on_which_the_label_is_present_are_shown():
    assert sheets([[1, -1], [-1, 0], [1, -1]], count=3) == [[0, 2, NOBODY], [NOBODY] * 3]


def test_sources_take_turns():
    assert sheets([[1]] * 5, source=np.array([0, 0, 0, 1, 2]), count=4) == [[0, 3, 4, 1]]


def test_of_photos_that_are_alike_the_first_in_order_is_shown():
    assert sheets([[1]] * 4, group=np.array([0, 1, 0, 1]), order=np.array([3, 1, 0, 2]), count=4) == [
        [2, 1, NOBODY, NOBODY]
    ]


def test_photos_without_a_file_are_not_shown():
    assert sheets([[1]] * 3, usable=np.array([False, True, True]), count=2) == [[1, 2]]


def test_a_photo_added_later_moves_none_but_those_after_it():
    before = sheets([[1]] * 3, order=np.array([10, 20, 30]), count=3)
    after = sheets([[1]] * 4, order=np.array([10, 20, 30, 15]), count=3)
    assert (before, after) == ([[0, 1, 2]], [[0, 3, 1]])


@given(
    states=arrays(np.int8, (10, 3), elements=st.sampled_from([-1, 0, 1])),
    source=arrays(np.int64, 10, elements=st.integers(0, 2)),
    group=arrays(np.int64, 10, elements=st.integers(0, 5)),
    order=st.permutations(range(10)),
)
def test_sheets_agree_with_choosing_photo_by_photo(
    states: np.ndarray, source: np.ndarray, group: np.ndarray, order: list[int]
):
    found = sheets(states, source=source, group=group, order=np.array(order), count=4)
    for label in range(3):
        queues: dict[int, list[int]] = {0: [], 1: [], 2: []}
        seen: set[int] = set()
        for photo in sorted(range(10), key=lambda row: order[row]):
            if states[photo, label] == 1 and group[photo] not in seen:
                seen.add(group[photo])
                queues[source[photo]].append(photo)
        turns = [
            sorted((queue[turn] for queue in queues.values() if turn < len(queue)), key=lambda row: order[row])
            for turn in range(10)
        ]
        expected = [photo for turn in turns for photo in turn][:4]
        assert found[label] == expected + [NOBODY] * (4 - len(expected))
