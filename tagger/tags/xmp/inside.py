"""The keywords that a photo holds itself: a sidecar's list of the same name hides them from most programs."""

import threading
from pathlib import Path
from typing import Any

from PIL import IptcImagePlugin

from tagger.data.photo import BadPhoto, open_photo
from tagger.tags.xmp.keywords import Keywords
from tagger.tags.xmp.merging import SidecarError, keywords_in

# Opening a photo switches Pillow's limit for the process, and sidecars are written by several threads.
_ONE_AT_A_TIME = threading.Lock()

_IPTC_KEYWORDS = (2, 25)


def keywords_inside(photo: str | Path) -> Keywords:
    """Return the keywords in a photo's own XMP and IPTC; none where nothing can be read."""
    try:
        with _ONE_AT_A_TIME, open_photo(photo) as opened:
            xmp, iptc = opened.info.get("xmp"), _iptc(opened)
    except BadPhoto:
        return Keywords()
    try:
        data = xmp if isinstance(xmp, bytes) else str(xmp or "").encode()
        held = keywords_in(data.strip(b"\0 \r\n")) if data else Keywords()
    except SidecarError:
        held = Keywords()
    return Keywords(held.subject or iptc, held.hierarchical_subject, held.tags_list)


def _iptc(photo: Any) -> tuple[str, ...]:
    try:
        held: Any = (IptcImagePlugin.getiptcinfo(photo) or {}).get(_IPTC_KEYWORDS, ())
    # Damaged, as any metadata may be.
    except Exception:
        return ()
    return tuple(_text(word) for word in (held if isinstance(held, list) else [held] if held else []))


def _text(word: bytes) -> str:
    try:
        return word.decode()
    except UnicodeDecodeError:
        return word.decode("latin-1")
