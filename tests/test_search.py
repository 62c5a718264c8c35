"""The command as typed: real processes, real kills, a real experiment."""

import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands
import optuna
import pytest
from tiny import NETWORK, PHOTOS, data_of

pytestmark = pytest.mark.slow

TINY = [*PHOTOS, *NETWORK, "trainer.max_epochs=3"]

SPACE = """
optimizer.lr: {low: 1e-4, high: 1e-1, log: true}
loss: {choices: [bce, focal]}
loss.gamma: {low: 0.5, high: 3.0, when: {loss: focal}}
"""

Typed = Callable[..., Any]


@pytest.fixture
def typed(colours: Callable[..., Path], tmp_path: Path) -> Typed:
    """Return a function that types a search on a tiny data set, in an empty folder that is not the repository."""
    root = colours(60)
    cwd = tmp_path / "elsewhere"
    (cwd / "own" / "experiment").mkdir(parents=True)
    (cwd / "mine.yaml").write_text(SPACE)
    words = [*TINY, *data_of(root), "logger=csv"]

    def run(*own: str, verb: str = "search", wait: bool = True) -> Any:
        given = {word.partition("=")[0] for word in own}
        tiny = [word for word in words if word.partition("=")[0] not in given]
        search = ["space=mine.yaml", "experiments=own/experiment"] if verb == "search" else []
        command = [sys.executable, "-m", f"tagger.{verb}", *search, *own, *tiny]
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": cwd}
        if not wait:
            return commands.Popen(command, **streams)
        return commands.run(command, timeout=300, check=False, **streams)

    run.cwd = cwd  # type: ignore[attr-defined]
    return run


def trials(cwd: Path, name: str = "found_mine") -> list[optuna.trial.FrozenTrial]:
    storage = f"sqlite:///{cwd}/searches/{name}.db"
    return optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False)


def states(cwd: Path) -> list[str]:
    return [trial.state.name for trial in trials(cwd)]


def wait_until(is_so: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.1)


def running(cwd: Path) -> bool:
    try:
        with sqlite3.connect(f"file:{cwd}/searches/found_mine.db?mode=ro", uri=True) as database:
            counted = "select count(*) from trial_intermediate_values v join trials t on v.trial_id = t.trial_id"
            return database.execute(f"{counted} where t.state = 'RUNNING' and t.number > 0").fetchone()[0] > 0
    except sqlite3.OperationalError:
        return False


def test_a_search_leaves_what_was_promised_and_trains_to_the_very_figure(typed: Typed) -> None:
    # From a start that learns next to nothing, so that something beats it. Not by a word, which would fix it.
    (typed.cwd / "own" / "experiment" / "slow.yaml").write_text(  # type: ignore[attr-defined]
        "# @package _global_\nname: slow\nversion: v7.0\noptimizer: {lr: 1.0e-4}\n"
    )
    cwd: Path = typed.cwd  # type: ignore[attr-defined]
    own = f"hydra.searchpath=[file://{cwd}/own]"
    done = typed("budget=4", "confirm=1", "version=v7.1", own, "+experiment=slow")
    assert done.returncode == 0, done.stdout
    assert states(cwd).count("COMPLETE") + states(cwd).count("PRUNED") == 4
    text = (cwd / "own" / "experiment" / "found_mine.yaml").read_text()
    assert "version: v7.1" in text and "+experiment=slow" in text
    assert "Yes, trial" in (cwd / "searches" / "found_mine" / "README.md").read_text()
    page = (cwd / "searches" / "found_mine" / "report.html").read_text()
    assert "optimizer.lr" in page and "<svg" in page
    readme = (cwd / "searches" / "found_mine" / "README.md").read_text()
    assert not [written for written in (text, readme, page) if str(cwd) in written], "paths of this machine"
    assert not re.findall(r"https?://(?!www\.w3\.org)", page), "it loads nothing"
    best = max((trial for trial in trials(cwd) if trial.state.name == "COMPLETE"), key=lambda trial: trial.value)
    trained = typed(own, "+experiment=found_mine", verb="train")
    assert trained.returncode == 0, trained.stdout
    (run,) = (cwd / "runs" / "found_mine").iterdir()
    assert json.loads((run / "metrics.json").read_text())["val/map"] == best.value
    again = typed("budget=4", "confirm=1", own, "+experiment=slow")
    assert again.returncode == 0, again.stdout
    assert "goes on after 4 trials" in again.stdout
    assert len(states(cwd)) == 4, "the budget was used: nothing is trained again"
    assert "version: v7.1" in (cwd / "own" / "experiment" / "found_mine.yaml").read_text()


def test_a_search_that_is_killed_goes_on_and_loses_no_trial(typed: Typed) -> None:
    cwd: Path = typed.cwd  # type: ignore[attr-defined]
    words = ("budget=3", "confirm=0", "prune=false", "trainer.max_epochs=8")
    process = typed(*words, wait=False)
    wait_until(lambda: running(cwd), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (cut,) = [trial for trial in trials(cwd) if trial.state.name == "RUNNING"]
    done = typed(*words)
    assert done.returncode == 0, done.stdout
    after = trials(cwd)
    assert after[cut.number].state.name == "FAIL"
    assert [trial.state.name for trial in after].count("COMPLETE") == 3
    retried = [trial for trial in after if trial.params == cut.params and trial.state.name == "COMPLETE"]
    assert len(retried) == 1, "what it tried is tried again"


@pytest.mark.nightly
def test_ctrl_c_ends_after_the_epoch_and_the_same_command_goes_on(typed: Typed) -> None:
    cwd: Path = typed.cwd  # type: ignore[attr-defined]
    words = ("budget=2", "confirm=1", "prune=false", "trainer.max_epochs=12")
    process = typed(*words, wait=False)
    wait_until(lambda: running(cwd), process)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    assert "stopped: the same command goes on" in output
    assert "Traceback" not in output
    assert states(cwd) == ["COMPLETE", "FAIL", "WAITING"]
    assert (cwd / "searches" / "found_mine" / "report.html").is_file()
    assert not (cwd / "own" / "experiment" / "found_mine.yaml").exists(), "nothing confirmed it"
    done = typed(*words)
    assert done.returncode == 0, done.stdout
    assert states(cwd) == ["COMPLETE", "FAIL", "COMPLETE"]


def test_two_processes_on_one_file_share_the_work(typed: Typed) -> None:
    cwd: Path = typed.cwd  # type: ignore[attr-defined]
    words = ("budget=6", "confirm=0", "prune=false")
    both = [typed(*words, wait=False) for _ in range(2)]
    outputs = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert states(cwd) == ["COMPLETE"] * 6
    told = [{int(number) for number in re.findall(r"^trial +(\d+)  val mAP", output, re.M)} for output in outputs]
    assert told[0] | told[1] == set(range(6))
    assert not told[0] & told[1]
    assert len({str(trial.params) for trial in trials(cwd)}) == 6


def test_other_words_of_training_are_refused_with_the_way_out(typed: Typed) -> None:
    assert typed("budget=1", "confirm=0").returncode == 0
    refused = typed("budget=1", "confirm=0", "network.dropout=0.5")
    assert refused.returncode == 1
    assert "another settings: network.dropout: 0.0 there, network.dropout: 0.5 here" in refused.stdout
    assert "name=… to begin another" in refused.stdout
    assert "Traceback" not in refused.stdout


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("bugdet=2", "did you mean budget?"),
        ("budget=2weeks", "budget=2weeks is neither a time"),
        ("budget=2 loss.gama=3", "gama"),
        ("budget=2 name=a/b", "letters, digits and _ only"),
        (
            "budget=2 name=baseline experiments=" + str(Path(__file__).parents[1] / "conf" / "experiment"),
            "did not write",
        ),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_trained(typed: Typed, word: str, said: str) -> None:
    done = typed(*word.split())
    assert done.returncode == 1
    assert said in done.stdout and "Traceback" not in done.stdout
    assert not list((typed.cwd / "searches").glob("*.db")) if (typed.cwd / "searches").exists() else True  # type: ignore[attr-defined]


def test_the_search_of_the_sample_album_runs_as_typed(tmp_path: Path) -> None:
    words = ["space=head", "budget=2", "confirm=0", "trainer.max_epochs=2", "experiments=own"]
    words += ["data.source.photos=200", "regime.views=1"]
    done = commands.run(
        [sys.executable, "-m", "tagger.search", *words], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        assert database.execute("select name, status from runs").fetchall() == [("found_head", "FINISHED")]
        logged = database.execute("select step from metrics where key = 'val/map' order by step").fetchall()
        assert logged == [(0,), (1,)]
        tags = dict(database.execute("select key, value from tags").fetchall())
    assert tags["kind"] == "search" and "best.optimizer.lr" in tags
    assert list(tmp_path.glob("mlruns/**/report.html"))
