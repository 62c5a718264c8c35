"""Sources in, rows to append out; nothing is written here, so a dry run goes the same way as a real one."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from tagger.data.assembly.facts import Facts, facts
from tagger.data.assembly.gather import Gathered, gather
from tagger.data.assembly.grouping import deal_folds, group_photos
from tagger.data.assembly.identity import NOWHERE, Inspect, Recognised, no_longer, places_in_any_form, recognise
from tagger.data.catalog.precedence import Statements, current, states
from tagger.data.catalog.reading import codes, of_source, statements, visible
from tagger.data.catalog.sightings import listed, only_chosen
from tagger.data.catalog.store import TABLES, CatalogStore, Part
from tagger.data.catalog.view import VALIDATION_FOLD
from tagger.data.copies import Copies, count_copies
from tagger.data.mapping import ORIGINS, Claims, last_of_each, subjects
from tagger.data.sources.source import Folds, Skipped, Source, SourceError
from tagger.data.split import FREE
from tagger.data.states import ABSENT, PRESENT, UNKNOWN
from tagger.data.taxonomy import Taxonomy

SHRUNK = 0.1
"""Share of what a source listed or claimed that may go without a warning."""

Names = dict[str, int]
"""Names of a source, and how often they are listed."""


@dataclass(frozen=True)
class SourceReport:
    """What came of one source."""

    vocabulary: str
    photos: int
    """Photos that it lists and that can be read."""
    new: int
    """Photos that the catalog did not have."""
    same_bytes: int
    """Photos whose bytes the catalog had under another key."""
    statements: dict[str, int]
    """Statements by kind: present, absent, unknown, opinion."""
    added: int
    """Statements that the catalog did not have, or had otherwise."""
    unmapped: Names
    """Those that no label claims and nobody left out."""
    left_out: Names
    """Those that the taxonomy leaves out on purpose."""
    spelled: Names
    """Those that were read as another spelling: ``'Dog' for 'dog'``."""
    left_open: int
    """Photos on which what it does not list stays unknown, because it says something there that no label claims."""
    nowhere: tuple[str, ...]
    """Labels that it lists on no photo, so that it calls them absent on all."""
    skipped: Skipped
    withdrawn: int = 0
    """Statements that it made before and makes no more."""
    gone: int = 0
    """Photos that it listed before and lists no more."""
    said_before: int = 0
    listed_before: int = 0

    @property
    def shrunk(self) -> str | None:
        """What there is much less of than before: more than a tenth, so that it may be a mistake."""
        if self.gone > SHRUNK * self.listed_before:
            return f"{self.gone:,} of {self.listed_before:,} photos that it listed are listed no more"
        if self.withdrawn > SHRUNK * self.said_before:
            return f"{self.withdrawn:,} of {self.said_before:,} of its claims are made no more"
        return None


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
    changed: list[str]
    """Files that were changed since they were seen last, and are other photos now."""
    contradictions: list[Contradiction]
    copies: Copies
    """Of the catalog as it would be."""
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
    withdraw: bool = True,
) -> Assembly:
    """Work out what these sources add to a catalog.

    Args:
        store: The catalog, empty or not; it is only read.
        sources: By name; a photo of several belongs to the first.
        taxonomy: The labels.
        inspect: Looks at photos: ``(root, paths) -> inspection.SCHEMA``.
        split: ``folds``, or ``official``: then photos of a published test set go into the test fold.
        complete: Whether parents and implied labels of what is present count as present when folds are dealt.
        withdraw: Whether what a source claimed before and does not claim now holds no more, and a photo that it does
            not list now is gone from it. Not where it only ever says what is new.

    Raises:
        SourceError: If a source cannot be read at all, or names folds that there are not.
    """
    if split not in ("folds", "official"):
        raise SourceError(f"data.split must be folds or official, got {split!r}")
    for name, source in sources.items():
        if source.folds not in get_args(Folds):
            raise SourceError(f"source {name}: folds={source.folds} must be {' or '.join(get_args(Folds))}")
        if (of := getattr(source, "of", None)) and of not in sources:
            raise SourceError(f"source {name}: of={of} is none of the sources {', '.join(sources)}")
    gathered = {name: gather(source) for name, source in sources.items()}
    roots = {name: source.root or "." for name, source in sources.items()}
    found = recognise(store, gathered, roots, inspect)
    interpreted = {name: _interpreted(name, source, gathered, found, taxonomy) for name, source in sources.items()}
    claims = {name: facts_.claims for name, facts_ in interpreted.items()}
    before = visible(store)
    # What was taken back is not claimed again: it would undo the undoing.
    ever = store.table("annotations") if len(before) < store.manifest.rows["annotations"] else before
    earlier = {name: _last_said(of_source(ever, name), taxonomy) for name in sources}
    fresh = {name: _unsaid(earlier[name], claims[name], taxonomy) for name in sources}
    taken_back = {
        name: _no_longer_said(earlier[name], claims[name] if withdraw else None, taxonomy) for name in sources
    }
    annotations = {name: _rows(name, fresh[name].followed_by(taken_back[name]), taxonomy) for name in sources}
    verdicts = _renewed_verdicts(before, found.renewed)
    were_listed = {name: of_source(listed(store, undone=True), name) for name in sources}
    lost = {
        name: _lost(were_listed[name], gathered[name], found.rows[name]) if withdraw else _NO_KEYS for name in sources
    }
    everything = pa.concat_tables([before, *annotations.values(), verdicts]).unify_dictionaries()
    spoken, speakers = statements(everything, taxonomy)
    holding, disputed = current(spoken)
    old = store.table("photos", ["look", "group", "fold", "path"])
    follows = taxonomy.closure if complete else None
    held = states(holding, photos=len(old) + len(found.photos), labels=len(taxonomy), follows=follows)
    new = _photos(old, found, held, split, chosen=_chosen(store, sources, found))
    batches: dict[str, Part] = {
        "photos": {
            "photos": new,
            "sightings": found.sightings,
        },
        **{
            f"labels of {name}": {"annotations": rows, "sightings": no_longer(name, lost[name])}
            for name, rows in annotations.items()
        },
        "verdicts of changed files with the same picture": {"annotations": verdicts},
    }
    reports = {
        name: replace(
            _report(
                name, gathered[name], found, interpreted[name], added=len(fresh[name]), vocabulary=source.vocabulary
            ),
            withdrawn=len(taken_back[name]),
            gone=len(lost[name]),
            said_before=int((earlier[name].value != UNKNOWN).sum()),
            listed_before=len(were_listed[name]),
        )
        for name, source in sources.items()
    }
    return Assembly(
        batches,
        reports,
        found.same_look,
        found.changed,
        _contradictions(disputed, speakers, taxonomy),
        _copies(old, new),
        held,
    )


def _interpreted(
    name: str, source: Source, gathered: Mapping[str, Gathered], found: Recognised, taxonomy: Taxonomy
) -> Facts:
    """Return what a source says in labels and about catalog rows; it is left out about photos that are not there."""
    own = gathered[name]
    of = getattr(source, "of", None) or name
    keys, rows = gathered[of].photos["key"].combine_chunks(), np.append(found.rows[of], NOWHERE)
    place = own.annotations["key"].combine_chunks()
    photo = rows[places_in_any_form(place.dictionary, keys)][place.indices.to_numpy()]
    lost = np.flatnonzero(photo == NOWHERE)
    if len(lost):
        own.skipped.add("annotation of a photo that is not there", place[int(lost[0])].as_py(), times=len(lost))
        kept = np.flatnonzero(photo != NOWHERE)
        own, photo = replace(own, annotations=own.annotations.take(pa.array(kept))), photo[kept]
    photos = np.unique(found.rows[name])
    return facts(name, source, own, taxonomy, photo=photo, photos=photos[photos != NOWHERE])


def _renewed_verdicts(annotations: pa.Table, renewed: np.ndarray) -> pa.Table:
    """Return people's annotations of photos, as those of what their files have become."""
    human = annotations.filter(pc.equal(annotations["origin"].cast(pa.string()), "human"))
    old, new = renewed[np.argsort(renewed[:, 0], kind="stable")].T
    photo = human["photo"].to_numpy()
    kept = human.filter(pa.array(np.isin(photo, old)))
    moved = new[np.searchsorted(old, kept["photo"].to_numpy())] if len(kept) else np.empty(0, dtype=np.int64)
    place = kept.schema.get_field_index("photo")
    return kept.set_column(place, kept.schema.field(place), pa.chunked_array([pa.array(moved, pa.int32())]))


def _last_said(own: pa.Table, taxonomy: Taxonomy) -> Claims:
    """Return the earlier claims of a source, in ``own``: of claims about the same the last; sorted by subject."""
    ids, label = codes(own["label"])
    origins, origin = codes(own["origin"])
    column = np.array([*(taxonomy.column.get(str(id_), -1) for id_ in ids), -1], dtype=np.int32)[label]
    place = np.array([*(ORIGINS.index(str(word)) for word in origins), 0], dtype=np.int8)[origin]
    score = own["score"].to_numpy().astype(np.float32)
    before = Claims(own["photo"].to_numpy(), column, own["value"].to_numpy(), place, score)
    before = before.take(np.flatnonzero(column >= 0))
    subject = subjects(before, labels=len(taxonomy))
    order = np.argsort(subject, kind="stable")
    return before.take(order[last_of_each(subject[order])])


def _unsaid(before: Claims, claims: Claims, taxonomy: Taxonomy) -> Claims:
    """Return the claims that differ from the earlier ones about the same."""
    if not len(before):
        return claims
    then, now = subjects(before, labels=len(taxonomy)), subjects(claims, labels=len(taxonomy))
    last = np.minimum(np.searchsorted(then, now), len(then) - 1)
    scored_alike = (before.score[last] == claims.score) | (np.isnan(before.score[last]) & np.isnan(claims.score))
    same = (then[last] == now) & (before.value[last] == claims.value) & scored_alike
    return claims.take(np.flatnonzero(~same))


def _no_longer_said(before: Claims, claims: Claims | None, taxonomy: Taxonomy) -> Claims:
    """Return claims that take back earlier ones which are made no more; none if nothing is taken back."""
    if claims is None:
        return before.take(np.zeros(0, dtype=np.int64))
    then, now = subjects(before, labels=len(taxonomy)), subjects(claims, labels=len(taxonomy))
    missing = before.take(np.flatnonzero((before.value != UNKNOWN) & ~np.isin(then, now)))
    return replace(missing, value=np.full_like(missing.value, UNKNOWN), score=np.full_like(missing.score, np.nan))


_NO_KEYS = pa.array([], pa.string())


def _lost(were_listed: pa.Table, gathered: Gathered, rows: np.ndarray) -> pa.Array:
    """Return the keys that a source listed before and lists no more, or now lists as what cannot be read."""
    there = gathered.photos["key"].take(pa.array(np.flatnonzero(rows != NOWHERE)))
    keys = were_listed["key"].combine_chunks()
    return keys.filter(pc.invert(pc.is_in(keys, there.combine_chunks())))


def _rows(name: str, claims: Claims, taxonomy: Taxonomy) -> pa.Table:
    """Return statements as rows of the table ``annotations``, without their batch."""

    def words(code: np.ndarray, meaning: tuple[str, ...]) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(
            pa.array(code.astype(np.int32, copy=False)), pa.array(meaning, pa.string())
        )

    count = len(claims)
    return pa.table(
        {
            "photo": pa.array(claims.photo, pa.int32()),
            "label": words(claims.label, taxonomy.ids),
            "value": pa.array(claims.value, pa.int8()),
            "origin": words(claims.origin, ORIGINS),
            "source": words(np.zeros(count, dtype=np.int32), (name,)),
            "score": pa.array(claims.score, pa.float32(), mask=np.isnan(claims.score)),
            "annotator": pa.nulls(count, TABLES["annotations"].field("annotator").type),
            "batch": pa.nulls(count, pa.int32()),
        },
        schema=TABLES["annotations"],
    )


def _chosen(store: CatalogStore, sources: Mapping[str, Source], found: Recognised) -> np.ndarray:
    """Return which photos, old and new, are only in sources that chose them for their labels; boolean (photos,)."""
    new = found.sightings.filter(found.sightings["photo"].is_valid())
    settings = {**store.manifest.sources, **{name: {"folds": source.folds} for name, source in sources.items()}}
    photos = store.manifest.rows["photos"] + len(found.photos)
    return only_chosen(pa.concat_tables([listed(store), new]).unify_dictionaries(), settings, photos=photos)


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


def _copies(old: pa.Table, new: pa.Table) -> Copies:
    """Count the copies among the photos of the catalog as it would be."""
    photos = pa.concat_tables([table.select(["group", "fold", "path"]) for table in (old, new)])
    parts = np.minimum(photos["fold"].to_numpy(), VALIDATION_FOLD + 1)
    return count_copies(photos["group"].to_numpy(), parts, lambda row: str(photos["path"][row]))


def _report(
    name: str, gathered: Gathered, found: Recognised, interpreted: Facts, *, added: int, vocabulary: str
) -> SourceReport:
    claims = interpreted.claims
    facts = claims.origin == ORIGINS.index("source")
    kinds = Counter({kind: int((facts & (claims.value == value)).sum()) for kind, value in _VALUES.items()})
    kinds["opinion"] = int((~facts).sum())
    return SourceReport(
        vocabulary=vocabulary,
        photos=int((found.rows[name] != NOWHERE).sum()),
        new=len(of_source(found.photos.select(["source"]), name)),
        same_bytes=found.same_bytes[name],
        statements=dict(kinds),
        added=added,
        unmapped=interpreted.heard.unclaimed,
        left_out=interpreted.heard.left_out,
        spelled=interpreted.heard.spelled,
        left_open=interpreted.left_open,
        nowhere=interpreted.nowhere,
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
