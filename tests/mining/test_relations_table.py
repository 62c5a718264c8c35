"""The tables: all figures in the file, what wants a look in the terminal, whole in 80 columns."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.sparse import csr_array

from tagger.data.taxonomy import Label, Taxonomy
from tagger.mining.relations.criteria import Criteria
from tagger.mining.relations.found import find_relations
from tagger.mining.relations.pairs import count_pairs
from tagger.mining.relations.table import relations_table, write_findings


def test_what_wants_a_look_is_shown_whole():
    labels = (
        Label("activity.motorsport", {}),
        Label("object.car", {}),
        Label("animal.polar_bear", {}, parents=("scene.snow",)),
        Label("scene.snow", {}),
    )
    rows = np.repeat([[1, 1, -1, -1], [-1, 1, 1, -1], [-1, -1, -1, 1]], [60, 60, 300], axis=0)
    pairs = count_pairs(csr_array(rows.astype(np.int8)), unknown=0)
    findings = find_relations(pairs, pairs, Taxonomy("mine", labels), Criteria())
    findings = [replace(finding, elsewhere="open_images: new") for finding in findings]
    console = Console(width=80, file=io.StringIO())
    console.print(*relations_table(findings, shown=2))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    words = " ".join(text.split())
    # Polar bears without snow: the stated relation fails, and the exclusion that was found contradicts it.
    assert "2 against the label system" in words
    # A label to a line, and none is broken.
    assert {"activity.motorsport", "⇒ object.car", "animal.polar_bear"} <= {
        line[:22].strip() for line in text.splitlines()
    }
    assert words.count("open_images:") == 2
    assert "the first 2 of" in words
    assert max(map(len, text.splitlines())) <= 80


def test_the_file_has_support_confidence_lift_and_correlation_with_their_bounds(tmp_path: Path):
    # 40 forests of 200 photos, all with trees, of which there are 80.
    rows = np.repeat([[1, 1], [-1, 1], [-1, -1]], [40, 40, 120], axis=0).astype(np.int8)
    pairs = count_pairs(csr_array(rows), unknown=0)
    taxonomy = Taxonomy("mine", (Label("forest", {}), Label("tree", {})))
    write_findings(tmp_path / "relations.csv", find_relations(pairs, pairs, taxonomy, Criteria()))
    with (tmp_path / "relations.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["kind"], row["label"], row["other"], row["is_suggested"]) == ("implies", "forest", "tree", "True")
    words = ("kind", "label", "other", "taxonomy", "evidence", "is_suggested", "note", "elsewhere")
    figures = {name: float(row[name]) for name in row if name not in words}
    counts = {"together": 40, "photos": 40, "by_chance": 16, "lift": 2.5, "confidence": 1, "annotated": 1}
    assert counts.items() <= figures.items()
    # Wilson: n / (n + z²). Garwood: half a quantile of χ². φ of the table 40, 0, 40, 120, and Fisher's z around it.
    z = 1.6448536
    assert figures["confidence_low"] == pytest.approx(40 / (40 + z * z), rel=1e-4)
    assert (figures["lift_low"], figures["lift_high"]) == pytest.approx((30.196 / 16, 52.069 / 16), rel=1e-3)
    phi = 40 * 120 / (40 * 160 * 80 * 120) ** 0.5
    assert figures["correlation"] == pytest.approx(phi, rel=1e-4)
    bounds = np.tanh(np.arctanh(phi) + np.array([-z, z]) / 197**0.5)
    assert (figures["correlation_low"], figures["correlation_high"]) == pytest.approx(tuple(bounds), rel=1e-4)
    assert figures["p"] < 1e-10
