"""Open Images V4 to V7 as published: CSVs of photos, of verified labels and of boxes (Kuznetsova et al. 2020).

A photo has a label if people verified it or drew a box of it, and lacks it if people verified that; all else is
unknown, so the source is not exhaustive. What a machine proposed is an opinion, and left out unless it is asked for.

The files have millions of rows, so they are read block by block with Arrow's reader. Columns are found by name.
In the files of annotations a row is a line, whose number is known; a title in those of photos may have several lines.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from fsspec.core import url_to_fs

from tagger.data.sources.download import download
from tagger.data.sources.open_images.columns import (
    TEXT,
    WORD,
    Kinds,
    as_numpy,
    coded,
    count,
    meanings_of,
    places,
    refused,
)
from tagger.data.sources.open_images.files import File, blocks, names_in
from tagger.data.sources.open_images.hierarchy import Hierarchy
from tagger.data.sources.open_images.turning import says_how_it_lies, write_rotation
from tagger.data.sources.source import ANNOTATIONS, PHOTOS, Chunk, Folds, Skipped, SourceError
from tagger.data.sources.tables import annotation_table, photo_table
from tagger.data.states import ABSENT, PRESENT, Unknown
from tagger.data.storage import is_url

SPLITS = {"train": "train", "validation": None, "test": "test"}
"""What the published subsets are to us."""

# As bytes: a title in another encoding does no harm.
_TITLES: Kinds = {"Title": pa.binary(), "Author": pa.binary()}
_LINKS: dict[str, Kinds] = {
    "original": {"OriginalURL": TEXT, "OriginalMD5": TEXT, "OriginalSize": TEXT},
    "thumbnail": {"Thumbnail300KURL": TEXT},
}
# "nan" and nothing: the photo was gone from Flickr when the rotations were collected.
_ROTATIONS: dict[str, int | None] = {"": None, "nan": None} | {
    text: degrees for degrees in (0, 90, 180, 270) for text in (str(degrees), f"{degrees}.0")
}
# A quote that is not closed ends at the next one, some rows further down: then these rows are in a title.
_SWALLOWED = r"\n[0-9a-f]{16},"


@dataclass(frozen=True, kw_only=True)
class OpenImages:
    """The files of Open Images that lie in one folder; patterns are those of a shell, and may match several files."""

    root: str
    """Folder or fsspec URL of ``<ImageID>.jpg``, directly or in its folders train, validation and test."""
    annotations: str | None = None
    """Folder or fsspec URL of the CSVs and the hierarchy; None: the root."""
    images: str = "*image[s_]*.csv"
    """``image_ids_and_rotation.csv``, ``train-images-boxable-with-rotation.csv``, ``images.csv``."""
    human_labels: str | None = "*annotations-human-imagelabels*.csv"
    """None: not read. The file that is called boxable is a part of the one that is not."""
    boxes: str | None = "*annotations-bbox*.csv"
    """None: not read."""
    machine_labels: str | None = None
    """``*annotations-machine-imagelabels*.csv``: opinions of origin "model" with a score. None: neither these files
    nor a machine's rows in the others are read."""
    hierarchy: str | None = None
    """``bbox_labels_600_hierarchy.json``: what follows from a fact along it is yielded with origin "rule"."""
    without_file: Literal["skip", "keep"] = "skip"
    """Whether photos without a file are left out and counted, or kept with a null path."""
    fetch: Literal["original", "thumbnail"] | None = None
    """Fetch photos without a file into the root first: as uploaded (some MB) or of about 300,000 pixels. The
    published rotation is written into originals that have lost their EXIF, which then are upright everywhere."""
    fetch_rate: float = 5.0
    """Requests a second that a host gets at most."""
    vocabulary: str = "open_images"
    exhaustive: bool = field(default=False, init=False)
    unknown: Unknown = "ignore"
    folds: Folds = "all"

    def __post_init__(self) -> None:
        for name, allowed in {"without_file": ("skip", "keep"), "fetch": ("original", "thumbnail", None)}.items():
            if getattr(self, name) not in allowed:
                raise SourceError(f"{name} must be one of {', '.join(map(str, allowed))}, got {getattr(self, name)!r}")
        if self.fetch and "://" in self.root:
            raise SourceError(f"fetch needs a root that is a folder, got {self.root!r}; set fetch=null or another root")

    def chunks(self, skipped: Skipped) -> Iterator[Chunk]:
        """Yield first the photos, then their annotations, block by block; keys are ImageIDs and names are MIDs.

        Published train photos are "train" and test photos "test". Those of validation have no split, so that folds
        are dealt over them: they are not the test set of published figures, and "train" would not be true either.

        A box makes its label present. Where rows that follow each other say that a photo has a label and that it does
        not, neither counts; where labels and boxes disagree the boxes hold, because they come later.

        Counted as left out: photos listed twice or without a file, annotations of photos that are left out or not
        listed, a machine's opinions, labels that people are recorded to have verified again, contradictions.

        Raises:
            SourceError: If a file is missing, empty, cut off, not UTF-8 or lacks a column, or if a row is malformed.
        """
        album = _Album()
        for file in self._matching("images"):
            for photos in self._photos(file, album, skipped):
                yield Chunk(photos, ANNOTATIONS.empty_table(), file.name)
        hierarchy = Hierarchy.read(self._matching("hierarchy")[0]) if self.hierarchy else None
        for kind in ("human_labels", "boxes", "machine_labels"):
            for file in self._matching(kind):
                for annotations, photo in self._said(file, kind, album, skipped):
                    if hierarchy:
                        hierarchy.note(annotations, photo)
                    yield Chunk(PHOTOS.empty_table(), annotations, file.name)
        for annotations in hierarchy.derived(album.ids) if hierarchy else ():
            yield Chunk(PHOTOS.empty_table(), annotations)

    def _matching(self, setting: str) -> list[File]:
        """Return the files that a setting's pattern matches, none if it is None."""
        pattern = getattr(self, setting)
        if pattern is None:
            return []
        system, folder = url_to_fs(self.annotations or self.root)
        names = sorted(names_in(system, folder))
        found = [File(system, f"{folder}/{name}") for name in names if fnmatchcase(name, pattern)]
        if not found:
            there = ", ".join(name for name in names if name.endswith((".csv", ".json"))) or "nothing like it"
            null = "" if setting == "images" else f", or {setting}=null to do without"
            raise SourceError(f"{folder}: no file {pattern!r}, only {there[:500]}; set {setting} to its name{null}")
        return found

    def _photos(self, file: File, album: "_Album", skipped: Skipped) -> Iterator[pa.Table]:
        """Yield tables of photos, and remember them."""
        kinds = {"ImageID": TEXT, "Subset": WORD} | (_LINKS[self.fetch] if self.fetch else {})
        names, paths = self._photo_files()
        for block in blocks(file, kinds, {"Rotation": WORD} | _TITLES, many_lines=True):
            _refuse_swallowed(block, file)
            rows = _once_listed(block, album.ids, file, skipped)
            path = paths.take(places(pc.binary_join_element_wise(rows["ImageID"], ".jpg", ""), names))
            if self.fetch:
                path = self._fetched(rows, path, skipped)
            photos = self._turned(_photo_table(rows, path, file))
            kept = path.is_valid() if self.without_file == "skip" else pa.repeat(True, len(rows))
            if not self.fetch:
                count(skipped, "photo without a file", file, rows["ImageID"].filter(pc.invert(kept)))
            album.add(rows["ImageID"], kept)
            yield photos.filter(kept)

    def _turned(self, photos: pa.Table) -> pa.Table:
        """Return the photos with a rotation of 0 where the file itself says how it lies.

        It is written into originals that were fetched. Those of another root are not ours to change, and Flickr turns
        the thumbnails itself.
        """
        if is_url(self.root):
            return photos
        rotation = photos["rotation"].to_pylist()
        for row in np.flatnonzero(pc.fill_null(pc.not_equal(photos["rotation"], 0), False).to_numpy()).tolist():
            if (path := photos["path"][row].as_py()) is None:
                continue
            file = Path(self.root).expanduser() / path
            if write_rotation(file, rotation[row]) if self.fetch == "original" else says_how_it_lies(file):
                rotation[row] = 0
        field = PHOTOS.field("rotation")
        return photos.set_column(photos.column_names.index("rotation"), field, pa.array(rotation, field.type))

    def _photo_files(self) -> tuple[pa.Array, pa.Array]:
        """Return the names of the photos' files and their paths under the root; every folder is listed once."""
        system, root = url_to_fs(self.root)
        if self.without_file == "keep" and not system.isdir(root):
            return pa.array([], TEXT), pa.array([], TEXT)
        inside = {"": names_in(system, root)}
        inside |= {f"{subset}/": names_in(system, f"{root}/{subset}") for subset in set(SPLITS) & set(inside[""])}
        # ImageIDs are ASCII; other names may even be none that a table can hold.
        photos = [
            (name, folder + name)
            for folder, names in inside.items()
            for name in names
            if name.endswith(".jpg") and name.isascii()
        ]
        return pa.array([name for name, _ in photos], TEXT), pa.array([path for _, path in photos], TEXT)

    def _fetched(self, rows: pa.Table, path: pa.ChunkedArray, skipped: Skipped) -> pa.ChunkedArray:
        """Return the paths after fetching the photos that have none."""
        root = Path(self.root).expanduser()
        root.mkdir(parents=True, exist_ok=True)
        report = download(_requests(rows.filter(path.is_null())), root, rate=self.fetch_rate)
        for photo in report.filter(report["file"].is_null()).to_pylist():
            skipped.add(f"photo not fetched: {photo['outcome']}", f"{photo['key']}: {photo['reason']}")
        return pc.coalesce(path, report["file"].take(places(rows["ImageID"], report["key"])))

    def _said(self, file: File, kind: str, album: "_Album", skipped: Skipped) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Yield tables of annotations, and the number of the photo of each row."""
        kinds = {"ImageID": TEXT, "LabelName": WORD, "Confidence": WORD} | ({} if kind == "boxes" else {"Source": WORD})
        for rows in _whole_photos(blocks(file, kinds, {}, many_lines=False)):
            machine = _is_machine(rows, kind)
            scores = _scores(rows, machine, file, facts=(1,) if kind == "boxes" else (0, 1))
            unasked = machine & (self.machine_labels is None)
            count(skipped, "a machine's opinion", file, rows["ImageID"].filter(pa.array(unasked)))
            photo = album.find(rows["ImageID"], ~unasked, file, skipped)
            used = ~unasked & (photo >= 0)
            facts = np.flatnonzero(used & ~machine)
            agreed, again, against = _agreed(rows.take(pa.array(facts)), photo[facts], scores[facts])
            count(skipped, "label that a photo has and has not", file, against)
            if kind == "human_labels":  # Boxes repeat a label for every object.
                count(skipped, "label of a photo listed again", file, again)
            used = np.sort(np.concatenate([facts[agreed], np.flatnonzero(used & machine)]))
            yield _annotations(rows.take(pa.array(used)), machine[used], scores[used]), photo[used]


def class_descriptions(file: str) -> pa.Table:
    """Read what people call the labels: ``class-descriptions*.csv``, with a header line or, as in V4, without.

    Args:
        file: Path or fsspec URL.

    Returns:
        Strings, ``mid`` and ``name``.

    Raises:
        SourceError: If the file cannot be read, is empty or not UTF-8, or has a row of other than two columns.
    """
    described = File(*url_to_fs(file))
    rows = [(line, row) for line, row in described.rows(quoted=True) if row]
    if rows and not rows[0][1][0].startswith("/"):
        del rows[0]
    if not rows:
        raise SourceError(f"{described.name} describes no labels")
    for line, row in rows:
        if len(row) != 2:
            raise SourceError(f"{described.name}, line {line}: expected a MID and a name, got {row}")
    return pa.table([[row[place] for _, row in rows] for place in (0, 1)], names=["mid", "name"])


# Photos


@dataclass
class _Album:
    """The photos that were listed, in their order."""

    ids: pa.ChunkedArray = field(default_factory=lambda: pa.chunked_array([], TEXT))
    kept: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def add(self, ids: pa.ChunkedArray, kept: pa.Array | pa.ChunkedArray) -> None:
        self.ids = pa.chunked_array([*self.ids.chunks, *ids.chunks], TEXT)
        self.kept = np.concatenate([self.kept, as_numpy(kept)])

    def find(self, ids: pa.ChunkedArray, asked: np.ndarray, file: File, skipped: Skipped) -> np.ndarray:
        """Return the number of each photo, -1 if it is left out or not listed, which is counted where it is asked."""
        photo = as_numpy(places(ids, self.ids).fill_null(-1))
        # The last one answers for -1.
        kept = np.append(self.kept, True)[photo]
        count(skipped, "annotation of a photo that is not listed", file, ids.filter(pa.array(asked & (photo < 0))))
        count(skipped, "annotation of a photo that is left out", file, ids.filter(pa.array(asked & ~kept)))
        return np.where(kept, photo, -1)


def _once_listed(rows: pa.Table, listed: pa.ChunkedArray, file: File, skipped: Skipped) -> pa.Table:
    """Return the photos that are listed for the first time and have an ImageID."""
    ids = rows["ImageID"]
    first = np.zeros(len(rows), dtype=bool)
    first[np.unique(as_numpy(places(ids, ids.unique())), return_index=True)[1]] = True
    new = first & ~as_numpy(pc.is_in(ids, listed.combine_chunks()))
    nameless = as_numpy(pc.equal(ids, ""))
    count(skipped, "photo listed twice", file, ids.filter(pa.array(~new & ~nameless)))
    count(skipped, "photo without ImageID", file, ids.filter(pa.array(nameless)))
    return rows.filter(pa.array(new & ~nameless))


def _refuse_swallowed(rows: pa.Table, file: File) -> None:
    """Refuse titles that hold other rows; a title of several lines is fine."""
    for name in set(_TITLES) & set(rows.column_names):
        swallowed = pc.match_substring_regex(rows[name], _SWALLOWED)
        if pc.any(swallowed).as_py():
            photo = rows["ImageID"].filter(swallowed)[0]
            raise SourceError(f"{file.name}: the {name} of photo {str(photo)!r} has a quote that is not closed")


def _photo_table(rows: pa.Table, path: pa.ChunkedArray, file: File) -> pa.Table:
    photos = photo_table(rows["ImageID"], path, split=meanings_of(rows, "Subset", SPLITS, TEXT, file))
    if "Rotation" not in rows.column_names:
        return photos
    rotation = meanings_of(rows, "Rotation", _ROTATIONS, pa.int16(), file)
    return photos.set_column(PHOTOS.get_field_index("rotation"), PHOTOS.field("rotation"), rotation)


def _requests(rows: pa.Table) -> pa.Table:
    """Return what the downloader takes; a photo without a thumbnail has a null URL."""
    if "OriginalURL" not in rows.column_names:
        return rows.select(["ImageID", "Thumbnail300KURL"]).rename_columns(["key", "url"])
    return rows.select(["ImageID", *_LINKS["original"]]).rename_columns(["key", "url", "md5", "bytes"])


# Labels


def _whole_photos(blocks: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the same rows cut between photos, as far as the rows of a photo follow each other."""
    rest: list[pa.Table] = []
    for block in blocks:
        ids = block["ImageID"]
        last = as_numpy(pc.equal(ids, ids[-1]))
        start = len(last) - int(np.argmin(last[::-1])) if not last.all() else 0
        if start:
            yield pa.concat_tables([*rest, block.slice(0, start)]).unify_dictionaries().combine_chunks()
            rest = []
        rest.append(block.slice(start))
    if rest:
        yield pa.concat_tables(rest).unify_dictionaries().combine_chunks()


def _is_machine(rows: pa.Table, kind: str) -> np.ndarray:
    """Return which rows nobody verified; a box was drawn or confirmed by people."""
    if kind != "human_labels":
        return np.full(len(rows), kind == "machine_labels")
    return as_numpy(pc.equal(rows["Source"].cast(TEXT), "machine"))


def _scores(rows: pa.Table, machine: np.ndarray, file: File, *, facts: tuple[int, ...]) -> np.ndarray:
    """Return confidences: of an opinion 0..1, of a fact one of ``facts``."""
    codes, words = coded(rows["Confidence"])
    is_number = pc.match_substring_regex(words, r"^(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
    numbers = as_numpy(pc.if_else(is_number, words, "nan").cast(pa.float64()))
    scores = numbers[codes]
    fine = np.where(machine, (scores >= 0) & (scores <= 1), np.isin(scores, facts))
    if not fine.all():
        wrong = int(np.argmin(fine))
        wanted = "a number in 0..1" if machine[wrong] else " or ".join(map(str, facts))
        raise refused(rows, wrong, "Confidence", wanted, file)
    return scores


def _agreed(facts: pa.Table, photo: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, pa.Array, pa.Array]:
    """Return which facts to use, and photo and label of those listed again and of the contradictions.

    Of those that say the same the first is used, of contradictions none.
    """
    codes, words = coded(facts["LabelName"])
    pair = photo.astype(np.int64) * len(words) + codes
    order = np.argsort(pair, kind="stable")
    starts = np.flatnonzero(np.diff(pair[order], prepend=-1))
    if not len(starts):
        return starts, pa.array([], TEXT), pa.array([], TEXT)
    value = scores[order]
    agreed = np.minimum.reduceat(value, starts) == np.maximum.reduceat(value, starts)
    firsts = order[starts]
    is_again = np.repeat(agreed, np.diff(starts, append=len(order)))
    is_again[starts] = False
    return firsts[agreed], _pairs(facts, order[is_again]), _pairs(facts, firsts[~agreed])


def _pairs(facts: pa.Table, which: np.ndarray) -> pa.Array:
    """Return photo and label of some facts, in words."""
    rows = facts.take(pa.array(which))
    return pc.binary_join_element_wise(rows["ImageID"], rows["LabelName"].cast(TEXT), " ")


def _annotations(rows: pa.Table, machine: np.ndarray, scores: np.ndarray) -> pa.Table:
    opinion = pa.array(machine)
    return annotation_table(
        rows["ImageID"],
        rows["LabelName"].cast(TEXT),
        value=pa.array(np.where(machine | (scores == 1), PRESENT, ABSENT).astype(np.int8)),
        origin=pc.if_else(opinion, "model", "source"),
        score=pc.if_else(opinion, pa.array(scores), None),
        line=rows["line"],
    )
