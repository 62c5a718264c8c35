"""Sources in, rows to append out; nothing is written here, so a dry run goes the same way as a real one."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from tagger.data.assembly.gather import Gathered, gather
from tagger.data.assembly.grouping import deal_folds, group_photos
from tagger.data.assembly.identity import NOWHERE, Inspect, Recognised, places, recognise
from tagger.data.catalog.reading import codes, of_source, statements, visible
from tagger.data.catalog.sightings import only_chosen
from tagger.data.catalog.standing import Statements, current, states
from tagger.data.catalog.store import TABLES, CatalogStore, Part
from tagger.data.mapping import ORIGINS, Said, absences, names_without_label, subjects, to_labels
from tagger.data.sources.source import Folds, Skipped, Source, SourceError
from tagger.data.split import FREE
from tagger.data.states import ABSENT, PRESENT, UNKNOWN
from tagger.data.taxonomy import Taxonomy

Names = dict[str, int]
"""Names of a source, and how often they were said."""


@dataclass(frozen=True)
class SourceReport:
    """What came of one source."""

    photos: int
    """Photos that it lists and that can be read."""
    new: int
    """Photos that the catalog did not have."""
    same_bytes: int
    """Photos whose bytes the catalog had under another key."""
    statements: dict[str, int]
    """Statements by kind: present, absent, unknown, opinion."""
    added: int
    """Statements that the catalog did not have."""
    unmapped: Names
    """Those that no label claims and nobody left out."""
    left_out: Names
    """Those that the taxonomy leaves out on purpose."""
    skipped: Skipped


@dataclass(frozen=True)
class Contradiction:
    """A photo and label that speakers of equal standing disagree about."""

    photo: int
    label: str
    present: tuple[str, ...]
    """Who says present."""
    absent: tuple[str, ...]


@dataclass(frozen=True)
class Assembly:
    """What would be appended to the catalog, and what was noticed."""

    batches: dict[str, Part]
    """What would be appended, by what it is: the photos, and the statements of each source."""
    reports: dict[str, SourceReport]
    same_look: list[tuple[str, str]]
    """Photos that another source has re-encoded or resized: (it, the photo that it is)."""
    contradictions: list[Contradiction]
    states: csr_array
    """States of every photo of the catalog as it would be, int8 (photos, labels)."""


def assemble(
    store: CatalogStore,
    sources: Mapping[str, Source],
    taxonomy: Taxonomy,
    *,
    inspect: Inspect,
    split: str = "folds",
    complete: bool = True,
) -> Assembly:
    """Work out what these sources add to a catalog.

    Args:
        store: The catalog, empty or not; it is only read.
        sources: By name; a photo of several belongs to the first.
        taxonomy: The labels.
        inspect: Looks at photos: ``(root, paths) -> inspection.SCHEMA``.
        split: ``folds``, or ``official``: then photos of a published test set go into the test fold.
        complete: Whether parents and implied labels of what is present count as present when folds are dealt.

    Raises:
        SourceError: If a source cannot be read at all, or names folds that there are not.
    """
    for name, source in sources.items():
        if source.folds not in get_args(Folds):
            raise SourceError(f"source {name}: folds={source.folds} must be {' or '.join(get_args(Folds))}")
    gathered = {name: gather(source) for name, source in sources.items()}
    roots = {name: source.root or "." for name, source in sources.items()}
    found = recognise(store, gathered, roots, inspect)
    said = {name: _said(name, source, gathered, found, taxonomy) for name, source in sources.items()}
    before = visible(store)
    # What was taken back is not said again: it would undo the undoing.
    ever = store.table("annotations") if len(before) < store.manifest.rows["annotations"] else before
    fresh = {name: _unsaid(of_source(ever, name), statements_, taxonomy) for name, statements_ in said.items()}
    annotations = {name: _rows(name, rows, taxonomy) for name, rows in fresh.items()}
    everything = pa.concat_tables([before, *annotations.values()]).unify_dictionaries()
    spoken, speakers = statements(everything, taxonomy)
    holding, disputed = current(spoken)
    old = store.table("photos", ["look", "group", "fold"])
    follows = taxonomy.closure if complete else None
    held = states(holding, photos=len(old) + len(found.photos), labels=len(taxonomy), follows=follows)
    batches: dict[str, Part] = {
        "photos": {
            "photos": _photos(old, found, held, split, chosen=_chosen(store, sources, found)),
            "sightings": found.sightings,
        },
        **{f"labels of {name}": {"annotations": rows} for name, rows in annotations.items()},
    }
    reports = {
        name: _report(
            name,
            gathered[name],
            found,
            said=said[name],
            added=len(fresh[name]),
            names=names_without_label(gathered[name].annotations, taxonomy, vocabulary=source.vocabulary),
        )
        for name, source in sources.items()
    }
    return Assembly(batches, reports, found.same_look, _contradictions(disputed, speakers, taxonomy), held)


def _said(name: str, source: Source, gathered: Mapping[str, Gathered], found: Recognised, taxonomy: Taxonomy) -> Said:
    """Return what a source says in labels and about catalog rows; it is left out about photos that are not there."""
    annotations, skipped = gathered[name].annotations, gathered[name].skipped
    of = getattr(source, "of", None) or name
    keys, rows = gathered[of].photos["key"].combine_chunks(), np.append(found.rows[of], NOWHERE)
    place = annotations["key"].combine_chunks()
    photo = rows[places(place.dictionary, keys)][place.indices.to_numpy()]
    lost = np.flatnonzero(photo == NOWHERE)
    if len(lost):
        skipped.add("annotation of a photo that is not there", place[int(lost[0])].as_py(), times=len(lost))
        kept = np.flatnonzero(photo != NOWHERE)
        annotations, photo = annotations.take(pa.array(kept)), photo[kept]
    said = to_labels(photo, annotations, taxonomy, vocabulary=source.vocabulary)
    if source.exhaustive:
        own = np.unique(found.rows[name])
        said = said.followed_by(absences(said, own[own != NOWHERE], taxonomy, vocabulary=source.vocabulary))
    return said


def _unsaid(own: pa.Table, said: Said, taxonomy: Taxonomy) -> Said:
    """Return the statements that differ from the last that this source made about the same, in ``own``."""
    ids, label = codes(own["label"])
    origins, origin = codes(own["origin"])
    column = np.array([taxonomy.column.get(str(id_), -1) for id_ in ids], dtype=np.int32)[label]
    place = np.array([ORIGINS.index(str(word)) for word in origins], dtype=np.int8)[origin]
    score = own["score"].to_numpy().astype(np.float32)
    before = Said(own["photo"].to_numpy(), column, own["value"].to_numpy(), place, score)
    before = before.take(np.flatnonzero(column >= 0))
    if not len(before):
        return said
    then, now = subjects(before, labels=len(taxonomy)), subjects(said, labels=len(taxonomy))
    order = np.argsort(then, kind="stable")
    # Of several earlier statements about the same, the last. Where there is none it is about something else.
    last = order[np.searchsorted(then, now, side="right", sorter=order) - 1]
    scored_alike = (before.score[last] == said.score) | (np.isnan(before.score[last]) & np.isnan(said.score))
    same = (then[last] == now) & (before.value[last] == said.value) & scored_alike
    return said.take(np.flatnonzero(~same))


def _rows(name: str, said: Said, taxonomy: Taxonomy) -> pa.Table:
    """Return statements as rows of the table ``annotations``, without their batch."""

    def words(code: np.ndarray, meaning: tuple[str, ...]) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(
            pa.array(code.astype(np.int32, copy=False)), pa.array(meaning, pa.string())
        )

    count = len(said)
    return pa.table(
        {
            "photo": pa.array(said.photo, pa.int32()),
            "label": words(said.label, taxonomy.ids),
            "value": pa.array(said.value, pa.int8()),
            "origin": words(said.origin, ORIGINS),
            "source": words(np.zeros(count, dtype=np.int32), (name,)),
            "score": pa.array(said.score, pa.float32(), mask=np.isnan(said.score)),
            "annotator": pa.nulls(count, TABLES["annotations"].field("annotator").type),
            "batch": pa.nulls(count, pa.int32()),
        },
        schema=TABLES["annotations"],
    )


def _chosen(store: CatalogStore, sources: Mapping[str, Source], found: Recognised) -> np.ndarray:
    """Return which photos, old and new, are only in sources that chose them for their labels; boolean (photos,)."""
    columns = ["photo", "source"]
    sightings = [store.table("sightings", columns), found.sightings.select(columns)]
    settings = {**store.manifest.sources, **{name: {"folds": source.folds} for name, source in sources.items()}}
    photos = store.manifest.rows["photos"] + len(found.photos)
    return only_chosen(pa.concat_tables(sightings).unify_dictionaries(), settings, photos=photos)


def _photos(old: pa.Table, found: Recognised, held: csr_array, split: str, *, chosen: np.ndarray) -> pa.Table:
    """Return the new photos with their group and fold."""
    new = found.photos
    groups = group_photos(old, new)
    existing = np.concatenate([old["fold"].to_numpy(), np.full(len(new), FREE)]).astype(np.int8)
    published = None
    if split == "official":
        test = pc.fill_null(pc.equal(new["split"], "test"), False).to_numpy()
        published = np.concatenate([np.zeros(len(old), dtype=bool), test])
    folds = deal_folds(held, groups, existing, published=published, chosen=chosen)
    columns = {name: new[name] for name in TABLES["photos"].names if name in new.column_names}
    columns |= {
        "fold": pa.array(folds[len(old) :], pa.int8()),
        "group": pa.array(groups[len(old) :], pa.int32()),
    }
    return pa.table({name: columns[name] for name in TABLES["photos"].names}).cast(TABLES["photos"])


def _report(
    name: str, gathered: Gathered, found: Recognised, *, said: Said, added: int, names: tuple[Names, Names]
) -> SourceReport:
    unmapped, left_out = names
    facts = said.origin == ORIGINS.index("source")
    kinds = Counter({kind: int((facts & (said.value == value)).sum()) for kind, value in _VALUES.items()})
    kinds["opinion"] = int((~facts).sum())
    return SourceReport(
        photos=int((found.rows[name] != NOWHERE).sum()),
        new=len(of_source(found.photos.select(["source"]), name)),
        same_bytes=found.same_bytes[name],
        statements=dict(kinds),
        added=added,
        unmapped=unmapped,
        left_out=left_out,
        skipped=gathered.skipped,
    )


_VALUES = {"present": PRESENT, "absent": ABSENT, "unknown": UNKNOWN}


def _contradictions(disputed: Statements, speakers: list[str], taxonomy: Taxonomy) -> list[Contradiction]:
    sides: dict[tuple[int, int], dict[int, list[str]]] = {}
    columns = (disputed.photo, disputed.label, disputed.value, disputed.speaker)
    for photo, label, value, speaker in zip(*(column.tolist() for column in columns), strict=True):
        sides.setdefault((photo, label), {PRESENT: [], ABSENT: []})[value].append(speakers[speaker])
    return [
        Contradiction(photo, taxonomy.ids[label], tuple(who[PRESENT]), tuple(who[ABSENT]))
        for (photo, label), who in sides.items()
    ]
