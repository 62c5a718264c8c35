"""Which photos make up each batch: drawn by their factors to train, each exactly once to evaluate.

Both yield whole batches for one process of several, as lists of (photo, draw). Draws are numbered through the whole
training, so augmentation seeded by their number does not depend on workers, processes or a resume.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import Sampler

from tagger.data.replication import Length

Draw = tuple[int, int]
"""(row of the photo, number of the draw)."""


class ReplicationSampler(Sampler[list[Draw]]):
    """Batches in which a photo turns up in proportion to its factor. Pass it as ``batch_sampler``.

    An epoch has a fixed number of draws, in whole batches. A photo that should be drawn e times is drawn floor(e) or
    ceil(e) times: the draws are evenly spaced points on the cumulated factors. The order is random and a function of
    seed and epoch alone; no global random state is read or changed. All processes draw the same epoch and take every
    ``world_size``-th element of each batch, so together they train the batches that one process would.

    What an iteration draws is fixed when it begins, by the last call of `begin_at` or `set_epoch`.

    Args:
        factors: How often each photo is drawn relative to the others, above 0, (photos,).
        batch_size: Photos of a batch of all processes together. With fewer photos, the batch is all of them.
        seed: Of the random order.
        length: Draws of an epoch: as many as there are ``photos``, or ``replicated``, the sum of the factors; rounded
            down to whole batches, at least one.
        rank: Number of this process.
        world_size: Number of processes.

    Raises:
        ValueError: If the batch cannot be divided among the processes.

    Example:
        >>> sampler = ReplicationSampler(np.array([1.0, 3.0]), batch_size=2, seed=0, length="replicated")
        >>> len(sampler), sorted(photo for batch in sampler for photo, draw in batch)
        (2, [0, 1, 1, 1])
    """

    def __init__(
        self,
        factors: np.ndarray,
        *,
        batch_size: int,
        seed: int,
        length: Length = "photos",
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        _check_processes(batch_size, rank, world_size)
        if len(factors) < world_size:
            raise ValueError(f"{len(factors)} photos cannot be divided among {world_size} processes")
        self.factors = torch.from_numpy(np.asarray(factors, dtype=np.float64))
        self.batch_size = min(batch_size, len(factors) // world_size * world_size)
        self.batches = max(1, int(len(factors) if length == "photos" else self.factors.sum()) // self.batch_size)
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.start = 0

    def __len__(self) -> int:
        """Batches of a whole epoch, also before a resumed one: progress bars and schedules count whole ones."""
        return self.batches

    def __iter__(self) -> Iterator[list[Draw]]:
        return self._from(self.epoch, self.start)

    def _from(self, epoch: int, start: int) -> Iterator[list[Draw]]:
        photos = self.draws(epoch).view(self.batches, self.batch_size)
        numbers = torch.arange(photos.numel()).view_as(photos) + epoch * photos.numel()
        mine = slice(self.rank, None, self.world_size)
        for batch in range(start, self.batches):
            yield list(zip(photos[batch, mine].tolist(), numbers[batch, mine].tolist(), strict=True))

    def draws(self, epoch: int) -> torch.Tensor:
        """Return the photos that all processes together draw in an epoch, in order, int64 (draws,)."""
        length = self.batches * self.batch_size
        rng = torch.Generator().manual_seed(self.seed + epoch)
        order = torch.randperm(len(self.factors), generator=rng)
        ends = self.factors[order].cumsum(0)
        offset = torch.rand((), generator=rng, dtype=torch.float64)
        points = (torch.arange(length) + offset) * (ends[-1] / length)
        # The last point may be rounded up to the very end.
        drawn = torch.searchsorted(ends, points, right=True).clamp(max=len(order) - 1)
        return order[drawn][torch.randperm(length, generator=rng)]

    @property
    def sampler(self) -> "ReplicationSampler":
        """Itself: Lightning calls ``set_epoch`` on what a batch sampler has under this name, as PyTorch's own do."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Let iterations be those of ``epoch``; of another one, from its beginning."""
        if epoch != self.epoch:
            self.begin_at(epoch, 0)

    def begin_at(self, epoch: int, batch: int) -> None:
        """Let iterations be those of ``epoch``, without the batches before ``batch``."""
        self.epoch, self.start = epoch, batch


class EvalSampler(Sampler[list[Draw]]):
    """Batches in which every photo turns up exactly once over all processes, in order and without padding.

    Batches differ by at most one photo in size, and all processes have equally many of them as long as they hold two
    or more photos each. The draw is always 0: nothing is augmented.

    Args:
        photos: Number of photos.
        batch_size: Most photos in a batch of all processes together.
        rank: Number of this process.
        world_size: Number of processes.

    Raises:
        ValueError: If the batch cannot be divided among the processes.

    Example:
        >>> list(EvalSampler(5, batch_size=4, rank=0, world_size=2))
        [[(0, 0), (2, 0)], [(4, 0)]]
    """

    def __init__(self, photos: int, *, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        _check_processes(batch_size, rank, world_size)
        mine = shard(photos, rank=rank, world_size=world_size)
        most = -(-photos // world_size)
        batches = min(-(-most // (batch_size // world_size)), len(mine))
        self.batches = np.array_split(mine, batches) if batches else []

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Draw]]:
        for batch in self.batches:
            yield [(photo, 0) for photo in batch.tolist()]


def shard(photos: int, *, rank: int, world_size: int) -> np.ndarray:
    """Return the rows of the photos that one process of several evaluates, int64, ascending.

    Example:
        >>> shard(5, rank=1, world_size=2)
        array([1, 3])
    """
    return np.arange(rank, photos, world_size)


def _check_processes(batch_size: int, rank: int, world_size: int) -> None:
    if not 0 <= rank < world_size:
        raise ValueError(f"rank must lie in 0..{world_size - 1}, got {rank}")
    if batch_size < 1 or batch_size % world_size:
        raise ValueError(f"batch_size {batch_size} cannot be divided among {world_size} processes")
