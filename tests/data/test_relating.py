"""Relations are written into a label system's text, and nothing else of it changes."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tagger.data.taxonomy.label_system import TaxonomyError
from tagger.data.taxonomy.relating import Addition, as_word, with_relations

TEXT = """\
name: mine   # ours
labels:
  - tree
  - 'sea'  # wet
  - {id: bear, sources: {coco: [bear]}}
  - id: wood
    implies: [tree]
    definition: "森林, many trees"
  - id: ice   # cold
    excludes:
      - tree  # never
      - sea
  - names: {en: last}
    id: last
    parents: []
left_out: {}
"""


def test_every_way_to_write_a_label_takes_another_relation():
    additions = [
        Addition("tree", "implies", "sea"),
        Addition("tree", "excludes", "bear"),
        Addition("sea", "implies", "ice"),
        Addition("bear", "parents", "wood"),
        Addition("wood", "implies", "bear"),
        Addition("wood", "implies", "tree"),
        Addition("ice", "excludes", "bear"),
        Addition("ice", "implies", "wood"),
        Addition("last", "parents", "tree"),
        Addition("last", "implies", "on"),
    ]
    assert (
        with_relations(TEXT, additions)
        == """\
name: mine   # ours
labels:
  - {id: tree, implies: [sea], excludes: [bear]}
  - {id: 'sea', implies: [ice]}  # wet
  - {id: bear, sources: {coco: [bear]}, parents: [wood]}
  - id: wood
    implies: [tree, bear]
    definition: "森林, many trees"
  - id: ice   # cold
    implies: [wood]
    excludes:
      - tree  # never
      - sea
      - bear
  - names: {en: last}
    id: last
    implies: ["on"]
    parents: [tree]
left_out: {}
"""
    )


def test_what_is_stated_already_changes_nothing():
    assert with_relations(TEXT, [Addition("wood", "implies", "tree")]) == TEXT


def test_a_file_that_ends_without_a_line_break_is_written_as_well():
    text = "labels:\n  - a\n  - id: b"
    assert yaml.safe_load(with_relations(text, [Addition("b", "implies", "a")]))["labels"][1] == {
        "id": "b",
        "implies": ["a"],
    }


def test_a_label_that_is_not_there_is_named():
    with pytest.raises(TaxonomyError, match="no label 'treee'"):
        with_relations(TEXT, [Addition("treee", "implies", "sea")])


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1))
def test_every_word_is_read_back_as_it_is(text: str):
    assert yaml.safe_load(f"[{as_word(text)}]") == [text]
