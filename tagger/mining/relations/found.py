"""The relations that counts of pairs suggest, and what the counts say of those that the label system states."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import false_discovery_control

from tagger.data.taxonomy import Taxonomy
from tagger.mining.relations.criteria import Criteria
from tagger.mining.relations.finding import Finding, Kind
from tagger.mining.relations.known import Bools, Known, Verdict
from tagger.mining.relations.measures import chance, correlation, ratio, share
from tagger.mining.relations.pairs import Floats, Pairs


@dataclass(frozen=True, eq=False)
class Measured:
    """All measures of all pairs, each (labels, labels)."""

    pairs: Pairs
    criteria: Criteria
    confidence: tuple[Floats, Floats, Floats]
    lift: tuple[Floats, Floats, Floats]
    correlation: tuple[Floats, Floats, Floats]
    p: Floats
    stands: Bools
    """That the two meet more often or less often than by chance."""

    @classmethod
    def of(cls, pairs: Pairs, criteria: Criteria) -> "Measured":
        """Measure every pair and test it."""
        p = chance(pairs.both, pairs.expected, pairs.variance)
        # Those of which there is too little count too, as showing nothing: that a pair has enough is partly chance.
        tested = np.triu(pairs.variance > 0, 1)
        enough = np.maximum(pairs.both, pairs.expected) >= criteria.support
        stands = np.zeros_like(tested)
        if tested.any():
            stands[tested] = false_discovery_control(np.where(enough, p, 1.0)[tested]) <= criteria.chance
        return cls(
            pairs,
            criteria,
            share(pairs.both, pairs.only),
            ratio(pairs.both, pairs.expected),
            correlation(pairs.both, pairs.expected, pairs.variance, pairs.photos),
            p,
            stands | stands.T,
        )

    @property
    def implies(self) -> Bools:
        """Where the column's label follows from the row's."""
        carried = self.pairs.both + self.pairs.only
        usual = np.divide(self.pairs.expected, carried, out=np.ones_like(carried), where=carried > 0)
        low = self.confidence[1]
        is_sure = (low >= self.criteria.confidence) & (1 - low <= self.criteria.exceptions * (1 - usual))
        return self.stands & (self.pairs.both >= self.criteria.support) & (self.lift[0] > 1) & is_sure

    @property
    def excludes(self) -> Bools:
        """Where the two are hardly ever together; symmetric."""
        return (
            self.stands
            & (self.pairs.expected >= self.criteria.support)
            & (self.lift[2] <= 1 - self.criteria.confidence)
        )

    @property
    def correlates(self) -> Bools:
        """Where the two meet much more or less often than by chance; symmetric."""
        return self.stands & (np.abs(np.nan_to_num(self.correlation[0])) >= self.criteria.correlation)

    def finding(self, kind: Kind, label: int, other: int, verdict: Verdict, ids: Sequence[str]) -> Finding:
        """Return what there is to say of one pair."""
        pairs, place = self.pairs, (label, other)
        carried = float(pairs.both[place] + pairs.only[place])
        annotated = float(pairs.both[place] + pairs.denied[place])
        return Finding(
            kind=kind,
            label=ids[label],
            other=ids[other],
            taxonomy=verdict.status,
            evidence=self._evidence(kind, label, other),
            photos=carried,
            together=float(pairs.both[place]),
            by_chance=float(pairs.expected[place]),
            annotated=annotated / carried if carried else float("nan"),
            **self._figures(label, other),
            p=float(self.p[place]),
            note=verdict.why,
        )

    def _figures(self, label: int, other: int) -> dict[str, Any]:
        """Return the measures with their bounds, by the names that a finding has for them."""
        return {
            f"{name}{end}": float(values[label, other])
            for name in ("confidence", "lift", "correlation")
            for end, values in zip(("", "_low", "_high"), getattr(self, name), strict=True)
        }

    def _evidence(self, kind: Kind, label: int, other: int) -> str:
        if kind == "implies":
            return self._of_implication(label, other)
        return self._of_exclusion(label, other) if kind == "excludes" else "holds"

    def _of_implication(self, *place: int) -> str:
        asked, both, denied = self.criteria.confidence, self.pairs.both[place], self.pairs.denied[place]
        if both >= self.criteria.support and self.confidence[1][place] >= asked:
            return "holds"
        if share(both, denied)[2] < asked:
            return "fails"
        return "silent" if self.confidence[2][place] < asked else "little"

    def _of_exclusion(self, label: int, other: int) -> str:
        if self.excludes[label, other]:
            return "holds"
        # Of the rarer one: a share of its photos carries the other, though none should.
        together = max(self.confidence[1][label, other], self.confidence[1][other, label])
        return "fails" if together > 1 - self.criteria.confidence else "little"


def find_relations(pairs: Pairs, annotated: Pairs, taxonomy: Taxonomy, criteria: Criteria) -> list[Finding]:
    """Return the relations that the annotations suggest and those that the label system states, by kind, surest first.

    Args:
        pairs: Counts of the annotations, without what the label system itself has filled in.
        annotated: The same with an unknown label counting for nothing. Exclusions are looked for among these: of five
            keywords a photo most pairs never meet, and that is no reason why they could not.
        taxonomy: What is known.
        criteria: From when on there is a relation.
    """
    known, weighed = Known.of(taxonomy), Measured.of(pairs, criteria)
    sure = weighed if annotated is pairs else Measured.of(annotated, criteria)
    found = {(finding.kind, finding.label, finding.other): finding for finding in _found(weighed, sure, known)}
    for kind, label, other in _stated(taxonomy):
        if (kind, label, other) not in found:
            measured, one, two = sure if kind == "excludes" else weighed, taxonomy.column[label], taxonomy.column[other]
            found[kind, label, other] = measured.finding(kind, one, two, Verdict("known"), taxonomy.ids)
    kinds = get_args(Kind)
    ordered = sorted(found.values(), key=lambda f: (kinds.index(f.kind), -_sureness(f), f.label, f.other))
    return suggested([_with_common_names(finding, taxonomy) for finding in ordered], known)


def _found(weighed: Measured, sure: Measured, known: Known) -> Iterator[Finding]:
    # What takes a tag away must have no counterexample: one photo with both says that there are more.
    implied, excluded = weighed.implies, sure.excludes & (sure.pairs.both == 0)
    for label, other in np.argwhere(implied).tolist():
        yield weighed.finding("implies", label, other, known.implication(label, other), known.ids)
    for label, other in np.argwhere(np.triu(excluded)).tolist():
        yield sure.finding("excludes", label, other, known.exclusion(label, other), known.ids)
    for label, other in np.argwhere(np.triu(weighed.correlates & ~implied & ~implied.T & ~excluded)).tolist():
        verdict = known.correlation(label, other, positive=bool(weighed.correlation[0][label, other] > 0))
        yield weighed.finding("correlates", label, other, verdict, known.ids)


def _stated(taxonomy: Taxonomy) -> Iterator[tuple[Kind, str, str]]:
    """Yield what the label system states; exclusions once, in the order of columns."""
    for label in taxonomy.labels:
        for other in (*label.parents, *label.implies):
            yield "implies", label.id, other
        for other in label.excludes:
            one, two = sorted((label.id, other), key=taxonomy.column.__getitem__)
            yield "excludes", one, two


def _with_common_names(finding: Finding, taxonomy: Taxonomy) -> Finding:
    """Return the finding with a note where a source says both labels by one word, so that they must meet."""
    one, two = (taxonomy.labels[taxonomy.column[id_]] for id_ in (finding.label, finding.other))
    common = {word for key in one.sources for word in set(one.sources[key]) & set(two.sources.get(key, ()))}
    if not common or finding.note:
        return finding
    return replace(finding, note=f"{' and '.join(sorted(common))} {'mean' if len(common) > 1 else 'means'} both")


def _sureness(finding: Finding) -> float:
    """Return what findings are ordered by, in [0, 1]."""
    if finding.kind == "implies":
        return finding.confidence_low
    return 1 - finding.lift_high if finding.kind == "excludes" else abs(finding.correlation)


def suggested(findings: Sequence[Finding], known: Known) -> list[Finding]:
    """Mark what is put forward: new, as a whole free of contradictions, and without what follows from the rest.

    Args:
        findings: The surest of a kind first: of two that cannot be together the first one is taken. One with a note is
            not put forward: what a source says by one word for both labels is no discovery.
        known: What the label system states.
    """
    column = {id_: number for number, id_ in enumerate(known.ids)}
    places = [(column[finding.label], column[finding.other]) for finding in findings]
    new = [number for number, finding in enumerate(findings) if finding.taxonomy == "new" and not finding.note]
    implications = [number for number in new if findings[number].kind == "implies"]
    circles = _circles(known, [places[number] for number in implications])
    notes: dict[int, str] = {}
    grown = known
    for number in implications:
        label, other = places[number]
        if circles[label] == circles[other]:
            notes[number] = "follows the other way round as well: perhaps one label"
            continue
        verdict = grown.implication(label, other)
        if verdict.status == "contradicting":
            notes[number] = f"with surer suggestions: {verdict.why}"
        else:
            grown = grown.with_implication(label, other)
    for number in implications:
        if number not in notes and (between := _between(grown, *places[number])) is not None:
            notes[number] = f"follows through {known.ids[between]}"
    for number in new:
        if findings[number].kind == "excludes" and (why := grown.exclusion(*places[number]).why):
            notes[number] = f"with surer suggestions: {why}"
    putting = {number for number in new if number not in notes and findings[number].kind != "correlates"}
    return [
        replace(finding, is_suggested=number in putting, note=notes.get(number, finding.note))
        for number, finding in enumerate(findings)
    ]


def _circles(known: Known, implications: Sequence[tuple[int, int]]) -> np.ndarray:
    """Return a number for every label, equal where labels would follow from each other; int (labels,)."""
    follows = known.follows.copy()
    for label, other in implications:
        follows[label, other] = True
    numbers: np.ndarray = connected_components(csr_array(follows), directed=True, connection="strong")[1]
    return numbers


def _between(known: Known, label: int, other: int) -> int | None:
    """Return a label through which the other follows, or None."""
    between = known.follows[label] & known.follows[:, other]
    between[[label, other]] = False
    return int(np.flatnonzero(between)[0]) if between.any() else None
