"""what=clusters: groups of photos that look alike in a pool, and what each may be called."""

import shlex

import numpy as np

from tagger.data.embeddings import Embeddings
from tagger.data.skipped import Skipped
from tagger.errors import UserError
from tagger.mining.clusters.cluster import Cluster, Grouping, grouping
from tagger.mining.clusters.clustering import ALONE, MANY, clustered
from tagger.mining.clusters.known import known_labels
from tagger.mining.clusters.naming import with_nearest, with_scored, with_words
from tagger.mining.clusters.table import clusters_table, listed, write_clusters, write_photos
from tagger.mining.clusters.unnamed import CONFIDENT, Scored
from tagger.mining.opened import Mining
from tagger.mining.pool import Pool
from tagger.mining.search import centre_of
from tagger.mining.sheet import LIMIT, Section, Shot, write_sheet
from tagger.model.imagenet import classifier

METHODS = ("auto", "hdbscan", "kmeans")

SHOWN, FEWEST = 12, 4
"""Photos of a cluster on the page at most; with many clusters they are fewer, but not fewer than these."""

LONE = 24
"""Photos on the page of those that are in no cluster."""


def run(mining: Mining) -> None:
    """Cluster the photos, name the clusters, and write what there is to look at."""
    _check(mining)
    skipped, facts = Skipped(), {"command": mining.command}
    pool = mining.pool("pool", skipped)
    facts["pool"] = f"{len(pool):,} photos"
    scored: Scored | None = None
    if mining.config.bundle is not None:
        scored = Scored(mining, pool, skipped)
        pool = pool.take(scored.unnamed)
        facts["without a tag"] = f"{len(pool):,} by {mining.config.bundle} (confident={mining.config.confident})"
    pool, features = mining.embedded(pool, skipped)
    mining.say_skipped(skipped)
    if len(pool) < mining.config.least:
        raise UserError(f"{len(pool):,} photos are left; a cluster has at least {mining.config.least} (least=)")
    found, facts["clusters"] = found_in(mining, features)
    report(mining, named(mining, found, pool, features, scored), pool, facts)


def found_in(mining: Mining, features: Embeddings) -> tuple[Grouping, str]:
    """Return the clusters, and how they were made in words."""
    config, centre = mining.config, centre_of(features)
    method = config.method
    if method == "auto":
        method = "hdbscan" if len(features) < MANY else "kmeans"
    cluster = clustered(
        features, centre, method=method, dimensions=config.dimensions, least=config.least, count=config.clusters
    )
    found = grouping(cluster, features, centre)
    inside = int((cluster != ALONE).sum())
    sentences = f"{len(found.clusters):,} by {method}, with {inside:,} of {len(features):,} photos"
    return found, sentences


def named(mining: Mining, found: Grouping, pool: Pool, features: Embeddings, scored: Scored | None) -> Grouping:
    """Return the clusters with what they may be called, as far as anybody can say."""
    if words := classifier(mining.config.network.backbone, mining.config.network.weights):
        found = with_words(found, features, words)
    # Annotated photos know better: a tagger is unsure of these, or it would have named them.
    if mining.name is not None:
        return with_nearest(found, known_labels(mining))
    return found if scored is None else with_scored(found, scored.of(pool), scored.labels)


def report(mining: Mining, found: Grouping, pool: Pool, facts: dict[str, str]) -> None:
    """Write the tables and the contact sheet, and say what to type next."""
    name = mining.named_by("pool")
    folder = mining.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    write_clusters(folder / "clusters.csv", found.clusters)
    write_photos(folder / "photos.csv", found.clusters, pool)
    shown = min(SHOWN, max(FEWEST, LIMIT // max(len(found.clusters), 1)))
    first = found.clusters[: LIMIT // FEWEST]
    if len(first) < len(found.clusters):
        facts["shown"] = f"the first {len(first):,} clusters; clusters.csv has all"
    sections = [section(mining, one, pool, shown) for one in first]
    alone = np.flatnonzero(found.cluster == ALONE)
    some = np.random.default_rng(0).permutation(alone)[:LONE]
    sections.append(
        Section("In no cluster", [Shot(pool.place(int(row))) for row in some], "Some of them.", count=len(alone))
    )
    write_sheet(folder / "sheet.html", f"Photos that look alike in {name}", sections, facts=facts)
    mining.say(f"found     {facts['clusters']}")
    if found.clusters:
        mining.console.print(clusters_table(found.clusters, shown=mining.config.shown))
    mining.say(f"sheet     {folder / 'sheet.html'}")
    mining.say(f"tables    {folder / 'clusters.csv'}, photos.csv")
    if found.clusters:
        mining.say(f"next      {accept(mining, found.clusters[0])}")
    else:
        mining.say(f"next      more photos, smaller clusters (least= below {mining.config.least}), or method=kmeans")


def section(mining: Mining, cluster: Cluster, pool: Pool, shown: int) -> Section:
    """Return the part of the contact sheet about a cluster."""
    sentences = [f"Cohesion {cluster.cohesion:.2f}."]
    if cluster.words:
        sentences.append(f"ImageNet would say {listed(cluster.words)}.")
    if cluster.nearest:
        sentences.append(f"The nearest labels are {listed(cluster.nearest)}.")
    best = zip(cluster.rows[:shown].tolist(), cluster.cosines[:shown].tolist(), strict=True)
    return Section(
        f"{cluster.number} {cluster.name}?" if cluster.name else str(cluster.number),
        [Shot(pool.place(row), f"{cosine:.2f}") for row, cosine in best],
        " ".join(sentences),
        count=len(cluster.rows),
        command=accept(mining, cluster),
    )


def accept(mining: Mining, cluster: Cluster) -> str:
    """Return the command that makes a label of a cluster."""
    places = mining.places("pool")
    place = places[0] if len(places) == 1 else f"[{','.join(places)}]"
    words = shlex.join([f"pool={place}", f"cluster={cluster.number}"])
    return f"python -m tagger.mine what=accept {words} label=… data={mining.name or '…'} to=….yaml"


def _check(mining: Mining) -> None:
    config = mining.config
    if config.method not in METHODS:
        raise UserError(f"method={config.method} must be {', '.join(METHODS[:-1])} or {METHODS[-1]}")
    if config.confident not in CONFIDENT:
        raise UserError(f"confident={config.confident} must be one of {', '.join(CONFIDENT)}")
    for name, least in (("least", 2), ("dimensions", 1)):
        if config[name] < least:
            raise UserError(f"{name}={config[name]} must be {least} or more")
    if config.clusters is not None and config.clusters < 2:
        raise UserError(f"clusters={config.clusters} must be 2 or more: how many k-means makes")
