"""Who claims what about the pairs of photo and label that people are asked about."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tagger.data.catalog.precedence import PRECEDENCE
from tagger.data.catalog.reading import codes
from tagger.data.states import ABSENT, PRESENT
from tagger.data.taxonomy import Taxonomy

WORDS = {PRESENT: "present", ABSENT: "absent"}


@dataclass(frozen=True)
class Claims:
    """What is known of one pair."""

    facts: str
    """Who says what of those who count, ``"ann: absent, corel5k: present"``; just the speakers where they agree."""
    opinions: str
    """What models and other products think: ``"vision 0.92, caption: absent"``."""


def claims_about(annotations: pa.Table, taxonomy: Taxonomy, photos: np.ndarray, columns: np.ndarray) -> list[Claims]:
    """Return the claims about each pair.

    Args:
        annotations: Columns photo, label, value, origin, source, annotator and score of the catalog; the older first.
        taxonomy: The labels.
        photos: Row of every pair's photo in the catalog's table.
        columns: Column of every pair's label.
    """
    pairs = photos.astype(np.int64) * len(taxonomy) + columns
    about = _about(annotations, taxonomy, pairs)
    facts: dict[int, dict[str, int]] = {}
    opinions: dict[int, dict[str, tuple[int, float | None]]] = {}
    for row in about.to_pylist():
        pair = row["photo"] * len(taxonomy) + taxonomy.column[row["label"]]
        who = row["annotator"] or row["source"] or row["origin"]
        if PRECEDENCE[row["origin"]]:
            facts.setdefault(pair, {})[who] = row["value"]
        else:
            opinions.setdefault(pair, {})[who] = row["value"], row["score"]
    return [Claims(_facts(facts.get(pair, {})), _opinions(opinions.get(pair, {}))) for pair in pairs.tolist()]


def _about(annotations: pa.Table, taxonomy: Taxonomy, pairs: np.ndarray) -> pa.Table:
    """Return the annotations of these pairs; of ten million, without an object for each."""
    ids, label = codes(annotations["label"])
    column = np.array([*(taxonomy.column.get(id_ or "", -1) for id_ in ids), -1])[label]
    own = annotations["photo"].to_numpy().astype(np.int64) * len(taxonomy) + column
    kept = np.flatnonzero((column >= 0) & np.isin(own, pairs))
    words = ("label", "origin", "source", "annotator")
    plain = [pa.field(one.name, pa.string() if one.name in words else one.type) for one in annotations.schema]
    return annotations.take(pa.array(kept)).cast(pa.schema(plain))


def _facts(claims: Mapping[str, int]) -> str:
    known = {who: value for who, value in claims.items() if value in WORDS}
    if len(set(known.values())) > 1:
        return ", ".join(f"{who}: {WORDS[value]}" for who, value in sorted(known.items()))
    return ", ".join(sorted(known))


def _opinions(claims: Mapping[str, tuple[int, float | None]]) -> str:
    return ", ".join(_opinion(who, *claims[who]) for who in sorted(claims) if claims[who][0] in WORDS)


def _opinion(who: str, value: int, score: float | None) -> str:
    """Return an opinion in words.

    Example:
        >>> _opinion("vision", 1, 0.917), _opinion("caption", -1, None)
        ('vision 0.92', 'caption: absent')
    """
    return f"{who} {score:.2f}" if value == PRESENT and score is not None else f"{who}: {WORDS[value]}"
