"""Prior relations between labels, applied to scores: what follows is raised, what is excluded falls away.

A label that follows from others, because they are a kind of it (``parents``) or because they cannot be without it
(``implies``), scores at least as much as each of them, through any number of steps. An implication belongs to the label
that states it: from "dogsled implies snow and animal" follows nothing about photos of snow.

Of two labels that exclude each other the one with the lower completed score gets 0, and so do all labels from which it
follows, before anything is raised: what falls away raises nothing. No threshold above 0 then gives both.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor, nn

from tagger.data.taxonomy import Taxonomy
from tagger.data.taxonomy.label_system import closure

Kind = Literal["parents", "implies", "excludes"]
Pooling = Literal["max", "noisy_or"]
Keep = Literal["all", "helpful"]


class Relation(NamedTuple):
    """One line of the label system: ``label`` has ``other`` among its parents, implies it, or excludes it."""

    kind: Kind
    label: str
    other: str


@dataclass(frozen=True)
class RuleSettings:
    """Which relations of a label system are applied, and how.

    Args:
        kinds: Any of ``parents``, ``implies`` and ``excludes``; none of them: scores stay as the network gives them.
        pooling: How direct children raise a parent: ``max``, to the highest of them; ``noisy_or``, to
            1 − Π(1 − child), so that several weak children count together.
        keep: ``helpful`` switches off the relations that the audit names as harmful, before the thresholds are fitted.

    Raises:
        ValueError: If a setting is another word.
    """

    kinds: Sequence[Kind] = get_args(Kind)
    pooling: Pooling = "max"
    keep: Keep = "all"

    def __post_init__(self) -> None:
        for kind in self.kinds:
            _refuse_other("rules.kinds", kind, get_args(Kind))
        _refuse_other("rules.pooling", self.pooling, get_args(Pooling))
        _refuse_other("rules.keep", self.keep, get_args(Keep))

    def of(self, taxonomy: Taxonomy) -> "Rules":
        """Return the rules of a label system."""
        return Rules(taxonomy.ids, relations_of(taxonomy, self.kinds), pooling=self.pooling)


def relations_of(taxonomy: Taxonomy, kinds: Sequence[Kind] = get_args(Kind)) -> tuple[Relation, ...]:
    """Return what the labels state, in their order.

    Example:
        >>> from tagger.data.taxonomy import Label
        >>> relations_of(Taxonomy("mine", (Label("dog", {}, parents=("animal",)), Label("animal", {}))))
        (Relation(kind='parents', label='dog', other='animal'),)
    """
    return tuple(
        Relation(kind, label.id, other) for label in taxonomy.labels for kind in kinds for other in getattr(label, kind)
    )


class Rules(nn.Module):
    """Scores in, completed scores out, both (photos, labels) in 0..1; tensor operations only, so that it exports.

    With ``max``, or without exclusions, what a higher score changes is only raised. With exclusions a higher score may
    lower those that its label excludes, never its own. Completing what is complete changes nothing.

    Args:
        labels: Ids in column order.
        relations: What the labels state; free of cycles and contradictions, as a label system is once it has been read.
        pooling: See `RuleSettings`.
        dropped: Those of the relations that are switched off.

    Example:
        >>> rules = Rules(["dogsled", "snow", "animal"], [Relation("implies", "dogsled", "snow"),
        ...                                               Relation("implies", "dogsled", "animal")])
        >>> rules(torch.tensor([[0.7, 0.1, 0.2], [0.1, 0.9, 0.2]]))
        tensor([[0.7000, 0.7000, 0.7000],
                [0.1000, 0.9000, 0.2000]])
    """

    sources: Tensor
    targets: Tensor
    excluding: Tensor
    below: Tensor

    def __init__(
        self,
        labels: Sequence[str],
        relations: Iterable[Relation] = (),
        *,
        pooling: Pooling = "max",
        dropped: Iterable[Relation] = (),
    ) -> None:
        super().__init__()
        self.labels, self.relations, self.dropped = tuple(labels), tuple(relations), tuple(dropped)
        self.pooling = pooling
        self.column = {id_: column for column, id_ in enumerate(self.labels)}
        follows = self.follows = self._follows()
        # From which label which other follows, one pair a column; a label's following from itself is no news.
        sources, targets = np.nonzero(follows & ~np.eye(len(self.labels), dtype=bool))
        self._keep("sources", sources)
        self._keep("targets", targets)
        pairs = {tuple(sorted(self._columns(relation))) for relation in self.active if relation.kind == "excludes"}
        excluding = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2).T
        self._keep("excluding", excluding)
        # All labels from which one of a pair follows, the label itself included: they fall with it.
        self._keep("below", follows.T[excluding].astype(np.float32))
        self.levels = self._keep_levels(follows) if pooling == "noisy_or" else 0

    @classmethod
    def from_recipe(cls, recipe: Mapping[str, Any]) -> "Rules":
        """Build the rules of a checkpoint's recipe again; one from before there were rules has none."""
        kept: Mapping[str, Any] = recipe.get("rules", {})
        relations, dropped = ([Relation(*words) for words in kept.get(key, ())] for key in ("relations", "dropped"))
        labels = [label["id"] for label in recipe["labels"]]
        return cls(labels, relations, pooling=kept.get("pooling", "max"), dropped=dropped)

    def as_recipe(self) -> dict[str, Any]:
        """Return all that `from_recipe` needs beside the labels, as plain values."""
        relations, dropped = ([list(relation) for relation in some] for some in (self.relations, self.dropped))
        return {"pooling": self.pooling, "relations": relations, "dropped": dropped}

    @property
    def active(self) -> tuple[Relation, ...]:
        """The relations that are not switched off."""
        return tuple(relation for relation in self.relations if relation not in self.dropped)

    def without(self, relations: Iterable[Relation]) -> "Rules":
        """Return the rules with these relations switched off as well."""
        dropped = (*self.dropped, *relations)
        return Rules(self.labels, self.relations, pooling=self.pooling, dropped=dropped).to(self.sources.device)

    def around(self, label: str) -> "Rules":
        """Return the rules among the few labels on which a label's score depends.

        Those from which it follows, and all from which the two sides of an exclusion follow that one of them may lose.
        """
        needed = self.follows[:, self.column[label]]
        below = self.below.bool().cpu().numpy()
        for one, other in zip(*below, strict=True):
            if (self.follows[:, self.column[label]] & (one | other)).any():
                needed = needed | one | other
        labels = [id_ for id_, is_needed in zip(self.labels, needed.tolist(), strict=True) if is_needed]
        among = [relation for relation in self.active if {relation.label, relation.other} <= set(labels)]
        return Rules(labels, among, pooling=self.pooling)

    def forward(self, scores: Tensor) -> Tensor:
        """Return the completed scores."""
        completed = self.complete(scores)
        if not self.excluding.shape[1]:
            return completed
        return self.complete(torch.where(self._fallen(completed), 0.0, scores))

    def complete(self, scores: Tensor) -> Tensor:
        """Raise what follows; exclusions aside."""
        if self.pooling == "max":
            return _raised(scores, self.sources, self.targets)
        # From below: a level's labels follow from finished ones only.
        for level in range(self.levels):
            sources, targets, children, parents = (
                getattr(self, f"{name}_{level}") for name in ("sources", "targets", "children", "parents")
            )
            # Rounding may leave 1 − Π(1 − child) a little below the highest child.
            raised = _raised(scores, sources, targets)
            scores = torch.maximum(raised, _noisy_or(scores, children, parents))
        return scores

    def origins(self, before: Tensor, after: Tensor) -> Tensor:
        """Return why each label scores what it does.

        Args:
            before: Scores of the network, shape (photos, labels).
            after: What the rules made of them.

        Returns:
            Columns, int64 (photos, labels): the label's own where the score is the network's, or where an exclusion
            took it; else that of the label it follows from, the highest-scoring one and of equals the first.

        Example:
            >>> rules = Rules(["poodle", "dog", "animal"], [Relation("parents", "poodle", "dog"),
            ...                                             Relation("parents", "dog", "animal")])
            >>> before = torch.tensor([[0.8, 0.3, 0.9]])
            >>> rules.origins(before, rules(before))
            tensor([[0, 0, 2]])
        """
        # What fell away raised nothing.
        kept = torch.where(after > 0, before, 0.0)
        own = torch.arange(len(self.labels), device=before.device).expand_as(before)
        sources, targets = self.sources.expand(before.shape[0], -1), self.targets.expand(before.shape[0], -1)
        from_others = kept.gather(1, sources)
        highest = torch.full_like(kept, -1.0).scatter_reduce(1, targets, from_others, "amax")
        is_highest = from_others == highest.gather(1, targets)
        candidates = torch.where(is_highest, sources, len(self.labels))
        first = torch.full_like(own, len(self.labels)).scatter_reduce(1, targets, candidates, "amin")
        return torch.where(after > kept, first, own)

    def _columns(self, relation: Relation) -> tuple[int, int]:
        return self.column[relation.label], self.column[relation.other]

    def _keep(self, name: str, values: np.ndarray) -> None:
        # Not persistent: the recipe says it all, and checkpoints from before there were rules load as they are.
        self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values)), persistent=False)

    def _follows(self) -> np.ndarray:
        """Return which labels follow from which, boolean (labels, labels), the diagonal included."""
        stated: dict[str, tuple[str, ...]] = dict.fromkeys(self.labels, ())
        for relation in self.active:
            if relation.kind != "excludes":
                stated[relation.label] += (relation.other,)
        return closure(stated)

    def _keep_levels(self, follows: np.ndarray) -> int:
        """Keep the stated pairs by how many steps the followed label is above the lowest; return the number of levels.

        A label's level is the longest chain of relations that ends in it.
        """
        stated = [relation for relation in self.active if relation.kind != "excludes"]
        # In order of how many labels each follows from, a label comes after all those.
        order = np.argsort(follows.sum(axis=0), kind="stable").tolist()
        above: dict[int, list[int]] = {}
        for source, target in map(self._columns, stated):
            above.setdefault(target, []).append(source)
        level = dict.fromkeys(range(len(self.labels)), 0)
        for column in order:
            level[column] = max((level[source] + 1 for source in above.get(column, ())), default=0)
        for number in range(1, max(level.values(), default=0) + 1):
            here = [relation for relation in stated if level[self.column[relation.other]] == number]
            pairs = np.array([self._columns(relation) for relation in here]).reshape(-1, 2).T
            is_child = np.array([relation.kind == "parents" for relation in here])
            for names, some in ((("sources", "targets"), pairs), (("children", "parents"), pairs[:, is_child])):
                for name, columns in zip(names, some, strict=True):
                    self._keep(f"{name}_{number - 1}", columns)
        return max(level.values(), default=0)

    def _fallen(self, completed: Tensor) -> Tensor:
        """Return which labels fall away: the lower of each excluding pair, and all from which it follows."""
        one, other = completed[:, self.excluding[0]], completed[:, self.excluding[1]]
        # Of equals the first in column order stays.
        second_falls = one >= other
        fallen = (~second_falls).float() @ self.below[0] + second_falls.float() @ self.below[1]
        return fallen > 0


def _raised(scores: Tensor, sources: Tensor, targets: Tensor) -> Tensor:
    """Return the scores with every target at least its sources."""
    return scores.scatter_reduce(1, targets.expand(scores.shape[0], -1), scores[:, sources], "amax")


def _noisy_or(scores: Tensor, children: Tensor, parents: Tensor) -> Tensor:
    """Return 1 − Π(1 − child) for every parent, and 0 for labels without children."""
    none = torch.ones_like(scores)
    missed = none.scatter_reduce(1, parents.expand(scores.shape[0], -1), 1 - scores[:, children], "prod")
    return 1 - missed


def _refuse_other(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be {' or '.join(map(repr, allowed))}, got {value!r}")
