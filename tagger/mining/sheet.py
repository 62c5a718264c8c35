"""Contact sheets: photos in rows, under headings, on one page that loads nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from tagger.atomic import write_text
from tagger.pages.template import page_template
from tagger.pages.thumbnails import load_thumbnails, style_rules

SIDE = 224
"""Longest side of a photo on the page, pixels: twice what a small screen shows."""

LIMIT = 500
"""Photos on a page; about 10 kB each."""

MANY = 8
"""Sections from which on the page begins with a list of them."""


@dataclass(frozen=True)
class Shot:
    """One photo."""

    place: str
    """Path or URL."""
    caption: str = ""
    """The text beside it."""


@dataclass(frozen=True)
class Section:
    """Photos under one heading."""

    heading: str
    shots: Sequence[Shot]
    note: str = ""
    """What the heading leaves open."""
    count: int | None = None
    """How many photos there are, where not all of them are among the shots."""
    command: str = ""
    """What to type next."""

    @property
    def photos(self) -> int:
        """How many photos there are."""
        return len(self.shots) if self.count is None else self.count


def write_sheet(path: Path, title: str, sections: Sequence[Section], *, facts: Mapping[str, str]) -> None:
    """Write the page; a section without photos is left out, and photos beyond `LIMIT` are counted, not shown.

    Args:
        path: Of the HTML file.
        title: Headline.
        sections: In the order in which they are shown.
        facts: Shown at the top, by name.
    """
    places = dict.fromkeys(shot.place for section in sections for shot in section.shots)
    numbers = {place: number for number, place in enumerate(list(places)[:LIMIT])}
    thumbnails = load_thumbnails({number: place for place, number in numbers.items()}, side=SIDE)
    page = page_template(Path(__file__).with_name("sheet.html")).render(
        title=title,
        facts=facts,
        sections=[section for section in sections if section.shots],
        many=MANY,
        numbers=numbers,
        thumbnails=thumbnails,
        # Made by our own code from bytes.
        thumbnail_style=Markup(style_rules(thumbnails)),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page)
