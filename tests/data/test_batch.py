import pytest
import torch

from tagger.data.batch import Example, collate

STATES = torch.tensor([1, -1, 0], dtype=torch.int8)


def example(row: int) -> Example:
    return Example(torch.full((3, 2, 2), float(row)), STATES, row)


def bad(row: int) -> Example:
    return Example(None, STATES, row, error=(f"{row}.jpg", f"{row}.jpg: empty"))


def test_worked_example():
    batch = collate([example(7), example(2)])
    assert batch.inputs[:, 0, 0, 0].tolist() == [7, 2]
    assert batch.inputs.shape == (2, 3, 2, 2)
    assert batch.states.tolist() == [[1, -1, 0], [1, -1, 0]]
    assert batch.states.dtype == torch.int8
    assert batch.rows.tolist() == [7, 2]
    assert batch.bad == ()


def test_a_photo_that_could_not_be_read_is_named_and_the_others_are_there():
    batch = collate([bad(0), example(1), bad(2), example(3)])
    assert batch.rows.tolist() == [1, 3]
    assert len(batch.inputs) == len(batch.states) == 2
    assert batch.bad == (("0.jpg", "0.jpg: empty"), ("2.jpg", "2.jpg: empty"))


def test_a_batch_without_any_readable_photo_is_refused_and_the_first_is_named():
    with pytest.raises(RuntimeError, match=r"none of the 2 photos of a batch can be read; the first: .*5\.jpg: empty"):
        collate([bad(5), bad(6)])
