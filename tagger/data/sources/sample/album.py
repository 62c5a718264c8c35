"""The sample album on disk: photos, what was recorded about them, and the truth kept apart."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tagger.atomic import folder_whole
from tagger.data.sources.sample.annotator import annotate
from tagger.data.sources.sample.draw import draw_photo
from tagger.data.sources.sample.labels import LABELS
from tagger.data.sources.sample.plan import plan_photo

VERSION = 1
"""Part of the name under which an album is kept: raise it whenever the same seed draws or records anything else."""


def draw_album(
    folder: Path,
    *,
    photos: int = 1200,
    size: int = 128,
    seed: int = 0,
    noise_missing: float = 0.05,
    noise_mistaken: float = 0.02,
) -> None:
    """Draw the album into a new folder, all of it or nothing.

    The folder gets ``images/00000.jpg`` and so on; ``labels.csv`` (``image,labels,absent``; a label in neither list is
    unknown); ``truth.csv`` (``image,labels``; a label not listed is absent); and ``noise.csv`` (``image,label,kind``),
    every record that contradicts the truth: ``missing`` or ``mistaken``. Photo number i depends on the seed and on i
    alone: a shorter album is the beginning of a longer one. A killed process leaves no album, at most a hidden folder.

    Args:
        folder: Must not exist; its parents are made.
        photos: How many.
        size: Pixels on each side.
        seed: Another seed, another album.
        noise_missing: Share in [0, 1] of the present labels that annotators overlook; groups follow their children.
        noise_mistaken: Share in [0, 1) of the recorded labels that are wrong; groups follow their children.

    Raises:
        FileExistsError: If the folder exists.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists; remove it to draw the sample album again")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder_whole(folder) as half_done:
        (half_done / "images").mkdir()
        _write_photos(half_done, photos=photos, size=size, seed=seed, missing=noise_missing, mistaken=noise_mistaken)


def _write_photos(folder: Path, *, photos: int, size: int, seed: int, missing: float, mistaken: float) -> None:
    labels, truth, noise = [], [], []
    for index in range(photos):
        plan, name = plan_photo(seed, index), f"{index:05d}.jpg"
        draw_photo(plan, size=size).save(folder / "images" / name, quality=90)
        rng = np.random.default_rng([seed, index, 1])
        record = annotate(plan.truth, rng, noise_missing=missing, noise_mistaken=mistaken)
        labels.append((name, _cell(record.present), _cell(record.absent)))
        truth.append((name, _cell(plan.truth)))
        noise += [(name, label, "missing") for label in LABELS if label in record.missing]
        noise += [(name, label, "mistaken") for label in LABELS if label in record.mistaken]
    _write_table(folder / "labels.csv", ("image", "labels", "absent"), labels)
    _write_table(folder / "truth.csv", ("image", "labels"), truth)
    _write_table(folder / "noise.csv", ("image", "label", "kind"), noise)


def _cell(labels: Iterable[str]) -> str:
    return "|".join(sorted(labels, key=LABELS.index))


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
