"""XML from outside, as elements that know where they stand in the bytes.

An XML library that reads a file and writes it again loses what it does not model: prefixes, comments, quotes, the
order of namespaces. Who knows the place of each element can cut out one and leave every other byte as it was.
"""

import re
from dataclasses import dataclass, field

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

MAX_BYTES = 16_000_000
"""Of a file. Those with painted masks have some megabytes, the others some thousand bytes."""

MAX_ELEMENTS = 100_000

# Quotes may hide a ">".
_START_TAG = re.compile(rb"""<(?P<name>[^\s/>]+)(?:[^"'>]|"[^"]*"|'[^']*')*>""")


class SpanError(ValueError):
    """The bytes are no XML that can be trusted; the message says why."""


@dataclass(slots=True)
class Element:
    """An element and its place: of ``<a>…</a>`` where it starts, what is inside, its end tag, and what comes after."""

    name: str
    """With its namespace, as ``{uri}local``."""
    attributes: dict[str, str]
    """By name with namespace; declarations of namespaces are none."""
    start: int
    inside: int
    prefix: str
    """What stands before its name in the bytes, colon included."""
    end_tag: int = 0
    end: int = 0
    text: str = ""
    """Its own, without that of children."""
    children: "list[Element]" = field(default_factory=list)

    @property
    def is_one_tag(self) -> bool:
        """Whether it is written ``<a/>``."""
        return self.end == self.inside


def read_elements(data: bytes) -> Element:
    """Return the root.

    Raises:
        SpanError: If this is no well-formed XML in UTF-8, too large, or declares a document type or entities.

    Example:
        >>> root = read_elements(b'<a b=">"><!-- c --><d>e</d></a>')
        >>> d = root.children[0]
        >>> d.name, d.text, (d.start, d.inside, d.end_tag, d.end)
        ('d', 'e', (19, 22, 23, 27))
    """
    if len(data) > MAX_BYTES:
        raise SpanError(f"{len(data):,} bytes are more than {MAX_BYTES:,}")
    try:
        data.decode()
        reader = _Reader(data)
        # Explicitly, so that the places are those in our bytes and not in what another encoding would make of them.
        reader.parser = DefusedXMLParser(target=reader, encoding="utf-8", forbid_dtd=True)
        reader.parser.feed(data)
        reader.parser.close()
    except UnicodeDecodeError as error:
        raise SpanError("not UTF-8") from error
    except ParseError as error:
        raise SpanError(f"no XML: {error}") from error
    except DefusedXmlException as error:
        raise SpanError("declares a document type or entities") from error
    return reader.root


class _Reader:
    """What the parser tells as it goes: makes the elements."""

    parser: DefusedXMLParser
    root: Element

    def __init__(self, data: bytes) -> None:
        self.bytes = data
        self.open: list[Element] = []
        self.count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        at = self._here()
        tag = _START_TAG.match(self.bytes, at)
        assert tag, "the parser found a tag here"
        prefix, colon, _ = tag["name"].decode().rpartition(":")
        element = Element(name, dict(attributes), at, tag.end(), prefix + colon)
        self.count += 1
        if self.count > MAX_ELEMENTS:
            raise SpanError(f"more than {MAX_ELEMENTS:,} elements")
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)

    def end(self, _: str) -> None:
        element, at = self.open.pop(), self._here()
        if self.bytes[element.inside - 2] == ord("/"):
            element.end_tag = element.end = element.inside
        else:
            element.end_tag, element.end = at, self.bytes.index(b">", at) + 1

    def data(self, text: str) -> None:
        self.open[-1].text += text

    def close(self) -> None:
        pass

    def _here(self) -> int:
        return int(self.parser.parser.CurrentByteIndex)
