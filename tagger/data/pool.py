"""Photos without labels beside those of a data set: they train, and nothing is known of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array, vstack

from tagger.data.catalog.view import Catalog
from tagger.data.finding import found
from tagger.data.inspection import inspect
from tagger.data.skipped import Skipped
from tagger.data.storage import is_url
from tagger.errors import UserError

IN_DATA, TWICE = "also a photo of the data set", "twice in the pool"


def with_pool(
    catalog: Catalog,
    folders: Sequence[str],
    skipped: Skipped,
    *,
    max_pixels: int,
    follow_links: bool = False,
    workers: int,
    cache: Path,
) -> tuple[Catalog, list[tuple[str, str]]]:
    """Return a catalog with the photos of folders behind its own, of which nothing is known.

    A photo whose content is already among those of the data set is left out: of a validation or test photo the student
    must not learn, and a training photo is there already. Photos that only look alike are not found.

    Args:
        catalog: With ``photo_id``.
        folders: Local folders or URLs of folders, with all below.
        skipped: Counts what is left out.
        max_pixels: Photos that declare more are refused.
        follow_links: Whether links may lead out of a folder.
        workers: Processes that look at the photos.
        cache: Folder in which what was found about them is kept.

    Returns:
        The catalog, and the path of every photo that cannot be read with the reason.

    Raises:
        UserError: If a folder is none, or there is no photo to use in all of them.
    """
    known = catalog.photos["photo_id"].combine_chunks()
    tables, bad = [], []
    for number, folder in enumerate(folders, start=len(catalog.roots)):
        root = _root(folder)
        paths = pa.array(_paths(root, skipped), pa.string())
        skipped.of += len(paths)
        table = inspect(
            paths,
            root,
            max_pixels=max_pixels,
            follow_links=follow_links,
            workers=workers,
            cache=cache,
        )
        for path, error in zip(
            *(table.filter(pc.is_valid(table["error"]))[name] for name in ("path", "error")), strict=True
        ):
            bad.append((f"{root.rstrip('/')}/{path}", str(error)))
        table = table.filter(pc.is_null(table["error"]))
        table = table.append_column("root", pa.array(np.full(len(table), number), pa.int8()))
        tables.append(
            table.rename_columns({"sha256": "photo_id"}).select(["photo_id", "root", "path", "width", "height"])
        )
    photos = _new(pa.concat_tables(tables), known, skipped)
    if not len(photos):
        left = ", ".join(f"{count} {reason}" for reason, count in skipped.counts.items())
        raise UserError(
            f"pool={', '.join(folders)}: no photo to use; left out: {left or 'nothing'}, {len(bad)} unreadable"
        )
    roots = (*catalog.roots, *map(_root, folders))
    own = catalog.photos
    if "root" not in own.column_names:
        own = own.append_column("root", pa.array(np.zeros(len(own)), pa.int8()))
    # What a catalog has beside (group, split, fold) is null here.
    joined = pa.concat_tables([own, _typed_as(own, photos)])
    nothing = csr_array((len(photos), len(catalog.taxonomy)), dtype=np.int8)

    def behind(states: csr_array) -> csr_array:
        return csr_array(vstack([states, nothing], format="csr"))

    unknown = None if catalog.unknown is None else np.append(catalog.unknown, np.zeros(len(photos), np.float32))
    truth = None if catalog.truth is None else behind(catalog.truth)
    return replace(
        catalog, roots=roots, photos=joined, states=behind(catalog.states), truth=truth, unknown=unknown
    ), bad


def _root(folder: str) -> str:
    if is_url(folder):
        return folder
    path = Path(folder).expanduser().absolute()
    if not path.is_dir():
        raise UserError(f"pool={folder}: there is no such folder")
    return str(path)


def _paths(root: str, skipped: Skipped) -> list[str]:
    return list(_below(root, skipped))


def _below(root: str, skipped: Skipped) -> Iterator[str]:
    """Yield the photos in a folder and below, relative to it."""
    for place in found([root], skipped):
        try:
            place.encode()
        except UnicodeEncodeError:
            skipped.add("its name is not UTF-8", repr(place))
        else:
            yield place.removeprefix(root.rstrip("/") + "/")


def _new(photos: pa.Table, known: pa.Array, skipped: Skipped) -> pa.Table:
    """Return the photos that are not known yet, each once."""
    for reason, others in ((IN_DATA, known), (TWICE, None)):
        ids = photos["photo_id"].combine_chunks()
        if others is None:
            first = pc.index_in(pc.unique(ids), value_set=ids)
            is_new = np.isin(np.arange(len(ids)), first.to_numpy())
        else:
            is_new = ~pc.is_in(ids, value_set=others.cast(ids.type)).to_numpy(zero_copy_only=False)
        for path in photos["path"].filter(pa.array(~is_new)).to_pylist():
            skipped.add(reason, path)
        photos = photos.filter(pa.array(is_new))
    return photos


def _typed_as(own: pa.Table, photos: pa.Table) -> pa.Table:
    """Return the photos with the columns of a catalog, null where nothing is known."""
    columns = [
        photos[field.name].cast(field.type) if field.name in photos.column_names else pa.nulls(len(photos), field.type)
        for field in own.schema
    ]
    return pa.table(columns, schema=pa.schema([field.with_nullable(True) for field in own.schema]))
