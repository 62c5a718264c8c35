"""step=export: the questions of the queue, for people to answer."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from tagger.cleaning.counted import counted
from tagger.cleaning.opened import Cleaning
from tagger.cleaning.queue.table import QUEUE, read_queue
from tagger.cleaning.scoring.scores import FACTS, read_scores
from tagger.cleaning.scoring.turns import rows_of
from tagger.cleaning.tasks.confusions import confused_labels
from tagger.cleaning.tasks.exporting import export_tasks
from tagger.cleaning.tasks.standard import examples_of
from tagger.data.dataset import dense_states
from tagger.data.states import PRESENT

HAND_OUT = {
    "page": "open it in any browser, or hand it out; Save writes the file that comes back",
    "csv": "fill in the column verdict (yes, no, unsure) and save it as CSV",
    "label_studio": "import its tasks.json into a project with its config.xml as labelling interface, then export JSON",
}
"""What to do with what was written."""


def run(cleaning: Cleaning) -> None:
    """Write the questions and the standard to answer them by."""
    config, data = cleaning.config, cleaning.data
    queue = read_queue(cleaning.folder / QUEUE)
    done = export_tasks(
        queue,
        to=config.to,
        folder=cleaning.folder,
        store=cleaning.store,
        taxonomy=data.taxonomy,
        examples=examples_of(data.catalog, without=asked(queue)),
        confused=confused(cleaning, queue),
        images=config.images,
        predictions=config.predictions,
        workers=config.data.workers,
    )
    cleaning.say(f"{counted(done.tasks, 'question')} about {counted(done.labels, 'label')}; {HAND_OUT[config.to]}")
    cleaning.say(f"{config.to:<12}  {done.path}")
    cleaning.say(f"standard      {done.standard}")
    cleaning.say(f"then          {cleaning.command_of('clean', 'step=import')} from=FILE")


def confused(cleaning: Cleaning, queue: pa.Table) -> Mapping[str, list[str]]:
    """Return what the labels that are asked about are confused with, by the scores that the queue is made of."""
    if not (cleaning.folder / FACTS).is_file():
        return {}
    taxonomy, catalog = cleaning.data.taxonomy, cleaning.data.catalog
    scores = read_scores(cleaning.folder, taxonomy, photos=cleaning.store.manifest.rows["photos"])
    rows = rows_of(cleaning.store)
    scored = np.flatnonzero(scores.is_scored[rows])
    columns = [taxonomy.column[label] for label in set(queue["label"].to_pylist()) & set(taxonomy.ids)]
    found = confused_labels(
        scores.values[rows[scored]],
        dense_states(catalog.states, scored) == PRESENT,
        columns=columns,
        follows=taxonomy.closure,
    )
    return {taxonomy.ids[column]: [taxonomy.ids[other] for other in others] for column, others in found.items()}


def asked(queue: pa.Table) -> Mapping[str, set[str]]:
    """Return the photos that are asked about, by label: they are no examples to answer by."""
    found: dict[str, set[str]] = {}
    for label, photo_id in zip(queue["label"].to_pylist(), queue["photo_id"].to_pylist(), strict=True):
        found.setdefault(label, set()).add(photo_id)
    return found
