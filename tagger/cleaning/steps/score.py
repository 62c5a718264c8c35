"""step=score: every photo is scored by a model that has not seen it."""

import shlex

from tagger.cleaning.opened import Cleaning
from tagger.cleaning.scoring.table import scoring_table
from tagger.cleaning.scoring.turns import score_photos


def run(cleaning: Cleaning) -> None:
    """Score every photo by a model that has not seen it."""
    config, train = cleaning.config, shlex.split(cleaning.config.train)
    # Ten runs that nobody compares; who wants them in MLflow says so.
    logger = [] if any(word.startswith("logger=") for word in train) else ["logger=csv"]
    scores = score_photos(
        cleaning.store,
        cleaning.data.catalog,
        [*cleaning.words, *logger, *train],
        folder=cleaning.folder,
        minutes=config.minutes,
        stop_seconds=config.stop_seconds,
        command=cleaning.command,
        say=cleaning.say,
    )
    cleaning.console.print(scoring_table(scores))
    cleaning.say(f"{int(scores.is_scored.sum()):,} photos scored by models that had not seen them")
    cleaning.say(f"scores  {cleaning.folder / 'scores.npy'} and scores.json")
