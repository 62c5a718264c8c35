"""Every configuration composes and builds what it says; every misspelled key is an error that names it."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tagger.cleaning.words import as_hydra_takes as as_cleaning_takes
from tagger.config import as_typed
from tagger.errors import UserError
from tagger.mine import PATHS as MINING_PATHS
from tagger.model.module import TaggerModule
from tagger.studies.search.words import as_hydra_takes, divided
from tagger.tracking.mlflow import build_logger
from tagger.tracking.quiet import quieten
from tagger.tracking.run_folder import RunFolder, settings_of
from tagger.training.building import build_data, build_distillation, build_network, build_trainer
from tagger.training.words import as_hydra_takes as as_training_takes

REPOSITORY = Path(__file__).parents[1]
CONF = REPOSITORY / "conf"
EXPERIMENTS = sorted((CONF / "experiment").glob("*.yaml"))
GROUPS = [entry for entry in yaml.safe_load((CONF / "train.yaml").read_text())["defaults"] if isinstance(entry, dict)]
GROUPS = [group for entry in GROUPS for group in entry if not group.startswith("override")]
OPTIONS = [(group, path.stem) for group in GROUPS for path in sorted((CONF / group).glob("[!_]*.yaml"))]

CSV = "logger=csv"
"""MLflow makes a database of its own for every test, which takes seconds."""

SMALL = ["network=timm", "network.backbone=test_efficientnet", "network.weights=null", CSV]
"""A network that is built in no time."""

NEEDED = {
    ("data", "folder"): ["data.source.folder=holidays", "data.taxonomy=voc"],
    ("network", "timm"): ["network.backbone=test_efficientnet", "network.weights=null"],
    ("network", "mobilenetv3_small_100"): ["network.weights=null"],
    ("network", "resnet18"): ["network.weights=null"],
    ("network", "resnet50"): ["network.weights=null"],
    ("detector", "onnx"): ["detector.path=coco.onnx"],
    ("trainer", "ddp"): ["trainer.accelerator=cpu"],
    ("trainer", "gpu"): ["trainer.accelerator=cpu"],
}
"""What an option leaves to the user, or what this machine may not have: a model hub, a GPU."""


# What MLflow 3.17 says to SQLAlchemy 2.1 while it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compose in an empty folder: runs and mlflow.db go where the command is typed."""
    monkeypatch.chdir(tmp_path)
    quieten()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


@pytest.fixture
def build(tmp_path: Path) -> Callable[[DictConfig], None]:
    """Build all that a training builds before it reads the first photo."""

    def make(config: DictConfig) -> None:
        assert OmegaConf.missing_keys(config) == set()
        data = build_data(config)
        network = build_network(config, len(data.taxonomy))
        data.prepare(network.normalisation)
        for group in ("regime", "experts", "loss", "distillation", "extension", "detector", "rules", "thresholds"):
            instantiate(config[group])
        instantiate(config.schedule)(instantiate(config.optimizer)(network), 1000)
        run = RunFolder(tmp_path / "run", resumed=False)
        trainer = build_trainer(config, run, build_logger(config, run, {}), [])
        assert trainer.max_epochs == config.trainer.max_epochs

    return make


def train(*overrides: str) -> DictConfig:
    return compose("train", overrides=list(overrides))


# --- what is there --------------------------------------------------------------------------------------------------


def test_a_command_without_words_trains_the_sample_album(build: Callable[[DictConfig], None]):
    config = train()
    assert config.data.taxonomy == "sample"
    build(config)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_builds_what_it_says(path: Path, build: Callable[[DictConfig], None]):
    config = train(f"+experiment={path.stem}", CSV)
    assert config.name == path.stem
    build(config)


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=["=".join(option) for option in OPTIONS])
def test_every_option_of_every_group_builds(group: str, option: str, build: Callable[[DictConfig], None]):
    choice = f"{group}=[{option}]" if group == "callbacks" else f"{group}={option}"
    small = [CSV] if group == "network" else SMALL
    build(train(*small, choice, *NEEDED.get((group, option), [])))


@pytest.mark.parametrize("path", sorted((CONF / "debug").glob("*.yaml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("experiment", [path.stem for path in EXPERIMENTS])
def test_every_experiment_can_be_debugged(experiment: str, path: Path, build: Callable[[DictConfig], None]):
    config = train(f"+experiment={experiment}", f"+debug={path.stem}", *SMALL)
    assert config.name == experiment, "debugging changes how long it takes, not what it is"
    assert config.logger._target_.endswith("CSVLogger"), "debugging leaves no run in MLflow"
    build(config)


def test_the_options_add_up(build: Callable[[DictConfig], None]):
    config = train(*SMALL, "callbacks=[ema,early_stopping]", "trainer=gpu", "trainer.accelerator=cpu")
    assert set(config.callbacks) == {"ema", "early_stopping", "accelerate"}
    assert config.trainer.precision == "bf16-mixed"
    build(config)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_begins_with_its_question_command_and_expectation(path: Path):
    text = path.read_text()
    first, *rest = text.splitlines()
    preface = list(takewhile(lambda line: line.startswith("#"), rest))
    tree = yaml.safe_load(text)
    assert first == "# @package _global_"
    assert any(line.startswith(f"# {tree['version']}: ") and "?" in line for line in preface)
    assert any(line.startswith("# Expected: ") for line in preface)
    assert any(f"python -m tagger.train +experiment={path.stem}" in line for line in preface)
    assert tree["name"] == path.stem
    assert re.fullmatch(r"v\d+\.\d+", tree["version"])


@pytest.mark.parametrize("path", sorted((CONF / "sweep").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_sweep_asks_a_question_and_runs_on_every_experiment(path: Path):
    first, *preface = takewhile(lambda line: line.startswith("#"), path.read_text().splitlines())
    assert first == "# @package _global_"
    assert any("?" in line for line in preface)
    assert f"#   python -m tagger.train -m +sweep={path.stem}" in preface
    for words in ([], [f"+experiment={EXPERIMENTS[-1].stem}"]):
        runs = [OmegaConf.to_yaml(compose("train", overrides=job)) for job in jobs([*words, f"+sweep={path.stem}"])]
        assert len(set(runs)) == len(runs) > 2


def test_no_two_experiments_share_a_version():
    versions = [yaml.safe_load(path.read_text())["version"] for path in EXPERIMENTS]
    assert len(versions) == len(set(versions))


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=["=".join(option) for option in OPTIONS])
def test_every_option_says_what_it_is_for(group: str, option: str):
    lines = (CONF / group / f"{option}.yaml").read_text().splitlines()
    assert lines[0].removeprefix("# @package _global_") == "" or lines[0].startswith("# ")
    assert lines[lines[0] == "# @package _global_"].startswith("# ")


PATHS = {
    "export": ("checkpoint", "bundle", "photos"),
    "predict": ("bundle", "photos", "output"),
    "serve": ("bundle", "profile", "root", "corrections", "annotator"),
    "compare": ("output", "question"),
    "mine": MINING_PATHS,
}
"""Settings that these verbs take as they are typed."""


def typed() -> list[tuple[str, str]]:
    """Return the verb and the words after it of every command that the pages show."""
    pages = [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md"), *CONF.rglob("*.yaml")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages if page.parent.name != "taxonomy")
    # Pages also show commands in a row: prepare && train.
    verbs = "train|prepare|export|predict|serve|search|compare|study|clean|mine"
    found = set(re.findall(rf"python -m tagger\.({verbs})\b([^`\n&]*)", text))
    return sorted(
        (verb, words)
        for verb, words in found
        # The name of the command, in its --help.
        if (verb, words) != ("study", "")
        and "<" not in words
        and "…" not in words
        and "$" not in words
        and "--" not in words
        # With files of one's own: tried by test_extending_page.py.
        and "hydra.searchpath" not in words
    )


@pytest.mark.parametrize(("verb", "words"), typed())
def test_every_command_that_is_shown_can_be_typed(verb: str, words: str):
    # Behind two spaces a page may say what the command does.
    typed = re.split(r"\s{2,}(?=\S)", words.rstrip())[0]
    words = shlex.split(typed, comments=True)
    is_multirun = "-m" in words or "--multirun" in words
    words = [word for word in words if not word.startswith("-")]
    if verb == "search":
        own, training = divided(words)
        compose("train", overrides=training)
        words = as_hydra_takes(own, training)
    takes = {"clean": as_cleaning_takes, "train": as_training_takes}
    words = takes[verb](words) if verb in takes else as_typed(words, *PATHS.get(verb, ()))
    for launcher in (word.partition("=")[2] for word in words if word.startswith("hydra/launcher=")):
        pytest.importorskip(f"hydra_plugins.hydra_{launcher.split('_')[0]}_launcher")
    if not is_multirun:
        compose(verb, overrides=words)
        return
    first, *_, last = jobs(words)
    for job in (first, last):
        compose(verb, overrides=job)


def jobs(words: list[str]) -> Iterator[list[str]]:
    """Yield the words of every job of a multirun, those of its sweep file among them."""
    swept = [word.partition("=")[2] for word in words if word.startswith("+sweep=")]
    files = [yaml.safe_load((CONF / "sweep" / f"{name}.yaml").read_text()) for name in swept]
    params = [f"{key}={value}" for file in files for key, value in file["hydra"]["sweeper"]["params"].items()]
    parsed = OverridesParser.create().parse_overrides([*params, *words])
    (batch,) = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    yield from batch


# --- what is not there ----------------------------------------------------------------------------------------------


@pytest.fixture
def experiment(tmp_path: Path) -> Callable[[str], DictConfig]:
    """Compose an experiment file of the user's own."""

    def make(text: str) -> DictConfig:
        folder = tmp_path / "own" / "experiment"
        folder.mkdir(parents=True)
        (folder / "mine.yaml").write_text(f"# @package _global_\n{text}")
        return train(f"hydra.searchpath=[file://{tmp_path / 'own'}]", "+experiment=mine", *SMALL)

    return make


def messages(error: BaseException | None) -> str:
    """Return the messages of an error and its causes: Hydra shows all of them."""
    return "" if error is None else f"{error}\n{messages(error.__cause__)}"


def test_a_file_of_the_users_own_is_found(experiment: Callable[[str], DictConfig]):
    assert experiment("loss: {_target_: tagger.model.losses.FocalLoss, gamma: 7}").loss.gamma == 7


@pytest.mark.parametrize(
    "text", ["samplr: rf", "sed: 3", "mixupp: 0.2", "trainr: {max_epochs: 3}", "experiment: baseline"]
)
def test_a_misspelled_key_at_the_root_of_an_experiment_is_named(experiment: Callable[[str], DictConfig], text: str):
    with pytest.raises((HydraException, OmegaConfBaseException)) as caught:
        experiment(text)
    assert f"Key '{text.partition(':')[0]}' not in 'TrainConfig'" in messages(caught.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("data: {sise: 3}", "sise"),
        ("data: {augment: {flipp: 0.5}}", "flipp"),
        ("data: {source: {foldr: x}}", "foldr"),
        ("network: {dropuot: 0.5}", "dropuot"),
        ("head: {widht: 3}\ndefaults: [override /head: ml_decoder]", "widht"),
        ("regime: {vews: 3}", "vews"),
        ("experts: {foto: own}\ndefaults: [override /experts: group]", "foto"),
        ("sampler: {fi: sqrt}", "fi"),
        ("defaults: [override /loss: focal]\nloss: {gama: 1.5}", "gama"),
        ("defaults: [override /loss: distribution_balanced]\nloss: {kapa: 0.1}", "kapa"),
        ("defaults: [override /loss: class_balanced]\nloss: {loss: {gama: 1}}", "gama"),
        ("sampler: {poling: sum}", "poling"),
        ("distillation: {_target_: tagger.model.losses.Distillation, temprature: 2}", "temprature"),
        ("extension: {_target_: tagger.training.extending.Extension, unknwn: ignore}", "unknwn"),
        ("optimizer: {lrr: 0.1}", "lrr"),
        ("schedule: {warmpu: 0.1}", "warmpu"),
        ("detector: {flor: 0.1}\ndefaults: [override /detector: onnx]", "flor"),
        ("rules: {poling: max}", "poling"),
        ("thresholds: {precission: 0.9}", "precission"),
        ("callbacks: {early_stopping: {patiance: 3}}\ndefaults: [override /callbacks: [early_stopping]]", "patiance"),
        ("trainer: {max_epoch: 3}", "max_epoch"),
        ("defaults: [override /logger: mlflow]\nlogger: {run_nam: x}", "run_nam"),
        ("defaults: [override /logger: csv]\nlogger: {save_dirr: x}", "save_dirr"),
    ],
)
def test_a_misspelled_key_in_a_group_of_an_experiment_is_named(
    experiment: Callable[[str], DictConfig], build: Callable[[DictConfig], None], text: str, key: str
):
    config = experiment(text)
    with pytest.raises((HydraException, TypeError), match=rf"unexpected keyword argument .{{1,3}}{key}\b"):
        build(config)


def test_a_misspelled_key_of_the_averaging_callback_is_named_when_the_training_starts(
    tagger_module: Callable[..., TaggerModule], experiment: Callable[[str], DictConfig]
):
    # Lightning's callback passes on what it does not know.
    config = experiment("callbacks: {ema: {decai: 0.9}}\ndefaults: [override /callbacks: [ema]]")
    callback = instantiate(config.callbacks.ema)
    trainer: Any = None
    with pytest.raises(TypeError, match="unexpected keyword argument 'decai'"):
        callback.setup(trainer, tagger_module(), "fit")


@pytest.mark.parametrize("word", ["pln=true", "data.source.foldr=x", "undo=first"])
def test_a_misspelled_word_of_prepare_is_named(word: str):
    with pytest.raises((HydraException, OmegaConfBaseException)) as caught:
        compose("prepare", overrides=[word])
    assert word.partition("=")[0].rpartition(".")[2] in messages(caught.value)


@pytest.mark.parametrize(
    "word", ["stp=score", "below=much", "data.sise=3", "minutes=long", "fromm=x", "predictions=2.5"]
)
def test_a_misspelled_word_of_clean_is_named(word: str):
    with pytest.raises((HydraException, OmegaConfBaseException)) as caught:
        compose("clean", overrides=[word])
    assert word.partition("=")[0].rpartition(".")[2] in messages(caught.value)


@pytest.mark.parametrize(
    "word", ["wat=similar", "n=many", "exampels=x", "network.dropuot=1", "data.sise=3", "support=some", "taxonomies=3"]
)
def test_a_misspelled_word_of_mine_is_named(word: str):
    with pytest.raises((HydraException, OmegaConfBaseException)) as caught:
        compose("mine", overrides=["data=corel5k", word])
    assert word.partition("=")[0].rpartition(".")[2] in messages(caught.value)


def test_the_settings_of_runs_do_not_know_of_turns_and_catalogs_unless_they_are_given(
    build: Callable[[DictConfig], None],
):
    # Studies find their finished runs by the text of their settings.
    assert not {"turn", "catalog"} & set(train().data)
    config = train("+data.turn=3", "+data.catalog=catalogs/sample", *SMALL)
    build(config)
    assert build_data(config).turn == 3


def test_the_settings_of_runs_do_not_know_of_teachers_unless_there_is_one():
    later = {"from_model", "extension", "teacher", "pool", "distillation"}
    assert not later & set(yaml.safe_load(settings_of(train())))
    taught = train("+experiment=distill", "teacher=[a.tagger,b.tagger]", "distillation.weight=1")
    settings = yaml.safe_load(settings_of(taught))
    assert settings["teacher"] == ["a.tagger", "b.tagger"]
    assert settings["distillation"]["weight"] == 1
    assert "pool" not in settings


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["teacher=a.tagger"], r"teacher=a\.tagger: nothing would be learnt from it without \+experiment=distill"),
        (["+experiment=distill"], "experiment distill needs a teacher: teacher=album.tagger"),
        (["pool=photos"], "pool=photos: only a teacher says something of photos without labels"),
    ],
)
def test_a_teacher_without_what_is_learnt_and_the_other_way_round_are_refused(words: list[str], said: str):
    with pytest.raises(UserError, match=said):
        build_distillation(train(*words))


@pytest.mark.parametrize(("verb", "word"), [("export", "bundel=x"), ("predict", "fotos=x"), ("predict", "scores=x")])
def test_a_misspelled_word_of_export_or_predict_is_named(verb: str, word: str):
    with pytest.raises((HydraException, OmegaConfBaseException)) as caught:
        compose(verb, overrides=[word])
    assert word.partition("=")[0] in messages(caught.value)


@pytest.mark.parametrize(
    "path", ["My pictures (2019), best", "it's.jpg", "a=b", "back\\slash", "end\\", "{x}", "~/x", "-", "é森"]
)
def test_a_path_means_what_is_typed(path: str):
    config = compose("predict", overrides=as_typed([f"photos={path}", "scores=true"], "photos"))
    assert config.photos == path
    assert config.scores is True


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("loss.gama=1", "gama"),
        ("sed=1", "sed"),
        ("data.source.foldr=x", "foldr"),
        ("lss=focal", "lss"),
        ("loss=fokal", "fokal"),
        ("+experiment=basline", "basline"),
        ("seed=x", "'x' of type 'str' could not be converted to Integer"),
    ],
)
def test_a_misspelled_word_on_the_command_line_is_named(word: str, named: str):
    with pytest.raises((HydraException, OmegaConfBaseException)) as caught:
        train(word)
    assert named in messages(caught.value)


def test_a_group_that_an_experiment_misspells_is_named(experiment: Callable[[str], DictConfig]):
    with pytest.raises(HydraException, match="losss"):
        experiment("defaults: [override /losss: focal]")


# --- the commands ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_alone_lists_the_targets():
    # The tests themselves run under make, which names its folders when it is called by another make.
    typed = ["make", "--no-print-directory"]
    listed = subprocess.run(typed, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    targets = re.search(r"^\.PHONY: (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert targets
    notes = {line.split()[1]: line.split(maxsplit=2)[2] for line in listed.splitlines()}
    assert set(notes) == set(targets[1].split())
