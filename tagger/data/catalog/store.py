"""The catalog on disk: tables of Parquet parts that only grow, and a manifest that says which parts count.

    catalog.json              schema version, taxonomy, sources, batches, and the parts of each table
    photos/000001.parquet     a row per photo; the row number is how the other tables call it
    sightings/000001.parquet  a row per photo and source it was seen in, see tagger.data.catalog.sightings
    annotations/000001.parquet  a row per statement: who says what about which label of which photo

Writing adds parts beside the old ones, flushes them, and last renames a new manifest into place. A process killed at
any moment thus leaves the previous catalog, whole; parts that no manifest names are overwritten by the next writer.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tagger.atomic import write_text, written_whole
from tagger.errors import UserError
from tagger.lock import only_writer

SCHEMA_VERSION = 1

WORD = pa.dictionary(pa.int32(), pa.string())

TABLES = {
    "photos": pa.schema(
        {
            "photo_id": pa.string(),  # 32 hex digits: of the content, or without a file of the key
            "source": WORD,  # the source whose file this is
            "path": pa.string(),  # relative to the source's root; null if there is no file
            "width": pa.int32(),  # pixels, upright; null if there is no file
            "height": pa.int32(),
            "fold": pa.int8(),
            "split": WORD,  # train or test as published, or null
            "group": pa.int32(),  # row of the first photo that this one must share its fold with; its own if none
            "look": pa.binary(),  # perceptual fingerprint; null if there is no file
        }
    ),
    "sightings": pa.schema(
        {
            "photo": pa.int32(),  # null: the source lists this key no more, or at another path that follows
            "source": WORD,
            "key": pa.string(),
            "path": pa.string(),
        }
    ),
    "annotations": pa.schema(
        {
            "photo": pa.int32(),
            "label": WORD,
            "value": pa.int8(),  # PRESENT, ABSENT, or UNKNOWN where somebody takes a statement back or cannot say
            "origin": WORD,  # human | source | rule | model | product
            "source": WORD,
            "score": pa.float32(),  # of an opinion
            "annotator": WORD,  # of a human verdict
            "batch": pa.int32(),
        }
    ),
}
"""The tables and their columns."""

Part = Mapping[str, pa.Table]
"""Rows to add, by table; tables may be left out."""


class CatalogError(UserError):
    """A catalog that cannot be read or written; the message names it and the way out."""


@dataclass(frozen=True)
class Batch:
    """What one command added; undoing it takes its annotations out of sight, not off the disk."""

    number: int
    what: str
    when: str
    annotations: int
    undone: bool = False


@dataclass(frozen=True)
class Manifest:
    """What ``catalog.json`` says."""

    schema: int = SCHEMA_VERSION
    taxonomy: dict[str, str] = field(default_factory=dict)
    """Name and fingerprint of the label system that the annotations are written in."""
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Root, vocabulary, exhaustive, unknown and folds of every source."""
    parts: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in TABLES})
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))
    batches: list[Batch] = field(default_factory=list)


class CatalogStore:
    """A catalog's folder.

    Args:
        folder: Where it lies, or will lie after the first :meth:`append`.

    Raises:
        CatalogError: If there is a catalog that this version cannot read, or a damaged one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = self._read_manifest()

    @property
    def exists(self) -> bool:
        """Whether anything was ever appended."""
        return (self.folder / "catalog.json").is_file()

    @property
    def fingerprint(self) -> str:
        """Text that changes with every append, undo and redo."""
        return (self.folder / "catalog.json").read_text(encoding="utf-8") if self.exists else ""

    def table(self, name: str, columns: list[str] | None = None, *, parts: int | None = None) -> pa.Table:
        """Read a table, or its first ``parts`` parts; of annotations, those of undone batches too.

        Raises:
            CatalogError: If a part is missing or damaged.
        """
        read = [rows for _, rows in islice(self.parts(name, columns), parts)]
        return pa.concat_tables([_schema(name, columns).empty_table(), *read]).unify_dictionaries()

    def parts(self, name: str, columns: list[str] | None = None) -> Iterator[tuple[int, pa.Table]]:
        """Yield the number of the batch and the rows of every part of a table, the older ones first.

        Raises:
            CatalogError: If a part is missing or damaged.
        """
        for part in self.manifest.parts[name]:
            yield int(part.partition(".")[0]), self._read_part(name, part, _schema(name, columns))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other writers out; what they wrote before is read first.

        Raises:
            UserError: If another process is writing.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with only_writer(self.folder):
            self.manifest = self._read_manifest()
            yield

    def append(
        self,
        batches: Mapping[str, Part],
        *,
        taxonomy: dict[str, str] | None = None,
        sources: Mapping[str, dict[str, Any]] | None = None,
    ) -> list[Batch]:
        """Add batches of rows, all of them or none, and return those that held anything.

        Call it inside :meth:`locked`.

        Args:
            batches: Rows by table, by what they are, for people; the column ``batch`` of annotations is filled in here.
            taxonomy: Name and fingerprint of the label system, if they changed.
            sources: Settings of sources that are new or changed.
        """
        old = self.manifest
        parts, rows = dict(old.parts), dict(old.rows)
        added: list[Batch] = []
        for what, part in batches.items():
            number = len(old.batches) + len(added) + 1
            annotations = _with_batch(part.get("annotations", TABLES["annotations"].empty_table()), number)
            filled = {name: table for name, table in {**part, "annotations": annotations}.items() if len(table)}
            for name, table in filled.items():
                parts[name] = [*parts[name], self._write_part(name, table, number)]
                rows[name] += len(table)
            if filled:
                now = f"{datetime.now().astimezone():%Y-%m-%dT%H:%M:%S%z}"
                added.append(Batch(number, what, now, len(annotations)))
        taxonomy, sources = taxonomy or old.taxonomy, {**old.sources, **(sources or {})}
        if added or (taxonomy, sources) != (old.taxonomy, old.sources):
            known = [*old.batches, *added]
            self._commit(replace(old, taxonomy=taxonomy, sources=sources, parts=parts, rows=rows, batches=known))
        return added

    def undo(self, number: int, *, undone: bool = True) -> Batch:
        """Take the annotations of a batch out of sight, or bring them back.

        Raises:
            CatalogError: If there is no such batch.
        """
        batches = {batch.number: batch for batch in self.manifest.batches}
        if number not in batches:
            known = "; ".join(f"{batch.number}: {batch.what}, {batch.when}" for batch in batches.values()) or "none"
            raise CatalogError(f"{self.folder} has no batch {number}; the batches are {known}")
        batches[number] = replace(batches[number], undone=undone)
        self._commit(replace(self.manifest, batches=list(batches.values())))
        return batches[number]

    def _commit(self, manifest: Manifest) -> None:
        write_text(self.folder / "catalog.json", json.dumps(asdict(manifest), indent=1, ensure_ascii=False))
        self.manifest = manifest

    def _read_manifest(self) -> Manifest:
        path = self.folder / "catalog.json"
        if not path.is_file():
            return Manifest()
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
            found = int(tree["schema"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CatalogError(f"{path} is damaged ({error}); bring it back from a backup") from error
        if found != SCHEMA_VERSION:
            raise CatalogError(
                f"{path} has schema version {found}, this tagger reads {SCHEMA_VERSION}: "
                f"{'update tagger' if found > SCHEMA_VERSION else 'prepare the catalog anew in another folder'}"
            )
        return Manifest(**{**tree, "batches": [Batch(**batch) for batch in tree["batches"]]})

    def _read_part(self, table: str, part: str, schema: pa.Schema) -> pa.Table:
        path = self.folder / table / part
        try:
            # Not by read_table, which takes folders named a=b for columns.
            return pq.ParquetFile(path, memory_map=True).read(columns=schema.names).cast(schema)
        except (OSError, ValueError) as error:
            raise CatalogError(
                f"{path} is damaged or missing ({error}); bring it back from a backup, or prepare the catalog anew"
            ) from error

    def _write_part(self, name: str, table: pa.Table, number: int) -> str:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        part = f"{number:06d}.parquet"
        with written_whole(folder / part) as file:
            pq.write_table(table.select(TABLES[name].names).cast(TABLES[name]), file, compression="zstd")
        return part


def _schema(name: str, columns: list[str] | None) -> pa.Schema:
    schema = TABLES[name]
    return schema if columns is None else pa.schema([schema.field(column) for column in columns])


def _with_batch(annotations: pa.Table, number: int) -> pa.Table:
    """Return the annotations with their batch; missing columns are null."""
    columns = {
        name: annotations[name] if name in annotations.column_names else pa.nulls(len(annotations), type_)
        for name, type_ in zip(TABLES["annotations"].names, TABLES["annotations"].types, strict=True)
    }
    columns["batch"] = pa.repeat(pa.scalar(number, pa.int32()), len(annotations))
    return pa.table(columns)
