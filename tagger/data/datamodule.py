"""The LightningDataModule: from a source to batches of each fold."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from tagger.data.assembly.grouping import alike, joined
from tagger.data.batch import Batch, collate
from tagger.data.catalog import FOLDS, TEST_FOLD, VALIDATION_FOLD, Catalog
from tagger.data.catalog.fold_noise import FoldNoise, read_fold_noise
from tagger.data.catalog.one_source import from_catalog
from tagger.data.catalog.prepared import Prepared
from tagger.data.copies import FEW, Copies, count_copies
from tagger.data.dataset import FeatureDataset, Kinds, KindsByLabel, Looked, PhotoDataset, dense_states
from tagger.data.embeddings import Features
from tagger.data.features import cached_views
from tagger.data.inspection import SCHEMA, inspect
from tagger.data.label_counts import LabelCounts, UnknownWeights, label_counts
from tagger.data.loader import Position, ResumableLoader
from tagger.data.normalisation import Normalisation
from tagger.data.pool import with_pool
from tagger.data.replication import Plan, Replication, plan
from tagger.data.sampler import EvalSampler, ReplicationSampler
from tagger.data.sidecar_turn import count_turns
from tagger.data.skipped import Skipped
from tagger.data.split import FREE, join_copies, official_folds, stratified_folds
from tagger.data.states import ABSENT, PRESENT, Unknown, count_states, unknown_weight
from tagger.data.taxonomy import Taxonomy, read_taxonomy
from tagger.data.transforms import EvalTransform, TrainTransform, Transform
from tagger.data.workers import worker_settings
from tagger.errors import UserError
from tagger.pages.left_out import print_left_out


class Source(Protocol):
    """Anything that reads photos and annotations into a catalog."""

    def read(self, root: str | None, taxonomy: Taxonomy) -> Catalog: ...


class BadPhotosError(UserError):
    """Photos that cannot be read, where the policy is to stop; the message names the first and counts the others."""


@dataclass(frozen=True)
class Augment:
    """How a training photo is varied; see TrainTransform."""

    scale: tuple[float, float] = (0.25, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    jitter: float = 0.0


class PhotoData(pl.LightningDataModule):
    """One data set, split into folds.

    Args:
        source: Reads the photos and their annotations.
        taxonomy: Name under ``conf/taxonomy``, or a path of a YAML file.
        root: Folder under which the source looks.
        split: ``folds`` (fold 0 tests, 1 validates, 2 to 9 train, label-stratified) or ``official`` (the source's own
            test photos are fold 0, its training photos are split into folds 1 to 9).
        unknown: What an unknown label counts for: ``negative``, ``ignore``, a weight in [0, 1], or None: on every photo
            what its sources say.
        batch_size: Photos of an optimisation step, over all processes.
        size: Side in pixels of what the network sees.
        fit: How a photo of another shape is made square: ``squash``, ``crop`` or ``pad``.
        augment: How training photos are varied.
        bad_photos: ``skip`` leaves photos out that cannot be read and reports them, ``stop`` refuses the data set.
        max_pixels: Photos that declare more are refused before they are decoded.
        follow_links: Whether links may lead out of the folder of the data set.
        workers: Processes that decode, for each process that trains.
        cache: Folder for what can be computed again.
        seed: Seed of split, draws and augmentation.
        sampler: How often a photo is drawn.
        turn: The fold that tests, 0..9; the next one validates and the other eight train. Ten turns score every photo
            by a model that has not seen it.
        catalog: Folder of a prepared catalog that is read instead of the source: the same photos, with what people
            decided; None: the source as it is.
        pool: Folders of photos without labels, which train beside the others; only a teacher says something of them.
    """

    def __init__(
        self,
        *,
        source: Source,
        taxonomy: str,
        root: str | None,
        split: Literal["folds", "official"],
        unknown: Unknown | None,
        batch_size: int,
        size: int,
        fit: Literal["squash", "crop", "pad"],
        augment: Augment,
        bad_photos: Literal["skip", "stop"],
        max_pixels: int,
        workers: int,
        cache: Path,
        seed: int,
        sampler: Replication,
        follow_links: bool = False,
        turn: int = 0,
        catalog: str | None = None,
        pool: Sequence[str] = (),
    ) -> None:
        super().__init__()
        if split not in ("folds", "official"):
            raise UserError(f"data.split must be folds or official, got {split!r}")
        if bad_photos not in ("skip", "stop"):
            raise ValueError(f"data.bad_photos must be 'skip' or 'stop', got {bad_photos!r}")
        if type(turn) is not int or not 0 <= turn < FOLDS:
            raise UserError(f"data.turn must be a fold, 0..{FOLDS - 1}, got {turn!r}")
        if not callable(getattr(source, "read", None)):
            raise UserError(
                f"data.source is a {type(source).__name__}, which reads no photos; name a class that does, as the "
                "files in conf/data do"
            )
        self.source = source
        self.turn = turn
        self.prepared = catalog
        self.pool = pool
        self.taxonomy = read_taxonomy(taxonomy)
        self.root = root
        self.split = split
        self.unknown = None if unknown is None else unknown_weight(unknown)
        self.batch_size = batch_size
        self.size = size
        self.fit = fit
        self.augment = augment
        self.bad_photos = bad_photos
        self.max_pixels = max_pixels
        self.follow_links = follow_links
        self.workers = workers
        self.cache = cache
        self.seed = seed
        self.sampler = sampler
        self.rejected: list[tuple[str, str]] = []
        """Photos that cannot be read, and why."""
        self.left_out = Skipped()
        """The same, counted by reason, with what the source itself leaves out; full once ``catalog`` was asked for."""
        self.views: list[Features] = []
        self.detected: Looked | None = None
        """What a detector sees on the photos that validate and test; None: none looks."""
        self.taught: Looked | None = None
        """What teachers say of the photos that train, NaN where none knows a label; None: there is no teacher."""
        self.per_label_unknown_weight: np.ndarray | None = None
        """What an unknown label weighs on every photo whatever its sources say, (labels,), NaN where they count."""
        self.dealt_by: Sequence[int] | None = None
        """Columns of the labels by which photos without a fold are dealt into folds; None: all."""
        self.earlier_folds: Mapping[str, int] | None = None
        """Fold that a photo had for an earlier run, by its content: it keeps it."""
        self.links = np.zeros((0, 2), dtype=np.int64)
        """Photos of a source that look alike, each with the first of them; a prepared catalog has its groups."""

    @cached_property
    def catalog(self) -> Catalog:
        """All photos that can be read, and behind those of the data set those of the pool."""
        if not self.pool:
            return self.labelled
        skipped = Skipped()
        catalog, bad = with_pool(
            self.labelled,
            self.pool,
            skipped,
            max_pixels=self.max_pixels,
            follow_links=self.follow_links,
            workers=self.workers,
            cache=self.cache,
        )
        self.rejected = [*self.rejected, *bad]
        for place, error in bad:
            skipped.add_photo(place, error)
        print(f"pool: {len(catalog) - len(self.labelled):,} photos without labels", flush=True)
        print_left_out(skipped, name="pool")
        return catalog

    @cached_property
    def labelled(self) -> Catalog:
        """The data set's own photos that can be read, with their content hash (``photo_id``), size and states."""
        source, unknown = self.source, self.unknown
        if self.prepared is not None:
            source = from_catalog(source, self.prepared, root=self.root, unknown=unknown)
        catalog = source.read(self.root, self.taxonomy)
        self.left_out = catalog.skipped or Skipped(of=len(catalog))
        # Also of a prepared catalog: a photo may have gone or broken since. What did not change is only asked for.
        table = self._inspected(catalog)
        errors = table["error"]
        good = np.flatnonzero(errors.is_null().to_numpy())
        bad = np.flatnonzero(errors.is_valid().to_numpy())
        self.rejected = [(catalog.place(row), errors[row].as_py()) for row in bad.tolist()]
        for place, error in self.rejected:
            self.left_out.add_photo(place, error)
        if self.rejected and self.bad_photos == "stop":
            first = "; ".join(reason for _, reason in self.rejected[:3])
            raise BadPhotosError(
                f"{len(bad)} of {len(catalog)} photos cannot be read: {first}{' …' if len(bad) > 3 else ''}. "
                "Repair or remove them, or set data.bad_photos=skip"
            )
        if self.rejected and not len(good):
            under = ", ".join(catalog.roots)
            raise BadPhotosError(f"none of the {len(catalog)} photos under {under} can be read: {self.rejected[0][1]}")
        if "photo_id" in catalog.photos.column_names:
            return catalog.take(good) if len(bad) else catalog
        read, readable = table.take(good), catalog.take(good)
        count_turns(map(readable.place, range(len(readable))), self.left_out)
        self.links = alike(read["look"])
        photos = readable.photos.append_column("photo_id", read["sha256"])
        for side in ("width", "height"):
            photos = photos.append_column(side, read[side])
        return replace(readable, photos=photos)

    def _inspected(self, catalog: Catalog) -> pa.Table:
        """Return what the photos are, or what is wrong with them, in their order: schema `inspection.SCHEMA`."""
        roots = catalog.column("root")
        of = np.zeros(len(catalog), dtype=np.int64) if roots is None else roots
        rows = [np.flatnonzero(of == root) for root in range(len(catalog.roots))]
        tables = [
            inspect(
                catalog.photos["path"].take(pa.array(some)),
                root,
                max_pixels=self.max_pixels,
                follow_links=self.follow_links,
                workers=self.workers,
                cache=self.cache,
            )
            for root, some in zip(catalog.roots, rows, strict=True)
            if len(some)
        ]
        if not tables:
            return SCHEMA.empty_table()
        return pa.concat_tables(tables).take(pa.array(np.argsort(np.concatenate(rows), kind="stable")))

    @cached_property
    def _weight_and_kind(self) -> tuple[np.ndarray, np.ndarray]:
        """What an unknown label weighs on each kind of photo, and the kind of every photo."""
        per_photo = self.labelled.unknown if self.unknown is None else np.full(len(self.labelled), self.unknown)
        if per_photo is None:
            raise UserError("data.unknown is null, but this data set does not say what an unknown label counts for")
        if (pool := self.labelled.column("pool")) is not None:
            per_photo = np.where(pool, np.float32(0), per_photo)
        # Of a photo without labels silence says nothing, whatever it says elsewhere.
        per_photo = np.append(per_photo, np.zeros(len(self.catalog) - len(self.labelled), per_photo.dtype))
        weights, kinds = np.unique(per_photo, return_inverse=True)
        return weights, kinds.astype(np.int8)

    @property
    def weights(self) -> tuple[float, ...]:
        """What an unknown label weighs as a negative on each kind of photo; last, of labels that are weighed apart."""
        per_label = (
            []
            if self.per_label_unknown_weight is None
            else np.unique(self.per_label_unknown_weight[~np.isnan(self.per_label_unknown_weight)]).tolist()
        )
        return (*self._weight_and_kind[0].tolist(), *per_label)

    @property
    def kinds(self) -> np.ndarray:
        """Kind of every photo, int8 (photos,): place of its weight in ``weights``."""
        return self._weight_and_kind[1]

    @property
    def kinds_by_label(self) -> Kinds:
        """The same where no label is weighed apart; else the kind of every label on every photo."""
        if self.per_label_unknown_weight is None:
            return self.kinds
        return KindsByLabel(self.kinds, ~np.isnan(self.per_label_unknown_weight), len(self._weight_and_kind[0]))

    def set_unknown_weight(self, columns: Sequence[int], unknown: Unknown) -> None:
        """From now on let what is unknown of some labels weigh the same on every photo, whatever its sources say."""
        if columns:
            self.per_label_unknown_weight = np.full(len(self.taxonomy), np.nan)
            self.per_label_unknown_weight[list(columns)] = unknown_weight(unknown)

    def _unknown_of(self, rows: np.ndarray) -> np.ndarray | UnknownWeights:
        weights, kinds = self._weight_and_kind
        own = weights[kinds[rows]]
        return own if self.per_label_unknown_weight is None else UnknownWeights(own, self.per_label_unknown_weight)

    @cached_property
    def folds(self) -> np.ndarray:
        """Fold of every photo, int8 (photos,); there is at least one to train, one to validate and one to test."""
        states, groups = self.labelled.states, self.labelled.column("group")
        states = states if self.dealt_by is None else states[:, list(self.dealt_by)]
        numbers = None if groups is None else np.unique(groups, return_inverse=True)[1]
        few = len(np.unique(self.links)) < FEW * len(self.labelled)
        if not few:
            numbers = self.groups
        given = self.labelled.column("fold")
        # The seed of the experiment must not move photos between folds: versions are compared on the same test photos.
        how: dict[str, Any] = {"groups": numbers, "existing": self._existing_folds(), "seed": 0}
        if given is not None:
            folds = given
        elif self.split == "folds":
            folds = stratified_folds(states, **how)
        else:
            folds = official_folds(self._published_split(), states, **how)
        if few and given is None and len(self.links):
            folds = self._with_copies(folds, how["existing"])
        # As if fold `turn` were the test fold and the next one that of validation.
        folds = ((folds - self.turn) % FOLDS).astype(np.int8)
        parts = {"train": folds > VALIDATION_FOLD, "validate": folds == VALIDATION_FOLD, "test": folds == TEST_FOLD}
        for part, photos in parts.items():
            if not photos.any():
                raise UserError(
                    f"{len(folds)} photos in {len(folds if groups is None else set(groups))} groups leave none to "
                    f"{part} on: data.split={self.split} deals them, group by group, into ten folds; add photos"
                )
        pool = len(self.catalog) - len(self.labelled)
        return np.append(folds, np.full(pool, VALIDATION_FOLD + 1, dtype=np.int8))

    @cached_property
    def groups(self) -> np.ndarray:
        """The first photo of the group that each of the data set's own is in: its copies, and what its source says."""
        links, groups = self.links, self.labelled.column("group")
        if groups is not None:
            _, first, number = np.unique(groups, return_index=True, return_inverse=True)
            links = np.concatenate([links, np.stack([first[number], np.arange(len(groups))], axis=1)])
        return joined(links, len(self.labelled))

    @cached_property
    def copies(self) -> Copies:
        """How many copies there are, and whether any test or validate while others of them train."""
        parts = np.minimum(self.folds[: len(self.labelled)], VALIDATION_FOLD + 1)
        return count_copies(self.groups, parts, self.catalog.place)

    def _with_copies(self, folds: np.ndarray, existing: np.ndarray | None) -> np.ndarray:
        """Return the folds with copies in that of the first; a published test set stays as it is."""
        dealt = np.ones(len(folds), dtype=bool)
        if self.split == "official":
            dealt = self._published_split() == "train"
        fixed = np.zeros(len(folds), dtype=bool) if existing is None else existing != FREE
        result = folds.astype(np.int8)
        result[dealt] = join_copies(folds[dealt], self.groups[dealt], fixed=fixed[dealt])
        return result

    @property
    def folds_by_content(self) -> tuple[np.ndarray, np.ndarray]:
        """Content hashes of the data set's own photos, cut to sixteen digits, and the folds they have in turn 0."""
        ids = self.labelled.photos["photo_id"].to_numpy().astype("S16")
        return ids, ((self.folds[: len(ids)] + self.turn) % FOLDS).astype(np.int8)

    def _existing_folds(self) -> np.ndarray | None:
        if self.earlier_folds is None:
            return None
        ids = self.labelled.photos["photo_id"].to_pylist()
        existing = np.array([self.earlier_folds.get(id_[:16], FREE) for id_ in ids], dtype=np.int8)
        if (
            self.split == "official"
            and ((existing != FREE) & ((existing == TEST_FOLD) != (self._published_split() == "test"))).any()
        ):
            raise UserError(
                "data.split=official: the earlier run was split otherwise; data.split=folds keeps its folds"
            )
        return existing

    def _published_split(self) -> np.ndarray:
        split = self.labelled.column("split")
        if split is None:
            raise UserError("data.split=official: this data set has no published split; use data.split=folds")
        return split

    @cached_property
    def train_rows(self) -> np.ndarray:
        """Catalog rows that train."""
        return np.flatnonzero((self.folds != TEST_FOLD) & (self.folds != VALIDATION_FOLD))

    @cached_property
    def val_rows(self) -> np.ndarray:
        """Catalog rows that validate: thresholds and settings are chosen on them."""
        return np.flatnonzero(self.folds == VALIDATION_FOLD)

    @cached_property
    def test_rows(self) -> np.ndarray:
        """Catalog rows that are only reported on."""
        return np.flatnonzero(self.folds == TEST_FOLD)

    @cached_property
    def fold_noise(self) -> FoldNoise | None:
        """How many labels of the test fold are wrong, where people have measured it; None of another turn's fold.

        Raises:
            UserError: If what was measured cannot be read.
        """
        folder = self.source.folder if self.prepared is None and isinstance(self.source, Prepared) else self.prepared
        return None if folder is None or self.turn else read_fold_noise(Path(folder).expanduser())

    @cached_property
    def label_counts(self) -> LabelCounts:
        """On how many training photos each label is present and absent, what is unknown counted by its weight."""
        return label_counts(self.catalog.states[self.train_rows], unknown=self._unknown_of(self.train_rows))

    @cached_property
    def label_factors(self) -> np.ndarray:
        """Replication factor of every label on the training photos, float64 (labels,)."""
        rows = self.train_rows
        return self.sampler.label_factors(self.catalog.states[rows], unknown=self._unknown_of(rows))

    @cached_property
    def factors(self) -> np.ndarray:
        """Replication factor of every training photo."""
        return self.sampler.factors(self.catalog.states[self.train_rows], unknown=self._unknown_of(self.train_rows))

    def names(self, rows: np.ndarray) -> list[str]:
        """Return the paths of catalog rows."""
        return [self.catalog.place(row) for row in rows.tolist()]

    def places(self, rows: np.ndarray) -> list[tuple[str, str]]:
        """Return the root of catalog rows and their path below it."""
        return [self.catalog.root_and_path(row) for row in rows.tolist()]

    @cached_property
    def train_states(self) -> np.ndarray:
        """Training photos on which each label is absent, unknown and present, int64 (3, labels)."""
        states = self.catalog.states[self.train_rows]
        absent, present = (
            np.bincount(states.indices[states.data == state], minlength=len(self.taxonomy))
            for state in (ABSENT, PRESENT)
        )
        return np.stack([absent, states.shape[0] - absent - present, present])

    @property
    def train_counts(self) -> np.ndarray:
        """Training photos that carry each label, int64 (labels,)."""
        return self.train_states[PRESENT + 1]

    def plan(self) -> Plan:
        """Return what the sampler would do with the training photos."""
        rows = self.train_rows
        return plan(self.catalog.states[rows], self.sampler, unknown=self._unknown_of(rows))

    def state_counts(self) -> dict[str, float]:
        """Return how many annotations of each state every part used, and what each unknown one weighed."""
        unknown = self._unknown_of(self.train_rows)
        if isinstance(unknown, UnknownWeights):
            unknown = np.where(np.isnan(unknown.labels), unknown.photos.mean(), unknown.labels)
        counts = {"states/unknown_weight": float(unknown.mean())}
        for part, rows in (("train", self.train_rows), ("val", self.val_rows), ("test", self.test_rows)):
            counts |= count_states(part, self.catalog.states[rows])
        return counts

    def truth(self, rows: np.ndarray) -> np.ndarray | None:
        """Return the states without annotation noise, int8 (rows, labels), if the source knows them."""
        return None if self.catalog.truth is None else dense_states(self.catalog.truth, rows)

    def only(self, columns: Sequence[int], *, own_photos: bool = False) -> "PhotoData":
        """Return this data set with some of its labels; folds, transforms and cached features are the same.

        Args:
            columns: Of the labels, in their order.
            own_photos: Train only on photos that carry or deny one of them.

        Raises:
            UserError: If there are no such photos to train on.
        """
        part = copy(self)
        for name, attribute in vars(PhotoData).items():
            if isinstance(attribute, cached_property):
                part.__dict__.pop(name, None)
        part.taxonomy = self.taxonomy.only(columns)
        for name in ("labelled", "catalog"):
            whole: Catalog = getattr(self, name)
            truth = None if whole.truth is None else whole.truth[:, columns]
            own = replace(whole, taxonomy=part.taxonomy, states=whole.states[:, columns], truth=truth)
            setattr(part, name, own)
        states = part.catalog.states
        part.folds = self.folds
        # A detector speaks of all labels.
        part.detected = None
        part.per_label_unknown_weight = (
            None if self.per_label_unknown_weight is None else self.per_label_unknown_weight[list(columns)]
        )
        if (taught := self.taught) is not None:
            part.taught = lambda rows: taught(rows)[:, columns]
        if own_photos:
            part.train_rows = self.train_rows[np.diff(states.indptr)[self.train_rows] > 0]
            if not len(part.train_rows):
                raise UserError(f"no photo to train on carries or denies any of {', '.join(part.taxonomy.ids)}")
        return part

    def prepare(self, normalisation: Normalisation) -> None:
        """Build the transforms for a network that expects such pixels."""
        pixels = {"mean": normalisation.mean, "std": normalisation.std, "interpolation": normalisation.interpolation}
        shared: dict[str, Any] = {"size": self.size, "max_pixels": self.max_pixels, **pixels}
        self.plain = EvalTransform(fit=self.fit, **shared)
        self.augmented = TrainTransform(**asdict(self.augment), **shared)

    def cache_features(self, backbone: nn.Module, views: int, device: torch.device) -> None:
        """Let the backbone see every photo ``views`` times, once plain and then augmented, and keep what it gives."""
        self.views = cached_views(
            backbone,
            self.catalog,
            self.plain,
            [self.augmented] * (views - 1),
            cache=self.cache,
            workers=self.workers,
            device=device,
        )

    @cached_property
    def batches(self) -> int:
        """Batches of a training epoch."""
        return len(self._sampler(rank=0, world_size=1))

    def train_dataloader(self) -> ResumableLoader:
        dataset = self._dataset(self.train_rows, self.augmented, self.views, taught=self.taught)
        sampler = self._sampler(**self._shard())
        return ResumableLoader(dataset, sampler, position=self._position, **self._loading(dataset))

    def _position(self) -> Position:
        assert self.trainer is not None
        # Lightning types the trackers by their base class, which does not count what was processed.
        epochs: Any = self.trainer.fit_loop.epoch_progress
        batches: Any = self.trainer.fit_loop.epoch_loop.batch_progress
        is_within_epoch = epochs.current.started > epochs.current.processed
        return Position(epochs.current.processed, batches.current.processed if is_within_epoch else 0)

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._evaluation(self.val_rows)

    def test_dataloader(self) -> DataLoader[Batch]:
        return self._evaluation(self.test_rows)

    def _evaluation(self, rows: np.ndarray) -> DataLoader[Batch]:
        sampler = EvalSampler(len(rows), batch_size=self.batch_size, **self._shard())
        dataset = self._dataset(rows, self.plain, self.views[:1], detected=self.detected)
        return DataLoader(dataset, batch_sampler=sampler, **self._loading(dataset))

    def _sampler(self, *, rank: int, world_size: int) -> ReplicationSampler:
        return ReplicationSampler(
            self.factors,
            batch_size=self.batch_size,
            seed=self.seed,
            length=self.sampler.length,
            rank=rank,
            world_size=world_size,
        )

    def _dataset(
        self, rows: np.ndarray, transform: Transform, views: list[Features], **looked: Looked | None
    ) -> Dataset[Any]:
        shared: dict[str, Any] = {"seed": self.seed, "kinds": self.kinds_by_label, **looked}
        if views:
            return FeatureDataset(self.catalog, rows, views, **shared)
        return PhotoDataset(self.catalog, rows, transform, **shared)

    def _loading(self, dataset: Dataset[Any]) -> dict[str, Any]:
        """Return the DataLoader's settings: features lie in memory, and workers would only copy them."""
        if isinstance(dataset, FeatureDataset):
            return {"collate_fn": _as_given}
        return {
            "collate_fn": collate,
            "pin_memory": torch.cuda.is_available(),
            "persistent_workers": self.workers > 0,
            **worker_settings(self.workers),
        }

    def _shard(self) -> dict[str, int]:
        if self.trainer is None:
            return {"rank": 0, "world_size": 1}
        return {"rank": self.trainer.global_rank, "world_size": self.trainer.world_size}


def _as_given(batch: Batch) -> Batch:
    return batch
