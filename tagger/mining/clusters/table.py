"""Clusters as tables: ``clusters.csv`` with a row for each, ``photos.csv`` with their photos, the terminal."""

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from tagger.atomic import write_text
from tagger.errors import UserError
from tagger.mining.clusters.cluster import Cluster, Ranked
from tagger.mining.pool import Pool
from tagger.pages.visible import visible
from tagger.tracking.labels_csv import written

PHOTOS = ("cluster", "rank", "photo", "cosine", "photo_id")


def write_clusters(path: Path, clusters: Sequence[Cluster]) -> None:
    """Write a row per cluster: its number, likely name, photos, cohesion, ImageNet's words, the nearest labels."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["cluster", "name", "photos", "cohesion", "words", "nearest"])
    for one in clusters:
        names = [listed(one.words), listed(one.nearest)]
        # Label names come from others' files; paths, in photos.csv, are joined by and stay what they are.
        table.writerow([one.number, written(one.name), len(one.rows), f"{one.cohesion:.3f}", *map(written, names)])
    write_text(path, text.getvalue())


def write_photos(path: Path, clusters: Sequence[Cluster], pool: Pool) -> None:
    """Write a row per photo that is in a cluster: what fits best comes first."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(PHOTOS)
    for one in clusters:
        for rank, (row, cosine) in enumerate(zip(one.rows.tolist(), one.cosines.tolist(), strict=True), start=1):
            table.writerow([one.number, rank, pool.place(row), f"{cosine:.4f}", pool.id(row)])
    write_text(path, text.getvalue())


@dataclass(frozen=True)
class Members:
    """The photos of one cluster, what fits best first."""

    ids: tuple[str, ...]
    """As in the pool: 32 hex digits of the sha256 of the file. What the table says of paths is for people only."""
    cosines: tuple[float, ...]


def read_photos(path: Path, number: int) -> Members:
    """Read the photos of one cluster.

    Raises:
        UserError: If the file is not what `write_photos` writes, or there is no such cluster in it.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if tuple(rows.fieldnames or ()) != PHOTOS:
            raise UserError(f"{path}: expected the columns {', '.join(PHOTOS)}; what=clusters writes them")
        ids, cosines, last = [], [], 0
        for row in rows:
            try:
                cluster, cosine = int(row["cluster"]), float(row["cosine"])
            except (TypeError, ValueError):
                cluster, cosine = 0, math.nan
            if not -1 <= cosine <= 1 or not re.fullmatch("[0-9a-f]{32}", row["photo_id"] or ""):
                raise UserError(f"{path}, line {rows.line_num}: expected a cluster, a cosine and a photo_id, got {row}")
            last = max(last, cluster)
            if cluster == number:
                ids.append(row["photo_id"])
                cosines.append(cosine)
    if not ids:
        there = f"clusters 1 to {last}" if last else "no cluster"
        raise UserError(f"cluster={number}: {path} has {there}")
    return Members(tuple(ids), tuple(cosines))


def clusters_table(clusters: Sequence[Cluster], *, shown: int) -> Table:
    """Return the first clusters for the terminal."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in ("cluster", "photos", "cohesion"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("ImageNet would say", overflow="fold")
    if any(one.nearest for one in clusters):
        table.add_column("nearest labels", overflow="fold")
    for one in clusters[:shown]:
        names = [listed(ranked) for ranked in (one.words, one.nearest)][: len(table.columns) - 3]
        figures = (str(one.number), f"{len(one.rows):,}", f"{one.cohesion:.2f}")
        table.add_row(*figures, *(Text(visible(name)) for name in names))
    if len(clusters) > shown:
        table.caption = f"the first {shown} of {len(clusters)}"
    return table


def listed(ranked: Ranked) -> str:
    """Return names with their figures.

    Example:
        >>> listed((("alp", 0.41), ("valley", 0.2)))
        'alp 0.41, valley 0.20'
    """
    return ", ".join(f"{name} {figure:.2f}" for name, figure in ranked)
