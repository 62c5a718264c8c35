"""Scores of the network and of a detector become one score per label, in tensor operations that export to ONNX."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

Way = Literal["maximum", "noisy_or", "logistic"]
WAYS: tuple[Way, ...] = get_args(Way)

LIMIT = 1e-6
"""Scores are kept this far from 0 and 1 before their logit is taken."""


class Calibration(NamedTuple):
    """How a label weighs what it is told: sigmoid(network · logit of its score + detection · evidence + shift).

    Both weights are at least 0: what is more likely to the network, or seen more clearly, is never less likely.
    """

    network: float = 1.0
    detection: float = 0.0
    shift: float = 0.0


class Fusion(nn.Module):
    """Scores (photos, labels) and highest detection scores (photos, labels) in, scores out; all in 0..1.

    Labels that do not take the detector keep the score they have. For those that do, with s the network's score and d
    that of the best detection, 0 where there is none:

    - ``maximum``: max(s, d)
    - ``noisy_or``: 1 − (1 − s)(1 − d): either of the two may be right by itself
    - ``logistic``: each label's own `Calibration` of logit(s) and `evidence`

    Neither a higher score nor a clearer detection lowers any of them; without a detection the first two change nothing.

    Args:
        labels: Ids in column order.
        way: Which of the three.
        taken: The labels that take the detector; ``logistic`` uses their calibrations.
        floor: Detections below it are none.

    Example:
        >>> fusion = Fusion(["bus", "sky"], "noisy_or", {"bus": Calibration()})
        >>> fusion(torch.tensor([[0.5, 0.5]]), torch.tensor([[0.8, 0.8]]))
        tensor([[0.9000, 0.5000]])
    """

    takes: Tensor
    network: Tensor
    detection: Tensor
    shift: Tensor

    def __init__(
        self,
        labels: Sequence[str],
        way: Way = "maximum",
        taken: Mapping[str, Calibration] | None = None,
        *,
        floor: float = 0.05,
    ) -> None:
        super().__init__()
        if way not in WAYS:
            raise ValueError(f"detector.fusion must be {', '.join(WAYS[:-1])} or {WAYS[-1]}, got {way!r}")
        if not 0 < floor < 1:
            raise ValueError(f"detector.floor must lie between 0 and 1, got {floor!r}")
        self.labels, self.way, self.floor = tuple(labels), way, floor
        self.taken = dict(taken or {})
        calibrations = torch.tensor([self.taken.get(label, Calibration()) for label in self.labels]).reshape(-1, 3)
        self._keep("takes", torch.tensor([label in self.taken for label in self.labels]))
        for column, name in enumerate(Calibration._fields):
            self._keep(name, calibrations[:, column].contiguous())

    @classmethod
    def from_recipe(cls, recipe: Mapping[str, Any]) -> "Fusion":
        """Build the fusion of a checkpoint's recipe again; one without a detector has none."""
        kept: Mapping[str, Any] = recipe.get("detector", {})
        taken = {label: Calibration(*numbers) for label, numbers in kept.get("taken", {}).items()}
        labels = [label["id"] for label in recipe["labels"]]
        return cls(labels, kept.get("fusion", "maximum"), taken, floor=kept.get("floor", 0.05))

    def as_recipe(self) -> dict[str, Any]:
        """Return all that `from_recipe` needs beside the labels, as plain values."""
        return {
            "fusion": self.way,
            "floor": self.floor,
            "taken": {id_: list(calibration) for id_, calibration in self.taken.items()},
        }

    def forward(self, scores: Tensor, detected: Tensor) -> Tensor:
        """Return the fused scores."""
        return torch.where(self.takes, self._fused(scores, self._above_floor(detected)), scores)

    def owed(self, scores: Tensor, detected: Tensor) -> Tensor:
        """Return which scores are the detector's rather than the network's, boolean (photos, labels).

        Where the detection scores higher than the network; with ``logistic``, where it more than doubles the score.

        Example:
            >>> Fusion(["bus"], "maximum", {"bus": Calibration()}).owed(torch.tensor([[0.5]]), torch.tensor([[0.8]]))
            tensor([[True]])
        """
        above_floor = self._above_floor(detected)
        if self.way == "logistic":
            more = self._fused(scores, above_floor) > 2 * self._fused(scores, torch.zeros_like(above_floor))
        else:
            more = above_floor > scores
        return self.takes & (above_floor > 0) & more

    def _above_floor(self, detected: Tensor) -> Tensor:
        return torch.where(detected >= self.floor, detected, 0.0)

    def _fused(self, scores: Tensor, above_floor: Tensor) -> Tensor:
        if self.way == "maximum":
            return torch.maximum(scores, above_floor)
        if self.way == "noisy_or":
            # Rounding may leave it a little below the higher of the two.
            return torch.maximum(1 - (1 - scores) * (1 - above_floor), torch.maximum(scores, above_floor))
        from_detections = self.detection * evidence(above_floor, floor=self.floor)
        return torch.sigmoid(self.network * log_odds(scores) + from_detections + self.shift)

    def _keep(self, name: str, values: Tensor) -> None:
        # Not persistent: the recipe says it all, and checkpoints from before there was a detector load as they are.
        self.register_buffer(name, values, persistent=False)


def log_odds(scores: Tensor) -> Tensor:
    """Return the logit of scores, those of 0 and 1 included.

    Example:
        >>> log_odds(torch.tensor([0.5, 0.0]))
        tensor([  0.0000, -13.8155])
    """
    inside = scores.clamp(LIMIT, 1 - LIMIT)
    # Not torch.logit, which half of the exporters do not know.
    return torch.log(inside / (1 - inside))


def evidence(detected: Tensor, *, floor: float) -> Tensor:
    """Return how much clearer than the faintest detection one is, in logits: 0 where there is none.

    Example:
        >>> evidence(torch.tensor([0.0, 0.1, 0.5]), floor=0.1)
        tensor([0.0000, 0.0000, 2.1972])
    """
    faintest = torch.full((), floor, dtype=detected.dtype, device=detected.device)
    return torch.relu(log_odds(detected) - log_odds(faintest))
