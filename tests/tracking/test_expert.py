"""What a run keeps of its experts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from tagger.tracking.expert import ExpertFolder, ExpertLogger, Trained, expert_figures
from tagger.tracking.history import History
from tagger.tracking.run_folder import RunFolder

DOGS = Trained("dog", 3, 30, 0.5, 240, [{"step": 10.0, "val/map": 0.5}, {"step": 30.0, "val/map": 0.4}], {"a": "bad"})
CATS = Trained("cat", 2, 20, 0.25, 160, [{"step": 20.0, "val/map": 0.25}], {"b": "bad"})


class Recorder(Logger):
    """Remembers what it is told."""

    name, version = "tagger", 7

    def __init__(self) -> None:
        super().__init__()
        self.metrics: list[tuple[dict[str, float], int | None]] = []
        self.status: list[str] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.metrics.append((metrics, step))

    def log_hyperparams(self, *arguments: Any, **settings: Any) -> None:
        raise AssertionError("the run describes itself")

    def finalize(self, status: str) -> None:
        self.status.append(status)


def test_its_metrics_have_its_name_and_its_end_is_not_that_of_the_run():
    run = Recorder()
    logger = ExpertLogger(run, "scene")
    logger.log_metrics({"val/map": 0.5}, step=3)
    logger.log_hyperparams({"lr": 0.1})
    logger.finalize("success")
    assert run.metrics == [({"expert/scene/val/map": 0.5}, 3)]
    assert run.status == []
    assert (logger.name, logger.version) == ("tagger", 7)


def test_it_is_trained_when_the_folder_says_so(tmp_path: Path):
    folder = ExpertFolder.of(RunFolder(tmp_path, resumed=True), "a/b: c", 2)
    assert folder.trained() is None
    folder.run.checkpoints.mkdir(parents=True)
    for name in ("best", "last"):
        (folder.run.checkpoints / f"{name}.ckpt").touch()
    folder.keep(DOGS)
    assert [path.name for path in folder.run.checkpoints.iterdir()] == ["best.ckpt"]
    assert folder.trained() == replace(DOGS, photos=0), "of this process it trained on none"
    assert (tmp_path / "experts" / "2_a_b__c" / "trained.json").is_file()
    assert folder.best == tmp_path / "experts" / "2_a_b__c" / "checkpoints" / "best.ckpt"
    assert folder.run.resumed


def test_the_curves_come_one_after_the_other():
    history = History()
    history.follow([DOGS, CATS])
    assert [(row["step"], row["val/map"]) for row in history.rows] == [(10, 0.5), (30, 0.4), (50, 0.25)]
    assert history.bad_photos == {"a": "bad", "b": "bad"}
    assert history.photos == 400


def test_the_figures_say_what_they_cost():
    assert expert_figures([DOGS, CATS]) == {
        "experts/count": 2,
        "experts/steps": 50,
        "expert/dog/epochs": 3,
        "expert/dog/best_val_map": 0.5,
        "expert/cat/epochs": 2,
        "expert/cat/best_val_map": 0.25,
    }
    assert expert_figures([]) == {}
