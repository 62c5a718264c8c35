"""A journey through every verb on forty tiny photos: to a catalog, models, bundles, tags and verdicts."""

import csv
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import commands
import numpy as np
from PIL import Image

from tests.faults.typed import Typist

COLOURS = {"red": (200, 30, 30), "green": (30, 180, 30), "blue": (30, 30, 200), "grey": (128, 128, 128)}

DATA = [
    *("data=folder", "data.root=root", "data.source.folder=colours", "data.source.unlisted=absent"),
    *("data.taxonomy=root/colours.yaml", "data.workers=0"),
]

SMALL = ["network=timm", "network.backbone=test_efficientnet", "network.weights=null", "data.size=32"]

TRAIN = [
    *(*DATA, *SMALL, "data.batch_size=8", "trainer.max_epochs=2", "thresholds=best_f1", "name=tiny"),
    # A checkpoint after nearly every batch.
    *("regime=everything", "checkpoint_minutes=0.0001", "network.dropout=0.3"),
]

EXPORT = ["checkpoint=model/checkpoints/best.ckpt", "bundle=album.tagger", "register=null"]

ALBUM = ["bundle=album.tagger", "photos=album", "workers=0", "batch_size=4"]

POOL = ["pool=pool", "size=48", "workers=0"]


@dataclass(frozen=True)
class Step:
    """One command of the journey.

    Args:
        verb: What follows ``tagger.``.
        words: Its words.
        weight: How many kills it gets, of a long campaign.
        again: Words added after a kill; where they find nothing to go on with, the command is typed without them.
        before: What happens in the folder before it.
        leads_on: Whether later steps need what it leaves.
    """

    verb: str
    words: list[str]
    weight: float
    again: tuple[str, ...] = ()
    before: Callable[[Path], None] | None = None
    leads_on: bool = False

    @property
    def name(self) -> str:
        """What tells it from others."""
        own = [word for word in self.words if word not in (*DATA, *SMALL, *TRAIN, *ALBUM, *POOL)]
        return " ".join([self.verb, *own])


def set_out(folder: Path) -> None:
    """Make the photos of the journey: listed ones, an album, and a pool that nobody has labelled."""
    dice = np.random.default_rng(0)
    (folder / "root" / "colours" / "images").mkdir(parents=True)
    (folder / "root" / "colours" / "labels.csv").write_text("image,labels\n")
    labels = "\n".join(f"  - {name}" for name in COLOURS)
    (folder / "root" / "colours.yaml").write_text(f"name: colours\nlabels:\n{labels}\n")
    add_photos(folder, 0, 40)
    (folder / "album" / "sub").mkdir(parents=True)
    for number in range(12):
        _draw(dice, list(COLOURS.values())[number % 4], (40, 30), 60).save(folder / "album" / f"{number:02}.jpg")
    (folder / "album" / "bad.jpg").write_bytes(b"no photo")
    (folder / "album" / "sub" / "it's, a = photo.png").write_bytes((folder / "album" / "00.jpg").read_bytes())
    (folder / "pool").mkdir()
    for name in ("red", "blue"):
        for number in range(8):
            _draw(dice, COLOURS[name], (8, 6), 40).resize((160, 120), Image.Resampling.BICUBIC).save(
                folder / "pool" / f"{name}{number}.png"
            )


def deliver(typist: Typist) -> None:
    """Set out, train a model and export it as ``album.tagger``: the journey's first half, in short."""
    set_out(typist.folder)
    for verb, words in (("train", [*TRAIN, "trainer.max_epochs=1", "logger=csv"]), ("export", EXPORT)):
        ended = typist(verb, words, limit=300)
        assert not ended.problem(0), f"{verb}: {ended.output}"
        if verb == "train":
            keep_model(typist.folder)


def add_photos(folder: Path, first: int, last: int) -> None:
    """Add photos to the listed ones."""
    dice = np.random.default_rng(first)
    with (folder / "root" / "colours" / "labels.csv").open("a") as listing:
        for number in range(first, last):
            name = list(COLOURS)[number % 4]
            _draw(dice, COLOURS[name], (32, 24), 12).save(folder / "root" / "colours" / "images" / f"{number:03}.png")
            listing.write(f"{number:03}.png,{name}\n")


def _draw(dice: np.random.Generator, colour: tuple[int, int, int], size: tuple[int, int], noise: float) -> Image.Image:
    pixels = np.array(colour) + dice.normal(0, noise, (size[1], size[0], 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def keep_model(folder: Path) -> None:
    """Give the first run a name that does not tell when it was made."""
    next((folder / "runs" / "tiny").iterdir()).rename(folder / "model")


def nine_turns(folder: Path) -> None:
    """Leave what nine of the ten turns of scoring leave."""
    words = [*DATA, "+data.catalog=catalogs/folder", "logger=csv", *SCORING.split()]
    # As in pytest, `import commands` finds the one of this folder.
    path = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]
    code = (
        f"import sys; sys.path[:0] = {path}; from tests.test_clean import nine_turns_of_ten as leave; leave({words!r})"
    )
    commands.run([sys.executable, "-c", code], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def answer(folder: Path) -> None:
    """Answer every question with yes."""
    (table,) = (folder / "cleaning" / "folder" / "tasks").glob("*.csv")
    with table.open(encoding="utf-8-sig", newline="") as file:
        tasks = [row["task_id"] for row in csv.DictReader(file)]
    (folder / "answers.csv").write_text("task_id,verdict\n" + "".join(f"{task},yes\n" for task in tasks))


def ask_a_study(folder: Path) -> None:
    """Write a study of two versions."""
    (folder / "conf" / "study").mkdir(parents=True)
    words = ", ".join(f"'{word}'" for word in [*TRAIN, "trainer.max_epochs=1", "logger=csv"] if "name=" not in word)
    versions = "{v1.0: [], v2.0: [loss=focal]}"
    (folder / "conf" / "study" / "mine.yaml").write_text(
        f"question: Which is better?\nbaseline: v1.0\nseeds: [0]\nminutes: 5\nwords: [{words}]\nversions: {versions}\n"
    )


def ask_a_search(folder: Path) -> None:
    """Write a space."""
    (folder / "mine.yaml").write_text("optimizer.lr: {low: 1e-4, high: 1e-1, log: true}\n")
    (folder / "own" / "experiment").mkdir(parents=True)


SCORING = "network=timm network.backbone=test_efficientnet network.weights=null data.size=32 trainer.max_epochs=1"

SIMILAR = ["what=similar", "examples=pool/red0.png", "n=5", *POOL]

# In a catalog of its own: its label system is another one then.
ACCEPT = [
    *("what=accept", "cluster=1", "label=pattern.new", "to=grown.yaml", *POOL, *DATA),
    *("+data.catalog=catalogs/grown", "queue=cleaning/grown"),
]

SEARCH = ["space=mine.yaml", "budget=2", "experiments=own/experiment", *TRAIN[:-3], "logger=csv"]

RESUMED = ("resume=true",)

STUDY = ["study=mine", "hydra.searchpath=[file://conf]", "output=answers"]

JOURNEY = [
    Step("prepare", DATA, 12, leads_on=True),
    Step("prepare", DATA, 16, before=lambda folder: add_photos(folder, 40, 48), leads_on=True),
    Step("prepare", [*DATA, "undo=1"], 4),
    Step("prepare", [*DATA, "redo=1"], 4),
    Step("train", TRAIN, 40, RESUMED, leads_on=True),
    Step("train", [*TRAIN, "data.workers=2", "regime=head", "name=head", "logger=csv"], 40, RESUMED, keep_model, True),
    Step("train", [*TRAIN, "regime=cached", "name=cached", "logger=csv"], 20, RESUMED),
    Step("train", [*TRAIN, "trainer=ddp", "trainer.accelerator=cpu", "name=ddp", "logger=csv"], 3, RESUMED),
    Step("export", EXPORT, 12, leads_on=True),
    Step("export", EXPORT[:-1], 5),
    Step("predict", [*ALBUM, "output=tags.jsonl"], 24),
    Step("predict", [*ALBUM, "output=tags.csv", "xmp=true", "gallery=album.html"], 30),
    Step("predict", [*ALBUM, "output=tags.csv", "scores=true", "overwrite=true", "workers=2"], 10),
    Step("predict", [*ALBUM, "output=tags.parquet"], 10),
    Step("mine", [*SIMILAR], 8),
    Step("mine", [*SIMILAR, "label=red", *DATA], 12, leads_on=True),
    Step("clean", ["step=queue", *DATA, "overlap=0.5"], 8),
    Step("clean", ["step=export", *DATA], 6),
    Step("clean", ["step=export", *DATA, "to=csv"], 6, leads_on=True),
    Step("clean", ["step=import", *DATA, "from=answers.csv", "annotator=ann"], 14, before=answer, leads_on=True),
    Step("clean", ["step=report", *DATA], 6),
    Step("mine", ["what=relations", "support=2", *DATA], 6),
    Step("mine", ["what=clusters", "least=3", *POOL, *DATA], 8, leads_on=True),
    Step("mine", ACCEPT, 12),
    Step("compare", ["runs={first: model, second: runs/head/*}", "baseline=first", "output=out", "resamples=50"], 8),
    # Below are those that start interpreters, ten seconds each.
    Step("clean", ["step=score", *DATA, f"train={SCORING}"], 2, before=nine_turns, leads_on=True),
    Step("clean", ["step=labels", *DATA], 4),
    Step("study", STUDY, 3, before=ask_a_study, leads_on=True),
    Step("study", [*STUDY, "output=again"], 4),
    Step("search", SEARCH, 3, before=ask_a_search),
]
"""Weights below 5 are those of a long campaign only."""


def travelled(steps: Sequence[Step], times: int) -> list[tuple[Step, int]]:
    """Share a number by the steps' weights; return the steps to take, those without a share if others need them."""
    whole = sum(step.weight for step in steps)
    shares = [int(step.weight * times / whole) for step in steps]
    last = max(number for number, share in enumerate(shares) if share)
    return [
        (step, share) for step, share in list(zip(steps, shares, strict=True))[: last + 1] if share or step.leads_on
    ]
