"""what=similar: the photos of a pool that look like some examples."""

import csv
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tagger.atomic import write_text
from tagger.data.embeddings import Embeddings, kind
from tagger.data.skipped import Skipped
from tagger.data.taxonomy import read_taxonomy
from tagger.errors import UserError
from tagger.mining.index import imported, kept_index
from tagger.mining.lookalikes import looks, near_any
from tagger.mining.opened import Mining
from tagger.mining.pool import Pool
from tagger.mining.roots import below
from tagger.mining.search import Query, best, centre_of, query
from tagger.mining.sheet import Section, Shot, write_sheet

INDEXES = ("auto", "exact", "faiss")

MANY = 300_000
"""Photos from which on ``index: auto`` keeps an index: up to there all are compared in a few seconds."""

SHOWN = 24
"""Examples on the contact sheet at most."""


@dataclass(frozen=True, eq=False)
class Found:
    """What was found."""

    rows: np.ndarray
    """Of the pool, the best first."""
    scores: np.ndarray
    """Cosines between each and the query."""
    nearly: np.ndarray
    """Rows that are set apart: nearly the same photo as an example."""
    like: np.ndarray
    """Which example each of those is."""


def run(mining: Mining) -> None:
    """Search, write what was found, and hand it to the cleaning queue if a label is given."""
    _check(mining)
    config, skipped = mining.config, Skipped()
    examples, positive = mining.embedded(mining.pool("examples", skipped), skipped)
    against = mining.embedded(mining.pool("negative", skipped), skipped) if config.negative is not None else None
    pool, features = mining.embedded(mining.pool("pool", skipped), skipped)
    for name, photos in (("examples", examples), ("pool", pool), *([("negative", against[0])] if against else [])):
        if not len(photos):
            raise UserError(f"{name}={config[name]}: none of the photos can be read")
    centre = centre_of(features)
    unwanted = None if against is None else against[1][:]
    wanted = query(positive[:], unwanted, centre=centre, against=config.against)
    search, how = searcher(mining, pool, features, centre)
    began = time.perf_counter()
    found = without_lookalikes(wanted, search, pool, examples, count=config.n)
    seconds = time.perf_counter() - began
    folder = mining.folder / name_of(mining)
    facts = {
        "command": mining.command,
        "examples": f"{len(examples):,}" + (f", and {len(against[0]):,} negative ones" if against else ""),
        "pool": f"{len(pool):,} photos",
        "search": f"{how}, {seconds:.2f} s",
    }
    write_found(folder / "found.csv", pool, found)
    sections = [
        Section(
            "Examples",
            [Shot(examples.place(row)) for row in range(min(len(examples), SHOWN))],
            f"{SHOWN} of {len(examples):,}" if len(examples) > SHOWN else "",
        ),
        Section(
            "Found",
            [Shot(pool.place(row), f"{score:.2f}") for row, score in zip(found.rows, found.scores, strict=True)],
            "The number is the cosine between the photo and the examples: 1 is the same direction, 0 is chance.",
        ),
        Section(
            "Nearly the same as an example",
            [
                Shot(pool.place(row), f"as {Path(examples.place(like)).name}")
                for row, like in zip(found.nearly, found.like, strict=True)
            ],
            "They show nothing new and are not among the found.",
        ),
    ]
    write_sheet(folder / "sheet.html", f"More like {name_of(mining)}", sections, facts=facts)
    mining.say_skipped(skipped)
    mining.say(f"searched  {len(pool):,} photos, {how}, in {seconds:.2f} s")
    mining.say(f"found     {len(found.rows):,}, and {len(found.nearly):,} that nearly are an example are set apart")
    mining.say(f"sheet     {folder / 'sheet.html'}")
    mining.say(f"table     {folder / 'found.csv'}")
    if config.label is not None:
        ask(mining, pool, found)


def searcher(
    mining: Mining, pool: Pool, features: Embeddings, centre: np.ndarray
) -> tuple[Callable[[Query, int], tuple[np.ndarray, np.ndarray]], str]:
    """Return what finds the best photos of a pool, and what to call it."""
    index = mining.config.index
    if index == "exact" or (index == "auto" and len(pool) < MANY):
        return lambda wanted, count: best(wanted, features, count), "all compared"
    what = kind(mining.network.backbone, mining.transform)
    kept = kept_index(features, pool.keys, centre, kind=what, cache=mining.cache)
    return lambda wanted, count: kept.best(wanted, features, count), f"FAISS, recall@50 {kept.recall:.2f}"


def without_lookalikes(
    wanted: Query,
    search: Callable[[Query, int], tuple[np.ndarray, np.ndarray]],
    pool: Pool,
    examples: Pool,
    *,
    count: int,
) -> Found:
    """Return the best photos that are not nearly an example, and those before them that are.

    Args:
        wanted: What is searched for.
        search: Finds the best photos, as many as it is asked for.
        pool: The photos.
        examples: What they are compared with by what is seen.
        count: How many are wanted.
    """
    shown = looks(examples.place(row) for row in range(len(examples)))
    ask = min(len(pool), count + len(examples))
    while True:
        rows, scores = search(wanted, ask)
        like = near_any(looks(pool.place(int(row)) for row in rows), shown)
        new = np.flatnonzero(like < 0)
        # More are asked for until enough are left, or there are no more.
        if len(new) >= count or ask >= len(pool) or len(rows) < ask:
            break
        ask = min(len(pool), 2 * ask)
    new = new[:count]
    last = new[-1] if len(new) else len(rows)
    near = np.flatnonzero(like[:last] >= 0) if len(new) == count else np.flatnonzero(like >= 0)
    return Found(rows[new], scores[new], rows[near], like[near])


def write_found(path: Path, pool: Pool, found: Found) -> None:
    """Write the found photos as a table: rank, photo, score, photo_id."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["rank", "photo", "score", "photo_id"])
    for rank, (row, score) in enumerate(zip(found.rows.tolist(), found.scores.tolist(), strict=True), start=1):
        table.writerow([rank, pool.place(row), f"{score:.4f}", pool.id(row)])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text.getvalue())


def name_of(mining: Mining) -> str:
    """Return what a search is called: its label, or the last part of where its examples lie."""
    return mining.named_by("examples") if mining.config.label is None else str(mining.config.label)


def ask(mining: Mining, pool: Pool, found: Found) -> None:
    """Put the found photos into the catalog and the queue, and say what to type next."""
    from tagger.mining.candidates import Candidates, add_candidates

    config = mining.config
    root, paths = below([pool.place(row) for row in found.rows.tolist()], mining.places("pool"))
    by = f"similar:{config.label}"
    candidates = Candidates(
        root, paths, tuple(found.scores.tolist()), config.label, by, folds=mining.folds(otherwise="train")
    )
    for line in add_candidates(candidates, config, str(mining.name)).lines():
        mining.say(line)
    mining.say(f"next      {mining.asking()}")


def _check(mining: Mining) -> None:
    config = mining.config
    if config.index not in INDEXES:
        raise UserError(f"index={config.index} must be {', '.join(INDEXES[:-1])} or {INDEXES[-1]}")
    if config.index == "faiss":
        imported()
    if config.against < 0:
        raise UserError(f"against={config.against} must be 0 or more: what the negative examples weigh")
    if config.n < 1:
        raise UserError(f"n={config.n} must be 1 or more: how many photos to find")
    if config.label is None:
        return
    if mining.name is None:
        raise UserError(f"label={config.label} needs data=…: the data set whose people are asked")
    from tagger.mining.candidates import check_label

    check_label(config.label, read_taxonomy(config.data.taxonomy))
