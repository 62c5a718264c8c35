"""report.html: one file, nothing from elsewhere, whatever the names are."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from tagger.data.states import ABSENT, PRESENT, UNKNOWN
from tagger.pages.visible import visible
from tagger.tracking.charts import curve_points, group_bars, learning_curve
from tagger.tracking.label_result import LabelResult
from tagger.tracking.mistakes import Mistakes, chosen_rows, worst_mistakes
from tagger.tracking.report import write_report

HOSTILE = "<script>document.title = 'taken'</script>\n\"'&</title>"
LABEL = LabelResult(
    id="scene.forest",
    names={"en": "forest", "zh": "森林"},
    train_count=250,
    ap=0.5,
    threshold=0.5,
    precision=0.75,
    recall=0.25,
    lower_bound=0.625,
    support=40,
    verdict="certified",
    fallback="",
    val_precision=0.875,
    val_recall=0.375,
    val_support=38,
)
LABELS = [
    LABEL,
    replace(LABEL, id="scene.hostile", names={"en": HOSTILE, "zh": HOSTILE}, train_count=30, ap=0.9, verdict="met"),
    replace(
        LABEL,
        id="animal.poodle",
        names={},
        train_count=3,
        ap=None,
        precision=None,
        recall=None,
        verdict="unreachable",
        fallback="silence",
    ),
]


@pytest.fixture
def run(tmp_path: Path) -> dict[str, Any]:
    """Six photos and three labels: the forest has two false positives, one of them unlisted, and a miss."""
    photos = [tmp_path / f"photo{i}.jpg" for i in range(4)] + [tmp_path / '"><script>x.jpg', tmp_path / "missing.jpg"]
    for i, photo in enumerate(photos[:5]):
        Image.new("RGB", (640, 480), (40 * i, 100, 100)).save(photo)
    forest = [0.95, 0.8, 0.2, 0.1, 0.6, 0.7]
    poodle = [0.0] * 6
    return {
        "title": "v2.1 <b>",
        "facts": {"commit": "3f2a9c1d", "command": "python -m tagger.train '<i>'"},
        "metrics": {"test/map": 0.4605, "test/map_head": 0.66, "test/labels_counted": 2.0},
        "labels": LABELS,
        "thresholds": np.linspace(0, 1, 11),
        "precision": np.array([[0.5] * 10 + [np.nan], [0.4] * 11, [np.nan] * 11]),
        "recall": np.array([np.linspace(1, 0, 11), np.linspace(1, 0, 11), [np.nan] * 11]),
        "scores": np.array([forest, forest, poodle], np.float32).T,
        "states": np.array([[-1, 0, 1, -1, 1, -1]] * 2 + [[-1] * 6], np.int8).T,
        "photos": [str(photo) for photo in photos],
        "history": [{"step": 10, "val/map": 0.1, "train/loss": 0.3}, {"step": 20, "val/map": 0.2}],
        "bad_photos": [("/photos/<b>.jpg", "truncated <i>")],
    }


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_page_holds_the_figures_and_names(tmp_path: Path, run: dict[str, Any]):
    write_report(tmp_path / "report.html", **run)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for text in [
        "0.461",
        "2 labels counted",
        "forest",
        "森林",
        "animal.poodle",
        "3f2a9c1d",
        "The label is never given.",
    ]:
        assert text in page


def test_a_test_fold_that_is_not_clean_is_a_warning(tmp_path: Path, run: dict[str, Any]):
    write_report(tmp_path / "report.html", **run)
    assert "Nobody has measured" in (tmp_path / "report.html").read_text(encoding="utf-8")
    bounds = {"high": 0.01, "present_high": 0.081, "absent_high": 0.009, "looked_at": 400.0, "wrong": 7.0}
    run["metrics"] |= {f"test_noise/{name}": value for name, value in bounds.items()}
    write_report(tmp_path / "report.html", **run)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<p class="remark warning">Of the labels on the test photos up to 8.1 % may be wrong' in page


def test_names_are_escaped_wherever_they_stand(tmp_path: Path, run: dict[str, Any]):
    write_report(tmp_path / "report.html", **run)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<script") == 1
    assert "<b>.jpg" not in page
    assert "<i>" not in page
    assert "&lt;script&gt;" in page


def test_the_policy_forbids_whatever_the_page_does_not_bring(tmp_path: Path, run: dict[str, Any]):
    write_report(tmp_path / "report.html", **run)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert re.search(r"script-src 'sha256-[\w+/]{43}='", policy[1])
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", page)
    # Of the addresses that remain, one names a format and none is fetched.
    assert set(re.findall(r"https?://[\w./]+", page)) <= {"http://www.w3.org/1999/xlink"}


def test_the_same_run_gives_the_same_bytes(tmp_path: Path, run: dict[str, Any]):
    write_report(tmp_path / "a.html", **run)
    write_report(tmp_path / "b.html", **run)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_photo_is_embedded_once_and_only_if_it_is_shown(tmp_path: Path, run: dict[str, Any]):
    write_report(tmp_path / "report.html", **run)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    # Two labels show photos 0, 1 and 2; photo 3 is right, photo 4 is right, photo 5 is a mistake that cannot be read.
    assert re.findall(r"\.p(\d+)\{background-image", page) == ["0", "1", "2"]
    assert page.count('class="thumb p0"') == 2
    assert page.count("cannot be read") == 2
    assert "missing.jpg" in page


def test_beyond_the_limit_photos_are_named_instead_of_shown(tmp_path: Path, run: dict[str, Any]):
    write_report(tmp_path / "report.html", **run, thumbnail_limit=1)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("background-image") == 1
    assert "not embedded" in page
    assert "photo2.jpg" in page


def test_target_lines_are_drawn_where_asked_for(tmp_path: Path, run: dict[str, Any]):
    write_report(tmp_path / "report.html", **run, target_precision=0.9, target_recall=0.5)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'class="target" d="M0 10.0H100"' in page
    assert 'class="target" d="M50.0 0V100"' in page


def test_arrays_that_do_not_fit_are_refused_by_name(tmp_path: Path, run: dict[str, Any]):
    run["scores"] = run["scores"].T
    with pytest.raises(ValueError, match=r"scores must have shape \(6, 3\), got \(3, 6\)"):
        write_report(tmp_path / "report.html", **run)
    assert not (tmp_path / "report.html").exists()


def test_a_run_without_history_metrics_and_labels_still_has_a_page(tmp_path: Path):
    empty = np.zeros((0, 0))
    write_report(
        tmp_path / "report.html",
        title="empty",
        facts={},
        metrics={},
        labels=[],
        thresholds=np.zeros(0),
        precision=empty,
        recall=empty,
        scores=empty,
        states=empty.astype(np.int8),
        photos=[],
        history=[],
        bad_photos=[],
    )
    assert "not recorded" in (tmp_path / "report.html").read_text(encoding="utf-8")


# --- the worst mistakes -------------------------------------------------------------------------------------------


def test_mistakes_are_found_by_state_and_side_of_the_threshold():
    scores = np.array([[0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]]).T
    states = np.array([[ABSENT, PRESENT, UNKNOWN, ABSENT, ABSENT, ABSENT, PRESENT, PRESENT]], np.int8).T
    worst = worst_mistakes(scores, states, np.array([0.5]), count=2)
    assert worst.false_positives.tolist() == [[0, 3]]
    assert worst.unlisted.tolist() == [[2, -1]]
    assert worst.false_negatives.tolist() == [[7, 6]]


def test_a_score_that_is_not_a_number_is_no_mistake():
    worst = worst_mistakes(np.array([[np.nan], [np.nan]]), np.array([[1], [-1]], np.int8), np.array([0.5]), count=1)
    assert worst.false_positives.tolist() == worst.false_negatives.tolist() == [[-1]]


@given(data=st.data(), photos=st.integers(0, 12), labels=st.integers(0, 5), count=st.integers(1, 5))
def test_mistakes_agree_with_sorting_photo_by_photo(data: st.DataObject, photos: int, labels: int, count: int):
    scores = data.draw(
        arrays(np.float32, (photos, labels), elements=st.integers(0, 100).map(lambda n: n / 128), unique=False)
    )
    states = data.draw(arrays(np.int8, (photos, labels), elements=st.sampled_from([-1, 0, 1])))
    thresholds = np.full(labels, 0.5)
    worst = worst_mistakes(scores, states, thresholds, count=count, block=2)
    for label in range(labels):
        wrong = [scores[i, label] for i in range(photos) if states[i, label] == ABSENT and scores[i, label] >= 0.5]
        missed = [scores[i, label] for i in range(photos) if states[i, label] == PRESENT and scores[i, label] < 0.5]
        # Which of equal scores is shown does not matter; the scores do.
        found = [rows[rows >= 0] for rows in (worst.false_positives[label], worst.false_negatives[label])]
        assert scores[found[0], label].tolist() == sorted(wrong, reverse=True)[:count]
        assert scores[found[1], label].tolist() == sorted(missed)[:count]
        assert all(len(set(rows.tolist())) == len(rows) for rows in found)


def test_under_a_limit_every_label_shows_its_worst_mistake_before_any_shows_a_second():
    worst = Mistakes(np.array([[0, 1], [2, 3]]), np.full((2, 2), -1), np.full((2, 2), -1))
    assert chosen_rows(worst, limit=3).tolist() == [0, 2, 1]


# --- drawings -----------------------------------------------------------------------------------------------------


def test_a_curve_is_drawn_from_the_known_points():
    assert curve_points(np.array([0.25, 0.5, 0.5, np.nan]), np.array([1.0, 0.5, 0.5, 0.0])) == "100,75 50,50"
    assert curve_points(np.array([np.nan]), np.array([np.nan])) == ""


unit = st.floats(0, 1)


@given(points=st.lists(st.tuples(unit, unit), min_size=1, max_size=400), limit=st.integers(2, 80))
def test_a_curve_keeps_its_ends_and_at_most_the_limit(points: list[tuple[float, float]], limit: int):
    precision, recall = np.array(points).T
    drawn = curve_points(precision, recall, limit=limit).split()
    whole = curve_points(precision, recall, limit=10_000).split()
    assert len(drawn) <= limit
    assert set(drawn) <= set(whole)
    assert (drawn[0], drawn[-1]) == (whole[0], whole[-1])


def test_drawings_follow_the_pages_colours_and_carry_no_date():
    for svg in (group_bars({"test/map_head": 0.5}), learning_curve([{"step": 1, "val/map": 0.5}])):
        assert svg.startswith("<svg ")
        assert "var(--accent)" in svg
        assert "date" not in svg.lower()
        # Ids of two drawings on a page must differ, and every reference must still find its target.
        assert set(re.findall(r'(?:href="|url\()#([\w-]+)', svg)) <= set(re.findall(r'id="([\w-]+)"', svg))


def test_bars_say_where_there_are_no_labels():
    assert "no labels" in group_bars({"test/map_head": 0.5, "test/map_tail": float("nan")})


# --- in a browser -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_page_works_in_a_browser_and_asks_for_nothing(tmp_path: Path, run: dict[str, Any], browser: Any):
    write_report(tmp_path / "report.html", **run)
    page = browser.new_page(viewport={"width": 390, "height": 844})
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    rows, cards = page.locator("#labels tbody tr:visible"), page.locator("#cards > details:visible")

    assert page.title() == "v2.1 <b>"
    assert visible(HOSTILE) in page.locator("#labels").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.fill("#search", "森林")
    assert (rows.count(), cards.count()) == (1, 1)
    assert page.inner_text("#shown") == "1 of 3 labels"
    page.fill("#search", "POODLE")
    assert "animal.poodle" in rows.first.inner_text()
    page.fill("#search", "")
    page.select_option("#verdict", "met")
    assert rows.count() == 1
    page.select_option("#verdict", "")

    page.get_by_role("button", name="AP", exact=True).click()
    assert [row.split()[0] for row in rows.all_inner_texts()][1:] == ["forest", "animal.poodle"]
    page.keyboard.press("Enter")  # The heading has the focus: now ascending, and no answer is still last.
    assert [row.split()[0] for row in rows.all_inner_texts()][::2] == ["forest", "animal.poodle"]

    rows.first.locator("a").click()
    thumb = cards.first.locator(".thumb").first
    thumb.wait_for(state="visible")
    assert thumb.evaluate("element => getComputedStyle(element).backgroundImage").startswith('url("data:image/jpeg')
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.slow
def test_the_page_can_be_read_without_scripts(tmp_path: Path, run: dict[str, Any], browser: Any):
    write_report(tmp_path / "report.html", **run)
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto((tmp_path / "report.html").as_uri())
    assert page.locator("#labels tbody tr:visible").count() == 3
    assert not page.locator("#controls").is_visible()
    page.locator("#labels a").first.click()
    page.locator("#label-0").wait_for(state="visible")
