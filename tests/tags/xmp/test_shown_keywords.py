"""What five programs show of a photo after we wrote its sidecar is what they showed before, and our tags.

Each program's rule for reading is a function here; the properties are read by the real exiftool.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from tagger.tags.delivery.manifest import BundleLabel
from tagger.tags.xmp.inside import keywords_inside
from tagger.tags.xmp.keywords import Keywords, Namer
from tagger.tags.xmp.merging import EMPTY, merged
from tagger.tags.xmp.sidecars import Sidecars

NAMER = Namer([BundleLabel("dog", {"en": "dog"}, 0.5, groups=("animal",)), BundleLabel("animal", {}, 0.5)], "en")
DOG = {"label": "dog", "name": "dog", "score": 0.9}

Lists = dict[str, list[str]]
"""Of one file, by property."""

FLAT = ["-XMP-dc:Subject=Rex", "-XMP-dc:Subject=Rome 2019"]
PATHS = ["-XMP-lr:HierarchicalSubject=pets|Rex", "-XMP-lr:HierarchicalSubject=Rome"]
TAGS = ["-XMP-digiKam:TagsList=pets/Rex", "-XMP-digiKam:TagsList=Rome"]
IPTC = ["-IPTC:Keywords=Rex", "-IPTC:Keywords=Rom 2019 ü", "-CodedCharacterSet=UTF8"]

BEFORE: dict[str, tuple[list[str], list[str]]] = {
    "nothing": ([], []),
    "flat in the sidecar": ([], FLAT),
    "flat in the photo": (FLAT, []),
    "IPTC in the photo": (IPTC, []),
    "paths in the photo": ([*FLAT, *PATHS], []),
    "digiKam's in the photo": ([*FLAT, *PATHS, *TAGS], []),
    "paths in the sidecar": ([], [*FLAT, *PATHS]),
    "digiKam's in the sidecar": ([], TAGS),
    "flat in both": (["-XMP-dc:Subject=inside"], FLAT),
    "paths in the photo, flat in the sidecar": (PATHS, FLAT),
    "separators": ([], ["-XMP-dc:Subject=AC/DC", "-XMP-dc:Subject=a|b"]),
}
"""What exiftool writes before us: into the photo, into the sidecar."""


@pytest.fixture(scope="module")
def exiftool() -> str:
    program = shutil.which("exiftool")
    if program is None:
        pytest.skip("exiftool is not installed")
    return program


def lists(exiftool: str, folder: Path) -> dict[str, Lists]:
    """Return what each file of a folder holds, by name."""
    words = ["-j", "-XMP-dc:Subject", "-XMP-lr:HierarchicalSubject", "-XMP-digiKam:TagsList", "-IPTC:Keywords"]
    done = subprocess.run([exiftool, *words, "-ext", "jpg", "-ext", "xmp", folder], capture_output=True, check=True)
    return {
        Path(read.pop("SourceFile")).name: {k: v if isinstance(v, list) else [v] for k, v in read.items()}
        for read in json.loads(done.stdout)
    }


def typed(exiftool: str, *commands: list[str]) -> None:
    """Type commands in one process, which takes a third of a second to start."""
    lines = "\n-execute\n".join("\n".join(command) for command in commands)
    words = [exiftool, "-@", "-", "-common_args", "-q", "-overwrite_original"]
    subprocess.run(words, input=lines, text=True, check=True)


def as_path(keyword: str) -> str:
    """The path of a flat keyword or of Lightroom's, as digiKam writes it."""
    return "/".join(part.replace("/", "\\") for part in keyword.split("|"))


def first(held: Lists, *properties: str) -> set[str]:
    for name in properties:
        if name in held:
            flat = name in ("Subject", "Keywords")
            words = [word.replace("|", "¦") if flat else word for word in map(str, held[name])]
            return set(words) if name == "TagsList" else set(map(as_path, words))
    return set()


def immich(photo: Lists, sidecar: Lists) -> set[str]:
    return first({**photo, **sidecar}, "TagsList", "HierarchicalSubject", "Keywords")


def digikam(photo: Lists, sidecar: Lists) -> set[str]:
    return first({**photo, **sidecar}, "TagsList", "HierarchicalSubject", "Subject", "Keywords")


def darktable(photo: Lists, sidecar: Lists) -> set[str]:
    return first({**photo, **sidecar}, "HierarchicalSubject", "Subject")


def lightroom(photo: Lists, sidecar: Lists) -> set[str]:
    return first(photo, "HierarchicalSubject") | first(photo, "Subject", "Keywords")


def exiftools(photo: Lists, sidecar: Lists) -> set[str]:
    return {f"{name}={word}" for name, words in {**photo, **sidecar}.items() for word in words}


OURS = {
    immich: {"animal/dog"},
    digikam: {"animal/dog"},
    darktable: {"animal/dog"},
    lightroom: set(),
    exiftools: {"Subject=dog", "HierarchicalSubject=animal|dog", "TagsList=animal/dog"},
}


class Album(NamedTuple):
    """Two files, a photo and its sidecar: what they held before us and with our tag."""

    before: tuple[Lists, Lists]
    after: tuple[Lists, Lists]
    copied: Lists
    """The photo, once the sidecar was copied into it."""
    original: bytes | None
    restored: bytes
    """The sidecar, without our tag again."""


@pytest.fixture(scope="module")
def albums(exiftool: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Album]:
    folder = tmp_path_factory.mktemp("album")
    photos = {name: folder / f"{number}.jpg" for number, name in enumerate(BEFORE)}
    beside = {name: Path(f"{photo}.xmp") for name, photo in photos.items()}
    for photo in photos.values():
        Image.new("RGB", (8, 8)).save(photo)
    files = [
        (path[name], words)
        for name, (inside, outside) in BEFORE.items()
        for path, words in ((photos, inside), (beside, outside))
    ]
    typed(exiftool, *([*words, str(path)] for path, words in files if words))
    original = {name: path.read_bytes() for name, path in beside.items() if path.exists()}
    before = lists(exiftool, folder)
    with Sidecars(NAMER) as sidecars:
        sidecars.write({"photo": str(photo), "tags": [DOG]} for photo in photos.values())
        assert sidecars.written == len(photos)
        after = lists(exiftool, folder)
        sidecars.write({"photo": str(photo), "tags": [DOG]} for photo in photos.values())
        assert sidecars.unchanged == len(photos), "a second time changes nothing"
        copying = ["-tagsfromfile", "%d%f.%e.xmp", "-Subject", "-HierarchicalSubject", "-ext", "jpg", str(folder)]
        typed(exiftool, copying)
        copied = lists(exiftool, folder)
    return {
        name: Album(
            *((held.get(photo.name, {}), held.get(f"{photo.name}.xmp", {})) for held in (before, after)),
            copied[photo.name],
            original.get(name),
            merged(beside[name].read_bytes(), Keywords()) or b"",
        )
        for name, photo in photos.items()
    }


@pytest.fixture(params=BEFORE)
def album(request: pytest.FixtureRequest, albums: dict[str, Album]) -> Album:
    return albums[request.param]


@pytest.mark.parametrize("program", OURS)
def test_a_program_shows_what_it_showed_and_our_tags(program: Callable[[Lists, Lists], set[str]], album: Album):
    shown = program(*album.before)
    assert shown | OURS[program] <= program(*album.after)
    if shown and program is not exiftools:
        assert program(*album.after) == shown | OURS[program], "and nothing else"


def test_lightroom_shows_both_once_they_are_copied_into_the_photo(album: Album):
    photo, _ = album.before
    assert lightroom(photo, {}) | {"animal/dog", "dog"} <= lightroom(album.copied, {})


def test_when_our_tags_go_what_is_repeated_goes_with_them(album: Album):
    assert album.restored == (album.original or EMPTY)


def test_what_is_repeated_stays_when_a_program_adds_a_path_and_goes_when_its_keyword_does():
    ours = Keywords(("dog",), ("animal|dog",), ("animal/dog",))
    flat = merged(None, Keywords(("Rex", "Rome")))
    assert flat
    theirs = flat.replace(b"urn:tagger:given:1.0/", b"urn:other:")
    once = merged(theirs, ours)
    assert once and once.count(b"<rdf:li>Rex</rdf:li>") == 6, "in three properties, and whose they are"
    at = once.index(b"<lr:hierarchicalSubject>\n    <rdf:Bag>") + len(b"<lr:hierarchicalSubject>\n    <rdf:Bag>")
    added = once[:at] + b"<rdf:li>sea</rdf:li>" + once[at:]
    second = merged(added, ours)
    assert second and second.count(b"<rdf:li>Rex</rdf:li>") == 6
    assert second.count(b"<rdf:li>sea</rdf:li>") == 3, "the other's path, digiKam's, and that it is ours"
    gone = second.replace(b"<dc:subject>\n    <rdf:Bag>\n     <rdf:li>Rex</rdf:li>", b"<dc:subject>\n    <rdf:Bag>")
    assert gone != second
    third = merged(gone, ours)
    assert third and third.count(b"<rdf:li>Rex</rdf:li>") == 1, "only what another has noted in its own namespace"


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_keywords_are_found_in_other_kinds_of_photos(exiftool: str, tmp_path: Path, kind: str):
    photo = tmp_path / "a"
    Image.new("RGB", (8, 8)).save(photo, kind)
    typed(exiftool, [*FLAT, *PATHS, str(photo)])
    assert keywords_inside(photo) == Keywords(("Rex", "Rome 2019"), ("pets|Rex", "Rome"), ())


def test_what_is_damaged_in_a_photo_hides_nothing(tmp_path: Path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", xmp=b"<x:xmpmeta")
    (tmp_path / "b.jpg").write_bytes(b"a photo")
    for name in ("a.jpg", "b.jpg", "gone.jpg"):
        assert keywords_inside(tmp_path / name) == Keywords()
