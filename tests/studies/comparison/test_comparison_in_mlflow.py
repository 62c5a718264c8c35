"""A comparison in a real MLflow store, and runs that are read from there."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from tagger.errors import UserError
from tagger.studies.comparison.comparison import Settings
from tagger.studies.comparison.mlflow import log_comparison
from tagger.studies.comparison.named_runs import named_runs
from tagger.studies.comparison.report import compare_runs
from tagger.studies.comparison.runs import Run, read_run
from tagger.tracking.quiet import quieten

# What MLflow 3.17 says to SQLAlchemy 2.1 while it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")

Drawn = Callable[..., tuple[list[Run], list[Run]]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The database of this file's tests: making one takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture
def uri(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    # Artifacts go beside where the command was typed.
    monkeypatch.chdir(tmp_path)
    quieten()
    return store


def test_figures_table_and_pages_are_in_the_run(
    uri: str, drawn_runs: Drawn, written_run: Callable[[Run], Path], tmp_path: Path
):
    folders = {
        runs[0].version: [written_run(run) for run in runs]
        for runs in drawn_runs(np.random.default_rng(0), photos=100, labels=6, gain=2.0)
    }
    output = tmp_path / "out"
    comparison = compare_runs(
        folders, baseline="v1.0", output=output, command="c", commit="c0ffee", settings=Settings(resamples=50)
    )
    client = MlflowClient(uri)
    run_id = client.create_run(client.create_experiment("studies")).info.run_id
    log_comparison(client, run_id, comparison, folder=output)
    run = client.get_run(run_id)
    figure = comparison.versions["v2.0"].figures["map"]
    assert figure.difference is not None
    assert run.data.metrics["compare/v2.0/map"] == pytest.approx(figure.value)
    assert run.data.metrics["compare/v2.0/map_difference"] == pytest.approx(figure.difference.value)
    assert run.data.metrics["compare/v2.0/map_low"] == pytest.approx(figure.difference.low)
    assert "compare/v1.0/map" in run.data.metrics and "compare/v1.0/map_difference" not in run.data.metrics
    assert run.data.tags["compare.answer"] == "v2.0 other is better than v1.0 in mAP."
    assert {item.path for item in client.list_artifacts(run_id)} >= {
        "README.md",
        "report.html",
        "comparison.json",
        "comparison_table.json",
        "configs",
        "labels",
    }
    table = json.loads(Path(client.download_artifacts(run_id, "comparison_table.json", str(tmp_path))).read_text())
    assert table["columns"][:4] == ["version", "experiment", "figure", "value"]
    values = {tuple(row[:3]): row[3] for row in table["data"]}
    assert values["v2.0", "other", "map"] == pytest.approx(figure.value)


def test_a_run_is_read_from_mlflow(uri: str, drawn_runs: Drawn, written_run: Callable[[Run], Path], tmp_path: Path):
    (run,), _ = drawn_runs(np.random.default_rng(0), photos=20, labels=3)
    folder = written_run(run)
    client = MlflowClient(uri)
    run_id = client.create_run(client.create_experiment("runs")).info.run_id
    client.log_artifacts(run_id, str(folder))
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    named = named_runs({"v9": f"mlflow:{run_id}"}, uri=uri, downloads=downloads)
    again = read_run(named["v9"][0], version="v9")
    assert (again.version, again.seed) == ("v9", 0)
    assert (again.scores == run.scores).all()
    with pytest.raises(UserError, match="run mlflow:nothing cannot be had from sqlite"):
        named_runs(["mlflow:nothing"], uri=uri, downloads=downloads)
