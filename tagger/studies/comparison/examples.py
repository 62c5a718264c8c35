"""The photos that show best how a label moved: those whose place in its ranking changed most."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.data.states import PRESENT
from tagger.studies.comparison.runs import Run


@dataclass(frozen=True)
class Example:
    """A test photo and its place in a label's ranking, 1 being the highest score, with either version."""

    row: int
    """Among the test photos."""
    photo: str
    """Path below its root."""
    carries: bool
    """Whether the photo carries the label; else it is absent or unknown."""
    baseline_place: float
    """Mean over seeds."""
    place: float


def telling_photos(
    baseline: Sequence[Run], version: Sequence[Run], *, label: int, is_gain: bool, count: int
) -> tuple[Example, ...]:
    """Return the photos that did most for a gain or a loss of a label.

    A photo that carries the label helps by rising, another by falling; from place 20 to 2 counts as much as from 200 to
    20, because average precision looks at the top.

    Args:
        baseline: Runs of the baseline.
        version: Runs of the version.
        label: Which label.
        is_gain: Whether the label gained.
        count: Most photos to return; only those that moved in the label's direction are.
    """
    if not count:
        return ()
    run = baseline[0]
    before, after = mean_places(baseline, label), mean_places(version, label)
    present = run.states[:, label] == PRESENT
    helped = np.where(present, 1, -1) * np.log(before / after) * (1 if is_gain else -1)
    best = [row for row in np.argsort(-helped, kind="stable")[:count].tolist() if helped[row] > 0]
    return tuple(
        Example(row, str(run.photos[row]), bool(present[row]), float(before[row]), float(after[row])) for row in best
    )


def mean_places(runs: Sequence[Run], label: int) -> NDArray[np.float64]:
    """Return the place of every test photo in the label's ranking, the mean over runs, (photos,)."""
    return np.mean([places(run.scores[:, label]) for run in runs], axis=0)


def places(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the place of every photo, 1 for the highest score; of equal ones the first comes first.

    Example:
        >>> places(np.array([0.2, 0.9, 0.5])).tolist()
        [3, 1, 2]
    """
    return np.argsort(np.argsort(-scores, kind="stable"), kind="stable") + 1
