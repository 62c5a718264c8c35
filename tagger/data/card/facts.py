"""Everything that the data card says, worked out once for the page and for the text."""

from collections import Counter
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from scipy.sparse import csr_array

from tagger.data.assembly import Assembly, SourceReport
from tagger.data.assembly.assemble import Contradiction
from tagger.data.card.balance import Balance, fold_balance
from tagger.data.card.counts import Counts, count_states, members_of
from tagger.data.card.lift import Lifts, Pair, lifts, strongest_pairs
from tagger.data.card.sheets import contact_sheets
from tagger.data.card.twins import Groups, Shared, groups_of, shared_photos
from tagger.data.catalog import TEST_FOLD, VALIDATION_FOLD, CatalogStore
from tagger.data.catalog.reading import codes, visible
from tagger.data.catalog.sightings import listed, photo_unknown_weights
from tagger.data.catalog.store import Batch
from tagger.data.sources.source import Folds
from tagger.data.states import ABSENT, PRESENT, Unknown
from tagger.data.storage import location
from tagger.data.taxonomy import Names, Taxonomy
from tagger.tags.metrics import Tiers, tiers

NEAREST = 200
"""Names that are compared with the labels for a similar one; beyond, it takes long."""


@dataclass(frozen=True)
class SourceFacts:
    """One source of the catalog."""

    name: str
    vocabulary: str
    exhaustive: bool
    unknown: Unknown
    folds: Folds
    statements: dict[str, int]
    """Statements that count, by kind: present, absent, unknown, opinion."""
    report: SourceReport | None
    """What came of reading it now; None if it was not read this time."""


@dataclass(frozen=True)
class Name:
    """A source's name that means no label."""

    source: str
    name: str
    count: int
    note: str
    """Why it is left out on purpose; or the known name most like it, or nothing."""


@dataclass(frozen=True)
class Drop:
    """Something that a source left out."""

    source: str
    reason: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Facts:
    """What the card says; label axes are in the order of the taxonomy, photo rows are those of the catalog."""

    taxonomy: Taxonomy
    batches: list[Batch]
    photos: pa.Table
    """Columns source and path of every photo."""
    roots: dict[str, str]
    """Of every source."""
    sources: list[SourceFacts]
    counts: Counts
    """Of one set: all photos."""
    by_source: Counts
    """In the order of ``sources``. A photo of several sources is counted for each of them, whoever annotated it."""
    train: np.ndarray
    """Photos of the training folds that carry each label, int64 (labels,)."""
    tiers: Tiers
    """By ``train``."""
    lifts: Lifts
    pairs: list[Pair]
    balance: Balance
    groups: Groups
    group: np.ndarray
    """Of every photo, int (photos,)."""
    several: int
    """Photos that more than one source has."""
    shared: list[Shared]
    same_look: list[tuple[str, str]]
    contradictions: list[Contradiction]
    """Those of every label first that take turns with the other labels."""
    unmapped: list[Name]
    left_out: list[Name]
    dropped: list[Drop]
    sheets: np.ndarray
    """Rows of photos to show of every label, int64 (labels, count), as of :func:`contact_sheets`."""

    @property
    def labels_by_tier(self) -> dict[str, int]:
        """Number of head, medium and tail labels, and of those without training photos."""
        some = torch.from_numpy(self.train > 0)
        named = {name: int((getattr(self.tiers, name) & some).sum()) for name in ("head", "medium", "tail")}
        return named | {"none": int((~some).sum())}

    @property
    def missing_in(self) -> dict[str, int]:
        """Number of labels that have photos, but none in the test or in the validation fold."""
        known = self.counts.present[0] > 0
        special = {"test": TEST_FOLD, "validation": VALIDATION_FOLD}
        return {name: int((known & (self.balance.present[fold] == 0)).sum()) for name, fold in special.items()}

    @property
    def without_file(self) -> int:
        """Photos that are known but not there."""
        return self.photos["path"].null_count

    def file(self, row: int) -> str:
        """Return a photo's source and path, for people; where there is no file, its row."""
        path = self.photos["path"][row].as_py()
        return f"{self.photos['source'][row].as_py()}/{path}" if path else f"photo {row}, without a file"

    def place(self, row: int) -> str | None:
        """Return a photo's path or URL, None if it has no file."""
        path = self.photos["path"][row].as_py()
        return location(self.roots[self.photos["source"][row].as_py()], path) if path else None


def facts_of(store: CatalogStore, taxonomy: Taxonomy, assembly: Assembly, *, thumbnails: int = 8) -> Facts:
    """Work out what the card says about a catalog to which an assembly has just been appended.

    Args:
        store: The catalog.
        taxonomy: Its labels.
        assembly: What was appended, with the states of all photos.
        thumbnails: Most photos to show of a label.
    """
    settings = store.manifest.sources
    photos = store.table("photos", ["photo_id", "source", "path", "fold", "group"])
    names, members = list(settings), _members(store, list(settings), photos=len(photos))
    states, fold, group = assembly.states, photos["fold"].to_numpy(), photos["group"].to_numpy()
    source = codes(photos["source"])[1]
    found = lifts(states, photo_unknown_weights(store).astype(np.float64), source)
    balance = fold_balance(states, fold)
    train = balance.present.sum(axis=0) - balance.present[[TEST_FOLD, VALIDATION_FOLD]].sum(axis=0)
    unmapped, left_out = _names(assembly, taxonomy, {name: settings[name]["vocabulary"] for name in names})
    return Facts(
        taxonomy=taxonomy,
        batches=store.manifest.batches,
        photos=photos.select(["source", "path"]),
        roots={name: setting["root"] or "." for name, setting in settings.items()},
        sources=_sources(store, names, assembly),
        counts=count_states(states, csr_array(np.ones((1, len(photos)), dtype=bool))),
        by_source=count_states(states, members),
        train=train,
        tiers=tiers(torch.from_numpy(train)),
        lifts=found,
        pairs=strongest_pairs(found, taxonomy.closure),
        balance=balance,
        groups=groups_of(group),
        group=group,
        several=int((members.astype(np.int64).sum(axis=0) > 1).sum()),
        shared=shared_photos(members, names),
        same_look=assembly.same_look,
        contradictions=_taking_turns(assembly.contradictions),
        unmapped=unmapped,
        left_out=left_out,
        dropped=_dropped(assembly),
        sheets=contact_sheets(
            states,
            order=_order(photos["photo_id"]),
            source=source,
            group=group,
            usable=photos["path"].is_valid().to_numpy(),
            count=thumbnails,
        ),
    )


def _members(store: CatalogStore, names: list[str], *, photos: int) -> csr_array:
    """Return which photos each source has, bool (sources, photos)."""
    sightings = listed(store)
    words, code = codes(sightings["source"])
    source = np.array([names.index(str(word)) for word in words], dtype=np.int64)[code]
    return members_of(source, sets=len(names), photo=sightings["photo"].to_numpy(), photos=photos)


def _order(photo_id: pa.ChunkedArray) -> np.ndarray:
    """Return the place of every photo in the order of the hashes: by chance, and the same whenever photos are added."""
    order = np.empty(len(photo_id), dtype=np.int64)
    order[pc.sort_indices(photo_id).to_numpy()] = np.arange(len(photo_id))
    return order


def _sources(store: CatalogStore, names: list[str], assembly: Assembly) -> list[SourceFacts]:
    """Return the sources that have photos, and those that only speak about the photos of others."""
    annotations = visible(store, ["source", "value", "origin"])
    # What people say has no source.
    annotations = annotations.filter(annotations["source"].is_valid())
    words, source = codes(annotations["source"])
    origins, origin = codes(annotations["origin"])
    is_fact = np.isin(origin, [place for place, word in enumerate(origins) if word not in ("model", "product")])
    value = annotations["value"].to_numpy()
    kinds = {
        "present": is_fact & (value == PRESENT),
        "absent": is_fact & (value == ABSENT),
        "unknown": is_fact & (value == 0),
        "opinion": ~is_fact,
    }
    counted = {
        kind: dict(zip(words, np.bincount(source[rows], minlength=len(words)).tolist(), strict=True))
        for kind, rows in kinds.items()
    }
    return [
        SourceFacts(
            name=name,
            vocabulary=settings["vocabulary"],
            exhaustive=settings["exhaustive"],
            unknown=settings["unknown"],
            # Catalogs that were prepared earlier do not say.
            folds=settings.get("folds", "all"),
            statements={kind: counted[kind].get(name, 0) for kind in kinds},
            report=assembly.reports.get(name),
        )
        for name, settings in store.manifest.sources.items()
    ]


def _names(assembly: Assembly, taxonomy: Taxonomy, vocabularies: dict[str, str]) -> tuple[list[Name], list[Name]]:
    """Return the names that mean no label: unclaimed ones, and those left out on purpose; the most frequent first."""
    forgotten = _most_said({name: report.unmapped for name, report in assembly.reports.items()})
    on_purpose = _most_said({name: report.left_out for name, report in assembly.reports.items()})
    unmapped = [
        Name(
            source,
            name,
            count,
            Names(taxonomy, vocabularies.get(source, "")).advice(name) if rank < NEAREST else "",
        )
        for rank, (source, name, count) in enumerate(forgotten)
    ]
    left_out = [
        Name(source, name, count, taxonomy.left_out.get(vocabularies.get(source, ""), {}).get(name, ""))
        for source, name, count in on_purpose
    ]
    return unmapped, left_out


def _most_said(counts: dict[str, dict[str, int]]) -> list[tuple[str, str, int]]:
    rows = [(source, name, count) for source, names in counts.items() for name, count in names.items()]
    return sorted(rows, key=lambda row: (-row[2], row[0], row[1]))


def _dropped(assembly: Assembly) -> list[Drop]:
    return [
        Drop(name, reason, count, tuple(report.skipped.examples.get(reason, [])))
        for name, report in assembly.reports.items()
        for reason, count in report.skipped.counts.most_common()
    ]


def _taking_turns(contradictions: list[Contradiction]) -> list[Contradiction]:
    """Return the contradictions with the labels taking turns, so that the first few are of many labels."""
    by_label: dict[str, list[Contradiction]] = {}
    for one in contradictions:
        by_label.setdefault(one.label, []).append(one)
    return [one for one in chain.from_iterable(zip_longest(*by_label.values())) if one is not None]


def disputed_labels(contradictions: list[Contradiction]) -> list[tuple[str, int]]:
    """Return the labels that are contradicted and how often, most often first."""
    return Counter(one.label for one in contradictions).most_common()
