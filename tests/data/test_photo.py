import io
import os
import pickle
import random
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image, ImageCms

from tagger.data.photo import BadPhoto, decode, open_photo, upright_size

WHITE, RED, GREY = (255, 255, 255), (200, 30, 40), (100, 100, 100)


def saved(image: Image.Image, kind: str = "PNG", **settings) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    file.seek(0)
    return file


def read(file) -> Image.Image:
    with open_photo(file) as photo:
        return decode(photo)


def middle(picture: Image.Image) -> tuple[int, ...]:
    return picture.getpixel((picture.width // 2, picture.height // 2))


def landscape(width: int = 320, height: int = 192) -> Image.Image:
    """A smooth picture without symmetry: red grows to the right, green downwards."""
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    blue = np.full_like(down, 0.3)
    return Image.fromarray((np.stack([across, down, blue], axis=-1) * 255).astype(np.uint8))


def turned(upright: Image.Image, orientation: int) -> Image.Image:
    """What the sensor stored, if this EXIF orientation is to give the upright picture."""
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    return upright if undo is None else upright.transpose(undo)


def oriented(orientation: int, kind: str = "JPEG", upright: Image.Image | None = None, **settings) -> io.BytesIO:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(turned(upright or landscape(), orientation), kind, exif=exif, **settings)


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that declares any size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0")
    chunks = [
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in (header, data)
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def distance(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


def tiff(values: np.ndarray, *, bits: int, kind: int = 1, photometric: int = 1, width: int | None = None) -> io.BytesIO:
    """An uncompressed grey TIFF; ``kind`` is its sample format: 1 unsigned, 2 signed, 3 float."""
    content = values.tobytes()
    tags = [(256, width or values.shape[1]), (257, len(values)), (258, bits), (259, 1), (262, photometric), (273, 8)]
    tags += [(277, 1), (278, len(values)), (279, len(content)), (339, kind)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return io.BytesIO(b"II*\0" + struct.pack("<I", 8 + len(content)) + content + directory)


def packed_12_bits(values: np.ndarray) -> np.ndarray:
    """Two values in three bytes."""
    even, odd = values[:, ::2], values[:, 1::2]
    packed = np.stack([even >> 4, ((even & 15) << 4) | (odd >> 8), odd & 255], axis=-1)
    return packed.reshape(len(values), -1).astype(np.uint8)


# Modes


def palette(transparent: bool) -> io.BytesIO:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, *RED])
    return saved(image, transparency=1) if transparent else saved(image)


INK = (55, 225, 215, 0)
"""RED in cyan, magenta, yellow and black."""


def cmyk_of_adobe() -> bytes:
    """A JPEG of inverted CMYK: Pillow writes what Photoshop does, with Adobe's marker."""
    return saved(Image.new("CMYK", (16, 16), INK), "JPEG", quality=100, subsampling=0).getvalue()


def cmyk_without_marker() -> io.BytesIO:
    data = cmyk_of_adobe()
    marker = data.index(b"\xff\xee")
    return io.BytesIO(data[:marker] + data[marker + 16 :])


def ycck() -> io.BytesIO:
    """Photoshop's usual CMYK: the inks as luma and chroma, said by the last byte of Adobe's marker."""
    luma = Image.new("RGB", (16, 16), INK[:3]).convert("YCbCr")
    channels = [Image.eval(channel, lambda value: 255 - value) for channel in luma.split()]
    stored = Image.merge("CMYK", [*channels, Image.new("L", (16, 16), INK[3])])
    data = bytearray(saved(stored, "JPEG", quality=100, subsampling=0).getvalue())
    data[data.index(b"\xff\xee") + 15] = 2
    return io.BytesIO(bytes(data))


def lab() -> io.BytesIO:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    return saved(ImageCms.applyTransform(Image.new("RGB", (8, 8), RED), to_lab), "TIFF")


def grey_16(kind: str, mode: str = "I;16") -> io.BytesIO:
    values = np.full((8, 8), 100 * 257, dtype=">u2" if mode == "I;16B" else "<u2")
    return saved(Image.frombytes(mode, (8, 8), values.tobytes()), kind)


MODES = {
    "RGB": (lambda: saved(Image.new("RGB", (8, 8), RED)), RED),
    "grey": (lambda: saved(Image.new("L", (8, 8), 100)), GREY),
    "grey JPEG": (lambda: saved(Image.new("L", (8, 8), 100), "JPEG"), GREY),
    "1-bit white": (lambda: saved(Image.new("1", (8, 8), 1)), WHITE),
    "1-bit black": (lambda: saved(Image.new("1", (8, 8), 0)), (0, 0, 0)),
    "palette": (lambda: palette(False), RED),
    "transparent palette": (lambda: palette(True), WHITE),
    "half transparent red": (lambda: saved(Image.new("RGBA", (8, 8), (255, 0, 0, 128))), (255, 127, 127)),
    "transparent black": (lambda: saved(Image.new("RGBA", (8, 8), (0, 0, 0, 0))), WHITE),
    "half transparent grey": (lambda: saved(Image.new("LA", (8, 8), (0, 128))), (127, 127, 127)),
    "transparent grey value": (lambda: saved(Image.new("L", (8, 8), 7), transparency=7), WHITE),
    "transparent colour": (lambda: saved(Image.new("RGB", (8, 8), RED), transparency=RED), WHITE),
    "WebP with alpha": (lambda: saved(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "WEBP", lossless=True), WHITE),
    "CMYK of Adobe": (lambda: io.BytesIO(cmyk_of_adobe()), RED),
    "CMYK without marker": (cmyk_without_marker, RED),
    "YCCK of Adobe": (ycck, RED),
    "CMYK TIFF": (lambda: saved(Image.new("CMYK", (8, 8), INK), "TIFF"), RED),
    "YCbCr TIFF": (lambda: saved(Image.new("RGB", (8, 8), RED).convert("YCbCr"), "TIFF", compression="tiff_lzw"), RED),
    "Lab TIFF": (lab, RED),
    "16-bit PNG": (lambda: grey_16("PNG"), GREY),
    "16-bit TIFF": (lambda: grey_16("TIFF"), GREY),
    "16-bit big-endian TIFF": (lambda: grey_16("TIFF", "I;16B"), GREY),
    "16-bit PGM": (lambda: io.BytesIO(b"P5 2 1 65535\n" + struct.pack(">HH", 100 * 257, 100 * 257)), GREY),
    "32-bit TIFF": (lambda: saved(Image.new("I", (8, 8), 100 * 257), "TIFF"), GREY),
    "float TIFF to 1": (lambda: saved(Image.new("F", (8, 8), 100 / 255), "TIFF"), GREY),
    "float TIFF to 255": (lambda: saved(Image.new("F", (8, 8), 100.0), "TIFF"), GREY),
    "not a number": (lambda: saved(Image.new("F", (8, 8), float("nan")), "TIFF"), (0, 0, 0)),
    "BMP": (lambda: saved(Image.new("RGB", (8, 8), RED), "BMP"), RED),
    "GIF": (lambda: saved(Image.new("RGB", (8, 8), RED), "GIF"), RED),
    "AVIF": (lambda: saved(Image.new("RGB", (64, 64), RED), "AVIF", quality=100), RED),
    "JPEG 2000": (lambda: saved(Image.new("RGB", (64, 64), RED), "JPEG2000"), RED),
}
if int(PIL.__version__.split(".")[0]) >= 13:
    # Pillow 12 takes it for truncated.
    MODES["raw YCbCr TIFF"] = (lambda: saved(Image.new("RGB", (8, 8), RED).convert("YCbCr"), "TIFF"), RED)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_rgb_of_the_right_colour(mode):
    make, colour = MODES[mode]
    picture = read(make())
    assert picture.mode == "RGB"
    assert np.abs(np.subtract(middle(picture), colour)).max() <= 2


RAMP = np.linspace(0, 1, 64)[None].repeat(8, axis=0)
"""From black to white."""

DEEP = {
    "16 bits, all of them": lambda: tiff((RAMP * 65535).astype("<u2"), bits=16),
    "16 bits, signed": lambda: tiff((RAMP * 32767).astype("<i2"), bits=16, kind=2),
    "16 bits, white is 0": lambda: tiff(((1 - RAMP) * 65535).astype("<u2"), bits=16, photometric=0),
    "12 bits in 16": lambda: tiff((RAMP * 4095).astype("<u2"), bits=16),
    "12 bits in a PNG of 16": lambda: saved(Image.fromarray((RAMP * 4095).astype(np.uint16))),
    "12 bits, packed": lambda: tiff(packed_12_bits((RAMP * 4095).astype(np.uint16)), bits=12, width=64),
    "12 bits in a PGM": lambda: io.BytesIO(b"P5 64 8 4095\n" + (RAMP * 4095).astype(">u2").tobytes()),
    "16 bits in 32": lambda: tiff((RAMP * 65535).astype("<u4"), bits=32),
    "32 bits, all of them": lambda: tiff((RAMP * (2**32 - 1)).astype("<u4"), bits=32),
    "32 bits, signed": lambda: tiff((RAMP * (2**31 - 1)).astype("<i4"), bits=32, kind=2),
    "floats to 1": lambda: tiff(RAMP.astype("<f4"), bits=32, kind=3),
    "floats to 1, white is 0": lambda: tiff((1 - RAMP).astype("<f4"), bits=32, kind=3, photometric=0),
    "floats to 4,095": lambda: tiff((RAMP * 4095).astype("<f4"), bits=32, kind=3),
    "floats to 65,535": lambda: tiff((RAMP * 65535).astype("<f4"), bits=32, kind=3),
    "floats to a million": lambda: tiff((RAMP * 1e6).astype("<f4"), bits=32, kind=3),
}


@pytest.mark.parametrize("kind", DEEP)
def test_a_deep_grey_keeps_its_range(kind):
    grey = np.asarray(read(DEEP[kind]()))[4, :, 0].astype(int)
    assert np.abs(grey - RAMP[0] * 255).max() <= 1


def test_highlights_above_white_and_a_dark_photo_of_16_bits_do_not_move_the_range():
    highlights = np.where(RAMP > 0.9, 6.0, RAMP)
    assert np.asarray(read(tiff(highlights.astype("<f4"), bits=32, kind=3)))[4, 32, 0] == round(RAMP[0, 32] * 255)
    assert np.asarray(read(tiff((RAMP * 9000).astype("<u2"), bits=16))).max() == 35


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP", "MPO"])
def test_of_several_frames_the_first_is_taken(kind):
    frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, WHITE)]
    picture = read(saved(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert np.abs(np.subtract(middle(picture), RED)).max() <= 8


# Orientation and scale


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "MPO"])
def test_every_orientation_gives_the_same_upright_picture(kind, orientation):
    settings = {"save_all": True, "append_images": [landscape()]} if kind == "MPO" else {}
    with open_photo(oriented(orientation, kind, **settings)) as photo:
        assert upright_size(photo) == (320, 192)
        picture = decode(photo)
    assert distance(picture, landscape()) < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_gives_the_same_picture_at_reduced_scale(orientation):
    with open_photo(oriented(orientation)) as photo:
        # 192 / 48 = 4 allows a quarter; turned sides, taken as they are stored, would allow only a half.
        picture = decode(photo, at_least=(78, 48))
    assert picture.size == (80, 48)
    assert distance(picture, landscape().resize((80, 48), Image.Resampling.BOX)) < 3


def test_transparent_and_deep_photos_are_turned_upright_too():
    deep = Image.fromarray(np.linspace(0, 65535, 320 * 192).reshape(192, 320).astype(np.uint16))
    for upright in (landscape().convert("RGBA"), deep):
        expected = read(saved(upright))
        assert distance(read(oriented(6, "PNG", upright)), expected) == 0


@pytest.mark.parametrize(
    ("at_least", "size"),
    [((40, 24), (40, 24)), ((41, 24), (80, 48)), ((80, 48), (80, 48)), ((160, 1), (160, 96)), ((321, 1), (320, 192))],
)
def test_a_jpeg_is_decoded_at_the_smallest_scale_that_is_large_enough(at_least, size):
    with open_photo(saved(landscape(), "JPEG")) as photo:
        assert decode(photo, at_least=at_least).size == size


@pytest.mark.parametrize("settings", [{"progressive": True}, {"subsampling": 0}, {"subsampling": 2, "quality": 60}])
def test_reduced_scale_keeps_the_picture(settings):
    with open_photo(saved(landscape(), "JPEG", **settings)) as photo:
        small = decode(photo, at_least=(40, 24))
    assert distance(small, landscape().resize((40, 24), Image.Resampling.BOX)) < 3


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12", b"Exif\0\0II*\0\xff\xff\xff\xff"]
)
def test_damaged_exif_is_no_reason_to_refuse_a_picture(exif):
    assert distance(read(saved(landscape(), "JPEG", exif=exif)), landscape()) < 3


@pytest.mark.parametrize("orientation", [0, 9, 700])
def test_an_orientation_that_does_not_exist_means_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert distance(read(saved(landscape(), "JPEG", exif=exif)), landscape()) < 3


# Bad photos


def test_a_path_may_be_text_or_a_path_and_a_photo_may_be_an_open_file(tmp_path):
    path = tmp_path / "photo.jpg"
    landscape().save(path)
    with path.open("rb") as opened:
        pictures = [read(path), read(str(path)), read(opened)]
    assert {picture.tobytes() for picture in pictures} == {pictures[0].tobytes()}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "missing"),
        (lambda path: path.mkdir(), "a folder"),
        (os.mkfifo, "not a file"),
        (lambda path: path.symlink_to(path), "cannot be opened (Too many levels of symbolic links)"),
        (lambda path: path.write_bytes(b""), "empty file"),
        (lambda path: path.write_text("a text, not a photo"), "not an image"),
        (lambda path: path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), "a PostScript program"),
        (lambda path: path.write_bytes(b"\0\0\0\x18ftypmp42 a film"), "not an image"),
        (
            lambda path: path.write_bytes(png_header(60000, 60000)),
            "3,600,000,000 pixels, more than max_pixels=256,000,000",
        ),
        (
            lambda path: path.write_bytes(png_header(16001, 16000)),
            "256,016,000 pixels, more than max_pixels=256,000,000",
        ),
        (lambda path: path.write_bytes(png_header(0, 5)), ""),
        (lambda path: path.write_bytes(png_header(100, 100)), "truncated"),
    ],
)
def test_a_bad_photo_is_named_with_the_reason(tmp_path, make, reason):
    path = tmp_path / "photo.jpg"
    make(path)
    with pytest.raises(BadPhoto) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert reason in str(error.value)


def test_a_name_that_no_file_can_have_is_a_bad_photo():
    with pytest.raises(BadPhoto, match="cannot be opened"):
        open_photo("a\0b.jpg")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_photo_that_may_not_be_read_is_bad(tmp_path):
    path = tmp_path / "photo.jpg"
    landscape().save(path)
    path.chmod(0)
    with pytest.raises(BadPhoto, match="Permission denied"):
        open_photo(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_truncated_photo_is_bad(kind, share):
    data = saved(landscape(), kind).getvalue()
    with pytest.raises(BadPhoto):
        read(io.BytesIO(data[: int(len(data) * share)]))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("missing", [3, 4, 10, 100, 1000])
@pytest.mark.parametrize("at_least", [None, (1, 1)])
def test_a_jpeg_that_lacks_its_last_bytes_is_truncated_at_any_scale(progressive, missing, at_least):
    data = saved(landscape(), "JPEG", progressive=progressive).getvalue()
    with open_photo(io.BytesIO(data[:-missing])) as photo, pytest.raises(BadPhoto, match="photo: truncated"):
        decode(photo, at_least=at_least)


@pytest.mark.parametrize("settings", [{}, {"progressive": True}, {"quality": 30, "subsampling": 0}])
@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("at_least", [None, (1, 1)])
def test_a_jpeg_that_lacks_only_its_end_marker_is_read(settings, missing, at_least):
    data = saved(landscape(), "JPEG", **settings).getvalue()
    with open_photo(io.BytesIO(data)) as whole, open_photo(io.BytesIO(data[:-missing])) as photo:
        assert decode(photo, at_least=at_least).tobytes() == decode(whole, at_least=at_least).tobytes()


@pytest.mark.parametrize(
    "make",
    [
        lambda: saved(landscape().convert("L"), "JPEG"),
        lambda: saved(landscape().convert("CMYK"), "JPEG"),
        lambda: oriented(6),
        lambda: saved(landscape(), "MPO"),
    ],
    ids=["grey", "CMYK", "turned", "MPO"],
)
def test_other_jpegs_without_their_end_marker_are_read_too(make, tmp_path):
    (tmp_path / "a.jpg").write_bytes(make().getvalue()[:-2])
    assert read(tmp_path / "a.jpg").tobytes() == read(make()).tobytes()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            lambda: saved(Image.new("RGB", (8, 8), RED).convert("YCbCr"), "TIFF"),
            marks=pytest.mark.skipif(int(PIL.__version__.split(".")[0]) >= 13, reason="Pillow 13 reads it"),
        ),
        lambda: tiff(RAMP.astype("<f8"), bits=64, kind=3),
        lambda: tiff(RAMP.astype("<f2"), bits=16, kind=3),
    ],
    ids=["raw YCbCr", "floats of 64 bits", "floats of 16 bits"],
)
def test_a_tiff_that_is_whole_and_cannot_be_read_is_not_called_truncated(make):
    with pytest.raises(BadPhoto, match="photo: a kind of TIFF that cannot be read; save it as RGB"):
        read(make())


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_jpeg_of_which_a_copy_left_zeros_is_bad(share):
    data = saved(landscape(), "JPEG").getvalue()
    kept = int(len(data) * share)
    with open_photo(io.BytesIO(data[:kept].ljust(len(data), b"\0"))) as photo, pytest.raises(BadPhoto):
        decode(photo, at_least=(1, 1))


def test_the_limit_on_pixels_is_the_one_given():
    file = saved(landscape(), "JPEG")
    assert open_photo(file, max_pixels=320 * 192).size == (320, 192)
    with pytest.raises(BadPhoto, match="61,440 pixels, more than max_pixels=61,439"):
        open_photo(file, max_pixels=320 * 192 - 1)


def test_a_photo_of_200_megapixels_is_read():
    file = saved(Image.new("L", (16320, 12240), 100), "JPEG")
    with open_photo(file) as photo:
        picture = decode(photo, at_least=(224, 224))
    assert picture.size == (2040, 1530)
    assert middle(picture) == GREY


def test_pillow_keeps_its_own_limit_and_the_process_its_warnings():
    limit, filters = Image.MAX_IMAGE_PIXELS, warnings.filters[:]
    read(saved(landscape()))
    with pytest.raises(BadPhoto):
        open_photo(io.BytesIO(png_header(60000, 60000)))
    assert limit == Image.MAX_IMAGE_PIXELS
    assert warnings.filters == filters


def test_a_bad_photo_can_be_sent_between_processes():
    assert str(pickle.loads(pickle.dumps(BadPhoto("a.jpg: truncated")))) == "a.jpg: truncated"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "AVIF", "JPEG2000"])
def test_a_photo_with_flipped_bytes_is_a_picture_or_a_bad_photo(kind):
    dice = random.Random(7)
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = saved(
        landscape(64, 48), kind, **({"exif": exif} if kind in ("JPEG", "PNG", "TIFF", "WEBP") else {})
    ).getvalue()
    for _ in range(40):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 12)):
            # Half of the flips hit the header, where they hurt more than among the pixels.
            data[dice.randrange(min(len(data), 200) if dice.random() < 0.5 else len(data))] = dice.randrange(256)
        try:
            with open_photo(io.BytesIO(bytes(data)), max_pixels=1_000_000) as photo:
                upright_size(photo)
                assert decode(photo, at_least=(16, 16)).mode == "RGB"
        except BadPhoto as error:
            assert str(error).startswith("photo: ")


# HEIC


@pytest.fixture(scope="module")
def heic() -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif", reason="HEIC is an extra: pip install tagger[heic]")
    file = io.BytesIO()
    pillow_heif.from_pillow(landscape()).save(file, format="HEIF", quality=90)
    return file.getvalue()


def test_a_heic_photo_is_read(heic):
    assert distance(read(io.BytesIO(heic)), landscape()) < 3


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_heic_photo_is_upright(orientation):
    pillow_heif = pytest.importorskip("pillow_heif", reason="HEIC is an extra: pip install tagger[heic]")
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    pillow_heif.from_pillow(turned(landscape(), orientation)).save(file, exif=exif.tobytes(), quality=90)
    with open_photo(file) as photo:
        assert upright_size(photo) == (320, 192)
        assert distance(decode(photo), landscape()) < 3


def test_a_heic_photo_with_the_name_of_a_jpeg_is_read(heic, tmp_path):
    path = tmp_path / "IMG_0001.jpg"
    path.write_bytes(heic)
    assert read(path).size == (320, 192)


def test_a_truncated_heic_photo_is_bad(heic):
    with pytest.raises(BadPhoto):
        read(io.BytesIO(heic[: len(heic) * 2 // 3]))


def test_without_the_extra_a_heic_photo_says_what_to_install(heic, tmp_path):
    path = tmp_path / "photo.heic"
    path.write_bytes(heic)
    program = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from tagger.data.photo import open_photo\n"
        "open_photo(sys.argv[1])"
    )
    # A process of its own: in this one Pillow may have learnt HEIC already.
    ended = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].endswith("photo.heic: a HEIC photo, which needs: pip install tagger[heic]")


def test_real_photos_are_read(real_photos):
    photos = sorted(real_photos.rglob("*.jpg"))[:200]
    assert photos
    for photo in photos:
        assert read(photo).mode == "RGB"


@pytest.mark.parametrize(
    ("there", "asked", "said"),
    [
        ("00.JPG", "00.jpg", "00.jpg: missing; 00.JPG is there"),
        ("CAFE\u0301.jpg", "caf\xe9.jpg", "caf\xe9.jpg: missing; CAFE\u0301.jpg is there"),
        ("cafe\u0301.jpg", "caf\xe9.jpg", "another normal form of Unicode is there: 'cafe\\u0301.jpg'"),
        ("other.jpg", "00.jpg", "00.jpg: missing"),
    ],
)
def test_a_missing_photo_says_which_file_has_nearly_its_name(tmp_path: Path, there: str, asked: str, said: str) -> None:
    (tmp_path / there).write_bytes(b"x")
    with pytest.raises(BadPhoto) as caught:
        open_photo(tmp_path / asked)
    assert str(caught.value).endswith(said)
