"""what=clusters and what=accept as typed: photos that look alike, and a label of them with questions for people."""

import csv
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from tagger.cleaning.queue.table import read_queue
from tagger.config import as_typed
from tagger.data.catalog import CatalogStore
from tagger.data.taxonomy import read_taxonomy
from tagger.errors import UserError
from tagger.mine import PATHS
from tagger.mining.opened import Mining
from tagger.mining.steps import accept, clusters
from tagger.studies.composing import composed, composing
from tagger.training.building import build_data

CONF = Path(__file__).parents[1] / "conf"

SMALL = ["size=48", "workers=0"]

Mine = Callable[..., str]


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """A dozen photos each of stripes along, stripes across and chequers, and a file that is no photo."""
    dice = np.random.default_rng(0)
    (tmp_path / "pool").mkdir()
    rows, columns = np.mgrid[:96, :96]
    for name, bright in {"along": rows // 12, "across": columns // 12, "chequers": rows // 12 + columns // 12}.items():
        for number in range(12):
            shade = (bright % 2 * 180 + 40)[..., None] + dice.normal(0, 12, (96, 96, 3))
            Image.fromarray(np.clip(shade, 0, 255).astype(np.uint8)).save(tmp_path / "pool" / f"{name}{number:02}.png")
    (tmp_path / "pool" / "broken.jpg").write_bytes(b"no photo")
    return tmp_path / "pool"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mine:
    """Mine something, and return what was said."""
    monkeypatch.chdir(tmp_path)

    def run(what: str, *words: str, name: str | None = None) -> str:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose("mine", overrides=as_typed([f"what={what}", *SMALL, *words], *PATHS))
        step: Any = {"clusters": clusters, "accept": accept}[what]
        step.run(Mining(config, name, command="as typed"))
        return capsys.readouterr().out

    return run


def found(folder: Path) -> dict[str, set[str]]:
    """Return what photos each cluster has, by the first letters of their names."""
    with (folder / "photos.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {
        number: {Path(row["photo"]).stem[:-2] for row in rows if row["cluster"] == number}
        for number in dict.fromkeys(row["cluster"] for row in rows)
    }


@pytest.mark.parametrize("method", ["auto", "kmeans"])
def test_photos_that_look_alike_come_together_and_are_shown(pool: Path, mine: Mine, tmp_path: Path, method: str):
    said = mine("clusters", "pool=pool", f"method={method}", "clusters=3")
    assert "left out: not an image, for instance pool/broken.jpg" in said
    assert f"3 by {'hdbscan' if method == 'auto' else method}, with 36 of 36 photos" in said
    folder = tmp_path / "mining" / "clusters" / "pool"
    assert sorted(map(sorted, found(folder).values())) == [["across"], ["along"], ["chequers"]]
    page = (folder / "sheet.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 36
    assert "python -m tagger.mine what=accept pool=pool cluster=2 label=… data=… to=….yaml" in page
    with (folder / "clusters.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["photos"]) for row in rows] == [12, 12, 12]
    assert all(0 < float(row["cohesion"]) <= 1 and row["words"].count(",") >= 2 for row in rows)
    assert all(row["name"] in row["words"] for row in rows)


def test_only_photos_without_a_confident_tag_are_left_with_a_bundle(pool: Path, mine: Mine, delivered: Path):
    bundle = f"bundle={delivered / 'album.tagger'}"
    everything = mine("clusters", "pool=pool", bundle, "confident=certified", "least=2")
    assert "of 36 photos" in everything, "no label of the bundle is certified"
    assert "nearest labels" in everything
    with pytest.raises(UserError, match=r"\d+ photos are left; a cluster has at least 36 \(least=\)"):
        mine("clusters", "pool=pool", bundle, "confident=any", "least=36")


def test_a_cluster_becomes_a_label_with_questions(pool: Path, mine: Mine, colours: Callable[..., Path], tmp_path: Path):
    root = colours(40)
    data = ["data=folder", f"data.root={root}", "data.source.folder=colours", "data.workers=0"]
    data += [f"data.taxonomy={root / 'colours.yaml'}"]
    said = mine("clusters", "pool=pool", *data, name="folder")
    assert "red" in said, "the nearest labels are named"
    before = (root / "colours.yaml").read_text()
    (pool / "broken.jpg").unlink()
    stripes = "label=pattern.stripes"
    said = mine("accept", "pool=pool", "cluster=1", stripes, *data, "to=grown.yaml", "rest=50", name="folder")
    assert "pattern.stripes written into grown.yaml, now 5 labels" in said
    assert "say in its definition what counts as it" in said
    assert "36 photos added" in said and "36 questions come first" in said
    assert "the last 24 were drawn from the rest of the pool" in said
    assert "step=export data=folder data.taxonomy=grown.yaml" in said
    assert (root / "colours.yaml").read_text() == before
    first, second, remark, *_ = Path("grown.yaml").read_text().splitlines()
    assert (first, second) == (f"extends: {os.path.relpath(root / 'colours.yaml')}", "labels:")
    assert remark == "  # From 12 photos that look alike, cluster 1 of pool."
    label = read_taxonomy("grown.yaml").labels[-1]
    assert (label.id, label.names) == ("pattern.stripes", {"en": "stripes"})
    queue = read_queue(tmp_path / "cleaning" / "folder" / "queue.parquet").to_pylist()
    assert {(row["label"], row["kind"], row["state"]) for row in queue} == {("pattern.stripes", "missing", 0)}
    assert all(row["products"].startswith("cluster:pattern.stripes ") for row in queue[:12])
    assert [row["products"] for row in queue[12:]] == [""] * 24, "of those that were drawn nobody thinks anything"
    store = CatalogStore(tmp_path / "catalogs" / "folder")
    assert [store.manifest.sources[f"{kind}:{pool}"]["folds"] for kind in ("pool", "drawn")] == ["all", "all"]
    assert store.manifest.taxonomy["fingerprint"] == read_taxonomy("grown.yaml").fingerprint

    # Whatever silence means on the data set's own photos, on those of the pool nobody has looked for anything.
    words = [*data, "data.taxonomy=grown.yaml", "data.unknown=negative", "+data.catalog=catalogs/folder"]
    with composing():
        trained = build_data(composed("train", words))
    assert np.array(trained.weights)[trained.kinds].tolist() == [1.0] * 40 + [0.0] * 36

    # Another cluster for the same label, and one for another: the file grows.
    said = mine("accept", "pool=pool", "cluster=2", stripes, *data, "to=grown.yaml", "rest=0", name="folder")
    assert "pattern.stripes is in grown.yaml already; nothing is written there" in said
    assert "0 photos added" in said and "36 questions come first" in said
    queue = read_queue(tmp_path / "cleaning" / "folder" / "queue.parquet").to_pylist()
    assert sum(bool(row["products"]) for row in queue) == 24
    words = ["label=pattern.chequers", "parents=[red]", "definition=Squares, of two colours."]
    said = mine("accept", "pool=pool", "cluster=3", *words, *data, "to=grown.yaml", "rest=0", name="folder")
    assert "now 6 labels" in said and "say in its definition" not in said
    last = read_taxonomy("grown.yaml").labels[-1]
    assert (last.parents, last.definition) == (("red",), "Squares, of two colours.")
    assert len(read_queue(tmp_path / "cleaning" / "folder" / "queue.parquet")) == 48

    # A photo that has gone since, at most five of the others, and a second file, which lacks what the first one has.
    with (tmp_path / "mining" / "clusters" / "pool" / "photos.csv").open() as file:
        (tmp_path / next(csv.DictReader(file))["photo"]).unlink()
    said = mine(
        "accept", "pool=pool", "cluster=1", "label=lines", *data, "to=other.yaml", "rest=0", "n=5", name="folder"
    )
    assert "left out  1: in the pool no more" in said and "5 questions come first" in said
    assert "note      other.yaml lacks 'pattern.chequers', 'pattern.stripes', which photos were found for" in said


@pytest.mark.parametrize(
    ("what", "words", "message"),
    [
        ("clusters", [], "pool=… must be given"),
        ("clusters", ["pool=pool", "method=knn"], "method=knn must be auto, hdbscan or kmeans"),
        ("clusters", ["pool=pool", "confident=sure"], "confident=sure must be one of certified, met, any"),
        ("clusters", ["pool=pool", "least=1"], "least=1 must be 2 or more"),
        ("clusters", ["pool=pool", "dimensions=0"], "dimensions=0 must be 1 or more"),
        ("clusters", ["pool=pool", "clusters=1"], "clusters=1 must be 2 or more"),
        ("clusters", ["pool=pool/broken.jpg"], "0 photos are left; a cluster has at least 5"),
        ("accept", ["pool=pool", "label=x"], "cluster=… and data=… must be given; what=clusters prints the command"),
    ],
)
def test_what_is_wrong_is_named(pool: Path, mine: Mine, what: str, words: list[str], message: str):
    with pytest.raises(UserError, match=message):
        mine(what, *words)


def test_what_cannot_be_accepted_is_named_before_anything_is_written(
    pool: Path, mine: Mine, colours: Callable[..., Path], tmp_path: Path
):
    root = colours(40)
    data = ["data=folder", f"data.root={root}", "data.source.folder=colours", f"data.taxonomy={root / 'colours.yaml'}"]
    words = ["pool=pool", "label=stripes", *data]
    with pytest.raises(UserError, match=r"photos\.csv is not there: python -m tagger.mine what=clusters pool=pool"):
        mine("accept", *words, "cluster=1", "to=grown.yaml", name="folder")
    mine("clusters", "pool=pool")
    with pytest.raises(UserError, match=r"cluster=9: .*photos\.csv has clusters 1 to 3"):
        mine("accept", *words, "cluster=9", "to=grown.yaml", name="folder")
    with pytest.raises(UserError, match="n=0 must be 1 or more: how many photos of the cluster are asked about"):
        mine("accept", *words, "cluster=1", "n=0", "to=grown.yaml", name="folder")
    with pytest.raises(UserError, match="label=Two words: an id is ASCII letters, digits"):
        mine("accept", "pool=pool", "label=Two words", *data, "cluster=1", "to=grown.yaml", name="folder")
    with pytest.raises(UserError, match="folds=test must be all or train"):
        mine("accept", *words, "cluster=1", "folds=test", "to=grown.yaml", name="folder")
    with pytest.raises(UserError, match=r"colours has no such label; to=<a new label system>\.yaml writes one"):
        mine("accept", *words, "cluster=1", name="folder")
    with pytest.raises(UserError, match=r"nothing was written: it would be [^$]*parents names 'pattern', which is no"):
        mine("accept", *words, "cluster=1", "parents=[pattern]", "to=grown.yaml", name="folder")
    Path("other.yaml").write_text("name: other\nlabels: [red, violet]\n")
    with pytest.raises(UserError, match=r"to=other\.yaml lacks 3 labels of colours, such as .green.: give one"):
        mine("accept", *words, "cluster=1", "to=other.yaml", name="folder")
    table = tmp_path / "mining" / "clusters" / "pool" / "photos.csv"
    text = table.read_text()
    # Paths are for people; what is meant is in the pool, or nowhere.
    table.write_text(re.sub("[0-9a-f]{32}", "0" * 32, text).replace("pool/", "/etc/"))
    with pytest.raises(UserError, match="none of its photos is in pool=pool any more"):
        mine("accept", *words, "cluster=1", "to=grown.yaml", name="folder")
    assert not Path("grown.yaml").exists() and not Path("catalogs").exists()


def test_where_nothing_looks_alike_it_is_said_what_may_help(pool: Path, mine: Mine):
    said = mine("clusters", "pool=pool", "least=30")
    assert "found     0 by hdbscan" in said and "ImageNet would say" not in said
    assert "next      more photos, smaller clusters (least= below 30), or method=kmeans" in said


def test_photos_that_cannot_be_asked_about_are_told(
    pool: Path, mine: Mine, colours: Callable[..., Path], tmp_path: Path
):
    (pool / "broken.jpg").unlink()
    mine("clusters", "pool=pool")
    with (tmp_path / "mining" / "clusters" / "pool" / "photos.csv").open() as file:
        gone, odd, *_ = (row["photo"] for row in csv.DictReader(file) if row["cluster"] == "1")
    Path(gone).unlink()
    Path(odd).rename(Path(odd).with_name(os.fsdecode(b"odd\xff.png")))
    mine("clusters", "pool=pool")
    root = colours(40)
    data = ["data=folder", f"data.root={root}", "data.source.folder=colours", "data.workers=0"]
    data += [f"data.taxonomy={root / 'colours.yaml'}", "to=grown.yaml", "label=any"]
    with (tmp_path / "mining" / "clusters" / "pool" / "photos.csv").open() as file:
        number = next(row["cluster"] for row in csv.DictReader(file) if "\\udcff" in row["photo"])
    said = mine("accept", "pool=pool", f"cluster={number}", *data, "rest=0", name="folder")
    assert " left out: missing, for instance " in said and "odd\\udcff.png" in said
    assert "10 photos added" in said and "10 questions come first" in said


@pytest.mark.slow
def test_the_commands_on_real_photos(real_photos: Path, tmp_path: Path):
    command = [sys.executable, "-m", "tagger.mine", "what=clusters", f"pool={real_photos / 'unlabelled'}"]
    done = commands.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "mining" / "clusters" / "unlabelled" / "clusters.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 15
    assert {"four-poster", "restaurant", "alp"} <= {
        word.rpartition(" ")[0] for row in rows for word in row["words"].split(", ")
    }
