"""Send tasks out: as a table for spreadsheets, as one page, or as a project of Label Studio."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import pyarrow as pa

from tagger.cleaning.queue.table import catalog_identity
from tagger.cleaning.tasks.label_studio import write_project
from tagger.cleaning.tasks.page import write_page
from tagger.cleaning.tasks.spreadsheet import write_table
from tagger.cleaning.tasks.standard import Examples, write_standard
from tagger.cleaning.tasks.task import Tasks, remember
from tagger.data.catalog.store import CatalogStore
from tagger.data.taxonomy import Taxonomy
from tagger.errors import UserError

To = Literal["csv", "page", "label_studio"]


@dataclass(frozen=True)
class Exported:
    """What was written."""

    path: Path
    """The file to hand out, or the folder of a project."""
    standard: Path
    """The annotation standard of the labels that are asked about."""
    tasks: int
    labels: int


def export_tasks(
    queue: pa.Table,
    *,
    to: str,
    folder: Path,
    store: CatalogStore,
    taxonomy: Taxonomy,
    examples: Mapping[str, Examples] | None = None,
    confused: Mapping[str, Sequence[str]] | None = None,
    images: str | None = None,
    predictions: bool = True,
    workers: int = 0,
) -> Exported:
    """Write tasks for people into ``folder/tasks``, and note in ``folder/sent`` that they were asked.

    Args:
        queue: The tasks, of ``queue_table.QUEUE_SCHEMA``, best first.
        to: csv, page or label_studio.
        folder: Of the data set's cleaning.
        store: The catalog that the tasks are about.
        taxonomy: The labels.
        examples: Photos for the standard, by label, see :func:`tagger.cleaning.tasks.standard.examples_of`.
        confused: Labels that a label was found to be confused with, for the standard.
        images: Of Label Studio: what stands before a photo's path in its address; None puts photos into the tasks.
        predictions: Of Label Studio: whether an answer is suggested.
        workers: Processes that make photos small.

    Raises:
        UserError: If ``to`` is none of these, the queue is empty, or it does not fit the label system.
    """
    if to not in get_args(To):
        raise UserError(f"to={to} must be {', '.join(get_args(To))}")
    tasks = Tasks(queue, taxonomy, catalog_identity(store))
    out = folder / "tasks"
    labels = list(dict.fromkeys(queue["label"].to_pylist()))
    *_, standard = write_standard(taxonomy, folder / "standard", examples=examples, confused=confused, labels=labels)
    # Before the tasks are there: no verdict can come back about a task that nobody knows.
    remember(tasks, folder)
    if to == "csv":
        path = out / f"tasks-{tasks.id}.csv"
        write_table(tasks, path)
    elif to == "page":
        path = out / f"tasks-{tasks.id}.html"
        write_page(tasks, path, workers=workers)
    else:
        path = out / f"label_studio-{tasks.id}"
        write_project(tasks, path, images=images, predictions=predictions, workers=workers)
    return Exported(path, standard, len(tasks), len(labels))
