"""A new label is written into a label system's text, and nothing else of it changes."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tagger.data.taxonomy import Label, read_taxonomy
from tagger.data.taxonomy.adding import with_label
from tagger.data.taxonomy.writing import write_checked
from tagger.errors import UserError

BEACH = Label("scene.beach", {"en": "beach, sandy"}, parents=("scene",), definition='Sand: "a lot" # of it')

BEGINNINGS = [
    "labels:\n",
    "name: mine\nlabels:  # none yet\nleft_out: {}\n",
    "labels: [scene]\n",
    "labels: []  # none yet\n",
    "labels: [scene, {id: sea}]",
    "labels: [scene, {id: sea},]",
    "labels: [\n  scene,\n  sea,  # or coast, or shore\n]\n",
    "labels: [\n  scene,\n  sea  # or coast, or shore\n]\n",
    "labels:\n- scene\n",
    "labels:\n  - scene  # all\nleft_out: {}\n",
    "labels:\n  - id: scene\n    names: {en: scene}\n\n# later\nname: mine\n",
    "labels:\n    - id: scene\n      parents:\n        - place  # or so\n      sources:\n        voc: [a, b]\n",
    "labels:\n  - id: scene\n    definition: |\n      Two\n      lines.\nname: mine\n",
    "labels:\n  - id: scene\n    definition: >-\n      Two\n      lines.",
    "labels:\n  - id: scene\n    definition: Several words\n      on two lines\nname: mine\n",
    "name: mine\nlabels:\n  - id: scene\n    parents: []\n",
]


@pytest.mark.parametrize("text", BEGINNINGS)
def test_the_label_comes_last_and_all_else_is_as_it_was(text: str):
    grown = with_label(text, BEACH, remark="found in July\nlabels: [injected]")
    before, after = yaml.safe_load(text), yaml.safe_load(grown)
    *others, added = after["labels"]
    assert others == (before["labels"] or [])
    assert {key: after[key] for key in after if key != "labels"} == {
        key: before[key] for key in before if key != "labels"
    }
    assert added == {
        "id": "scene.beach",
        "names": {"en": "beach, sandy"},
        "parents": ["scene"],
        "definition": 'Sand: "a lot" # of it',
    }
    for line in text.splitlines():
        assert line.rstrip("]") in grown or "# none yet" in line


@given(st.text(min_size=1), st.text())
def test_every_name_and_definition_is_read_back_as_it_is(name: str, definition: str):
    label = Label("new", {"en": name}, definition=definition)
    (_, added) = yaml.safe_load(with_label("labels: [old]", label))["labels"]
    assert added["names"] == {"en": name}
    assert added.get("definition", "") == definition


def test_a_label_system_with_mistakes_is_not_written(tmp_path: Path):
    text = with_label("labels: [sea]\n", BEACH)
    with pytest.raises(UserError, match=r"nothing was written: it would be .*mine\.yaml: 1 mistake") as told:
        write_checked(tmp_path / "mine.yaml", text)
    assert "parents names 'scene', which is no label" in str(told.value)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match=r"to=.*mine\.txt: a label system is a \.yaml file"):
        write_checked(tmp_path / "mine.txt", "labels: [sea]\n")
    assert write_checked(tmp_path / "new" / "mine.yaml", with_label("labels: [scene]\n", BEACH)).ids == (
        "scene",
        "scene.beach",
    )
    assert read_taxonomy(str(tmp_path / "new" / "mine.yaml")).labels[1] == BEACH
