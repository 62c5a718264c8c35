"""A backbone without its pooling: the features of every place of a photo."""

import math
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own name for it

from tagger.errors import UserError


class Places(nn.Module):
    """Photos (batch, 3, height, width) to features (batch, places, features), places row by row.

    Args:
        backbone: As `build_backbone` gives it, of timm or torchvision; its pooling is taken out.
        features: Of a place.
        grid: The map is averaged to as many places a side; None: it stays as the backbone gives it.

    Raises:
        UserError: When photos come, if the backbone gives no map of them.
    """

    def __init__(self, backbone: Any, features: int, *, grid: int | None = None) -> None:
        super().__init__()
        if grid is not None and grid < 1:
            raise ValueError(f"head.grid must be at least 1 or null, got {grid}")
        if hasattr(backbone, "reset_classifier"):
            backbone.reset_classifier(0, "")
        else:
            backbone.avgpool = nn.Identity()
        self.backbone = backbone
        self.features = features
        self.grid = grid

    def forward(self, images: Tensor) -> Tensor:
        maps = self.backbone(images)
        if maps.ndim == 3 and maps.shape[2] == self.features and self.grid is None:
            # A transformer's places are in a row already.
            return maps
        if maps.ndim == 2:
            # torchvision flattens the map that its pooling would have averaged.
            side = math.isqrt(maps.shape[1] // self.features)
            maps = maps.reshape(-1, self.features, side, side)
        if maps.ndim == 4 and maps.shape[1] != self.features:
            maps = maps.movedim(3, 1)
        if maps.ndim != 4 or maps.shape[1] != self.features:
            raise UserError(
                f"head=ml_decoder needs a map of {self.features} features, and the backbone gives "
                f"{tuple(maps.shape[1:])} of a photo: take another, head.grid=null for a transformer, or head=linear"
            )
        if self.grid is not None:
            maps = F.adaptive_avg_pool2d(maps, self.grid)
        return maps.flatten(2).transpose(1, 2)
