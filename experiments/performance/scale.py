"""Do a million photos and a thousand labels fit, and do ten times as many take ten times as much?

    python experiments/performance/scale.py
    python experiments/performance/scale.py --photos 900000 9000000 --output experiments/performance/scale.md

Expected, of 900,000 photos: folds in 5 s and 50 times as fast as iterative-stratification, spread no worse; replication
factors in 1 s; a catalog made of the CSVs of Open Images in 60 s and 4 GB, and opened for training in 3 s and 300 bytes
a photo. Takes five minutes, and five more with ten times as many photos. Larger catalogs than ``--built`` photos are
not made of CSVs: they are that one, repeated.

Every figure is of a process of its own. Folds and factors are of drawn states; the catalog is of tables in the format
of Open Images (open_images_tables.py), made without looking at photos and stored as if each had its file.
"""

import argparse
import gc
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold
from open_images_tables import write_synthetic
from scipy.sparse import csr_array

from tagger.data.assembly import Assembly, assemble
from tagger.data.catalog import FOLDS, Catalog, CatalogStore
from tagger.data.catalog.prepared import Prepared
from tagger.data.catalog.store import TABLES
from tagger.data.inspection import SCHEMA
from tagger.data.replication import Replication
from tagger.data.sources.open_images import OpenImages
from tagger.data.split import stratified_folds
from tagger.data.taxonomy import Label, Taxonomy
from tagger.tracking.run_folder import provenance

LABELS_OF_A_PHOTO = 4
FEW = ((20_000, 100), (20_000, 1_000), (50_000, 1_000))
"""Photos and labels that iterative-stratification can do in a minute or two."""

SOURCE = "open_images"

Figures = dict[str, float]

ROWS = (
    ("folds, s", "split", "seconds", "{:.2f}", "5"),
    ("replication factors, s", "replication", "seconds", "{:.2f}", "1"),
    ("building the catalog, s", "build", "seconds", "{:.1f}", "60"),
    ("its memory at most, GB", "build", "peak", "{:.1f}", "4"),
    ("opening it for training, s", "open", "seconds", "{:.1f}", "3"),
    ("what stays, bytes a photo", "open", "arrays", "{:.0f}", "300"),
    ("by which the process grew, bytes a photo", "open", "grown", "{:.0f}", "300"),
    ("and at most meanwhile, bytes a photo", "open", "meanwhile", "{:.0f}", "–"),
)
"""Rows of the table: what, the step and its figure, how it is written, the goal for the first size."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, nargs="+", default=[900_000], help="sizes (default: 900,000)")
    parser.add_argument("--labels", type=int, default=1_000, help="labels (default: 1,000)")
    parser.add_argument("--built", type=int, default=3_000_000, help="photos of CSVs at most (default: 3,000,000)")
    parser.add_argument("--repeat", type=int, default=3, help="medians of so many, of the first size (default: 3)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (default: 0)")
    parser.add_argument("--output", type=Path, help="also write the table to this Markdown file")
    parser.add_argument("--measure", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        step = STEPS[options.measure]
        print(json.dumps(step(options.folder, photos=options.photos[0], labels=options.labels, seed=options.seed)))
        return
    lines = [*scale_table(options), "", *comparison(options)]
    print("\n".join(lines))
    if options.output:
        options.output.write_text("\n".join([*head(options), *lines, ""]), encoding="utf-8")


# --- what is measured -------------------------------------------------------------------------------------------------


def split(_: Path, *, photos: int, labels: int, seed: int) -> Figures:
    """Deal folds over drawn states."""
    states = drawn(photos, labels, seed=seed)
    stratified_folds(states[:100], seed=seed)  # what is imported late is there, and allocators are warm
    folds, seconds = timed(lambda: stratified_folds(states, seed=seed))
    return {"seconds": seconds, "deviation": deviation(states, folds)}


def iterative_stratification(_: Path, *, photos: int, labels: int, seed: int) -> Figures:
    """Deal the same with the package from PyPI, which takes a dense matrix."""
    states = drawn(photos, labels, seed=seed)
    dense, splitter = states.toarray(), MultilabelStratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    list(splitter.split(dense[:100], dense[:100]))
    parts, seconds = timed(lambda: [test for _, test in splitter.split(dense, dense)])
    folds = np.empty(photos, dtype=np.int8)
    for fold, rows in enumerate(parts):
        folds[rows] = fold
    return {"seconds": seconds, "deviation": deviation(states, folds)}


def replication(_: Path, *, photos: int, labels: int, seed: int) -> Figures:
    """Work out how often every photo is drawn."""
    states, unknown = drawn(photos, labels, seed=seed), np.ones(photos)
    settings = Replication("sqrt", target_frequency=0.01)
    return {"seconds": timed(lambda: settings.factors(states, unknown=unknown))[1]}


def build(folder: Path, *, photos: int, labels: int, seed: int) -> Figures:
    """Read the tables and append what they say to a new catalog."""
    del photos, seed  # those of the tables
    source, taxonomy = OpenImages(root=str(folder), boxes=None, without_file="keep"), label_system(labels)
    store = CatalogStore(folder / "catalog")

    def prepare() -> None:
        assembly = assemble(store, {SOURCE: source}, taxonomy, inspect=lambda root, paths: SCHEMA.empty_table())
        settings = {"root": str(folder), "unknown": source.unknown}
        named = {"name": taxonomy.name, "fingerprint": taxonomy.fingerprint}
        with store.locked():
            store.append(with_files(assembly).batches, taxonomy=named, sources={SOURCE: settings})

    return {"seconds": timed(prepare)[1], "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}


def enlarge(folder: Path, *, photos: int, labels: int, seed: int) -> Figures:
    """Append the catalog to itself, as other photos with the same labels, until it has so many."""
    del labels, seed
    store = CatalogStore(folder / "catalog")
    once = {name: store.table(name) for name in TABLES}
    with store.locked():
        for first in range(len(once["photos"]), photos, len(once["photos"])):
            rows = photos - first
            part = {name: moved(table, first, rows=rows) for name, table in once.items()}
            store.append({f"photos from {first}": part})
    return {}


def moved(table: pa.Table, first: int, *, rows: int) -> pa.Table:
    """Return what a table says of its first photos, so many, about those from ``first`` on."""
    table = table.filter(pc.less(table["photo"], rows)) if "photo" in table.column_names else table.slice(0, rows)
    for name in {"photo", "group"} & set(table.column_names):
        later = pc.add(table[name], pa.scalar(first, pa.int32()))
        table = table.set_column(table.column_names.index(name), name, later)
    return table


def open_catalog(folder: Path, *, photos: int, labels: int, seed: int) -> Figures:
    """Open the catalog that was built, as training does."""
    del seed
    taxonomy, prepared = label_system(labels), Prepared(folder=str(folder / "catalog"))
    assert len(taxonomy.closure) == labels  # known before, like all that was imported
    forget_peak()
    before = status("VmRSS")
    catalog, seconds = timed(lambda: prepared.read(None, taxonomy))
    kinds = np.unique(catalog.unknown, return_inverse=True)[1].astype(np.int8)
    gc.collect()
    grown, meanwhile = (status(field) - before for field in ("VmRSS", "VmHWM"))
    assert len(catalog) == len(kinds) == photos
    memory = {"arrays": bytes_of(catalog) + kinds.nbytes, "grown": grown, "meanwhile": meanwhile}
    return {"seconds": seconds} | {name: value / photos for name, value in memory.items()}


STEPS: dict[str, Callable[..., Figures]] = {
    "split": split,
    "iterative-stratification": iterative_stratification,
    "replication": replication,
    "build": build,
    "enlarge": enlarge,
    "open": open_catalog,
}


# --- what it is measured on -------------------------------------------------------------------------------------------


def drawn(photos: int, labels: int, *, seed: int) -> csr_array:
    """Return states of which four a photo are drawn, the labels from frequent to rare (Zipf), int8 (photos, labels)."""
    ends = (1 / np.arange(1, labels + 1)).cumsum()
    label = np.searchsorted(ends, np.random.default_rng(seed).random(photos * LABELS_OF_A_PHOTO) * ends[-1])
    photo = np.repeat(np.arange(photos, dtype=np.int32), LABELS_OF_A_PHOTO)
    states = csr_array((np.ones(len(photo), np.int8), (photo, label.astype(np.int32))), shape=(photos, labels))
    states.sum_duplicates()
    states.data[:] = 1
    return states


def label_system(labels: int) -> Taxonomy:
    """Return labels with the MIDs of the tables as aliases; every tenth is the parent of the nine after it."""
    made = [
        Label(f"label{number}", {}, aliases=(f"/m/0{number:05x}",), parents=(f"label{top}",) if number > top else ())
        for number in range(labels)
        for top in [number // 10 * 10]
    ]
    return Taxonomy("made", tuple(made), fingerprint=f"{labels} labels")


def with_files(assembly: Assembly) -> Assembly:
    """Return the assembly as if every photo had a file: one without is not trained on."""
    batch = assembly.batches["photos"]
    photos = batch["photos"]
    facts = {
        "path": pc.binary_join_element_wise("train/", batch["sightings"]["key"], ".jpg", ""),
        "width": pa.repeat(pa.scalar(1024, pa.int32()), len(photos)),
        "height": pa.repeat(pa.scalar(768, pa.int32()), len(photos)),
    }
    for name, column in facts.items():
        photos = photos.set_column(photos.column_names.index(name), name, column)
    return replace(assembly, batches={**assembly.batches, "photos": {**batch, "photos": photos}})


def deviation(states: csr_array, folds: np.ndarray) -> float:
    """Return how far a label's share in a fold is from a tenth: mean of the absolute differences, then over labels."""
    per_fold = np.stack([states[folds == fold].sum(axis=0) for fold in range(FOLDS)])
    seen = per_fold.sum(axis=0) > 0
    return float(np.abs(per_fold[:, seen] / per_fold[:, seen].sum(axis=0) - 1 / FOLDS).mean())


def bytes_of(catalog: Catalog) -> int:
    """Return what a catalog holds: the columns of photos, the states, and what silence weighs."""
    assert catalog.unknown is not None
    states = (catalog.states.data, catalog.states.indices, catalog.states.indptr)
    return int(catalog.photos.nbytes + sum(array.nbytes for array in states) + catalog.unknown.nbytes)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what it gives and the seconds it takes."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def status(field: str) -> int:
    """Return a memory figure of this process in bytes: VmRSS now, VmHWM at its highest."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


def forget_peak() -> None:
    """Let VmHWM start again; 5 is said in proc(5)."""
    Path("/proc/self/clear_refs").write_text("5")


# --- the table --------------------------------------------------------------------------------------------------------


def scale_table(options: argparse.Namespace) -> list[str]:
    """Measure every step at every size and return the findings as Markdown."""
    first, *others = options.photos
    measured = {first: size(first, options, repeat=options.repeat)}
    measured |= {photos: size(photos, options, repeat=1) for photos in others}
    heads = [f"{photos:,} photos" for photos in measured] + [f"{photos / first:.3g}× the photos" for photos in others]
    lines = [f"| | {' | '.join(heads)} | goal |", f"|---|{'--:|' * (len(heads) + 1)}"]
    for what, step, figure, form, goal in ROWS:
        values = [found[step][figure] for found in measured.values()]
        cells = [form.format(value) for value in values]
        ratios = [f"{value / values[0]:.1f}×" for value in values[1:]]
        for place, photos in enumerate(measured):
            if step == "build" and photos > options.built:
                cells[place] += f" ({options.built:,} photos)"
                ratios[place - 1] += f" for {options.built / first:.1f}×"
        cells += ratios
        lines.append(f"| {what} | {' | '.join(cells)} | {goal} |")
    return lines


def size(photos: int, options: argparse.Namespace, *, repeat: int) -> dict[str, Figures]:
    """Measure every step at one size."""
    measured = {step: measure(step, photos, options, repeat=repeat) for step in ("split", "replication")}
    with tempfile.TemporaryDirectory() as folder:
        tables = Path(folder)
        built = min(photos, options.built)
        write_synthetic(tables, photos=built, labels=options.labels, seed=options.seed)
        measured["build"] = measure("build", built, options, repeat=repeat, folder=tables)
        measure("enlarge", photos, options, repeat=1, folder=tables)
        measured["open"] = measure("open", photos, options, repeat=repeat, folder=tables)
    return measured


def comparison(options: argparse.Namespace) -> list[str]:
    """Deal the same few photos in both ways, of several seeds, and return the findings as Markdown."""
    lines = [
        "| folds of | `stratified_folds`, s | iterative-stratification, s | faster | deviation, ours | theirs |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for photos, labels in FEW:
        few = argparse.Namespace(**{**vars(options), "labels": labels})
        ours, theirs = (measure(step, photos, few, repeat=5) for step in ("split", "iterative-stratification"))
        ratio = theirs["seconds"] / ours["seconds"]
        lines.append(
            f"| {photos:,} photos × {labels:,} labels | {ours['seconds']:.3f} | {theirs['seconds']:.2f} | "
            f"**{ratio:.0f}×** | {ours['deviation']:.5f} | {theirs['deviation']:.5f} |"
        )
    return [
        *lines,
        "",
        "Deviation: how far a label's share in a fold is from a tenth, mean over the folds and then over the labels.",
        "Seconds and deviations are medians of five seeds. Both deal label by label; what costs theirs is a sum over",
        "all photos and labels before every label, and a step of Python for every photo.",
    ]


def measure(step: str, photos: int, options: argparse.Namespace, *, repeat: int, folder: Path = Path()) -> Figures:
    """Run a step in processes of its own, one after the other, and return the medians of its figures.

    What is drawn for a step that needs no folder has another seed every time.
    """
    found = []
    for number in range(repeat):
        if step == "build":
            shutil.rmtree(folder / "catalog", ignore_errors=True)
        settings = {"--photos": photos, "--labels": options.labels, "--seed": options.seed + number, "--folder": folder}
        words = [str(word) for setting in settings.items() for word in setting]
        command = [sys.executable, __file__, "--measure", step, *words]
        found.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
    print(f"{step}, {photos:,} photos: {found}", file=sys.stderr, flush=True)
    return {name: float(np.median([figures[name] for figures in found])) for name in found[0]}


def head(options: argparse.Namespace) -> list[str]:
    packages = ("numpy", "scipy", "pyarrow", "iterative-stratification")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return [
        "# From a million photos to ten",
        "",
        "    python " + " ".join(sys.argv),
        "",
        f"Commit {provenance()['commit']}, seed {options.seed}. {options.labels:,} labels; for folds and factors "
        f"{LABELS_OF_A_PHOTO} drawn a photo, in the tables 4 to 8 verified ones.",
        f"The first size: medians of {options.repeat} processes; others: one. Python {platform.python_version()}, "
        f"{versions}, {platform.machine()}, {os.cpu_count()} cores, shared with others.",
        "",
    ]


if __name__ == "__main__":
    main()
