"""Writes the page while the photos come: no more of them are in memory than are being made small."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, tee
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tagger.atomic import written_whole
from tagger.errors import UserError, reason
from tagger.pages.template import page_template
from tagger.pages.visible import visible
from tagger.tags.gallery.blocks import json_block, picture_block
from tagger.tags.gallery.pictures import pictures
from tagger.tags.gallery.shown import KnownLabels, shown_photo

MARK = '<meta name="generator" content="tagger gallery">'
"""How a page of ours is known: it may be written anew, other files may not."""

MAX_LIMIT, MAX_SIDE = 20_000, 2048

MAX_NAMED = 20_000
"""Of the photos beyond the limit, and of those that cannot be read; the others are counted."""

Lines = Iterable[dict[str, Any]]


@dataclass(frozen=True)
class Gallery:
    """Where a page goes and how much is on it.

    Raises:
        UserError: If a setting is out of range, or the place is taken by something else.
    """

    path: Path
    limit: int
    """Photos that are shown; those beyond are named."""
    side: int
    """Longest side in pixels of a photo on the page."""

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_LIMIT:
            raise UserError(f"gallery_limit must lie in [1, {MAX_LIMIT:,}], got {self.limit}")
        if not 32 <= self.side <= MAX_SIDE:
            raise UserError(f"gallery_side must lie in [32, {MAX_SIDE:,}], got {self.side}")
        if self.path.suffix.lower() not in (".html", ".htm"):
            raise UserError(f"gallery={self.path} must end in .html")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and not _is_ours(self.path):
                raise UserError(f"gallery={self.path} is there and is no gallery: name another, or remove it")
        except OSError as error:
            raise UserError(f"gallery={self.path} cannot be written: {reason(error)}") from error


@dataclass
class Contents:
    """What is on a page."""

    photos: int = 0
    """Shown, each with its tags."""
    without_picture: int = 0
    """Of these, that could be read when they were tagged and cannot any more."""
    bad: int = 0
    beyond: int = 0
    """More than the limit."""
    names: dict[str, str] = field(default_factory=dict)
    """Of the labels that photos have or nearly have, as their lines call them; "" where they do not."""

    def lines(self, gallery: Gallery) -> Iterator[str]:
        """Yield what is on the page, in sentences."""
        size = gallery.path.stat().st_size / 1e6
        yield f"gallery  {gallery.path}, {self.photos:,} photos, {size:.1f} MB"
        if self.beyond:
            yield f"{self.beyond:,} more photos are only named in it: gallery_limit={gallery.limit}"
        if self.without_picture:
            yield f"{self.without_picture:,} photos have no picture in it: they cannot be read any more"


def write_gallery(
    gallery: Gallery,
    lines: Callable[[], Lines],
    labels: KnownLabels,
    *,
    facts: Mapping[str, str],
    workers: int,
    watched: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> Contents:
    """Write the page, whole or not at all.

    Args:
        gallery: Where, and how much.
        lines: Gives the lines of the tag file, from the first; it is asked twice.
        labels: What the bundle knows of labels.
        facts: Told at the top, by name.
        workers: Processes that make photos small.
        watched: Passes photos on, and shows how many.

    Raises:
        UserError: If a line is none, or the page cannot be written.
    """
    contents = Contents()
    blocks = _blocks(gallery, lines, labels, contents, workers=workers, watched=watched)
    page = page_template(Path(__file__).with_name("gallery.html")).generate(
        title=gallery.path.stem, facts=facts, blocks=blocks, mark=Markup(MARK)
    )
    try:
        with written_whole(gallery.path) as file:
            file.writelines(piece.encode() for piece in page)
    except OSError as error:
        raise UserError(f"gallery={gallery.path} cannot be written: {reason(error)}") from error
    return contents


def _blocks(
    gallery: Gallery,
    lines: Callable[[], Lines],
    labels: KnownLabels,
    contents: Contents,
    *,
    workers: int,
    watched: Callable[[Iterable[Any]], Iterable[Any]],
) -> Iterator[Markup]:
    """Yield a block per photo, its picture behind it, and at last one about the labels and what is not shown."""
    folder = gallery.path.parent.resolve()
    good = (line for line in lines() if "error" not in line)
    shown, again = tee(islice(good, gallery.limit))
    made = pictures((line["photo"] for line in again), side=gallery.side, workers=workers)
    for line, picture in watched(zip(shown, made, strict=True)):
        photo = shown_photo(line, labels.thresholds, folder=folder)
        contents.names |= {tag["label"]: tag["name"] for tag in line["tags"]}
        for label, _ in photo.get("near", ()):
            contents.names.setdefault(label, "")
        contents.photos += 1
        contents.without_picture += picture is None
        yield json_block(photo, kind="photo")
        yield picture_block(picture or b"")
    bad, beyond = _not_shown(lines(), gallery.limit, contents)
    unnamed = contents.beyond - len(beyond)
    yield json_block(labels.shown(contents.names) | {"bad": bad, "beyond": beyond, "unnamed": unnamed}, kind="rest")


def _not_shown(lines: Lines, limit: int, contents: Contents) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the photos that could not be read, with the reason, and those beyond the limit; count them all."""
    bad: list[tuple[str, str]] = []
    beyond: list[str] = []
    good = 0
    for line in lines:
        name = visible(line["photo"])
        good += "error" not in line
        if "error" in line:
            contents.bad += 1
            if len(bad) < MAX_NAMED:
                bad.append((name, visible(line["error"])))
        elif good > limit:
            contents.beyond += 1
            if len(beyond) < MAX_NAMED:
                beyond.append(name)
    return bad, beyond


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return MARK.encode() in file.read(2000)
