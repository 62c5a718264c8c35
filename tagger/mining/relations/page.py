"""The page of mined relations: the picture, what is put forward, and all that was found, to be searched and sorted."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tagger.atomic import write_text
from tagger.mining.relations.finding import Finding
from tagger.mining.relations.graph import Graph
from tagger.pages.template import page_template


def write_page(path: Path, findings: Sequence[Finding], graph: Graph, *, facts: Mapping[str, str]) -> None:
    """Write the page: one file that loads nothing.

    Args:
        path: Of the HTML file.
        findings: In the order of the table.
        graph: The picture.
        facts: Shown at the top, by name.
    """
    node = {node.label: number for number, node in enumerate(graph.nodes)}
    counts = {
        "suggested": sum(finding.is_suggested for finding in findings),
        "known": sum(finding.taxonomy == "known" and finding.evidence == "holds" for finding in findings),
        "against": sum(finding.taxonomy == "contradicting" or finding.evidence == "fails" for finding in findings),
        "little": sum(finding.evidence in ("little", "silent") for finding in findings),
    }
    page = page_template(Path(__file__).with_name("relations.html")).render(
        findings=findings, graph=graph, node=node, facts=facts, counts=counts
    )
    write_text(path, page)
