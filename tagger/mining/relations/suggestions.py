"""Suggested relations as a YAML file: to be looked at, cut down by hand, then written into a copy of the label system.

# 62 of 62 photos, of all such 0.96 or more; 32 times as many as by chance
- {label: activity.motorsport, implies: object.car}
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from tagger.data.taxonomy import Taxonomy
from tagger.data.taxonomy.checks import RELATIONS
from tagger.data.taxonomy.file import taxonomy_file
from tagger.data.taxonomy.growing import write_checked
from tagger.data.taxonomy.relating import Addition, as_word, with_relations
from tagger.errors import UserError
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
        lines += [f"  # {_reason(finding)}", f"  - {{label: {as_word(finding.label)}, {_stated(finding)}}}"]
    if excluded:
        lines += ["", "  # Never together; only you know whether they cannot be. Without the # the line is in force."]
    for finding in excluded:
        seldom = f"0 of {figure(finding.photos, 0)} photos, {figure(finding.by_chance, 0)} by chance"
        lines.append(f"  # - {{label: {as_word(finding.label)}, {_stated(finding)}}}   # {seldom}{_elsewhere(finding)}")
    return "\n".join(lines) + "\n"


def _stated(finding: Finding) -> str:
    """Return key and value; only another label system can know that the one is a kind of the other."""
    is_kind = finding.kind == "implies" and finding.elsewhere.endswith(": known")
    return f"{'parents' if is_kind else finding.kind}: {as_word(finding.other)}"


def _reason(finding: Finding) -> str:
    counts = f"{figure(finding.together, 0)} of {figure(finding.photos, 0)} photos"
    bound, lift = figure(finding.confidence_low, 2), figure(finding.lift, 1)
    return f"{counts}, of all such {bound} or more; {lift} times as many as by chance{_elsewhere(finding)}"


def _elsewhere(finding: Finding) -> str:
    return f"; {finding.elsewhere}" if finding.elsewhere else ""


def read_suggestions(path: Path) -> list[Addition]:
    """Read what is left of the suggestions.

    Raises:
        UserError: If the file is not there, not YAML, or holds something else than relations.
    """
    if not path.is_file():
        raise UserError(f"patch={path}: there is no such file; what=relations without patch= writes one")
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"patch={path}: not YAML in UTF-8: {error}") from error
    entries = tree.get("relations") if isinstance(tree, dict) else None
    if not isinstance(entries, list | None) or not isinstance(tree, dict) or set(tree) != {"relations"}:
        raise UserError(f"patch={path}: expected 'relations:' and a list, as what=relations writes it")
    if not entries:
        raise UserError(f"patch={path}: no relation is left in it; there is nothing to write")
    return [_addition(entry, path) for entry in entries]


def _addition(entry: object, path: Path) -> Addition:
    if isinstance(entry, dict) and len(entry) == 2 and all(isinstance(value, str) for value in entry.values()):
        (key, *more) = [key for key in entry if key != "label"]
        if not more and key in RELATIONS:
            return Addition(entry["label"], key, entry[key])
    keys = ", ".join(RELATIONS)
    raise UserError(f"patch={path}: expected {{label: …, implies: …}} with one of {keys}, got {entry!r}")


def write_grown(source: str, target: Path, additions: Sequence[Addition]) -> Taxonomy:
    """Write a label system with further relations beside the one that it is made from, and return it.

    Args:
        source: Its name under ``conf/taxonomy``, or its path.
        target: Where the new one goes.
        additions: What it states beyond the old one.

    Raises:
        UserError: If the target is there already, is no ``.yaml``, or the relations contradict the label system; then
            nothing is written.
    """
    if target.exists():
        raise UserError(f"to={target} is there already; give another name: what people wrote is not written over")
    return write_checked(target, with_relations(taxonomy_file(source).read_text(encoding="utf-8"), additions))
