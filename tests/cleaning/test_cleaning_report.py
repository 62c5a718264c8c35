"""The report of a cleaning: one page that loads nothing, whatever the names are, and a table."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console
from scipy.sparse import csr_array

from tagger.cleaning.report import page as report_page
from tagger.cleaning.report.annotators import annotators
from tagger.cleaning.report.gains import Gains, LabelGain, Point
from tagger.cleaning.report.page import write_page
from tagger.cleaning.report.progress import LabelProgress, Progress
from tagger.cleaning.report.report import Change, Report
from tagger.cleaning.report.table import report_tables
from tagger.data.catalog import Catalog
from tagger.data.catalog.fold_noise import FoldNoise, Part
from tagger.data.taxonomy import Taxonomy
from tagger.studies.comparison.writing import as_json

HOSTILE = "</style><script>document.title='taken'</script>"
NAMES = ["0.jpg", "1.jpg", "2.jpg", "=3.jpg", "<img src=x onerror=alert(1)>.jpg", "gone.jpg"]


@pytest.fixture
def catalog(photos: Path, taxonomy: Taxonomy) -> Catalog:
    table = pa.table({"path": NAMES})
    return Catalog(taxonomy, (str(photos),), table, csr_array((6, len(taxonomy)), dtype=np.int8))


@pytest.fixture
def report() -> Report:
    """Two labels, one of a hostile name; ann and a hostile annotator; three scorings; a test fold that is not clean."""
    dog, strange = Progress(40, 30, 2, 10, 5), Progress(3, 1, 0, 0, 1)
    said = {"ann": {(0, "dog"): 1, (1, "dog"): -1, (2, "dog"): 1}, HOSTILE: {(0, "dog"): 1, (1, "dog"): 1}}
    return Report(
        data="pets",
        data_fingerprint="f" * 16,
        kinds={"missing": Progress(30, 25, 2, 10, 0), "sample": Progress(13, 6, 0, 0, 6)},
        labels=(
            LabelProgress("dog", {"missing": dog}, dog),
            LabelProgress(HOSTILE, {"mistaken": strange}, strange),
        ),
        total=Progress(43, 31, 2, 10, 6),
        changes=(
            Change(0, NAMES[0], "dog", "unknown", "present", {"ann": "present", HOSTILE: "absent", "eve": "unsure"}),
            Change(5, NAMES[5], "dog", "present", "absent", {"ann": "absent"}),
            Change(4, NAMES[4], HOSTILE, "present", "absent", {HOSTILE: "absent"}),
        ),
        annotators=annotators(said),
        gains=Gains(
            (Point("1", 0, 0.4, 0.5), Point("2", 20, 0.45, 0.51), Point("3", 31, 0.48, 0.52)),
            (LabelGain("dog", 30, 0.4, 0.55, 0.1, 0.2), LabelGain(HOSTILE, 1, 0.4, 0.41, -0.1, 0.12)),
            (0.08, 0.021, 0.137),
            photos=6,
            same_training=True,
        ),
        noise=FoldNoise(0.02, 0.07, Part(90, 9, 9, 1, 0.1, 0.2), Part(900, 9, 9, 0, 0.0, 0.04), 1, "2026", "f" * 16),
    )


def page_of(tmp_path: Path, report: Report, catalog: Catalog) -> str:
    write_page(tmp_path / "report.html", report, facts={"command": f"python {HOSTILE}"}, catalog=catalog)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_page_shows_what_changed_and_who_said_so(tmp_path: Path, report: Report, catalog: Catalog):
    page = page_of(tmp_path, report, catalog)
    words = " ".join(re.sub(r"<style.*?</style>|<script>.*?</script>|<[^>]*>", " ", page, flags=re.S).split())
    assert "unknown → present ann , &lt;/style&gt;" in words
    assert "(absent), eve (unsure)" in words, "who says something else is named with it"
    assert "cannot be read present → absent" in words
    assert "10 put on, 5 taken off" in words
    assert "Mean AP of the labels cleaned 0.400 → 0.480 (+8.0 points, +2.1 to +13.7), of all 0.500 → 0.520" in words
    assert "up to 20.0 % may be wrong" in words
    assert page.count("data:image/jpeg") == 2
    assert page.count("<svg") == 2
    assert "+15.0 (+10.0 to +20.0)" in words
    assert 'class="remark warning"' in page


def test_nothing_is_loaded_and_names_are_text(tmp_path: Path, report: Report, catalog: Catalog):
    page = page_of(tmp_path, report, catalog)
    assert page.count("<script") == 1
    assert "document.title='taken'</script>" not in page
    assert "<img" not in page
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", page)
    assert set(re.findall(r"https?://[\w./]+", page)) <= {"http://www.w3.org/1999/xlink"}
    assert page_of(tmp_path, report, catalog) == page, "the same report gives the same bytes"


def test_a_cleaning_that_has_not_begun_has_a_page(tmp_path: Path, catalog: Catalog):
    nothing = Report("pets", "f" * 16, {}, (), Progress(0, 0, 0, 0, 0), (), annotators({}), None, None)
    page = page_of(tmp_path, nothing, catalog)
    assert "step=queue finds what to ask" in page
    assert "Nobody has measured" in page
    assert 'class="remark warning"' not in page
    assert json.loads(as_json(nothing.as_tree()))["total"]["share_changed"]["share"] is None


def test_what_was_scored_once_says_how_it_is_known_what_it_bought(tmp_path: Path, report: Report, catalog: Catalog):
    once = Gains((Point("1", 0, 0.4, 0.5),), (), None, photos=6, same_training=True)
    page = page_of(tmp_path, _with(report, gains=once), catalog)
    assert "python -m tagger.clean step=score" in page
    assert "<svg" not in page
    twice = Gains(report.gains.points if report.gains else (), (), None, photos=6, same_training=False)
    assert "cleaning is not all that differs" in page_of(tmp_path, _with(report, gains=twice), catalog)


def test_photos_beyond_the_limit_are_counted(
    tmp_path: Path, report: Report, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(report_page, "LIMIT", 1)
    page = page_of(tmp_path, report, catalog)
    assert page.count("data:image/jpeg") == 1
    assert page.count("and 1 more, in report.json") == 2


def test_json_holds_every_figure(report: Report):
    tree = json.loads(as_json(report.as_tree()))
    assert tree["kinds"]["missing"]["changed"] == 10
    assert tree["kinds"]["missing"]["share_changed"]["share"] == pytest.approx(0.4)
    assert tree["labels"][0]["kinds"]["missing"]["decided"] == 30
    assert tree["changes"][0]["people"] == {"ann": "present", HOSTILE: "absent", "eve": "unsure"}
    (pair,) = tree["annotators"]["agreement"]["pairs"]
    assert (pair["annotators"], pair["questions"]) == ([HOSTILE, "ann"], 2)
    assert tree["gains"]["labels"][0]["after"] == 0.55
    assert tree["noise"]["present"]["high"] == 0.2


def test_the_table_fits_a_terminal(report: Report):
    written = io.StringIO()
    Console(width=80, file=written).print(*report_tables(report, shown=1))
    text = written.getvalue()
    assert re.search(r"missing +30 +25 +2 +10 +40 % \(23–59\)", text)
    assert re.search(r"dog +40 +30 +10 +5 +0\.400 +0\.550", text)
    assert "the first 1 of 2" in text
    assert max(map(len, text.splitlines())) <= 80


def _with(report: Report, **changes: Any) -> Report:
    return Report(**{**vars(report), **changes})
