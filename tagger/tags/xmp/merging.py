"""The bytes of a sidecar with a photo's tags in it; everything that others wrote stays as it is.

What we added stands in the sidecar a second time, in properties of our own namespace. So the next time we know which
keywords are ours: those that the photo no longer has are removed, and those of others never are. A keyword of ours that
is no longer in its list was taken out by a person and does not come back. What we repeat of others, so that programs
that read one property see it beside ours, is ours too, and goes with ours.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from tagger.tags.xmp.keywords import Keywords, repeated
from tagger.tags.xmp.spans import Element, SpanError, read_elements

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
OURS = "urn:tagger:given:1.0/"

EMPTY = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="tagger">
 <rdf:RDF xmlns:rdf="{RDF}">
 </rdf:RDF>
</x:xmpmeta>
""".encode()
"""A sidecar without anything in it."""

_ABOUT = (f"{{{RDF}}}about", "about")
_LISTS = tuple(f"{{{RDF}}}{kind}" for kind in ("Bag", "Seq", "Alt"))
_ITEM = f"{{{RDF}}}li"


class SidecarError(ValueError):
    """A sidecar that is left as it is; the message says why."""


class Property(NamedTuple):
    """One of the properties that tags are written to, or its double in our namespace."""

    namespace: str
    prefix: str
    local: str
    kind: str
    """Of its list: ``Bag`` or ``Seq``."""
    given: str
    """What its double is called; not the same, or programs that leave out namespaces would take one for the other."""

    @property
    def name(self) -> str:
        """Its name as elements have it."""
        return f"{{{self.namespace}}}{self.local}"

    @property
    def double(self) -> "Property":
        """Where it is kept what of it is ours."""
        return self._replace(namespace=OURS, prefix="tagger", local=self.given)


PROPERTIES = (
    Property("http://purl.org/dc/elements/1.1/", "dc", "subject", "Bag", "names"),
    Property("http://ns.adobe.com/lightroom/1.0/", "lr", "hierarchicalSubject", "Bag", "lightroomPaths"),
    Property("http://www.digikam.org/ns/1.0/", "digiKam", "TagsList", "Seq", "digiKamPaths"),
)


NONE = Keywords()


class Edit(NamedTuple):
    """Bytes ``start`` to ``end`` become something else."""

    start: int
    end: int
    new: bytes = b""


def keywords_in(data: bytes) -> Keywords:
    """Return all keywords in XMP, whosever they are.

    Raises:
        SidecarError: As :func:`merged`.
    """
    tree = _read(data)
    return Keywords(*(tuple(tree.items(property_)) for property_ in PROPERTIES))


def merged(previous: bytes | None, keywords: Keywords, inside: Keywords = NONE) -> bytes | None:
    """Return what a sidecar is with these keywords, or None if it is that already.

    Args:
        previous: The sidecar as it is, None if there is none.
        keywords: Of the photo; none at all remove those that we gave before.
        inside: Keywords that the photo itself holds, which ours would hide.

    Raises:
        SidecarError: If the sidecar is no XMP, or a property in it is not what the standard says.

    Example:
        >>> once = merged(None, Keywords(subject=("beach",)))
        >>> b"<rdf:li>beach</rdf:li>" in once, merged(once, Keywords(subject=("beach",)))
        (True, None)
    """
    data = EMPTY if previous is None else previous
    tree = _read(data)
    before = Keywords(*(tuple(tree.items(property_.double)) for property_ in PROPERTIES))
    all_ = Keywords(*(tuple(tree.items(property_)) for property_ in PROPERTIES))
    others = repeated(_without_ours(all_, before), inside, before)
    wanted = [(*theirs, *ours) if ours else () for theirs, ours in zip(others.lists, keywords.lists, strict=True)]
    changes = [_change(tree, property_, values) for property_, values in zip(PROPERTIES, wanted, strict=True)]
    if not any(change.is_one for change in changes):
        return None
    made = _edited(data, _edits(data, tree, changes))
    # Never a sidecar that nobody can read in the place of one that everybody could.
    _read(made)
    return made


@dataclass(frozen=True)
class _Tree:
    rdf: Element
    descriptions: list[Element]

    def property_(self, property_: Property) -> Element | None:
        """Return the element of a property, None if it is not there."""
        if any(property_.name in description.attributes for description in self.descriptions):
            raise SidecarError(f"{property_.prefix}:{property_.local} is no list but an attribute")
        found = [child for part in self.descriptions for child in part.children if child.name == property_.name]
        if len(found) > 1:
            raise SidecarError(f"{property_.prefix}:{property_.local} is there {len(found)} times")
        return found[0] if found else None

    def items(self, property_: Property) -> list[str]:
        """Return the texts in the list of a property."""
        list_ = _list(self.property_(property_), property_)
        return [item.text for item in list_.children] if list_ else []


def _without_ours(all_: Keywords, ours: Keywords) -> Keywords:
    pairs = zip(all_.lists, map(set, ours.lists), strict=True)
    return Keywords(*(tuple(word for word in words if word not in of_ours) for words, of_ours in pairs))


@dataclass(frozen=True)
class _Change:
    """What becomes of one property."""

    property_: Property
    element: Element | None
    list_: Element | None
    removed: list[Element]
    added: list[str]
    double: Element | None
    ours_before: list[str]
    ours: list[str]

    @property
    def renews_double(self) -> bool:
        return set(self.ours) != set(self.ours_before)

    @property
    def is_one(self) -> bool:
        return bool(self.removed or self.added or self.renews_double)

    def empties(self, data: bytes) -> bool:
        """Return whether nothing is left of the property."""
        return bool(self.list_ and self.removed and not self.added and _is_only(data, self.list_, self.removed))


def _read(data: bytes) -> _Tree:
    try:
        root = read_elements(data)
    except SpanError as error:
        raise SidecarError(str(error)) from error
    found = [element for element in (root, *root.children) if element.name == f"{{{RDF}}}RDF"]
    if len(found) != 1:
        raise SidecarError("no XMP: it has no rdf:RDF")
    return _Tree(found[0], [part for part in found[0].children if part.name == f"{{{RDF}}}Description"])


def _change(tree: _Tree, property_: Property, wanted: Iterable[str]) -> _Change:
    element, double = tree.property_(property_), tree.property_(property_.double)
    list_ = _list(element, property_)
    items = list_.children if list_ else []
    there = {item.text for item in items}
    before = [item.text for item in double_.children] if (double_ := _list(double, property_.double)) else []
    wanted = tuple(dict.fromkeys(wanted))
    added = [value for value in wanted if value not in there and value not in before]
    return _Change(
        property_,
        element,
        list_,
        # An item with elements in it is none of ours, whatever its text.
        removed=[i for i in items if i.text in before and i.text not in wanted and i.name == _ITEM and not i.children],
        added=added,
        double=double,
        ours_before=before,
        ours=[value for value in wanted if value in before or value in added],
    )


def _list(element: Element | None, property_: Property) -> Element | None:
    """Return the list in a property, None if it is empty or not there."""
    if element is None or (not element.children and not element.text.strip()):
        return None
    if len(element.children) != 1 or element.children[0].name not in _LISTS:
        raise SidecarError(f"{property_.prefix}:{property_.local} is no list")
    return element.children[0]


def _edits(data: bytes, tree: _Tree, changes: list[_Change]) -> Iterator[Edit]:
    gone, new = [], []
    for change in changes:
        if change.list_ is None and change.added:
            # An empty property gives way to a full one.
            gone += [change.element] if change.element else []
            new.append((change.property_, change.added))
        elif change.element and change.empties(data):
            gone.append(change.element)
        elif change.list_:
            yield from (_without(data, item) for item in change.removed)
            if change.added:
                yield _with_items(data, change.list_, change.added)
    for change in changes:
        if change.renews_double:
            gone += [change.double] if change.double else []
            new += [(change.property_.double, change.ours)] if change.ours else []
    yield from _without_elements(data, tree, gone)
    if new:
        yield _with_description(data, tree, new)


def _is_only(data: bytes, element: Element, parts: list[Element]) -> bool:
    """Return whether there is nothing in an element besides these of its children, not even a comment."""
    inside = _edited(data[: element.end_tag], [Edit(part.start, part.end) for part in parts])[element.inside :]
    return not inside.strip()


def _without(data: bytes, element: Element) -> Edit:
    """Cut an element out, and the white space before it."""
    return Edit(len(data[: element.start].rstrip()), element.end)


def _without_elements(data: bytes, tree: _Tree, gone: list[Element]) -> Iterator[Edit]:
    """Cut properties out, and the descriptions in which nothing else is."""
    for description in tree.descriptions:
        lost = [child for child in description.children if any(child is element for element in gone)]
        if lost and not set(description.attributes) - set(_ABOUT) and _is_only(data, description, lost):
            yield _without(data, description)
        else:
            yield from (_without(data, child) for child in lost)


def _with_items(data: bytes, list_: Element, values: list[str]) -> Edit:
    """Append items to a list as others wrote it."""
    if list_.is_one_tag:
        name = data[list_.start + 1 : list_.inside].split(b"/")[0].split()[0]
        opened = data[list_.start : list_.inside].rstrip(b">").rstrip(b"/") + b">"
        return Edit(list_.start, list_.end, opened + _items(list_.prefix, values, b"") + b"</" + name + b">")
    first = list_.children[0].start if list_.children else list_.end_tag
    space = re.search(rb"\s*\Z", data[list_.inside : first])
    at = list_.children[-1].end if list_.children else list_.inside
    return Edit(at, at, _items(list_.prefix, values, space[0] if space else b""))


def _items(prefix: str, values: list[str], space: bytes) -> bytes:
    return b"".join(space + f"<{prefix}li>{escape(value)}</{prefix}li>".encode() for value in values)


def _with_description(data: bytes, tree: _Tree, new: list[tuple[Property, list[str]]]) -> Edit:
    """Add a description of properties at the end; it declares its namespaces, whatever those before called them."""
    about = next((d.attributes[name] for d in tree.descriptions for name in _ABOUT if name in d.attributes), "")
    spaces = dict.fromkeys(
        f'\n    xmlns:{p.prefix}="{p.namespace}"' for p, _ in sorted(new, key=lambda pair: pair[0].prefix)
    )
    lines = [f'\n  <rdf:Description xmlns:rdf="{RDF}" rdf:about={quoteattr(about)}{"".join(spaces)}>']
    for property_, values in new:
        name = f"{property_.prefix}:{property_.local}"
        items = "".join(f"\n     <rdf:li>{escape(value)}</rdf:li>" for value in values)
        lines.append(f"\n   <{name}>\n    <rdf:{property_.kind}>{items}\n    </rdf:{property_.kind}>\n   </{name}>")
    added = "".join([*lines, "\n  </rdf:Description>"]).encode()
    rdf = tree.rdf
    if rdf.is_one_tag:
        opened = data[rdf.start : rdf.inside].rstrip(b">").rstrip(b"/") + b">"
        return Edit(rdf.start, rdf.end, opened + added + f"\n</{rdf.prefix}RDF>".encode())
    at = max(rdf.inside, len(data[: rdf.end_tag].rstrip()))
    return Edit(at, at, added)


def _edited(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Apply edits that do not overlap; at the same place, in their order."""
    parts, at = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        parts += [data[at : edit.start], edit.new]
        at = edit.end
    return b"".join([*parts, data[at:]])
