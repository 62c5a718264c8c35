"""What a search writes is an experiment like any other, and composes to what was found."""

import re
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

import pytest
import yaml
from hydra import compose
from omegaconf import OmegaConf

from tagger.errors import UserError
from tagger.studies.search.experiment_file import write_experiment
from tagger.studies.search.findings import Confirmation, Findings, Tried
from tagger.studies.search.trainings import Trainings
from tagger.studies.search.version import version_for

CHOICE = {"optimizer.lr": 0.00234, "loss": "focal", "loss.gamma": 1.25}
WORDS = ("data=corel5k", "data.split=official", "logger=csv", "data.batch_size=16", "+experiment=resampling")


def found(choice: dict[str, object], *, confirmation: Confirmation | None = None) -> Findings:
    trial = Tried(7, "finished", choice, 0.4812, 12, 60.0, "")
    return Findings(
        name="found_mine",
        space="mine",
        data="corel5k",
        command="python -m tagger.search space=mine budget=2h data=corel5k",
        train_command="python -m tagger.train +experiment=found_mine data=corel5k data.split=official",
        facts={"commit": "abc123", "seed": "0", "ended": "2026-11-24T22:00:00+00:00"},
        start={"optimizer.lr": 0.001, "loss": "bce"},
        start_number=0,
        trials=[trial],
        confirmation=confirmation,
        version="v4.0",
    )


@pytest.fixture
def written(trainings: Callable[..., Trainings], tmp_path: Path) -> Callable[..., Path]:
    def write(*words: str, choice: dict[str, object] = CHOICE, **settings: object) -> Path:
        made = trainings(*words)
        path = tmp_path / "own" / "experiment" / "found_mine.yaml"
        config = made.of(choice, seed=0, choices=True)
        write_experiment(path, found(choice, **settings), config, made.words, searched=made.space.keys)
        return path

    return write


def composed(path: Path, *words: str) -> dict[str, object]:
    tree = OmegaConf.to_container(
        compose("train", overrides=[f"hydra.searchpath=[file://{path.parents[1]}]", *words, f"+experiment={path.stem}"])
    )
    assert isinstance(tree, dict)
    return tree


def test_the_experiment_composes_to_the_settings_that_were_found(written: Callable[..., Path]):
    path = written(*WORDS)
    tree = composed(path, "data=corel5k", "data.split=official")
    assert tree["loss"] == {"_target_": "tagger.model.losses.FocalLoss", "gamma": 1.25, "alpha": None}
    assert tree["optimizer"]["lr"] == 0.00234
    assert tree["sampler"]["phi"] == "sqrt", "of the experiment that the search started from"
    assert tree["data"]["batch_size"] == 16, "a word that is no place is part of the answer"
    text = yaml.safe_load(path.read_text())
    assert text["defaults"] == [{"override /sampler": "resample_sqrt"}, {"override /loss": "focal"}] or text[
        "defaults"
    ] == [{"override /loss": "focal"}, {"override /sampler": "resample_sqrt"}]
    assert text["data"] == {"batch_size": 16}, "which photos stays in the command"
    assert set(text) == {"defaults", "name", "version", "data", "optimizer", "loss"}


def test_the_experiment_passes_what_every_experiment_must(written: Callable[..., Path]):
    """The rules of tests/test_conf.py."""
    path = written(*WORDS, confirmation=Confirmation({1: 0.47, 2: 0.48}, {1: 0.46, 2: 0.47}))
    first, *rest = path.read_text().splitlines()
    preface = list(takewhile(lambda line: line.startswith("#"), rest))
    assert first == "# @package _global_"
    assert any(line.startswith("# v4.0: ") and "?" in line for line in preface)
    assert "# Expected: validation mAP 0.4750; the start has 0.4650" in preface
    assert any("python -m tagger.train +experiment=found_mine" in line for line in preface)
    assert any("optimistic as the best of many" in line for line in preface)
    assert yaml.safe_load(path.read_text())["name"] == path.stem


def test_what_nothing_confirmed_says_so(written: Callable[..., Path]):
    assert (
        "# Expected: less than validation mAP 0.4812, the best of many; nothing confirmed it." in written().read_text()
    )


def test_what_no_experiment_can_say_is_refused_and_not_written(written: Callable[..., Path], tmp_path: Path):
    with pytest.raises(UserError, match=r"was not written: .*optimizer\.eps"):
        written("~optimizer.eps")
    assert not (tmp_path / "own").exists()


def test_an_experiment_of_another_is_never_overwritten(tmp_path: Path, written: Callable[..., Path]):
    path = written()
    assert version_for(path, "found_mine", wanted=None) == "v4.0", "its own keeps its version"
    with pytest.raises(UserError, match=r"found_mine\.yaml is there and the search found did not write it"):
        version_for(path, "found", wanted=None)
    path.write_text(path.read_text().replace("# Found by", "# Written by"))
    with pytest.raises(UserError, match="did not write it: give the search another name"):
        version_for(path, "found_mine", wanted=None)


def test_a_version_is_new(tmp_path: Path):
    path = tmp_path / "found_mine.yaml"
    with pytest.raises(UserError, match=r"version=v1\.0: the experiment baseline has it; v\d+\.\d+ is free"):
        version_for(path, "found_mine", wanted="v1.0")
    with pytest.raises(UserError, match=r"version=4: a version is like v4\.0"):
        version_for(path, "found_mine", wanted="4")
    assert version_for(path, "found_mine", wanted="v9.7") == "v9.7"
    (tmp_path / "other.yaml").write_text("version: v9.9")
    chosen = version_for(path, "found_mine", wanted=None)
    assert re.fullmatch(r"v9\.10", chosen)
