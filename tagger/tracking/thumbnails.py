"""Small pictures inside a page that needs no other file.

Each photo is in the page once, as a style rule ``.p17{background-image:url(data:…)}``; whatever shows photo 17 has the
class ``p17``. A photo that is wrong for fifty labels thus costs its 4 kB once, and the page needs no script for it.
"""

import base64
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagger.data.photo import BadPhoto, decode, open_photo
from tagger.tracking.mistakes import Mistakes

SIDE = 112
"""Longest side of a thumbnail in pixels."""


def thumbnail(path: str | Path) -> bytes | None:
    """Return the photo as a JPEG of at most 112 px, upright, or None if it cannot be read."""
    try:
        with open_photo(path) as photo:
            # Twice the size: the last step then resizes smoothly.
            small = decode(photo, at_least=(min(2 * SIDE, photo.width), min(2 * SIDE, photo.height)))
    except BadPhoto:
        return None
    small.thumbnail((SIDE, SIDE))
    jpeg = io.BytesIO()
    small.save(jpeg, "JPEG", quality=70)
    return jpeg.getvalue()


def chosen_rows(mistakes: Mistakes, *, limit: int) -> NDArray[np.int64]:
    """Return at most ``limit`` photos to embed: the worst mistake of every label, then the second, and so on.

    Example:
        >>> worst = Mistakes(np.array([[5, 6], [5, 7]]), np.array([[-1, -1], [8, -1]]), np.array([[9, -1], [-1, -1]]))
        >>> chosen_rows(worst, limit=4)
        array([5, 8, 9, 6])
    """
    by_rank = (
        np.stack([mistakes.false_positives, mistakes.unlisted, mistakes.false_negatives]).transpose(2, 0, 1).ravel()
    )
    rows, first_seen = np.unique(by_rank[by_rank >= 0], return_index=True)
    return rows[np.argsort(first_seen)][:limit]


def load_thumbnails(photos: Mapping[int, str | Path]) -> dict[int, bytes]:
    """Return the thumbnail of every photo that can be read, by row."""
    return {row: jpeg for row, path in photos.items() if (jpeg := thumbnail(path))}


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
