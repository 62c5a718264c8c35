"""Extend a trained model: new labels beside those that it knows, and nothing forgotten.

The network starts as the earlier one: the rows of its head for the labels that go on, the mean of the rows for those
that were merged, fresh rows for new labels. A photo that nobody looked at for a new label is unknown for it, whatever
silence means for the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn

from tagger.data.datamodule import PhotoData
from tagger.data.states import Unknown, unknown_weight
from tagger.data.taxonomy import Match, match
from tagger.errors import UserError
from tagger.model.module import TaggerModule
from tagger.model.network import Network
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import average_precision
from tagger.tags.thresholds_callback import ThresholdsCallback
from tagger.tracking.extension import Extended
from tagger.tracking.label_result import LabelResult
from tagger.training.earlier import SHOWN, Earlier, read_earlier

Rows = Literal["train", "keep"]

PROBES = 4
"""Training photos by which a bundle is asked whether the backbone here is its own."""

AGREE = 0.05
"""Most that its logits may differ there: rounding comes to 0.001, another backbone to several."""


@dataclass(frozen=True)
class Extension:
    """How a model is extended.

    Args:
        unknown: What a new label counts for on a photo that nobody looked at for it: ``negative``, ``ignore`` or a
            weight in [0, 1]; None: what the data set says of all labels.
        rows: What becomes of the rows of the labels that go on: training will ``keep`` them as they are, so that with
            a frozen backbone nothing is forgotten, or they ``train`` with the new ones.

    Raises:
        ValueError: If a setting is another word or outside its range.
    """

    unknown: Unknown | None = "ignore"
    rows: Rows = "keep"

    def __post_init__(self) -> None:
        if self.unknown is not None:
            unknown_weight(self.unknown)
        if self.rows not in get_args(Rows):
            raise ValueError(f"extension.rows must be one of {', '.join(get_args(Rows))}, got {self.rows!r}")


@dataclass(frozen=True, eq=False)
class Extending:
    """A model, the label system that it is extended to, and how they go together."""

    earlier: Earlier
    match: Match
    settings: Extension

    @classmethod
    def of(cls, config: DictConfig, data: PhotoData) -> "Extending | None":
        """Read the model that a configuration extends, and tell the data which labels are new; None if there is none.

        Raises:
            UserError: If it cannot be extended to this label system, or something else is trained.
        """
        place, settings = config.get("from_model"), config.get("extension")
        if place is None and settings is None:
            return None
        if settings is None:
            raise UserError(f"from={place}: nothing would be taken from it without +experiment=extend")
        if place is None:
            raise UserError(
                f"experiment {config.name} needs a model: from=album.tagger, a bundle that python -m tagger.export "
                "made, or from=runs/…/checkpoints/best.ckpt"
            )
        if config.experts.by is not None:
            raise UserError(f"from={place}: experts.by={config.experts.by} trains networks anew; experts=none")
        earlier = read_earlier(place)
        matched = match(earlier.ids, data.taxonomy)
        if len(matched.new) == len(matched.ids):
            raise UserError(
                f"from={place}: none of its {len(earlier.ids)} labels ({earlier.ids[0]}, …) is one of "
                f"{data.taxonomy.name!r}; taxonomy=… must name a label system that goes on with them"
            )
        extending = cls(earlier, matched, instantiate(settings))
        extending._prepare(data)
        return extending

    @property
    def thresholds(self) -> Tensor:
        """Those of the labels that go on, (labels,); NaN of merged and new ones."""
        found = torch.full((len(self.match.ids),), float("nan"))
        carried = self.match.carried
        found[carried] = self.earlier.thresholds[[self.match.sources[column][0] for column in carried]]
        return found

    def sentence(self, data: PhotoData) -> str:
        """Return in words what becomes of the labels, and what is known of the test photos."""
        changes = [self.match.change(column) for column in range(len(self.match.ids))]
        counts = {change: changes.count(change) for change in ("same", "renamed", "merged", "new")}
        words = [f"{count} {change}" for change, count in counts.items() if count]
        removed = [self.match.earlier[column] for column in self.match.removed]
        words += [f"{len(removed)} removed ({', '.join(removed[:8])}{' …' if len(removed) > 8 else ''})"] * bool(
            removed
        )
        lines = [f"labels: {', '.join(words)}"]
        lines += [
            f"is {new} the earlier {old}? Then it needs aliases: [{old}]; as it is, it begins anew"
            for old, new in self.match.lookalikes()
        ]
        silent = [self.match.ids[column] for column in self.match.new if not data.train_counts[column]]
        if silent:
            lines.append(f"no photo to train on carries {some(silent)}")
        if warning := self._about_folds(data):
            lines.append(warning)
        return "\n".join(lines)

    def same_photos(self, data: PhotoData) -> bool:
        """Return whether photos and annotations of the earlier labels are those that the earlier model was made with.

        Then photos that were dealt into folds by their labels are in the same folds.
        """
        order = self._in_earlier_order()
        if order is None:
            return False
        catalog = data.labelled
        before = replace(
            catalog,
            taxonomy=replace(catalog.taxonomy, fingerprint=self.earlier.fingerprints.get("taxonomy", "")),
            states=catalog.states[:, order],
        )
        before.states.sort_indices()
        return before.fingerprint == self.earlier.fingerprints.get("catalog")

    def carry_over(self, module: TaggerModule, data: PhotoData) -> None:
        """Let the network begin as the earlier one.

        Raises:
            UserError: If it sees other pixels, has another backbone, or a head that has no rows.
        """
        place, network = self.earlier.place, module.network
        for name in SHOWN:
            there, own = self.earlier.preprocessing[name], getattr(data.plain, name)
            own = list(own) if isinstance(own, tuple) else own
            if there != own:
                setting = "data" if name in ("size", "fit") else "network"
                raise UserError(f"from={place} sees photos with {name} {there}, this run with {own}: {setting}.{name}")
        head = network.head
        if not isinstance(head, nn.Linear) or head.in_features != self.earlier.rows.shape[1]:
            raise UserError(
                f"from={place} has a linear head on {self.earlier.rows.shape[1]} features; take the network that it "
                "was trained with (network=…, head=linear)"
            )
        if self.earlier.network is not None:
            self._take_backbone(network)
        else:
            self._check_backbone(network, data)
        with torch.no_grad():
            for column in (*self.match.carried, *self.match.merged):
                own = list(self.match.sources[column])
                head.weight[column] = self.earlier.rows[own].mean(dim=0)
                head.bias[column] = self.earlier.bias[own].mean()

    def callbacks(self) -> list[Callback]:
        """Return what keeps the earlier rows, if they are to be kept."""
        if self.settings.rows != "keep":
            return []
        own = [self.match.sources[column][0] for column in self.match.carried]
        return [KeepRows(self.match.carried, self.earlier.rows[own], self.earlier.bias[own])]

    @torch.inference_mode()
    def before(self, module: TaggerModule, data: PhotoData, device: torch.device) -> Histogram:
        """Return what the earlier model's rows say of the test photos, through the relations of this run.

        Of merged labels the higher score counts, new ones have none. To be called while the backbone is still the
        earlier one. What a detector would add is left out.
        """
        network = module.network.to(device).eval()
        parts = []
        for batch in data.test_dataloader():
            inputs = batch.inputs.to(device)
            features = network.backbone(inputs) if inputs.ndim == 4 else inputs
            scores = self._scores(self.earlier.logits(features).sigmoid().cpu())
            parts.append((scores, batch.states, _kinds(batch)))
        module.train()
        scores, states, kinds = (torch.cat(column) for column in zip(*parts, strict=True))
        scores = module.rules.cpu()(scores)
        histogram = Histogram.of(scores, states, kinds=kinds)
        # Kinds of which there is no test photo have no plane yet.
        missing = 2 + len(module.unknown) - len(histogram.counts)
        return Histogram(nn.functional.pad(histogram.counts, (0, 0, 0, 0, 0, missing)), histogram.edges)

    def results(
        self, before: Histogram, labels: Sequence[LabelResult], thresholds: ThresholdsCallback, module: TaggerModule
    ) -> list[Extended]:
        """Return what became of every label, those that were removed last.

        Args:
            before: What `before` returned.
            labels: What came out, in column order.
            thresholds: Which of them were fitted again.
            module: What an unknown label counts for.
        """
        ap = average_precision(before, unknown=module.unknown)
        refitted = torch.zeros(len(labels)) if thresholds.refitted is None else thresholds.refitted
        had = self.thresholds
        rows = []
        for column, label in enumerate(labels):
            own = [self.match.earlier[number] for number in self.match.sources[column]]
            rows.append(
                Extended(
                    label=label.id,
                    change=self.match.change(column),
                    earlier="|".join(own),
                    train_count=label.train_count,
                    ap_before=ap.values[column].item() if own and ap.counted[column] else None,
                    ap=label.ap,
                    threshold_before=None if had[column].isnan() else had[column].item(),
                    threshold=label.threshold,
                    is_refitted=bool(refitted[column]),
                )
            )
        gone = [self.match.earlier[column] for column in self.match.removed]
        return rows + [Extended(label="", change="removed", earlier=id_) for id_ in gone]

    def _scores(self, earlier: Tensor) -> Tensor:
        """Return scores of the labels (photos, labels) from those of the earlier ones; 0 of new ones."""
        columns = [
            earlier[:, list(own)].amax(dim=1) if own else earlier.new_zeros(len(earlier)) for own in self.match.sources
        ]
        return torch.stack(columns, dim=1)

    def _about_folds(self, data: PhotoData) -> str:
        """Return what may be wrong where photos are dealt into folds by their labels; nothing if they are as before."""
        if data.labelled.column("fold") is not None or self.earlier.folds is not None or self.same_photos(data):
            return ""
        test = "" if data.split == "official" else " or test"
        reason = (
            "photos or annotations of the earlier labels have changed"
            if self._in_earlier_order() is not None
            else "labels were removed or merged"
        )
        return (
            f"{reason} since, and photos are dealt into folds by their labels: some that trained the earlier model "
            f"validate{test} here, so that its labels look better than they are. From a checkpoint in its run's "
            "folder, or with a prepared catalog, every photo keeps its fold"
        )

    def _prepare(self, data: PhotoData) -> None:
        if (order := self._in_earlier_order()) is not None:
            data.dealt_by = order
        data.earlier_folds = self.earlier.folds
        new = self.match.new
        if self.settings.unknown is not None:
            data.set_unknown_weight(new, self.settings.unknown)
        counts = data.label_counts
        nowhere = [self.match.ids[column] for column in new if counts.present[column] and not counts.absent[column]]
        if nowhere:
            raise UserError(
                f"extension.unknown={self.settings.unknown}: no photo to train on is known to lack {some(nowhere)}, "
                "and what is unknown counts for nothing, so that every photo would get the tag; annotate photos that "
                "lack it, or let unknown ones count a little: extension.unknown=0.1"
            )

    def _in_earlier_order(self) -> list[int] | None:
        """Return the column of every earlier label, in their order; None if labels were removed or merged."""
        if self.match.removed or self.match.merged:
            return None
        column = {own[0]: column for column, own in enumerate(self.match.sources) if own}
        return [column[number] for number in range(len(self.match.earlier))]

    def _take_backbone(self, network: Network) -> None:
        assert self.earlier.network is not None
        try:
            network.backbone.load_state_dict(self.earlier.network.backbone.state_dict())
        except RuntimeError as error:
            raise UserError(
                f"from={self.earlier.place} has another backbone than this run; take the network that it was trained "
                "with: network=…"
            ) from error

    def _check_backbone(self, network: Network, data: PhotoData) -> None:
        """Ask the bundle and this backbone for the same logits: the head's rows mean nothing to another backbone."""
        photos = data.names(data.train_rows[:PROBES])
        was_training = network.training
        with torch.inference_mode():
            features = network.eval().backbone(torch.stack([data.plain(photo) for photo in photos]))
            found = self.earlier.logits(features)
        network.train(was_training)
        difference = float((found - self.earlier.logits_of_photos(photos)).abs().max())
        # Not `>`: a NaN is no agreement.
        if not difference <= AGREE:
            raise UserError(
                f"from={self.earlier.place}: its backbone is another than this run's (its logits differ by "
                f"{difference:.2g}): take the network that it was trained with, or, if its backbone was trained too, "
                "its checkpoint: from=runs/…/checkpoints/best.ckpt"
            )


class KeepRows(Callback):
    """Keeps some rows of a linear head as they are, whatever the optimizer does to them.

    Args:
        columns: Of the labels.
        weight: Their rows, (columns, features).
        bias: (columns,)
    """

    def __init__(self, columns: Sequence[int], weight: Tensor, bias: Tensor) -> None:
        self.columns = list(columns)
        self.weight, self.bias = weight, bias

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        head = cast(nn.Linear, cast(TaggerModule, pl_module).network.head)
        with torch.no_grad():
            head.weight[self.columns] = self.weight.to(head.weight)
            head.bias[self.columns] = self.bias.to(head.bias)


def some(ids: Sequence[str], most: int = 8) -> str:
    """Return the first of some ids in words.

    Example:
        >>> some(["a", "b", "c"], most=2)
        'a, b …'
    """
    return ", ".join(ids[:most]) + (" …" if len(ids) > most else "")


def _kinds(batch: Any) -> Tensor:
    return torch.zeros_like(batch.rows) if batch.kinds is None else batch.kinds
