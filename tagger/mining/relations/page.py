"""The page of mined relations: the picture, what is put forward, and all that was found, to be searched and sorted."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tagger.atomic import write_text
from tagger.mining.relations.finding import Finding, Tally
from tagger.mining.relations.graph import Graph
from tagger.pages.template import page_template


def write_page(
    path: Path, findings: Sequence[Finding], graph: Graph, *, names: Mapping[str, str], facts: Mapping[str, str]
) -> None:
    """Write the page: one file that loads nothing.

    Args:
        path: Of the HTML file.
        findings: In the order of the table.
        graph: The picture.
        names: What every label is called; labels are found by it as well.
        facts: Shown at the top, by name.
    """
    node = {node.label: number for number, node in enumerate(graph.nodes)}
    page = page_template(Path(__file__).with_name("relations.html")).render(
        findings=findings, graph=graph, node=node, names=names, facts=facts, tally=Tally.of(findings)
    )
    write_text(path, page)
