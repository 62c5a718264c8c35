"""What does cleaning buy where the truth is known? Real commands, simulated annotators, test mAP on the truth.

    python experiments/cleaning/simulate.py --album sample --work ~/simulation
    python experiments/cleaning/simulate.py --album noisy --work ~/simulation
    python experiments/cleaning/summary.py --work ~/simulation

An album is scored and queued once. For every arm and seed a copy of its catalog then gets the verdicts of simulated
annotators, some tasks more at every point of the curve, and is trained on. What is there already is not done again.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from annotators import Truth, fill_in
from omegaconf import OmegaConf
from queue_quality import KINDS, Asked, Calibrated, Pairs, Quality, cleanlab_alone

from tagger.cleaning.queue.table import MISSING, MISTAKEN, QUEUE, QUEUE_SCHEMA, read_queue, task_id, write_queue
from tagger.cleaning.scoring.scores import read_scores
from tagger.cleaning.scoring.turns import rows_of
from tagger.data.catalog import FOLDS
from tagger.data.catalog.store import CatalogStore
from tagger.data.datamodule import PhotoData
from tagger.data.dataset import dense_states
from tagger.data.sources.sample import draw_album
from tagger.data.states import PRESENT, UNKNOWN
from tagger.studies.composing import composed, composing
from tagger.tracking.run_folder import provenance
from tagger.training.building import build_data

QUALITY_BUDGETS = (50, 100, 250, 500, 1000, 2000)
"""Tasks for which precision and recall are measured."""


AUTO = "queue_auto.parquet"
"""The queue of the labels that step=labels calls dirty, as the defaults make it."""

ALL = 1_000_000
"""Tasks: more than there are."""

MOST = 2000
"""Tasks that are handed out, unless it is everything."""


@dataclass(frozen=True)
class Arm:
    """One way to spend answers."""

    name: str
    order: str
    """queue, one list (both kinds by margin), random, mended (what is said wrongly) or everything (unknown, too)."""
    annotators: int = 1
    """Who answer every task; the majority holds."""
    accuracy: float = 0.9
    budgets: tuple[int, ...] = (250, 500, 1000, 2000)
    """Tasks answered at the points of the curve."""

    def at(self, tasks: Sequence[int] | None) -> "Arm":
        """Return the arm with these points of its curve only, if it has one."""
        if tasks is None or len(self.budgets) == 1:
            return self
        return replace(self, budgets=tuple(budget for budget in self.budgets if budget in tasks))


ARMS = (
    Arm("nothing", "queue", budgets=(0,)),
    Arm("queue, one annotator", "queue"),
    Arm("one list, one annotator", "one list"),
    Arm("queue, three annotators", "queue", annotators=3, budgets=(500, 1000, 2000)),
    Arm("one list, three annotators", "one list", annotators=3, budgets=(2000,)),
    Arm("random, one annotator", "random"),
    Arm("all that is wrong, mended", "mended", accuracy=1.0, budgets=(ALL,)),
    Arm("everything, never wrong", "everything", accuracy=1.0, budgets=(ALL,)),
)


@dataclass(frozen=True)
class Point:
    """What a cleaned catalog is like, and what training on it gives."""

    arm: str
    annotators: int
    seed: int
    tasks: int
    answers: int
    recorded: int
    """Labels of photos that are said to be present or absent."""
    wrong: int
    """Of these, how many are not as they are said to be."""
    truth_map: dict[int, float]
    """Test mAP on the truth, by turn: the fold that tested."""
    map: dict[int, float]
    """Test mAP on the annotations as they then were, by turn."""


@dataclass(frozen=True)
class Album:
    """A drawn album in the work folder of the study."""

    name: str
    words: tuple[str, ...]
    """Of every command: which data set."""
    work: Path

    @property
    def data(self) -> str:
        return self.words[0].removeprefix("data=")

    @property
    def base(self) -> "Place":
        """Where it is scored and queued, and nobody has decided anything."""
        return Place(self, self.work / self.name / "base")


@dataclass(frozen=True)
class Place:
    """A folder with a catalog of an album, as a user has one."""

    album: Album
    folder: Path

    @property
    def catalog(self) -> Path:
        return self.folder / "catalogs" / self.album.data

    @property
    def cleaning(self) -> Path:
        return self.folder / "cleaning" / self.album.data

    @property
    def store(self) -> CatalogStore:
        return CatalogStore(self.catalog)

    def run(self, verb: str, *words: str) -> None:
        """Run a command in the folder; what it says is added to ``output.log``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "output.log").open("ab") as log:
            command = [sys.executable, "-m", f"tagger.{verb}", *words]
            subprocess.run(command, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, check=True)

    def clean(self, step: str, *words: str) -> None:
        self.run("clean", f"step={step}", *self.album.words, *words)

    @cached_property
    def seen(self) -> PhotoData:
        """What training sees of it at the first time of asking."""
        with composing():
            return build_data(composed("train", [*self.album.words, f"+data.catalog={self.catalog}"]))

    def states_and_truth(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what is said and what is so, int8 (photos, labels) each."""
        rows = np.arange(len(self.seen.catalog))
        truth = self.seen.truth(rows)
        assert truth is not None
        return dense_states(self.seen.catalog.states, rows), truth

    def truth_by_path(self) -> Truth:
        """Return the truth as annotators see it: of a photo's path and a label's id."""
        _, truth = self.states_and_truth()
        paths, ids = self.seen.names(np.arange(len(truth))), self.seen.taxonomy.ids
        return {
            (path, label): bool(value == PRESENT)
            for path, row in zip(paths, truth, strict=True)
            for label, value in zip(ids, row, strict=True)
        }

    def copy(self, folder: Path) -> "Place":
        """Return a copy of the catalog, its scores and its queue, made anew."""
        place = Place(self.album, folder)
        for part in ("catalogs", "cleaning", "runs"):
            shutil.rmtree(folder / part, ignore_errors=True)
        shutil.copytree(self.catalog, place.catalog)
        place.cleaning.mkdir(parents=True)
        for file in self.cleaning.glob("*.*"):
            shutil.copy(file, place.cleaning)
        return place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--album", choices=("sample", "noisy"), required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder for catalogs, runs and results")
    parser.add_argument("--arms", nargs="*", help="names of arms; all by default", default=[arm.name for arm in ARMS])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2], help="of training and of the annotators")
    parser.add_argument("--tasks", type=int, nargs="*", help="points of the curves; all by default")
    parser.add_argument("--turns", type=int, nargs="*", help="folds that test; by default the even or the odd ones")
    given = parser.parse_args()
    album = album_of(given.album, given.work.expanduser().absolute())
    base = album.base
    prepare(base)
    for name, found in (("quality", qualities(base)), ("calibration", calibration(base))):
        path = album.work / album.name / f"{name}.json"
        if not path.exists():
            keep(path, [asdict(one) for one in found], name)
    for seed in given.seeds:
        for arm in (arm.at(given.tasks) for arm in ARMS if arm.name in given.arms):
            for point in points(base, arm, seed=seed, turns=given.turns or range(seed % 2, FOLDS, 2)):
                print(f"{album.name}, {arm.name}, seed {seed}: {point.tasks} tasks, {point.wrong} wrong,", end=" ")
                print(f"mAP on the truth {np.mean(list(point.truth_map.values())):.4f}", flush=True)


def album_of(name: str, work: Path) -> Album:
    """Return an album: data=sample as it is, or the same photos with four and five times the noise."""
    if name == "sample":
        return Album(name, ("data=sample",), work)
    albums = work / "albums"
    albums.mkdir(parents=True, exist_ok=True)
    if not (albums / name).exists():
        draw_album(albums / name, noise_missing=0.2, noise_mistaken=0.1)
    words = ("data=folder", f"data.root={albums}", f"data.source.folder={name}", "data.taxonomy=sample")
    return Album(name, (*words, "data.unknown=ignore", "data.size=128"), work)


def prepare(base: Place) -> None:
    """Score the album and make its queues, unless they are there: of the labels called dirty, and of all."""
    if not (base.cleaning / "scores.json").exists():
        base.clean("score")
    if not (base.cleaning / AUTO).exists():
        base.clean("queue", "overlap=0")
        (base.cleaning / QUEUE).rename(base.cleaning / AUTO)
    if not (base.cleaning / QUEUE).exists():
        base.clean("queue", "labels=all", "budget=null", "overlap=0")


def qualities(base: Place) -> Iterator[Quality]:
    """Yield how good the queue is, beside others."""
    states, truth = base.states_and_truth()
    scores = read_scores(base.cleaning, base.seen.taxonomy, photos=base.store.manifest.rows["photos"])
    values = scores.values[rows_of(base.store)].astype(np.float64)
    asked, auto = asked_in(base), asked_in(base, AUTO)
    for kind in KINDS:
        pairs = Pairs.of(kind, states, truth)
        yield from pairs.at_random(QUALITY_BUDGETS)
        yield from pairs.quality(cleanlab_alone(values, states, pairs), "cleanlab alone", QUALITY_BUDGETS)
        for name, order in asked.orders(pairs):
            yield from pairs.quality(order, name, QUALITY_BUDGETS)
        yield from pairs.quality(auto.in_order(pairs), "labels=auto", QUALITY_BUDGETS)


def calibration(base: Place) -> Iterator[Calibrated]:
    """Yield what the queue's probabilities promise, and what is so."""
    for kind in (MISSING, MISTAKEN):
        yield from asked_in(base).calibration(Pairs.of(kind, *base.states_and_truth()))


def asked_in(base: Place, file: str = QUEUE) -> Asked:
    """Return a queue, its photos and labels as rows and columns of what training sees."""
    queue = read_queue(base.cleaning / file)
    place = {photo: row for row, photo in enumerate(base.seen.catalog.photos["photo_id"].to_pylist())}
    rows = np.array([place[photo] for photo in queue["photo_id"].to_pylist()])
    columns = np.array([base.seen.taxonomy.column[label] for label in queue["label"].to_pylist()])
    return Asked(queue, rows, columns)


def points(base: Place, arm: Arm, *, seed: int, turns: Sequence[int]) -> Iterator[Point]:
    """Yield the points of an arm's curve, of one seed, as they are reached."""
    folder = base.folder.with_name(f"{arm.name.replace(', ', '_').replace(' ', '_')}_s{seed}")
    truth, answers, place = base.truth_by_path(), 0, None
    annotators = [f"annotator{number}_s{seed}" for number in range(arm.annotators)]
    for tasks in arm.budgets:
        file = folder / f"point_{tasks}.json"
        if not file.exists():
            if place is None:
                place = base.copy(folder)
                table = hand_out(place, arm, seed=seed) if any(arm.budgets) else None
            if table:
                filled = folder / f"answers_{tasks}.csv"
                answers = fill_in(table, filled, truth, annotators=annotators, accuracy=arm.accuracy, tasks=tasks)
                place.clean("import", f"from={filled}")
            point = trained(Place(place.album, folder), arm, seed=seed, answers=answers, turns=turns)
            keep(file, asdict(point), "point")
        yield Point(**json.loads(file.read_text(encoding="utf-8"))["point"])


def hand_out(place: Place, arm: Arm, *, seed: int) -> Path:
    """Hand out the questions of an arm, and return the table."""
    path, (states, truth) = place.cleaning / QUEUE, place.states_and_truth()
    queue = read_queue(path)
    if arm.order == "one list":
        queue = queue.sort_by([("margin", "descending")])
    queue = queue.slice(0, MOST)
    if arm.order == "random":
        queue = questions(place, *drawn(states, queue["kind"].to_numpy(), np.random.default_rng([seed, 1])))
    elif arm.order in ("mended", "everything"):
        is_asked = (states != truth) & ((states != UNKNOWN) | (arm.order == "everything"))
        queue = questions(place, *np.nonzero(is_asked))
    write_queue(path, queue)
    place.clean("export", "to=csv")
    (table,) = (place.cleaning / "tasks").glob("*.csv")
    return table


def drawn(states: np.ndarray, kinds: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return photos and labels drawn at random, of each kind as many as a queue has, and in the same places.

    Args:
        states: int8 (photos, labels).
        kinds: missing or mistaken, of every task of the queue.
        rng: Draws.
    """
    rows, columns = np.zeros(len(kinds), dtype=np.int64), np.zeros(len(kinds), dtype=np.int64)
    for kind in (MISSING, MISTAKEN):
        among = rng.permutation(np.argwhere((states == PRESENT) == (kind == MISTAKEN)))
        rows[kinds == kind], columns[kinds == kind] = among[: (kinds == kind).sum()].T
    return rows, columns


def questions(place: Place, rows: np.ndarray, columns: np.ndarray) -> pa.Table:
    """Return tasks about photos and labels, in this order, without evidence."""
    catalog, (states, _) = place.seen.catalog, place.states_and_truth()
    said = states[rows, columns]
    kinds = np.where(said == PRESENT, MISTAKEN, MISSING).tolist()
    photos = [str(catalog.photos["photo_id"][row]) for row in rows.tolist()]
    labels = [place.seen.taxonomy.ids[column] for column in columns.tolist()]
    roots, paths = zip(*(catalog.root_and_path(row) for row in rows.tolist()), strict=True)
    known: dict[str, Any] = {
        "task_id": [task_id(*task) for task in zip(photos, labels, kinds, strict=True)],
        "photo_id": photos,
        "root": roots,
        "path": paths,
        "label": labels,
        "kind": kinds,
        "state": said,
        "rank": np.arange(1, len(rows) + 1),
        "overlap": np.ones(len(rows)),
    }
    nothing = [None] * len(rows)
    columns_of = {field.name: pa.array(known.get(field.name, nothing)).cast(field.type) for field in QUEUE_SCHEMA}
    return pa.table(columns_of, schema=QUEUE_SCHEMA)


def trained(place: Place, arm: Arm, *, seed: int, answers: int, turns: Sequence[int]) -> Point:
    """Train on what the catalog now says, on every turn, and return what came out."""
    name = f"after_{answers}"
    chosen = "+data.turn=" + ",".join(str(turn) for turn in turns)
    catalog = f"+data.catalog={place.catalog}"
    shutil.rmtree(place.folder / "runs" / name, ignore_errors=True)
    quiet = ("logger=csv", f"name={name}", f"seed={seed}", chosen, "-m")
    place.run("train", "+experiment=baseline", *place.album.words, catalog, *quiet)
    states, truth = place.states_and_truth()
    found: dict[str, dict[int, float]] = {"truth/map": {}, "test/map": {}}
    for run in sorted((place.folder / "runs" / name).iterdir()):
        turn = turn_of(run)
        metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
        for figure, by_turn in found.items():
            by_turn[turn] = metrics[figure]
    shutil.rmtree(place.folder / "runs" / name)
    return Point(
        arm=arm.name,
        annotators=arm.annotators,
        seed=seed,
        tasks=answers // arm.annotators,
        answers=answers,
        recorded=int((states != 0).sum()),
        wrong=int(((states != 0) & (states != truth)).sum()),
        truth_map=found["truth/map"],
        map=found["test/map"],
    )


def turn_of(run: Path) -> int:
    """Return the fold that tested a run."""
    return int(OmegaConf.load(run / "config.yaml").data.turn)


def keep(path: Path, content: Any, name: str = "figures") -> None:
    """Write figures and what made them."""
    path.write_text(json.dumps({name: content, **provenance()}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
