"""Embeddings: what a backbone gives of the plain photo, once per photo and backbone, by the photo's content.

Training on cached features, the search for similar photos and clusters share them: a photo that any of them has seen is
not decoded again, whatever it is called and wherever it lies now.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
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

from tagger.data.changed import Changed
from tagger.data.embedding_store import NOWHERE, EmbeddingStore, photo_keys
from tagger.data.photo import BadPhoto, decoder, read_photo
from tagger.data.room import make_room
from tagger.data.skipped import Skipped
from tagger.data.transforms import EvalTransform, Transform, seeded
from tagger.data.workers import worker_settings

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

    It is kept under the hash of the bytes that were decoded, whatever the photo was thought to be: a file that was
    edited meanwhile must not speak for what it was. Of such a file the embedding is that of what it is now.

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
    store = EmbeddingStore(cache / "embeddings" / kind(backbone, transform))
    keys, tried, changed = photo_keys(ids), np.empty(0, dtype=np.int64), Changed()
    # Once, unless of two files that had one content the first has changed or cannot be read: then the second is asked.
    while len(missing := _once(keys, np.setdiff1d(np.flatnonzero(store.read().rows(keys) == NOWHERE), tried))):
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
                    found = _computed(backbone, PhotoPixels(place, transform, new), workers, device, skipped)
                    if len(found.computed):
                        if not at:
                            make_room((len(missing), *found.features.shape[1:]), views, store.folder)
                        keys, before = _keep(store, keys, new[found.computed], found), keys
                        photos = new[found.computed]
                        noted, read = (of.take(pa.array(photos)).to_pylist() for of in (before, keys))
                        changed.found(noted, read, places=[place(photo) for photo in photos.tolist()])
                bar.advance(task, len(some))
        tried = np.union1d(tried, missing)
    changed.tell()
    kept = store.read()
    return Embeddings(kept.features, kept.rows(keys))


def _keep(store: EmbeddingStore, keys: pa.Array, photos: np.ndarray, found: "_Computed") -> pa.Array:
    """Keep what was computed of these photos; return the keys of all photos, with those of what was read."""
    now = photo_keys(found.hashes)
    fresh = _once(now, np.flatnonzero(store.read().rows(now) == NOWHERE))
    store.append(now.take(pa.array(fresh)), found.features[fresh])
    order = np.arange(len(keys))
    order[photos] = len(keys) + np.arange(len(now))
    return pa.concat_arrays([keys, now]).take(pa.array(order))


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


@dataclass(frozen=True, eq=False)
class Pixels:
    """One photo as the network sees it."""

    image: Tensor
    """float32 (3, height, width)."""
    sha256: str
    """Of the bytes that were decoded, 64 hex digits."""


class PhotoPixels(Dataset[Pixels | BadPhoto]):
    """Photos as pixels, or what is wrong with them."""

    def __init__(
        self,
        place: Callable[[int], str],
        transform: Transform,
        photos: np.ndarray,
        *,
        seed: Callable[[int], int] | None = None,
    ) -> None:
        self.place, self.transform, self.photos, self.seed = place, transform, photos, seed

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, number: int) -> Pixels | BadPhoto:
        photo = int(self.photos[number])
        try:
            file = read_photo(self.place(photo))
            with nullcontext() if self.seed is None else seeded(self.seed(photo)):
                return Pixels(self.transform(file), file.sha256)
        except BadPhoto as error:
            return BadPhoto(str(error))


@dataclass(frozen=True, eq=False)
class _Computed:
    """What a backbone gives of the photos that could be read."""

    computed: np.ndarray
    """Their places among those that were asked for, int64 (photos,)."""
    hashes: list[str]
    """sha256 of the bytes that were decoded, (photos,)."""
    features: np.ndarray
    """float16 (photos, …)."""


@torch.inference_mode()
def _computed(
    backbone: nn.Module, photos: PhotoPixels, workers: int, device: torch.device, skipped: Skipped | None
) -> _Computed:
    """Let the backbone see the photos."""
    computed: list[int] = []
    hashes: list[str] = []
    parts: list[np.ndarray] = []
    settings = worker_settings(workers if len(photos) > BATCH else 0)
    loader = DataLoader(photos, batch_size=BATCH, collate_fn=list, **settings)
    for number, batch in enumerate(loader):
        good = []
        for at, pixels in enumerate(batch, start=number * BATCH):
            if isinstance(pixels, BadPhoto):
                _leave_out(photos.place(int(photos.photos[at])), str(pixels), skipped)
            else:
                good.append(pixels.image)
                hashes.append(pixels.sha256)
                computed.append(at)
        if good:
            images = torch.stack(good).to(device, memory_format=torch.channels_last)
            parts.append(backbone(images).cpu().numpy().astype(np.float16))
    features = np.concatenate(parts) if parts else np.empty((0, 0), np.float16)
    return _Computed(np.array(computed, dtype=np.int64), hashes, features)


def _leave_out(place: str, reason: str, skipped: Skipped | None) -> None:
    if skipped is None:
        raise BadPhoto(f"{reason}; it was readable a moment ago: run again to have it left out")
    skipped.add_photo(place, reason)


def _once(keys: pa.Array, photos: np.ndarray) -> np.ndarray:
    """Return these photos without those that are another one of them."""
    some = keys.take(pa.array(photos)).dictionary_encode().indices.to_numpy()
    return photos[np.sort(np.unique(some, return_index=True)[1])]
