"""Extending a model: the network begins as the earlier one, and what it knew stays."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from sklearn.metrics import average_precision_score

from tagger.data.datamodule import PhotoData
from tagger.data.normalisation import Normalisation
from tagger.data.sources.listing import Listing
from tagger.errors import UserError
from tagger.model.checkpoint import load_checkpoint
from tagger.model.losses import BinaryCrossEntropy
from tagger.model.module import TaggerModule
from tagger.model.network import Network
from tagger.model.regime import Regime
from tagger.tags.delivery.bundle import read_bundle, write_bundle
from tagger.tags.histogram import Histogram
from tagger.tags.thresholds import Target
from tagger.tags.thresholds_callback import ThresholdsCallback
from tagger.tracking.label_result import LabelResult
from tagger.tracking.run_folder import keep_folds
from tagger.training.earlier import read_earlier
from tagger.training.extending import Extending

HALF = (0.5, 0.5, 0.5)
SYSTEM = """
name: after
labels:
  - new
  - {id: crimson, aliases: [red]}
  - {id: cold, aliases: [green, blue]}
  - grey
"""
"""Red was renamed, green and blue were merged, grey is the same and one is new."""


@pytest.fixture
def root(colours: Callable[..., Path]) -> Path:
    """Forty photos of plain colours; on every second somebody said whether it is new, as every fourth is."""
    root = colours()
    table = root / "colours" / "labels.csv"
    rows = [line.split(",") for line in table.read_text().splitlines()[1:]]
    known = [
        f"{name},{label}{'|new' * (number % 4 == 0)},{'new' * (number % 4 == 2)}"
        for number, (name, label) in enumerate(rows)
    ]
    table.write_text("\n".join(["image,labels,absent", *known]) + "\n")
    (root / "after.yaml").write_text(SYSTEM)
    return root


@pytest.fixture
def make_data(root: Path, photo_data: Callable[..., PhotoData]) -> Callable[..., PhotoData]:
    """Make the data of a label system, seen as the delivered bundle sees photos."""

    def make(labels: str = "after.yaml", **settings: Any) -> PhotoData:
        listing = Listing(folder="colours", unlisted="unknown")
        data = photo_data(
            root, taxonomy=str(root / labels), source=listing, **{"size": 64, "fit": "pad", "batch_size": 8} | settings
        )
        data.prepare(Normalisation(HALF, (0.25, 0.5, 0.5), "bilinear"))
        return data

    return make


@pytest.fixture
def module(delivered: Path) -> TaggerModule:
    """A module whose backbone is the delivered one, with a fresh head of four labels."""
    theirs, _, recipe = load_checkpoint(delivered / "checkpoints" / "best.ckpt")
    network = Network(labels=4, weights=None, **recipe["network"])
    network.backbone.load_state_dict(theirs.backbone.state_dict())
    labels = [{"id": id_} for id_ in ("new", "crimson", "cold", "grey")]
    return TaggerModule(
        network=network,
        regime=Regime(train_backbone=False),
        loss=BinaryCrossEntropy(),
        optimizer=lambda module: torch.optim.AdamW(module.parameters(), lr=1e-2, weight_decay=0.1),
        schedule=lambda optimizer, _: torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0),
        unknown=(1.0, 0.0),
        seed=0,
        recipe={"labels": labels},
    )


def settings(place: Path | None, **extension: Any) -> DictConfig:
    """Return what a configuration says of an extension."""
    own = {"_target_": "tagger.training.extending.Extension"} | extension
    return OmegaConf.create(
        {
            "name": "extend",
            "from_model": None if place is None else str(place),
            "extension": own,
            "experts": {"by": None},
        }
    )


def started(place: Path, data: PhotoData, **extension: Any) -> Extending:
    extending = Extending.of(settings(place, **extension), data)
    assert extending is not None
    return extending


@pytest.fixture(params=["album.tagger", "checkpoints/best.ckpt"])
def place(request: pytest.FixtureRequest, delivered: Path) -> Path:
    """A bundle, and the checkpoint that it was made of."""
    return delivered / request.param


# --- what is taken --------------------------------------------------------------------------------------------------


def test_a_bundle_holds_the_rows_and_thresholds_of_its_checkpoint(delivered: Path):
    bundle, checkpoint = (read_earlier(str(delivered / name)) for name in ("album.tagger", "checkpoints/best.ckpt"))
    assert bundle.ids == checkpoint.ids == ("red", "green", "blue", "grey")
    assert torch.equal(bundle.rows, checkpoint.rows)
    assert torch.equal(bundle.bias, checkpoint.bias)
    torch.testing.assert_close(bundle.thresholds, checkpoint.thresholds)
    assert bundle.preprocessing == checkpoint.preprocessing
    assert bundle.fingerprints.items() >= checkpoint.fingerprints.items()


def test_labels_that_go_on_score_as_they_did(place: Path, make_data, module: TaggerModule, delivered: Path):
    data = make_data()
    fresh = module.network.head.weight.detach().clone()
    started(place, data).carry_over(module, data)
    theirs, _, _ = load_checkpoint(delivered / "checkpoints" / "best.ckpt")
    photos = torch.stack([data.plain(photo) for photo in data.names(np.arange(8))])
    with torch.inference_mode():
        now, before = module.network.eval()(photos), theirs(photos)
    torch.testing.assert_close(now[:, [1, 3]], before[:, [0, 3]])
    # Of linear rows the mean has the mean of the logits.
    torch.testing.assert_close(now[:, 2], before[:, [1, 2]].mean(dim=1))
    assert torch.equal(module.network.head.weight[0], fresh[0])


def test_a_checkpoint_brings_its_backbone_and_a_bundle_refuses_another(
    place: Path, make_data, module: TaggerModule, delivered: Path
):
    data = make_data()
    theirs = load_checkpoint(delivered / "checkpoints" / "best.ckpt")[0].backbone.state_dict()
    with torch.no_grad():
        for parameter in module.network.backbone.parameters():
            parameter.mul_(1.1)
    extending = started(place, data)
    if place.suffix == ".ckpt":
        extending.carry_over(module, data)
        assert all(torch.equal(value, theirs[name]) for name, value in module.network.backbone.state_dict().items())
    else:
        with pytest.raises(UserError, match=r"its backbone is another than this run's .* its checkpoint: from=runs/"):
            extending.carry_over(module, data)


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"size": 32}, "sees photos with size 64, this run with 32: data.size"), ({"fit": "crop"}, "fit pad, .*crop")],
)
def test_other_pixels_are_refused(place: Path, make_data, module: TaggerModule, changed: dict[str, Any], said: str):
    data = make_data(**changed)
    with pytest.raises(UserError, match=said):
        started(place, data).carry_over(module, data)


def test_another_network_is_refused(place: Path, make_data, module: TaggerModule):
    data, extending = make_data(), started(place, make_data())
    module.network.head = torch.nn.Linear(7, 4)
    with pytest.raises(UserError, match="has a linear head on 256 features; take the network that it was trained with"):
        extending.carry_over(module, data)


def test_a_bundle_without_rows_is_refused(delivered: Path, tmp_path: Path):
    bundle = read_bundle(delivered / "album.tagger")
    renamed = bundle.model.replace(b"chain.network.head.weight", b"chain.network.head.wXight")
    path = tmp_path / "int8.tagger"
    write_bundle(path, replace(bundle.manifest, precision="int8"), model=renamed, card="")
    with pytest.raises(UserError, match=r"it computes in int8\); name the checkpoint that it was made of"):
        read_earlier(str(path))


# --- what is known of the photos ------------------------------------------------------------------------------------


def test_photos_are_in_the_folds_that_the_earlier_model_had(place: Path, make_data, root: Path):
    names = "red", "green", "blue", "grey"
    (root / "before.yaml").write_text("name: before\nlabels:\n" + "".join(f"  - {name}\n" for name in names))
    (root / "more.yaml").write_text("name: more\nlabels: [new, grey, {id: crimson, aliases: [red]}, blue, green]\n")
    listed = (root / "colours" / "labels.csv").read_text()
    after = make_data("more.yaml")
    extending = started(place, after)
    folds, fingerprint = after.folds.copy(), extending.same_photos(after)
    (root / "colours" / "labels.csv").write_text(listed.replace("|new", "").replace(",new", ","))
    before = make_data("before.yaml")
    assert (folds == before.folds).all()
    alone = make_data("more.yaml")
    (root / "colours" / "labels.csv").write_text(listed)
    assert (make_data("more.yaml").folds != before.folds).any(), "by all labels they would be dealt otherwise"
    assert not fingerprint, "the delivered bundle was made of other photos"
    known = {"catalog": before.catalog.fingerprint, "taxonomy": before.taxonomy.fingerprint}
    of_these = replace(extending, earlier=replace(extending.earlier, fingerprints=known))
    assert of_these.same_photos(after)
    assert "dealt into folds" not in of_these.sentence(after)
    assert "changed since, and photos are dealt into folds by their labels" in extending.sentence(alone)


@pytest.mark.parametrize("split", ["folds", "official"])
def test_from_a_checkpoint_in_its_folder_every_photo_keeps_its_fold(
    delivered: Path, make_data, root: Path, tmp_path: Path, split: str
):
    splits = "".join(f"{number:03}.png,{'test' if number % 5 == 1 else 'train'}\n" for number in range(40))
    (root / "colours" / "splits.csv").write_text("image,split\n" + splits)
    (root / "before.yaml").write_text("name: before\nlabels: [red, green, blue, grey, new]\n")
    before, folder = make_data("before.yaml", split=split), tmp_path / "run"
    shutil.copytree(delivered / "checkpoints", folder / "checkpoints")
    keep_folds(folder, *before.folds_by_content)
    # A photo more, and labels that were merged.
    shutil.copy(root / "colours" / "images" / "000.png", root / "colours" / "images" / "040.png")
    with (root / "colours" / "images" / "040.png").open("ab") as file:
        file.write(b" ")
    with (root / "colours" / "labels.csv").open("a") as file:
        file.write("040.png,red,\n")
    with (root / "colours" / "splits.csv").open("a") as file:
        file.write("040.png,train\n")
    after, alone = make_data(split=split), make_data(split=split)
    extending = started(folder / "checkpoints" / "best.ckpt", after)
    assert (after.folds[:40] == before.folds).all()
    assert (alone.folds[:40] != before.folds).any()
    assert len(after.folds) == 41
    if split == "folds":
        with pytest.raises(UserError, match=r"the earlier run was split otherwise; data\.split=folds keeps its folds"):
            started(folder / "checkpoints" / "best.ckpt", make_data(split="official"))
    assert extending.sentence(after).splitlines() == ["labels: 1 same, 1 renamed, 1 merged, 1 new"]


def test_nobody_looked_for_a_new_label_where_nothing_is_said(place: Path, make_data):
    data = make_data()
    started(place, data)
    assert data.weights == (1.0, 0.0)
    assert data.label_counts.absent[0] == data.train_states[0, 0]
    as_said = make_data()
    started(place, as_said, unknown=None)
    assert as_said.weights == (1.0,)


def test_a_new_label_that_nothing_is_known_to_lack_is_refused(place: Path, make_data, root: Path):
    table = root / "colours" / "labels.csv"
    table.write_text(table.read_text().replace(",new", ","))
    with pytest.raises(UserError, match="no photo to train on is known to lack new, and what is unknown counts for"):
        started(place, make_data())
    started(place, make_data(), unknown=0.1)


def test_what_becomes_of_labels_is_said(place: Path, make_data, root: Path):
    data = make_data()
    first, second = started(place, data).sentence(data).splitlines()
    assert first == "labels: 1 same, 1 renamed, 1 merged, 1 new"
    assert "labels were removed or merged since, and photos are dealt into folds" in second
    assert "some that trained the earlier model validate or test here" in second
    (root / "colours" / "labels.csv").write_text(
        "image,labels,absent\n"
        + "".join(f"{number:03}.png,{'grays' if number % 2 else 'red'},\n" for number in range(40))
    )
    (root / "typo.yaml").write_text("name: typo\nlabels: [red, grays, blue, greys]\n")
    said = started(place, data := make_data("typo.yaml"), unknown="negative").sentence(data).splitlines()
    assert said[0] == "labels: 2 same, 2 new, 2 removed (green, grey)"
    assert said[1] == "is greys the earlier grey? Then it needs aliases: [grey]; as it is, it begins anew"
    assert said[2] == "no photo to train on carries greys"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"extension": None}, r"nothing would be taken from it without \+experiment=extend"),
        ({"from_model": None}, "experiment extend needs a model: from=album.tagger"),
        ({"experts": {"by": "group"}}, "experts.by=group trains networks anew; experts=none"),
    ],
)
def test_half_an_extension_is_refused(delivered: Path, make_data, changed: dict[str, Any], said: str):
    config = OmegaConf.merge(settings(delivered / "album.tagger"), OmegaConf.create(changed))
    for key, value in changed.items():
        config[key] = value
    with pytest.raises(UserError, match=said):
        Extending.of(config, make_data())
    assert Extending.of(OmegaConf.create({"name": "train"}), make_data()) is None


def test_a_label_system_without_one_of_the_labels_is_refused(place: Path, make_data, root: Path):
    (root / "other.yaml").write_text("name: other\nlabels: [up, down]\n")
    with pytest.raises(UserError, match=r"none of its 4 labels \(red, …\) is one of 'other'"):
        started(place, make_data("other.yaml"))


@pytest.mark.parametrize("extension", [{"rows": "freeze"}, {"unknown": "absent"}, {"unknown": 2}])
def test_a_setting_that_is_another_word_is_named(delivered: Path, make_data, extension: dict[str, Any]):
    with pytest.raises(Exception, match=r"rows must be one of train, keep|unknown must be 'negative'"):
        started(delivered / "album.tagger", make_data(), **extension)


# --- what is learnt -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", ["keep", "train"])
def test_rows_that_are_kept_do_not_move(
    delivered: Path, make_data, module: TaggerModule, trainer: Callable[..., pl.Trainer], rows: str
):
    data = make_data()
    extending = started(delivered / "album.tagger", data, rows=rows)
    extending.carry_over(module, data)
    before = module.network.head.weight.detach().clone()
    trainer(callbacks=extending.callbacks(), max_epochs=2).fit(module, data)
    moved = (module.network.head.weight != before).any(dim=1).tolist()
    # Rows of merged labels are of no label that there was.
    assert moved == [True, rows == "train", True, rows == "train"]


def test_the_earlier_model_is_measured_on_the_same_photos(
    place: Path, make_data, module: TaggerModule, delivered: Path
):
    data = make_data()
    extending = started(place, data)
    extending.carry_over(module, data)
    found = extending.before(module, data, torch.device("cpu"))
    assert module.training
    theirs, _, _ = load_checkpoint(delivered / "checkpoints" / "best.ckpt")
    with torch.inference_mode():
        scores = theirs(torch.stack([data.plain(photo) for photo in data.names(data.test_rows)])).sigmoid().numpy()
    present = data.catalog.states.toarray()[data.test_rows] == 1
    labels = [
        LabelResult(id_, {}, 5, 0.5, 0.25, None, None, None, 1, "met", "", None, None, 1) for id_ in extending.match.ids
    ]
    thresholds = ThresholdsCallback(Target())
    thresholds.refitted = torch.tensor([False, True, False, False])
    new, crimson, cold, grey = extending.results(found, labels, thresholds, module)
    expected = average_precision_score(present[:, 1], scores[:, 0])
    assert crimson.ap_before == pytest.approx(expected, abs=1e-6)
    assert cold.ap_before == pytest.approx(average_precision_score(present[:, 2], scores[:, 1:3].max(axis=1)), abs=1e-6)
    assert crimson.gain == pytest.approx(0.5 - expected, abs=1e-6)
    assert (new.ap_before, new.threshold_before, new.earlier) == (None, None, "")
    assert (crimson.change, crimson.earlier, crimson.is_refitted) == ("renamed", "red", True)
    assert (cold.change, cold.earlier, cold.threshold_before) == ("merged", "green|blue", None)
    assert (grey.change, grey.threshold_before, grey.threshold) == ("same", 2.0, 0.25)


def test_removed_labels_are_told_of(delivered: Path, make_data, module: TaggerModule, root: Path):
    (root / "fewer.yaml").write_text("name: fewer\nlabels: [new, red, green, blue]\n")
    table = root / "colours" / "labels.csv"
    table.write_text(table.read_text().replace("grey", ""))
    extending = started(delivered / "album.tagger", make_data("fewer.yaml"))
    empty = Histogram.of(torch.zeros(1, 4), torch.zeros(1, 4), kinds=torch.ones(1, dtype=torch.long))
    *_, last = extending.results(empty, [], ThresholdsCallback(Target()), module)
    assert (last.label, last.change, last.earlier) == ("", "removed", "grey")
