"""How long does it take to read tables of the size of Open Images, and in how much memory?

    python experiments/performance/open_images_tables.py
    python experiments/performance/open_images_tables.py --output experiments/performance/open_images_tables.md

Expected: 900,000 photos with 4 to 8 verified labels each in well under 30 seconds and 2 GB. Every way of reading is a
process of its own, so that the peak of its memory is its own. The tables are drawn at random in the published format;
a photo's row has the published length, about 350 bytes.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.csv import WriteOptions, write_csv

from tagger.data.sources.open_images import OpenImages
from tagger.data.sources.source import Skipped
from tagger.tracking.run_folder import provenance

BATCH = 100_000
"""Photos that are written at a time."""

WAYS: dict[str, dict[str, Any]] = {
    "photos and verified labels": {"boxes": None},
    "and boxes": {},
    "and what follows along the hierarchy": {"hierarchy": "bbox_labels_600_hierarchy.json"},
    "only photos that have a file (none has)": {"without_file": "skip", "boxes": None},
}


@dataclass(frozen=True)
class Measured:
    """What a process read, the seconds it took, and its memory in MiB when it began and at most."""

    photos: int
    annotations: int
    seconds: float
    before: float
    peak: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=900_000, help="rows of the table of photos (default: 900,000)")
    parser.add_argument("--labels", type=int, default=19_994, help="names to draw from (default: 19,994)")
    parser.add_argument("--seed", type=int, default=0, help="of the tables (default: 0)")
    parser.add_argument("--output", type=Path, help="also write the table to this Markdown file")
    parser.add_argument("--measure", nargs=2, metavar=("FOLDER", "WAY"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(asdict(measure(Path(arguments.measure[0]), arguments.measure[1]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        write_synthetic(Path(folder), photos=arguments.photos, labels=arguments.labels, seed=arguments.seed)
        written = time.perf_counter() - start
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
        lines = [
            f"{arguments.photos:,} photos, {size / 1e6:,.0f} MB of CSV, written in {written:.1f} s.",
            "",
            "| read | photos | annotations | seconds | MiB before | peak MiB |",
            "|---|--:|--:|--:|--:|--:|",
            *(row(way, run(Path(folder), way)) for way in WAYS),
        ]
    print("\n".join(lines))
    if arguments.output:
        head = ["# Reading tables of the size of Open Images", "", "    python " + " ".join(sys.argv), ""]
        head.append(
            f"Commit {provenance()['commit']}, seed {arguments.seed}, {os.cpu_count()} cores, shared with others."
        )
        arguments.output.write_text("\n".join([*head, *lines, ""]), encoding="utf-8")


def write_synthetic(folder: Path, *, photos: int, labels: int, seed: int = 0) -> None:
    """Write tables in the format of Open Images V6: photos, each with 4 to 8 verified labels and 0 to 3 boxes.

    Args:
        folder: Gets ``image_ids_and_rotation.csv``, ``train-annotations-human-imagelabels.csv``,
            ``train-annotations-bbox.csv``, ``class-descriptions.csv`` and ``bbox_labels_600_hierarchy.json``.
        photos: Rows of the first; four in five are of train, the others of validation and test.
        labels: MIDs to draw from, the first ones more often: the hierarchy has the first 600.
        seed: Of all that is drawn.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    mids = pa.array([f"/m/0{number:05x}" for number in range(labels)])
    write_csv(
        pa.table({"LabelName": mids, "DisplayName": pc.binary_join_element_wise("label", mids, " ")}),
        folder / "class-descriptions.csv",
    )
    (folder / "bbox_labels_600_hierarchy.json").write_text(json.dumps(_hierarchy(mids.to_pylist()[:600])))
    with (
        _Csv(folder / "image_ids_and_rotation.csv", quoting="needed") as images,
        _Csv(folder / "train-annotations-human-imagelabels.csv", quoting="none") as verified,
        _Csv(folder / "train-annotations-bbox.csv", quoting="none") as boxes,
    ):
        for start in range(0, photos, BATCH):
            ids = _ids(start, min(photos, start + BATCH))
            images.write(_images(ids, rng))
            verified.write(_verified(ids, mids, rng))
            boxes.write(_boxes(ids, mids, rng))


def measure(folder: Path, way: str) -> Measured:
    """Read the tables in this process."""
    source = OpenImages(**{"root": str(folder), "without_file": "keep", **WAYS[way]})
    before, start = _peak(), time.perf_counter()
    photos = annotations = 0
    for chunk in source.chunks(Skipped()):
        photos += len(chunk.photos)
        annotations += len(chunk.annotations)
    return Measured(photos, annotations, time.perf_counter() - start, before, _peak())


def run(folder: Path, way: str) -> Measured:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--measure", str(folder), way]
    return Measured(**json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))


def row(way: str, measured: Measured) -> str:
    return (
        f"| {way} | {measured.photos:,} | {measured.annotations:,} | {measured.seconds:.1f} | "
        f"{measured.before:.0f} | {measured.peak:.0f} |"
    )


def _ids(start: int, stop: int) -> pa.Array:
    """Return ImageIDs, 16 hex digits each, in ascending order and without repeats, as if drawn at random."""
    numbers = np.arange(start, stop, dtype=np.uint64) << np.uint64(38)
    # The lower bits of a multiplicative hash; the upper ones count.
    numbers += (np.arange(start, stop, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(26)
    shifts = np.arange(60, -4, -4, dtype=np.uint64)
    digits = (numbers[:, None] >> shifts) & np.uint64(15)
    text = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[digits.astype(np.uint8)]
    return pa.array(text.view("S16").ravel()).cast(pa.string())


def _images(ids: pa.Array, rng: np.random.Generator) -> pa.Table:
    rows = len(ids)
    address = pc.binary_join_element_wise("https://farm3.staticflickr.com/5310", ids, "5898076654_51085e157c", "/")
    subsets = np.repeat(["train", "validation", "test"], [16, 1, 3])
    columns = {
        "ImageID": ids,
        "Subset": rng.choice(subsets, rows),
        "OriginalURL": pc.binary_join_element_wise(address, "_o.jpg", ""),
        "OriginalLandingURL": pc.binary_join_element_wise("https://www.flickr.com/photos/somebody", ids, "/"),
        "License": ["https://creativecommons.org/licenses/by/2.0/"] * rows,
        "AuthorProfileURL": ["https://www.flickr.com/people/somebody/"] * rows,
        "Author": rng.choice(["Michael Beat", "Müller, Karen", '"Doc"'], rows),
        "Title": rng.choice(["Three boys on a hill", 'a "quoted" title', "two\nlines", "", "海"], rows),
        "OriginalSize": rng.integers(100_000, 9_000_000, rows),
        "OriginalMD5": ["KFukvivpCM5QXl5SqKe41g=="] * rows,
        "Thumbnail300KURL": pc.binary_join_element_wise(address, "_z.jpg", ""),
        "Rotation": rng.choice(np.repeat(["0.0", "90.0", "270.0", ""], [90, 2, 1, 7]), rows),
    }
    return pa.table(columns)


def _verified(ids: pa.Array, mids: pa.Array, rng: np.random.Generator) -> pa.Table:
    rows = np.repeat(np.arange(len(ids)), rng.integers(4, 9, len(ids)))
    sources = np.repeat(["verification", "crowdsource-verification"], [9, 1])
    columns = {
        "ImageID": ids.take(pa.array(rows)),
        "Source": rng.choice(sources, len(rows)),
        "LabelName": _drawn(mids, len(rows), rng),
        "Confidence": rng.integers(0, 2, len(rows)),
    }
    return pa.table(columns)


def _boxes(ids: pa.Array, mids: pa.Array, rng: np.random.Generator) -> pa.Table:
    rows = np.repeat(np.arange(len(ids)), rng.integers(0, 4, len(ids)))
    corners = rng.integers(0, 1_000_000, (4, len(rows))) / 1e6
    flags = rng.integers(0, 2, (5, len(rows)))
    columns = {
        "ImageID": ids.take(pa.array(rows)),
        "Source": ["xclick"] * len(rows),
        "LabelName": _drawn(mids.slice(0, 600), len(rows), rng),
        "Confidence": [1] * len(rows),
        **dict(zip(("XMin", "XMax", "YMin", "YMax"), corners, strict=True)),
        **dict(zip(("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"), flags, strict=True)),
    }
    return pa.table(columns)


def _drawn(mids: pa.Array, rows: int, rng: np.random.Generator) -> pa.Array:
    """Return MIDs with a long tail: the square of a uniform number prefers the first ones."""
    return mids.take(pa.array((rng.random(rows) ** 2 * len(mids)).astype(np.int64)))


def _hierarchy(mids: list[str]) -> dict[str, object]:
    """Return a tree three levels deep, its root Entity: every tenth label is the parent of the nine after it."""
    groups = [mids[start : start + 10] for start in range(0, len(mids), 10)]
    nodes = [{"LabelName": top, "Subcategory": [{"LabelName": mid} for mid in below]} for top, *below in groups]
    return {"LabelName": "/m/0bl9f", "Subcategory": nodes}


class _Csv:
    """A CSV whose header is written as published: Arrow would quote it."""

    def __init__(self, file: Path, *, quoting: str) -> None:
        self.file, self.options = file.open("wb"), WriteOptions(include_header=False, quoting_style=quoting)

    def __enter__(self) -> "_Csv":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, table: pa.Table) -> None:
        if not self.file.tell():
            self.file.write((",".join(table.column_names) + "\n").encode())
        write_csv(table, self.file, self.options)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
