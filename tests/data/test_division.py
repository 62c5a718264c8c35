"""Labels divided into parent groups: each in exactly one."""

import pytest

from tagger.data.taxonomy import OTHER, Label, Taxonomy, divide, read_taxonomy

ALBUM = Taxonomy(
    "album",
    (
        Label("animal", {}),
        Label("plant", {}),
        Label("object", {}),
        Label("animal.dog", {}, parents=("animal",)),
        Label("animal.poodle", {}, parents=("animal.dog",), sources={"mine": ("poodle", "curls")}),
        Label("plant.potted", {}, parents=("plant", "object"), sources={"mine": ("pot", "curls")}),
        Label("snow", {}),
        Label("cup", {}, parents=("object",)),
    ),
)


def named(divided: dict[str, tuple[int, ...]], taxonomy: Taxonomy) -> dict[str, list[str]]:
    return {group: [taxonomy.ids[column] for column in columns] for group, columns in divided.items()}


def test_a_label_goes_where_its_first_parents_lead_and_elsewhere_if_it_has_none():
    assert named(divide(ALBUM), ALBUM) == {
        "animal": ["animal", "animal.dog", "animal.poodle"],
        "plant": ["plant", "plant.potted"],
        "object": ["object", "cup"],
        OTHER: ["snow"],
    }


def test_groups_are_borrowed_by_the_names_that_the_lender_knows():
    mine = Taxonomy("mine", (Label("pot", {}), Label("art", {}), Label("curls", {}), Label("snow", {})))
    # Two labels claim curls: the first decides. Snow is known, but belongs to none of the lender's groups.
    assert named(divide(mine, lender=ALBUM), mine) == {"animal": ["curls"], "plant": ["pot"], OTHER: ["art", "snow"]}
    assert divide(mine) == {OTHER: (0, 1, 2, 3)}


def test_who_has_groups_borrows_none():
    own = Taxonomy("mine", (Label("thing", {}), Label("pot", {}, parents=("thing",))))
    assert divide(own, lender=ALBUM) == {"thing": (0, 1)}


@pytest.mark.parametrize(("name", "groups"), [("sample", 8), ("album", 8), ("corel5k", 9)])
def test_every_label_of_ours_is_in_one_group(name: str, groups: int):
    taxonomy = read_taxonomy(name)
    divided = divide(taxonomy, lender=read_taxonomy("album"))
    assert len(divided) == groups
    assert sorted(column for columns in divided.values() for column in columns) == list(range(len(taxonomy)))
    assert (OTHER in divided) == (name == "corel5k")


def test_a_part_of_a_label_system_keeps_the_relations_within_it():
    forest = Label("forest", {}, parents=("scene",), implies=("tree", "green"), excludes=("desert", "sea"))
    system = Taxonomy("mine", (forest, *(Label(id_, {}) for id_ in ("scene", "tree", "green", "desert", "sea"))))
    part = system.only([4, 0, 2])
    assert part.ids == ("desert", "forest", "tree")
    assert part.labels[1] == Label("forest", {}, implies=("tree",), excludes=("desert",))
    assert system.only(range(6)) == system
