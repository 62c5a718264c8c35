"""The module in training: what learns, what is measured, what is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from sklearn.metrics import average_precision_score
from torch import Tensor, nn

from tagger.data.batch import Batch
from tagger.data.datamodule import PhotoData
from tagger.model.losses import AsymmetricLoss, BinaryCrossEntropy, Distillation, FocalLoss, distillation_loss
from tagger.model.module import NotFiniteLossError, TaggerModule
from tagger.model.optimizers import sgd
from tagger.model.regime import Regime
from tagger.model.schedule import WarmupCosine, warmup_cosine

MakeModule = Callable[..., TaggerModule]
MakeTrainer = Callable[..., pl.Trainer]


@pytest.fixture
def data(colours: Callable[..., Path], photo_data: Callable[..., PhotoData]) -> PhotoData:
    return photo_data(colours(40))


def batch(states: list[list[int]], *, seed: int = 0) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    photos = torch.randn(len(states), 3, 16, 16, generator=rng)
    return Batch(photos, torch.tensor(states, dtype=torch.int8), torch.arange(len(states)))


def gradients(module: TaggerModule, batch: Batch) -> None:
    module.log = lambda *_, **__: None  # type: ignore[assignment]
    module.zero_grad()
    module.training_step(batch, 0).backward()


# --- what learns ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [BinaryCrossEntropy(), FocalLoss(), AsymmetricLoss(margin=0.0)], ids=type)
def test_a_label_that_is_unknown_and_ignored_has_no_gradient(tagger_module: MakeModule, loss: nn.Module):
    module = tagger_module(loss=loss, unknown=0.0)
    gradients(module, batch([[1, 0, -1, 0], [-1, 0, 1, 1]]))
    changed = module.network.head.weight.grad.abs().sum(dim=1) > 0
    assert changed.tolist() == [True, False, True, True]
    assert (module.network.head.bias.grad != 0).tolist() == [True, False, True, True]


def test_photos_of_which_nothing_is_known_change_nothing(tagger_module: MakeModule):
    module = tagger_module(unknown=0.0)
    gradients(module, batch([[0, 0, 0, 0], [0, 0, 0, 0]]))
    assert all((parameter.grad == 0).all() for parameter in module.parameters())


def test_an_unknown_label_weighs_what_the_data_set_says(tagger_module: MakeModule):
    states, absent = [[1, 0, 0, 0], [-1, 0, -1, 1]], [[1, -1, -1, -1], [-1, -1, -1, 1]]
    module = tagger_module(unknown=0.25).eval()
    grads = []
    for some in (states, absent):
        gradients(module, batch(some))
        grads.append(module.network.head.weight.grad[1].clone())
    torch.testing.assert_close(grads[0], 0.25 * grads[1])


def test_a_teacher_has_its_share_of_the_loss_and_the_annotations_the_rest(tagger_module: MakeModule):
    known, taught = batch([[1, -1, 0, 0], [0, 1, -1, -1]]), torch.rand(2, 4)
    logits = torch.randn(2, 4)
    annotated = tagger_module(unknown=0.5).loss_of(logits, known)
    module = tagger_module(unknown=0.5, distillation=Distillation(temperature=2.0, weight=0.25))
    expected = 0.75 * annotated + 0.25 * distillation_loss(logits, taught, torch.ones(2, 4), temperature=2.0)
    torch.testing.assert_close(module.loss_of(logits, known._replace(taught=taught)), expected)
    # Validation batches hold none.
    assert torch.equal(module.loss_of(logits, known), annotated)


def test_of_a_photo_without_labels_the_student_learns_what_its_teacher_knows(tagger_module: MakeModule):
    module = tagger_module(unknown=0.0, distillation=Distillation())
    taught = torch.tensor([[0.9, float("nan"), 0.2, float("nan")]] * 2)
    gradients(module, batch([[0, 0, 0, 0]] * 2)._replace(taught=taught))
    assert (module.network.head.bias.grad != 0).tolist() == [True, False, True, False]


def test_a_frozen_backbone_has_no_gradient_and_its_norms_do_not_drift(
    tagger_module: MakeModule, trainer: MakeTrainer, data: PhotoData
):
    module = tagger_module(regime=Regime(train_backbone=False))
    before = {name: tensor.clone() for name, tensor in module.network.state_dict().items()}
    trainer().fit(module, data)
    assert module.train().network.dropout.training
    assert not any(part.training for part in module.network.backbone.modules())
    assert all(parameter.grad is None for parameter in module.network.backbone.parameters())
    same = {name: bool((tensor == before[name]).all()) for name, tensor in module.network.state_dict().items()}
    assert [name for name, is_same in same.items() if not is_same] == ["head.weight", "head.bias"]


def test_a_backbone_that_trains_changes_with_its_norms(
    tagger_module: MakeModule, trainer: MakeTrainer, data: PhotoData
):
    module = tagger_module()
    before = {name: tensor.clone() for name, tensor in module.network.state_dict().items()}
    trainer().fit(module, data)
    changed = {name for name, tensor in module.network.state_dict().items() if (tensor != before[name]).any()}
    assert changed == set(before)


def test_cached_features_and_photos_give_the_same_logits(tagger_module: MakeModule):
    module = tagger_module().eval()
    photos = batch([[1, -1, -1, -1]] * 3)
    features = photos._replace(inputs=module.network.backbone(photos.inputs))
    torch.testing.assert_close(module.logits(features), module.logits(photos))
    torch.testing.assert_close(module(photos.inputs), module.logits(photos).sigmoid())


def test_dropout_is_a_function_of_seed_and_step(tagger_module: MakeModule):
    features = batch([[1, -1, -1, -1]] * 2)._replace(inputs=torch.ones(2, 256))

    def logits(seed: int, drawn: int) -> Tensor:
        module = tagger_module(seed=seed)
        torch.rand(drawn)  # what was drawn before makes no difference
        module.on_train_batch_start(features, 0)
        return module.logits(features)

    assert (logits(0, 0) == logits(0, 5)).all()
    assert (logits(0, 0) != logits(1, 0)).any()


# --- steps ----------------------------------------------------------------------------------------------------------


class Rates(Callback):
    """Learning rates that each optimisation step was taken with."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: torch.optim.Optimizer) -> None:
        self.taken.append(optimizer.param_groups[0]["lr"])


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({"max_epochs": 3}, 12),
        ({"max_epochs": 3, "accumulate_grad_batches": 3}, 6),
        ({"max_epochs": 5, "limit_train_batches": 2}, 10),
        ({"max_epochs": 5, "limit_train_batches": 0.5}, 10),
        ({"max_epochs": 5, "max_steps": 7}, 7),
        ({"max_epochs": -1, "max_steps": 7}, 7),
        ({"max_epochs": 5, "overfit_batches": 1}, 5),
    ],
    ids=str,
)
def test_the_learning_rate_follows_the_schedule_step_by_step_to_its_end(
    tagger_module: MakeModule, trainer: MakeTrainer, data: PhotoData, settings: dict[str, Any], steps: int
):
    rates = Rates()
    module = tagger_module(
        regime=Regime(train_backbone=False),
        optimizer=lambda module: sgd(module, lr=0.5, weight_decay=0.0),
        schedule=WarmupCosine(warmup=2),
    )
    trainer(callbacks=[rates], limit_val_batches=0, **settings).fit(module, data)
    expected = [0.5 * warmup_cosine(step, warmup_steps=2, total_steps=steps) for step in range(steps)]
    assert rates.taken == pytest.approx(expected)


class Poisoned(nn.Module):
    """Cross-entropy that fails at one call."""

    def __init__(self, value: float, call: int) -> None:
        super().__init__()
        self.value, self.call, self.calls = value, call, 0

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        self.calls += 1
        return logits.sum() * (self.value if self.calls == self.call else 1e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_names_the_step_and_the_photos(
    tagger_module: MakeModule, trainer: MakeTrainer, data: PhotoData, value: float
):
    module = tagger_module(loss=Poisoned(value, call=3), regime=Regime(train_backbone=False))
    with pytest.raises(NotFiniteLossError) as caught:
        trainer().fit(module, data)
    message = str(caught.value)
    assert f"the loss is {abs(value)}" in message or f"the loss is -{value}" in message
    assert "at step 2;" in message
    assert "set trainer.gradient_clip_val=1" in message
    drawn = list(data._sampler(rank=0, world_size=1))[2]
    photos = data.names(data.train_rows[[position for position, _ in drawn]])
    assert ", ".join(photos) in message


# --- what is measured -----------------------------------------------------------------------------------------------


def test_val_map_is_scikit_learns_mean_over_the_whole_set(
    tagger_module: MakeModule, trainer: MakeTrainer, colours: Callable[..., Path], photo_data: Callable[..., PhotoData]
):
    # 24 photos to validate on in five batches: a mean over batches would be another figure.
    data = photo_data(colours(240), batch_size=5)
    module = tagger_module()
    # Weigh the pixels: the scores of a deep network at random would all share a bin of the histogram.
    module.network.backbone, module.network.head = nn.Flatten(), nn.Linear(3 * 16 * 16, 4)
    nn.init.normal_(module.network.head.weight, std=0.2)
    (found,) = trainer().validate(module, data, verbose=False)
    module.eval()
    with torch.no_grad():
        photos = torch.stack([data.plain(path) for path in data.names(data.val_rows)])
        scores = module(photos).numpy()
    targets = data.catalog.states[data.val_rows].toarray() == 1
    expected = np.mean([average_precision_score(targets[:, label], scores[:, label]) for label in range(4)])
    assert found["val/map"] == pytest.approx(expected, abs=0.005)
    assert found["val/labels_counted"] == 4


def test_val_map_counts_known_photos_only_where_unknown_is_ignored(tagger_module: MakeModule, trainer: MakeTrainer):
    states = [[1, 0, -1, 0], [-1, -1, 1, 0], [0, -1, 0, 0]]
    scores = torch.tensor([[0.9, 0.5, 0.6, 0.5], [0.2, 0.5, 0.4, 0.5], [0.95, 0.5, 0.9, 0.5]])
    module = tagger_module(unknown=0.0)
    module.logits = lambda batch: scores.logit()  # type: ignore[method-assign]
    loader = torch.utils.data.DataLoader([batch(states)], batch_size=None)
    (found,) = trainer().validate(module, loader, verbose=False)
    # Label 0: present .9 above absent .2. Label 2: present .4 below absent .6. Labels 1, 3 have no present photo.
    assert found["val/map"] == pytest.approx((1 + 0.5) / 2)
    assert found["val/labels_counted"] == 2


def test_every_validation_starts_from_nothing(tagger_module: MakeModule, trainer: MakeTrainer, data: PhotoData):
    module = tagger_module()
    for _ in range(2):
        trainer().validate(module, data, verbose=False)
        trainer().test(module, data, verbose=False)
        assert module.validation.compute().counts.sum() == 4 * len(data.val_rows)
        assert module.test.compute().counts.sum() == 4 * len(data.test_rows)


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_thresholds_and_recipe_survive_a_checkpoint(
    tmp_path: Path, tagger_module: MakeModule, trainer: MakeTrainer, data: PhotoData
):
    module = tagger_module()
    module.thresholds.copy_(torch.tensor([0.1, 0.2, 0.3, 2.0]))
    run = trainer()
    run.fit(module, data)
    run.save_checkpoint(tmp_path / "some.ckpt")
    again = tagger_module()
    assert again.thresholds.tolist() == [0.5] * 4
    checkpoint = torch.load(tmp_path / "some.ckpt", weights_only=True)
    again.load_state_dict(checkpoint["state_dict"])
    assert again.thresholds.tolist() == pytest.approx([0.1, 0.2, 0.3, 2.0])
    assert checkpoint["recipe"] == module.recipe


def test_the_whole_state_of_the_training_loads_as_plain_values(
    tmp_path: Path, tagger_module: MakeModule, trainer: MakeTrainer, data: PhotoData
):
    module, again = tagger_module(), tagger_module()
    run = trainer(max_epochs=1)
    run.fit(module, data)
    run.save_checkpoint(tmp_path / "some.ckpt")
    rest = trainer(max_epochs=2)
    rest.fit(again, data, ckpt_path=tmp_path / "some.ckpt", weights_only=True)
    whole = tagger_module()
    trainer(max_epochs=2).fit(whole, data)
    assert rest.global_step == 8
    assert all((again.state_dict()[name] == tensor).all() for name, tensor in whole.state_dict().items())
