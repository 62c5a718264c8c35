"""what=relations: which prior relations the annotations suggest, and what they say of those that are stated."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tagger.atomic import write_text
from tagger.data.catalog.prepared import Prepared
from tagger.data.datamodule import PhotoData
from tagger.data.taxonomy import read_taxonomy
from tagger.data.taxonomy.writing import only_author
from tagger.errors import UserError
from tagger.mining.annotated import as_said
from tagger.mining.opened import Mining
from tagger.mining.relations.accepted import read_suggestions, write_grown
from tagger.mining.relations.criteria import Criteria
from tagger.mining.relations.elsewhere import beside
from tagger.mining.relations.finding import Finding
from tagger.mining.relations.found import find_relations
from tagger.mining.relations.graph import drawn, graph_svg
from tagger.mining.relations.page import write_page
from tagger.mining.relations.pairs import Pairs, count_pairs
from tagger.mining.relations.suggestions import suggestions
from tagger.mining.relations.table import relations_table, write_findings
from tagger.tracking.run_folder import commit_of_code


def run(mining: Mining) -> None:
    """Mine relations; or, with ``patch=``, write those that somebody has looked at into a new label system."""
    config = mining.config
    if (config.patch is None) != (config.to is None):
        raise UserError("patch= and to= belong together: the suggestions that are left, and the label system to write")
    if mining.name is None:
        raise UserError(
            "data=… must be given: relations are mined from its annotations, and written into its label system"
        )
    if config.patch is not None:
        write(mining)
    else:
        mine(mining)


def write(mining: Mining) -> None:
    """Write the suggestions that are left into a label system that extends the one they were found for."""
    config = mining.config
    patch, target = Path(config.patch).expanduser(), Path(config.to).expanduser()
    additions = read_suggestions(patch)
    with only_author(target):
        grown = write_grown(config.data.taxonomy, target, additions)
    mining.say(
        f"{len(additions)} more relation{'s' if len(additions) > 1 else ''}; label system {target}, {len(grown)} labels"
    )
    if config.data.source._target_ == f"{Prepared.__module__}.{Prepared.__qualname__}":
        mining.say(f"read the sources by it first:  python -m tagger.prepare data={mining.name} data.taxonomy={target}")
    words = f"+experiment=baseline data={mining.name} data.taxonomy={target} rules=taxonomy"
    mining.say(f"try it, with an audit of every relation:  python -m tagger.train {words}")


def mine(mining: Mining) -> None:
    """Count, test and check, and write what came of it."""
    config, data = mining.config, as_said(mining)
    criteria = Criteria(**{name: config[name] for name in Criteria.__dataclass_fields__})
    findings = find_relations(*counted(data), data.taxonomy, criteria)
    for name in config.taxonomies:
        if (other := read_taxonomy(name)).name != data.taxonomy.name:
            findings = beside(findings, data.taxonomy, other)
    facts = {
        "data": str(mining.name),
        "photos": f"{len(data.train_rows):,}, those that train",
        "label system": f"{data.taxonomy.name} {data.taxonomy.fingerprint}",
        "annotations": data.catalog.fingerprint,
        "command": mining.command,
        "commit": commit_of_code(),
    }
    report(mining, findings, data, facts)


def report(mining: Mining, findings: Sequence[Finding], data: PhotoData, facts: dict[str, str]) -> None:
    """Write table, suggestions, page and picture."""
    folder = mining.folder / str(mining.name)
    folder.mkdir(parents=True, exist_ok=True)
    graph = drawn(findings, data.taxonomy)
    names = {label.id: label.names.get("en", label.id) for label in data.taxonomy.labels}
    write_findings(folder / "relations.csv", findings)
    write_text(folder / "relations.yaml", suggestions(findings, facts=facts))
    write_text(folder / "graph.svg", graph_svg(graph))
    write_page(folder / "relations.html", findings, graph, names=names, facts=facts)
    mining.console.print(*relations_table(findings, shown=mining.config.shown))
    for what, name in (("page", "html"), ("table", "csv"), ("to review", "yaml")):
        mining.say(f"{what:10}{folder / f'relations.{name}'}")
    mining.say(f"{'picture':10}{folder / 'graph.svg'}")


def counted(data: PhotoData) -> tuple[Pairs, Pairs]:
    """Count the pairs on the photos that train, unknown labels once weighed as the sources say and once not at all.

    Near-duplicates count as one photo: ten frames of a scene are no ten witnesses.
    """
    rows, catalog = data.train_rows, data.catalog
    states, source, group = catalog.states[rows], catalog.column("root"), catalog.column("group")
    factors = None
    if group is not None:
        _, places, sizes = np.unique(group[rows], return_inverse=True, return_counts=True)
        factors = 1 / sizes[places]
    of_photo = {"sources": None if source is None else source[rows], "factors": factors}
    weights = np.array(data.weights)[data.kinds[rows]]
    annotated = count_pairs(states, unknown=0.0, **of_photo)
    return (count_pairs(states, unknown=weights, **of_photo) if weights.any() else annotated), annotated
