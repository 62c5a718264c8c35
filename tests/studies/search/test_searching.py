"""The search goes on over failures of a setting, and ends at those of all."""

from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig
from optuna.trial import TrialState

from tagger.errors import UserError
from tagger.model.module import NotFiniteLossError
from tagger.studies.search import searching
from tagger.studies.search.budget import Budget
from tagger.studies.search.findings import Tried
from tagger.studies.search.searching import FAILURES, DataFailedError, Search
from tagger.studies.search.space import SPACES

MakeSearch = Callable[..., Search]


def told(search: Search) -> list[Tried]:
    return search.all_told  # type: ignore[attr-defined]


def test_the_first_trial_is_the_start(search: MakeSearch):
    made = search("optimizer.lr=0.002")
    made.run(Budget(trials=1))
    assert [trial.choice for trial in told(made)] == [{"optimizer.lr": 0.002, "loss": "bce"}]


def test_a_start_outside_the_space_is_no_trial(search: MakeSearch):
    made = search(space="optimizer.lr: {low: 0.01, high: 0.1}\n")
    made.run(Budget(trials=2))
    assert not made.trainings.start_is_inside()
    assert all(trial.choice["optimizer.lr"] >= 0.01 for trial in told(made))


def test_what_a_word_fixes_is_the_same_in_every_trial(search: MakeSearch):
    made = search("loss=focal")
    made.run(Budget(trials=4))
    assert {trial.choice["loss"] for trial in told(made)} == {"focal"}
    assert len({trial.choice["loss.gamma"] for trial in told(made)}) == 4
    assert told(made)[0].choice["loss.gamma"] == 2.0, "that of conf/loss/focal.yaml"


def test_an_experiment_moves_the_start_and_fixes_nothing(search: MakeSearch):
    made = search("+experiment=resampling_focal")
    made.run(Budget(trials=6))
    assert told(made)[0].choice["loss"] == "focal"
    assert {trial.choice["loss"] for trial in told(made)} == {"bce", "focal"}
    assert made.trainings.of({"loss": "bce"}, seed=0).sampler.phi == "sqrt"


def test_trials_of_all_calls_count_towards_a_budget_of_trials(search: MakeSearch):
    for budget in (2, 5, 5):
        made = search()
        made.run(Budget(trials=budget))
    assert len(made.record.trials(TrialState.COMPLETE)) == 5
    assert told(made) == [], "the last call had nothing left to do"


@pytest.mark.slow
def test_a_search_finds_what_is_good(search: MakeSearch):
    made = search(figure=lambda config: -((config.optimizer.lr - 0.005) ** 2) + (config.loss._target_[-4:] == "Loss"))
    made.run(Budget(trials=30))
    best = max(told(made), key=lambda trial: trial.val_map or -1.0)
    assert best.choice["loss"] == "focal"
    assert best.choice["optimizer.lr"] == pytest.approx(0.005, rel=0.3)


def breaks(config: DictConfig) -> float:
    """A training that gives no figure with focal loss."""
    if "gamma" in config.loss:
        raise NotFiniteLossError("the loss is nan at step 3")
    return 0.5


def test_a_trial_that_fails_is_recorded_with_its_reason_and_the_search_goes_on(search: MakeSearch):
    made = search(figure=breaks)
    made.run(Budget(trials=5))
    failed = [trial for trial in told(made) if trial.state == "failed"]
    assert failed
    assert {(trial.choice["loss"], trial.reason) for trial in failed} == {("focal", "the loss is nan at step 3")}
    assert sum(trial.state == "finished" for trial in told(made)) == 5, "failed trials use up no budget"


def test_a_loss_that_is_not_finite_at_the_start_does_not_end_the_search(search: MakeSearch):
    made = search("+experiment=resampling_focal", figure=breaks)
    made.run(Budget(trials=1))
    assert [told(made)[0].state, told(made)[-1].state] == ["failed", "finished"]


def test_a_start_that_cannot_be_trained_ends_the_search_and_is_tried_again_by_the_next_call(search: MakeSearch):
    def broken(config: DictConfig) -> float:
        raise RuntimeError("no such backbone")

    with pytest.raises(
        UserError, match=r"the settings as typed, which are the start, .*RuntimeError: no such backbone"
    ):
        search(figure=broken).run(Budget(trials=3))
    made = search()
    made.run(Budget(trials=1))
    assert told(made)[0].choice == made.trainings.start_choice


def test_trials_that_all_fail_end_the_search(search: MakeSearch):
    def only_the_start(config: DictConfig) -> float:
        if config.optimizer.lr != 0.001:
            raise ValueError("bad luck")
        return 0.5

    made = search(figure=only_the_start)
    with pytest.raises(UserError, match=r"5 trials failed one after the other.*ValueError: bad luck"):
        made.run(Budget(trials=20))
    assert len(made.record.trials(TrialState.FAIL)) == FAILURES


def test_photos_that_cannot_be_read_end_the_search_and_blame_no_trial(
    search: MakeSearch, monkeypatch: pytest.MonkeyPatch
):
    def unreadable(config: DictConfig) -> None:
        raise DataFailedError("none of the photos can be read")

    made = search()
    monkeypatch.setattr(searching, "read_data", unreadable)
    with pytest.raises(DataFailedError, match="none of the photos"):
        made.run(Budget(trials=3))
    assert [trial.state for trial in made.record.trials()] == [TrialState.FAIL, TrialState.WAITING]
    assert Tried.of(made.record.trials(TrialState.FAIL)[0]).state == "cut"


def test_other_seeds_confirm_and_their_figures_are_kept(search: MakeSearch):
    trained = []

    def noisy(config: DictConfig) -> float:
        trained.append((config.seed, config.optimizer.lr))
        return config.optimizer.lr + config.seed / 1000

    made = search(figure=noisy)
    made.run(Budget(trials=3))
    best = max(told(made), key=lambda trial: trial.val_map or 0.0)
    trained.clear()
    confirmation = made.confirm(best, 3)
    assert confirmation is not None
    assert set(confirmation.best) == {1, 2, 3}, "not seed 0, which chose"
    assert confirmation.start_mean == pytest.approx(0.001 + 0.002)
    assert confirmation.best_mean == pytest.approx(best.choice["optimizer.lr"] + 0.002)
    assert len(trained) == 6
    assert made.confirm(best, 3) == confirmation
    assert len(trained) == 6, "nothing is trained twice"


@pytest.mark.parametrize(
    ("space", "named"),
    [
        ("optimizer.lrr: {low: 0.1, high: 1.0}", r"mine.yaml: optimizer.lrr=0.1: .*optimizer\.lrr"),
        ("loss: {choices: [bce, fokal]}", r"mine.yaml: loss=fokal: .*loss/fokal"),
        ("loss.gamma: {low: 0.1, high: 1.0}", r"mine.yaml: loss.gamma=0.1: .*loss\.gamma"),
        ("trainer.max_epochs: {low: 0.1, high: 1.0}\nsede: {choices: [1]}", r"mine.yaml: 'sede' is not searched"),
    ],
)
def test_a_space_that_does_not_compose_is_told_before_anything_is_trained(trainings, space: str, named: str):
    with pytest.raises(UserError, match=named):
        trainings(space=space).check_space()


@pytest.mark.parametrize("path", sorted(SPACES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_space_composes_and_holds_the_start_of_its_command(trainings, path: Path):
    made = trainings("data=corel5k", "data.split=official", space=path.read_text())
    made.check_space()
    assert made.start_is_inside()


def test_a_word_that_training_does_not_know_is_named(trainings):
    with pytest.raises(UserError, match=r"loss\.gama"):
        trainings("loss.gama=1").start(seed=0)


def test_several_processes_of_one_training_are_refused(trainings):
    with pytest.raises(UserError, match=r"trainer\.devices=2: a search trains in one process"):
        trainings("trainer=ddp").start(seed=0)


def test_experts_are_refused_as_words_and_in_the_space(trainings):
    with pytest.raises(UserError, match=r"experts\.by=group: a search trains one network for all labels"):
        trainings("+experiment=group_experts").start(seed=0)
    with pytest.raises(UserError, match=r"mine\.yaml: experts=group: experts\.by=group"):
        trainings(space="experts: {choices: [none, group]}").check_space()
