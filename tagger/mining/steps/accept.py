"""what=accept: a cluster becomes a label, and its photos questions about it."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagger.data.catalog import CatalogStore
from tagger.data.embedding_store import KEY
from tagger.data.skipped import Skipped
from tagger.data.taxonomy import Label, read_taxonomy
from tagger.data.taxonomy.adding import with_label
from tagger.data.taxonomy.writing import beginning, only_author, write_checked
from tagger.errors import UserError
from tagger.mining.clusters.table import Members, read_photos
from tagger.mining.opened import Mining
from tagger.mining.pool import Pool
from tagger.mining.roots import below
from tagger.prepare import catalog_settings

GONE = -1
"""The place of a photo that is not in the pool any more."""


def run(mining: Mining) -> None:
    """Write the label, hand the photos to the cleaning queue, and say what to type next."""
    # Deferred, as in similar.py: a wrong setting is told at once.
    from tagger.mining.candidates import Candidates, add_candidates

    _check(mining)
    config, label = mining.config, str(mining.config.label)
    # A label that no other photo has could not be judged if these only trained, and would stay silent.
    folds = mining.folds(otherwise="all")
    members = read_photos(photos_of(mining), config.cluster)
    pool = mining.pool("pool", Skipped())
    own = places_in(pool, members)
    there = np.flatnonzero(own != GONE)
    if not len(there):
        raise UserError(f"cluster={config.cluster}: none of its photos is in pool={config.pool} any more")
    if gone := len(own) - len(there):
        mining.say(f"left out  {gone:,}: in the pool no more")
    others = drawn(pool, own, config.rest)
    best = there[: config.n]
    rows, cosines = own[best], tuple(np.array(members.cosines)[best].tolist())
    root, paths = below([pool.place(int(row)) for row in (*rows, *others)], mining.places("pool"))
    many = len(rows)
    config.data.taxonomy = taxonomy = grown(mining, many)
    found = Candidates(root, paths[:many], cosines, label, f"cluster:{label}", paths[many:], folds)
    tell_of_others(mining, taxonomy)
    for line in add_candidates(found, config, str(mining.name)).lines():
        mining.say(line)
    if len(others):
        mining.say(
            f"          the last {len(others):,} were drawn from the rest of the pool: a label wants photos without it"
        )
    mining.say(f"next      {mining.asking(taxonomy)}")


def tell_of_others(mining: Mining, taxonomy: str) -> None:
    """Say which labels the catalog has been searched for that the label system lacks: nobody is asked about them."""
    store = CatalogStore(Path(catalog_settings(mining.config, str(mining.name)).folder).expanduser())
    mined = [name.partition(":")[2] for name in store.manifest.sources if name.startswith(("cluster:", "similar:"))]
    if lacking := sorted(set(mined) - set(read_taxonomy(taxonomy).ids)):
        mining.say(
            f"note      {taxonomy} lacks {', '.join(map(repr, lacking))}, which photos were found for: their questions "
            "wait until one label system has all, so accept all clusters into one file (to=)"
        )


def places_in(pool: Pool, members: Members) -> np.ndarray:
    """Return where the photos of a cluster are in the pool now, by their content, int64 (photos,); else ``GONE``."""
    keys = pa.array([bytes.fromhex(id_) for id_ in members.ids], KEY)
    return np.asarray(pc.index_in(keys, pool.keys).fill_null(GONE).to_numpy(), dtype=np.int64)


def drawn(pool: Pool, own: np.ndarray, count: int) -> np.ndarray:
    """Return photos of the pool that are not in the cluster, drawn at random, the same ones every time."""
    rest = np.setdiff1d(np.arange(len(pool)), own)
    return np.sort(np.random.default_rng(0).permutation(rest)[:count])


def photos_of(mining: Mining) -> Path:
    """Return the table that what=clusters wrote about the pool."""
    return Path(mining.config.folder or "mining/clusters").expanduser() / mining.named_by("pool") / "photos.csv"


def grown(mining: Mining, photos: int) -> str:
    """Return the label system that has the label, by name or path; written with a stub of it where none had it."""
    target = None if mining.config.to is None else Path(mining.config.to).expanduser()
    with only_author(target):
        return _grown(mining, photos, target)


def _grown(mining: Mining, photos: int, target: Path | None) -> str:
    config = mining.config
    label = str(config.label)
    source = config.data.taxonomy if target is None or not target.exists() else str(target)
    taxonomy = read_taxonomy(source)
    before = read_taxonomy(config.data.taxonomy)
    if lost := [one.id for one in before.labels if one.id not in taxonomy.column]:
        # The catalog would be prepared anew, without them.
        raise UserError(
            f"to={target} lacks {len(lost):,} labels of {before.name}, such as {lost[0]!r}: give one that extends it, "
            f"a new file, or data.taxonomy={target} if that is the data set's label system now"
        )
    if label in taxonomy.column:
        mining.say(f"label     {label} is in {source} already; nothing is written there")
        return str(source)
    if target is None:
        raise UserError(f"label={label}: {taxonomy.name} has no such label; to=<a new label system>.yaml writes one")
    if not re.fullmatch(r"[\w.-]+", label, re.ASCII):
        raise UserError(f"label={label}: an id is ASCII letters, digits, dots, '-' and '_', such as scene.garage")
    stub = Label(label, {"en": _called(label)}, parents=tuple(config.parents), definition=config.definition)
    remark = f"From {photos:,} photos that look alike, cluster {config.cluster} of {config.pool}."
    text = target.read_text(encoding="utf-8") if target.exists() else beginning(source, target)
    text = with_label(text, stub, remark=remark)
    written = write_checked(target, text)
    mining.say(f"label     {label} written into {target}, now {len(written):,} labels")
    if not stub.definition:
        mining.say("          say in its definition what counts as it, before people decide")
    return str(target)


def _called(label: str) -> str:
    """Return what a label is called as long as nobody gives it a name.

    Example:
        >>> _called("scene.living_room")
        'living room'
    """
    return label.rpartition(".")[2].replace("_", " ")


def _check(mining: Mining) -> None:
    config = mining.config
    missing = [f"{name}=…" for name in ("pool", "cluster", "label") if config[name] is None]
    missing += ["data=…"] if mining.name is None else []
    if missing:
        raise UserError(f"{' and '.join(missing)} must be given; what=clusters prints the command")
    for name, least, why in (("n", 1, "of the cluster"), ("rest", 0, "of the rest of the pool")):
        if config[name] < least:
            raise UserError(f"{name}={config[name]} must be {least} or more: how many photos {why} are asked about")
    table = photos_of(mining)
    if not table.is_file():
        raise UserError(f"{table} is not there: python -m tagger.mine what=clusters pool={config.pool} writes it")
