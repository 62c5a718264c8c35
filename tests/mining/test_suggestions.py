"""Suggestions are a file to be cut down by hand; what is left makes a label system, or nothing does."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from tagger.data.taxonomy import read_taxonomy
from tagger.errors import UserError
from tagger.mining.relations.accepted import Addition, read_suggestions, write_grown
from tagger.mining.relations.criteria import Criteria
from tagger.mining.relations.elsewhere import beside
from tagger.mining.relations.finding import Finding
from tagger.mining.relations.found import find_relations
from tagger.mining.relations.pairs import count_pairs
from tagger.mining.relations.suggestions import as_word, suggestions

TEXT = "name: mine\nlabels:\n  - dog  # of any breed\n  - id: animal\n    names: {en: Animal}\n  - snow\n  - sand\n"
"""Dogs are animals and stand in snow; snow is not sand."""


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT)
    return path


def findings(labels: Path) -> list[Finding]:
    rows = np.repeat([[1, 1, 1, -1], [-1, 1, -1, -1], [-1, -1, 1, -1], [-1, -1, -1, 1]], [60, 60, 60, 200], axis=0)
    states, taxonomy = csr_array(rows.astype(np.int8)), read_taxonomy(str(labels))
    pairs = count_pairs(states, unknown=0)
    return beside(find_relations(pairs, pairs, taxonomy, Criteria()), taxonomy, read_taxonomy("open_images"))


def test_implications_are_in_force_and_exclusions_wait_for_someone_who_knows(labels: Path, tmp_path: Path):
    text = suggestions(findings(labels), facts={"data": "mine\nrelations: [injected]"})
    path = tmp_path / "relations.yaml"
    path.write_text(text)
    # Open Images knows that a dog is a kind of animal; of snow nobody says that it is a kind of anything.
    assert set(read_suggestions(path)) == {Addition("dog", "parents", "animal"), Addition("dog", "implies", "snow")}
    reason = "60 of 60 photos, of all such 0.96 or more; 3.2 times what chance gives; open_images: known"
    assert f"  - {{label: dog, parents: animal}}   # {reason}\n" in text
    assert "  # - {label: snow, excludes: sand}   # 0 of 120 photos, 63 by chance" in text
    path.write_text(text.replace("  # - {", "  - {"))
    assert Addition("snow", "excludes", "sand") in read_suggestions(path)


def test_without_suggestions_the_file_says_so_and_nothing_is_written(tmp_path: Path):
    path = tmp_path / "relations.yaml"
    path.write_text(suggestions([], facts={}))
    assert yaml.safe_load(path.read_text()) == {"relations": []}
    with pytest.raises(UserError, match="no relation is left"):
        read_suggestions(path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("relations: [{label: a, implys: b}]", "implys"),
        ("relations: [{label: a, implies: [b]}]", "implies"),
        ("relations: [{implies: b, excludes: c}]", "excludes"),
        ("relation: []", "expected 'relations:'"),
        ("- a", "expected 'relations:'"),
        ("relations: [", "not YAML"),
        ("relations: word", "expected 'relations:'"),
    ],
)
def test_what_is_no_suggestion_is_named(tmp_path: Path, text: str, named: str):
    path = tmp_path / "relations.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=named):
        read_suggestions(path)


def test_the_new_label_system_says_only_what_is_left_and_the_other_one_stays(labels: Path, tmp_path: Path):
    target = tmp_path / "new" / "plus.yaml"
    accepted = [
        Addition("dog", "implies", "snow"),
        Addition("snow", "excludes", "sand"),
        Addition("dog", "parents", "animal"),
    ]
    grown = write_grown(str(labels), target, accepted)
    assert labels.read_text() == TEXT
    assert target.read_text() == (
        "extends: ../mine.yaml\nlabels:\n"
        "  - {id: dog, parents: [animal], implies: [snow]}\n  - {id: snow, excludes: [sand]}\n"
    )
    assert (grown.ids, grown.name) == (("dog", "animal", "snow", "sand"), "plus")
    assert (grown.labels[0].implies, grown.labels[1].names) == (("snow",), {"en": "Animal"})
    assert read_taxonomy(str(target)) == grown


def test_nothing_is_written_where_it_would_contradict_or_overwrite(labels: Path, tmp_path: Path):
    circle = [Addition("dog", "implies", "snow"), Addition("snow", "implies", "dog")]
    target = tmp_path / "plus.yaml"
    with pytest.raises(UserError, match=r"plus\.yaml: 1 mistake\n  line 3: parents and implies form a cycle"):
        write_grown(str(labels), target, circle)
    assert not target.exists()
    with pytest.raises(UserError, match="is there already"):
        write_grown(str(labels), labels, circle[:1])
    with pytest.raises(UserError, match=r"to=.*plus: a label system is a \.yaml file"):
        write_grown(str(labels), tmp_path / "plus", circle[:1])
    with pytest.raises(UserError, match="'dogg' is no label of 'mine'; did you mean 'dog'"):
        write_grown(str(labels), target, [Addition("dogg", "implies", "snow")])
    with pytest.raises(UserError, match="implies names 'snoww', which is no label; did you mean 'snow'"):
        write_grown(str(labels), target, [Addition("dog", "implies", "snoww")])
    assert not target.exists()


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1))
def test_every_word_is_read_back_as_it_is(text: str):
    assert yaml.safe_load(f"[{as_word(text)}]") == [text]


def test_labels_in_what_is_left_are_what_was_typed(tmp_path: Path):
    path = tmp_path / "left.yaml"
    path.write_text("relations:\n  - {label: no, implies: 2019}\n  - {label: on, parents: ~}\n")
    assert read_suggestions(path) == [Addition("no", "implies", "2019"), Addition("on", "parents", "~")]
