"""What a DataLoader hands to the model."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Batch(NamedTuple):
    """Some photos and what is known about their labels."""

    inputs: Tensor
    """Images float32 (batch, 3, height, width), or what the backbone gave, cached: features float32
    (batch, features), or (batch, places, features)."""
    states: Tensor
    """int8 (batch, labels): PRESENT, ABSENT or UNKNOWN."""
    rows: Tensor
    """int64 (batch,): the photos' rows in the catalog."""
    bad: tuple[tuple[str, str], ...] = ()
    """(path, reason) of photos that could not be read and are not in the batch."""
    kinds: Tensor | None = None
    """int64 (batch,): kind of each photo, by what its sources' silence about a label means; None: all of kind 0. Where
    that depends on the label as well, (batch, labels)."""
    detected: Tensor | None = None
    """float32 (batch, labels): highest detection score of each label, 0 where there is none; None: nobody looked."""
    taught: Tensor | None = None
    """float32 (batch, labels): teachers' score of each label, NaN where none knows it; None: there is no teacher."""


class Example(NamedTuple):
    """One photo of a batch; without an image if it could not be read."""

    input: Tensor | None
    states: Tensor
    row: int
    error: tuple[str, str] | None = None
    kind: int | np.ndarray = 0
    detected: Tensor | None = None
    taught: Tensor | None = None


def collate(examples: list[Example]) -> Batch:
    """Stack what could be read; what could not is named in ``bad``.

    Raises:
        RuntimeError: If none of the photos could be read: then it is not the photos but the disk.

    Example:
        >>> example = Example(torch.zeros(3, 8, 8), torch.tensor([1, 0], dtype=torch.int8), row=7)
        >>> collate([example, example]).inputs.shape
        torch.Size([2, 3, 8, 8])
    """
    good = [example for example in examples if example.input is not None]
    bad = tuple(example.error for example in examples if example.error is not None)
    if not good:
        raise RuntimeError(f"none of the {len(examples)} photos of a batch can be read; the first: {bad[0]}")
    detected = [example.detected for example in good if example.detected is not None]
    taught = [example.taught for example in good if example.taught is not None]
    return Batch(
        torch.stack([example.input for example in good if example.input is not None]),
        torch.stack([example.states for example in good]),
        torch.tensor([example.row for example in good]),
        bad,
        torch.from_numpy(np.array([example.kind for example in good], dtype=np.int64)),
        torch.stack(detected) if detected else None,
        torch.stack(taught) if taught else None,
    )
