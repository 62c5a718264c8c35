r"""What a photo's tags are called in a sidecar: names for every program, and paths for those that know hierarchies.

Lightroom and darktable read ``animal|dog``, digiKam reads ``animal/dog``; neither knows an escape for its separator. A
name that has one gets another sign: ``¦`` for ``|``, and for ``/`` the ``\`` that digiKam itself takes when it reads
paths of other programs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tagger.pages.visible import visible
from tagger.tags.delivery.manifest import BundleLabel

MAX_PATHS = 8
"""Of one label: in a label system where everything has two parents they would double with every step."""

MAX_GROUPS = 32
"""Of one label; only the nearest are looked at."""


@dataclass(frozen=True)
class Keywords:
    """The values of the three properties, each value once."""

    subject: tuple[str, ...] = ()
    """``dc:subject``: names."""
    hierarchical_subject: tuple[str, ...] = ()
    """``lr:hierarchicalSubject``: paths such as ``animal|dog``."""
    tags_list: tuple[str, ...] = ()
    """``digiKam:TagsList``: paths such as ``animal/dog``."""

    @property
    def lists(self) -> tuple[tuple[str, ...], ...]:
        """The three, in this order."""
        return self.subject, self.hierarchical_subject, self.tags_list


def repeated(own: Keywords, inside: Keywords, before: Keywords) -> Keywords:
    r"""Return the keywords of others that a program would no longer see beside ours, for each property.

    Programs read one property and not the others: digiKam and Immich the first of ``TagsList``, ``hierarchicalSubject``
    and flat keywords, darktable the first of the last two; and a sidecar's property in place of the photo's. So where
    nobody but us has written one, it repeats what was shown before. What was repeated once is, as long as it is given.

    Args:
        own: What others have written in the sidecar.
        inside: What the photo holds itself.
        before: What of the sidecar is ours already.

    Example:
        >>> repeated(Keywords(subject=("Rex", "AC/DC")), Keywords(), Keywords())
        Keywords(subject=(), hierarchical_subject=('Rex', 'AC/DC'), tags_list=('Rex', 'AC\\DC'))
    """
    flat, paths = (own.subject or inside.subject), (own.hierarchical_subject or inside.hierarchical_subject)
    shown = Keywords(
        # Always: who copies the sidecar's into the photo replaces what is there.
        inside.subject,
        () if own.hierarchical_subject else paths or _as_paths(flat),
        () if own.tags_list else inside.tags_list or _for_digikam(paths or _as_paths(flat)),
    )
    every_path = (*own.hierarchical_subject, *inside.hierarchical_subject, *_as_paths((*own.subject, *inside.subject)))
    merged = Keywords(inside.subject, every_path, (*inside.tags_list, *_for_digikam(every_path)))
    kept = (
        tuple(word for word in words if word in known)
        for words, known in zip(merged.lists, map(set, before.lists), strict=True)
    )
    return Keywords(*((*now, *then) for now, then in zip(shown.lists, kept, strict=True)))


def _as_paths(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.replace("|", "¦") for name in names)


def _for_digikam(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple("/".join(part.replace("/", "\\") for part in path.split("|")) for path in paths)


class Namer:
    """The names and paths of a bundle's labels in one language."""

    def __init__(self, labels: Sequence[BundleLabel], language: str) -> None:
        self.names = {label.id: _clean(label.name(language)) or label.id for label in labels}
        groups = {label.id: label.groups for label in labels}
        self.paths = {label: paths(label, groups) for label in groups}

    def keywords(self, tags: Iterable[Mapping[str, str]]) -> Keywords:
        """Return what to write for tags, mappings with ``label`` and ``name`` as they are in a photo's line."""
        names, ways = [], []
        for tag in tags:
            names.append(_clean(tag["name"]) or tag["label"])
            for path in self.paths.get(tag["label"], [(tag["label"],)]):
                above = [self.names.get(label, label) for label in path[:-1]]
                ways.append([*above, names[-1]])
        lightroom = ["|".join(_as_paths(way)) for way in ways]
        digikam = _for_digikam(lightroom)
        return Keywords(*(tuple(dict.fromkeys(values)) for values in (names, lightroom, digikam)))


def paths(label: str, groups: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Return the ways that lead from the top of the label system down to a label, at most ``MAX_PATHS``.

    Args:
        label: Its id.
        groups: Of every label the ids of all that it follows from, through any number of steps.

    Example:
        >>> paths("poodle", {"poodle": ("dog", "pet", "animal"), "dog": ("animal",), "pet": ("animal",)})
        [('animal', 'dog', 'poodle'), ('animal', 'pet', 'poodle')]
    """
    known: dict[str, list[tuple[str, ...]]] = {}
    for each in sorted({label, *_above(label, groups)}, key=lambda each: (len(_above(each, groups)), each)):
        above = _above(each, groups)
        # Its parents are what no other group of it has above.
        parents = [group for group in above if not any(group in _above(other, groups) for other in above)]
        found = [(*path, each) for parent in parents for path in known.get(parent, [(parent,)]) if each not in path]
        known[each] = found[:MAX_PATHS] or [(each,)]
    return known[label]


def _above(label: str, groups: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(group for group in groups.get(label, ())[:MAX_GROUPS] if group != label)


def _clean(name: str) -> str:
    """Return a name without what XML cannot hold and without spaces around it, which programs cut off differently."""
    return visible(name).strip()
