"""Embeddings: what a backbone gives of the plain photo, once per photo and backbone, by the photo's content.

Training on cached features, the search for similar photos and clusters share them: a photo that any of them has seen is
not decoded again, whatever it is called and wherever it lies now.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from filelock import FileLock
from rich.progress import Progress
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from tagger.data.embedding_store import NOWHERE, EmbeddingStore, photo_keys
from tagger.data.photo import BadPhoto, decoder
from tagger.data.room import make_room
from tagger.data.skipped import Skipped
from tagger.data.transforms import EvalTransform

CHUNK = 1024
"""Photos that are computed between two writes: a killed process loses no more, and others wait no longer."""

BATCH = 32
"""Photos that the backbone sees at a time."""


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Embeddings of some photos in their order: rows of a store, read from disk when they are asked for.

    To be used as the array that it stands for: ``embeddings[rows]`` is float16 (rows, …).
    """

    kept: np.ndarray
    """All of the store, (kept, …)."""
    rows: np.ndarray
    """Row of each photo in it, int64 (photos,); ``NOWHERE`` if it could not be read: such a photo must not be asked
    for."""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, photos: Any) -> np.ndarray:
        return np.asarray(self.kept[self.rows[photos]])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.rows), *self.kept.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.kept.dtype

    @property
    def is_there(self) -> np.ndarray:
        """Which photos could be read, bool (photos,)."""
        return np.asarray(self.rows != NOWHERE)

    def take(self, photos: np.ndarray) -> "Embeddings":
        """Return those of these photos, in this order."""
        return Embeddings(self.kept, self.rows[photos])


Features = np.ndarray | Embeddings
"""What a backbone gives of some photos, (photos, …)."""


def embedded(
    backbone: nn.Module,
    ids: Sequence[str] | pa.Array | pa.ChunkedArray,
    place: Callable[[int], str],
    transform: EvalTransform,
    *,
    cache: Path,
    workers: int,
    device: torch.device,
    skipped: Skipped | None = None,
    views: int = 1,
) -> Embeddings:
    """Return what the backbone gives of photos; those that it has never seen are decoded.

    Args:
        backbone: Pixels to features, (batch, 3, height, width) → (batch, …).
        ids: Of each photo the hex digits of the sha256 of its file, all 64 or the first 32.
        place: Path or URL of a photo, by its place among ``ids``.
        transform: From a photo to pixels.
        cache: Folder for what can be computed again; embeddings lie in ``embeddings``.
        workers: Processes that decode; 0: this one does.
        device: Where the backbone computes.
        skipped: Counts photos that cannot be read; None: there must be none.
        views: Arrays of this size that are to be kept in all, which the disk is asked for before the first.

    Raises:
        BadPhoto: If a photo cannot be read and ``skipped`` is None; what was computed before is kept.
        UserError: If the disk has no room.
    """
    store, keys = EmbeddingStore(cache / "embeddings" / kind(backbone, transform)), photo_keys(ids)
    missing = _once(keys, np.flatnonzero(store.read().rows(keys) == NOWHERE))
    if len(missing):
        store.folder.mkdir(parents=True, exist_ok=True)
        # Channels-last: 1.7 times the photos per second of the default layout for EfficientNet-Lite0 on two CPU cores.
        backbone = backbone.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        with Progress(transient=True, disable=len(missing) < BATCH) as bar:
            task = bar.add_task("embeddings", total=len(missing))
            for at in range(0, len(missing), CHUNK):
                some = missing[at : at + CHUNK]
                with FileLock(store.folder / ".lock"):
                    # Another process may have seen them while this one waited.
                    new = some[store.read().rows(keys.take(pa.array(some))) == NOWHERE]
                    seen, features = _computed(backbone, _Photos(place, transform, new), workers, device, skipped)
                    if len(seen):
                        if not at:
                            make_room((len(missing), *features.shape[1:]), views, store.folder)
                        store.append(keys.take(pa.array(new[seen])), features)
                bar.advance(task, len(some))
    kept = store.read()
    return Embeddings(kept.features, kept.rows(keys))


def kind(backbone: nn.Module, transform: EvalTransform) -> str:
    """Return what decides an embedding beside the photo, in 16 hex digits: weights, transform and decoder."""
    digest = hashlib.sha256(decoder().encode())
    digest.update(json.dumps([type(transform).__name__, transform.recipe()]).encode())
    digest_backbone(digest, backbone)
    return digest.hexdigest()[:16]


def digest_backbone(digest: Any, backbone: nn.Module) -> None:
    """Add all of a backbone that decides what it gives."""
    # What is not among the weights: how many places a side.
    digest.update(str(getattr(backbone, "grid", "")).encode())
    for name, tensor in backbone.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())


class _Photos(Dataset[Tensor | BadPhoto]):
    """Photos as pixels, or what is wrong with them."""

    def __init__(self, place: Callable[[int], str], transform: EvalTransform, photos: np.ndarray) -> None:
        self.place, self.transform, self.photos = place, transform, photos

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, number: int) -> Tensor | BadPhoto:
        try:
            return self.transform(self.place(int(self.photos[number])))
        except BadPhoto as error:
            return BadPhoto(str(error))


@torch.inference_mode()
def _computed(
    backbone: nn.Module, photos: _Photos, workers: int, device: torch.device, skipped: Skipped | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the photos could be read, int64, and what the backbone gives of them, float16."""
    seen: list[int] = []
    parts: list[np.ndarray] = []
    loader = DataLoader(photos, batch_size=BATCH, num_workers=workers if len(photos) > BATCH else 0, collate_fn=list)
    for number, batch in enumerate(loader):
        good = []
        for at, pixels in enumerate(batch, start=number * BATCH):
            if isinstance(pixels, BadPhoto):
                _leave_out(photos.place(int(photos.photos[at])), str(pixels), skipped)
            else:
                good.append(pixels)
                seen.append(at)
        if good:
            images = torch.stack(good).to(device, memory_format=torch.channels_last)
            parts.append(backbone(images).cpu().numpy().astype(np.float16))
    return np.array(seen, dtype=np.int64), np.concatenate(parts) if parts else np.empty((0, 0), np.float16)


def _leave_out(place: str, reason: str, skipped: Skipped | None) -> None:
    if skipped is None:
        raise BadPhoto(f"{reason}; it was readable a moment ago: run again to have it left out")
    skipped.add(reason.removeprefix(f"{place}: "), place)


def _once(keys: pa.Array, photos: np.ndarray) -> np.ndarray:
    """Return these photos without those that are another one of them."""
    some = keys.take(pa.array(photos)).dictionary_encode().indices.to_numpy()
    return photos[np.sort(np.unique(some, return_index=True)[1])]
