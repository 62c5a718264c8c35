"""Photos are damaged at random, hundreds in one album: each is tagged or named, and no good neighbour is lost."""

import io
import json
import random
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tagger.data.catalog import CatalogStore
from tests.faults.journey import DATA, deliver
from tests.faults.tally import Tally
from tests.faults.typed import Typist

ALBUM = 250
"""Damaged photos of one command."""

PREDICT = ["bundle=album.tagger", "photos=root/colours/images", "workers=0", "output=tags.jsonl", "overwrite=true"]

EXIF = 0x0112, 0x010E, 0x8769, 0x8825, 0x0201
"""Orientation, description, and the pointers to further tables."""


def run(folder: Path, *, tests: int, seed: int) -> Tally:
    """Tag albums of damaged photos beside whole ones, and prepare catalogs of them."""
    tally, dice = Tally("photos"), random.Random(seed)
    typist = Typist(folder / "work", folder / "beside")
    deliver(typist)
    whole = pictures()
    good = {f"good{number}.{name.split()[0]}": content for number, (name, content) in enumerate(whole.items())}
    expected = Album(typist, good, {}).tags()
    assert set(expected) == set(good), "the whole photos are tagged"
    while tally.tests < tests:
        damaged, told = {}, {}
        for number in range(tally.tests, min(tally.tests + ALBUM, tests)):
            name = dice.choice(sorted(whole))
            content, how = mutated(whole[name], dice)
            photo = f"{number:05}.{name.split()[0]}"
            damaged[photo], told[photo] = content, f"{name}, {how}, of {len(content)} bytes"
        Album(typist, good | damaged, told).check(tally, expected)
    return tally


class Album:
    """Photos in a folder, tagged and prepared."""

    def __init__(self, typist: Typist, photos: dict[str, bytes], told: dict[str, str]) -> None:
        self.typist = typist
        self.work = typist.folder
        self.photos = photos
        self.told = told
        """What was done to each damaged photo."""
        images = self.work / "root" / "colours" / "images"
        shutil.rmtree(images)
        images.mkdir()
        for name, content in photos.items():
            (images / name).write_bytes(content)
        rows = "".join(f"{name},red\n" for name in photos)
        (images.parent / "labels.csv").write_text(f"image,labels\n{rows}")

    def tags(self) -> dict[str, str]:
        """Tag the album; return what is said of each photo that can be read, "" of one that is named as bad.

        Raises:
            AssertionError: If the command does not end well, or says nothing or two things of a photo.
        """
        ended = self.typist("predict", PREDICT, limit=120)
        assert not ended.problem(0), ended.problem(0)
        lines = [json.loads(line) for line in (self.work / "tags.jsonl").read_text(encoding="utf-8").splitlines()]
        said = {Path(line["photo"]).name: "" if line.get("error") else str(line["tags"]) for line in lines}
        assert len(lines) == len(said) == len(self.photos), f"{len(lines)} lines about {len(said)} photos"
        return said

    def prepared(self) -> str:
        """Prepare a catalog of the album, and return what is wrong with it."""
        shutil.rmtree(self.work / "catalogs", ignore_errors=True)
        ended = self.typist("prepare", DATA, limit=120)
        if problem := ended.problem(0):
            return problem
        sightings = CatalogStore(self.work / "catalogs" / "folder").table("sightings", ["key"])["key"].to_pylist()
        left_out = sum(int(count.replace(",", "")) for count in re.findall(r"([\d,]+) of .* left out:", ended.output))
        if lost := [name for name in self.photos if name not in self.told and name not in sightings]:
            return f"the good {lost[0]} is not in the catalog"
        if len(sightings) + left_out != len(self.photos):
            return f"{len(sightings)} in the catalog and {left_out} left out are not {len(self.photos)}"
        return ""

    def check(self, tally: Tally, expected: dict[str, str]) -> None:
        """Count every damaged photo; where a command fails none can be trusted, and its first one is kept."""
        try:
            said, problem = self.tags(), self.prepared()
        except AssertionError as error:
            said, problem = {}, f"predict: {error}"
        lost = [name for name, tags in expected.items() if said and said.get(name) != tags]
        problem = problem or (f"the good {lost[0]} is tagged differently" if lost else "")
        for number, photo in enumerate(self.told):
            tally.check(f"an album with {self.told[photo]}: {problem}", not problem or number > 0)


def pictures() -> dict[str, bytes]:
    """Return photos by their format, and by what is special about them."""
    dice = np.random.default_rng(0)
    small = dice.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    picture = Image.fromarray(small).resize((128, 96), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x0132] = 6, "a photo", "2026:01:01 12:00:00"
    exif.get_ifd(0x8825)[2] = (50.0, 30.0, 0.0)
    frames = [picture.rotate(90 * turn) for turn in range(1, 3)]
    deep = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) << 8)
    kinds = {
        "jpg baseline": (picture, {"quality": 80}),
        "jpg progressive": (picture, {"quality": 80, "progressive": True}),
        "jpg with EXIF": (picture, {"exif": exif}),
        "jpg in CMYK": (picture.convert("CMYK"), {}),
        "jpg in grey": (picture.convert("L"), {}),
        "png": (picture, {"exif": exif}),
        "png with a palette": (picture.quantize(32), {"transparency": 3}),
        "png of 16 bits": (deep, {}),
        "png with alpha": (picture.convert("RGBA"), {}),
        "webp": (picture, {"exif": exif}),
        "webp lossless": (picture.convert("RGBA"), {"lossless": True}),
        "webp animated": (picture, {"save_all": True, "append_images": frames}),
        "gif": (picture.quantize(64), {}),
        "gif animated": (picture.quantize(64), {"save_all": True, "append_images": frames, "transparency": 1}),
        "tiff": (picture, {"exif": exif}),
        "tiff with LZW": (picture, {"compression": "tiff_lzw"}),
        "tiff with JPEG": (picture, {"compression": "jpeg"}),
        "tiff of two pages": (picture, {"save_all": True, "append_images": frames, "compression": "tiff_deflate"}),
        "bmp": (picture, {}),
        "bmp with a palette": (picture.quantize(16), {}),
    }
    return {name: _saved(name, *how) for name, how in kinds.items()}


def _saved(name: str, picture: Image.Image, settings: dict[str, object]) -> bytes:
    file = io.BytesIO()
    suffix = name.split(maxsplit=1)[0]
    picture.save(file, {"jpg": "jpeg"}.get(suffix, suffix), **settings)
    return file.getvalue()


def mutated(content: bytes, dice: random.Random) -> tuple[bytes, str]:
    """Return a damaged copy, and how it was damaged."""
    name = dice.choice(sorted(MUTATIONS))
    return MUTATIONS[name](content, dice), name


def _cut(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content))]


def _flipped(content: bytes, dice: random.Random) -> bytes:
    return _changed(content, dice, range(len(content)), dice.choice([1, 4, 64]))


def _head(content: bytes, dice: random.Random) -> bytes:
    """Flip bits where sizes, types and tables are declared."""
    return _changed(content, dice, range(min(200, len(content))), dice.choice([1, 2, 8]))


def _changed(content: bytes, dice: random.Random, places: range, bits: int) -> bytes:
    changed = bytearray(content)
    for _ in range(bits):
        changed[dice.choice(places)] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _number(content: bytes, dice: random.Random) -> bytes:
    """Put a number there that no size, offset or count may be."""
    number = dice.choice([0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1])
    packed = struct.pack(dice.choice(["<I", ">I"]), number) if number >= 2**16 else struct.pack(">H", number)
    place = dice.randrange(min(400, len(content)))
    return content[:place] + packed + content[place + len(packed) :]


def _swapped(content: bytes, dice: random.Random) -> bytes:
    """Exchange two parts that follow each other: chunks, segments, strips."""
    first, second, third = sorted(dice.randrange(len(content)) for _ in range(3))
    return content[:first] + content[second:third] + content[first:second] + content[third:]


def _doubled(content: bytes, dice: random.Random) -> bytes:
    start, end = sorted(dice.randrange(len(content)) for _ in range(2))
    return content[:end] + content[start:]


def _exif(content: bytes, dice: random.Random) -> bytes:
    """Give it EXIF whose tables are damaged: an offset to itself, a count too large, an impossible orientation."""
    entries = [
        struct.pack(
            "<HHII",
            dice.choice(EXIF),
            dice.randrange(14),
            dice.choice([1, 0, 2**32 - 1]),
            dice.choice([6, 8, 99, 2**31]),
        )
        for _ in range(dice.randrange(1, 6))
    ]
    table = struct.pack("<H", dice.choice([len(entries), 65535])) + b"".join(entries)
    body = b"Exif\0\0II*\0" + struct.pack("<I", dice.choice([8, 0, 2**31])) + table + struct.pack("<I", 8)
    if content.startswith(b"\xff\xd8"):
        segment = b"\xff\xe1" + struct.pack(">H", dice.choice([len(body) + 2, 2, 65535])) + body
        return content[:2] + segment + content[2:]
    place = content.find(b"II*\0", 8)
    return content[:place] + body[6:] + content[place:] if place > 0 else _number(content, dice)


def _other_suffix(content: bytes, dice: random.Random) -> bytes:
    """Put something else in a file of this name."""
    return dice.choice(
        [b"", b"\0" * 4096, b"no photo", content[::-1], b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7"]
    )


MUTATIONS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut": _cut,
    "bits flipped": _flipped,
    "bits of its head flipped": _head,
    "a number replaced": _number,
    "parts exchanged": _swapped,
    "a part said twice": _doubled,
    "damaged EXIF": _exif,
    "something else": _other_suffix,
}
