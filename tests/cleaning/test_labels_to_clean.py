"""Which labels to clean: large and still poor is dirty, small and poor is starved."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tagger.cleaning.labels.page import write_page
from tagger.cleaning.labels.ranked import LabelToClean, labels_to_clean, write_labels_to_clean
from tagger.cleaning.labels.table import labels_table

PHOTOS, LABELS, DIRTY = 3000, 40, 33


@pytest.fixture(scope="module")
def album() -> tuple[np.ndarray, np.ndarray]:
    """Labels of 8 to 800 photos, scores and states: the small are hard to see, and a large one is annotated badly."""
    rng = np.random.default_rng(0)
    sizes = np.geomspace(8, 800, LABELS).astype(int)
    truth = np.stack([rng.permutation(PHOTOS) < size for size in sizes], axis=1)
    sight = np.linspace(0.8, 3.2, LABELS)
    scores = 1 / (1 + np.exp(2 - np.where(truth, sight, 0) - rng.normal(0, 1, truth.shape)))
    said = truth.copy()
    wrong = rng.permutation(np.flatnonzero(truth[:, DIRTY]))[: sizes[DIRTY] // 2]
    said[wrong, DIRTY] = False
    said[rng.permutation(np.flatnonzero(~truth[:, DIRTY]))[: len(wrong)], DIRTY] = True
    return scores, np.where(said, 1, -1).astype(np.int8)


def ranked(album: tuple[np.ndarray, np.ndarray], **settings: Any) -> list[LabelToClean]:
    ids = [f"label{number:02}" for number in range(LABELS)]
    return labels_to_clean(*album, ids, unknown="negative", **settings)


def test_the_label_that_was_annotated_badly_is_the_first_to_clean(album: tuple[np.ndarray, np.ndarray]):
    first, *others = ranked(album)
    assert (first.label, first.reason, first.rank) == (f"label{DIRTY}", "dirty", 1)
    assert first.mistaken is not None
    assert first.mistaken > 3 * max(label.mistaken or 0 for label in others if abs(label.photos - first.photos) < 100)


def test_small_labels_are_starved_and_never_dirty(album: tuple[np.ndarray, np.ndarray]):
    labels = ranked(album)
    middle = np.median([label.photos for label in labels])
    assert all(label.photos >= middle for label in labels if label.reason == "dirty")
    assert all(label.photos < middle for label in labels if label.reason == "starved")
    assert labels[-1].reason == "fine"
    smallest = min(labels, key=lambda label: label.photos)
    assert smallest.reason == "starved"


def test_the_ap_is_that_of_scikit_learn(album: tuple[np.ndarray, np.ndarray]):
    scores, states = album
    for label in ranked(album):
        column = int(label.label.removeprefix("label"))
        wanted = average_precision_score(states[:, column] == 1, scores[:, column])
        assert label.ap == pytest.approx(wanted, abs=6e-3), "but for the width of a bin of scores"


def test_unknown_labels_count_as_what_they_weigh(album: tuple[np.ndarray, np.ndarray]):
    scores, states = album
    unknown = np.where(states == 1, 1, 0).astype(np.int8)
    kinds = np.zeros(PHOTOS, dtype=np.int8)
    ids = [f"label{number:02}" for number in range(LABELS)]
    negative = labels_to_clean(scores, unknown, ids, unknown=(1.0,), kinds=kinds)
    assert {label.label: label.ap for label in negative} == {label.label: label.ap for label in ranked(album)}
    ignored = labels_to_clean(scores, unknown, ids, unknown=(0.0,), kinds=kinds)
    assert all(label.ap is None for label in ignored), "without a negative no ranking is better than another"


def test_the_limits_can_be_set(album: tuple[np.ndarray, np.ndarray]):
    reasons = {label.reason for label in ranked(album, enough=10**6, poor=0.0)}
    assert reasons == {"fine"}
    assert sum(label.reason == "dirty" for label in ranked(album, below=0.0)) > 1


def test_a_label_that_no_photo_carries_wants_photos():
    scores, states = np.random.default_rng(0).random((10, 1)), np.full((10, 1), -1, dtype=np.int8)
    (label,) = labels_to_clean(scores, states, ["unicorn"], unknown="negative")
    assert (label.reason, label.photos, label.ap) == ("starved", 0, None)


def test_the_csv_has_the_ranking_and_an_empty_cell_for_what_is_not_known(tmp_path: Path):
    label = LabelToClean(1, "=森林", "dirty", 120, 0.25, 0.5, 2.5, 30.0, None)
    write_labels_to_clean(tmp_path / "labels.csv", [label])
    (row,) = csv.DictReader((tmp_path / "labels.csv").read_text(encoding="utf-8").splitlines())
    assert row["label"] == "'=森林", "a spreadsheet must not run it"
    assert (row["rank"], row["reason"], row["photos"], row["ap"], row["missing"]) == ("1", "dirty", "120", "0.25", "")


def test_the_table_counts_the_reasons_and_shows_the_first(album: tuple[np.ndarray, np.ndarray]):
    table = labels_table(ranked(album), shown=3)
    assert table.row_count == 3
    assert "dirty" in str(table.title)
    assert table.caption == f"the first 3 of {LABELS}"


def test_the_page_loads_nothing_and_shows_every_label(
    album: tuple[np.ndarray, np.ndarray], tmp_path: Path, browser: Any
):
    labels = [*ranked(album), LabelToClean(LABELS + 1, "<b>$x_y$", "dirty", 500, 0.1, 0.6, 9.0, 1.0, 1.0)]
    write_page(tmp_path / "page.html", labels, facts={"data": "<i>mine", "scored by": "python"})
    page = browser.new_page(viewport={"width": 390, "height": 800})
    asked, errors = list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto((tmp_path / "page.html").as_uri())
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    rows = page.locator("#labels tbody tr")
    assert rows.count() == LABELS + 1
    assert page.locator("#labels th bdi").last.text_content() == "<b>$x_y$"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#labels thead button", has_text="AP").first.click()
    values = [float(cell) for cell in page.locator("#labels tbody tr td:nth-child(4)").all_text_contents()]
    assert values == sorted(values, reverse=True)
    assert "&lt;b&gt;$x_y$" in page.locator("figure svg").inner_html(), "the drawing names it as it is"
    assert errors == []


def test_the_same_labels_give_the_same_page(album: tuple[np.ndarray, np.ndarray], tmp_path: Path):
    labels = ranked(album)
    for name in ("first", "second"):
        write_page(tmp_path / name, labels, facts={"data": "mine"})
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
