"""what=similar as typed: photos found by example, and questions about them for people."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands
import numpy as np
import pyarrow as pa
import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from tagger.cleaning.queue.table import read_queue
from tagger.config import as_typed
from tagger.data.catalog import CatalogStore
from tagger.data.catalog.store import TABLES
from tagger.errors import UserError
from tagger.mine import PATHS
from tagger.mining.opened import Mining
from tagger.mining.steps import similar

CONF = Path(__file__).parents[1] / "conf"

SMALL = ["size=48", "workers=0"]


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """Ten red and ten blue photos with different noise, a copy of a red example, and a file that is no photo."""
    dice = np.random.default_rng(0)
    for folder in ("pool", "reds"):
        (tmp_path / folder).mkdir()
    for name, colour in {"red": (200, 30, 30), "blue": (30, 30, 200)}.items():
        for number in range(12):
            pixels = np.array(colour) + dice.normal(0, 40, (6, 8, 1))
            picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).resize(
                (160, 120), Image.Resampling.BICUBIC
            )
            folder = "reds" if name == "red" and number >= 10 else "pool"
            picture.save(tmp_path / folder / f"{name}{number:02}.png")
    Image.open(tmp_path / "reds" / "red10.png").save(tmp_path / "pool" / "again.jpg", quality=70)
    (tmp_path / "pool" / "broken.jpg").write_bytes(b"no photo")
    return tmp_path / "pool"


@pytest.fixture
def mine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[list[str], str]]:
    """Search; return the names of what was found, and what was said."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, name: str | None = None) -> tuple[list[str], str]:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose("mine", overrides=as_typed(["what=similar", *SMALL, *words], *PATHS))
        similar.run(Mining(config, name, command="as typed"))
        (table,) = (tmp_path / "mining" / "similar").glob("*/found.csv")
        with table.open() as file:
            return [Path(row["photo"]).name for row in csv.DictReader(file)], capsys.readouterr().out

    return run


def test_it_finds_more_like_the_examples_and_sets_copies_of_them_apart(
    pool: Path, mine: Callable[..., tuple[list[str], str]], tmp_path: Path
):
    found, said = mine("examples=reds", "pool=pool", "n=10")
    assert sorted(found) == [f"red{number:02}.png" for number in range(10)]
    assert "1 that nearly are an example are set apart" in said
    assert "left out: not an image, for instance pool/broken.jpg" in said
    page = (tmp_path / "mining" / "similar" / "reds" / "sheet.html").read_text()
    assert "Nearly the same as an example" in page and "as red10.png" in page
    assert page.count("data:image/jpeg;base64,") == 2 + 10 + 1


def test_the_second_time_no_photo_is_decoded_to_be_seen(
    pool: Path, mine: Callable[..., tuple[list[str], str]], monkeypatch: pytest.MonkeyPatch
):
    (pool / "broken.jpg").unlink()
    first, _ = mine("examples=reds", "pool=pool", "n=5")
    monkeypatch.setattr("tagger.data.transforms.Transform.__call__", None)
    assert mine("examples=reds", "pool=pool", "n=5")[0] == first


def test_what_negative_examples_look_like_comes_last(pool: Path, mine: Callable[..., tuple[list[str], str]]):
    words = ["examples=[reds/red10.png,pool/blue00.png]", "pool=pool", "n=30"]
    without, _ = mine(*words)
    found, _ = mine(*words, "negative=pool/blue0[1-4].png", "against=1")
    assert {name[:3] for name in found[:10]} == {"red"} != {name[:3] for name in without[:10]}
    # Pictures of the examples themselves are set apart.
    assert len(found) == len(without) == 10 + 11


def test_an_index_finds_the_same(pool: Path, mine: Callable[..., tuple[list[str], str]]):
    pytest.importorskip("faiss")
    exact, _ = mine("examples=reds", "pool=pool", "n=10", "index=exact")
    found, said = mine("examples=reds", "pool=pool", "n=10", "index=faiss")
    assert found == exact
    assert "FAISS, recall@50 1.00" in said


def test_found_photos_become_questions_about_a_label(
    pool: Path,
    mine: Callable[..., tuple[list[str], str]],
    colours: Callable[..., Path],
    tmp_path: Path,
):
    root = colours(40)
    data = ["data=folder", f"data.root={root}", "data.source.folder=colours", "data.workers=0"]
    data += [f"data.taxonomy={root / 'colours.yaml'}", "label=red", "examples=reds", "pool=pool"]
    _, said = mine(*data, "n=4", name="folder")
    assert "4 photos added" in said and "4 questions come first" in said
    queue = read_queue(tmp_path / "cleaning" / "folder" / "queue.parquet").to_pylist()
    assert [row["rank"] for row in queue] == [1, 2, 3, 4]
    assert {(row["label"], row["kind"], row["state"]) for row in queue} == {("red", "missing", 0)}
    assert all(row["products"].startswith("similar:red 0.") for row in queue)
    assert all((Path(row["root"]) / row["path"]).is_file() for row in queue)

    store = CatalogStore(tmp_path / "catalogs" / "folder")
    assert store.manifest.rows["photos"] == 44
    opinions = [row for row in store.table("annotations").to_pylist() if row["origin"] == "product"]
    assert [(row["label"], row["source"]) for row in opinions] == [("red", "similar:red")] * 4
    assert store.manifest.sources[f"pool:{pool}"]["unknown"] == "ignore"

    # More of them: nothing comes twice, and the new ones come first.
    _, said = mine(*data, "n=6", name="folder")
    assert "2 photos added" in said and "6 questions come first" in said
    assert store.manifest.rows["photos"] == 44, "as it was read"
    queue = read_queue(tmp_path / "cleaning" / "folder" / "queue.parquet").to_pylist()
    assert sorted(row["rank"] for row in queue) == [1, 2, 3, 4, 5, 6]

    # What is decided is not asked again.
    store = CatalogStore(tmp_path / "catalogs" / "folder")
    photo = store.table("photos", ["photo_id"])["photo_id"].to_pylist().index(queue[0]["photo_id"])
    said_by_ann: dict[str, Any] = {"photo": [photo], "label": ["red"], "value": [1], "origin": ["human"]}
    rows = {
        name: said_by_ann.get(name, ["ann"] if name == "annotator" else [None]) for name in TABLES["annotations"].names
    }
    with store.locked():
        store.append({"verdicts": {"annotations": pa.table(rows, schema=TABLES["annotations"])}})
    _, said = mine(*data, "n=6", name="folder")
    assert "5 questions come first, 1 need none: people have decided, or what they show is known" in said
    left = read_queue(tmp_path / "cleaning" / "folder" / "queue.parquet")["photo_id"].to_pylist()
    assert len(left) == 5 and queue[0]["photo_id"] not in left


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pool=pool"], "examples=… must be given"),
        (["examples=reds"], "pool=… must be given"),
        (["examples=reds", "pool=pool", "n=0"], "n=0 must be 1 or more"),
        (["examples=reds", "pool=pool", "against=-1"], "against=-1.0 must be 0 or more"),
        (["examples=reds", "pool=pool", "index=fais"], "index=fais must be auto, exact or faiss"),
        (["examples=reds", "pool=pool", "label=red"], "label=red needs data="),
        (["examples=nowhere", "pool=pool"], "nowhere: there is no such file or folder"),
        (["examples=pool/broken.jpg", "pool=pool"], r"examples=pool/broken\.jpg: none of the photos can be read"),
    ],
)
def test_what_is_wrong_is_named(pool: Path, mine: Callable[..., tuple[list[str], str]], words: list[str], message: str):
    with pytest.raises(UserError, match=message):
        mine(*words)


def test_a_label_that_is_not_there_is_named_before_any_photo_is_seen(
    pool: Path, mine: Callable[..., tuple[list[str], str]], colours: Callable[..., Path]
):
    root = colours(40)
    words = ["data=folder", "data.source.folder=colours", f"data.taxonomy={root / 'colours.yaml'}"]
    with pytest.raises(UserError, match="colours has no such label, did you mean 'red'"):
        mine(*words, "examples=nowhere", "pool=pool", "label=rad", name="folder")


@pytest.mark.slow
def test_the_command_as_typed(pool: Path, tmp_path: Path):
    words = ["what=similar", "examples=reds", "pool=pool", "n=3", *SMALL]
    done = commands.run(
        [sys.executable, "-m", "tagger.mine", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "found     3" in done.stdout
    page = (tmp_path / "mining" / "similar" / "reds" / "sheet.html").read_text()
    assert "python -m tagger.mine what=similar examples=reds pool=pool n=3" in page
    wrong = commands.run(
        [sys.executable, "-m", "tagger.mine", "what=simlar"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 1
    assert "error: what=simlar: there is no such thing to mine" in wrong.stderr
