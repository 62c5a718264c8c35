"""A label system that extends another one says only what it has beyond it."""

import shutil
from pathlib import Path

import pytest

from tagger.data.taxonomy import Label, TaxonomyError, read_taxonomy

BASE = """
name: base
labels:
  - animal
  - id: dog
    names: {en: dog, zh: 狗}
    parents: [animal]
    definition: Any dog.
    sources: {voc: [dog], corel5k: [dog, puppy]}
  - sand
left_out:
  corel5k: [{reason: vague, names: [nest, trunk]}]
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.yaml"
    path.write_text(BASE)
    return path


def plus(base: Path, text: str) -> str:
    """Write a label system beside the base, and return its path."""
    path = base.with_name("plus.yaml")
    path.write_text(text)
    return str(path)


def test_new_labels_come_behind_the_others_and_what_is_said_of_one_that_is_there_is_added(base: Path) -> None:
    taxonomy = read_taxonomy(
        plus(
            base,
            """
extends: base.yaml
labels:
  - {id: nest, parents: [animal], sources: {corel5k: [nest]}}
  - id: dog
    names: {en: hound}
    excludes: [sand]
    definition: A dog or more.
    sources: {corel5k: [pups], coco: [dog]}
""",
        )
    )
    assert taxonomy.name == "plus"
    assert taxonomy.labels == (
        Label("animal", {"en": "animal"}),
        Label(
            "dog",
            {"en": "hound", "zh": "狗"},
            parents=("animal",),
            excludes=("sand",),
            definition="A dog or more.",
            sources={"voc": ("dog",), "corel5k": ("dog", "puppy", "pups"), "coco": ("dog",)},
        ),
        Label("sand", {"en": "sand"}),
        Label("nest", {"en": "nest"}, parents=("animal",), sources={"corel5k": ("nest",)}),
    )
    assert taxonomy.left_out == {"corel5k": {"trunk": "vague"}}, "what a label claims is left out no more"


def test_the_wider_label_keeps_a_name_that_its_new_child_has_if_both_are_meant(base: Path) -> None:
    text = "extends: base.yaml\nlabels:\n  - {id: puppy_dog, parents: [dog], sources: {corel5k: [puppy]}}\n"
    with pytest.raises(TaxonomyError, match="line 3: corel5k name 'puppy' is claimed by 'dog' and 'puppy_dog'; list"):
        read_taxonomy(plus(base, text))
    taxonomy = read_taxonomy(plus(base, text + "shared: {corel5k: [puppy]}\n"))
    assert taxonomy.columns_of("corel5k")["puppy"] == (1, 3)


def test_mistakes_name_the_file_and_the_line_that_make_them(base: Path) -> None:
    text = "extends: base.yaml\nlabels:\n  - {id: animal, parents: [dog]}\n  - cat\n  - {id: cat, implies: [anmal]}\n"
    with pytest.raises(TaxonomyError) as error:
        read_taxonomy(plus(base, text))
    assert str(error.value).splitlines() == [
        f"{base.with_name('plus.yaml')}: 2 mistakes",
        "  line 5: label 'cat' is defined again, first on line 4",
        "  line 5: label 'cat': implies names 'anmal', which is no label; did you mean 'animal'?",
    ]
    with pytest.raises(TaxonomyError, match=r"plus\.yaml: 1 mistake\n  (line 3: )?parents and implies form a cycle"):
        read_taxonomy(plus(base, "\n".join(text.splitlines()[:3])))
    base.write_text(BASE.replace("[animal]", "[animl]"))
    with pytest.raises(TaxonomyError, match=r"base\.yaml: 1 mistake"):
        read_taxonomy(plus(base, "extends: base.yaml\nlabels: []\n"))


def test_what_is_extended_may_extend_in_turn_but_not_in_a_circle(base: Path) -> None:
    plus(base, "extends: base.yaml\nlabels: [cat]\n")
    last = base.with_name("last.yaml")
    last.write_text("extends: plus.yaml\nlabels: [cow]\n")
    assert read_taxonomy(str(last)).ids == ("animal", "dog", "sand", "cat", "cow")
    plus(base, "extends: last.yaml\nlabels: [cat]\n")
    with pytest.raises(TaxonomyError, match=r"in a circle: .*last\.yaml -> .*plus\.yaml -> .*last\.yaml"):
        read_taxonomy(str(last))


@pytest.mark.parametrize(
    ("extends", "named"),
    [("bas", "no taxonomy 'bas'"), ("bas.yaml", "line 1: extends: no taxonomy"), ("[base.yaml]", "a name or a path")],
)
def test_what_extends_nothing_is_named(base: Path, extends: str, named: str) -> None:
    with pytest.raises(TaxonomyError, match=named):
        read_taxonomy(plus(base, f"extends: {extends}\nlabels: []\n"))


def test_another_base_is_another_label_system(base: Path) -> None:
    path = plus(base, "extends: base.yaml\nlabels: [cat]\n")
    before = read_taxonomy(path)
    assert before.fingerprint == read_taxonomy(path).fingerprint
    base.write_text(BASE.replace("Any dog", "Every dog"))
    assert read_taxonomy(path).fingerprint != before.fingerprint


def test_of_a_name_that_is_none_the_nearest_file_is_named(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(base.parent)
    shutil.copy(base, "mine.yaml")
    with pytest.raises(TaxonomyError, match=r"did you mean mine\.yaml\?.*'extends: album'"):
        read_taxonomy("mine")
    with pytest.raises(TaxonomyError, match=r"did you mean album_plus\?"):
        read_taxonomy("album_pluss")


def test_the_album_grows_by_labels_that_somebody_looked_for() -> None:
    album, grown = read_taxonomy("album"), read_taxonomy("album_plus")
    assert grown.labels[: len(album)] == album.labels
    assert [label.id for label in grown.labels[len(album) :]] == ["object.sofa", "object.dining_table"]
    # VOC says of every photo whether they are there: what is unknown alone would teach nothing.
    assert {*range(len(album), len(grown))} <= {*grown.looked_for("voc")}
