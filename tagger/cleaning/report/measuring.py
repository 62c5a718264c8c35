"""Measure how many labels of the test fold are wrong, by what people decided about pairs that were drawn at random."""

from collections.abc import Collection
from datetime import datetime

import numpy as np
from scipy.sparse import csr_array

from tagger.cleaning.queue.asked import Subject
from tagger.cleaning.queue.sampling import parts_of_fold
from tagger.cleaning.report.accuracy import Stratum, noise_left
from tagger.cleaning.verdicts.decisions import Decisions
from tagger.data.catalog.fold_noise import FoldNoise, Part
from tagger.data.states import PRESENT
from tagger.data.taxonomy import Taxonomy

ENOUGH = 400
"""Pairs that suffice: of the 200 of a part none wrong gives a bound of 1.8 %, and three of 4.3 %."""

CONFIDENCE = 0.95


def measure_fold_noise(
    verdicts: Decisions,
    drawn: Collection[Subject],
    *,
    states: csr_array,
    rows: np.ndarray,
    fold: np.ndarray,
    unknown: np.ndarray,
    taxonomy: Taxonomy,
    data_fingerprint: str,
    judges: Collection[str] = (),
    enough: int = ENOUGH,
) -> FoldNoise | None:
    """Return how many labels of the test fold are wrong, or None if nobody has decided a pair that was drawn.

    What people have decided counts as right. Of the others the share is that of the pairs drawn, mistakes of those who
    looked at them included: it is rather too large. What was drawn before the last ``enough`` ones is left out: the
    fold was dirtier then.

    Args:
        verdicts: The verdicts of people.
        drawn: Pairs that were drawn from the fold at random.
        states: What holds now, int8 (photos, labels), of photos that training sees.
        rows: Their rows in the table ``photos``.
        fold: Rows of ``states`` that test.
        unknown: What an unknown label of each of these weighs as a negative, (fold,).
        taxonomy: The labels.
        data_fingerprint: Of the data set as it is now.
        judges: Annotators whose word says whether a pair that was drawn is wrong, where they have spoken.
        enough: Pairs.
    """
    place = {int(row): number for number, row in enumerate(rows[fold])}
    looked_at = [one for one in verdicts.made if (one.photo, one.label) in drawn and one.photo in place]
    if not looked_at:
        return None
    looked_at = sorted(looked_at, key=lambda one: -one.batch)[:enough]
    decided = [one for one in verdicts.made if one.photo in place]
    pairs = np.array([(fold[place[one.photo]], taxonomy.column[one.label]) for one in decided]).T
    closed = csr_array((np.ones(len(decided), dtype=np.int8), (pairs[0], pairs[1])), shape=states.shape)
    undecided = parts_of_fold(states, fold, unknown=unknown, closed=closed)
    present, absent = (
        _part(
            "present" if is_present else "absent",
            undecided=int(left.sum()),
            decided=sum((one.value == PRESENT) == is_present for one in decided),
            are_wrong=[
                (one.by(judges) == PRESENT) != is_present for one in looked_at if (one.before == PRESENT) == is_present
            ],
        )
        for is_present, left in zip((True, False), undecided, strict=True)
    )
    total = present.size + absent.size
    known = present.share is not None and absent.share is not None
    return FoldNoise(
        share=((present.share or 0) * present.size + (absent.share or 0) * absent.size) / total if known else None,
        high=(present.high * present.size + absent.high * absent.size) / total,
        present=present,
        absent=absent,
        unsure=sum(photo in place for photo, _ in verdicts.open & set(drawn)),
        when=f"{datetime.now().astimezone():%Y-%m-%dT%H:%M:%S%z}",
        data_fingerprint=data_fingerprint,
    )


def _part(name: str, *, undecided: int, decided: int, are_wrong: list[bool]) -> Part:
    looked_at, wrong = len(are_wrong), sum(are_wrong)
    # Drawn from what was undecided then: from what still is, and from what was drawn.
    stratum = Stratum(name, undecided + looked_at, looked_at, wrong)
    # Two parts whose bounds are to hold together (Bonferroni).
    noise = noise_left([stratum], confidence=1 - (1 - CONFIDENCE) / 2)
    size = undecided + decided
    left = undecided / size if size else 0.0
    is_known = looked_at > 0 or not undecided
    return Part(
        size=size,
        decided=decided,
        looked_at=looked_at,
        wrong=wrong,
        share=left * wrong / max(looked_at, 1) if is_known else None,
        high=left * noise.high if undecided else 0.0,
    )
