"""Draw what one looks at to measure a queue blind: its pairs among random ones, on sheets that do not tell them apart.

    python experiments/cleaning/draw_control.py corel5k --catalog catalogs/corel5k --out judge \
        --queue ours=margin.parquet --queue cleanlab=cleanlab.parquet

writes ``judge/sheets/*.png``, a number and a question under every photo, and ``judge/key.csv``, which tells afterwards
what each number was. Four controls, ``--control`` of each: pairs of the catalog that are said to be present and pairs
that are not, at random; and photos drawn at random for the labels that the first queue asks about, as often as it does,
because some labels are annotated worse than others.
"""

import argparse
import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFont

from tagger.cleaning.queue.table import MISTAKEN
from tagger.data.catalog import Catalog
from tagger.data.catalog.prepared import Prepared
from tagger.data.states import PRESENT
from tagger.data.taxonomy import read_taxonomy

COLUMNS, ROWS = 4, 4
WIDTH, HEIGHT, CAPTION = 320, 300, 28

Pair = tuple[int, int]
"""Row of the photo, column of the label."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("taxonomy")
    parser.add_argument("--catalog", type=Path, required=True)
    parser.add_argument("--queue", action="append", required=True, help="name=file, the one to measure first")
    parser.add_argument("--control", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--judged", type=Path, help="verdicts that are there: their pairs are not drawn again")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    catalog = Prepared(folder=str(options.catalog)).read(None, read_taxonomy(options.taxonomy))
    randomness = np.random.default_rng(options.seed)
    drawn: dict[Pair, list[str]] = {}
    queues = dict(word.split("=", 1) for word in options.queue)
    for name, path in queues.items():
        for pair, kind, rank in asked(Path(path), catalog):
            drawn.setdefault(pair, []).append(f"{name} {kind} {rank}")
    labels: dict[str, list[int]] = {"present": [], "not present": []}
    for (_, column), kind, _ in asked(Path(next(iter(queues.values()))), catalog):
        labels["present" if kind == MISTAKEN else "not present"].append(column)
    for kind, own in labels.items():
        for pair in at_random(catalog, kind == "present", options.control, randomness):
            drawn.setdefault(pair, []).append(f"control {kind}")
        for pair in same_labels(catalog, kind == "present", own, options.control, randomness):
            drawn.setdefault(pair, []).append(f"same labels {kind}")
    done = judged(options.judged, catalog) if options.judged else set()
    pairs = sorted(drawn.keys() - done)
    shuffled = [pairs[place] for place in randomness.permutation(len(pairs))]
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "key.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "photo_id", "path", "label", "drawn_as"])
        for number, (row, column) in enumerate(shuffled, start=1):
            photo, path = (catalog.photos[name][row].as_py() for name in ("photo_id", "path"))
            writer.writerow([number, photo, path, catalog.taxonomy.ids[column], "; ".join(drawn[row, column])])
    draw_sheets(catalog, shuffled, options.out / "sheets")
    print(f"{len(shuffled)} pairs, sheets in {options.out / 'sheets'}")


def asked(path: Path, catalog: Catalog) -> Iterator[tuple[Pair, str, int]]:
    """Yield pair, kind and rank of every task of a queue."""
    queue = pq.ParquetFile(path).read(columns=["photo_id", "label", "kind", "rank"])
    row = {photo: place for place, photo in enumerate(catalog.photos["photo_id"].to_pylist())}
    for photo, label, kind, rank in zip(*(queue[name].to_pylist() for name in queue.column_names), strict=True):
        yield (row[photo], catalog.taxonomy.column[label]), kind, rank


def judged(path: Path, catalog: Catalog) -> set[Pair]:
    """Return the pairs of a table of verdicts, which knows photos by their names."""
    row = {Path(photo).name: place for place, photo in enumerate(catalog.photos["path"].to_pylist())}
    with path.open(newline="", encoding="utf-8") as file:
        return {(row[one["photo"]], catalog.taxonomy.column[one["label"]]) for one in csv.DictReader(file)}


def at_random(catalog: Catalog, present: bool, size: int, randomness: np.random.Generator) -> Iterator[Pair]:
    """Yield pairs that are said to be present, or that are not, all as probable."""
    rows, columns = np.nonzero((catalog.states.toarray() == PRESENT) == present)
    for place in randomness.choice(len(rows), size, replace=False):
        yield int(rows[place]), int(columns[place])


def same_labels(
    catalog: Catalog, present: bool, labels: list[int], size: int, randomness: np.random.Generator
) -> Iterator[Pair]:
    """Yield photos drawn at random for some of these labels."""
    states = catalog.states.toarray()
    for place in randomness.choice(len(labels), min(size, len(labels)), replace=False):
        rows = np.flatnonzero((states[:, labels[place]] == PRESENT) == present)
        yield int(randomness.choice(rows)), labels[place]


def draw_sheets(catalog: Catalog, pairs: list[Pair], folder: Path) -> None:
    """Write the sheets, the photos as large as they fit."""
    folder.mkdir(exist_ok=True)
    font = ImageFont.load_default(20)
    for start in range(0, len(pairs), COLUMNS * ROWS):
        sheet = Image.new("RGB", (COLUMNS * WIDTH, ROWS * HEIGHT), "white")
        draw = ImageDraw.Draw(sheet)
        for place, (row, column) in enumerate(pairs[start : start + COLUMNS * ROWS]):
            left, top = place % COLUMNS * WIDTH, place // COLUMNS * HEIGHT
            photo = opened(catalog, row)
            scale = min((WIDTH - 6) / photo.width, (HEIGHT - CAPTION - 6) / photo.height)
            size = round(photo.width * scale), round(photo.height * scale)
            sheet.paste(photo.resize(size, Image.Resampling.LANCZOS), (left, top + CAPTION))
            draw.text((left, top + 3), f"{start + place + 1}  {catalog.taxonomy.ids[column]}?", "black", font)
        sheet.save(folder / f"{start // (COLUMNS * ROWS) + 1:02d}.png")


def opened(catalog: Catalog, row: int) -> Image.Image:
    """Return a photo."""
    roots: Callable[[int], str] = catalog.roots.__getitem__
    root = roots(catalog.photos["root"][row].as_py() if "root" in catalog.photos.column_names else 0)
    return Image.open(Path(root) / catalog.photos["path"][row].as_py()).convert("RGB")


if __name__ == "__main__":
    main()
