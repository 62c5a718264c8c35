"""What a study file says, and what it cannot say."""

import re
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from tagger.studies.composing import CONF, composed, composing
from tagger.studies.job import jobs_of
from tagger.studies.study import Study, StudyError, read_study, study_of
from tagger.study import answer_folder

STUDIES = [path.stem for path in sorted((CONF / "study").glob("*.yaml"))]

GOOD = {
    "question": "Is it?",
    "baseline": "v1.0",
    "seeds": [0, 1],
    "words": ["trainer.max_epochs=1"],
    "versions": {"v1.0": ["+experiment=baseline"], "v2.0": ["+experiment=resampling"]},
    "minutes": 5,
}


def said(**changes: object) -> Study:
    return study_of(OmegaConf.create({**GOOD, **changes}), "mine")


@pytest.mark.parametrize("name", STUDIES)
def test_every_job_of_every_study_composes_to_a_run_of_its_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGGER_MODELS", "/models")
    study = read_study(name)
    jobs = jobs_of(study, Path("runs"))
    assert len(jobs) == len(study.versions) * len(study.seeds)
    with composing():
        configs = {job.version: job.config() for job in jobs if job.seed == study.seeds[0]}
    settings = [yaml.safe_load(job.settings(configs[job.version])) for job in jobs]
    assert [(one["version"], one["seed"]) for one in settings] == [(job.version, job.seed) for job in jobs]
    # Versions that do the same would be compared with themselves.
    names = ("name", "version", "seed", "runs", "logger")
    asked = {yaml.dump({key: value for key, value in one.items() if key not in names}) for one in settings}
    assert len(asked) == len(study.versions)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_begins_with_what_it_asks_and_costs_and_the_command(name: str) -> None:
    text = (CONF / "study" / f"{name}.yaml").read_text()
    preface = text.partition("\nquestion:")[0]
    assert all(line.startswith("# ") for line in preface.splitlines())
    study = read_study(name)
    assert study.question.endswith("?")
    assert f"make study STUDY={name}" in preface
    runs = len(study.versions) * len(study.seeds)
    assert re.search(rf"\b{runs} runs|\bNine runs", preface), f"says that it is {runs} runs"


def test_a_study_is_what_its_file_says() -> None:
    study = said()
    assert (study.name, study.question, study.baseline, study.seeds) == ("mine", "Is it?", "v1.0", (0, 1))
    assert study.versions == {"v1.0": ("+experiment=baseline",), "v2.0": ("+experiment=resampling",)}
    assert study.minutes == 5.0
    assert said(words=None).words == ()
    assert said(versions={"v1.0": None}).versions == {"v1.0": ()}


def test_the_words_of_a_version_stand_after_those_of_every_run(tmp_path: Path) -> None:
    study = said(words=["loss=focal", "loss.gamma=3"], versions={"v1.0": [], "v2.1": ["loss.gamma=1"]})
    first, second = jobs_of(study, tmp_path)[:2]
    with composing():
        assert [yaml.safe_load(job.settings())["loss"]["gamma"] for job in (first, second)] == [3, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sseds": [1]}, "unknown key 'sseds'; a study has question, baseline, seeds"),
        ({"minutes": None}, "'minutes' is missing"),
        ({"baseline": "v3"}, "baseline 'v3' is none of the versions v1.0, v2.0"),
        ({"seeds": []}, "seeds is []"),
        ({"seeds": 3}, "seeds is 3"),
        ({"seeds": [0, 0]}, r"name one twice"),
        ({"seeds": ["a"]}, "seed 'a' is no whole number"),
        ({"seeds": [True]}, "seed True is no whole number"),
        ({"seeds": [-1]}, "seed -1 is no whole number"),
        ({"versions": {}}, "versions is {}"),
        ({"versions": ["v1.0"]}, "versions is"),
        ({"versions": {"v1.0": [], "../v2": []}}, "version '../v2' cannot name a folder"),
        ({"versions": {"v1.0": "loss=focal"}}, "versions: v1.0 is 'loss=focal'; it is a list of words"),
        ({"words": [3]}, "words: 3 is no word"),
        ({"words": ["focal"]}, "words: 'focal' is no word"),
        ({"minutes": 0}, "minutes is 0"),
        ({"minutes": "ten"}, "minutes is 'ten'"),
    ],
)
def test_what_a_study_cannot_say_is_named_with_its_place(changes: dict[str, object], message: str) -> None:
    with pytest.raises(StudyError, match=f"conf/study/mine.yaml: .*{re.escape(message)}"):
        said(**changes)


def test_a_study_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(StudyError, match=r"study=v1_v3(.|\n)*v1_v2"):
        read_study("v1_v3")


def test_a_setting_of_a_study_can_be_given() -> None:
    assert read_study("v1_v2", ["study.seeds=[7]"]).seeds == (7,)


def test_words_that_do_not_compose_are_named_with_their_version(tmp_path: Path) -> None:
    study = said(versions={"v1.0": ["loss=fokal"]})
    with composing(), pytest.raises(StudyError, match=r"version v1.0 \(.*loss=fokal seed=0.*fokal"):
        jobs_of(study, tmp_path)[0].settings()


def test_the_settings_of_another_seed_are_those_that_its_words_compose_to(tmp_path: Path) -> None:
    first, _, second = jobs_of(said(words=["data.source.album_seed=${seed}"]), tmp_path)[:3]
    assert (first.version, first.seed, second.version, second.seed) == ("v1.0", 0, "v1.0", 1)
    with composing():
        config = first.config()
        assert second.settings(config) == second.settings() != first.settings() == first.settings(config)


def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAGGER_MODELS", raising=False)
    job = jobs_of(said(words=["detector=onnx", "detector.path=${oc.env:TAGGER_MODELS}/coco.onnx"]), tmp_path)[0]
    with composing(), pytest.raises(StudyError, match=r"version v1.0 .*TAGGER_MODELS"):
        job.settings()


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        (["study=v1_v2"], "experiments/v1_v2"),
        (["study=v1_v2", "output=mine"], "mine/v1_v2"),
        (["study=v1_v2", "study.seeds=[0]"], "runs/studies/v1_v2/answer"),
        (["study=v1_v2", "+study.versions.v3=[]"], "runs/studies/v1_v2/answer"),
        (["study=v1_v2", "study.seeds=[0]", "output=experiments"], "experiments/v1_v2"),
    ],
)
def test_words_that_change_a_study_do_not_replace_the_answer_of_its_file(words: list[str], folder: str) -> None:
    with composing():
        config = composed("study", [word for word in words if not word.startswith(("study.", "+study."))])
    assert answer_folder(config, read_study("v1_v2"), Path("runs"), words) == Path(folder)
