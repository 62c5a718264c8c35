"""The table in the terminal: what wants a look, whole in 80 columns."""

import io
from dataclasses import replace

import numpy as np
from rich.console import Console
from scipy.sparse import csr_array

from tagger.data.taxonomy import Label, Taxonomy
from tagger.mining.relations.criteria import Criteria
from tagger.mining.relations.found import find_relations
from tagger.mining.relations.pairs import count_pairs
from tagger.mining.relations.table import relations_table


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
