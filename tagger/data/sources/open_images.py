"""Open Images V4 to V7 as published: CSVs of photos, of verified labels and of boxes (Kuznetsova et al. 2020).

A photo has a label if people verified it or drew a box of it, and lacks it if people verified that; all else is
unknown, so the source is not exhaustive. What a machine proposed is an opinion, and left out unless it is asked for.

The files have millions of rows, so they are read block by block with Arrow's reader. Columns are found by name.
In the files of annotations a row is a line, whose number is known; a title in those of photos may have several lines.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from fsspec.core import url_to_fs
from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, open_csv
from scipy.sparse import csr_array

from tagger.data.catalog.standing import completed
from tagger.data.sources.download import download
from tagger.data.sources.source import ANNOTATIONS, PHOTOS, Chunk, Skipped, SourceError
from tagger.data.sources.tables import annotation_table, photo_table
from tagger.data.states import ABSENT, PRESENT, Unknown

BLOCK = 32 << 20
"""Bytes of a file that are read at a time."""

SPLITS = {"train": "train", "validation": None, "test": "test"}
"""What the published subsets are to us."""

Kinds = dict[str, pa.DataType]
"""Columns to read, by their name in the file."""

_TEXT, _WORD = pa.string(), pa.dictionary(pa.int32(), pa.string())
# As bytes: a title in another encoding does no harm.
_TITLES: Kinds = {"Title": pa.binary(), "Author": pa.binary()}
_LINKS: dict[str, Kinds] = {
    "original": {"OriginalURL": _TEXT, "OriginalMD5": _TEXT, "OriginalSize": _TEXT},
    "thumbnail": {"Thumbnail300KURL": _TEXT},
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
    """Fetch photos without a file into the root first: as uploaded (some MB) or of about 300,000 pixels."""
    fetch_rate: float = 5.0
    """Requests a second that a host gets at most."""
    vocabulary: str = "open_images"
    exhaustive: bool = field(default=False, init=False)
    unknown: Unknown = "ignore"

    def __post_init__(self) -> None:
        for name, allowed in {"without_file": ("skip", "keep"), "fetch": ("original", "thumbnail", None)}.items():
            if getattr(self, name) not in allowed:
                raise SourceError(f"{name} must be one of {', '.join(map(str, allowed))}, got {getattr(self, name)!r}")
        if self.fetch and "://" in self.root:
            raise SourceError(f"fetch needs a root that is a folder, got {self.root!r}; set fetch=null or another root")

    def chunks(self, skipped: Skipped) -> Iterator[Chunk]:
        """Yield first the photos, then what is said of them, block by block; keys are ImageIDs and names are MIDs.

        Published train photos are "train" and test photos "test". Those of validation have no split, so that folds
        are dealt over them: they are not the test set of published figures, and "train" would not be true either.

        A box makes its label present. Where rows that follow each other say that a photo has a label and that it does
        not, neither counts; where labels and boxes disagree the boxes hold, because they come later.

        Counted as left out: photos listed twice or without a file, what is said of photos that are left out or not
        listed, a machine's opinions, contradictions.

        Raises:
            SourceError: If a file is missing, empty, cut off, not UTF-8 or lacks a column, or if a row is malformed.
        """
        album = _Album()
        for file in self._matching("images"):
            for photos in self._photos(file, album, skipped):
                yield Chunk(photos, ANNOTATIONS.empty_table(), file.name)
        hierarchy = _Hierarchy.read(self._matching("hierarchy")[0]) if self.hierarchy else None
        for kind in ("human_labels", "boxes", "machine_labels"):
            for file in self._matching(kind):
                for said, photo in self._said(file, kind, album, skipped):
                    if hierarchy:
                        hierarchy.note(said, photo)
                    yield Chunk(PHOTOS.empty_table(), said, file.name)
        for said in hierarchy.derived(album.ids) if hierarchy else ():
            yield Chunk(PHOTOS.empty_table(), said)

    def _matching(self, setting: str) -> list["_File"]:
        """Return the files that a setting's pattern matches, none if it is None."""
        pattern = getattr(self, setting)
        if pattern is None:
            return []
        system, folder = url_to_fs(self.annotations or self.root)
        names = sorted(_names(system, folder))
        found = [_File(system, f"{folder}/{name}") for name in names if fnmatchcase(name, pattern)]
        if not found:
            there = ", ".join(name for name in names if name.endswith((".csv", ".json"))) or "nothing like it"
            null = "" if setting == "images" else f", or {setting}=null to do without"
            raise SourceError(f"{folder}: no file {pattern!r}, only {there[:500]}; set {setting} to its name{null}")
        return found

    def _photos(self, file: "_File", album: "_Album", skipped: Skipped) -> Iterator[pa.Table]:
        """Yield tables of photos, and remember them."""
        kinds = {"ImageID": _TEXT, "Subset": _WORD} | (_LINKS[self.fetch] if self.fetch else {})
        names, paths = self._photo_files()
        for block in _blocks(file, kinds, {"Rotation": _WORD} | _TITLES, many_lines=True):
            _refuse_swallowed(block, file)
            rows = _once_listed(block, album.ids, file, skipped)
            path = paths.take(_places(pc.binary_join_element_wise(rows["ImageID"], ".jpg", ""), names))
            if self.fetch:
                path = self._fetched(rows, path, skipped)
            photos = _photo_table(rows, path, file)
            kept = path.is_valid() if self.without_file == "skip" else pa.repeat(True, len(rows))
            if not self.fetch:
                _count(skipped, "photo without a file", file, rows["ImageID"].filter(pc.invert(kept)))
            album.add(rows["ImageID"], kept)
            yield photos.filter(kept)

    def _photo_files(self) -> tuple[pa.Array, pa.Array]:
        """Return the names of the photos' files and their paths under the root; every folder is listed once."""
        system, root = url_to_fs(self.root)
        if self.without_file == "keep" and not system.isdir(root):
            return pa.array([], _TEXT), pa.array([], _TEXT)
        inside = {"": _names(system, root)}
        inside |= {f"{subset}/": _names(system, f"{root}/{subset}") for subset in set(SPLITS) & set(inside[""])}
        # ImageIDs are ASCII; other names may even be none that a table can hold.
        photos = [
            (name, folder + name)
            for folder, names in inside.items()
            for name in names
            if name.endswith(".jpg") and name.isascii()
        ]
        return pa.array([name for name, _ in photos], _TEXT), pa.array([path for _, path in photos], _TEXT)

    def _fetched(self, rows: pa.Table, path: pa.ChunkedArray, skipped: Skipped) -> pa.ChunkedArray:
        """Return the paths after fetching the photos that have none."""
        root = Path(self.root).expanduser()
        root.mkdir(parents=True, exist_ok=True)
        report = download(_requests(rows.filter(path.is_null())), root, rate=self.fetch_rate)
        for photo in report.filter(report["file"].is_null()).to_pylist():
            skipped.add(f"photo not fetched: {photo['outcome']}", f"{photo['key']}: {photo['reason']}")
        return pc.coalesce(path, report["file"].take(_places(rows["ImageID"], report["key"])))

    def _said(
        self, file: "_File", kind: str, album: "_Album", skipped: Skipped
    ) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Yield tables of annotations, and the number of the photo of each row."""
        kinds = {"ImageID": _TEXT, "LabelName": _WORD, "Confidence": _WORD} | (
            {} if kind == "boxes" else {"Source": _WORD}
        )
        for rows in _whole_photos(_blocks(file, kinds, {}, many_lines=False)):
            machine = _is_machine(rows, kind)
            scores = _scores(rows, machine, file, facts=(1,) if kind == "boxes" else (0, 1))
            unasked = machine & (self.machine_labels is None)
            _count(skipped, "a machine's opinion", file, rows["ImageID"].filter(pa.array(unasked)))
            photo = album.find(rows["ImageID"], ~unasked, file, skipped)
            used = ~unasked & (photo >= 0)
            facts = np.flatnonzero(used & ~machine)
            agreed, against = _agreed(rows.take(pa.array(facts)), photo[facts], scores[facts])
            _count(skipped, "label that a photo has and has not", file, against)
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
    described = _File(*url_to_fs(file))
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

    ids: pa.ChunkedArray = field(default_factory=lambda: pa.chunked_array([], _TEXT))
    kept: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def add(self, ids: pa.ChunkedArray, kept: pa.Array | pa.ChunkedArray) -> None:
        self.ids = pa.chunked_array([*self.ids.chunks, *ids.chunks], _TEXT)
        self.kept = np.concatenate([self.kept, _numpy(kept)])

    def find(self, ids: pa.ChunkedArray, asked: np.ndarray, file: "_File", skipped: Skipped) -> np.ndarray:
        """Return the number of each photo, -1 if it is left out or not listed, which is counted where it is asked."""
        photo = _numpy(_places(ids, self.ids).fill_null(-1))
        # The last one answers for -1.
        kept = np.append(self.kept, True)[photo]
        _count(skipped, "annotation of a photo that is not listed", file, ids.filter(pa.array(asked & (photo < 0))))
        _count(skipped, "annotation of a photo that is left out", file, ids.filter(pa.array(asked & ~kept)))
        return np.where(kept, photo, -1)


def _once_listed(rows: pa.Table, listed: pa.ChunkedArray, file: "_File", skipped: Skipped) -> pa.Table:
    """Return the photos that are listed for the first time and have an ImageID."""
    ids = rows["ImageID"]
    first = np.zeros(len(rows), dtype=bool)
    first[np.unique(_numpy(_places(ids, ids.unique())), return_index=True)[1]] = True
    new = first & ~_numpy(pc.is_in(ids, listed.combine_chunks()))
    nameless = _numpy(pc.equal(ids, ""))
    _count(skipped, "photo listed twice", file, ids.filter(pa.array(~new & ~nameless)))
    _count(skipped, "photo without ImageID", file, ids.filter(pa.array(nameless)))
    return rows.filter(pa.array(new & ~nameless))


def _refuse_swallowed(rows: pa.Table, file: "_File") -> None:
    """Refuse titles that hold other rows; a title of several lines is fine."""
    for name in set(_TITLES) & set(rows.column_names):
        swallowed = pc.match_substring_regex(rows[name], _SWALLOWED)
        if pc.any(swallowed).as_py():
            photo = rows["ImageID"].filter(swallowed)[0]
            raise SourceError(f"{file.name}: the {name} of photo {str(photo)!r} has a quote that is not closed")


def _photo_table(rows: pa.Table, path: pa.ChunkedArray, file: "_File") -> pa.Table:
    photos = photo_table(rows["ImageID"], path, split=_read_words(rows, "Subset", SPLITS, _TEXT, file))
    if "Rotation" not in rows.column_names:
        return photos
    rotation = _read_words(rows, "Rotation", _ROTATIONS, pa.int16(), file)
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
        last = _numpy(pc.equal(ids, ids[-1]))
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
    return _numpy(pc.equal(rows["Source"].cast(_TEXT), "machine"))


def _scores(rows: pa.Table, machine: np.ndarray, file: "_File", *, facts: tuple[int, ...]) -> np.ndarray:
    """Return confidences: of an opinion 0..1, of a fact one of ``facts``."""
    codes, words = _coded(rows["Confidence"])
    is_number = pc.match_substring_regex(words, r"^(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
    numbers = _numpy(pc.if_else(is_number, words, "nan").cast(pa.float64()))
    scores = numbers[codes]
    fine = np.where(machine, (scores >= 0) & (scores <= 1), np.isin(scores, facts))
    if not fine.all():
        wrong = int(np.argmin(fine))
        wanted = "a number in 0..1" if machine[wrong] else " or ".join(map(str, facts))
        raise _refused(rows, wrong, "Confidence", wanted, file)
    return scores


def _agreed(facts: pa.Table, photo: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, pa.Array]:
    """Return which facts to use, and photo and label of the contradictions.

    Of those that say the same the first is used, of contradictions none.
    """
    codes, words = _coded(facts["LabelName"])
    pair = photo.astype(np.int64) * len(words) + codes
    order = np.argsort(pair, kind="stable")
    starts = np.flatnonzero(np.diff(pair[order], prepend=-1))
    if not len(starts):
        return starts, pa.array([], _TEXT)
    value = scores[order]
    agreed = np.minimum.reduceat(value, starts) == np.maximum.reduceat(value, starts)
    firsts = order[starts]
    against = facts.take(pa.array(firsts[~agreed]))
    return firsts[agreed], pc.binary_join_element_wise(against["ImageID"], against["LabelName"].cast(_TEXT), " ")


def _annotations(rows: pa.Table, machine: np.ndarray, scores: np.ndarray) -> pa.Table:
    opinion = pa.array(machine)
    return annotation_table(
        rows["ImageID"],
        rows["LabelName"].cast(_TEXT),
        value=pa.array(np.where(machine | (scores == 1), PRESENT, ABSENT).astype(np.int8)),
        origin=pc.if_else(opinion, "model", "source"),
        score=pc.if_else(opinion, pa.array(scores), None),
        line=rows["line"],
    )


# What follows


@dataclass
class _Hierarchy:
    """What facts imply: a parent of what is present is present, a child of what is absent is absent.

    A part is no child: a photo of a wheel need not show the car. Neither is the root of all, "Entity", a label.
    """

    mids: pa.Array
    follows: np.ndarray
    """Boolean (labels, labels), row i the labels that are true whenever label i is."""
    noted: list[tuple[np.ndarray, ...]] = field(default_factory=list)
    """Number of the photo, of the label, and the value of every fact: seven bytes each, since a photo's facts may be
    in several files."""

    @classmethod
    def read(cls, file: "_File") -> "_Hierarchy":
        try:
            root = json.loads(file.read())
            edges = sorted(_edges(root))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SourceError(f"{file.name}: expected nested LabelName, Subcategory and Part, got {error!r}") from error
        mids = sorted({mid for edge in edges for mid in edge})
        follows = np.eye(len(mids), dtype=bool)
        for child, parent in edges:
            follows[mids.index(child), mids.index(parent)] = True
        for _ in range(len(mids).bit_length()):
            follows = (follows.astype(np.float32) @ follows.astype(np.float32)) > 0
        if (circle := np.flatnonzero((follows & follows.T).sum(axis=1) > 1)).size:
            raise SourceError(f"{file.name}: {mids[circle[0]]!r} is below itself")
        return cls(pa.array(mids, _TEXT), follows)

    def note(self, said: pa.Table, photo: np.ndarray) -> None:
        """Remember the facts about labels of the hierarchy."""
        label = _numpy(_places(said["name"], self.mids).fill_null(-1))
        facts = (label >= 0) & _numpy(pc.equal(said["origin"], "source"))
        columns = ((photo, np.int32), (label, np.int16), (_numpy(said["value"]), np.int8))
        self.noted.append(tuple(column[facts].astype(kind) for column, kind in columns))

    def derived(self, ids: pa.ChunkedArray, *, photos: int = 1 << 16) -> Iterator[pa.Table]:
        """Yield what follows and was not said, for so many photos at a time.

        What follows both ways (from a child that is present, and from a parent that is absent) is not yielded.
        """
        photo, label, value = (np.concatenate(columns) for columns in zip(*self.noted, strict=True))
        # Stable: of two statements the later one stays later.
        order = np.argsort(photo, kind="stable")
        photo, label, value = photo[order], label[order], value[order]
        for start in range(0, len(ids), photos):
            part = slice(*np.searchsorted(photo, [start, start + photos]))
            new = self._new(photo[part] - start, label[part], value[part], photos)
            yield annotation_table(
                ids.take(pa.array(new.row + start)),
                self.mids.take(pa.array(new.col)),
                value=pa.array(new.data),
                origin="rule",
            )

    def _new(self, photo: np.ndarray, label: np.ndarray, value: np.ndarray, photos: int) -> Any:
        pair = photo.astype(np.int64) * len(self.mids) + label
        # The last statement about a pair is the first one from behind.
        subject, last = np.unique(pair[::-1], return_index=True)
        where = np.divmod(subject, len(self.mids))
        said = csr_array((value[::-1][last], where), shape=(photos, len(self.mids)))
        # completed() leaves what was said as it was.
        new = completed(said, self.follows) - said
        new.eliminate_zeros()
        return new.tocoo()


def _edges(root: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the MIDs of every child and its parent."""
    nodes = [root]
    while nodes:
        node = nodes.pop()
        for child in node.get("Subcategory", ()):
            if node is not root:
                yield str(child["LabelName"]), str(node["LabelName"])
        nodes += [*node.get("Subcategory", ()), *node.get("Part", ())]


# Files


@dataclass(frozen=True)
class _File:
    """A file, wherever it is."""

    system: Any
    path: str

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.path if "file" in self.system.protocol else str(self.system.unstrip_protocol(self.path))

    def open(self) -> Any:
        try:
            return self.system.open(self.path, "rb")
        except OSError as error:
            raise SourceError(f"{self.name} cannot be read: {error.strerror or error}") from error

    def first_line(self) -> str:
        """Return the first line, without a byte-order mark."""
        with self.open() as opened:
            return str(opened.readline().decode("utf-8-sig", "replace"))

    def read(self) -> bytes:
        with self.open() as opened:
            return bytes(opened.read())

    def rows(self, *, quoted: bool, errors: str = "strict") -> Iterator[tuple[int, list[str]]]:
        """Yield the rows of a CSV with the lines that they end on, one by one; ``errors`` are those of ``decode``.

        Raises:
            SourceError: If a line is not UTF-8, or a quote is not closed.
        """
        line = 0
        with self.open() as opened:
            lines = (text.decode("utf-8" if number else "utf-8-sig", errors) for number, text in enumerate(opened))
            reader = csv.reader(lines, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, strict=True)
            try:
                for row in reader:
                    line = reader.line_num
                    yield line, row
            except (csv.Error, UnicodeDecodeError) as error:
                fault = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
                raise SourceError(f"{self.name}, line {line + 1}: {fault}; download the file again") from error


def _names(system: Any, folder: str) -> list[str]:
    """Return the names of what is in a folder."""
    try:
        return [path.rsplit("/", 1)[-1] for path in system.ls(folder, detail=False)]
    except OSError as error:
        way_out = "set root and annotations to the folders of the photos and of the CSVs"
        raise SourceError(f"{folder} cannot be listed: {error.strerror or error}; {way_out}") from error


def _blocks(file: _File, columns: Kinds, optional: Kinds, *, many_lines: bool) -> Iterator[pa.Table]:
    """Yield some columns of a CSV block by block; unless a row may have many lines, its number is ``line``.

    Empty lines have no row.
    """
    # As published nothing is quoted there. A stray quote is then a character like others, and swallows nothing.
    quoted = many_lines or file.first_line().startswith('"')
    rows = file.rows(quoted=quoted, errors="replace")
    _, header = next(rows, (1, []))
    kinds = {**columns, **{name: kind for name, kind in optional.items() if name in header}}
    for name in kinds:
        if header.count(name) != 1:
            found = "two columns" if name in header else "no column"
            raise SourceError(f"{file.name}, line 1: {found} {name!r}; the columns are {header}")
    if not any(any(row) for _, row in rows):
        raise SourceError(f"{file.name} has no row below its header; download it again")
    parse = ParseOptions(quote_char=quoted and '"', newlines_in_values=many_lines, ignore_empty_lines=False)
    convert = ConvertOptions(include_columns=list(kinds), column_types=dict(kinds))
    line = 2
    try:
        with file.open() as opened, open_csv(opened, ReadOptions(block_size=BLOCK), parse, convert) as reader:
            for batch in reader:
                block = pa.table(batch)
                if not many_lines:
                    block = block.append_column("line", pa.array(np.arange(line, line + len(block))))
                line += len(block)
                yield from _filled(block, kinds)
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(file, len(header), str(error), quoted=quoted) from error


def _filled(rows: pa.Table, kinds: Kinds) -> Iterator[pa.Table]:
    """Yield the rows that are not those of empty lines, if there are any."""
    empty = pc.equal(rows["ImageID"], "")
    if pc.any(empty).as_py():
        for name in kinds:
            empty = pc.and_(empty, pc.equal(rows[name].cast(_TEXT), ""))
        rows = rows.filter(pc.invert(empty))
    if len(rows):
        yield rows


def _unreadable(file: _File, columns: int, error: str, *, quoted: bool) -> SourceError:
    """Say where the file is wrong, which Arrow does not know: it is read again, row by row."""
    errors = "strict" if "UTF8" in error else "replace"
    for line, row in file.rows(quoted=quoted, errors=errors):
        if row and len(row) != columns:
            shown = str(row)[:300]
            return SourceError(f"{file.name}, line {line}: expected {columns} columns, got {len(row)}: {shown}")
    return SourceError(f"{file.name} cannot be read: {error}; download it again")


# Columns


def _read_words(
    rows: pa.Table, column: str, meanings: Mapping[str, Any], kind: pa.DataType, file: _File
) -> pa.ChunkedArray:
    """Return what the cells mean; refuse those that mean nothing."""
    codes, words = _coded(rows[column])
    known = np.array([word in meanings for word in words.to_pylist()], dtype=bool)[codes]
    if not known.all():
        raise _refused(rows, int(np.argmin(known)), column, " or ".join(map(repr, meanings)), file)
    return pa.array([meanings[word] for word in words.to_pylist()], kind).take(pa.array(codes))


def _refused(rows: pa.Table, row: int, column: str, wanted: str, file: _File) -> SourceError:
    cells = {name: cell[0] for name, cell in rows.slice(row, 1).to_pydict().items()}
    line = f", line {cells['line']}" if "line" in cells else ""
    place = f"{file.name}{line}, column {column}"
    return SourceError(f"{place}: expected {wanted}, got {cells[column]!r} for photo {cells['ImageID']!r}")


def _coded(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Return the codes of a dictionary column, and the words that they stand for."""
    coded = column.unify_dictionaries().combine_chunks()
    if isinstance(coded, pa.ChunkedArray):  # it had no chunks
        coded = pa.array([], _WORD)
    return _numpy(coded.indices), coded.dictionary


def _places(wanted: pa.Array | pa.ChunkedArray, among: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return where each string is first among others, null if it is not."""
    return pc.index_in(wanted, among.combine_chunks() if isinstance(among, pa.ChunkedArray) else among)


def _numpy(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    return np.asarray(
        column.to_numpy() if isinstance(column, pa.ChunkedArray) else column.to_numpy(zero_copy_only=False)
    )


def _count(skipped: Skipped, reason: str, file: _File, examples: pa.Array | pa.ChunkedArray) -> None:
    """Count all, and show the first of them."""
    first = examples.slice(0, 5).to_pylist()
    for number, example in enumerate(first):
        skipped.add(reason, f"{file.name}: {example}", times=1 if number else len(examples) - len(first) + 1)
