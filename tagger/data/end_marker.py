"""JPEGs that lack the end marker, as some cameras, scrapers and recovery tools leave them: whole but for two bytes.

libjpeg waits for more of them, and given an end marker it draws any cut photo, grey where nothing is left. Whether
something is missing shows by what is put between: bytes after the last pixel change nothing, and bytes in place of
pixels do.
"""

import io

from PIL import Image

END = b"\xff\xd9"

_FILLINGS = (b"", b"\x5a" * 64, b"\xa5" * 64)

_LAST = 32
"""Bytes at the end of which some must matter: what a copy left as zeros is longer."""


def with_end_marker(jpeg: bytes) -> bytes:
    """Return a JPEG with its end marker if that is all it lacks, else nothing.

    Example:
        >>> file = io.BytesIO()
        >>> Image.radial_gradient("L").save(file, "JPEG")
        >>> whole = file.getvalue()
        >>> with_end_marker(whole[:-2]) == whole, with_end_marker(whole[:-9]), with_end_marker(whole[:-2] + bytes(99))
        (True, b'', b'')
    """
    data = jpeg.removesuffix(END[:1])
    is_complete = len(_pictures(data)) == 1 and len(_pictures(data[:-_LAST])) > 1
    return data + END if is_complete else b""


def _pictures(data: bytes) -> set[bytes]:
    """Return what becomes of the data with each filling; nothing where there is no picture."""
    found = set()
    for filling in _FILLINGS:
        try:
            with Image.open(io.BytesIO(data + filling + END)) as photo:
                found.add(photo.tobytes())
        # As in reading any damaged photo, nearly anything may be raised.
        except Exception:
            found.add(b"")
    return found
