"""The learning curve is whole, also after a resume."""

from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from tagger.data.datamodule import PhotoData
from tagger.model.module import TaggerModule
from tagger.model.regime import Regime
from tagger.tracking.history import History

MakeModule = Callable[..., TaggerModule]
MakeTrainer = Callable[..., pl.Trainer]
HEAD = Regime(train_backbone=False)


@pytest.fixture
def data(colours: Callable[..., Path], photo_data: Callable[..., PhotoData]) -> PhotoData:
    return photo_data(colours(40))


def test_there_is_one_row_per_epoch_with_its_last_step_and_figures(
    tagger_module: MakeModule, trainer: MakeTrainer, data: PhotoData
):
    history = History()
    trainer(callbacks=[history], max_epochs=3).fit(tagger_module(regime=HEAD), data)
    assert [(row["epoch"], row["step"]) for row in history.rows] == [(1, 4), (2, 8), (3, 12)]
    assert all({"val/map", "val/labels_counted", "train/loss"} <= set(row) for row in history.rows)
    assert all(type(value) is float for row in history.rows for value in row.values())


def test_photos_trained_are_counted(tagger_module: MakeModule, trainer: MakeTrainer, data: PhotoData):
    history = History()
    trainer(callbacks=[history], max_epochs=2, limit_train_batches=3).fit(tagger_module(regime=HEAD), data)
    assert history.photos == 2 * 3 * 8


def test_photos_that_went_bad_during_the_training_are_kept_by_name(
    tagger_module: MakeModule, trainer: MakeTrainer, data: PhotoData
):
    gone = Path(data.names(data.train_rows[:1])[0])
    history = History()
    gone.unlink()
    trainer(callbacks=[history], max_epochs=2).fit(tagger_module(regime=HEAD), data)
    assert list(history.bad_photos) == [str(gone)]
    assert gone.name in history.bad_photos[str(gone)]
    assert history.photos == 2 * (32 - 1)


def test_a_resumed_training_has_the_rows_and_bad_photos_of_before(
    tmp_path: Path, tagger_module: MakeModule, trainer: MakeTrainer, data: PhotoData
):
    path = tmp_path / "last.ckpt"
    first, second = History(), History()
    first.bad_photos["x.jpg"] = "x.jpg: empty"
    cut = trainer(callbacks=[first], max_epochs=2)
    cut.fit(tagger_module(regime=HEAD), data)
    cut.save_checkpoint(path)
    torch.load(path, weights_only=True)
    rest = trainer(callbacks=[second], max_epochs=3)
    rest.fit(tagger_module(regime=HEAD), data, ckpt_path=path, weights_only=True)
    assert [row["epoch"] for row in second.rows] == [1, 2, 3]
    assert second.rows[:2] == first.rows
    assert second.bad_photos == {"x.jpg": "x.jpg: empty"}
    assert second.photos == 32, "what this process trained"
