"""What a source says, in labels: the one way from its words to facts, with a catalog and without."""

from dataclasses import dataclass

import numpy as np

from tagger.data.assembly.gather import Gathered
from tagger.data.mapping import Claims, Heard, absences, heard, to_labels, unclaimed_photos
from tagger.data.sources.source import NAMELESS, Source, SourceError
from tagger.data.taxonomy import Names, Taxonomy

SHOWN = 20
"""Unknown names that a message lists."""


@dataclass(frozen=True)
class Facts:
    """What one source says of the labels of its photos."""

    claims: Claims
    heard: Heard
    left_open: int
    """Photos of which it says something that no label claims: what it does not list there is unknown."""
    nowhere: tuple[str, ...]
    """Labels that it calls absent on all photos without declaring that it looked for them."""


def facts(
    name: str, source: Source, gathered: Gathered, taxonomy: Taxonomy, *, photo: np.ndarray, photos: np.ndarray
) -> Facts:
    """Say in labels what a source says.

    Args:
        name: What messages call the source.
        source: Its settings.
        gathered: What it says of photos that are there.
        taxonomy: The labels.
        photo: Number of the photo of every annotation, int (annotations,).
        photos: Numbers of its own photos, ascending.

    Raises:
        SourceError: If no label claims any of its names, or, where its names are the label system's own, one of them.
    """
    names, vocabulary, annotations = Names(taxonomy, source.vocabulary), source.vocabulary, gathered.annotations
    found = heard(annotations, names)
    _refuse(name, source, gathered, names, taxonomy, heard=found)
    claims = to_labels(photo, annotations, taxonomy, vocabulary=vocabulary, skipped=gathered.skipped)
    if not source.exhaustive:
        return Facts(claims, found, 0, ())
    unclear = np.intersect1d(photos, unclaimed_photos(photo, annotations, names))
    declared = _declared(gathered, names, taxonomy, vocabulary)
    columns = taxonomy.looked_for(vocabulary, declared)
    clear = np.setdiff1d(photos, unclear)
    unsaid = absences(claims, clear, taxonomy, looked_for=columns)
    times = np.bincount(unsaid.label, minlength=len(taxonomy))
    nowhere = () if declared is not None else np.flatnonzero((times == len(clear)) & (times > 0)).tolist()
    return Facts(claims.followed_by(unsaid), found, len(unclear), tuple(taxonomy.ids[column] for column in nowhere))


def _declared(gathered: Gathered, names: Names, taxonomy: Taxonomy, vocabulary: str) -> list[str] | None:
    """Return the names that were looked for, as the label system spells them; None: all of the vocabulary."""
    declared = gathered.declared
    if declared is None:
        if vocabulary in ("", taxonomy.name) or any(vocabulary in label.exact for label in taxonomy.labels):
            return None
        # A vocabulary that no label mentions: all that is known of it is what it says.
        declared = frozenset(gathered.first)
    return [known for name in declared if (known := names.known(name)) is not None]


def _refuse(name: str, source: Source, gathered: Gathered, names: Names, taxonomy: Taxonomy, *, heard: Heard) -> None:
    """Refuse names that can only be mistakes, all of them at once."""
    every = sorted({*gathered.first, *(gathered.declared or ())} - {NAMELESS})
    strange = [one for one in every if names.known(one) is None]
    if not strange or (source.vocabulary and len(strange) < len(every)):
        return
    strange.sort(key=lambda one: -heard.unclaimed.get(one, 0))
    lines = [_unknown(one, gathered, names, taxonomy) for one in strange[:SHOWN]]
    more = f"\n  and {len(strange) - SHOWN:,} more" if len(strange) > SHOWN else ""
    if not source.vocabulary:
        if len(lines) == 1:
            raise SourceError(lines[0])
        raise SourceError(f"{name}: {len(strange):,} names are no labels\n  " + "\n  ".join(lines) + more)
    raise SourceError(
        f"source {name}: no label of {taxonomy.name!r} claims any of its {len(every):,} names, so it says nothing; "
        f"list them under sources.{source.vocabulary} of the labels, or set its vocabulary\n  "
        + "\n  ".join(lines)
        + more
    )


def _unknown(name: str, gathered: Gathered, names: Names, taxonomy: Taxonomy) -> str:
    place = gathered.first.get(name, "looked_for")
    advice = names.advice(name)
    return f"{place}: label {name!r} is not in the taxonomy {taxonomy.name!r}{f'; {advice}' if advice else ''}"
