"""A label system divided into its parent groups: every label belongs to exactly one."""

from tagger.data.taxonomy.label_system import Taxonomy

OTHER = "other"
"""The group of labels that belong to none."""


def divide(taxonomy: Taxonomy, *, lender: Taxonomy | None = None) -> dict[str, tuple[int, ...]]:
    """Return the columns of every group, in the order of the groups; labels of no group come last, as ``other``.

    A label with several parents belongs to the group of its first. A label system without groups may borrow those of
    another that knows its labels: a label belongs where the first label of the lender that claims its name does.

    Args:
        taxonomy: Whose labels are divided.
        lender: Whose groups are taken if ``taxonomy`` has none, by the names that it lists for the vocabulary
            ``taxonomy.name``.

    Example:
        >>> from tagger.data.taxonomy import Label
        >>> animal = Label("animal", {}), Label("dog", {}, parents=("animal",), sources={"mine": ("terrier",)})
        >>> divide(Taxonomy("album", animal))
        {'animal': (0, 1)}
        >>> divide(Taxonomy("mine", (Label("art", {}), Label("terrier", {}))), lender=Taxonomy("album", animal))
        {'animal': (1,), 'other': (0,)}
    """
    if taxonomy.groups or lender is None:
        order, group = taxonomy.groups, {id_: _group(taxonomy, id_) for id_ in taxonomy.ids}
    else:
        claims = lender.columns_of(taxonomy.name)
        order = lender.groups
        group = {id_: _group(lender, lender.ids[claims[id_][0]]) if id_ in claims else OTHER for id_ in taxonomy.ids}
    divided = {
        name: tuple(column for column, id_ in enumerate(taxonomy.ids) if group[id_] == name)
        for name in dict.fromkeys((*order, OTHER))
    }
    return {name: columns for name, columns in divided.items() if columns}


def _group(taxonomy: Taxonomy, id_: str) -> str:
    """Return the group of a label, through its first parents."""
    while parents := taxonomy.labels[taxonomy.column[id_]].parents:
        id_ = parents[0]
    return id_ if id_ in taxonomy.groups else OTHER
