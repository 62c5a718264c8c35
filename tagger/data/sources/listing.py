"""Photos in a folder and a CSV that lists their labels: ``images/``, ``labels.csv`` and, optionally, ``splits.csv``.

``labels.csv`` has the columns ``image`` and ``labels`` (names joined by ``|``) and, where annotators looked for labels
that are not there, ``absent``.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv
from scipy.sparse import csr_array, lil_array

from tagger.data.catalog import Catalog
from tagger.data.states import ABSENT, PRESENT, UNKNOWN
from tagger.data.taxonomy import Taxonomy
from tagger.errors import UserError


class SourceError(UserError):
    """A source that cannot be read; the message names the file, the place and the way out."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Where a listed data set lies and what it means when a label is not listed."""

    folder: str
    """Folder under the root, for instance ``corel5k``."""
    unlisted: Literal["unknown", "absent"]
    """State of a label that a photo's row does not name."""
    group: str | None = None
    """Column of ``splits.csv`` whose photos stay in one fold, for instance ``cd_folder``."""

    def read(self, root: str | None, taxonomy: Taxonomy) -> Catalog:
        """Read the listing under ``root``.

        Raises:
            SourceError: If the folder is missing, no photo is listed, or a row names a photo twice or a label that the
                taxonomy does not have.
        """
        base = self.locate(root)
        rows = _read_csv(base / "labels.csv", required=("image", "labels"))
        if not rows:
            raise SourceError(f"{base / 'labels.csv'} lists no photos: it has no row below its header")
        names = [row["image"] for _, row in rows]
        _refuse_repeats(names, base / "labels.csv")
        unlisted = ABSENT if self.unlisted == "absent" else UNKNOWN
        states = _states(rows, taxonomy, base / "labels.csv", unlisted=unlisted)
        columns = {"path": pa.array([f"images/{name}" for name in names])}
        columns |= _split_columns(base / "splits.csv", names, self.group)
        truth = _truth(base / "truth.csv", names, taxonomy)
        return Catalog(taxonomy, base, pa.table(columns), states, truth)

    def locate(self, root: str | None) -> Path:
        """Return the folder of the data set, or say what was looked for and how to point to it."""
        way_out = "set data.root=<folder> or the environment variable TAGGER_DATA to the folder that holds it"
        if not root:
            raise SourceError(f"data set {self.folder!r} needs a root folder: {way_out}")
        base = Path(root).expanduser().absolute() / self.folder
        for part in (base, base / "images", base / "labels.csv"):
            if not part.exists():
                raise SourceError(f"data set {self.folder!r}: looked for {part}, which does not exist; {way_out}")
        return base


def _read_csv(path: Path, required: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """Return (line number, row) of every row; a byte-order mark and Windows line ends are fine."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in required if name not in (reader.fieldnames or ())]
            if missing:
                raise SourceError(f"{path}, line 1: no column {missing[0]!r}; the columns are {reader.fieldnames}")
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    raise SourceError(
                        f"{path}, line {reader.line_num}: expected {len(reader.fieldnames or ())} columns "
                        f"{reader.fieldnames}, got {list(row.values())}"
                    )
                rows.append((reader.line_num, row))
            return rows
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    except csv.Error as error:
        raise SourceError(f"{path}, line {reader.line_num}: {error}") from error


def _refuse_repeats(names: list[str], path: Path) -> None:
    seen: set[str] = set()
    for line, name in enumerate(names, 2):
        if name in seen:
            raise SourceError(f"{path}, line {line}, column image: photo {name!r} is listed twice")
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise SourceError(f"{path}, line {line}, column image: {name!r} leaves the folder images/")
        seen.add(name)


def _labels(cell: str, taxonomy: Taxonomy, place: str) -> Iterator[int]:
    for name in filter(None, (part.strip() for part in cell.split("|"))):
        if name not in taxonomy.columns:
            near = taxonomy.nearest(name)
            hint = f"; did you mean {near!r}?" if near else ""
            raise SourceError(f"{place}: label {name!r} is not in the taxonomy {taxonomy.name!r}{hint}")
        yield taxonomy.columns[name]


def _states(rows: list[tuple[int, dict[str, str]]], taxonomy: Taxonomy, path: Path, *, unlisted: int) -> csr_array:
    """Return the (photos, labels) states; a label that a row lists twice counts once."""
    shape = (len(rows), len(taxonomy))
    states = lil_array(shape, dtype=np.int8) if unlisted == UNKNOWN else np.full(shape, unlisted, dtype=np.int8)
    for number, (line, row) in enumerate(rows):
        present = set(_labels(row["labels"], taxonomy, f"{path}, line {line}, column labels"))
        absent = set(_labels(row.get("absent", ""), taxonomy, f"{path}, line {line}, column absent"))
        for label in present & absent:
            name = taxonomy.ids[label]
            raise SourceError(f"{path}, line {line}: label {name!r} is both in 'labels' and in 'absent'")
        for state, labels in ((PRESENT, present), (ABSENT, absent)):
            states[number, sorted(labels)] = state
    return csr_array(states)


def _truth(path: Path, names: list[str], taxonomy: Taxonomy) -> csr_array | None:
    if not path.is_file():
        return None
    rows = _read_csv(path, required=("image", "labels"))
    if [row["image"] for _, row in rows] != names:
        raise SourceError(f"{path}: its photos are not those of labels.csv, in the same order")
    return _states(rows, taxonomy, path, unlisted=ABSENT)


def _split_columns(path: Path, names: list[str], group: str | None) -> dict[str, pa.Array]:
    if not path.is_file():
        return {}
    rows = {row["image"]: row for _, row in _read_csv(path, required=("image", "split"))}
    missing = next((name for name in names if name not in rows), None)
    if missing is not None:
        raise SourceError(f"{path}: photo {missing!r} of labels.csv has no row")
    wanted = {"split": "split"} | ({"group": group} if group else {})
    return {name: pa.array([rows[photo][column] for photo in names]) for name, column in wanted.items()}
