"""One network for each group of labels, trained apart and merged into one: the blueprint's early attempt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import nn

from tagger.data.taxonomy import Taxonomy, divide, read_taxonomy
from tagger.errors import UserError
from tagger.model.network import Network, SideBySide

Photos = Literal["all", "own"]
Cost = Literal["equal", "full"]


@dataclass(frozen=True)
class Experts:
    """Whether the labels are divided among several networks, and what these may cost.

    Args:
        by: ``group``: a network for each parent group of the label system; None: one network for all labels.
        borrow: A label system whose groups are taken where the data's own has none.
        photos: What an expert trains on: ``all`` photos, or its ``own``, those that carry or deny one of its labels.
        cost: ``equal``: all experts together take the optimisation steps of the one network; ``full``: each of
            them does.

    Raises:
        ValueError: If a setting is another word.
    """

    by: Literal["group"] | None = None
    borrow: str | None = None
    photos: Photos = "all"
    cost: Cost = "equal"

    def __post_init__(self) -> None:
        for name, value, words in (
            ("by", self.by, ("group", None)),
            ("photos", self.photos, get_args(Photos)),
            ("cost", self.cost, get_args(Cost)),
        ):
            if value not in words:
                raise ValueError(f"experts.{name} must be one of {', '.join(map(str, words))}, got {value!r}")

    def divide(self, taxonomy: Taxonomy) -> dict[str, tuple[int, ...]]:
        """Return the columns of every expert's labels by the name of its group; nothing for one network.

        Raises:
            UserError: If all labels are in one group.
        """
        if self.by is None:
            return {}
        divided = divide(taxonomy, lender=read_taxonomy(self.borrow) if self.borrow else None)
        if len(divided) < 2:
            raise UserError(
                f"experts.by=group: the {len(taxonomy)} labels of {taxonomy.name} are in one group; give them parents, "
                "borrow the groups of a label system that knows them (experts.borrow=album), or train one network "
                "(experts=none)"
            )
        return divided

    def epochs(self, batches: Sequence[int], *, epochs: int, of: int) -> list[int]:
        """Return how many epochs each expert trains.

        Args:
            batches: Batches in an epoch of each expert, (experts,).
            epochs: Epochs that the one network would train.
            of: Batches in an epoch of the one network.

        Returns:
            With equal cost, whole epochs that come to as many batches as those of the one network, or just below, dealt
            to whichever expert has had the fewest batches; but at least one to each, even if there are fewer.

        Example:
            >>> Experts(by="group").epochs([4, 4, 4], epochs=10, of=4)
            [4, 3, 3]
            >>> Experts(by="group").epochs([4, 1, 1], epochs=4, of=4)
            [2, 4, 4]
        """
        if self.cost == "full":
            return [epochs] * len(batches)
        given, left = [1] * len(batches), epochs * of - sum(batches)
        while affordable := [expert for expert, cost in enumerate(batches) if cost <= left]:
            least = min(affordable, key=lambda expert: given[expert] * batches[expert])
            given[least] += 1
            left -= batches[least]
        return given


def merge(network: Network, experts: Sequence[tuple[Sequence[int], Network]]) -> None:
    """Copy trained experts into one network that gives every label the logit of its expert.

    Args:
        network: Overwritten. With one backbone, the frozen one that the experts share, the rows of their heads are
            put together and it costs what one expert does. With a backbone for each, every label sees the features of
            its expert's and no others.
        experts: Columns of an expert's labels in ``network``, and the expert. Together they have every column once.

    Raises:
        ValueError: If a column is missing or there twice.
    """
    columns = [column for own, _ in experts for column in own]
    if sorted(columns) != list(range(network.head.out_features)):
        raise ValueError(f"the experts must have every label of {network.head.out_features} once, got {columns}")
    backbones = list(network.backbone) if isinstance(network.backbone, SideBySide) else []
    head = _linear(network)
    with torch.no_grad():
        head.weight.zero_()
        for number, (own, expert) in enumerate(experts):
            from_head = _linear(expert)
            at = number * from_head.in_features if backbones else 0
            head.weight[list(own), at : at + from_head.in_features] = from_head.weight
            head.bias[list(own)] = from_head.bias
            if backbones:
                backbones[number].load_state_dict(expert.backbone.state_dict())


def _linear(network: Network) -> nn.Linear:
    if not isinstance(network.head, nn.Linear):
        raise TypeError(f"only linear heads can be merged, got {type(network.head).__name__}")
    return network.head
