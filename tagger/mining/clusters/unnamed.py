"""Which photos of a pool a tagger gives no tag that one could rely on."""

from collections.abc import Callable, Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagger.data.skipped import Skipped
from tagger.mining.opened import Mining
from tagger.mining.pool import Pool
from tagger.mining.search import BLOCK
from tagger.tags.runtime import Tagger
from tagger.tags.tagging.kept_scores import as_scores, kept_logits

CONFIDENT = {"certified": ("certified",), "met": ("certified", "met"), "any": None}
"""What counts as a confident tag, by what the contract says of its label's threshold; None: every tag."""


class Scored:
    """What a bundle says of the photos of a pool."""

    def __init__(self, mining: Mining, pool: Pool, skipped: Skipped) -> None:
        config, self.keys = mining.config, pool.keys
        tagger = Tagger.load(config.bundle)
        ids = pa.array([pool.id(photo) for photo in range(len(pool))])
        self.kept = kept_logits(tagger, ids, pool.place, cache=mining.cache, workers=config.workers, skipped=skipped)
        self.labels = tuple(label.id for label in tagger.labels)
        blocks = (np.arange(at, min(at + BLOCK, len(pool))) for at in range(0, len(pool), BLOCK))
        parts = [photos[self._is_unnamed(photos, tagger, CONFIDENT[config.confident])] for photos in blocks]
        self.unnamed = np.concatenate([np.empty(0, dtype=np.int64), *parts])
        """Photos without a confident tag, by their place in the pool; those that cannot be read are not among them."""

    def _is_unnamed(self, photos: np.ndarray, tagger: Tagger, verdicts: Collection[str] | None) -> np.ndarray:
        scores = as_scores(self.kept.of(photos))
        return is_unnamed(scores, tagger, verdicts) & ~np.isnan(scores[:, 0])

    def of(self, pool: Pool) -> Callable[[slice], np.ndarray]:
        """Return what gives the scores of some of the photos, (photos, labels)."""
        places = pc.index_in(pool.keys, self.keys).to_numpy()
        return lambda some: as_scores(self.kept.of(places[some]))


def is_unnamed(scores: np.ndarray, tagger: Tagger, verdicts: Collection[str] | None) -> np.ndarray:
    """Return which photos get no confident tag, bool (photos,).

    A tag that other labels are kinds of, such as ``scene``, names nothing and does not count.

    Args:
        scores: What the tagger gives them, (photos, labels).
        tagger: With thresholds, and what is promised of each label.
        verdicts: Of labels whose tags count as confident, such as ``certified``; None: all.
    """
    groups = {group for label in tagger.labels for group in label.groups}
    counts = [label.id not in groups and (verdicts is None or label.verdict in verdicts) for label in tagger.labels]
    return np.asarray(~(tagger.given(scores) & counts).any(axis=1))
