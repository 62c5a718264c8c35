from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.data.taxonomy import FOLDER, Label, Taxonomy, TaxonomyError, parse_taxonomy, read_taxonomy


def write(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def refused(folder: Path, text: str) -> str:
    """Return the message with which a file is refused."""
    with pytest.raises(TaxonomyError) as error:
        read_taxonomy(write(folder, text))
    return str(error.value)


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_every_taxonomy_of_the_project_can_be_read(name: str) -> None:
    taxonomy = read_taxonomy(name)
    assert taxonomy.name == name
    assert len(taxonomy.ids) == len(set(taxonomy.ids)) > 0


# --- what a file says -------------------------------------------------------------------------------------------------


def test_a_plain_list_of_words_is_a_taxonomy(tmp_path: Path) -> None:
    taxonomy = read_taxonomy(write(tmp_path, "name: mine\nlabels: [tree, sky]\n"))
    assert taxonomy.ids == ("tree", "sky")
    assert taxonomy.columns == {"tree": 0, "sky": 1}


def test_an_alias_names_the_column_of_its_label() -> None:
    taxonomy = read_taxonomy("voc")
    assert taxonomy.columns["tv monitor"] == taxonomy.columns["tvmonitor"] == taxonomy.ids.index("tv_monitor")


def test_a_source_has_names_of_its_own(tmp_path: Path) -> None:
    text = "labels:\n  - {id: tree, sources: {corel5k: [trees], open_images: [/m/07j7r]}}\n  - sky\n"
    taxonomy = read_taxonomy(write(tmp_path, text))
    assert taxonomy.columns_of("corel5k") == {"tree": (0,), "trees": (0,), "sky": (1,)}
    assert taxonomy.columns_of("open_images") == {"tree": (0,), "/m/07j7r": (0,), "sky": (1,)}
    assert taxonomy.columns_of("coco") == {"tree": (0,), "sky": (1,)}


def test_a_name_may_stand_for_two_labels_if_the_file_says_so(tmp_path: Path) -> None:
    labels = "labels:\n  - {id: car, sources: {corel5k: [formula]}}\n  - {id: race, sources: {corel5k: [formula]}}\n"
    taxonomy = read_taxonomy(write(tmp_path, labels + "shared: {corel5k: [formula]}\n"))
    assert taxonomy.columns_of("corel5k")["formula"] == (0, 1)


def test_a_name_may_stand_for_nothing_with_a_reason(tmp_path: Path) -> None:
    text = "labels: [tree]\nleft_out:\n  corel5k:\n    - {reason: no thing, names: [close-up, detail]}\n"
    assert read_taxonomy(write(tmp_path, text)).left_out == {"corel5k": {"close-up": "no thing", "detail": "no thing"}}


@pytest.mark.parametrize("name", ["x" * 5000, "x" * 5000 + ".yaml"])
def test_a_name_longer_than_that_of_any_file_is_not_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.yaml").write_text(f"extends: {name}\nlabels: [a]\n")
    for asked in (name, str(tmp_path / "mine.yaml")):
        with pytest.raises(TaxonomyError, match="no taxonomy 'xxx"):
            read_taxonomy(asked)


def test_the_groups_are_the_labels_that_only_others_belong_to(tmp_path: Path) -> None:
    text = "labels:\n  - animal\n  - {id: dog, parents: [animal]}\n  - {id: poodle, parents: [dog]}\n  - sky\n"
    assert read_taxonomy(write(tmp_path, text)).groups == ("animal",)


def test_the_nearest_name_is_found_for_a_misspelled_one() -> None:
    assert read_taxonomy("voc").nearest("aeroplan") == "aeroplane"
    assert read_taxonomy("voc").nearest("zzzzzz") is None


def test_the_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    one = read_taxonomy(write(tmp_path, "labels: [tree]\n")).fingerprint
    assert one != read_taxonomy(write(tmp_path, "labels: [tree, sky]\n")).fingerprint


@given(st.data())
def test_what_follows_from_a_label_is_what_a_walk_along_its_relations_reaches(data: st.DataObject) -> None:
    ids = "abcdef"
    # Only earlier letters: no cycles.
    forwards = [(low, high) for low, high in product(ids, ids) if low < high]
    edges = data.draw(st.sets(st.sampled_from(forwards)))
    kind = {edge: data.draw(st.sampled_from(["parents", "implies"])) for edge in sorted(edges)}
    labels = tuple(
        Label(
            id_,
            {},
            **{
                relation: tuple(to for (start, to), kind_ in kind.items() if start == id_ and kind_ == relation)
                for relation in ("parents", "implies")
            },
        )
        for id_ in ids
    )

    def walk(start: str) -> set[str]:
        return {start}.union(*(walk(to) for begin, to in edges if begin == start))

    expected = np.array([[to in walk(start) for to in ids] for start in ids])
    assert np.array_equal(Taxonomy("mine", labels).closure, expected)


# --- what is wrong with a file ----------------------------------------------------------------------------------------


def test_an_unknown_taxonomy_is_named_with_those_that_exist() -> None:
    with pytest.raises(TaxonomyError, match=r"no taxonomy 'vok'.*corel5k"):
        read_taxonomy("vok")


def test_all_mistakes_are_listed_at_once_with_their_lines(tmp_path: Path) -> None:
    message = refused(
        tmp_path,
        """name: mine
labels:
  - {id: tree}
  - {id: tree}
  - {id: forest, implies: [tree, tre], excludes: [tree]}
  - {id: 树}
  - {id: oak, aliases: [forest], impliez: [tree]}
  - {names: {en: nothing}}
  - {id: no, parents: [off]}
  - {id: ash, sources: {corel5k: [ashes]}}
  - {id: elm, sources: {corel5k: [ashes]}}
left_out:
  corel5k: [{reason: none, names: [ashes]}]
shared:
  voc: [beech]
lables: []
""",
    )
    assert message.splitlines()[1:] == [
        "  shared.voc lists 'beech', which no two labels claim",
        "  line 4: label 'tree' is defined again, first on line 3",
        "  line 5: label 'forest': implies names 'tre', which is no label; did you mean 'tree'?",
        "  line 6: label id '树' is not ASCII: metric names are made of ids",
        "  line 7: label 'oak': unknown key 'impliez'",
        "  line 7: name 'forest' is claimed by 2 labels",
        "  line 8: expected a mapping with an 'id', got {'names': {'en': 'nothing'}}",
        "  line 9: label 'no': parents names 'off', which is no label",
        "  line 11: corel5k name 'ashes' is claimed by 'ash' and 'elm'; list it under shared.corel5k if that is meant",
        "  line 12: corel5k name 'ashes' is left out and claimed by 'ash'",
        "  line 16: unknown key 'lables'",
    ]


def test_a_cycle_through_parents_and_implications_is_shown_as_a_path(tmp_path: Path) -> None:
    text = "labels:\n  - {id: a, implies: [b]}\n  - {id: b, parents: [c]}\n  - {id: c, implies: [a]}\n"
    message = refused(tmp_path, text)
    cycles = ("a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c")
    assert any(f"parents and implies form a cycle: {path}" in message for path in cycles)


def test_a_label_that_implies_what_it_excludes_is_refused_however_long_the_chain(tmp_path: Path) -> None:
    text = """labels:
  - {id: forest, implies: [tree]}
  - {id: tree, parents: [plant]}
  - {id: plant}
  - {id: desert, excludes: [plant]}
  - {id: oasis, implies: [forest, desert]}
"""
    assert "line 6: label 'oasis' implies and excludes 'plant', since 'desert' follows from it" in refused(
        tmp_path, text
    )


def test_a_key_that_is_written_twice_is_refused_and_not_overwritten(tmp_path: Path) -> None:
    message = refused(tmp_path, "labels:\n  - id: tree\n    implies: []\n    implies: []\n")
    assert "line 4: key 'implies' is written twice" in message


@pytest.mark.parametrize(
    "word", ["no", "on", "Yes", "2019", "1e3", "0x1F", "~", "null", "2019-08-01", "1_000", "12:30"]
)
def test_a_language_a_name_an_id_and_an_alias_are_what_was_typed(tmp_path: Path, word: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        f"name: {word}\nlabels:\n  - {{id: {word}, names: {{en: dog, {word}: {word}}}, definition: {word}}}\n"
        f"  - {{id: cat, parents: [{word}], aliases: ['a {word}'], sources: {{{word}: [{word}]}}}}\n"
        f"shared: {{{word}: [{word}]}}\nleft_out: {{x: [{{reason: {word}, names: [y, {word}z]}}]}}\n"
    )
    taxonomy = read_taxonomy(str(path))
    assert taxonomy.name == word
    assert taxonomy.labels[0] == Label(word, {"en": "dog", word: word}, definition=word)
    assert (taxonomy.labels[1].parents, taxonomy.labels[1].sources) == ((word,), {word: (word,)})
    assert taxonomy.left_out == {"x": {"y": word, f"{word}z": word}}


scalars = st.sampled_from(["dog", "no", "2019", "~", "", "!!int x", "&a b", "*a", "<<", "'", "树", "true"])
nodes = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.one_of(scalars, inner), inner, max_size=3).map(
            lambda items: f"{{{', '.join(f'{key}: {value}' for key, value in items.items())}}}"
        ),
    ),
    max_leaves=6,
)
KEYS = ("id", "names", "parents", "aliases", "sources", "exact", "definition", "closed")


@given(
    label=st.dictionaries(st.sampled_from(KEYS), nodes),
    root=st.dictionaries(st.sampled_from(["name", "shared", "left_out"]), nodes),
)
def test_whatever_a_file_holds_it_is_read_or_its_mistakes_are_named(
    label: dict[str, str], root: dict[str, str]
) -> None:
    stated = ", ".join(f"{key}: {value}" for key, value in label.items())
    text = "".join(f"{key}: {value}\n" for key, value in root.items())
    try:
        parse_taxonomy(f"labels: [{{{stated}}}]\n{text}".encode(), Path("mine.yaml"))
    except TaxonomyError as error:
        assert "mine.yaml" in str(error)


def test_broken_yaml_is_named_with_its_place(tmp_path: Path) -> None:
    assert "mine.yaml, line 3, column 1: " in refused(tmp_path, "labels:\n  - {id: tree\n")
    assert "expected the keys 'name' and 'labels'" in refused(tmp_path, "- tree\n")


def test_a_file_that_is_not_utf8_is_named_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes("labels: [{id: tree, names: {zh: 树}}]".encode("gbk"))
    with pytest.raises(TaxonomyError, match=r"mine\.yaml.*UTF-8"):
        read_taxonomy(str(path))
