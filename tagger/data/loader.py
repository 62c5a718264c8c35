"""A DataLoader that goes on in the middle of an epoch."""

from collections.abc import Callable
from typing import Any

from torch.utils.data import DataLoader

from tagger.data.batch import Batch
from tagger.data.sampler import ReplicationSampler


class ResumableLoader(DataLoader[Batch]):
    """Training batches; its state, which Lightning keeps in checkpoints, says how many of the epoch were trained.

    Args:
        sampler: Draws the batches.
        trained: Returns how many batches of this epoch were trained. The sampler cannot know: it is asked for batches
            ahead of training.
        settings: Passed on to PyTorch's DataLoader.
    """

    def __init__(
        self, dataset: Any, sampler: ReplicationSampler, *, trained: Callable[[], int], **settings: Any
    ) -> None:
        super().__init__(dataset, batch_sampler=sampler, **settings)
        self.draws = sampler
        self.trained = trained

    def state_dict(self) -> dict[str, int]:
        """Return the epoch and how many of its batches were trained."""
        return {"epoch": self.draws.epoch, "batches": self.trained()}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Begin the next iteration after the batches that were trained."""
        self.draws.load_state_dict(state)
