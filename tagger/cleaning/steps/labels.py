"""step=labels: which labels are dirty, and which want photos."""

import numpy as np

from tagger.cleaning.labels.page import write_page
from tagger.cleaning.labels.ranked import LabelToClean, labels_to_clean, write_labels_to_clean
from tagger.cleaning.labels.table import labels_table
from tagger.cleaning.opened import Cleaning
from tagger.cleaning.scoring.scores import Scores, read_scores
from tagger.cleaning.scoring.turns import rows_of
from tagger.data.dataset import dense_states


def run(cleaning: Cleaning) -> None:
    """Say which labels to clean, and why."""
    config, data, folder = cleaning.config, cleaning.data, cleaning.folder
    scores = read_scores(folder, data.taxonomy, photos=cleaning.store.manifest.rows["photos"])
    ranked = ranked_labels(cleaning, scores)
    write_labels_to_clean(folder / "labels_to_clean.csv", ranked)
    is_current = scores.facts["data_fingerprint"] == data.catalog.fingerprint
    photos = int(scores.is_scored[rows_of(cleaning.store)].sum())
    facts = {"data": data.taxonomy.name, "photos scored": f"{photos:,}", "scored by": scores.facts["command"]}
    write_page(folder / "labels_to_clean.html", ranked, facts=facts)
    cleaning.console.print(labels_table(ranked, shown=config.shown))
    if not is_current:
        cleaning.say("The annotations have changed since step=score, which would score them anew.")
    cleaning.say(f"labels  {folder / 'labels_to_clean.csv'}\npage    {folder / 'labels_to_clean.html'}")


def ranked_labels(cleaning: Cleaning, scores: Scores) -> list[LabelToClean]:
    """Return the labels, ranked by whether cleaning them would pay, by the settings of the step."""
    config, data = cleaning.config, cleaning.data
    rows = rows_of(cleaning.store)
    scored = np.flatnonzero(scores.is_scored[rows])
    return labels_to_clean(
        scores.values[rows[scored]],
        dense_states(data.catalog.states, scored),
        data.taxonomy.ids,
        unknown=data.weights,
        kinds=data.kinds[scored],
        enough=config.enough,
        poor=config.poor,
        below=config.below,
    )
