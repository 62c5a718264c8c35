from pathlib import Path

import pytest

from tagger.data.taxonomy import FOLDER, TaxonomyError, read_taxonomy


def write(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_every_taxonomy_of_the_project_can_be_read(name: str) -> None:
    taxonomy = read_taxonomy(name)
    assert taxonomy.name == name
    assert len(taxonomy.ids) == len(set(taxonomy.ids)) > 0


def test_a_plain_list_of_words_is_a_taxonomy(tmp_path: Path) -> None:
    taxonomy = read_taxonomy(write(tmp_path, "name: mine\nlabels: [tree, sky]\n"))
    assert taxonomy.ids == ("tree", "sky")
    assert taxonomy.columns == {"tree": 0, "sky": 1}


def test_an_alias_names_the_column_of_its_label() -> None:
    taxonomy = read_taxonomy("voc")
    assert taxonomy.columns["tv monitor"] == taxonomy.columns["tvmonitor"] == taxonomy.ids.index("tv_monitor")


def test_the_nearest_name_is_found_for_a_misspelled_one() -> None:
    assert read_taxonomy("voc").nearest("aeroplan") == "aeroplane"
    assert read_taxonomy("voc").nearest("zzzzzz") is None


def test_an_unknown_taxonomy_is_named_with_those_that_exist() -> None:
    with pytest.raises(TaxonomyError, match=r"no taxonomy 'vok'.*corel5k"):
        read_taxonomy("vok")


def test_all_mistakes_are_listed_at_once(tmp_path: Path) -> None:
    text = """
name: mine
labels:
  - {id: tree}
  - {id: tree}
  - {id: forest, implies: [tree, tre], excludes: [tree]}
  - {id: a, parents: [b]}
  - {id: b, parents: [a]}
  - {id: 树}
  - {id: oak, aliases: [forest]}
"""
    with pytest.raises(TaxonomyError) as error:
        read_taxonomy(write(tmp_path, text))
    for mistake in (
        "'tree' is defined 2 times",
        "implies names 'tre', which is no label",
        "'forest' implies and excludes 'tree'",
        "parents form a cycle",
        "'树' is not ASCII",
        "name 'forest' is claimed by 2 labels",
    ):
        assert mistake in str(error.value)


def test_a_cycle_is_shown_as_a_path(tmp_path: Path) -> None:
    text = "labels:\n  - {id: a, implies: [b]}\n  - {id: b, implies: [c]}\n  - {id: c, implies: [a]}\n"
    with pytest.raises(
        TaxonomyError, match=r"implies form a cycle: (a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c)"
    ):
        read_taxonomy(write(tmp_path, text))


def test_a_misspelled_key_is_refused_with_its_label(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match=r"label 1 \(tree\): unknown key 'impliez'"):
        read_taxonomy(write(tmp_path, "labels:\n  - {id: tree, impliez: [plant]}\n"))


def test_the_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    one = read_taxonomy(write(tmp_path, "labels: [tree]\n")).fingerprint
    assert one != read_taxonomy(write(tmp_path, "labels: [tree, sky]\n")).fingerprint
