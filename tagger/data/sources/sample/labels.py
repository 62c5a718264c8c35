"""The labels that the sample album can carry, as ``conf/taxonomy/sample.yaml`` describes them for people."""

from collections.abc import Iterable

GROUPS = ("human", "animal", "scene", "plant", "food", "object", "activity", "document")

CHILDREN = {
    "human": ("adult", "child", "group"),
    "animal": ("dog", "cat", "bird", "fish"),
    "scene": ("beach", "forest", "mountain", "snow", "city", "park", "indoor", "office", "sunset", "night"),
    "plant": ("tree", "flower", "potted_plant"),
    "food": ("fruit", "cake", "pizza"),
    "object": ("sunglasses", "watch", "umbrella", "car", "balloon"),
    "activity": ("skiing", "swimming", "cycling", "camping"),
    "document": ("id_card", "receipt", "handwriting", "screenshot"),
}

PARENTS: dict[str, tuple[str, ...]] = {
    f"{group}.{name}": (group,) for group, names in CHILDREN.items() for name in names
}
PARENTS["plant.potted_plant"] = ("plant", "object")

LEAVES = tuple(PARENTS)
"""Labels that an annotator looks for; the groups follow from them."""

LABELS = GROUPS + LEAVES


def with_groups(leaves: Iterable[str]) -> frozenset[str]:
    """Return the labels and their groups.

    Example:
        >>> sorted(with_groups(["plant.potted_plant"]))
        ['object', 'plant', 'plant.potted_plant']
    """
    leaves = frozenset(leaves)
    return leaves.union(*(PARENTS[leaf] for leaf in leaves))
