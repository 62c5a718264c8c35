"""Write a comparison: a README, a page, a table for programs, and what each version was."""

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from tagger.atomic import write_text
from tagger.errors import UserError
from tagger.studies.comparison.comparison import Comparison, Version
from tagger.studies.comparison.page import comparison_page, shown_photos
from tagger.studies.comparison.runs import Run
from tagger.studies.comparison.table import readme
from tagger.studies.places import settings_without_places, without_places
from tagger.tracking.labels_csv import written

MARKER = "<!-- python -m tagger.compare writes what is below this line, and keeps what is above it -->"

MACHINE = ("runs", "cache", "logger", "checkpoint_minutes", "seed")
"""Settings of a run that do not belong to its version: where things lie, and which of several it is."""


def write_comparison(
    output: Path,
    comparison: Comparison,
    runs: Mapping[str, Sequence[Run]],
    *,
    command: str,
    commit: str,
    pictures: bool = False,
) -> None:
    """Write ``comparison.json``, ``labels/``, ``configs/``, ``report.html`` and, last, ``README.md``.

    No written file says where anything lies on this machine. Text above the marker in ``README.md`` is kept.

    Args:
        output: A folder; made if it is not there.
        comparison: What came out.
        runs: What it came from.
        command: What was typed.
        commit: Of the code that compared.
        pictures: Whether the page shows photos. Licences of data sets may forbid to publish them.
    """
    try:
        for folder in (output, output / "labels", output / "configs"):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"output={output} cannot be made: {error.strerror}; name a folder that can") from error
    # Of versions that are compared no longer.
    for former in (*(output / "labels").glob("*.csv"), *(output / "configs").glob("*.yaml")):
        former.unlink()
    facts = facts_of(comparison, command=command, commit=commit)
    title = comparison.question or title_of(comparison)
    write_text(output / "comparison.json", as_json({"facts": facts} | asdict(comparison)))
    for version in comparison.versions.values():
        name = file_name(version.version)
        write_text(output / "configs" / f"{name}.yaml", settings_of(version, runs[version.version][0]))
        if version.labels:
            write_text(output / "labels" / f"{name}.csv", labels_table(version))
    shown = shown_photos(comparison, runs[comparison.baseline]) if pictures else {}
    write_text(output / "report.html", comparison_page(comparison, title=title, facts=facts, pictures=shown))
    write_text(output / "README.md", kept_text(output / "README.md", title=title) + readme(comparison, facts=facts))


def title_of(comparison: Comparison) -> str:
    """Return the headline of a comparison that asks nothing."""
    others = ", ".join(version.version for version in comparison.challengers)
    return f"{others} against {comparison.baseline}" if others else comparison.baseline


def facts_of(comparison: Comparison, *, command: str, commit: str) -> dict[str, str]:
    """Return what a reader needs to make the comparison again."""
    versions = comparison.versions.values()
    commits = dict.fromkeys(commit for version in versions for commit in version.commits)
    measured = f", annotations of {comparison.annotations}" if comparison.annotations else ""
    return {
        "command": without_places(command),
        "commit": commit,
        "commit of the runs": ", ".join(commits),
        "seeds": "; ".join(f"{v.version}: {', '.join(map(str, v.seeds))}" for v in versions),
        "data": f"{comparison.data}, fingerprint {comparison.data_fingerprint}{measured}",
        "label system": f"fingerprint {comparison.taxonomy_fingerprint}",
    }


def kept_text(path: Path, *, title: str) -> str:
    """Return what stands above the marker, with the marker; of a file that has none, all of it.

    Without a file it is the title alone.
    """
    if not path.is_file():
        return f"# {title}\n\n{MARKER}\n\n"
    above, _, _ = path.read_text(encoding="utf-8").partition(MARKER)
    return f"{above.rstrip()}\n\n{MARKER}\n\n"


def settings_of(version: Version, run: Run) -> str:
    """Return the resolved settings of a version as YAML, without what belongs to one machine or one run."""
    settings = {name: value for name, value in run.config.items() if name not in MACHINE}
    seeds = ", ".join(map(str, version.seeds))
    command, commits = without_places(run.facts["command"]), ", ".join(version.commits)
    preface = f"# {command}\n# {version.version}, seeds {seeds}, commit {commits}\n"
    return preface + OmegaConf.to_yaml(OmegaConf.create(settings_without_places(settings)))


def labels_table(version: Version) -> str:
    """Return the labels of a version as CSV, in the order of the label system."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    columns = (
        *("id", "name_en", "train_photos", "test_photos", "baseline_ap", "ap", "difference", "low", "high", "p"),
        *("verdict", "baseline_precision", "precision"),
    )
    table.writerow(columns)
    for label in version.labels:
        flat = asdict(label) | {
            "name_en": label.names.get("en", ""),
            "difference": label.difference.value,
            "low": label.difference.low,
            "high": label.difference.high,
            "verdict": label.verdict,
        }
        table.writerow([written(flat[column]) for column in columns])
    return text.getvalue()


def as_json(tree: Any) -> str:
    """Return a tree as JSON, in which what has no answer is null and not NaN."""
    return json.dumps(_finite(tree), indent=1, ensure_ascii=False)


def file_name(version: str) -> str:
    """Return a version's name as that of a file.

    Example:
        >>> file_name("v1.0"), file_name("../v 1")
        ('v1.0', '-v-1')
    """
    return re.sub(r"[^\w.-]+", "-", version).lstrip(".") or "version"


def _finite(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {key: _finite(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_finite(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree
