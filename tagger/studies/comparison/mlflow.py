"""The comparison in MLflow: in the run that is the parent of those it compares."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tagger.studies.comparison.comparison import Comparison
from tagger.studies.comparison.verdict import headline, verdict

if TYPE_CHECKING:
    from mlflow import MlflowClient

FILES = ("README.md", "report.html", "comparison.json")


def log_comparison(client: "MlflowClient", run_id: str, comparison: Comparison, *, folder: Path) -> None:
    """Log figures, table and pages to a run.

    Args:
        client: Of the server that has the run.
        run_id: The run.
        comparison: What came out.
        folder: Where it was written to.
    """
    import pandas as pd

    for name, value in metrics(comparison).items():
        client.log_metric(run_id, name, value)
    client.set_tag(run_id, "compare.answer", headline(comparison))
    for version in comparison.challengers:
        client.set_tag(run_id, f"compare.{metric_word(version.version)}", verdict(comparison, version))
    # As objects: MLflow 3.17 asks pandas 3 for columns of objects, and is warned of every column of texts.
    client.log_table(run_id, pd.DataFrame(table(comparison), dtype=object), "comparison_table.json")
    for name in FILES:
        client.log_artifact(run_id, str(folder / name))
    for name in ("labels", "configs"):
        client.log_artifacts(run_id, str(folder / name), name)


def metrics(comparison: Comparison) -> dict[str, float]:
    """Return every figure as ``compare/<version>/<figure>``, and its ``…_difference``, ``…_low`` and ``…_high``."""
    flat = {}
    for version in comparison.versions.values():
        place = f"compare/{metric_word(version.version)}"
        for name, figure in version.figures.items():
            flat[f"{place}/{name}"] = figure.value
            if figure.difference:
                flat[f"{place}/{name}_difference"] = figure.difference.value
                flat[f"{place}/{name}_low"] = figure.difference.low
                flat[f"{place}/{name}_high"] = figure.difference.high
        if version.labels:
            for word in ("better", "worse"):
                flat[f"{place}/labels_{word}"] = float(len(version.labels_with(word)))
    return flat


def table(comparison: Comparison) -> dict[str, list[str | float | None]]:
    """Return a row for every figure of every version, by column."""
    columns: dict[str, list[str | float | None]] = {
        name: [] for name in ("version", "experiment", "figure", "value", "difference", "low", "high", "verdict")
    }
    for version in comparison.versions.values():
        for name, figure in version.figures.items():
            change = figure.difference
            row: dict[str, str | float | None] = {
                "version": version.version,
                "experiment": version.experiment,
                "figure": name,
                "value": figure.value,
                "difference": change.value if change else None,
                "low": change.low if change else None,
                "high": change.high if change else None,
                "verdict": change.verdict if change else None,
            }
            for column, value in row.items():
                columns[column].append(value)
    return columns


def metric_word(version: str) -> str:
    """Return a version as part of a metric's name.

    Example:
        >>> metric_word("v1.0"), metric_word("v2 +focal/γ")
        ('v1.0', 'v2-focal-')
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", version)
