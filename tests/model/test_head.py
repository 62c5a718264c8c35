"""ML-Decoder: queries that look at a photo place by place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from tagger.data.datamodule import PhotoData
from tagger.errors import UserError
from tagger.model.checkpoint import load_checkpoint
from tagger.model.experts import merge
from tagger.model.head import MLDecoder, build_head
from tagger.model.module import TaggerModule
from tagger.model.network import Network
from tagger.model.optimizers import sgd
from tagger.model.regime import Regime
from tagger.tags.chain import Chain
from tagger.tags.delivery.graph import build_graph
from tagger.tags.relations.rules import Rules

SMALL: dict[str, Any] = {"groups": 3, "width": 16, "heads": 4, "hidden": 32, "dropout": 0.0}
HEAD: dict[str, Any] = {"name": "ml_decoder", "grid": 2, **SMALL}
NETWORK: dict[str, Any] = {"backbone": "test_efficientnet", "weights": None, "mean": (0.5,) * 3, "std": (0.5,) * 3}


def decoder(labels: int = 7, **settings: Any) -> MLDecoder:
    torch.manual_seed(0)
    return MLDecoder(8, labels, **SMALL | settings).eval()


def places(photos: int = 2, number: int = 9, seed: int = 1) -> Tensor:
    return torch.randn(photos, number, 8, generator=torch.Generator().manual_seed(seed))


# --- what it computes -----------------------------------------------------------------------------------------------


def test_it_is_the_decoder_layer_of_torch_without_its_self_attention():
    head = decoder()
    layer = nn.TransformerDecoderLayer(16, 4, dim_feedforward=32, dropout=0.0, batch_first=True).eval()
    # Self-attention that adds the queries to themselves, as their layer does, is the identity.
    layer.self_attn = Itself()
    layer.multihead_attn = head.attention
    layer.linear1, layer.linear2 = head.feed[0], head.feed[3]
    layer.norm1, layer.norm2, layer.norm3 = head.norms
    queries = head.queries.expand(2, -1, -1)
    expected = layer(queries, head.embed(places()).relu())
    torch.testing.assert_close(head.answers(places()), expected)


class Itself(nn.Module):
    """Gives what is asked as the answer."""

    batch_first = True

    def forward(self, asked: Tensor, *_: Tensor, **settings: Any) -> tuple[Tensor, None]:
        return asked, None


def test_every_label_is_read_from_the_answer_of_its_own_query():
    head, answers = decoder(labels=7), torch.randn(2, 3, 16)
    with torch.no_grad():
        nn.init.normal_(head.bias)
        logits = head.read_out(answers)
        # Seven labels for three queries: three, three and one.
        for photo in range(2):
            for label, query in enumerate([0, 0, 0, 1, 1, 1, 2]):
                expected = (answers[photo, query] * head.weight[label]).sum() + head.bias[label]
                assert logits[photo, label].item() == pytest.approx(expected.item(), abs=1e-5)


def test_with_more_queries_than_labels_each_label_has_its_own():
    head = decoder(labels=5, groups=100)
    assert head.queries.shape == (5, 16)
    assert head.share == 1
    assert head(places()).shape == (2, 5)


def test_the_order_of_the_places_is_nothing_to_it_and_what_is_there_is():
    head, seen = decoder(), places()
    with torch.no_grad():
        logits = head(seen)
        torch.testing.assert_close(head(seen[:, torch.randperm(9)]), logits)
        assert not torch.allclose(head(places(seed=2)), logits, atol=1e-3)
        # One photo says nothing about another.
        torch.testing.assert_close(head(seen[:1]), logits[:1])


# --- what learns ----------------------------------------------------------------------------------------------------


def test_all_but_the_queries_learns():
    head = decoder().train()
    seen = places().requires_grad_()
    head(seen).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in head.parameters())
    assert seen.grad is not None and (seen.grad.abs().sum(dim=2) > 0).all()
    assert not head.queries.requires_grad
    assert "queries" not in dict(head.named_parameters())


def test_a_label_that_is_not_asked_for_moves_no_weight_of_another():
    head = decoder().train()
    head(places())[:, 4].sum().backward()
    assert head.weight.grad is not None
    assert head.weight.grad.abs().sum(dim=1).nonzero().flatten().tolist() == [4]


def test_the_queries_are_the_same_whatever_the_seed():
    torch.manual_seed(1)
    first = MLDecoder(8, 7, **SMALL)
    torch.manual_seed(2)
    second = MLDecoder(8, 7, **SMALL)
    assert torch.equal(first.queries, second.queries)
    assert not torch.equal(first.weight, second.weight)


# --- in a network ---------------------------------------------------------------------------------------------------


def test_every_label_starts_near_the_prior_score():
    network = Network(labels=7, head=HEAD, prior=0.01, **NETWORK).eval()
    assert network.head.bias.sigmoid().tolist() == pytest.approx([0.01] * 7)


@pytest.mark.parametrize(
    ("backbone", "grid", "number"),
    [
        ("test_efficientnet", 2, 4),
        ("torchvision/resnet18", None, 4),
        ("resnet10t", 1, 1),
        ("test_vit", None, None),
    ],
)
def test_backbones_give_places(backbone: str, grid: int | None, number: int | None):
    network = Network(labels=7, head=HEAD | {"grid": grid}, **NETWORK | {"backbone": backbone}).eval()
    size = 160 if backbone == "test_vit" else 64
    with torch.inference_mode():
        seen = network.backbone(torch.rand(2, 3, size, size))
        assert seen.ndim == 3 and (number is None or seen.shape[1] == number)
        assert network.classify(seen).shape == (2, 7)


def test_a_grid_of_one_place_is_the_pooling_of_the_linear_head():
    torch.manual_seed(0)
    pooled = Network(labels=7, **NETWORK).eval()
    torch.manual_seed(0)
    placed = Network(labels=7, head=HEAD | {"grid": 1}, **NETWORK).eval()
    photos = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(placed.backbone(photos)[:, 0], pooled.backbone(photos))


def test_a_backbone_without_a_map_is_refused():
    network = Network(labels=7, head=HEAD, **NETWORK | {"backbone": "test_vit"})
    with pytest.raises(UserError, match=r"needs a map of 64 features.*head.grid=null for a transformer"):
        network(torch.rand(1, 3, 160, 160))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": "transformer"}, "head.name must be 'linear' or 'ml_decoder', got 'transformer'"),
        ({"name": "ml_decoder", **SMALL, "width": 15}, "width a multiple of heads, got groups=3, width=15, heads=4"),
        ({"name": "ml_decoder", **SMALL, "groups": 0}, "groups=0"),
    ],
)
def test_a_head_that_cannot_be_is_named(settings: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        build_head(8, 7, **settings)


def test_it_takes_one_backbone():
    with pytest.raises(ValueError, match="several backbones need a linear head"):
        Network(labels=7, head=HEAD, backbones=2, **NETWORK)


def test_only_linear_heads_are_merged():
    network = Network(labels=7, head=HEAD, **NETWORK)
    with pytest.raises(TypeError, match="only linear heads can be merged, got MLDecoder"):
        merge(network, [(range(7), network)])


# --- on its way to a bundle -----------------------------------------------------------------------------------------


def test_cached_places_train_it_and_a_checkpoint_gives_it_back(
    tagger_module: Callable[..., TaggerModule],
    trainer: Callable[..., pl.Trainer],
    colours: Callable[..., Path],
    photo_data: Callable[..., PhotoData],
    tmp_path: Path,
):
    data = photo_data(colours(40), size=64)
    settings = {key: value for key, value in NETWORK.items() if key != "weights"} | {"head": HEAD | {"dropout": 0.1}}
    network = Network(labels=4, weights=None, **settings)
    recipe = {"network": settings, "labels": [{"id": name} for name in data.taxonomy.ids]}
    module = tagger_module(
        network=network,
        regime=Regime(train_backbone=False, views=2),
        optimizer=lambda module: sgd(module, lr=0.1, weight_decay=0.0),
        recipe=recipe,
    )
    data.cache_features(network.backbone, 2, torch.device("cpu"))
    assert [view.shape for view in data.views] == [(40, 4, 256)] * 2
    run = trainer()
    run.fit(module, data)
    run.save_checkpoint(tmp_path / "some.ckpt")
    again, _, _ = load_checkpoint(tmp_path / "some.ckpt")
    (batch, *_) = data.val_dataloader()
    photos = torch.stack([data.plain(path) for path in data.names(batch.rows.numpy())])
    module.eval()
    with torch.inference_mode():
        torch.testing.assert_close(again(photos), module.network(photos))
        # float16 keeps eleven bits of a feature.
        torch.testing.assert_close(module.logits(batch), again(photos), atol=1e-3, rtol=1e-3)


def test_the_places_of_another_grid_have_another_file(
    colours: Callable[..., Path], photo_data: Callable[..., PhotoData], tmp_path: Path
):
    data = photo_data(colours(40), size=64)
    for grid in (1, 2):
        torch.manual_seed(0)
        data.cache_features(Network(labels=4, head=HEAD | {"grid": grid}, **NETWORK).backbone, 1, torch.device("cpu"))
        assert data.views[0].shape == (40, grid**2, 256)
    assert len(list((tmp_path / "cache" / "embeddings").iterdir())) == 2


def test_a_disk_without_room_is_refused_before_the_array_is_written(
    colours: Callable[..., Path],
    photo_data: Callable[..., PhotoData],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    from types import SimpleNamespace

    data = photo_data(colours(40), size=64)
    # Two views of 40 photos, two places a side of 256 features: 163,840 bytes.
    backbone = Network(labels=4, head=HEAD, **NETWORK).backbone
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=163_839))
    with pytest.raises(UserError, match=r"2 views of 40 photos take 0\.0 GB.*TAGGER_CACHE.*head\.grid.*regime=head"):
        data.cache_features(backbone, 2, torch.device("cpu"))
    assert list((tmp_path / "cache").glob("*/*.npy")) == list((tmp_path / "cache").glob("embeddings/*/*.f16")) == []
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=163_840))
    data.cache_features(backbone, 2, torch.device("cpu"))


@pytest.mark.parametrize("grid", [None, 3])
def test_the_exported_graph_gives_its_scores(grid: int | None):
    import onnxruntime

    torch.manual_seed(0)
    network = Network(labels=7, head=HEAD | {"grid": grid}, **NETWORK).eval()
    # Features of random weights are nearly nothing: spread them, so that the scores say something.
    nn.init.normal_(network.head.embed.weight, std=1e6)
    nn.init.normal_(network.head.weight)
    ids = [str(label) for label in range(7)]
    chain = Chain(network, Rules(ids), torch.full((7,), 0.5)).eval()
    session = onnxruntime.InferenceSession(build_graph(chain, size=128), providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8)
    found = session.run(["scores"], {"pixels": pixels})[0]
    with torch.inference_mode():
        images = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
        expected = network(images).sigmoid().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert expected.std(axis=0).min() > 0.001
