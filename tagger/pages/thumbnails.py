"""Small pictures inside a page that needs no other file.

Each photo is in the page once, as a style rule ``.p17{background-image:url(data:…)}``; whatever shows photo 17 has the
class ``p17``. A photo that is wrong for fifty labels thus costs its 4 kB once, and the page needs no script for it.
"""

import base64
import io
from collections.abc import Mapping
from pathlib import Path

from tagger.data.photo import BadPhoto, PhotoFile, decode, open_photo

SIDE = 112
"""Longest side of a thumbnail in pixels, unless set otherwise."""


def thumbnail(photo: PhotoFile, *, side: int = SIDE, quality: int = 70) -> bytes | None:
    """Return the photo as a JPEG of at most ``side`` pixels, upright, or None if it cannot be read."""
    try:
        with open_photo(photo) as opened:
            # Twice the size: the last step then resizes smoothly.
            small = decode(opened, at_least=(min(2 * side, opened.width), min(2 * side, opened.height)))
    except BadPhoto:
        return None
    small.thumbnail((side, side))
    jpeg = io.BytesIO()
    small.save(jpeg, "JPEG", quality=quality)
    return jpeg.getvalue()


def load_thumbnails(
    photos: Mapping[int, str | Path], *, side: int = SIDE, quality: int = 70, progress: bool = False
) -> dict[int, bytes]:
    """Return the thumbnail of every photo that can be read, by row; with a bar if asked for and it takes long."""
    # A server makes single thumbnails without a bar.
    from rich.progress import Progress

    with Progress(transient=True, disable=not progress or len(photos) < 200) as bar:
        made = {
            row: thumbnail(path, side=side, quality=quality)
            for row, path in bar.track(photos.items(), description="making thumbnails")
        }
    return {row: jpeg for row, jpeg in made.items() if jpeg}


def style_rules(thumbnails: Mapping[int, bytes]) -> str:
    """Return one style rule per photo.

    Example:
        >>> style_rules({17: b"jpeg"})
        '.p17{background-image:url(data:image/jpeg;base64,anBlZw==)}'
    """
    rules = (
        f".p{row}{{background-image:url(data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')})}}"
        for row, jpeg in thumbnails.items()
    )
    return "\n".join(rules)
