"""What a comparison leaves: a README that keeps what people wrote, a page, tables, and no trace of the machine."""

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from tagger.studies.answering import spoken
from tagger.studies.comparison.comparison import Comparison, Difference, Settings
from tagger.studies.comparison.report import compare_runs
from tagger.studies.comparison.runs import Run
from tagger.studies.comparison.verdict import headline, verdict
from tagger.studies.comparison.writing import MARKER
from tagger.studies.unfinished import Unfinished

Write = Callable[..., Comparison]
HOSTILE = "<script>alert(1)</script>|*x*"


@pytest.fixture
def write(
    drawn_runs: Callable[..., tuple[list[Run], list[Run]]], written_run: Callable[[Run], Path], tmp_path: Path
) -> Write:
    """Compare two versions of three seeds, the second of which is far better, and write it to ``tmp_path / "out"``."""
    one, other = drawn_runs(np.random.default_rng(0), photos=120, labels=8, seeds=3, gain=2.0)
    photos = tmp_path / "photos"
    (photos / "images").mkdir(parents=True)
    for name in one[0].photos[:100]:
        Image.new("RGB", (64, 48), (40, 120, 200)).save(photos / str(name))
    folders: dict[str, list[Path]] = {}
    for run in (*one, *other):
        named = (replace(run.labels[0], names={"en": HOSTILE, "zh": "森林"}), *run.labels[1:])
        places = {"data": {"root": str(photos)}, "cache": str(tmp_path / "cache"), "runs": "/srv/runs"}
        places |= {"logger": {"tracking_uri": "https://ann:secret@mlflow.example"}}
        facts = {**run.facts, "command": f"python -m tagger.train runs=/srv/runs data.root={photos}"}
        changed = replace(
            run, labels=named, config={**run.config, **places}, facts=facts, roots=np.array([str(photos)] * 120)
        )
        folders.setdefault(run.version, []).append(written_run(changed))

    def make(**settings: Any) -> Comparison:
        defaults: dict[str, Any] = {
            "baseline": "v1.0",
            "output": tmp_path / "out",
            "command": f"python -m tagger.compare output={tmp_path}/out",
            "commit": "c0ffee",
            "settings": Settings(resamples=100, least_photos=3),
        }
        return compare_runs(folders, **defaults | settings)

    return make


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_everything_is_there(write: Write, tmp_path: Path):
    comparison = write(question="Is it better?")
    written = files(tmp_path / "out")
    assert list(written) == [
        "README.md",
        "comparison.json",
        "configs/v1.0.yaml",
        "configs/v2.0.yaml",
        "labels/v2.0.csv",
        "report.html",
    ]
    assert written["README.md"].startswith(f"# Is it better?\n\n{MARKER}\n")
    assert "**v2.0 other is better than v1.0 in mAP.**" in written["README.md"]
    kept = json.loads(written["comparison.json"])
    figure = comparison.versions["v2.0"].figures["map"]
    assert figure.difference is not None
    assert kept["versions"]["v2.0"]["figures"]["map"]["difference"]["low"] == figure.difference.low
    assert OmegaConf.create(written["configs/v2.0.yaml"]).thresholds.precision == 0.9
    rows = list(csv.DictReader(written["labels/v2.0.csv"].splitlines()))
    assert [row["id"] for row in rows] == [f"label{n}" for n in range(8)]
    assert rows[1]["verdict"] == "better"
    assert float(rows[1]["ap"]) - float(rows[1]["baseline_ap"]) == pytest.approx(float(rows[1]["difference"]), abs=1e-5)


def test_tables_of_a_version_that_is_compared_no_longer_go(write: Write, tmp_path: Path):
    write()
    (tmp_path / "out" / "labels" / "v9.csv").write_text("id")
    (tmp_path / "out" / "configs" / "v9.yaml").write_text("seed: 0")
    (tmp_path / "out" / "notes.md").write_text("mine")
    write()
    assert {"labels/v9.csv", "configs/v9.yaml", "notes.md"} & set(files(tmp_path / "out")) == {"notes.md"}


def test_no_file_says_where_anything_lies(write: Write, tmp_path: Path):
    write(pictures=True)
    for name, text in files(tmp_path / "out").items():
        assert str(tmp_path) not in text and "/srv" not in text and "mlflow.example" not in text, name
    assert re.search(r'"photo": "images/0\d+.jpg"', (tmp_path / "out" / "comparison.json").read_text())


def test_text_above_the_marker_is_kept_and_what_is_below_is_written_anew(write: Write, tmp_path: Path):
    write()
    readme = tmp_path / "out" / "README.md"
    first = readme.read_text(encoding="utf-8")
    readme.write_text(first.replace(MARKER, f"What I learnt: 森林.\n\n{MARKER}\n\nnonsense"), encoding="utf-8")
    write()
    second = readme.read_text(encoding="utf-8")
    assert second == first.replace(MARKER, f"What I learnt: 森林.\n\n{MARKER}")
    write()
    assert readme.read_text(encoding="utf-8") == second


def test_a_readme_without_the_marker_is_kept_whole(write: Write, tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "README.md").write_text("# Mine\n\nAll of it.\n")
    write()
    assert (tmp_path / "out" / "README.md").read_text(encoding="utf-8").startswith(f"# Mine\n\nAll of it.\n\n{MARKER}")


def test_a_test_fold_that_is_not_clean_is_said_first(write: Write, tmp_path: Path):
    write()
    quiet = files(tmp_path / "out")
    assert "Nobody has measured how many labels of the test fold are wrong" in quiet["README.md"]
    assert 'class="remark warning"' not in quiet["report.html"]
    figures = {"high": 0.03, "present_high": 0.12, "absent_high": 0.02, "looked_at": 400.0, "wrong": 9.0}
    # One of the six runs was trained after it was measured.
    folder = tmp_path / "runs" / "other" / "v2.0_s1"
    (folder / "metrics.json").write_text(json.dumps({f"test_noise/{name}": value for name, value in figures.items()}))
    write()
    loud = files(tmp_path / "out")
    assert "**Of the labels on the test photos up to 12.0 % may be wrong" in loud["README.md"]
    assert 'class="remark warning">Of the labels on the test photos up to 12.0 %' in loud["report.html"]


def test_photos_that_versions_left_out_are_counted_in_what_is_written_and_said(write: Write, tmp_path: Path):
    figures = {"photos/listed": 40.0, "photos/left_out": 8.0, "photos/left_out_missing": 8.0}
    for folder in (tmp_path / "runs").glob("*/v2.0_s*"):
        (folder / "metrics.json").write_text(json.dumps(figures))
    spoken_ = spoken(write())
    assert spoken_[-2:] == ["v1.0: no photos left out", "v2.0: 8 of 40 photos left out: missing (8)"]
    assert "v2.0: 8 of 40 photos left out: missing (8)." in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    for folder in (tmp_path / "runs").glob("*/v1.0_s*"):
        (folder / "metrics.json").write_text(json.dumps(figures))
    assert spoken(write())[-1] == "8 of 40 photos left out: missing (8)"


def test_runs_without_a_result_are_named(write: Write, tmp_path: Path):
    died = Unfinished("v2.1", 1, "failed", "OSError: /srv/runs/config.yaml: disk full")
    hung, missing = Unfinished("v2.1", 2, "hung", "stopped after 20 minutes"), Unfinished("v2.1", 0, "not run", "")
    write(unfinished=[died, hung, missing])
    for name in ("README.md", "report.html"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert "Runs without a result" in text
        assert "v2.1 seed 2: hung: stopped after 20 minutes" in text
        assert "v2.1 seed 1: failed: OSError: …/config.yaml: disk full" in text
        assert re.search(r"v2.1 seed 0: not run\s*(<|\n|$)", text)


def test_names_are_text_wherever_they_stand(write: Write, tmp_path: Path):
    write(question=HOSTILE)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("<script") == 1
    assert "&lt;script&gt;" in page
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8").partition(MARKER)[2]
    assert not re.search(r"(?<!\\)<script", readme)


def test_pictures_are_in_the_page_only_if_asked_for(write: Write, tmp_path: Path):
    page = tmp_path / "out" / "report.html"
    write()
    assert "data:image/jpeg" not in page.read_text(encoding="utf-8")
    assert "images/0" in page.read_text(encoding="utf-8"), "photos are named"
    write(pictures=True)
    text = page.read_text(encoding="utf-8")
    assert "data:image/jpeg" in text
    assert "not found" in text, "photos from 100 on are not there"


def test_the_verdict_says_what_the_interval_says(write: Write):
    comparison = write()
    version = comparison.versions["v2.0"]
    said = verdict(comparison, version)
    assert re.match(r"v2\.0 other: \+\d+\.\d points mAP, interval \+\d+\.\d to \+\d+\.\d: better; ", said)
    assert re.search(r"; precision at the baseline's recall \+\d+\.\d points \(\+\d+\.\d %\), interval ", said)
    better = version.labels_with("better")
    assert f"; {len(better)} labels better (" in said and ", 0 labels worse, of " in said

    def having(difference: Difference) -> Comparison:
        figures = {**version.figures, "map": replace(version.figures["map"], difference=difference)}
        return replace(comparison, versions={**comparison.versions, "v2.0": replace(version, figures=figures)})

    worse = having(Difference(-0.021, -0.03, -0.004))
    assert headline(worse) == "v2.0 other is worse than v1.0 in mAP."
    assert "−2.1 points mAP, interval −3.0 to −0.4: worse" in verdict(worse, worse.versions["v2.0"])
    unclear = having(Difference(0.002, -0.004, 0.007))
    assert headline(unclear) == "v2.0 other is not shown to differ from v1.0 in mAP."
    assert "interval −0.4 to +0.7: no difference shown" in verdict(unclear, unclear.versions["v2.0"])


def test_a_baseline_alone_is_a_table(made_run: Callable[..., Run], written_run: Callable[[Run], Path], tmp_path: Path):
    folder = written_run(made_run([[0.9, 0.1], [0.2, 0.8], [0.3, 0.4]], [[1, -1], [-1, 1], [-1, -1]]))
    compare_runs({"v1.0": [folder]}, baseline="v1.0", output=tmp_path / "out", command="c", commit="c0ffee")
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("# v1.0\n") and "| mAP (2 labels) | 1.000 |" in readme


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (390, "dark")])
def test_the_page_works_in_a_browser(write: Write, tmp_path: Path, browser: Any, width: int, scheme: Any):
    write(pictures=True, unfinished=[Unfinished("v2.1", 2, "failed", HOSTILE)])
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith(("file:", "data:")) else complaints.append(request.url),
    )
    page.goto((tmp_path / "out" / "report.html").as_uri())
    assert page.locator("figure svg").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("summary").first.click()
    points = page.locator("table.sortable tbody td:nth-of-type(5)")
    shown = lambda: [float(cell.get_attribute("data-value")) for cell in points.all()]  # noqa: E731
    assert shown() == sorted(shown())
    page.locator("table.sortable thead th", has_text="points").locator("button").click()
    assert shown() == sorted(shown(), reverse=True)
    assert not complaints
