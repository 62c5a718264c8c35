"""Heads: what turns the backbone's features into logits.

The linear head sees features pooled over the photo. ML-Decoder (Ridnik et al. 2021, arXiv 2111.12933) sees them place
by place: each query looks for what it needs, so that a small object is not averaged away. It is a transformer decoder
without its self-attention, whose queries are random and never learn: in their paper that is as good as learning them,
because what follows them learns. A query answers for a group of labels, so the cost does not grow with their number.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

QUERY_SEED = 0
"""Of the queries: the same in every run, whatever its seed."""


class MLDecoder(nn.Module):
    """Features of places (batch, places, features) to logits (batch, labels); the order of the places is nothing to it.

    Args:
        features: Of a place.
        labels: How many there are.
        groups: Queries; each answers for ``ceil(labels / groups)`` labels. With more than there are labels, for one.
        width: Of queries and answers.
        heads: Of the attention; a divisor of ``width``.
        hidden: Width of the layer within the feed-forward part.
        dropout: Share of what a training step drops, in three places as in their code.

    Example:
        >>> MLDecoder(8, 5, groups=2, width=16, heads=4, hidden=32, dropout=0.0)(torch.zeros(3, 49, 8)).shape
        torch.Size([3, 5])
    """

    queries: Tensor

    def __init__(
        self,
        features: int,
        labels: int,
        *,
        groups: int,
        width: int,
        heads: int,
        hidden: int,
        dropout: float,
    ) -> None:
        super().__init__()
        if min(groups, width, heads, hidden) < 1 or width % heads:
            raise ValueError(
                f"head: groups, width, heads and hidden must be at least 1 and width a multiple of heads, got "
                f"groups={groups}, width={width}, heads={heads}, hidden={hidden}"
            )
        groups = min(groups, labels)
        self.out_features = labels
        self.embed = nn.Linear(features, width)
        queries = torch.randn(groups, width, generator=torch.Generator().manual_seed(QUERY_SEED))
        self.register_buffer("queries", queries)
        self.attention = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)
        self.feed = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)
        # Label j is answered by query j // share, with a weight vector of its own.
        self.share = math.ceil(labels / groups)
        self.weight = nn.Parameter(torch.empty(labels, width))
        self.bias = nn.Parameter(torch.zeros(labels))
        nn.init.xavier_normal_(self.weight)

    def forward(self, places: Tensor) -> Tensor:
        return self.read_out(self.answers(places))

    def answers(self, places: Tensor) -> Tensor:
        """Return what every query found, (batch, groups, width)."""
        memory = self.embed(places).relu()
        # Their layer adds what it is given to itself before the first norm, where self-attention would be.
        asked = self.norms[0](self.queries + self.dropout(self.queries)).expand(places.shape[0], -1, -1)
        found = self.norms[1](asked + self.dropout(self.attention(asked, memory, memory, need_weights=False)[0]))
        return self.norms[2](found + self.dropout(self.feed(found)))

    def read_out(self, answers: Tensor) -> Tensor:
        """Return each label's logit, (batch, labels), from the answer of its own query."""
        own = answers.repeat_interleave(self.share, dim=1)[:, : self.out_features]
        return (own * self.weight).sum(dim=2) + self.bias


def build_head(features: int, labels: int, *, name: str = "linear", **settings: Any) -> nn.Linear | MLDecoder:
    """Return the head of that name: ``linear`` or ``ml_decoder``; both start with a bias of 0.

    Raises:
        ValueError: If there is no such head.
        TypeError: If it has no such setting.
    """
    if name == "linear":
        return _linear(features, labels, **settings)
    if name == "ml_decoder":
        return MLDecoder(features, labels, **settings)
    raise ValueError(f"head.name must be 'linear' or 'ml_decoder', got {name!r}")


def _linear(features: int, labels: int) -> nn.Linear:
    head = nn.Linear(features, labels)
    nn.init.xavier_uniform_(head.weight)
    nn.init.zeros_(head.bias)
    return head
