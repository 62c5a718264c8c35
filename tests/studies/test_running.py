"""Studies as typed: real processes, a real crash, a real hang, real kills, real MLflow."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands
import pytest
import torch
import yaml
from tiny import NETWORK, PHOTOS, data_of

pytestmark = pytest.mark.slow

TINY = [*PHOTOS, *NETWORK, "trainer.max_epochs=3"]

HANG = "+callbacks.hang={_target_: hanging.HangAfterAnEpoch, flag: %s}"

PLAIN = {"v1.0": ["+experiment=baseline"], "v2.0": ["+experiment=resampling"]}


class Typed:
    """Types ``python -m tagger.study`` on a study of a tiny data set, in a folder that is not the repository."""

    def __init__(self, root: Path, cwd: Path) -> None:
        self.cwd = cwd
        self.root = root
        self.conf = cwd.parent / "conf"
        (self.conf / "study").mkdir(parents=True)

    def asks(self, versions: dict[str, list[str]], *words: str, seeds: tuple[int, ...] = (0, 1), **more: Any) -> None:
        tree = {"question": "Which is better?", "baseline": "v1.0", "seeds": list(seeds), "minutes": 5}
        tree |= {"words": [*TINY, *data_of(self.root), *words], "versions": versions} | more
        (self.conf / "study" / "mine.yaml").write_text(yaml.dump(tree, sort_keys=False))

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tagger.study", "study=mine", f"hydra.searchpath=[file://{self.conf}]"]
        # For the hanging callback, which lies beside this file.
        paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        return commands.Popen(
            [*command, "output=null", "stop_seconds=20", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.cwd,
            env=os.environ | {"PYTHONPATH": paths, "COLUMNS": "200"},
        )

    def __call__(self, *words: str) -> tuple[int, str]:
        process = self.start(*words)
        output = process.communicate(timeout=600)[0]
        return process.returncode, output

    @property
    def folder(self) -> Path:
        return self.cwd / "runs" / "studies" / "mine"

    def runs(self, pattern: str = "*") -> list[Path]:
        return sorted(path.parent for path in self.folder.glob(f"{pattern}/*/*/config.yaml"))

    def attempt(self, version: str, seed: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / version / f"s{seed}" / "attempt.json").read_text())
        return found

    def query(self, sql: str) -> list[tuple[str, ...]]:
        with sqlite3.connect(self.cwd / "mlflow.db") as database:
            return database.execute(sql).fetchall()


@pytest.fixture
def typed(colours: Callable[..., Path], tmp_path: Path) -> Typed:
    (tmp_path / "elsewhere").mkdir()
    return Typed(colours(80), tmp_path / "elsewhere")


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 240
    while not true():
        assert process.poll() is None and time.monotonic() < deadline, process.stdout.read()  # type: ignore[union-attr]
        time.sleep(0.05)


def metrics(run: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((run / "metrics.json").read_text())
    changing = ("seconds/", "photos_per_second", "peak_memory")
    return {name: value for name, value in found.items() if not name.startswith(changing)}


def test_a_study_trains_every_version_with_every_seed_below_one_run_and_compares_and_then_nothing(
    typed: Typed,
) -> None:
    typed.asks(PLAIN, seeds=(0,))
    code, output = typed("output=answers")
    assert code == 0, output
    assert "2 of 2 runs are missing" in output
    assert output.count("finished in ") == 2
    assert len(typed.runs("v1.0")) == len(typed.runs("v2.0")) == 1
    # One run of MLflow holds the others.
    children = typed.query(
        "select r.name, r.status, p.value, v.value, s.value from runs r join tags p on p.run_uuid = r.run_uuid "
        "and p.key = 'mlflow.parentRunId' join tags v on v.run_uuid = r.run_uuid and v.key = 'version' "
        "join tags s on s.run_uuid = r.run_uuid and s.key = 'study' order by r.name"
    )
    ((parent, status),) = typed.query(
        "select r.run_uuid, r.status from runs r join tags t on t.run_uuid = r.run_uuid and t.key = 'question'"
    )
    assert status == "FINISHED"
    assert children == [(f"{version} seed 0", "FINISHED", parent, version, "mine") for version in PLAIN]
    # It is compared, also in that run.
    assert "v2.0 resampling: " in output and "compared  answers/mine/README.md" in output
    page = typed.cwd / "answers" / "mine" / "README.md"
    assert page.read_text().startswith("# Which is better?")
    tables = typed.query(
        "select m.key from latest_metrics m join tags t on t.run_uuid = m.run_uuid and t.key = 'question'"
    )
    assert ("compare/v2.0/map_difference",) in tables
    # The second time nothing is trained, compared or opened.
    before = {path: path.stat().st_mtime_ns for path in typed.cwd.rglob("*")}
    code, output = typed("output=answers")
    assert code == 0, output
    assert "missing" not in output and output.count("finished") == 2
    assert "compared  answers/mine/README.md" in output
    assert {path: path.stat().st_mtime_ns for path in typed.cwd.rglob("*")} == before
    # The same by the command that compares.
    words = ["study=mine", f"hydra.searchpath=[file://{typed.conf}]", "output=again"]
    command = [sys.executable, "-m", "tagger.compare", *words]
    done = commands.run(command, cwd=typed.cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = [(typed.cwd / folder / "README.md").read_text() for folder in ("answers/mine", "again")]
    assert [[line for line in text.splitlines() if line.startswith("| mAP")] for text in said].count([]) == 0
    assert len({tuple(line for line in text.splitlines() if line.startswith("| ")) for text in said}) == 1
    # One more version is one more run, below the same run although its id was lost.
    (typed.folder / "study.json").unlink()
    typed.asks(PLAIN | {"v2.1": ["+experiment=resampling_focal"]}, seeds=(0,), minutes=4)
    code, output = typed()
    assert code == 0, output
    assert "1 of 3 runs are missing" in output
    assert len(typed.query("select 1 from tags where key = 'question'")) == 1
    assert len(typed.query(f"select 1 from tags where key = 'mlflow.parentRunId' and value = '{parent}'")) == 3


def test_a_run_that_crashes_and_one_that_hangs_are_told_and_the_others_go_on(typed: Typed, tmp_path: Path) -> None:
    flag = tmp_path / "hang"
    flag.touch()
    crash = ["optimizer=sgd", "optimizer.lr=1e30", "schedule=constant"]
    typed.asks({"crash": crash, "hang": [HANG % flag], "v1.0": []}, seeds=(0,), minutes=0.5)
    code, output = typed("stop_seconds=1")
    assert code == 1, output
    assert "crash seed 0  failed after" in output and "at step" in output
    assert "hang seed 0  hung after" in output and "took longer than 0.5 minutes" in output
    assert "v1.0 seed 0  finished in" in output
    attempt = typed.attempt("crash", 0)
    assert (attempt["state"], attempt["exit_code"]) == ("failed", 1)
    assert "at step" in attempt["reason"] and attempt["last_lines"]
    attempt = typed.attempt("hang", 0)
    assert (attempt["state"], attempt["exit_code"]) == ("hung", -signal.SIGKILL)
    assert typed.query("select status from runs order by start_time") == [
        ("FAILED",),  # the study
        ("FAILED",),
        ("KILLED",),
        ("FINISHED",),
    ]
    # What hung goes on from its checkpoint once it can.
    flag.unlink()
    typed.asks({"v1.0": [], "hang": [HANG % flag]}, seeds=(0,))
    code, output = typed()
    assert code == 0, output
    assert "1 of 2 runs are missing" in output
    assert "hang seed 0  goes on" in output and "hang seed 0  finished in" in output
    assert len(typed.runs("hang")) == 1


def test_a_killed_study_loses_no_more_than_the_epoch_and_goes_on_to_the_same_result(typed: Typed) -> None:
    long = ["trainer.max_epochs=12", "network.dropout=0.3"]
    typed.asks({"v1.0": PLAIN["v1.0"]}, *long, seeds=(0,))
    process = typed.start()
    wait_until(lambda: bool(list(typed.folder.glob("v1.0/*/*/checkpoints/last.ckpt"))), process)
    process.kill()
    process.communicate()
    (cut,) = typed.runs()
    assert not (cut / "metrics.json").exists()
    # The training does not outlive its study.
    time.sleep(1)
    reached = torch.load(cut / "checkpoints" / "last.ckpt", weights_only=True)["epoch"]
    assert typed.attempt("v1.0", 0)["state"] == "running"
    code, output = typed()
    assert code == 0, output
    assert "v1.0 seed 0  goes on" in output
    log = (typed.folder / "v1.0" / "s0" / "output.log").read_text().partition("resume=true")[2]
    assert f"epoch {reached + 1}/12" not in log and f"epoch {reached + 2}/12" in log
    assert typed.query("select status from runs") == [("FINISHED",)] * 2
    # Never cut, it would have come to the same.
    code, output = typed("runs=whole")
    assert code == 0, output
    (whole,) = typed.cwd.glob("whole/studies/mine/v1.0/*/*/metrics.json")
    assert metrics(cut) == metrics(whole.parent)


def test_a_killed_run_is_failed_and_the_study_goes_on(typed: Typed) -> None:
    typed.asks(PLAIN, "trainer.max_epochs=12", seeds=(0,))
    process = typed.start()
    wait_until(lambda: bool(list(typed.folder.glob("v1.0/*/*/checkpoints/last.ckpt"))), process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 1
    assert "v1.0 seed 0  failed after" in output and "ended by signal 9 (memory?)" in output
    assert "v2.0 seed 0  finished in" in output
    code, output = typed()
    assert code == 0, output
    assert "1 of 2 runs are missing" in output and "v1.0 seed 0  goes on" in output


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.nightly)])
def test_ctrl_c_keeps_a_checkpoint_and_says_how_to_go_on(typed: Typed, number: int) -> None:
    typed.asks(PLAIN, "trainer.max_epochs=40", "logger=csv", seeds=(0,))
    process = typed.start()
    wait_until(lambda: bool(list(typed.folder.glob("v1.0/*/*/checkpoints/last.ckpt"))), process)
    process.send_signal(number)
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 130, output
    assert "v1.0 seed 0  cut after" in output
    assert "stopped; the same command goes on from there: python -m tagger.study study=mine" in output
    assert "v2.0" not in output.split("starts", 1)[1], "nothing is started any more"
    assert "stopping after this batch" in (typed.folder / "v1.0" / "s0" / "output.log").read_text()
    assert not (typed.cwd / "mlflow.db").exists()


@pytest.mark.nightly
def test_two_studies_at_once_train_nothing_twice(typed: Typed) -> None:
    typed.asks(PLAIN, "logger=csv", seeds=(0,))
    first, second = typed.start("stop_seconds=0.1"), typed.start("stop_seconds=0.1")
    outputs = [process.communicate(timeout=300)[0] for process in (first, second)]
    assert sorted([first.returncode, second.returncode])[0] == 0, outputs
    assert len(typed.runs()) == 2


def test_joblib_runs_two_at_a_time(typed: Typed) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    typed.asks(PLAIN | {"crash": ["optimizer=sgd", "optimizer.lr=1e30", "schedule=constant"]}, seeds=(0,))
    code, output = typed("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert code == 1, output
    assert output.count("  finished in ") == 2 and output.count("  failed after ") == 1
    first_end = min(output.index("  finished in "), output.index("  failed after "))
    assert output[:first_end].count("  starts  ") == 2


def test_a_multirun_goes_on_after_a_job_that_failed(typed: Typed) -> None:
    words = [*TINY, *data_of(typed.root), "trainer.max_epochs=1"]
    command = [sys.executable, "-m", "tagger.train", "-m", *words, "loss=focal", "loss.gamma=-1,2", "seed=0,1"]
    done = commands.run(command, cwd=typed.cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert "gamma must be at least 0" in done.stdout + done.stderr
    runs = sorted(typed.cwd.glob("runs/train/*/metrics.json"))
    assert len(runs) == 2, done.stdout
    assert typed.query("select status from runs") == [("FINISHED",)] * 2
    assert {yaml.safe_load((run.parent / "config.yaml").read_text())["seed"] for run in runs} == {0, 1}
