"""Labels of an earlier label system are found again: by id, by an alias that is an earlier id, or not at all."""

from hypothesis import given
from hypothesis import strategies as st

from tagger.data.taxonomy import Label, Taxonomy, match

IDS = st.sampled_from("abcdefgh")


def system(*labels: str | tuple[str, ...]) -> Taxonomy:
    """Return labels of these ids; of several, the others are aliases of the first."""
    several = [(label,) if isinstance(label, str) else label for label in labels]
    return Taxonomy("mine", tuple(Label(id_, {}, aliases=tuple(aliases)) for id_, *aliases in several))


def test_a_worked_example():
    found = match(["dog", "puppy", "cat", "unicorn"], system("okapi", ("feline", "cat"), ("dog", "puppy")))
    assert found.sources == ((), (2,), (0, 1))
    assert [found.change(column) for column in range(3)] == ["new", "renamed", "merged"]
    assert (found.new, found.carried, found.merged, found.removed) == ([0], [1], [2], [3])


def test_an_id_outranks_an_alias():
    # The alias is what sources may call it; the label of that id is still there.
    assert match(["dog", "puppy"], system("puppy", ("dog", "pup"))).sources == ((1,), (0,))


@given(earlier=st.lists(IDS, unique=True, min_size=1), now=st.lists(IDS, unique=True, min_size=1))
def test_every_earlier_label_goes_on_in_one_place_or_is_removed(earlier: list[str], now: list[str]):
    found = match(earlier, system(*now))
    gone_on = [column for own in found.sources for column in own]
    assert sorted([*gone_on, *found.removed]) == list(range(len(earlier)))
    assert sorted([*found.new, *found.carried, *found.merged]) == list(range(len(now)))
    assert {now[column] for column in found.new} == set(now) - set(earlier)


def test_the_same_system_is_matched_column_by_column():
    found = match(["b", "a"], system("b", "a"))
    assert found.sources == ((0,), (1,))
    assert not found.lookalikes()
