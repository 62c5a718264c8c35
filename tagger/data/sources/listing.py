"""Photos in a folder and a CSV that lists their labels: ``images/``, ``labels.csv`` and, optionally, ``splits.csv``.

``labels.csv`` has one of two layouts. ``wide``: a row per photo, with the columns ``image`` and ``labels`` (names
joined by ``|``) and, where annotators looked for labels that are not there, ``absent``. ``long``: a row per photo and
label, with, optionally, ``value`` (1 present, 0 absent) and ``score``. Without a CSV there is a third, ``folders``: the
name of each sub-folder is the label of the photos in it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from tagger.data.catalog import Catalog
from tagger.data.normal_form import all_as_on_disk, as_on_disk
from tagger.data.sources.csv_table import TAB, CsvFormat, read_csv
from tagger.data.sources.paths import photos_by_folder
from tagger.data.sources.source import ANNOTATIONS, Chunk, Folds, Skipped, SourceError
from tagger.data.sources.tables import annotation_table, photo_table
from tagger.data.states import ABSENT, PRESENT, Unknown
from tagger.data.storage import leaving
from tagger.data.taxonomy import Taxonomy

Listed = tuple[pa.Array, pa.Table]
"""The names of the photos, in their order, and their annotations: schema ``ANNOTATIONS``, ``key`` a name."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Where a listed data set lies, how its list is written, and what it means when a label is not listed."""

    folder: str
    """Folder under the root, for instance ``corel5k``."""
    unlisted: Literal["unknown", "absent"]
    """State of a label that a photo's row does not name."""
    group: str | None = None
    """Column of ``splits.csv`` whose photos stay in one fold, for instance ``cd_folder``."""
    root: str | None = None
    vocabulary: str = ""
    """Empty where the names are those of the taxonomy itself."""
    unknown: Unknown = "ignore"
    folds: Folds = "all"
    looked_for: Sequence[str] | None = None
    """Names that people looked for on every photo, where unlisted ones are absent. None: all of the label system or, if
    it has them, of the vocabulary; in the layout ``folders``, the names of the folders."""
    layout: Literal["wide", "long", "folders"] = "wide"
    photo_column: str = "image"
    labels_column: str = "labels"
    absent_column: str = "absent"
    """May be missing from the file; so may the two below."""
    value_column: str = "value"
    score_column: str = "score"
    """A row with a score, 0..1, is an opinion and not a fact."""
    separator: str = "|"
    """What stands between two labels of a cell, in the wide layout."""
    delimiter: str | None = None
    """What stands between two columns, ``'\\t'`` for a tab; None: found by the names of the columns."""
    quote: str = '"'
    encoding: str | None = None
    """None: UTF-8, or UTF-16 if the first bytes say so."""

    def __post_init__(self) -> None:
        choices = {"unlisted": ("unknown", "absent"), "layout": ("wide", "long", "folders")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise SourceError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if self.separator == TAB:
            object.__setattr__(self, "separator", "\t")
        if not self.separator:
            raise SourceError("separator must not be empty: it stands between two labels")
        if self.looked_for is not None:
            if isinstance(self.looked_for, str) or not all(isinstance(name, str) for name in self.looked_for):
                raise SourceError(f"looked_for must be a list of names, each in quotes, got {self.looked_for!r}")
            if not self.exhaustive:
                raise SourceError("looked_for says what is absent where it is not listed: set unlisted=absent too")
        _ = self._form

    @property
    def exhaustive(self) -> bool:
        """Whether a label that is not listed is absent."""
        return self.unlisted == "absent"

    def chunks(self, skipped: Skipped) -> Iterator[Chunk]:
        """Yield the photos and their annotations; the key of a photo is its name in the list.

        Raises:
            SourceError: If the folder is missing, no photo is listed, or a row is malformed, names a photo that was
                named before or leaves the folder, or says that a label is both present and absent.
        """
        base = self.locate(self.root)
        names, annotations = self._said(base, skipped)
        split = self._split_columns(base, names)
        path = pc.binary_join_element_wise(str(PurePosixPath(self.folder) / self._images), names, "/")
        _refuse_splits(split.get("split"), base / "splits.csv")
        file = "" if self.layout == "folders" else str(_list(base))
        yield Chunk(photo_table(names, path, **split), annotations, file, self._declared(annotations))

    def read(self, root: str | None, taxonomy: Taxonomy) -> Catalog:
        """Read the listing under ``root``.

        Raises:
            SourceError: As ``chunks``, and if it names what is no label: all such names are listed.
        """
        # Not above: assembling is about sources.
        from tagger.data.assembly.alone import states_alone
        from tagger.data.assembly.gather import gather

        listing = self.listing(root)
        base, gathered = listing.locate(listing.root), gather(listing)
        states = states_alone(self.folder, listing, gathered, taxonomy)
        names = gathered.photos["key"].combine_chunks()
        paths = pc.binary_join_element_wise(self._images, names, "/") if self._images else names
        columns = {"path": all_as_on_disk(paths, base)}
        columns |= {
            name: pc.fill_null(gathered.photos[name], "")
            for name in ("split", "group")
            if gathered.photos[name].null_count < len(names)
        }
        truth = listing.truth(taxonomy)
        return Catalog(taxonomy, (str(base),), pa.table(columns), states, truth, skipped=gathered.skipped)

    def truth(self, taxonomy: Taxonomy) -> csr_array | None:
        """Return the true states of its photos in their order, which a drawn album has in ``truth.csv``; else None.

        Raises:
            SourceError: If the file is not about these photos, or names what is no label.
        """
        from tagger.data.assembly.alone import states_alone
        from tagger.data.assembly.gather import collected

        base = self.locate(self.root)
        if not (path := base / "truth.csv").is_file():
            return None
        (listed, _), (names, annotations) = self._said(base, Skipped()), self._wide(path, Skipped())
        if not listed.equals(names):
            raise SourceError(f"{path}: its photos are not those of labels.csv, in the same order")
        drawn = collected([Chunk(photo_table(names, names), annotations, str(path))], Skipped())
        present = states_alone(self.folder, replace(self, unlisted="unknown"), drawn, taxonomy).toarray() == PRESENT
        return csr_array(np.where(present, PRESENT, ABSENT).astype(np.int8))

    def listing(self, root: str | None) -> "Listing":
        """Return this listing with its root, as a catalog is prepared from it."""
        return replace(self, root=self.root if root is None else root)

    def locate(self, root: str | None) -> Path:
        """Return the folder of the data set, or say what was looked for and how to point to it."""
        way_out = "set data.root=<folder> or the environment variable TAGGER_DATA to the folder that holds it"
        if not root:
            raise SourceError(f"data set {self.folder!r} needs a root folder: {way_out}")
        base = Path(as_on_disk(str(Path(root).expanduser().absolute() / self.folder)))
        for part in (base,) if self.layout == "folders" else (base, base / self._images, _list(base)):
            if not part.exists():
                raise SourceError(f"data set {self.folder!r}: looked for {part}, which does not exist; {way_out}")
        return base

    @property
    def _form(self) -> CsvFormat:
        return CsvFormat(delimiter=self.delimiter, quote=self.quote, encoding=self.encoding)

    @property
    def _images(self) -> str:
        return "" if self.layout == "folders" else "images"

    def _declared(self, annotations: pa.Table) -> tuple[str, ...] | None:
        if self.looked_for is not None:
            return tuple(self.looked_for)
        return tuple(annotations["name"].unique().to_pylist()) if self.layout == "folders" else None

    def _said(self, base: Path, skipped: Skipped) -> Listed:
        read = {"wide": self._wide, "long": self._long}.get(self.layout)
        names, annotations = read(_list(base), skipped) if read else _folders(base, skipped)
        if not len(names):
            where = f"{base} has no folders with photos" if read is None else f"{_list(base)} lists no photos"
            raise SourceError(where + (": it has no row below its header" if read else ""))
        return names, annotations

    def _wide(self, path: Path, skipped: Skipped) -> Listed:
        columns = {"photo": self.photo_column, "labels": self.labels_column}
        rows = _filled(read_csv(path, columns, {"absent": self.absent_column}, form=self._form))
        self._refuse_photos(rows, path)
        self._refuse_repeats(rows, path)
        states = {"labels": PRESENT, "absent": ABSENT}
        present = [column for column in states if column in rows.column_names]
        annotations = pa.concat_tables(self._split(rows, column, states[column]) for column in present)
        return rows["photo"].combine_chunks(), _once(annotations, path, "in 'labels' and in 'absent'", skipped)

    def _split(self, rows: pa.Table, column: str, value: int) -> pa.Table:
        """Return a row for every label in the cells of a column."""
        lists = pc.split_pattern(rows[column].combine_chunks(), self.separator)
        names = pc.utf8_trim_whitespace(pc.list_flatten(lists))
        of = rows.select(["photo", "line"]).take(pc.list_parent_indices(lists))
        annotations = annotation_table(of["photo"], names, value=value, line=of["line"])
        return annotations.filter(pc.not_equal(annotations["name"], ""))

    def _long(self, path: Path, skipped: Skipped) -> Listed:
        columns = {"photo": self.photo_column, "label": self.labels_column}
        optional = {"value": self.value_column, "score": self.score_column}
        rows = _filled(read_csv(path, columns, optional, form=self._form))
        self._refuse_photos(rows, path)
        value, score = _values(rows, self.value_column, path), _scores(rows, self.score_column, path)
        origin = pc.if_else(score.is_valid(), "product", "source")
        names = pc.utf8_trim_whitespace(rows["label"])
        annotations = annotation_table(rows["photo"], names, value=value, origin=origin, score=score, line=rows["line"])
        annotations = annotations.filter(pc.not_equal(annotations["name"], ""))
        return rows["photo"].unique(), _once(annotations, path, "present and absent", skipped)

    def _refuse_photos(self, rows: pa.Table, path: Path) -> None:
        for wrong, problem in (
            (leaving(rows["photo"]), "leaves the folder images/"),
            (pc.equal(rows["photo"], ""), "names no photo"),
        ):
            if row := _first(rows, wrong):
                raise SourceError(f"{path}, line {row['line']}, column {self.photo_column}: {row['photo']!r} {problem}")

    def _refuse_repeats(self, rows: pa.Table, path: Path) -> None:
        seen_at = pc.index_in(rows["photo"], rows["photo"].unique())
        repeated = np.ones(len(rows), dtype=bool)
        repeated[np.unique(seen_at.to_numpy(), return_index=True)[1]] = False
        if row := _first(rows, pa.array(repeated)):
            raise SourceError(
                f"{path}, line {row['line']}, column {self.photo_column}: photo {row['photo']!r} is listed twice"
            )

    def _split_columns(self, base: Path, names: pa.Array) -> dict[str, pa.ChunkedArray]:
        """Return ``split`` and ``group`` of the photos as far as ``splits.csv`` has them; empty cells are null."""
        path = base / "splits.csv"
        if not path.is_file():
            if self.group:
                raise SourceError(
                    f"group={self.group}: {path} does not exist; it has the columns {self.photo_column},split,"
                    f"{self.group} and a row for each photo"
                )
            return {}
        wanted = {"split": "split"} | ({"group": self.group} if self.group else {})
        rows = read_csv(path, {"photo": self.photo_column} | wanted, form=self._form)
        self._refuse_repeats(rows, path)
        where = pc.index_in(names, rows["photo"].combine_chunks())
        if where.null_count:
            missing = names.filter(where.is_null())[0]
            raise SourceError(f"{path}: photo {str(missing)!r} of labels.csv has no row")
        cells = rows.select(list(wanted)).take(where)
        return {name: pc.if_else(pc.equal(cells[name], ""), None, cells[name]) for name in wanted}


def _list(base: Path) -> Path:
    return base / "labels.csv"


def _folders(base: Path, skipped: Skipped) -> Listed:
    paths, annotations = [pa.array([], pa.string())], [ANNOTATIONS.empty_table()]
    for name, photos in photos_by_folder(base, skipped):
        paths.append(photos)
        annotations.append(annotation_table(photos, name))
    return pa.concat_arrays(paths), pa.concat_tables(annotations)


def _filled(rows: pa.Table) -> pa.Table:
    """Return the rows without those of which all cells are empty: Excel writes such ones below a table."""
    cells = [pc.not_equal(pc.utf8_trim_whitespace(rows[name]), "") for name in rows.column_names if name != "line"]
    return rows.filter(reduce(pc.or_, cells))


def _once(annotations: pa.Table, path: Path, contradiction: str, skipped: Skipped) -> pa.Table:
    """Return each label of a photo once, as listed first, and count the others; refuse what contradicts itself."""
    numbered = annotations.append_column("row", pa.array(np.arange(len(annotations))))
    facts = [("value", "min"), ("value", "max"), ("line", "max"), ("row", "min")]
    pairs = numbered.group_by(["key", "name", "origin"]).aggregate(facts)
    if row := _first(pairs.rename_columns({"line_max": "line"}), pc.not_equal(pairs["value_min"], pairs["value_max"])):
        raise SourceError(f"{path}, line {row['line']}: label {row['name']!r} is both {contradiction}")
    first = np.sort(pairs["row_min"].to_numpy())
    if repeated := len(annotations) - len(first):
        again = annotations.take(pa.array([np.setdiff1d(np.arange(len(annotations)), first)[0]])).to_pylist()[0]
        skipped.add("label of a photo listed again", f"{path}, line {again['line']}: {again['name']!r}", times=repeated)
    return annotations.take(first)


def _first(rows: pa.Table, wrong: pa.Array | pa.ChunkedArray) -> dict[str, Any] | None:
    """Return the wrong row that comes first in the file, None if all are right."""
    found = rows.filter(wrong)
    return found.take([np.argmin(found["line"].to_numpy())]).to_pylist()[0] if len(found) else None


def _values(rows: pa.Table, column: str, path: Path) -> Any:
    """Return PRESENT for 1, ABSENT for 0; without the column all rows are present."""
    if "value" not in rows.column_names:
        return PRESENT
    cells = pc.utf8_trim_whitespace(rows["value"])
    if row := _first(rows, pc.invert(pc.is_in(cells, pa.array(["0", "1"])))):
        raise SourceError(f"{path}, line {row['line']}, column {column}: expected 1 or 0, got {row['value']!r}")
    return pc.if_else(pc.equal(cells, "1"), PRESENT, ABSENT)


def _scores(rows: pa.Table, column: str, path: Path) -> pa.Array | pa.ChunkedArray:
    """Return scores in 0..1, null where the cell is empty or there is no such column."""
    if "score" not in rows.column_names:
        return pa.nulls(len(rows), pa.float32())
    cells = pc.utf8_trim_whitespace(rows["score"])
    cells = pc.if_else(pc.equal(cells, ""), None, cells)
    number = pc.match_substring_regex(cells, r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
    scores = pc.if_else(number, cells, None).cast(pa.float32())
    fine = pc.and_(number, pc.and_(pc.greater_equal(scores, 0), pc.less_equal(scores, 1)))
    if row := _first(rows, pc.and_(pc.is_valid(cells), pc.invert(pc.fill_null(fine, False)))):
        raise SourceError(
            f"{path}, line {row['line']}, column {column}: expected a number in 0..1 or nothing, got {row['score']!r}"
        )
    return scores


def _refuse_splits(split: pa.ChunkedArray | None, path: Path) -> None:
    for name in split.unique().to_pylist() if split is not None else ():
        if name not in ("train", "test", None):
            raise SourceError(f"{path}, column split: expected train, test or nothing, got {name!r}")
