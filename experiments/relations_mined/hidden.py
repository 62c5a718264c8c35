"""Hide all relations of a label system, mine the annotations, and count how many come back and how many are false.

    python experiments/relations_mined/hidden.py sample sample/1 sample/2 corel5k album

What is found beyond what is stated is judged by ``verdicts.csv``, made by hand, or on the drawn album by its truth.
The keywords of Corel5k have no relations; what is hidden is what conf/taxonomy/album.yaml states of the same words.
``--list`` prints what there is no verdict of.
"""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from hydra.utils import instantiate
from numpy.typing import NDArray

import tagger.config  # noqa: F401 - registers what the configurations refer to
from tagger.data.catalog.prepared import Prepared
from tagger.data.datamodule import PhotoData
from tagger.data.dataset import dense_states
from tagger.data.replication import Replication
from tagger.data.states import PRESENT
from tagger.data.taxonomy import Taxonomy, read_taxonomy
from tagger.mining.relations.criteria import Criteria
from tagger.mining.relations.finding import Finding
from tagger.mining.relations.found import find_relations
from tagger.mining.relations.known import Known
from tagger.mining.relations.pairs import Pairs
from tagger.mining.steps.relations import counted
from tagger.studies.composing import composed, composing

VERDICTS = Path(__file__).with_name("verdicts.csv")

Verdicts = dict[tuple[str, str, str], str]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class World:
    """A data set whose relations are hidden, and what was hidden."""

    name: str
    bare: Taxonomy
    """Without any relation."""
    pairs: Pairs
    said: Pairs
    follows: Bools
    """Hidden implications, the diagonal left out."""
    excluded: Bools
    truth: Bools | None
    """(photos, labels), where it is known."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="sample, sample/<seed>, corel5k or album")
    parser.add_argument("--catalog", default="catalogs/album", help="of the album")
    parser.add_argument("--list", action="store_true", help="print what is found and has no verdict")
    arguments = parser.parse_args()
    verdicts = read_verdicts()
    print(
        "| data | criteria | can come back | came back | more found | true | in these photos | false | exclusions "
        "that can come back | came back | more found |"
    )
    print("|---|---|" + "--:|" * 9)
    for name in arguments.data:
        world = opened(name, arguments.catalog)
        for title, criteria in CRITERIA.items():
            found = find_relations(world.pairs, world.said, world.bare, criteria)
            print(f"| {name} | {title} | {' | '.join(map(str, row(world, found, criteria, verdicts)))} |", flush=True)
            if arguments.list:
                unknown(world, found, verdicts)


CRITERIA = {
    "0.8 (default)": Criteria(),
    "0.9": Criteria(confidence=0.9),
    "0.7": Criteria(confidence=0.7),
    "0.6": Criteria(confidence=0.6),
    "0.8, exceptions as chance has it": Criteria(exceptions=0.999),
    "0.8, support 30": Criteria(support=30),
}


def opened(name: str, catalog: str) -> World:
    """Return the data set with its relations taken away."""
    data_name, _, seed = name.partition("/")
    words = [f"data={data_name}"]
    words += [f"data.source.album_seed={seed}"] if seed else []
    words += [f"data.source.folder={catalog}"] if data_name == "album" else []
    with composing():
        config = composed("train", words)
    cache = Path(config.cache).expanduser().absolute()
    data: PhotoData = instantiate(config.data, _partial_=True)(cache=cache, seed=0, sampler=Replication())
    if isinstance(data.source, Prepared):
        data.source = replace(data.source, complete=False)
    taxonomy = data.taxonomy
    bare = replace(
        taxonomy, labels=tuple(replace(label, parents=(), implies=(), excludes=()) for label in taxonomy.labels)
    )
    pairs, said = counted(data)
    if data_name == "corel5k":
        follows, excluded = stated_of_keywords(taxonomy, read_taxonomy("album"))
    else:
        known = Known.of(taxonomy)
        follows, excluded = known.follows & ~np.eye(len(taxonomy), dtype=bool), known.excluded
    rows, truth = np.arange(len(data.catalog)), data.catalog.truth
    return World(
        name, bare, pairs, said, follows, excluded, None if truth is None else dense_states(truth, rows) == PRESENT
    )


def stated_of_keywords(keywords: Taxonomy, album: Taxonomy) -> tuple[Bools, Bools]:
    """Return what the album's label system states of Corel's keywords, each as the labels that it stands for."""
    known, columns = Known.of(album), album.columns_of("corel5k")
    follows, excluded = np.zeros((2, len(keywords), len(keywords)), dtype=bool)
    for one, keyword in enumerate(keywords.ids):
        for other, second in enumerate(keywords.ids):
            ones, twos = columns.get(keyword, ()), columns.get(second, ())
            if ones and twos and set(ones) != set(twos):
                place = np.ix_(ones, twos)
                follows[one, other] = known.follows[place].any(axis=0).all()
                excluded[one, other] = known.excluded[place].any()
    return follows, excluded


def row(world: World, found: Sequence[Finding], criteria: Criteria, verdicts: Verdicts) -> list[int | str]:
    """Return the figures of one line of the table."""
    column = world.bare.column
    implied = {(column[f.label], column[f.other]) for f in found if f.kind == "implies"}
    hidden = {(int(a), int(b)) for a, b in np.argwhere(world.follows & (world.pairs.both >= criteria.support))}
    judged = [judgement(world, "implies", *pair, verdicts) for pair in sorted(implied - hidden)]
    excluded = {tuple(sorted((column[f.label], column[f.other]))) for f in found if f.kind == "excludes"}
    can = np.triu(world.excluded & (world.said.expected >= criteria.support))
    apart = {(int(a), int(b)) for a, b in np.argwhere(can)}
    return [
        len(hidden),
        len(implied & hidden),
        len(judged),
        *(judged.count(word) for word in ("true", "here", "false")),
        len(apart),
        len(excluded & apart),
        len(excluded - apart),
    ]


def judgement(world: World, kind: str, label: int, other: int, verdicts: Verdicts) -> str:
    """Return ``true``, ``here`` (in these photos, and not in the world), ``false``, or ``?``."""
    if world.truth is None:
        return verdicts.get((kind, world.bare.ids[label], world.bare.ids[other]), "?")
    others = world.truth[world.truth[:, label], other]
    return "here" if (others.all() if kind == "implies" else not others.any()) else "false"


def unknown(world: World, found: Sequence[Finding], verdicts: Verdicts) -> None:
    column = world.bare.column
    for f in found:
        known = world.follows if f.kind == "implies" else world.excluded
        if f.kind != "correlates" and not known[column[f.label], column[f.other]]:
            said = judgement(world, f.kind, column[f.label], column[f.other], verdicts)
            if said == "?" or world.truth is not None:
                print(f"{f.kind},{f.label},{f.other},{said},{f.together:.0f} of {f.photos:.0f}")


def read_verdicts() -> Verdicts:
    if not VERDICTS.exists():
        return {}
    with VERDICTS.open(encoding="utf-8") as file:
        return {(row["kind"], row["label"], row["other"]): row["verdict"] for row in csv.DictReader(file)}


if __name__ == "__main__":
    main()
