"""A trial trains as tagger.train does, stops where that looks at the test fold, and is pruned by share of training."""

import math
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
import pytorch_lightning as pl
from optuna.pruners import MedianPruner
from optuna.trial import TrialState, create_trial

from tagger.data.datamodule import PhotoData
from tagger.model.module import TaggerModule
from tagger.studies.search.judging import PARTS, StopAskedError, Watch, judge, part_of
from tagger.studies.search.record import WARM_UP
from tagger.studies.search.searching import read_data
from tagger.studies.search.trainings import Trainings

# What matplotlib's and MLflow's dependencies say while they are imported is no concern of a trial.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")


@pytest.fixture
def small(colours: Callable[..., Path], trainings: Callable[..., Trainings]) -> Trainings:
    """Trainings of seconds, on forty plain photos."""
    root = colours(40)
    network = ["network=timm", "network.backbone=resnet10t", "network.weights=null", "regime.views=1"]
    data = ["data=folder", "data.source.folder=colours", f"data.root={root}", f"data.taxonomy={root / 'colours.yaml'}"]
    return trainings(*data, *network, "data.size=32", "data.batch_size=8", "data.workers=0", "trainer.max_epochs=10")


def study(*, ahead: float) -> optuna.Study:
    """Make a study with two finished trials, which have had ``ahead`` since their first part."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made = optuna.create_study(direction="maximize", pruner=MedianPruner(n_startup_trials=1, n_warmup_steps=WARM_UP))
    for _ in range(2):
        values = dict.fromkeys(range(1, PARTS + 1), ahead)
        made.add_trial(create_trial(state=TrialState.COMPLETE, value=ahead, intermediate_values=values))
    return made


def never() -> bool:
    return False


def watched(trainings: Trainings, watch: Watch, *words: str) -> float:
    config = Trainings((*trainings.words, *words), trainings.space, "found").start(seed=0)
    return judge(config, read_data(config), watch).val_map


def test_the_test_fold_is_not_looked_at(small: Trainings, monkeypatch: pytest.MonkeyPatch):
    def looked(*_: object, **__: object) -> None:
        raise AssertionError("the test fold was looked at")

    monkeypatch.setattr(PhotoData, "test_dataloader", looked)
    monkeypatch.setattr(TaggerModule, "test_step", looked)
    monkeypatch.setattr(pl.Trainer, "test", looked)
    assert 0 < watched(small, Watch(None, is_to_stop=never, prune=True), "trainer.max_epochs=2") <= 1


def test_the_same_settings_give_the_same_figure_whatever_was_trained_before(small: Trainings):
    first, other, again = (
        watched(small, Watch(None, is_to_stop=never, prune=False), "trainer.max_epochs=3", rate)
        for rate in ("optimizer.lr=0.01", "optimizer.lr=0.5", "optimizer.lr=0.01")
    )
    assert first == again != other


@pytest.mark.parametrize(("epochs", "pruned_at"), [(10, 3), (20, 6), (4, 2)])
def test_a_trial_that_is_behind_is_pruned_by_the_share_of_its_training(small: Trainings, epochs: int, pruned_at: int):
    trial = study(ahead=1.5).ask()
    watch = Watch(trial, is_to_stop=never, prune=True)
    with pytest.raises(optuna.TrialPruned):
        watched(small, watch, f"trainer.max_epochs={epochs}")
    assert watch.epoch == pruned_at


@pytest.mark.parametrize(("ahead", "prune"), [(0.0, True), (1.5, False)])
def test_a_trial_that_is_ahead_or_must_not_be_pruned_is_finished(small: Trainings, ahead: float, prune: bool):
    trial = study(ahead=ahead).ask()
    watch = Watch(trial, is_to_stop=never, prune=prune)
    figure = watched(small, watch)
    values = trial.study.get_trials()[trial.number].intermediate_values
    assert list(values) == list(range(1, PARTS + 1))
    assert list(values.values()) == sorted(values.values()), "the best so far never falls"
    assert figure == pytest.approx(values[PARTS]) and watch.epoch == 10
    assert 1 <= watch.best_epoch <= 10


def test_a_search_that_is_to_stop_ends_the_trial_after_its_epoch(small: Trainings):
    watch = Watch(None, is_to_stop=lambda: watch.epoch >= 2, prune=False)
    with pytest.raises(StopAskedError):
        watched(small, watch)
    assert watch.epoch == 2


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 10, 15, 60])
def test_the_parts_of_a_training_end_with_its_last_epoch(epochs: int):
    parts = [part_of(epoch, epochs) for epoch in range(1, epochs + 1)]
    assert parts == sorted(parts) and parts[-1] == PARTS
    assert all(part <= math.ceil(PARTS * (epoch + 1) / epochs) for epoch, part in enumerate(parts))
