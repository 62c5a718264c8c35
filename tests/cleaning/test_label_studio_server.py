"""A real Label Studio, started on this machine, takes the project through its SDK, and what it exports comes in.

It wants another numpy than tagger does, so it lives in an environment of its own:

    python -m venv label_studio && label_studio/bin/pip install 'label-studio==1.23.*'
    LABEL_STUDIO_PYTHON=$PWD/label_studio/bin/python pytest -m slow tests/cleaning/test_label_studio_server.py
"""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from tagger.cleaning.verdicts.importing import Imported
from tagger.cleaning.verdicts.people import said_by_people
from tagger.data.catalog.store import CatalogStore

pytestmark = pytest.mark.slow

TOKEN = "0123456789abcdef0123456789abcdef01234567"

PATIENCE = 300
"""Seconds until it answers: it makes its database first, about a minute."""


@pytest.fixture
def python() -> Path:
    """The Python of Label Studio's environment."""
    named = os.environ.get("LABEL_STUDIO_PYTHON")
    if not named:
        pytest.skip("LABEL_STUDIO_PYTHON does not name the Python of an environment with label-studio")
    return Path(named)


class Studio(NamedTuple):
    """A server that answers, and the Python that has its SDK."""

    address: str
    python: Path


@pytest.fixture
def studio(python: Path, tmp_path: Path) -> Iterator[Studio]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = tmp_path / "label studio"
    data.mkdir()
    command = [
        *(python.with_name("label-studio"), "start", "--no-browser", "--data-dir", data),
        *("--internal-host", "127.0.0.1", "--port", str(port)),
        *("--username", "ann@example.com", "--password", "secret pass 1"),
        *("--user-token", TOKEN, "--enable-legacy-api-token"),
    ]
    quiet = {"COLLECT_ANALYTICS": "false", "LATEST_VERSION_CHECK": "false", "SENTRY_DSN": "", "HOME": str(data)}
    with (
        (tmp_path / "server.log").open("wb") as log,
        subprocess.Popen(
            command, cwd=data, env=os.environ | quiet, stdout=log, stderr=log, start_new_session=True
        ) as server,
    ):
        try:
            yield Studio(answering(f"http://127.0.0.1:{port}", server, tmp_path / "server.log"), python)
        finally:
            os.killpg(server.pid, signal.SIGKILL)


def answering(url: str, server: "subprocess.Popen[bytes]", log: Path) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return url
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(f"Label Studio does not answer:\n{log.read_text()[-2000:]}")


@pytest.fixture
def project(export: Callable[..., Any], queue: pa.Table) -> Path:
    """The exported project; the third and the fourth task were drawn at random."""
    kinds = pa.array(["missing", "mistaken", "sample", "again", "missing", "missing", "missing"])
    folder: Path = export("label_studio", queue=queue.set_column(queue.column_names.index("kind"), "kind", kinds)).path
    return folder


def test_a_project_goes_there_and_its_verdicts_come_back(
    studio: Studio, project: Path, take: Callable[..., Imported], store: CatalogStore, tmp_path: Path
) -> None:
    script = Path(__file__).with_name("label_studio_round_trip.py")
    command = [studio.python, script, studio.address, TOKEN, project, tmp_path]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["title"] == "pets, 7 questions"
    assert "<b>Counts:</b> A dog of any breed." in told["instruction"]
    assert (told["tasks"], told["predictions"]) == (7, 5), "of tasks drawn at random nothing is suggested"
    assert told["evidence"][0].splitlines()[1] == "the model gives 0.90, among its five best"
    assert told["overlap"] == [1, 1, 1, 1, 1, 1, 2]
    assert told["evidence"][2:4] == ["", ""]

    # The Export button: numbers of annotators; predictions only by number.
    done = take(tmp_path / "JSON.json", annotators={"1": "ann", str(told["bob"]): "bob"})
    assert (done.added, done.problems, len(done.ties)) == (7, (), 1)
    words = said_by_people(CatalogStore(store.folder)).select(["photo", "label", "value", "annotator"])
    assert [tuple(row.values()) for row in words.to_pylist()] == [
        (0, "cat", -1, "ann"),
        (0, "dog", 1, "ann"),
        (0, "dog", -1, "bob"),
        (1, "dog", -1, "ann"),
        (2, "cat", 0, "ann"),
        (3, "dog", 1, "ann"),
        (4, "=2+5", 0, "ann"),
    ]
    flat = take(tmp_path / "JSON_MIN.json", annotators={"1": "ann", str(told["bob"]): "bob"})
    assert (flat.added, flat.known, flat.problems) == (0, 7, ())
    # A snapshot with everything in it: addresses, and what another model said.
    names = {"ann@example.com": "ann", "bob@example.com": "bob"}
    whole = take(tmp_path / "whole.json", annotators=names)
    assert (whole.added, whole.known, whole.opinions, whole.problems) == (0, 7, 1, ())
