"""In a run: validation decides, relations and thresholds come after, the checkpoint keeps it, the test fold tells."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from tagger.data.batch import Batch
from tagger.data.datamodule import PhotoData
from tagger.data.taxonomy import Label, Taxonomy
from tagger.model.module import TaggerModule
from tagger.tags.detector.data_detector import DataDetector
from tagger.tags.detector.fusion import Calibration, Fusion
from tagger.tags.detector.fusion_callback import MODEL, FusionCallback
from tagger.tags.detector.onnx_detector import DetectorError
from tagger.tags.detector.settings import NoDetector, OnnxFile
from tagger.tags.relations.audit_callback import AuditCallback
from tagger.tags.relations.rules import Relation, Rules
from tagger.tags.thresholds import Target
from tagger.tags.thresholds_callback import ThresholdsCallback
from tagger.tracking.detector_csv import write_choices
from tagger.tracking.test_scores import TestScores

CLASSES = ("N/A", "crimson", "lime", "navy")
ALBUM = Taxonomy(
    "album", (Label("sky", {}), Label("red", {}, sources={"coco": ("crimson",)}), Label("green", {}, aliases=("lime",)))
)


@pytest.fixture
def looking(tmp_path: Path, colour_detector: Callable[..., bytes]) -> Callable[..., DataDetector]:
    def make(taxonomy: Taxonomy = ALBUM, **settings: Any) -> DataDetector:
        path = tmp_path / "mine.onnx"
        path.write_bytes(colour_detector())
        defaults: dict[str, Any] = {"fusion": "maximum", "least_photos": 2}
        opened = DataDetector.open(
            OnnxFile(path=str(path), classes=CLASSES, **defaults | settings), taxonomy, cache=tmp_path
        )
        assert opened is not None
        return opened

    return make


def run_on(
    module: TaggerModule, trainer: pl.Trainer, scores: Tensor, detected: Tensor, states: list[list[int]], *, verb: str
) -> None:
    """Validate or test photos to which network and detector give these scores; two to a batch, the last ones first."""
    module.logits = lambda batch: batch.inputs.logit()  # type: ignore[method-assign]
    whole = (scores, torch.tensor(states, dtype=torch.int8), torch.arange(len(scores)), detected)
    batches = [Batch(*(part[at : at + 2] for part in whole[:3]), detected=detected[at : at + 2]) for at in (2, 0)]
    getattr(trainer, verb)(module, torch.utils.data.DataLoader(batches, batch_size=None), verbose=False)


# Of red the detector knows what the network does not; of green it knows nothing.
SCORES = torch.tensor([[0.5, 0.2, 0.9], [0.5, 0.3, 0.8], [0.5, 0.4, 0.2], [0.5, 0.1, 0.1]])
DETECTED = torch.tensor([[0, 0.9, 0.1], [0, 0.8, 0.1], [0, 0, 0.95], [0, 0, 0.1]])
STATES = [[1, 1, 1], [-1, 1, 1], [1, -1, -1], [-1, -1, -1]]


def test_validation_decides_and_everything_after_sees_the_fused_scores(
    looking: Callable[..., DataDetector], tagger_module: Callable[..., TaggerModule], trainer: Callable[..., pl.Trainer]
):
    opened = looking()
    ids = list(ALBUM.ids)
    recipe = {"network": {}, "labels": [{"id": id_} for id_ in ids]}
    rules = Rules(ids, [Relation("implies", "red", "sky")])
    module = tagger_module(labels=3, recipe=recipe, rules=rules, detector=opened.as_recipe())
    thresholds, fusing, audit, test = (
        ThresholdsCallback(Target()),
        FusionCallback(opened),
        AuditCallback("all"),
        TestScores(),
    )
    run = trainer(callbacks=[thresholds, fusing, audit, test])
    run_on(module, run, SCORES, DETECTED, STATES, verb="validate")
    assert module.fusion.taken == {}
    before = module.thresholds.clone()
    assert fusing.fuse(module)
    assert list(module.fusion.taken) == ["red"]
    assert [(choice.label, choice.val_ap_without, choice.val_ap_with) for choice in fusing.choices] == [
        ("red", pytest.approx(7 / 12), 1.0),
        ("green", 1.0, pytest.approx(7 / 12)),
    ]
    audit.again()
    run_on(module, run, SCORES, DETECTED, STATES, verb="validate")
    assert module.thresholds[1] > before[1]
    assert 0.4 < module.thresholds[1] <= 0.8
    # Red raises the sky by what it scores after fusion.
    assert audit.effects is not None
    assert audit.effects[0].tags == 1
    run_on(module, run, SCORES, DETECTED, STATES, verb="test")
    torch.testing.assert_close(
        torch.from_numpy(test.scored.scores),
        torch.tensor([[0.9, 0.9, 0.9], [0.8, 0.8, 0.8], [0.5, 0.4, 0.2], [0.5, 0.1, 0.1]]),
    )
    assert [choice.test_ap_with for choice in fusing.choices] == [1.0, pytest.approx(7 / 12)]
    checkpoint: dict[str, Any] = {"state_dict": {}}
    module.on_save_checkpoint(checkpoint)
    kept = json.loads(json.dumps(checkpoint["recipe"]))["detector"]
    assert kept["taken"] == {"red": [1.0, 0.0, 0.0]}
    assert kept["labels"] == {"crimson": ["red"], "lime": ["green"]}
    again = Fusion.from_recipe(checkpoint["recipe"])
    assert (again(SCORES, DETECTED) == module.fusion(SCORES, DETECTED)).all()


def test_where_nothing_is_gained_the_run_is_as_if_there_were_no_detector(
    tmp_path: Path,
    looking: Callable[..., DataDetector],
    tagger_module: Callable[..., TaggerModule],
    trainer: Callable[..., pl.Trainer],
):
    opened = looking()
    recipe = {"network": {}, "labels": [{"id": id_} for id_ in ALBUM.ids]}
    module = tagger_module(labels=3, recipe=recipe, detector=opened.as_recipe())
    fusing = FusionCallback(opened)
    run_on(module, trainer(callbacks=[fusing]), SCORES, torch.zeros(4, 3), STATES, verb="validate")
    assert not fusing.fuse(module)
    checkpoint: dict[str, Any] = {"state_dict": {}}
    module.on_save_checkpoint(checkpoint)
    assert "detector" not in checkpoint["recipe"]
    scores = module.steps(SCORES.logit(), None)
    assert (scores.scores == scores.network).all()


def test_a_label_that_takes_it_wants_to_know_what_was_seen(tagger_module: Callable[..., TaggerModule]):
    module = tagger_module()
    module.take_detector("maximum", {"2": Calibration()}, floor=0.05)
    photos = torch.rand(2, 3, 16, 16)
    module.eval().requires_grad_(False)
    with pytest.raises(ValueError, match="1 labels take a detector: say what it saw, zeros if nothing"):
        module(photos)
    detected = torch.tensor([[1.0, 1.0, 0.999, 1.0], [0.0, 0.0, 0.0, 0.0]])
    found = module(photos, detected)
    assert found[0, 2] == pytest.approx(0.999)
    assert (found[:, [0, 1, 3]] < 0.999).all()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("cached", [True, False])
def test_the_batches_say_what_was_seen_on_their_photos(
    looking: Callable[..., DataDetector],
    colours: Callable[..., Path],
    photo_data: Callable[..., PhotoData],
    workers: int,
    cached: bool,
):
    data = photo_data(colours(40), workers=workers)
    red = Label("red", {}, aliases=("crimson",))
    opened = looking(Taxonomy("colours", (red, *(Label(id_, {}) for id_ in ("green", "blue", "grey")))))
    unmapped = opened.look(data)
    # Grey is as blue as it is green, and not clearly either or clearly both; the green and the blue photos are.
    assert set(unmapped) == {"lime", "navy"} and min(unmapped.values()) >= 1
    if cached:
        data.views = [np.zeros((40, 6), np.float16)]
    rows = []
    for loader in (data.val_dataloader(), data.test_dataloader()):
        for batch in loader:
            assert batch.detected is not None and batch.detected.shape == (len(batch.rows), 4)
            assert (batch.detected[:, 1:] == 0).all()
            is_red = batch.states[:, 0] == 1
            assert (batch.detected[is_red, 0] > 0.7).all()
            assert (batch.detected[~is_red, 0] < 0.6).all()
            rows += batch.rows.tolist()
    assert sorted(rows) == sorted([*data.val_rows, *data.test_rows])
    assert (data.cache / "detections").is_dir()


def test_the_run_keeps_the_detector_itself(tmp_path: Path, looking: Callable[..., DataDetector]):
    opened = looking()
    FusionCallback(opened).keep_model(tmp_path)
    assert (tmp_path / MODEL).read_bytes() == (tmp_path / "mine.onnx").read_bytes()


def test_without_a_detector_nothing_happens(tmp_path: Path, tagger_module: Callable[..., TaggerModule]):
    assert DataDetector.open(NoDetector(), ALBUM, cache=tmp_path) is None
    fusing = FusionCallback(None)
    assert not fusing.fuse(tagger_module())
    assert fusing.choices == []


@pytest.mark.parametrize(
    ("path", "message"),
    [(None, r"detector\.path=… must be given"), ("nowhere.onnx", r"detector\.path: nowhere\.onnx does not exist")],
)
def test_a_detector_that_is_not_there_is_asked_for(tmp_path: Path, path: str | None, message: str):
    with pytest.raises(Exception, match=message):
        DataDetector.open(OnnxFile(path=path), ALBUM, cache=tmp_path)


def test_a_file_that_is_no_detector_is_named(tmp_path: Path):
    (tmp_path / "some.onnx").write_text("no detector")
    with pytest.raises(DetectorError, match=r"some\.onnx is no detector"):
        DataDetector.open(OnnxFile(path=str(tmp_path / "some.onnx")), ALBUM, cache=tmp_path)


def test_detector_csv_has_a_row_for_every_candidate(
    tmp_path: Path,
    looking: Callable[..., DataDetector],
    tagger_module: Callable[..., TaggerModule],
    trainer: Callable[..., pl.Trainer],
):
    fusing = FusionCallback(looking())
    module = tagger_module(labels=3, recipe={"network": {}, "labels": [{"id": id_} for id_ in ALBUM.ids]})
    run_on(module, trainer(callbacks=[fusing]), SCORES, DETECTED, STATES, verb="validate")
    fusing.fuse(module)
    write_choices(tmp_path / "detector.csv", fusing.choices)
    header, red, green = (tmp_path / "detector.csv").read_text().splitlines()
    assert header.startswith("label,is_taken,is_rare,val_photos,val_detected,val_ap_without,val_ap_with,")
    assert red.startswith("red,True,False,2,2,0.58333")
    assert green.startswith("green,False,False,2,4,1,0.58333")
