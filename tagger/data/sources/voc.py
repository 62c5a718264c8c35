"""PASCAL VOC as its devkit is published: an XML per photo and lists of photos (Everingham et al. 2010).

What is marked difficult (small, hidden, hard to tell) is by default neither right nor wrong, as in the challenge: a
photo on which *all* objects of a name are difficult gets a row of value ``UNKNOWN`` for it. The row is needed because
VOC is exhaustive: without one the name would be absent, which contradicts the annotators, who did see it. The lists
that the devkit has per class say the same with their third value: 1 present, -1 absent, 0 difficult.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from tagger.data.sources.paths import staying
from tagger.data.sources.source import Chunk, Folds, Skipped, SourceError
from tagger.data.sources.tables import annotation_table, photo_table
from tagger.data.states import PRESENT, UNKNOWN, Unknown

CHUNK = 4096
"""Photos that are read at a time."""

MAX_BYTES = 4_000_000
"""An XML above this is left out; the published ones have some hundred bytes an object."""

Objects = dict[str, int]
"""PRESENT or UNKNOWN for each name on a photo."""


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
        choices = {"image_set": ("train", "val", "trainval", "test"), "difficult": ("include", "exclude")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise SourceError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")

    def chunks(self, skipped: Skipped) -> Iterator[Chunk]:
        """Yield the photos of the list, some at a time; the key of a photo is its id, "2007_000027".

        A photo whose XML is missing, broken, too large or lacks a name is counted as left out, with file and line.

        Raises:
            SourceError: If the devkit or the list is missing and cannot be fetched, or an XML declares entities: it
                was made to harm whoever reads it, and then no file beside it can be trusted.
        """
        devkit = self._devkit()
        photos = _listed(devkit / "ImageSets" / "Main" / f"{self.image_set}.txt", skipped)
        for at in range(0, len(photos), CHUNK):
            ids = photos.slice(at, CHUNK).to_pylist()
            read = {photo: _read(devkit / "Annotations" / f"{photo}.xml", skipped) for photo in ids}
            yield self._chunk({photo: objects for photo, objects in read.items() if objects is not None}, devkit)

    def _chunk(self, photos: dict[str, Objects], devkit: Path) -> Chunk:
        folder = devkit.relative_to(Path(self.root).expanduser()).as_posix()
        keys = pa.array(list(photos), pa.string())
        paths = pa.array([f"{folder}/JPEGImages/{photo}.jpg" for photo in photos], pa.string())
        split = "train" if self.image_set in ("train", "trainval") else "test"
        rows = [(photo, name, value) for photo, objects in photos.items() for name, value in objects.items()]
        said, names, values = (pa.array(column) for column in zip(*rows, strict=True)) if rows else (pa.nulls(0),) * 3
        if self.difficult == "include":
            values = PRESENT
        return Chunk(photo_table(keys, paths, split=split), annotation_table(said, names, value=values))

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
        lines = file.read_text(encoding="utf-8-sig").splitlines()
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


def _read(file: Path, skipped: Skipped) -> Objects | None:
    """Return the objects on a photo, or None if its XML cannot be read; the reason is counted."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            skipped.add(f"XML larger than {MAX_BYTES:,} bytes", str(file))
            return None
        return _objects(fromstring(content, forbid_dtd=True))
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


def _objects(annotation: Any) -> Objects:
    """Return what is on a photo; parts of an object (head, hand, foot) are names of their own kind and do not count.

    Example:
        >>> _objects(fromstring("<annotation><object><name>dog</name><difficult>1</difficult></object></annotation>"))
        {'dog': 0}
    """
    found: Objects = {}
    for number, item in enumerate(annotation.findall("object"), 1):
        name, difficult = (item.findtext(tag, default).strip() for tag, default in (("name", ""), ("difficult", "0")))
        if not name or difficult not in ("0", "1"):
            raise ValueError(f"object {number} has the name {name!r} and is difficult: {difficult!r}, expected 0 or 1")
        found[name] = max(found.get(name, UNKNOWN), UNKNOWN if difficult == "1" else PRESENT)
    return found
