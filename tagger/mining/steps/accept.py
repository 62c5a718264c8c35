"""what=accept: a cluster becomes a label, and its photos questions about it."""

from pathlib import Path

from tagger.data.taxonomy import Label, read_taxonomy
from tagger.data.taxonomy.adding import with_label
from tagger.data.taxonomy.writing import beginning, write_checked
from tagger.errors import UserError
from tagger.mining.clusters.table import read_photos
from tagger.mining.opened import Mining
from tagger.mining.steps.similar import relative


def run(mining: Mining) -> None:
    """Write the label, hand the photos to the cleaning queue, and say what to type next."""
    # Deferred, as in similar.py: a wrong setting is told at once.
    from tagger.mining.candidates import Candidates, add_candidates, root_of

    _check(mining)
    config, label = mining.config, str(mining.config.label)
    table = photos_of(mining)
    members = read_photos(table, config.cluster)
    root = root_of(mining.places("pool"))
    try:
        paths = tuple(relative(place, root) for place in members.places)
    except ValueError as error:
        raise UserError(f"{table}: a photo does not lie in pool={config.pool}: {error}") from error
    taxonomy = grown(mining, len(paths))
    # A cosine below 0 is as little an opinion as one of 0.
    scores = tuple(max(cosine, 0.0) for cosine in members.cosines)
    config.data.taxonomy = taxonomy
    added = add_candidates(Candidates(root, paths, scores, label, f"cluster:{label}"), config, str(mining.name))
    for line in added.said():
        mining.say(line)
    mining.say(f"next      python -m tagger.clean step=export data={mining.name} data.taxonomy={taxonomy}")


def photos_of(mining: Mining) -> Path:
    """Return the table that what=clusters wrote about the pool."""
    return Path(mining.config.folder or "mining/clusters").expanduser() / mining.named_by("pool") / "photos.csv"


def grown(mining: Mining, photos: int) -> str:
    """Return the label system that has the label, by name or path; written with a stub of it where none had it."""
    config = mining.config
    label = str(config.label)
    target = None if config.to is None else Path(config.to).expanduser()
    source = config.data.taxonomy if target is None or not target.exists() else str(target)
    taxonomy = read_taxonomy(source)
    if label in taxonomy.column:
        mining.say(f"label     {label} is in {source} already; nothing is written there")
        return str(source)
    if target is None:
        raise UserError(f"label={label}: {taxonomy.name} has no such label; to=<a new label system>.yaml writes one")
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
    table = photos_of(mining)
    if not table.is_file():
        raise UserError(f"{table} is not there: python -m tagger.mine what=clusters pool={config.pool} writes it")
