"""Hide labels of Corel5k, and bring them back as people would annotate them: on some of the photos.

    python experiments/extend/hide.py to=extend labels=30 share=0.25

Writes two data sets with the photos, their order and the published split of ``$TAGGER_DATA/corel5k``:

- ``extend/before``: the other labels only; nothing says that there are more. Its label system: ``extend/before.yaml``.
- ``extend/after``: all of them. The hidden ones are present or absent on a share of the training photos, drawn at
  random, and on all photos that validate and test; on the others nobody looked for them. ``extend/after.yaml``.

``extend/hidden.txt`` lists the hidden labels, drawn by chance among those with at least 40 training photos and a test
photo, and on how many training photos each is annotated as present.
"""

import csv
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tagger.data.sources.listing import Listing
from tagger.data.split import official_folds
from tagger.data.states import PRESENT
from tagger.data.taxonomy import read_taxonomy

LEAST_PHOTOS = 40
HEADER = ("image", "labels", "absent")


def main(to: Path, labels: int, share: float) -> None:
    """Write the two data sets."""
    root = Path(os.environ["TAGGER_DATA"]).absolute()
    taxonomy = read_taxonomy("corel5k")
    catalog = Listing(folder="corel5k", unlisted="unknown").read(str(root), taxonomy)
    present = catalog.states.toarray() == PRESENT
    split = catalog.column("split")
    assert split is not None
    rng = np.random.default_rng(0)
    enough = (present[split == "train"].sum(axis=0) >= LEAST_PHOTOS) & present[split == "test"].any(axis=0)
    hidden = np.sort(rng.choice(np.flatnonzero(enough), labels, replace=False))
    old = np.setdiff1d(np.arange(len(taxonomy)), hidden)
    # As the training itself will deal them: by the labels that it knows.
    folds = official_folds(split, catalog.states[:, old], groups=None, seed=0)
    looked_at = (folds < 2) | (rng.random(len(catalog)) < share)

    names = [Path(path).name for path in catalog.photos["path"].to_pylist()]
    said = {name: present[row] for row, name in enumerate(names)}
    ids = np.array(taxonomy.ids)
    for folder in ("before", "after"):
        (to / folder).mkdir(parents=True, exist_ok=True)
        if not (to / folder / "images").exists():
            # Links out of the folder are refused.
            shutil.copytree(root / "corel5k" / "images", to / folder / "images", copy_function=linked)
        shutil.copy(root / "corel5k" / "splits.csv", to / folder)
    write(to / "before" / "labels.csv", ((name, ids[old][said[name][old]], []) for name in names))
    rows = []
    for row, name in enumerate(names):
        known = present[row] & (np.isin(np.arange(len(ids)), old) | looked_at[row])
        rows.append((name, ids[known], ids[hidden][~present[row, hidden]] if looked_at[row] else []))
    write(to / "after" / "labels.csv", rows)
    write_taxonomy(to / "before.yaml", ids[old])
    write_taxonomy(to / "after.yaml", ids)
    trained = (folds > 1) & looked_at
    lines = [f"{ids[column]}  {present[trained, column].sum()}" for column in hidden.tolist()]
    (to / "hidden.txt").write_text("\n".join(lines) + "\n")
    print(f"{labels} labels hidden, annotated on {trained.sum()} of {(folds > 1).sum()} training photos: {to}")


def linked(photo: str, to: str) -> None:
    """Give a photo a second name, or copy it where that cannot be done."""
    try:
        os.link(photo, to)
    except OSError:
        shutil.copy(photo, to)


def write(path: Path, rows: Iterable[tuple[str, Iterable[str], Iterable[str]]]) -> None:
    """Write a list of photos: their names, what is there, what is known not to be."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEADER)
        for name, present, absent in rows:
            table.writerow([name, "|".join(present), "|".join(absent)])


def write_taxonomy(path: Path, ids: Iterable[str]) -> None:
    """Write a label system of these labels, without relations."""
    path.write_text(f"name: {path.stem}\nlabels:\n" + "".join(f"  - '{id_}'\n" for id_ in ids), encoding="utf-8")


def settings(words: Sequence[str]) -> Mapping[str, str]:
    """Return the settings as typed."""
    return dict(word.split("=", 1) for word in words)


if __name__ == "__main__":
    typed = settings(sys.argv[1:])
    main(Path(typed["to"]), int(typed["labels"]), float(typed["share"]))
