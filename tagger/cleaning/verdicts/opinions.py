"""Predictions of other models that an export brings along: rows of origin model, which never count as truth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagger.cleaning.verdicts.answers import Opinion, Problem
from tagger.cleaning.verdicts.known import Known
from tagger.data.catalog.store import TABLES, CatalogStore
from tagger.data.states import ABSENT, PRESENT

VALUES = {"present": PRESENT, "absent": ABSENT}


@dataclass(frozen=True)
class CheckedOpinion:
    """An opinion that fits the catalog and its tasks."""

    photo: int
    label: str
    value: int
    model: str
    score: float | None


def new_opinions(
    opinions: Iterable[Opinion], known: Known, store: CatalogStore
) -> tuple[list[CheckedOpinion], list[Problem]]:
    """Return new predictions, of each model the last about a photo and label, and the rows that fit nothing.

    What was undone is not repeated.
    """
    latest: dict[tuple[int, str, str], CheckedOpinion] = {}
    problems = []
    for opinion in opinions:
        subject = known.subject(opinion)
        if isinstance(subject, str):
            problems.append(Problem(opinion.place, subject))
        elif opinion.model in store.manifest.sources:
            reason = f"a model called {opinion.model!r:.60} would be taken for the source of that name: rename it"
            problems.append(Problem(opinion.place, reason))
        else:
            # As the catalog keeps it, or the same score would be news.
            score = None if opinion.score is None else float(np.float32(opinion.score))
            checked = CheckedOpinion(*subject, VALUES[opinion.verdict], opinion.model, score)
            latest[*subject, opinion.model] = checked
    before = _last_opinions(store) if latest else {}
    return [one for key, one in sorted(latest.items()) if before.get(key) != (one.value, one.score)], problems


def opinion_rows(opinions: Sequence[CheckedOpinion]) -> pa.Table:
    """Return opinions as rows of the catalog's annotations."""
    columns = {
        "photo": [one.photo for one in opinions],
        "label": [one.label for one in opinions],
        "value": [one.value for one in opinions],
        "origin": ["model"] * len(opinions),
        "source": [one.model for one in opinions],
        "score": [one.score for one in opinions],
        "annotator": [None] * len(opinions),
        "batch": [None] * len(opinions),
    }
    return pa.table(columns, schema=TABLES["annotations"])


def _last_opinions(store: CatalogStore) -> dict[tuple[int, str, str], tuple[int, float | None]]:
    annotations = store.table("annotations", ["photo", "label", "source", "value", "score", "origin"])
    annotations = annotations.filter(pc.equal(annotations["origin"].cast(pa.string()), "model"))
    columns = (annotations[name].to_pylist() for name in ("photo", "label", "source", "value", "score"))
    return {(photo, label, model): (value, score) for photo, label, model, value, score in zip(*columns, strict=True)}
