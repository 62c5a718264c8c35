"""The command as typed: several sources, one catalog, real processes, real kills."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import commands
import pytest

from tagger.data.catalog import CatalogStore
from tagger.data.catalog.fold_noise import FoldNoise, Part, write_fold_noise
from tagger.data.catalog.prepared import Prepared
from tagger.data.sources.sample.draw import draw_photo
from tagger.data.sources.sample.plan import plan_photo
from tagger.data.sources.source import SourceError
from tagger.data.taxonomy import read_taxonomy

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[1]

ALBUM = """
# @package data
defaults:
  - _common
taxonomy: {root}/pets.yaml
unknown: null
source:
  _target_: tagger.data.catalog.prepared.Prepared
  _convert_: all
  folder: catalog
  complete: true
  sources:
    theirs:
      _target_: tagger.data.sources.listing.Listing
      root: {root}
      folder: theirs
      vocabulary: theirs
      unlisted: absent
      unknown: ignore
    ours:
      _target_: tagger.data.sources.listing.Listing
      root: {root}
      folder: ours
      unlisted: unknown
      unknown: negative
"""

PETS = """
name: pets
labels:
  - animal
  - {id: dog, parents: [animal], sources: {theirs: [Hund]}, exact: {theirs: [Hund]}}
  - {id: cat, parents: [animal], sources: {theirs: [Katze]}, exact: {theirs: [Katze]}}
  - {id: beach, aliases: [Strand]}
"""

Prepare = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def prepare(tmp_path: Path) -> Prepare:
    """Return a function that types the command about two sources, in an empty folder that is not the repository."""
    root = tmp_path / "root"
    for folder, first in (("theirs", 0), ("ours", 30)):
        (root / folder / "images").mkdir(parents=True)
        rows = []
        for number in range(first, first + 40):
            # Ten photos are in both.
            draw_photo(plan_photo(3, number), size=96).save(root / folder / "images" / f"{number}.png")
            words = {"theirs": ("Hund", "Katze", "Pferd"), "ours": ("dog", "Strand", "beach")}[folder]
            rows.append(f"{number}.png,{words[number % 3]}")
        (root / folder / "labels.csv").write_text("\n".join(["image,labels", *rows]) + "\n")
    (root / "pets.yaml").write_text(PETS)
    (root / "data").mkdir()
    (root / "data" / "pets.yaml").write_text(ALBUM.replace("# @package data\n", "").format(root=root))
    cwd = tmp_path / "elsewhere"
    cwd.mkdir()

    def run(*words: str, verb: str = "prepare") -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", f"tagger.{verb}", f"hydra.searchpath=[file://{root}]", "data=pets", *words]
        return commands.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)

    run.cwd, run.root = cwd, root  # type: ignore[attr-defined]
    return run


def test_a_plan_says_what_would_come_in_and_writes_nothing(prepare: Prepare) -> None:
    (prepare.root / "ours" / "images" / "69.png").unlink()  # type: ignore[attr-defined]
    done = prepare("plan=true")
    assert done.returncode == 0, done.stderr
    assert "nothing was written" in done.stdout
    assert "ours: 1 of 40 photos left out: missing, for instance " in done.stdout
    assert "Pferd" in done.stdout, "a name that no label claims is named"
    assert list(prepare.cwd.iterdir()) == []  # type: ignore[attr-defined]


def test_two_sources_become_one_catalog_with_a_card_that_trains(prepare: Prepare) -> None:
    done = prepare()
    assert done.returncode == 0, done.stderr
    store = CatalogStore(prepare.cwd / "catalog")  # type: ignore[attr-defined]
    assert store.manifest.rows["photos"] == 70
    assert store.manifest.rows["sightings"] == 80
    assert (store.folder / "card.html").is_file()
    assert (store.folder / "card.md").is_file()

    again = prepare()
    assert again.returncode == 0, again.stderr
    assert CatalogStore(store.folder).manifest.rows == store.manifest.rows

    parts = Part(100, 0, 20, 1, 0.05, 0.2), Part(900, 0, 20, 0, 0.0, 0.04)
    write_fold_noise(store.folder, FoldNoise(0.005, 0.056, *parts, 0, "2026-01-01", "before"))
    small = ["network=timm", "network.backbone=test_efficientnet", "network.weights=null", "data.size=32"]
    trained = prepare(*small, "logger=csv", "trainer.max_epochs=1", "name=pets", verb="train")
    assert trained.returncode == 0, trained.stderr
    (metrics,) = prepare.cwd.glob("runs/pets/*/metrics.json")  # type: ignore[attr-defined]
    figures = json.loads(metrics.read_text())
    photos = sum(figures[f"states/{part}_photos"] for part in ("train", "val", "test"))
    assert photos == 70
    assert 0 < figures["states/unknown_weight"] < 1, "half the photos ignore what is unknown, half do not"
    assert figures["test_noise/present_high"] == 0.2
    warning = (
        "up to 20.0 % may be wrong, of the others 4.0 % (40 looked at, 1 wrong, before the data set was last changed"
    )
    assert warning in metrics.with_name("report.html").read_text()
    assert "may be wrong" in " ".join(trained.stdout.split())


def test_every_annotation_of_a_photo_is_shown_and_a_batch_is_taken_back(prepare: Prepare) -> None:
    assert prepare().returncode == 0
    for words, message in {"show=nowhere.png": "has no photo 'nowhere.png'", "undo=9": "has no batch 9"}.items():
        refused = prepare(words)
        assert refused.returncode == 1
        assert message in " ".join(refused.stderr.split())
        assert "Traceback" not in refused.stderr
    shown = prepare("show=35.png").stdout
    assert "theirs" in shown
    assert "ours" in shown
    undone = prepare("undo=3")
    assert "taken out of sight" in " ".join(undone.stdout.split())
    assert "undone" in prepare("show=35.png").stdout
    assert "back again" in " ".join(prepare("redo=3").stdout.split())


@pytest.mark.parametrize(
    ("words", "photos"),
    [
        (
            (
                "data=coco",
                "data.source.sources.train2017.annotations=annotations/instances_example.json",
                "data.source.sources.train2017.photos=example",
                "~data.source.sources.val2017",
            ),
            16,
        ),
        (("data=open_images", "+data.source.sources.open_images.boxes=null"), 16),
    ],
)
def test_a_published_set_is_prepared_in_its_own_label_system(
    prepare: Prepare, words: tuple[str, ...], photos: int
) -> None:
    done = prepare(*words, f"data.root={REPOSITORY / 'examples' / 'album'}")
    assert done.returncode == 0, done.stderr
    (manifest,) = prepare.cwd.glob("catalogs/*/catalog.json")  # type: ignore[attr-defined]
    store = CatalogStore(manifest.parent)
    assert store.manifest.rows["photos"] == photos
    assert store.manifest.rows["annotations"] > photos


def test_a_data_set_of_one_source_gets_a_catalog_of_its_name(prepare: Prepare) -> None:
    done = prepare("data=sample", "data.source.photos=20", "data.source.size=32")
    assert done.returncode == 0, done.stderr
    folder = prepare.cwd / "catalogs" / "sample"  # type: ignore[attr-defined]
    assert CatalogStore(folder).manifest.rows["photos"] == 20
    other = prepare("data=sample", "data.source.photos=21", "data.source.size=32")
    assert other.returncode == 1
    assert "give +data.catalog=<another folder>" in " ".join(other.stderr.split()), "two albums do not mix"


def test_training_without_a_catalog_says_how_to_make_one(prepare: Prepare) -> None:
    done = prepare("logger=csv", verb="train")
    assert done.returncode == 1
    assert "no catalog in catalog: make it with python -m tagger.prepare" in " ".join(done.stderr.split())


def test_a_changed_taxonomy_asks_to_prepare_again(prepare: Prepare) -> None:
    assert prepare().returncode == 0
    taxonomy = prepare.root / "pets.yaml"  # type: ignore[attr-defined]
    taxonomy.write_text(PETS + "  - {id: horse, parents: [animal], sources: {theirs: [Pferd]}}\n")
    refused = prepare("logger=csv", verb="train")
    assert "with an earlier label system 'pets': run python -m tagger.prepare" in " ".join(refused.stderr.split())
    with pytest.raises(SourceError, match="with 'pets', not 'voc': run"):
        Prepared(folder=str(prepare.cwd / "catalog")).read(None, read_taxonomy("voc"))  # type: ignore[attr-defined]
    done = prepare()
    assert done.returncode == 0, done.stderr
    assert "Pferd" not in done.stdout
    assert "horse" in prepare("show=2.png").stdout


def test_a_command_that_is_killed_at_any_moment_leaves_the_catalog_whole(prepare: Prepare) -> None:
    assert prepare().returncode == 0
    folder, root = prepare.cwd / "catalog", prepare.root  # type: ignore[attr-defined]
    before = CatalogStore(folder).manifest.rows
    with (root / "ours" / "labels.csv").open("a") as file:
        for number in range(70, 90):
            draw_photo(plan_photo(3, number), size=96).save(root / "ours" / "images" / f"{number}.png")
            file.write(f"{number}.png,dog\n")
    command = [sys.executable, "-m", "tagger.prepare", f"hydra.searchpath=[file://{root}]", "data=pets"]
    after = before | {"photos": 90, "sightings": 100}
    for wait in (0.4, 0.8, 1.2, 1.6, 2.0):
        with commands.Popen(command, cwd=folder.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            time.sleep(wait)
            run.send_signal(signal.SIGKILL)
        store = CatalogStore(folder)
        assert store.manifest.rows["photos"] in (before["photos"], after["photos"])
        assert len(store.table("photos")) == store.manifest.rows["photos"]
        assert len(store.table("annotations")) == store.manifest.rows["annotations"]
    done = prepare()
    assert done.returncode == 0, done.stderr
    assert CatalogStore(folder).manifest.rows["photos"] == 90


def test_the_album_of_the_real_photos_is_prepared_and_trains(real_photos: Path, tmp_path: Path) -> None:
    album = ["data=album", f"data.root={real_photos}", "data.source.folder=album"]
    for words in (["prepare", *album], ["train", "+experiment=resampling_focal", "+debug=smoke", *album]):
        command = [sys.executable, "-m", f"tagger.{words[0]}", *words[1:]]
        done = commands.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert CatalogStore(tmp_path / "album").manifest.rows["photos"] > 8000
    assert list(tmp_path.glob("runs/resampling_focal/*/report.html"))
