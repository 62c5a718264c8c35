"""PASCAL VOC as its devkit is published: an XML per photo and lists of photos (Everingham et al. 2010).

What is marked difficult (small, hidden, hard to tell) is by default neither right nor wrong, as in the challenge: a
photo on which *all* objects of a name are difficult gets a row of value ``UNKNOWN`` for it. The row is needed because
VOC is exhaustive: without one the name would be absent, which contradicts the annotators, who did see it. The lists
that the devkit has per class say the same with their third value: 1 present, -1 absent, 0 difficult. The names of these
lists are what was looked for; a devkit without them looked for the names that it says.

What is odd about an object costs the object, never its photo: it is counted, and what it is stays unknown there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from tagger.data.finding import left_out
from tagger.data.sources.encoding import encoding_of
from tagger.data.sources.paths import staying
from tagger.data.sources.photo_files import PhotoFiles
from tagger.data.sources.source import NAMELESS, Chunk, Folds, Skipped, SourceError
from tagger.data.sources.tables import annotation_table, photo_table
from tagger.data.states import PRESENT, UNKNOWN, Unknown

CHUNK = 4096
"""Photos that are read at a time."""

MAX_BYTES = 4_000_000
"""An XML above this is left out; the published ones have some hundred bytes an object."""

SETS = ("train", "val", "trainval", "test")

Objects = dict[str, int]
"""PRESENT or UNKNOWN for each name on a photo; ``NAMELESS`` is UNKNOWN where an object cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Voc:
    """One year of VOC, and which of its lists."""

    root: str
    """Folder that holds ``VOCdevkit``."""
    year: int = 2012
    image_set: Literal["train", "val", "trainval", "test"] = "trainval"
    """The list under ``ImageSets/Main``. The photos of val and test count as published test photos, others train."""
    difficult: Literal["include", "exclude"] = "exclude"
    """Whether a difficult object makes its label present, or leaves it unknown."""
    download: bool = False
    """Whether torchvision may fetch the devkit (2 GB for 2012) if it is not there."""
    vocabulary: str = "voc"
    exhaustive: bool = True
    unknown: Unknown = "ignore"
    folds: Folds = "all"

    def __post_init__(self) -> None:
        choices = {"image_set": SETS, "difficult": ("include", "exclude")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise SourceError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")

    def chunks(self, skipped: Skipped) -> Iterator[Chunk]:
        """Yield the photos of the list, some at a time; the key of a photo is its id, "2007_000027".

        Its file is the one that the XML names, within the folder of the photos, else the one there that is called like
        the XML. A photo whose XML is missing, broken or too large is counted as left out, with file and line.

        Raises:
            SourceError: If the devkit or the list is missing and cannot be fetched, or an XML declares entities: it
                was made to harm whoever reads it, and then no file beside it can be trusted.
        """
        devkit = self._devkit()
        main = devkit / "ImageSets" / "Main"
        listed, classes = _listed(main / f"{self.image_set}.txt", skipped), _classes(main, self.image_set)
        files = PhotoFiles(devkit / "JPEGImages")
        for at in range(0, len(listed), CHUNK):
            photos: dict[str, Objects] = {}
            paths = []
            for photo in listed.slice(at, CHUNK).to_pylist():
                xml = devkit / "Annotations" / f"{photo}.xml"
                annotation = _read(xml, skipped)
                if annotation is not None:
                    photos[photo] = _objects(annotation, xml, skipped, include_difficult=self.difficult == "include")
                    paths.append(files.of(photo, (annotation.findtext("filename") or "").strip(), xml, skipped))
            yield self._chunk(photos, paths, devkit, classes)

    def _chunk(self, photos: dict[str, Objects], paths: list[str], devkit: Path, classes: tuple[str, ...]) -> Chunk:
        folder = devkit.relative_to(Path(self.root).expanduser()).as_posix()
        keys = pa.array(list(photos), pa.string())
        within = pa.array([f"{folder}/JPEGImages/{path}" for path in paths], pa.string())
        split = "train" if self.image_set in ("train", "trainval") else "test"
        rows = [(photo, name, value) for photo, objects in photos.items() for name, value in objects.items()]
        photo_keys, names, values = (
            (pa.array(column) for column in zip(*rows, strict=True)) if rows else (pa.nulls(0),) * 3
        )
        looked_for = classes or tuple({name for _, name, _ in rows} - {NAMELESS})
        table = annotation_table(photo_keys, names, value=values)
        return Chunk(photo_table(keys, within, split=split), table, declared=looked_for)

    def _devkit(self) -> Path:
        """Return the folder of the year, fetching it if that is wanted and needed."""
        root = Path(self.root).expanduser()
        # The archive of 2011 has a folder around it.
        places = [root / "VOCdevkit" / f"VOC{self.year}", root / "TrainVal" / "VOCdevkit" / f"VOC{self.year}"]
        found = [place for place in places if (place / "Annotations").is_dir()]
        if not found and self.download:
            self._fetch(root)
            found = [place for place in places if (place / "Annotations").is_dir()]
        if not found:
            raise SourceError(
                f"VOC {self.year}: looked for {places[0] / 'Annotations'}, which does not exist; set root to the "
                "folder that holds VOCdevkit, or download=true where there is a network"
            )
        return found[0]

    def _fetch(self, root: Path) -> None:
        from torchvision.datasets import VOCDetection

        try:
            root.mkdir(parents=True, exist_ok=True)
            VOCDetection(str(root), year=str(self.year), image_set=self.image_set, download=True)
        # No network, another file than expected (torchvision checks its MD5), an unknown year, a full disk.
        except (OSError, RuntimeError, ValueError) as error:
            raise SourceError(
                f"VOC {self.year} could not be downloaded to {root}: {error}; where there is a network, get "
                f"the archive from http://host.robots.ox.ac.uk/pascal/VOC/voc{self.year}/ and unpack it there"
            ) from error


def _listed(file: Path, skipped: Skipped) -> pa.Array:
    """Return the ids in a list of photos, each once; one that leaves the folder is counted."""
    try:
        content = file.read_bytes()
        lines = content.decode(encoding_of(content)).splitlines()
    except FileNotFoundError:
        there = ", ".join(sorted(other.stem for other in file.parent.glob("*.txt"))) or "none"
        raise SourceError(f"{file} does not exist; lists that do: {there[:500]}") from None
    except (OSError, UnicodeError) as error:
        raise SourceError(f"{file} cannot be read: {error}") from error
    ids = pa.table({"id": pa.array([line.strip() for line in lines if line.strip()], pa.string())})
    if not len(ids):
        raise SourceError(f"{file} lists no photos")
    once = ids["id"].unique()
    if repeats := len(ids) - len(once):
        skipped.add("photo listed twice", str(file), times=repeats)
    return staying(pa.table({"id": once}), "id", skipped, file)["id"].combine_chunks()


def _classes(main: Path, image_set: str) -> tuple[str, ...]:
    """Return the classes that have lists of their own, ``dog_trainval.txt``: for this list of photos, else for any."""
    found = {
        ending: [
            file.stem.removesuffix(f"_{ending}") for file in main.glob(f"?*_{ending}.txt") if not left_out(file.name)
        ]
        for ending in SETS
    }
    return tuple(sorted(found[image_set] or {name for names in found.values() for name in names}))


def _read(file: Path, skipped: Skipped) -> Any:
    """Return the root of a photo's XML, or None if it cannot be read; the reason is counted."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            skipped.add(f"XML larger than {MAX_BYTES:,} bytes", str(file))
            return None
        annotation = fromstring(content, forbid_dtd=True)
        if annotation.tag != "annotation":
            raise ValueError(f"expected <annotation>, got <{annotation.tag}>")
        return annotation
    except FileNotFoundError:
        skipped.add("no XML", str(file))
    except ParseError as error:
        skipped.add("broken XML", f"{file}, line {error.position[0]}: {error}")
    except DefusedXmlException as error:
        raise SourceError(
            f"{file}: {type(error).__name__}, {error}: VOC declares no types and entities, so this file is not "
            "of it; do not use what came with it"
        ) from error
    # ValueError: ours, or an encoding that the parser does not have. LookupError: one that nobody has.
    except (OSError, ValueError, LookupError) as error:
        skipped.add("XML without what is needed", f"{file}: {error}")
    return None


def _objects(annotation: Any, file: Path, skipped: Skipped, *, include_difficult: bool = False) -> Objects:
    """Return what is on a photo; parts of an object (head, hand, foot) are names of their own kind and do not count.

    Example:
        >>> tree = "<annotation><object><name>dog</name><difficult>1</difficult></object></annotation>"
        >>> _objects(fromstring(tree), Path("1.xml"), Skipped())
        {'dog': 0}
    """
    found: Objects = {}
    listed: set[tuple[str, ...]] = set()
    for number, item in enumerate(_things(annotation), 1):
        name, difficult = (item.findtext(tag, "").strip() for tag in ("name", "difficult"))
        value, place = PRESENT, f"{file}, object {number}"
        if item.tag != "object" or not name:
            skipped.add("object without a name", f"{place}: <{item.tag}>")
            name, value = NAMELESS, UNKNOWN
        elif difficult not in ("0", "1", ""):
            skipped.add("object of which difficult is neither 0 nor 1", f"{place}: {name}, {difficult!r}")
            value = UNKNOWN
        elif difficult == "1" and not include_difficult:
            value = UNKNOWN
        found[name] = max(found.get(name, UNKNOWN), value)
        words = tuple(text.strip() for text in item.itertext())
        if item.find("bndbox") is not None:
            if words in listed:
                skipped.add("object listed again", f"{place}: {name}")
            listed.add(words)
    return found


def _things(annotation: Any) -> Iterator[Any]:
    """Yield the objects, and what is named like one under a tag that nobody knows."""
    for item in annotation:
        if item.tag == "object" or (item.tag not in ("owner", "source") and item.find("name") is not None):
            yield item
