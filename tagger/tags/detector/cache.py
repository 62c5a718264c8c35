"""What a detector sees on the photos of a catalog: computed once per photo and detector, kept in Arrow files.

A folder per detector (its file and settings) holds parts: ``photo_id``, the hash of a photo's content, and ``highest``,
the highest score of every class. A part is written beside and renamed, so it is there whole or not at all; a process
that is cut goes on where its last part ended, and a photo that is in a second data set is not looked at again.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock
from numpy.typing import NDArray
from rich.progress import track

from tagger.atomic import written_whole
from tagger.data.catalog import Catalog
from tagger.data.decoding import Framed, framed
from tagger.data.photo import BadPhoto, decoder
from tagger.tags.detector.mapping import ClassMap
from tagger.tags.detector.onnx_detector import OnnxDetector
from tagger.tags.detector.picture import Undistorted

PART_SECONDS = 20.0
"""How often what was computed is written: the most that a kill costs."""

MOST_PARTS = 8
"""Parts that are left as they are; more are merged into one when all is there."""


@dataclass(frozen=True, eq=False)
class Detections:
    """What the detector saw on some photos of a catalog."""

    rows: NDArray[np.int64]
    """Their rows in the catalog, ascending, (photos,)."""
    highest: NDArray[np.float32]
    """Highest score of every class, (photos, classes)."""
    map: ClassMap
    """From classes to labels."""
    floor: float
    """Detections below it are none."""

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the highest score of every label on photos that were looked at, (photos, labels)."""
        return self.map.to_labels(self.highest[np.searchsorted(self.rows, rows)], floor=self.floor)


def fingerprint(model_sha256: str, framing: Undistorted) -> str:
    """Return sixteen hex digits of what decides what a detector sees: its file, the size of its pictures, the decoder.

    Example:
        >>> fingerprint("c0ffee", Undistorted(long_side=640)) == fingerprint("c0ffee", Undistorted(long_side=641))
        False
    """
    recipe = json.dumps(["highest score of every class", model_sha256, framing.long_side, decoder()])
    return hashlib.sha256(recipe.encode()).hexdigest()[:16]


def highest_scores(
    detector: OnnxDetector,
    framing: Undistorted,
    catalog: Catalog,
    rows: NDArray[np.int64],
    *,
    folder: Path,
    workers: int,
) -> NDArray[np.float32]:
    """Return the highest score of every class on some photos, (photos, classes); what is not kept yet is computed.

    Args:
        detector: What looks at them.
        framing: How it sees them.
        catalog: The photos, with their ``photo_id``.
        rows: Rows of the catalog.
        folder: Where it is kept.
        workers: Processes that decode.

    Raises:
        BadPhoto: If a photo cannot be read; the others are kept.
    """
    home = folder / fingerprint(detector.sha256, framing)
    home.mkdir(parents=True, exist_ok=True)
    ids = catalog.photos["photo_id"].combine_chunks().take(pa.array(rows, pa.int64()))
    with FileLock(home / "lock"):
        kept = _kept(home, classes=len(detector.classes))
        places = _places(ids, kept)
        missing = np.flatnonzero(places < 0)
        if len(missing):
            # The same content may be there twice.
            first = missing[np.unique(ids.take(pa.array(missing)).to_numpy(zero_copy_only=False), return_index=True)[1]]
            photos = [catalog.place(int(rows[place])) for place in first.tolist()]
            _compute(detector, framing, photos, ids.take(pa.array(first)).to_pylist(), home, workers=workers)
            kept = _kept(home, classes=len(detector.classes))
            places = _places(ids, kept)
        _merge(home, kept)
    scores = kept["highest"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(scores.reshape(-1, len(detector.classes))[places])


def _compute(
    detector: OnnxDetector, framing: Undistorted, photos: list[str], ids: list[str], home: Path, *, workers: int
) -> None:
    """Look at photos and keep what is seen, part by part; also when it is interrupted."""
    done: list[NDArray[np.float32]] = []
    begun, since = 0, time.monotonic()
    try:
        for number, photo in enumerate(_watched(photos, framing, workers=workers)):
            if photo.pixels is None:
                raise BadPhoto(
                    f"{photo.photo}: {photo.error}; it was readable a moment ago: run again to have it left out"
                )
            done.append(detector.highest(photo.pixels))
            if time.monotonic() - since > PART_SECONDS:
                _write(home, ids[begun : number + 1], done)
                done, begun, since = [], number + 1, time.monotonic()
    finally:
        if done:
            _write(home, ids[begun : begun + len(done)], done)


def _watched(photos: list[str], framing: Undistorted, *, workers: int) -> Iterator[Framed]:
    ready = framed(photos, framing, workers=workers, ahead=8 * max(1, workers))
    yield from track(ready, description="detections", total=len(photos))


def _write(home: Path, ids: list[str], highest: list[NDArray[np.float32]]) -> None:
    flat = pa.array(np.stack(highest).ravel())
    scores = pa.FixedSizeListArray.from_arrays(flat, len(highest[0]))
    _write_table(home, pa.table({"photo_id": pa.array(ids, pa.string()), "highest": scores}))


def _write_table(home: Path, table: pa.Table) -> Path:
    name = hashlib.sha256("".join(table["photo_id"].to_pylist()).encode()).hexdigest()[:16]
    path = home / f"{name}.arrow"
    with written_whole(path) as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path


def _kept(home: Path, *, classes: int) -> pa.Table:
    """Return what is there, mapped from disk; a part that was cut since counts as not there."""
    schema = pa.schema({"photo_id": pa.string(), "highest": pa.list_(pa.float32(), classes)})
    parts = [schema.empty_table()]
    for path in sorted(home.glob("*.arrow")):
        try:
            table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        except (pa.ArrowInvalid, OSError):
            continue
        if table.schema.equals(schema):
            parts.append(table)
    return pa.concat_tables(parts)


def _places(ids: pa.Array, kept: pa.Table) -> NDArray[np.int64]:
    """Return where each photo is among those that are kept; −1 if nowhere."""
    found = pc.index_in(ids, value_set=kept["photo_id"].combine_chunks())
    return np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)


def _merge(home: Path, kept: pa.Table) -> None:
    """Make one part of many; a kill in between leaves photos in two parts, which is harmless."""
    parts = sorted(home.glob("*.arrow"))
    if len(parts) > MOST_PARTS:
        whole = _write_table(home, kept.combine_chunks())
        for path in parts:
            if path != whole:
                path.unlink()
