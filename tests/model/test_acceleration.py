"""What makes a GPU faster leaves the mathematics and the checkpoint alone; here on the CPU."""

from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from tagger.data.datamodule import PhotoData
from tagger.model.acceleration import Accelerate
from tagger.model.module import TaggerModule


@pytest.fixture
def data(colours: Callable[..., Path], photo_data: Callable[..., PhotoData]) -> PhotoData:
    return photo_data(colours(40))


def kernels(module: nn.Module) -> list[nn.Parameter]:
    """Return the weights of convolutions whose two layouts differ."""
    return [weight for weight in module.parameters() if weight.ndim == 4 and weight.shape[1] > 1 < weight.shape[2]]


@pytest.mark.parametrize("channels_last", [True, False])
def test_convolutions_are_laid_out_channels_last_if_asked_for(
    tagger_module: Callable[..., TaggerModule],
    trainer: Callable[..., pl.Trainer],
    data: PhotoData,
    channels_last: bool,
):
    module = tagger_module()
    callback = Accelerate(channels_last=channels_last, compile=False)
    trainer(callbacks=[callback], max_steps=1, limit_val_batches=0).fit(module, data)
    assert kernels(module)
    assert all(weight.is_contiguous(memory_format=torch.channels_last) == channels_last for weight in kernels(module))


def test_the_layout_does_not_change_the_scores(
    tagger_module: Callable[..., TaggerModule], trainer: Callable[..., pl.Trainer]
):
    module = tagger_module()
    photos = torch.rand(4, 3, 16, 16)
    # In training mode: in evaluation mode the features of a network at random are next to nothing.
    plain = module.network.backbone(photos)
    Accelerate(channels_last=True, compile=False).setup(trainer(), module, "fit")
    fast = module.network.backbone(photos.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(fast, plain, rtol=1e-3, atol=1e-4)
    assert plain.std() > 0.1


def test_a_compiled_backbone_keeps_the_names_in_the_checkpoint(
    tmp_path: Path,
    tagger_module: Callable[..., TaggerModule],
    trainer: Callable[..., pl.Trainer],
    data: PhotoData,
    monkeypatch: pytest.MonkeyPatch,
):
    compiled: list[nn.Module] = []

    def compile_eagerly(function: Callable[..., object], **settings: object) -> Callable[..., object]:
        compiled.append(function.__self__)  # type: ignore[attr-defined]
        return function

    # The compiler itself takes a minute and is PyTorch's.
    monkeypatch.setattr(torch, "compile", compile_eagerly)
    module = tagger_module()
    names = list(module.state_dict())
    run = trainer(callbacks=[Accelerate(channels_last=False, compile=True)], max_steps=1, limit_val_batches=0)
    run.fit(module, data)
    run.save_checkpoint(tmp_path / "some.ckpt")
    assert compiled == [module.network.backbone]
    assert list(torch.load(tmp_path / "some.ckpt", weights_only=True)["state_dict"]) == names
