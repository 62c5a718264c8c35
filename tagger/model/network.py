"""The network: a backbone that turns photos into features and a head that turns features into logits."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tagger.data.normalisation import Normalisation
from tagger.model.head import build_head
from tagger.model.places import Places
from tagger.model.weights import build_backbone


class Network(nn.Module):
    """Photos (batch, 3, height, width) to logits (batch, labels).

    ``head`` holds the name and the settings of a head (see `build_head`); None: linear. It starts from Xavier weights
    and a bias that gives every label the score ``prior``, so that the first steps are not spent on learning that most
    labels are absent from most photos (Lin et al. 2017, section 4.1).

    With several ``backbones`` of the same kind, the head gets the features of all of them.
    """

    def __init__(
        self,
        *,
        labels: int,
        backbone: str,
        weights: str | None,
        mean: Sequence[float],
        std: Sequence[float],
        interpolation: str = "bilinear",
        dropout: float = 0.0,
        prior: float = 0.01,
        head: Mapping[str, Any] | None = None,
        backbones: int = 1,
    ) -> None:
        super().__init__()
        self.normalisation = Normalisation(tuple(mean), tuple(std), interpolation)
        self.backbones = backbones
        self.backbone, features = build_backbone(backbone, weights=weights)
        if backbones > 1:
            others = [build_backbone(backbone, weights=weights)[0] for _ in range(backbones - 1)]
            self.backbone, features = SideBySide([self.backbone, *others]), features * backbones
        if weights is None:
            self.backbone.apply(_xavier)
        self.dropout = nn.Dropout(dropout)
        settings = dict(head or {})
        if settings.get("name", "linear") != "linear":
            if backbones > 1:
                raise ValueError(f"several backbones need a linear head, got head={settings['name']}")
            self.backbone = Places(self.backbone, features, grid=settings.pop("grid", None))
        self.head = build_head(features, labels, **settings)
        nn.init.constant_(self.head.bias, math.log(prior / (1 - prior)))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of photos."""
        return self.classify(self.backbone(images))

    def classify(self, features: Tensor) -> Tensor:
        """Return the logits of what the backbone gives: (batch, features), or (batch, places, features)."""
        return self.head(self.dropout(features))


class SideBySide(nn.ModuleList):
    """Backbones that see the same photos; their features come one after the other, (batch, backbones · features)."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([backbone(images) for backbone in self], dim=1)


def _xavier(module: nn.Module) -> None:
    """Initialise a linear or convolutional layer (Glorot & Bengio 2010); leave others alone."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
