"""COCO and everything that is exported like it: an ``instances_*.json`` and the folder of its photos (Lin et al. 2014).

Of an annotation only what it is of counts, not where or how often, and not whether it is a crowd (``iscrowd``): a
photo has the label if any instance of the category is on it. The categories that a file lists are what was looked for.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagger.data.sources.encoding import HEAD, encoding_of
from tagger.data.sources.paths import staying
from tagger.data.sources.source import NAMELESS, Chunk, Folds, Skipped, SourceError
from tagger.data.sources.tables import annotation_table, photo_table
from tagger.data.states import UNKNOWN, Unknown

_WAY_OUT = (
    "torchvision has no downloader for COCO: get annotations/annotations_trainval2017.zip and zips/train2017.zip from "
    "http://images.cocodataset.org and unpack both in the root"
)
# Polygons and boxes are nearly all of the file: dropped as soon as they are parsed, they never fill the memory.
_KEPT = frozenset({"images", "annotations", "categories", "id", "file_name", "name", "image_id", "category_id"})


@dataclass(frozen=True, kw_only=True)
class Coco:
    """One ``instances_*.json``: train and val are two sources."""

    root: str
    annotations: str = "annotations/instances_train2017.json"
    """The JSON, relative to the root, or an absolute path."""
    photos: str = "train2017"
    """Folder under the root that ``file_name`` is relative to; "" is the root itself."""
    split: Literal["train", "test"] | None = None
    """What all of these photos are, where folds are not dealt but as published."""
    vocabulary: str = "coco"
    exhaustive: bool = True
    unknown: Unknown = "ignore"
    folds: Folds = "all"

    def chunks(self, skipped: Skipped) -> Iterator[Chunk]:
        """Yield all photos and a row per photo and category on it.

        The key of a photo is its ``id``. Annotations of an image or a category that the file does not list, or without
        one, are counted as left out; on their photos what is not listed stays unknown. Counted are also photos whose
        ``file_name`` leaves the folder, with all their annotations, photos of one file, and annotations of one id.

        Raises:
            SourceError: If the file is missing, not JSON, or not like this; or if two images or categories share an
                id, so that nobody can know which of them the annotations mean.
        """
        file = Path(self.root).expanduser() / self.annotations
        content = _read(file)
        images = _table(content, "images", {"id": pa.int64(), "file_name": pa.string()}, file)
        categories = _table(content, "categories", {"id": pa.int64(), "name": pa.string()}, file)
        annotations = _said(content, skipped, file)
        del content
        if not len(images):
            raise SourceError(f"{file} lists no photos: its 'images' are empty")
        _refuse_repeats(images, "file_name", "images", file)
        _refuse_repeats(categories, "name", "categories", file)
        annotations = _of_known(annotations, "image_id", images["id"], skipped, file)
        _count_repeats(images, "file_name", "file of several photos", skipped, file)
        unreadable = annotations.filter(
            pc.invert(pc.is_in(annotations["category_id"], categories["id"].combine_chunks()))
        )
        annotations = _of_known(annotations, "category_id", categories["id"], skipped, file)
        kept = staying(images, "file_name", skipped, file)
        declared = tuple(categories["name"].unique().to_pylist())
        table = pa.concat_tables([_annotations(annotations, kept, categories), _nameless(unreadable, kept)])
        yield Chunk(self._photos(kept), table, str(file), declared)

    def _photos(self, images: pa.Table) -> pa.Table:
        path = images["file_name"]
        if folder := self.photos.strip("/"):
            path = pc.binary_join_element_wise(folder, path, "/")
        return photo_table(images["id"], path, split=self.split)


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as raw:
            encoding = encoding_of(raw.read(HEAD))
        with file.open(encoding=encoding) as opened:
            content = json.load(opened, object_hook=_lean)
    except FileNotFoundError:
        raise SourceError(f"{file} does not exist; {_WAY_OUT}") from None
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from error
    # Not JSON, not UTF-8, a number of too many digits, or too many brackets.
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{file} is not JSON ({error}); if it was cut off, download it again") from error
    if not isinstance(content, dict):
        raise SourceError(f"{file}: expected {{'images': …}}, got {type(content).__name__}")
    return content


def _lean(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key in _KEPT}


def _table(content: dict[str, Any], key: str, columns: dict[str, pa.DataType], file: Path) -> pa.Table:
    """Return some keys of the objects in a list, null in no row."""
    if not isinstance(content.get(key), list):
        has = sorted(content) or "none of COCO's keys"
        raise SourceError(f"{file}: no list {key!r}, only {has}; expected an instances_*.json, not one of captions")
    arrays = [_column(content[key], f"{key}", name, kind, file) for name, kind in columns.items()]
    return pa.table(arrays, names=list(columns))


def _column(entries: list[Any], key: str, name: str, kind: pa.DataType, file: Path) -> pa.Array:
    try:
        column = pa.array([entry[name] for entry in entries], kind)
        if not column.null_count:
            return column
    # KeyError: missing. TypeError: not an object. The others are Arrow's: another type, too large, half a character.
    except (KeyError, TypeError, ValueError, OverflowError):
        pass
    row, entry = next((row, entry) for row, entry in enumerate(entries) if not _fits(entry, name, kind))
    got = entry.get(name, "nothing") if isinstance(entry, dict) else entry
    raise SourceError(f"{file}: {key}[{row}] has no {name!r} of type {kind}, got {str(got)[:100]!a}")


def _fits(entry: Any, name: str, kind: pa.DataType) -> bool:
    try:
        return pa.array([entry[name]], kind).null_count == 0
    except (KeyError, TypeError, ValueError, OverflowError):
        return False


def _refuse_repeats(table: pa.Table, name: str, key: str, file: Path) -> None:
    counts = pc.value_counts(table["id"].combine_chunks())
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    if len(repeated):
        both = table.filter(pc.equal(table["id"], repeated[0]))[name].to_pylist()
        raise SourceError(
            f"{file}: {len(repeated)} ids stand for several {key}: {repeated[0]} is {both[0]!r} and {both[1]!r}; "
            "files that were joined need new ids, in 'annotations' too"
        )


def _said(content: dict[str, Any], skipped: Skipped, file: Path) -> pa.Table:
    """Return the columns image_id and category_id of the annotations; a category that cannot be read is null."""
    columns = {"image_id": pa.int64(), "category_id": pa.int64()}
    try:
        annotations = _table(content, "annotations", columns, file)
    except SourceError:
        entries = content.get("annotations")
        fine = [[_fits(entry, name, kind) for name, kind in columns.items()] for entry in entries or []]
        if not isinstance(entries, list) or not any(map(all, fine)):
            raise
        for row in (row for row, (has_image, _) in enumerate(fine) if not has_image):
            skipped.add("annotation without an image_id", f"{file}: annotations[{row}]")
        good = [
            (entry, has_category) for entry, (has_image, has_category) in zip(entries, fine, strict=True) if has_image
        ]
        rows = [(entry["image_id"], entry["category_id"] if has_category else None) for entry, has_category in good]
        annotations = pa.table(
            [pa.array(column, pa.int64()) for column in zip(*rows, strict=True)], names=list(columns)
        )
    ids = [entry.get("id") for entry in content["annotations"] if isinstance(entry, dict)]
    # As texts: a number of JSON may have more digits than those of a table.
    texts = pa.array([str(one) for one in ids if isinstance(one, int)], pa.string())
    _count_repeats(pa.table({"id": texts}), "id", "annotation listed again", skipped, file)
    return annotations


def _count_repeats(table: pa.Table, column: str, reason: str, skipped: Skipped, file: Path) -> None:
    counts = pc.value_counts(table[column].combine_chunks())
    again = pc.greater(counts.field("counts"), 1)
    for value, count in zip(
        counts.field("values").filter(again).to_pylist(), counts.field("counts").filter(again).to_pylist(), strict=True
    ):
        skipped.add(reason, f"{file}: {value}", times=count - 1)


def _of_known(annotations: pa.Table, column: str, listed: pa.ChunkedArray, skipped: Skipped, file: Path) -> pa.Table:
    known = pc.fill_null(pc.is_in(annotations[column], listed.combine_chunks()), False)
    for number in annotations[column].filter(pc.invert(known)).to_pylist():
        skipped.add(f"annotation of an unknown {column}", f"{file}: {column} {number}")
    return annotations.filter(known)


def _nameless(annotations: pa.Table, images: pa.Table) -> pa.Table:
    """Return a row for every photo that shows something that cannot be read."""
    keys = annotations["image_id"].unique()
    return annotation_table(keys.filter(pc.is_in(keys, images["id"].combine_chunks())), NAMELESS, value=UNKNOWN)


def _annotations(annotations: pa.Table, images: pa.Table, categories: pa.Table) -> pa.Table:
    """Return a row per photo and name, in the order of the photos; two categories of one name are one."""
    rows = pc.index_in(annotations["image_id"], images["id"].combine_chunks())
    annotations, rows = annotations.filter(rows.is_valid()), rows.drop_null().to_numpy().astype(np.int64)
    names = categories["name"].combine_chunks().dictionary_encode()
    of_category = pc.index_in(annotations["category_id"], categories["id"].combine_chunks())
    columns = names.indices.take(of_category.combine_chunks()).to_numpy()
    rows, columns = np.divmod(np.unique(rows * max(1, len(names.dictionary)) + columns), max(1, len(names.dictionary)))
    keys = images["id"].combine_chunks().take(pa.array(rows))
    return annotation_table(keys, names.dictionary.take(pa.array(columns)))
