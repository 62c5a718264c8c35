"""The picture: no name on another, no line for what follows anyway; the page in a real Chromium."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from scipy.sparse import csr_array

from tagger.data.taxonomy import Label, Taxonomy
from tagger.mining.relations.criteria import Criteria
from tagger.mining.relations.finding import Finding
from tagger.mining.relations.found import find_relations
from tagger.mining.relations.graph import direct, drawn, graph_svg
from tagger.mining.relations.layout import HEIGHT, lay_out
from tagger.mining.relations.page import write_page
from tagger.mining.relations.pairs import count_pairs

EVIL = "</title><script>alert(1)</script>"


@pytest.fixture
def taxonomy() -> Taxonomy:
    names = {"poodle": EVIL, "dog": "dog", "animal": "动物", "snow": "snow", "sand": "sand", "rare": "rare"}
    parents = {"poodle": ("dog",), "rare": ("animal",)}
    return Taxonomy("mine", tuple(Label(id_, {"en": name}, parents.get(id_, ())) for id_, name in names.items()))


@pytest.fixture
def findings(taxonomy: Taxonomy) -> list[Finding]:
    """A poodle is a dog is an animal; sand is no snow; of what is rare little is known."""
    kinds = [[1, 1, 1, 1, -1], [-1, 1, 1, 1, -1], [-1, -1, 1, -1, -1], [-1, -1, -1, 1, -1], [-1, -1, -1, -1, 1]]
    rows = np.repeat(np.pad(kinds, ((0, 0), (0, 1)), constant_values=-1), [60, 60, 60, 60, 300], axis=0)
    pairs = count_pairs(csr_array(rows.astype(np.int8)), unknown=0)
    return find_relations(pairs, pairs, taxonomy, Criteria())


@pytest.mark.parametrize(("nodes", "edges"), [(1, 0), (12, 40), (60, 70), (160, 200)])
def test_no_name_lies_on_another(nodes: int, edges: int):
    graph = nx.gnm_random_graph(nodes, edges, seed=1)
    widths = np.random.default_rng(0).uniform(30, 140, nodes)
    layout = lay_out(widths.tolist(), list(graph.edges))
    again = lay_out(widths.tolist(), list(graph.edges))
    np.testing.assert_array_equal(layout.places, again.places)
    between = np.abs(layout.places[:, None] - layout.places)
    is_on = (between[:, :, 0] < (widths[:, None] + widths) / 2 - 1) & (between[:, :, 1] < HEIGHT - 1)
    assert not (is_on & ~np.eye(nodes, dtype=bool)).any()
    left, top = (layout.places - np.column_stack([widths, np.full(nodes, HEIGHT)]) / 2).min(axis=0)
    assert left >= -0.1 and top >= -0.1


def test_what_follows_through_a_third_label_has_no_line(findings: list[Finding]):
    assert ("poodle", "animal") in {(finding.label, finding.other) for finding in findings}
    implied = {(finding.label, finding.other) for finding in direct(findings) if finding.kind == "implies"}
    assert ("poodle", "animal") not in implied
    assert {("poodle", "dog"), ("dog", "animal")} <= implied
    circle = [replace(findings[0], kind="implies", label=one, other=two) for one, two in (("a", "b"), ("b", "a"))]
    assert direct(circle) == circle


def test_the_picture_is_an_svg_of_its_own_in_which_names_are_only_names(findings: list[Finding], taxonomy: Taxonomy):
    text = graph_svg(drawn(findings, taxonomy))
    root = ET.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{space}svg"
    names = [element.text for element in root.iter(f"{space}text")]
    assert {EVIL, "dog", "动物"} <= set(names)
    assert "rare" not in names, "of it too little is known for a line"
    assert not list(root.iter(f"{space}script"))
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_without_relations_there_is_a_page_without_a_picture(tmp_path: Path, taxonomy: Taxonomy):
    write_page(tmp_path / "page.html", [], drawn([], taxonomy), names={}, facts={"data": "mine"})
    assert "No relation was found" in (tmp_path / "page.html").read_text()


@pytest.fixture
def page(findings: list[Finding], taxonomy: Taxonomy, tmp_path: Path, browser: Any) -> Iterator[Any]:
    names = {label.id: label.names["en"] for label in taxonomy.labels}
    write_page(tmp_path / "page.html", findings, drawn(findings, taxonomy), names=names, facts={"data": "mine"})
    page = browser.new_page(viewport={"width": 390, "height": 800})
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto((tmp_path / "page.html").as_uri())
    yield page
    assert not troubles
    page.close()


@pytest.mark.slow
def test_a_label_shows_its_own_relations_and_the_table_follows(page: Any):
    def rows() -> list[str]:
        shown: list[str] = page.locator("#relations tbody tr:visible th").all_inner_texts()
        return shown

    everything = rows()
    assert "dog ⇒ animal" in everything and "snow ⊥ sand" in everything
    assert "rare ⇒ animal" not in everything
    page.get_by_label("stated, too little seen").check()
    assert "rare ⇒ animal" in rows()
    page.get_by_label("stated, too little seen").uncheck()
    poodle = page.locator(".node", has_text=EVIL)
    poodle.click()
    # What follows through the dog has a row and no line.
    assert set(rows()) == {row for row in everything if "poodle" in row} >= {"poodle ⇒ animal"}
    assert set(page.locator("#graph .node.dim text").all_text_contents()) == {"动物", "snow"}
    poodle.press("Escape")
    assert rows() == everything
    page.get_by_label("exclusions").uncheck()
    assert "snow ⊥ sand" not in rows()
    page.locator("#search").fill("动物")
    assert rows() and all("animal" in row for row in rows())
    page.locator("#search").fill("poodle")
    assert rows() and all("poodle" in row for row in rows())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
