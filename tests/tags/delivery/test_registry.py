"""A registered bundle answers over real HTTP, and scores a real Spark frame, with the tags that the library gives."""

import base64
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient

from tagger import Tagger
from tagger.data.sent import ROOT
from tagger.data.sources.sample.draw import draw_photo
from tagger.data.sources.sample.plan import plan_photo
from tagger.errors import UserError
from tagger.tags.delivery.registry import Registered, register, requirements, tracking_uri
from tagger.tags.delivery.served import PROFILE
from tagger.tags.runtime import Tag
from tagger.tracking.quiet import quieten

pytestmark = [
    pytest.mark.slow,
    # What MLflow 3.17 says to SQLAlchemy 2.1 while it is imported.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
    # What pandas 3.1 says to MLflow when it writes an example's table.
    pytest.mark.filterwarnings("ignore:Operation with range is deprecated"),
]


PAGE = Path(__file__).parents[3] / "docs" / "rest.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of this file's MLflow store, and of an album: making a database takes seconds."""
    folder = tmp_path_factory.mktemp("registry")
    (folder / "my album").mkdir()
    for number in range(24):
        draw_photo(plan_photo(0, number), size=96).save(folder / "my album" / f"{number:02} ü%.jpg")
    return folder


@pytest.fixture
def client(folder: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """Type commands in the store's folder."""
    quieten()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return MlflowClient(tracking_uri())


@pytest.fixture
def photos(folder: Path) -> list[str]:
    return [str(path) for path in sorted((folder / "my album").iterdir())]


def in_other_process() -> dict[str, str]:
    """Return the environment of a process that finds commands as in an activated environment, and no clone."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", ROOT, PROFILE)}
    return env | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"}


def shown(language: str) -> list[str]:
    """Return the examples of docs/rest.md in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def sent(photo: str) -> str:
    return base64.b64encode(Path(photo).read_bytes()).decode()


def as_sent(tags: list[Tag]) -> list[dict[str, Any]]:
    return [asdict(tag) | {"score": pytest.approx(tag.score, abs=1e-5)} for tag in tags]


# --- in the store ---------------------------------------------------------------------------------------------------


def test_a_model_belongs_to_the_run_that_trained_it_which_stays_as_it_ended(delivered: Path, client: MlflowClient):
    run = client.create_run(client.create_experiment("mine"))
    client.set_terminated(run.info.run_id, "KILLED", end_time=1)
    made = register(delivered / "album.tagger", name="of-a-run", run_id=run.info.run_id, tags={"version": "v2.1"})
    version = client.get_model_version("of-a-run", str(made.version))
    assert (made.uri, version.run_id, version.tags) == ("models:/of-a-run/1", run.info.run_id, {"version": "v2.1"})
    after = client.get_run(run.info.run_id)
    assert (after.info.status, after.info.end_time) == ("KILLED", 1)
    (output,) = after.outputs.model_outputs
    assert version.source == f"models:/{output.model_id}"
    model = client.get_logged_model(output.model_id)
    assert (model.experiment_id, model.status.value) == (run.info.experiment_id, "READY")
    assert register(delivered / "album.tagger", name="of-a-run", run_id=run.info.run_id).version == 2


@pytest.mark.parametrize("run_id", ["", "0123456789abcdef0123456789abcdef"])
def test_without_its_run_a_model_gets_one_in_the_experiment_tagger(delivered: Path, client: MlflowClient, run_id: str):
    made = register(delivered / "album.tagger", name="alone", run_id=run_id)
    run = client.get_run(made.run_id)
    assert client.get_experiment(run.info.experiment_id).name == "tagger"
    assert (run.info.run_name, run.info.status) == ("export album.tagger", "FINISHED")


def test_no_pickle_is_logged_and_the_bundle_is_whole(delivered: Path, client: MlflowClient, tmp_path: Path):
    from mlflow.artifacts import download_artifacts
    from mlflow.models import get_model_info

    bundle = shutil.copy(delivered / "album.tagger", tmp_path / "my #1 album=%41?.tagger")
    made = register(Path(bundle), name="plain")
    logged = Path(download_artifacts(made.uri, dst_path=str(tmp_path)))
    files = [path for path in logged.rglob("*") if path.is_file()]
    assert not {path.suffix for path in files} & {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".pyc"}
    assert (logged / "artifacts" / "bundle.tagger").read_bytes() == Path(bundle).read_bytes()
    assert (logged / "requirements.txt").read_text().splitlines() == requirements()
    info = get_model_info(made.uri)
    assert info.signature is not None
    assert "python_model" not in info.flavors["python_function"], "where a pickle would be named"
    assert [column.to_dict()["name"] for column in info.signature.inputs] == ["photo"]
    assert [column.to_dict()["name"] for column in info.signature.outputs] == ["tags", "error"]
    example = json.loads((logged / "serving_input_example.json").read_text())
    assert (example["dataframe_split"]["columns"], example["params"]) == (["photo"], {"language": "en"})


def test_what_mlflow_refuses_is_one_message_that_says_how_to_go_on(
    delivered: Path, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(UserError, match=r"is written, and not registered: .*register=null leaves it out"):
        register(delivered / "album.tagger", name="a/b:c")
    assert client.search_runs([client.get_experiment_by_name("tagger").experiment_id])[0].info.status == "FAILED"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError, match=r"MLflow at http://127\.0\.0\.1:9 says"):
        register(delivered / "album.tagger", name="nowhere")


# --- over HTTP ------------------------------------------------------------------------------------------------------


@dataclass
class Server:
    """A server of ours."""

    url: str
    log: Path

    def ask(self, **question: Any) -> requests.Response:
        return requests.post(f"{self.url}/invocations", json=question, timeout=60)

    def answer(self, *texts: object, **params: str) -> list[dict[str, Any]]:
        answer = self.ask(dataframe_records=[{"photo": text} for text in texts], params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["predictions"]


@pytest.fixture
def serve(delivered: Path, client: MlflowClient, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return a function that serves the model as docs/rest.md says, from a folder that knows nothing of it."""
    running = []

    def start(**env: str) -> Server:
        made = registered(delivered, client)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        words = shlex.split(shown("")[0].replace("models:/tagger/1", made.uri).replace("5001", str(port)))
        log = tmp_path / "serve.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                words, stdout=file, stderr=file, cwd=tmp_path, env=in_other_process() | env, start_new_session=True
            )
        running.append(process)
        wait_for(f"http://127.0.0.1:{port}/ping", process, log)
        return Server(f"http://127.0.0.1:{port}", log)

    yield start
    for process in running:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def registered(delivered: Path, client: MlflowClient) -> Registered:
    """Register the bundle, once for all tests of this file."""
    found = client.search_model_versions("name='served'")
    if found:
        return Registered("served", int(found[0].version), tracking_uri(), "")
    return register(delivered / "album.tagger", name="served")


def wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(url, timeout=1).status_code == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    pytest.fail(f"the server did not answer:\n{log.read_text()}")


def test_a_served_model_gives_the_tags_of_the_library_over_http(
    delivered: Path, serve: Callable[..., Server], photos: list[str], tmp_path: Path
):
    server, tagger = serve(), Tagger.load(delivered / "album.tagger")
    answers = server.answer(*(sent(photo) for photo in photos))
    assert answers == [{"tags": as_sent(tags), "error": ""} for tags in tagger.tag(photos)]
    assert any(answer["tags"] for answer in answers)
    (answer,) = server.answer(sent(photos[0]), language="zh")
    assert [tag["name"] for tag in answer["tags"]] == [tag.name for tag in tagger.tag(photos[:1], language="zh")[0]]

    # A photo that is none has a row that says so, and the others have theirs.
    bad = ["bm8gcGhvdG8=", photos[0], "", None]
    reasons = ["not an image", "not the base64 text of a photo's bytes", "empty file", "a text is expected, got nan"]
    mixed = server.answer(*bad, sent(photos[0]))
    assert mixed == [*({"tags": [], "error": reason} for reason in reasons), answers[0]]

    # A table of another form is no question.
    for question in (
        {"dataframe_records": [{"image": sent(photos[0])}]},
        {"dataframe_records": []},
        {"photos": [sent(photos[0])]},
        {"dataframe_records": [{"photo": sent(photos[0])}], "params": {"language": 3}},
    ):
        assert server.ask(**question).status_code == 400

    # As the page says.
    shutil.copy(photos[0], tmp_path / "beach.jpg")
    (curl,) = shown("bash")
    command = ["bash", "-c", curl.replace("http://127.0.0.1:5001", server.url)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"predictions": answers[:1]}

    # Asked from several threads at once, each has its own answer.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        assert [row for rows in pool.map(server.answer, map(sent, photos)) for row in rows] == answers


def test_a_path_is_read_only_below_the_folder_that_the_server_was_started_with(
    delivered: Path, serve: Callable[..., Server], photos: list[str], folder: Path, tmp_path: Path
):
    (tmp_path / "hotel.yaml").write_text("thresholds: {red: 0, grey: 0}\nlabels: [red, grey]\nlanguage: zh\n")
    (tags,) = Tagger.load(delivered / "album.tagger", profile=tmp_path / "hotel.yaml").tag(photos[:1])
    assert sorted(tag.name for tag in tags) == ["灰", "红"], "a profile is served, too"
    (folder / "beside.jpg").write_bytes(Path(photos[0]).read_bytes())
    server = serve(**{ROOT: str(folder / "my album"), PROFILE: str(tmp_path / "hotel.yaml")})
    inside, outside, encoded = server.answer(photos[0], str(folder / "beside.jpg"), "YQ==")
    assert inside == {"tags": as_sent(tags), "error": ""}
    assert outside == {"tags": [], "error": f"outside of {ROOT}"}
    assert encoded == {"tags": [], "error": "missing"}


WITHOUT = """
import sys
for name in ("torch", "torchvision", "pytorch_lightning", "hydra", "omegaconf", "fsspec", "rich", "timm"):
    sys.modules[name] = None  # importing it raises, as if it were not installed
sys.path[:] = [place for place in sys.path if place != ""]
import json, mlflow, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
import tagger
rows = model.predict(pandas.DataFrame({"photo": [sys.argv[2]]})).to_dict("records")
print(json.dumps({"rows": rows, "code": tagger.__file__}))
"""


def test_a_model_brings_its_code_and_needs_no_torch(delivered: Path, client: MlflowClient, photos: list[str]):
    words = [sys.executable, "-c", WITHOUT, registered(delivered, client).uri, sent(photos[0])]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, env=in_other_process())
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    (tags,) = Tagger.load(delivered / "album.tagger").tag(photos[:1])
    assert said["rows"] == [{"tags": as_sent(tags), "error": ""}]
    assert said["code"].endswith("/artifacts/code/tagger/__init__.py"), "not the one that is installed"


# --- in Spark -------------------------------------------------------------------------------------------------------

SPARK = """
import json, sys
from pyspark.sql import SparkSession

spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
         .config("spark.driver.host", "127.0.0.1").config("spark.sql.files.openCostInBytes", "0").getOrCreate())
{page}
paths = spark.createDataFrame([(photo,) for photo in sys.argv[1:]], ["photo"]).coalesce(1)
by_own_path = paths.withColumn("tagged", by_path("photo")).select("photo", "tagged.*")
rows = {{name: [json.loads(row) for row in frame.toJSON().collect()]
        for name, frame in {{"own": by_own_path, "page": tagged, "named": named}}.items()}}
print(json.dumps(rows | {{"schema": tagged.schema.simpleString()}}))
spark.stop()
"""


def test_a_spark_frame_of_paths_and_one_of_bytes_is_scored_as_the_page_says(
    delivered: Path, client: MlflowClient, photos: list[str], folder: Path, tmp_path: Path
):
    pytest.importorskip("pyspark", reason="pyspark is not installed")
    if not shutil.which("java"):
        pytest.skip("there is no Java, which Spark runs in")
    (page,) = shown("python")
    album, uri = str(folder / "my album"), registered(delivered, client).uri
    script = SPARK.format(page=page.replace("/mnt/album", album).replace("models:/tagger/1", uri))
    words = [sys.executable, "-c", script, *photos, "/etc/passwd"]
    env = in_other_process() | {"PYSPARK_PYTHON": sys.executable}
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr[-5000:]
    found = json.loads(done.stdout.splitlines()[-1])
    tagger = Tagger.load(delivered / "album.tagger")
    expected = [as_sent(tags) for tags in tagger.tag(photos)]
    *own, refused = found["own"]
    assert own == [{"photo": photo, "tags": tags, "error": ""} for photo, tags in zip(photos, expected, strict=True)]
    assert refused == {"photo": "/etc/passwd", "tags": [], "error": f"outside of {ROOT}"}
    page_rows = sorted(found["page"], key=lambda row: row["path"])
    assert [row["tags"] for row in page_rows] == expected, "of file:/… paths, as Spark lists them"
    in_chinese = [tag.name for tags in tagger.tag(photos, language="zh") for tag in tags]
    assert sorted(row["tag"]["name"] for row in found["named"]) == sorted(in_chinese)
    assert found["schema"] == (
        "struct<path:string,tags:array<struct<because:string,label:string,name:string,origin:string,score:double>>,"
        "error:string>"
    )
