"""The bundle tags as the checkpoint does, and needs no torch to do so."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tagger import Tagger
from tagger.data.photo import BadPhoto
from tagger.data.sources.sample.draw import draw_photo
from tagger.data.sources.sample.plan import plan_photo
from tagger.data.transforms import EvalTransform
from tagger.errors import UserError
from tagger.tags.delivery.bundle import BundleError, read_bundle, write_bundle
from tagger.tags.delivery.graph import GraphError, compare
from tagger.tags.delivery.manifest import Manifest
from tagger.tags.delivery.trained import read_trained


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Draw photos of the sample album."""
    folder = tmp_path_factory.mktemp("album")
    paths = [folder / f"{number}.jpg" for number in range(40)]
    for number, path in enumerate(paths):
        draw_photo(plan_photo(0, number), size=96).save(path)
    return [str(path) for path in paths]


def of_checkpoint(delivered: Path, photos: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and tags of the checkpoint, by the code of validation."""
    trained = read_trained(delivered / "checkpoints" / "best.ckpt")
    recipe, n = trained.recipe, trained.chain.network.normalisation
    transform = EvalTransform(
        size=recipe["size"], fit=recipe["fit"], mean=n.mean, std=n.std, interpolation=n.interpolation
    )
    with torch.inference_mode():
        completed = trained.chain(torch.stack([transform(photo) for photo in photos]))
    return completed.scores.numpy(), completed.tags.numpy()


def test_the_bundle_gives_the_tags_of_the_checkpoint_on_the_sample_album(delivered: Path, album: list[str]):
    tagger = Tagger.load(delivered / "album.tagger")
    scores, tags = of_checkpoint(delivered, album)
    assert np.abs(tagger.scores(album) - scores).max() < 1e-4
    assert 0 < tags.mean() < 1, "a test that could not fail otherwise"
    ids = np.array([label.id for label in tagger.labels])
    for found, row in zip(tagger.tag(album), tags, strict=True):
        assert {tag.label for tag in found} == set(ids[row])
        assert [tag.score for tag in found] == sorted((tag.score for tag in found), reverse=True)


def test_the_bundle_gives_the_tags_of_the_checkpoint_on_real_photos(delivered: Path, real_photos: Path):
    photos = [str(path) for path in sorted((real_photos / "unlabelled" / "images").iterdir())[:60]]
    tagger = Tagger.load(delivered / "album.tagger")
    scores, tags = of_checkpoint(delivered, photos)
    assert np.abs(tagger.scores(photos) - scores).max() < 1e-4
    assert [{tag.label for tag in found} for found in tagger.tag(photos)] == [
        {label.id for label, given in zip(tagger.labels, row, strict=True) if given} for row in tags
    ]


def test_a_photo_has_the_same_scores_in_any_batch(delivered: Path, album: list[str]):
    tagger = Tagger.load(delivered / "album.tagger")
    alone = np.concatenate([tagger.scores([photo]) for photo in album[:7]])
    assert np.allclose(tagger.scores(album[:7], batch=3), alone, atol=1e-6)
    assert tagger.scores([]).shape == (0, 4)
    assert tagger.tag([]) == []


def test_tags_are_named_in_the_language_that_is_asked_for(delivered: Path, album: list[str]):
    tagger = Tagger.load(delivered / "album.tagger", thresholds=dict.fromkeys(("red", "green", "blue", "grey"), 0.0))
    for language, name in (("en", "Red"), ("zh", "红"), ("fr", "Red")):
        (tags,) = tagger.tag(album[:1], language=language)
        assert {tag.label: tag.name for tag in tags}["red"] == name


def test_every_tag_says_where_it_comes_from(delivered: Path, album: list[str]):
    tagger = Tagger.load(delivered / "album.tagger")
    tags = [{tag.label: tag for tag in found} for found in tagger.tag(album)]
    followed = [found for found in tags if "red" in found and found["red"].origin == "rule"]
    seen = [found for found in tags if "red" in found and found["red"].origin == "network"]
    assert followed and seen
    for found in followed:
        assert found["red"].score == found["blue"].score
        assert found["red"].because == f"follows from Blue, scored {found['blue'].score:.2f}"
    for found in seen:
        assert found["red"].because == f"scored {found['red'].score:.2f}, given from 0.40"
    assert tagger.manifest.relations == (("implies", "blue", "red"),)


def test_thresholds_can_be_set_at_load(delivered: Path, album: list[str]):
    tagger = Tagger.load(delivered / "album.tagger", thresholds={"red": 2.0, "grey": 0.0})
    for tags in tagger.tag(album):
        assert "red" not in {tag.label for tag in tags}
        assert "grey" in {tag.label for tag in tags}, "silent in the bundle itself"
    with pytest.raises(UserError, match="no label 'rde'"):
        Tagger.load(delivered / "album.tagger", thresholds={"rde": 0.5})
    with pytest.raises(UserError, match=r"must lie in \[0, 2\], got 3"):
        Tagger.load(delivered / "album.tagger", thresholds={"red": 3})


def test_a_photo_that_cannot_be_read_is_named(delivered: Path, tmp_path: Path):
    (tmp_path / "bad.jpg").write_bytes(b"no photo")
    with pytest.raises(BadPhoto, match=r"bad\.jpg: not an image"):
        Tagger.load(delivered / "album.tagger").tag([tmp_path / "bad.jpg"])


def test_a_graph_that_differs_from_the_checkpoint_is_not_delivered(delivered: Path, album: list[str]):
    tagger = Tagger.load(delivered / "album.tagger")
    chain = read_trained(delivered / "checkpoints" / "best.ckpt").chain
    found = compare(tagger, chain, album[:5])
    assert found.photos == 5
    assert found.largest < 1e-4
    with pytest.raises(GraphError, match="gives other tags"):
        compare(tagger, chain.with_thresholds(torch.tensor([0.4, 0.6, 0.5, 0.0])), album[:5])
    with torch.no_grad():
        chain.network.head.bias += 0.01
    with pytest.raises(GraphError, match=r"scores differ from the checkpoint's by 0\.00"):
        compare(tagger, chain, album[:5])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"size": 10**6}, "size must be a whole number and at most 4096"),
        ({"size": 64.0}, "size must be a whole number"),
        ({"size": 64, "max_pixels": 10**12}, "max_pixels must be a whole number and at most 256000000"),
        ({"size": 32, "shape": 1}, "unexpected keyword argument 'shape'"),
        ({"size": "32"}, "preprocessing"),
        ({"size": 32, "std": [0, 1, 1]}, "std must be three numbers above 0"),
    ],
)
def test_preprocessing_that_is_none_is_refused(delivered: Path, tmp_path: Path, changed: dict, message: str):
    read = read_bundle(delivered / "album.tagger")
    tree = json.loads(read.manifest.to_json()) | {"preprocessing": changed}
    write_bundle(tmp_path / "x.zip", Manifest.from_json(json.dumps(tree).encode()), model=read.model, card="")
    with pytest.raises(BundleError, match=message):
        Tagger.load(tmp_path / "x.zip")


def test_a_graph_that_is_none_or_of_other_labels_is_refused(delivered: Path, tmp_path: Path):
    read = read_bundle(delivered / "album.tagger")
    write_bundle(tmp_path / "x.zip", read.manifest, model=b"no graph", card="")
    with pytest.raises(BundleError, match=r"model\.onnx cannot be read"):
        Tagger.load(tmp_path / "x.zip")
    tree = json.loads(read.manifest.to_json())
    tree["labels"].pop()
    write_bundle(tmp_path / "x.zip", Manifest.from_json(json.dumps(tree).encode()), model=read.model, card="")
    with pytest.raises(BundleError, match=r"scores of shape \(1, 4\), the manifest has 3 labels"):
        Tagger.load(tmp_path / "x.zip")


BARE = """
import sys
for name in ("torch", "torchvision", "pytorch_lightning", "hydra", "omegaconf", "pyarrow", "fsspec", "scipy", "rich"):
    sys.modules[name] = None  # importing it raises, as if it were not installed
import json, time
started = time.perf_counter()
from tagger import Tagger
tagger = Tagger.load(sys.argv[1])
ready = time.perf_counter() - started
tags = [[tag.label for tag in tags] for tags in tagger.tag(sys.argv[2:])]
print(json.dumps({"ready": ready, "tags": tags}))
"""


def test_a_machine_without_torch_tags_within_two_seconds(delivered: Path, album: list[str]):
    words = [sys.executable, "-c", BARE, str(delivered / "album.tagger"), *album[:5]]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env, timeout=60)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    tagger = Tagger.load(delivered / "album.tagger")
    assert said["tags"] == [[tag.label for tag in tags] for tags in tagger.tag(album[:5])]
    assert said["ready"] < 2


def test_a_photo_in_memory_is_tagged_like_its_file(delivered: Path, album: list[str]):
    tagger = Tagger.load(delivered / "album.tagger")
    assert tagger.tag([io.BytesIO(Path(album[0]).read_bytes())]) == tagger.tag([album[0]])
    assert tagger.pixels(album[0]).shape == (64, 64, 3)
