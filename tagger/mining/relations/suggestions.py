"""Suggested relations as a YAML file: to be looked at and cut down by hand; what is left of it is accepted.

- {label: animal.coral, implies: scene.sea}   # 78 of 81 photos, of all such 0.91 or more; 28 times what chance gives
"""

from collections.abc import Mapping, Sequence

from tagger.data.taxonomy.writing import as_word
from tagger.mining.relations.finding import Finding
from tagger.pages.template import figure
from tagger.pages.visible import visible


def suggestions(findings: Sequence[Finding], *, facts: Mapping[str, str]) -> str:
    """Return the file's text: implications in force, exclusions behind a ``#``.

    Args:
        findings: All; only those that are suggested are written.
        facts: Written at the top, by name.
    """
    put = [finding for finding in findings if finding.is_suggested]
    implied = [finding for finding in put if finding.kind == "implies"]
    excluded = [finding for finding in put if finding.kind == "excludes"]
    lines = [f"# {name}: {visible(fact)}" for name, fact in facts.items()]
    lines += [
        "# Look at each, delete what is not true, then let patch=<this file> to=<a new label system> write it.",
        "",
    ]
    lines.append("relations:" if put else "relations: []")
    for finding in implied:
        lines.append(f"  - {{label: {as_word(finding.label)}, {_stated(finding)}}}   # {_reason(finding)}")
    if excluded:
        lines += ["", "  # Never together; only you know whether they cannot be. Without the # the line is in force."]
    for finding in excluded:
        seldom = f"0 of {figure(finding.photos, 0)} photos, {figure(finding.by_chance, 0)} by chance"
        lines.append(f"  # - {{label: {as_word(finding.label)}, {_stated(finding)}}}   # {seldom}{_elsewhere(finding)}")
    return "\n".join(lines) + "\n"


def _stated(finding: Finding) -> str:
    """Return key and value; only another label system can know that the one is a kind of the other."""
    is_kind = finding.kind == "implies" and ": known" in finding.elsewhere
    return f"{'parents' if is_kind else finding.kind}: {as_word(finding.other)}"


def _reason(finding: Finding) -> str:
    counts = f"{figure(finding.together, 0)} of {figure(finding.photos, 0)} photos"
    bound, lift = figure(finding.confidence_low, 2), figure(finding.lift, 1)
    return f"{counts}, of all such {bound} or more; {lift} times what chance gives{_elsewhere(finding)}"


def _elsewhere(finding: Finding) -> str:
    return f"; {finding.elsewhere}" if finding.elsewhere else ""
