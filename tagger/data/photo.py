"""From a photo's bytes to an upright RGB picture, or one error that says what is wrong with it.

Everything that Pillow may do with a photo happens in here, behind two doors: :func:`open_photo` reads the header and
checks it, :func:`decode` reads the pixels. Between them the photo is still small, so that its size can decide how
much of it is decoded: libjpeg makes a picture of 1/2, 1/4 or 1/8 the size straight from the DCT coefficients, without
ever having the large one.

The limit on pixels is Pillow's own (``Image.MAX_IMAGE_PIXELS``), set while one photo is read and put back after:
that way it also holds for what a photo contains (the pictures in an icon), and nothing changes for other users of
Pillow in the process. The switch is per process, so photos are read in processes, not in threads.
"""

import io
import math
import os
import re
import stat
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import PIL
from PIL import ExifTags, Image, UnidentifiedImageError, features

from tagger.data.end_marker import with_end_marker
from tagger.data.storage import Remote, fetched, is_url

MAX_PIXELS = 256_000_000
"""Photos that declare more are refused: phones make 200 megapixels, and 256 of them are 0.8 GB of RGB."""

PHOTO_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".jp2"),
        *(".heic", ".heif", ".avif"),
    }
)
"""How the name of a photo ends, in lower case; what is inside is found out when it is opened."""

PhotoFile = str | Path | BinaryIO
"""Where a photo is (a path or a URL), or an open file of its bytes."""

# What turns a picture upright that the camera stored with this EXIF orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# ISO/IEC 23008-12: still pictures and sequences coded by HEVC, and the two neutral brands.
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")


class BadPhoto(ValueError):  # noqa: N818 (it is the photo that is bad)
    """A photo that cannot be used; the message names it and the reason."""


PIXELS = 2
"""Version of what is made here of a photo's bytes; 2: deep greys by their own white, TIFFs of which 0 is white."""


def decoder() -> str:
    """Return what decides a photo's pixels beside its bytes: the versions of Pillow, of its libjpeg and of this file.

    Two releases of libjpeg-turbo give some JPEGs other pixels, and with them scores that differ by some hundredths.
    What is computed from pixels and kept is kept for one decoder.

    Example:
        >>> decoder().split()[0]
        'Pillow'
    """
    libjpeg = features.version("libjpeg_turbo") or features.version("jpg")
    return f"Pillow {PIL.__version__}, libjpeg {libjpeg}, pixels {PIXELS}"


def open_photo(file: PhotoFile, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Open a photo and check what its header declares; the pixels are not read yet.

    Args:
        file: A path, a URL that fsspec knows, or a binary file that can seek.
        max_pixels: The most that width times height may be.

    Returns:
        The photo as it is stored; close it, or use it in a ``with`` block.

    Raises:
        BadPhoto: If it is missing, empty, not a file, not an image, or of no or too many pixels.

    Example:
        >>> import io
        >>> open_photo(io.BytesIO(b"hello"))
        Traceback (most recent call last):
        ...
        tagger.data.photo.BadPhoto: photo: not an image
    """
    if isinstance(file, str) and is_url(file):
        file = _fetched(file)
    elif isinstance(file, str | Path):
        _check_file(file)
    with _guarded(file, max_pixels=max_pixels):
        photo = _open(file)
        try:
            _check_header(photo)
        except BaseException:
            photo.close()
            raise
        return photo


def read_photo(place: str) -> Remote:
    """Return the bytes of a photo's file, to be hashed and opened: what is made of them belongs to that hash.

    A file that is opened twice, once for its hash and once for its pixels, may have been written anew in between.

    Args:
        place: A path or a URL that fsspec knows.

    Raises:
        BadPhoto: If it is missing, empty, not a file, or cannot be read.
    """
    if is_url(place):
        return _fetched(place)
    _check_file(place)
    with _guarded(place, max_pixels=MAX_PIXELS):
        held = Remote(Path(place).read_bytes())
    held.name = place
    return held


def decode(photo: Image.Image, *, at_least: tuple[int, int] | None = None) -> Image.Image:
    """Return the pixels of a photo as RGB, upright, the first frame if there are several.

    Grey, 1-bit, palette, CMYK, Lab and deep pictures become RGB of 8 bits; what is transparent becomes white. Of deep
    greys white is what :func:`_white` says. A JPEG that lacks only its last two bytes, the end marker, is read: all its
    pixels are there.

    Args:
        photo: What :func:`open_photo` gave; it is used up and may be smaller afterwards.
        at_least: (width, height) of the upright picture below which neither side may fall: a JPEG is then decoded at
            the smallest of the scales 1, 1/2, 1/4, 1/8 that keeps them. None decodes it whole.

    Raises:
        BadPhoto: If the pixels are truncated or damaged.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> Image.new("L", (640, 480), 100).save(file, "JPEG")
        >>> small = decode(open_photo(file), at_least=(100, 100))
        >>> small.size, small.mode, small.getpixel((0, 0))
        ((160, 120), 'RGB', (100, 100, 100))
    """
    with _guarded(photo, max_pixels=_declared(photo)):
        turn = exif_orientation(photo)
        if at_least is not None:
            photo.draft(None, at_least[::-1] if turn >= 5 else at_least)  # type: ignore[arg-type]
        picture = _to_rgb(_loaded(photo))
        return picture.transpose(_TURNS[turn]) if turn in _TURNS else picture


def upright_size(photo: Image.Image) -> tuple[int, int]:
    """Return (width, height) of the upright picture; to be asked before :func:`decode`.

    Raises:
        BadPhoto: If it takes the pixels to know, as for a PNG, and they are truncated or damaged.

    Example:
        >>> import io
        >>> file, exif = io.BytesIO(), Image.Exif()
        >>> exif[ExifTags.Base.Orientation] = 6
        >>> Image.new("L", (640, 480)).save(file, "JPEG", exif=exif)
        >>> upright_size(open_photo(file))
        (480, 640)
    """
    with _guarded(photo, max_pixels=_declared(photo)):
        turned = exif_orientation(photo) >= 5
        return (photo.height, photo.width) if turned else (photo.width, photo.height)


def exif_orientation(photo: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; from 5 on the sides are swapped. 1 is upright."""
    if photo.format in ("PNG", "TIFF"):
        # A PNG may tell it after the pixels; Pillow turns a TIFF by itself and then forgets the orientation.
        _loaded(photo)
    try:
        orientation = photo.getexif().get(ExifTags.Base.Orientation, 1)
    # Damaged EXIF is no reason to refuse a picture.
    except Exception:
        return 1
    return orientation if orientation in _TURNS else 1


def _declared(photo: Image.Image) -> int:
    """Return the pixels that the header declared: nothing inside the photo may have more."""
    return photo.width * photo.height


def _fetched(url: str) -> Remote:
    try:
        return fetched(url)
    except FileNotFoundError as error:
        raise BadPhoto(f"{url}: missing") from error
    # Every store raises what its client library raises.
    except Exception as error:
        raise BadPhoto(f"{url}: cannot be fetched ({type(error).__name__}: {error})") from error


def _check_file(path: str | Path) -> None:
    try:
        status = Path(path).stat()
    except FileNotFoundError as error:
        raise BadPhoto(f"{path}: missing{_nearly(Path(path))}") from error
    except (OSError, ValueError) as error:
        raise BadPhoto(f"{path}: cannot be opened ({_in_words(error)})") from error
    if not stat.S_ISREG(status.st_mode):
        # Opening a pipe would wait for ever.
        raise BadPhoto(f"{path}: {'a folder' if stat.S_ISDIR(status.st_mode) else 'not a file'}")
    if status.st_size == 0:
        raise BadPhoto(f"{path}: empty file")


def _nearly(path: Path) -> str:
    """Return which file beside a missing one has its name but for case or the normal form of Unicode, or nothing."""
    try:
        names = _alike(path.parent, path.parent.stat().st_mtime_ns).get(_letters(path.name), [])
    except OSError:
        return ""
    # Its own name is there if it is a link to nothing.
    alike = [name for name in names if name != path.name]
    wanted = unicodedata.normalize("NFC", path.name)
    for name in alike:
        if unicodedata.normalize("NFC", name) == wanted:
            return f"; a file whose name has the same letters in another normal form of Unicode is there: {name!a}"
    return f"; {alike[0]} is there" if alike else ""


@lru_cache(maxsize=8)
def _alike(folder: Path, changed: int) -> dict[str, list[str]]:
    """Return the names in a folder by their letters; kept until it changes, since thousands may be missing in one."""
    alike: dict[str, list[str]] = {}
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 (a Path per file takes seconds)
        alike.setdefault(_letters(name), []).append(name)
    return alike


def _letters(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _open(file: PhotoFile) -> Image.Image:
    try:
        return Image.open(file)
    except UnidentifiedImageError:
        if _is_whole_tiff(file):
            raise _Reason(_UNREADABLE_TIFF) from None
        if not _is_heic(file):
            raise
        if not _reads_heic():
            raise _Reason("a HEIC photo, which needs: pip install tagger[heic]") from None
        return Image.open(file)


def _is_whole_tiff(file: PhotoFile) -> bool:
    """Return whether the bytes are a TIFF whose directory is there, so that it is not cut."""
    if isinstance(file, str | Path):
        with Path(file).open("rb") as opened:
            return _is_whole_tiff(opened)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(8)
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(head[:4])
    return order is not None and 8 <= int.from_bytes(head[4:], order) < size - 2  # type: ignore[arg-type]


def _is_heic(file: PhotoFile) -> bool:
    """Return whether the bytes say HEIC; the name does not count, since phones export HEIC as .jpg too."""
    if isinstance(file, str | Path):
        with Path(file).open("rb") as opened:
            return _is_heic(opened)
    file.seek(0)
    head = file.read(12)
    return head[4:8] == b"ftyp" and head[8:] in _HEIC_BRANDS


@cache
def _reads_heic() -> bool:
    """Teach Pillow to read HEIC if the extra is installed; importing it takes time, so not before one is met."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def _check_header(photo: Image.Image) -> None:
    if photo.format == "EPS":
        # A program in PostScript: decoding would start Ghostscript and run it.
        raise _Reason("not an image but a PostScript program")
    if min(photo.size) < 1:
        raise _Reason(f"zero-sized ({photo.width}×{photo.height} pixels)")


def _loaded(photo: Image.Image) -> Image.Image:
    """Return the photo with its pixels, or another one with them."""
    scaled = photo.size
    try:
        photo.load()
    except OSError as error:
        if "truncated" not in str(error):
            raise
        _refuse_tiff(photo)
        if not (whole := with_end_marker(_bytes_of(photo)) if photo.format in ("JPEG", "MPO") else b""):
            raise
        photo = Image.open(io.BytesIO(whole))
        photo.draft(None, scaled)  # type: ignore[arg-type]
        photo.load()
    return photo


def _bytes_of(photo: Image.Image) -> bytes:
    file: Any = getattr(photo, "fp", None)
    if file is None:
        return b""
    file.seek(0)
    return bytes(file.read())


def _refuse_tiff(photo: Image.Image) -> None:
    """Tell a TIFF that Pillow cannot read from one that is cut: all of its strips are there."""
    tags: Any = getattr(photo, "tag_v2", {})
    strips = zip(tags.get(_OFFSETS, ()), tags.get(_BYTE_COUNTS, ()), strict=False)
    if max((start + count for start, count in strips), default=math.inf) <= len(_bytes_of(photo)):
        raise _Reason(_UNREADABLE_TIFF)


def _to_rgb(photo: Image.Image) -> Image.Image:
    if photo.mode.startswith("I") or photo.mode == "F":
        return _deep_to_grey(photo).convert("RGB")
    if not photo.has_transparency_data:
        return photo.convert("RGB")
    layer = photo.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


_PHOTOMETRIC, _BITS, _SAMPLE_FORMAT, _OFFSETS, _BYTE_COUNTS = 262, 258, 339, 273, 279
_UNREADABLE_TIFF = "a kind of TIFF that cannot be read; save it as RGB of 8 or 16 bits"


def _deep_to_grey(photo: Image.Image) -> Image.Image:
    """Return 8 bits of grey for more: from 0 to white, and the other way round in a TIFF that says so."""
    tags: Any = getattr(photo, "tag_v2", {})
    bits, kind = tags.get(_BITS, (16,))[0], tags.get(_SAMPLE_FORMAT, (1,))[0]
    stored = np.asarray(photo)
    if stored.dtype == np.int32 and bits == 32 and kind == 1:
        # Pillow has no unsigned ones.
        stored = stored.view(np.uint32)
    values = np.nan_to_num(stored.astype(np.float32), posinf=0, neginf=0)
    top = float(values.max())
    if photo.mode == "F" or bits == 32:
        white = next((white for white, most in _WHITES if top <= most), top)
    else:
        white = _white(bits - (kind == 2), top, guess=photo.format in ("PNG", "TIFF"))
    grey = (values * (255 / white)).round().clip(0, 255).astype(np.uint8)
    return Image.fromarray(255 - grey if tags.get(_PHOTOMETRIC) == 0 else grey)


_WHITES = ((1, 10), (255, 510), (4095, 8190), (65535, 131070))


def _white(bits: int, top: float, *, guess: bool) -> int:
    """Return which value of a grey photo is white.

    Integers: the largest of the file's own bits, less the sign. A file of 16 bits in which nothing is above 4,095 holds
    12, as cameras, scanners and microscopes leave them: otherwise it would be black. Floats and integers of 32 bits
    have no depth that tells: of 1, 255, 4,095 and 65,535 it is the one that the brightest value belongs to, which may
    be twice as bright (resampling overshoots) or, of 1, ten times (highlights); above all of these the brightest value.

    Example:
        >>> _white(16, 60000, guess=True), _white(16, 4000, guess=True), _white(12, 900, guess=True)
        (65535, 4095, 4095)
    """
    return 4095 if guess and bits > 12 and top <= 4095 else 2**bits - 1


class _Reason(Exception):  # noqa: N818
    """A reason that is already in words."""


@contextmanager
def _guarded(file: PhotoFile | Image.Image, *, max_pixels: int) -> Iterator[None]:
    """Turn whatever Pillow raises about this photo into a BadPhoto, keep its warnings to itself, and limit pixels."""
    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        # Mostly about EXIF that is damaged in photos that are not. Whoever made warnings errors means their own code.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        Image.MAX_IMAGE_PIXELS = max_pixels
        try:
            yield
        # Readers of damaged files raise nearly anything: OSError, SyntaxError, struct.error, IndexError, MemoryError, …
        except Exception as error:
            raise BadPhoto(f"{_name(file)}: {_in_words(error)}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _in_words(error: Exception) -> str:
    """Return why a photo is bad.

    Example:
        >>> _in_words(OSError("image file is truncated (7 bytes not processed)"))
        'truncated'
        >>> _in_words(KeyError(7))
        'damaged (KeyError: 7)'
    """
    if isinstance(error, _Reason):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        digits = re.search(r"\d+", str(error))
        pixels = f"{int(digits[0]):,}" if digits else "too many"
        return f"{pixels} pixels, more than max_pixels={Image.MAX_IMAGE_PIXELS:,}"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    if "truncated" in str(error) or isinstance(error, EOFError):
        return "truncated"
    return f"damaged ({type(error).__name__}: {error})"


def _name(file: PhotoFile | Image.Image) -> str:
    """Return the path of a file or a photo, or "photo" where the bytes come from memory."""
    if isinstance(file, str | Path):
        return str(file)
    # Of bytes in memory Pillow keeps no name, but the file that has one.
    named = (getattr(file, "filename", ""), getattr(file, "name", ""), getattr(getattr(file, "fp", None), "name", ""))
    return str(next((name for name in named if name), "photo"))
