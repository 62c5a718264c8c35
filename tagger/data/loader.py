"""A DataLoader that goes on in the middle of an epoch."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from torch.utils.data import DataLoader

from tagger.data.batch import Batch
from tagger.data.sampler import ReplicationSampler
from tagger.errors import UserError


class Position(NamedTuple):
    """How far a training is."""

    epoch: int
    batches: int
    """Of this epoch that were trained."""


class PositionError(UserError):
    """The trainer and its checkpoint disagree about how far the training is; the message says both."""


class ResumableLoader(DataLoader[Batch]):
    """Training batches from where the training is: after a resume, those that follow the last one that was trained.

    There is one count of what was trained, the trainer's: its checkpoints hold it. Neither the sampler nor the worker
    processes, which draw batches ahead of training, count for themselves.

    Args:
        sampler: Draws the batches.
        position: Returns how far the training is.
        settings: Passed on to PyTorch's DataLoader.
    """

    def __init__(
        self, dataset: Any, sampler: ReplicationSampler, *, position: Callable[[], Position], **settings: Any
    ) -> None:
        super().__init__(dataset, batch_sampler=sampler, **settings)
        self.draws = sampler
        self.position = position
        self._kept: Position | None = None

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        # A generator: Lightning makes an iterator before it knows the epoch, and workers would begin to draw at once.
        position, kept, announced = self.position(), self._kept, self.draws.epoch
        self._kept = None
        if (kept or position) != position or announced != position.epoch:
            raise PositionError(
                f"training would go on with epoch {position.epoch} after {position.batches} batches, but epoch "
                f"{announced} was announced and the checkpoint was kept at {kept}; leave resume out to start anew"
            )
        self.draws.begin_at(*position)
        yield from super().__iter__()

    def state_dict(self) -> dict[str, int]:
        """Return how far the training is. Lightning keeps it, and calls loaders resumable that do so."""
        return self.position()._asdict()

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Remember how far the training was: the next iteration must begin there."""
        self._kept = Position(**state)
