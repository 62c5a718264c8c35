"""Cached features: the frozen backbone sees every photo once per view, and the head trains on what it gave.

The first view is of the plain photo: its embedding, which others share (see :mod:`tagger.data.embeddings`). How a photo
is varied in the others depends on its row, so they are kept for these photos in this order: for the bytes that were
decoded, which of a file that was edited meanwhile are others than the catalog knows.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from rich.progress import track
from torch import nn
from torch.utils.data import DataLoader

from tagger.atomic import written_whole
from tagger.data.catalog import Catalog
from tagger.data.changed import Changed
from tagger.data.dataset import draw_seed
from tagger.data.embeddings import BATCH, Features, PhotoPixels, digest_backbone, embedded
from tagger.data.photo import BadPhoto, decoder
from tagger.data.room import make_room
from tagger.data.transforms import EvalTransform, Transform
from tagger.data.workers import worker_settings

VIEW_SEED = 0
"""Of the augmented views. Fixed: runs that differ in their seed share the cache."""


def cached_views(
    backbone: nn.Module,
    catalog: Catalog,
    plain: EvalTransform,
    augmented: Sequence[Transform] = (),
    *,
    cache: Path,
    workers: int,
    device: torch.device,
) -> list[Features]:
    """Return what the backbone gives of all photos, float16 (photos, …) per view, mapped from disk: plain, augmented.

    What is not there yet for this backbone, these photos (by content) and this transform is computed. An augmented view
    is written beside and renamed, so a killed process leaves no half array.

    Args:
        backbone: Pixels to features.
        catalog: The photos, with their ``photo_id``.
        plain: Of the first view.
        augmented: Of the views after it.
        cache: Folder for what can be computed again.
        workers: Processes that decode.
        device: Where the backbone computes.

    Raises:
        BadPhoto: If a photo cannot be read.
        UserError: If the disk has no room for them.
    """
    shared: dict[str, Any] = {"workers": workers, "device": device}
    views = 1 + len(augmented)
    ids = catalog.photos["photo_id"]
    first = embedded(backbone, ids, catalog.place, plain, cache=cache, views=views, **shared)
    folder = cache / "features"
    folder.mkdir(parents=True, exist_ok=True)
    others = [
        _view(backbone, catalog, transform, number, folder=folder, left=views - number, **shared)
        for number, transform in enumerate(augmented, start=1)
    ]
    return [first, *others]


def _view(
    backbone: nn.Module,
    catalog: Catalog,
    transform: Transform,
    number: int,
    *,
    folder: Path,
    workers: int,
    device: torch.device,
    left: int,
) -> np.ndarray:
    recipe = json.dumps([type(transform).__name__, transform.recipe(), number])
    of_recipe = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    ids = catalog.photos["photo_id"].to_pylist()

    def path_of(ids: Sequence[str]) -> Path:
        return folder / f"{_digest(backbone, ids)}-{of_recipe}.npy"

    path = path_of(ids)
    with FileLock(path.with_suffix(".lock")):
        if _kept(path) is None:
            hashes, unnamed = list[str](), folder / f".{path.name}.whole"
            with written_whole(unnamed) as file:
                photos = _photos(catalog, transform, number)
                parts = _computed(backbone, photos, f"features, view {number + 1}", workers, device, hashes=hashes)
                for part in _array(folder, len(catalog), left, parts):
                    file.write(part)
            # Only now it is known of what it is.
            changed = Changed()
            read = [hash_[: len(noted)] for hash_, noted in zip(hashes, ids, strict=True)]
            path = path_of(changed.found(ids, read, places=[catalog.place(row) for row in range(len(ids))]))
            unnamed.replace(path)
            changed.tell()
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _kept(path: Path) -> np.ndarray | None:
    """Return the array, or None if it is not there or was cut since: it can be computed again."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None


def _photos(catalog: Catalog, transform: Transform, number: int) -> PhotoPixels:
    """Return all photos, each varied in its own way in this view."""
    rows = len(catalog)

    def seed(row: int) -> int:
        return draw_seed(VIEW_SEED, number * rows + row)

    return PhotoPixels(catalog.place, transform, np.arange(rows), seed=seed)


@torch.inference_mode()
def _computed(
    backbone: nn.Module, photos: PhotoPixels, what: str, workers: int, device: torch.device, *, hashes: list[str]
) -> Iterator[np.ndarray]:
    """Yield what the backbone gives of photos, in their order: all of it at once may not fit into memory.

    The sha256 of the bytes that were decoded goes to ``hashes``.
    """
    # Channels-last: 1.7 times the photos per second of the default layout for EfficientNet-Lite0 on two CPU cores.
    backbone = backbone.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    loader = DataLoader(photos, batch_size=BATCH, collate_fn=list, **worker_settings(workers))
    for batch in track(loader, description=what, total=len(loader)):
        for pixels in batch:
            if isinstance(pixels, BadPhoto):
                raise BadPhoto(f"{pixels}; it was readable a moment ago: run again to have it left out")
            hashes.append(pixels.sha256)
        images = torch.stack([pixels.image for pixels in batch])
        yield backbone(images.to(device, memory_format=torch.channels_last)).cpu().numpy()


def _array(folder: Path, photos: int, left: int, parts: Iterator[np.ndarray]) -> Iterator[bytes]:
    """Yield a file of NumPy's: its header, then the parts of a float16 array (photos, …) as they come."""
    first = next(parts)
    shape = (photos, *first.shape[1:])
    make_room(shape, left, folder)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f2", "fortran_order": False, "shape": shape})
    yield header.getvalue()
    for part in chain([first], parts):
        yield part.astype("<f2", order="C").tobytes()


def _digest(backbone: nn.Module, ids: Sequence[str]) -> str:
    """Return sixteen hex digits of the backbone's weights, the photos' contents in order, and what decodes them."""
    digest = hashlib.sha256(decoder().encode())
    digest_backbone(digest, backbone)
    for photo_id in ids:
        digest.update(photo_id.encode())
    return digest.hexdigest()[:16]
