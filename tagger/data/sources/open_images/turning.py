"""The published rotation of a photo, written into its file as EXIF: a photo is seen everywhere as its own bytes say.

Many files have lost the EXIF that they were uploaded with. A segment in front of the rest gives it back; no pixel is
decoded, and a file that says how it lies is left as it is.
"""

from pathlib import Path

from PIL import ExifTags, Image

from tagger.atomic import written_whole
from tagger.data.photo import BadPhoto, open_photo

_ORIENTATIONS = {90: 8, 180: 3, 270: 6}
"""EXIF orientation of a file that so many degrees counter-clockwise turn upright."""

_START = b"\xff\xd8"


def says_how_it_lies(photo: Path) -> bool:
    """Return whether a photo has an EXIF orientation of its own; one that cannot be read has none."""
    try:
        with open_photo(photo) as opened:
            return ExifTags.Base.Orientation in opened.getexif()
    except BadPhoto:
        return False


def write_rotation(file: Path, degrees: int) -> bool:
    """Let a JPEG without EXIF say how it lies; return whether that is so now.

    Args:
        file: The photo; it is replaced as a whole or not at all.
        degrees: 90, 180 or 270, counter-clockwise, that turn it upright.
    """
    try:
        with open_photo(file) as opened:
            exif = opened.getexif()
    except BadPhoto:
        return False
    if ExifTags.Base.Orientation in exif:
        return True
    jpeg = file.read_bytes()
    if exif or not jpeg.startswith(_START):
        return False
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = _ORIENTATIONS[degrees]
    payload = exif.tobytes()
    segment = b"\xff\xe1" + (len(payload) + 2).to_bytes(2, "big") + payload
    with written_whole(file) as written:
        written.write(_START + segment + jpeg.removeprefix(_START))
    return True
