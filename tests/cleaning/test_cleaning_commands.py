"""The steps export and import as commands: what they say, and that a killed or a second one loses nothing."""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import commands
import pyarrow as pa
import pytest
from hydra import compose, initialize_config_dir

from tagger.cleaning.opened import opened
from tagger.cleaning.queue.table import QUEUE_SCHEMA, task_id, write_queue
from tagger.cleaning.verdicts.people import said_by_people
from tagger.cleaning.words import as_hydra_takes
from tagger.data.catalog.store import CatalogStore
from tagger.errors import UserError
from tagger.prepare import take_back

CONF = Path(__file__).parents[2] / "conf"

STORE, CLEANING = Path("catalogs/folder"), Path("cleaning/folder")

Step = Callable[..., None]


@pytest.fixture
def data(colours: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words that choose sixteen photos of plain colours, where the command is typed."""
    root = colours(16)
    monkeypatch.chdir(tmp_path)
    settings = {"root": root, "source.folder": "colours", "taxonomy": root / "colours.yaml", "workers": 0}
    return ["data=folder", *(f"data.{name}={value}" for name, value in settings.items())]


@pytest.fixture
def step(data: list[str]) -> Step:
    """Do a step with these words; there is a queue of eight questions."""

    def do(name: str, *words: str) -> None:
        typed = as_hydra_takes([f"step={name}", *data, *words])
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose("clean", overrides=typed)
        import_module(f"tagger.cleaning.steps.{name}").run(opened(config, "folder", typed, command="as typed"))

    with pytest.raises(UserError, match="from=… must be given"):
        do("import")
    store = CatalogStore(STORE)
    photos = store.table("photos").to_pylist()[:8]
    rows = [
        {
            "task_id": task_id(photo["photo_id"], "red", "missing"),
            **{"photo_id": photo["photo_id"], "root": store.manifest.sources["colours"]["root"], "path": photo["path"]},
            **{"label": "red", "kind": "missing", "state": 0, "rank": number + 1, "overlap": 1},
        }
        for number, photo in enumerate(photos)
    ]
    write_queue(CLEANING / "queue.parquet", pa.Table.from_pylist(rows, schema=QUEUE_SCHEMA))
    return do


@pytest.fixture
def answered(step: Step) -> Path:
    """The table of the questions with a yes to each."""
    step("export", "to=csv")
    (path,) = (CLEANING / "tasks").glob("*.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        tasks = [row["task_id"] for row in csv.DictReader(file)]
    filled = Path("My answers, ann's.csv")
    filled.write_text("task_id,verdict\n" + "".join(f"{task},yes\n" for task in tasks))
    return filled


def test_questions_go_out_and_answers_come_in_and_go_again_by_what_the_commands_say(
    step: Step, answered: Path, data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    step("export", "to=csv")
    said = capsys.readouterr().out
    assert said.startswith("8 questions about 1 label; fill in the column verdict")
    assert "python -m tagger.clean step=import data=folder" in said
    with pytest.raises(UserError, match="does not say who answered"):
        step("import", f"from={answered}")
    step("import", f"from={answered}", "annotator=ann, of 9b")
    batch = len(CatalogStore(STORE).manifest.batches)
    said = capsys.readouterr().out
    assert said.splitlines()[0] == f"{answered}: 8 verdicts"
    undo = next(line for line in said.splitlines() if line.startswith(f"batch {batch} of the catalog: "))
    assert undo.startswith(f"batch {batch} of the catalog: python -m tagger.prepare data=folder ")
    assert undo.endswith(f" undo={batch} takes it back")
    assert "+data.catalog" not in undo, "that the catalog lies where it always does need not be typed"
    assert set(said_by_people(CatalogStore(STORE))["annotator"].to_pylist()) == {"ann, of 9b"}

    step("import", f"from={answered}")
    assert f"as batch {batch}\n" in capsys.readouterr().out
    take_back(CatalogStore(STORE), batch, None)
    assert len(said_by_people(CatalogStore(STORE))) == 0
    step("import", f"from={answered}")
    assert f"as batch {batch}; it was undone since, and python -m tagger.prepare" in capsys.readouterr().out
    answered.write_text(answered.read_text() + "\n")
    step("import", f"from={answered}", "annotator=ann, of 9b")
    assert f"some of them were undone with batch {batch}: " in capsys.readouterr().out
    assert len(said_by_people(CatalogStore(STORE))) == 0


def test_what_is_left_out_and_what_stays_open_is_named(
    step: Step, answered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step("import", f"from={answered}", "annotator=ann")
    lines = answered.read_text().replace("yes", "no").splitlines()
    answered.write_text("\n".join([*lines[:4], *(f"t{number:016},no" for number in range(30))]) + "\n")
    capsys.readouterr()
    step("import", f"from={answered}", "annotator=bob")
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == [f"{answered}: 3 verdicts", "30 rows left out:"]
    assert "line 5: unknown task '0000000000000000': it was not exported from here" in said[2]
    assert said[22:24] == ["  and 10 more", "3 questions open, as many say present as absent:"]
    assert said[24].startswith("  red on photo ")

    answered.write_text("task_id,verdict\nt7,yes\n")
    with pytest.raises(UserError, match=r"no row of .* could be taken; the catalog is as it was"):
        step("import", f"from={answered}", "annotator=bob")
    assert "unknown task '7'" in capsys.readouterr().out


def test_annotators_are_called_by_their_names(step: Step, answered: Path) -> None:
    (path,) = (CLEANING / "tasks").glob("*.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        tasks = [row["task_id"][1:] for row in csv.DictReader(file)]
    by = [1, "bob@example.com", 3]
    flat = [{"task_id": task, "verdict": "absent", "annotator": who} for task, who in zip(tasks, by, strict=False)]
    Path("min.json").write_text(str(flat).replace("'", '"'))
    step("import", "from=min.json", "annotators={1: ann, bob@example.com: bob}")
    assert said_by_people(CatalogStore(STORE))["annotator"].to_pylist() == ["ann", "bob", "label_studio 3"]
    with pytest.raises(UserError, match="annotators=ann must say who is who"):
        step("import", "from=min.json", "annotators=ann")


def test_a_photo_that_is_asked_about_is_no_example_to_answer_by(step: Step) -> None:
    # The first eight photos are asked about red; two of them are red, and two of the other eight.
    step("export", "to=csv")
    page = (CLEANING / "standard" / "red.md").read_text()
    examples = [line for line in page.splitlines() if line.startswith("- ![]")]
    assert len(examples) == 2
    assert all(any(f"{number:03}.png" in line for line in examples) for number in (8, 12))


# --- the command, typed -----------------------------------------------------------------------------------------------


def command(*words: str) -> "subprocess.CompletedProcess[str]":
    typed = [sys.executable, "-m", "tagger.clean", *words]
    return commands.run(typed, capture_output=True, text=True, timeout=300, check=False)


KILLED = """
import os, runpy, signal
left = int(os.environ["KILLED_AT"])
flush = os.fsync

def killing(handle):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    flush(handle)

os.fsync = killing
runpy.run_module("tagger.clean", run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow
def test_an_import_that_is_killed_between_any_two_steps_to_the_disk_is_there_whole_or_not_at_all(
    step: Step, answered: Path, data: list[str]
) -> None:
    words = ["step=import", *data, f"from={answered}", "annotator=ann"]
    before, told = CatalogStore(STORE).fingerprint, []
    for number in range(1, 9):
        environment = os.environ | {"KILLED_AT": str(number)}
        run = commands.run([sys.executable, "-c", KILLED, *words], env=environment, capture_output=True, text=True)
        if run.returncode != -9:
            break
        verdicts = len(said_by_people(CatalogStore(STORE)))
        assert verdicts == (0 if CatalogStore(STORE).fingerprint == before else 8)
        told.append(verdicts)
    assert run.returncode == 0, run.stderr
    assert len(told) > 2
    assert told[0] == 0
    assert len(said_by_people(CatalogStore(STORE))) == 8, "typed again it does what is missing, and nothing twice"


@pytest.mark.slow
def test_an_import_onto_a_full_disk_or_beside_another_changes_nothing_and_says_so(
    step: Step, answered: Path, data: list[str], small_disk: Path
) -> None:
    words = ["step=import", *data, f"from={answered}", "annotator=ann", f"+data.catalog={small_disk / 'catalog'}"]
    store = CatalogStore(shutil.copytree(STORE, small_disk / "catalog"))
    with (small_disk / "filling").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(65536))
    before = store.fingerprint
    run = command(*words)
    assert run.returncode == 1
    assert "cannot be written: the disk is full; make room, or name a place on another disk" in run.stderr
    assert "; the catalog is as it was" in run.stderr
    (small_disk / "filling").unlink()
    assert CatalogStore(store.folder).fingerprint == before
    with store.locked():
        run = command(*words)
    assert run.returncode == 1
    assert f"{store.folder}: another process is writing there (process {os.getpid()} on" in run.stderr
    assert CatalogStore(store.folder).fingerprint == before
    assert command(*words).returncode == 0
    assert len(said_by_people(CatalogStore(store.folder))) == 8
