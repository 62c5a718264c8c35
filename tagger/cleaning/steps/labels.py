"""step=labels: which labels are dirty, and which want photos."""

import numpy as np

from tagger.cleaning.labels import labels_to_clean, write_labels_to_clean
from tagger.cleaning.labels_page import write_page
from tagger.cleaning.labels_table import labels_table
from tagger.cleaning.opened import Cleaning
from tagger.cleaning.scores import read_scores
from tagger.cleaning.scoring import rows_of
from tagger.data.dataset import dense_states


def run(cleaning: Cleaning) -> None:
    """Say which labels to clean, and why."""
    config, data, folder = cleaning.config, cleaning.data, cleaning.folder
    scores = read_scores(folder, data.taxonomy, photos=cleaning.store.manifest.rows["photos"])
    rows = rows_of(cleaning.store)
    scored = np.flatnonzero(scores.is_scored[rows])
    ranked = labels_to_clean(
        scores.values[rows[scored]],
        dense_states(data.catalog.states, scored),
        data.taxonomy.ids,
        unknown=data.weights,
        kinds=data.kinds[scored],
        enough=config.enough,
        poor=config.poor,
        below=config.below,
    )
    write_labels_to_clean(folder / "labels_to_clean.csv", ranked)
    is_current = scores.facts["data_fingerprint"] == data.catalog.fingerprint
    facts = {"data": data.taxonomy.name, "photos scored": f"{len(scored):,}", "scored by": scores.facts["command"]}
    write_page(folder / "labels_to_clean.html", ranked, facts=facts)
    cleaning.console.print(labels_table(ranked, shown=config.shown))
    if not is_current:
        cleaning.say("The annotations have changed since step=score, which would score them anew.")
    cleaning.say(f"labels  {folder / 'labels_to_clean.csv'}\npage    {folder / 'labels_to_clean.html'}")
