"""Ten turns test every photo once, each by a model that has not seen it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tagger.data.datamodule import PhotoData
from tagger.errors import UserError

Make = Callable[..., PhotoData]


def test_ten_turns_test_every_photo_once_and_validate_it_once(colours: Callable[..., Path], photo_data: Make):
    root = colours(40)
    turns = [photo_data(root, turn=turn) for turn in range(10)]
    for part in ("test_rows", "val_rows"):
        rows = np.concatenate([getattr(data, part) for data in turns])
        assert sorted(rows.tolist()) == list(range(40))
    for data in turns:
        assert len(data.train_rows) == 32
        assert not set(data.train_rows) & {*data.test_rows, *data.val_rows}


def test_the_first_turn_is_what_there_is_without_turns(colours: Callable[..., Path], photo_data: Make):
    root = colours(40)
    without, first, second = photo_data(root), photo_data(root, turn=0), photo_data(root, turn=1)
    assert (without.folds == first.folds).all()
    assert second.test_rows.tolist() == without.val_rows.tolist(), "what validated is tested next"


def test_the_last_turn_validates_on_the_fold_that_tests_in_the_first(colours: Callable[..., Path], photo_data: Make):
    root = colours(40)
    assert photo_data(root, turn=9).val_rows.tolist() == photo_data(root, turn=0).test_rows.tolist()


@pytest.mark.parametrize("turn", [-1, 10, 1.5, True])
def test_a_turn_that_is_no_fold_is_refused(colours: Callable[..., Path], photo_data: Make, turn: object):
    with pytest.raises(UserError, match=r"data\.turn must be a fold, 0\.\.9"):
        photo_data(colours(40), turn=turn)
