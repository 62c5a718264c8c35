"""step=queue: which photos people should look at, for which labels."""

import numpy as np
import pyarrow as pa
import torch
from omegaconf import DictConfig, ListConfig
from scipy.sparse import csr_array

from tagger.cleaning.opened import Cleaning
from tagger.cleaning.queue.choosing import RANKS, choose
from tagger.cleaning.queue.joining import before
from tagger.cleaning.queue.making import Known, drawn_tasks, make_queue
from tagger.cleaning.queue.sampling import asked_again, sampled
from tagger.cleaning.queue.searched import searched_tasks, searches_of
from tagger.cleaning.queue.summary import queue_summary
from tagger.cleaning.queue.table import AGAIN, MISSING, MISTAKEN, QUEUE, SAMPLE, write_queue
from tagger.cleaning.scoring.scores import Scores, ScoresError, read_scores
from tagger.cleaning.scoring.turns import rows_of
from tagger.cleaning.steps.labels import ranked_labels
from tagger.cleaning.verdicts.decisions import decided_pairs
from tagger.cleaning.verdicts.people import decided, said_by_people
from tagger.data.catalog.precedence import current, states
from tagger.data.catalog.reading import statements, visible
from tagger.data.embeddings import Features
from tagger.data.taxonomy import Taxonomy
from tagger.errors import UserError
from tagger.studies.composing import composed, composing
from tagger.training.building import build_data, build_network


def run(cleaning: Cleaning) -> None:
    """Write the queue, and say what is in it."""
    config, store = cleaning.config, cleaning.store
    _check(config)
    closed = decided(said_by_people(store), rows_of(store), cleaning.data.taxonomy)
    # Nothing is closed to those who want to ask again.
    not_again = csr_array(closed.shape, dtype=np.int8) if config.decided else closed
    parts = [_doubtful(cleaning, not_again)] if config.kinds else []
    parts += [_sample(cleaning, closed)] if config.sample else []
    parts += [_again(cleaning)] if config.again else []
    queue = pa.concat_tables(parts)
    write_queue(cleaning.folder / QUEUE, queue)
    cleaning.console.print(queue_summary(queue, shown=config.shown))
    cleaning.say(f"queue   {cleaning.folder / QUEUE}, {len(queue):,} questions")
    cleaning.say("next    python -m tagger.clean step=export to=page (or label_studio, csv) with the same data=…")


def _doubtful(cleaning: Cleaning, closed: csr_array) -> pa.Table:
    """Return the questions about what searches found, and behind them those about what the scores contradict."""
    config, store, taxonomy = cleaning.config, cleaning.store, cleaning.data.taxonomy
    named = None if config.labels in ("all", "auto") else named_columns(config.labels, taxonomy)
    try:
        scores = read_scores(cleaning.folder, taxonomy, photos=store.manifest.rows["photos"])
        columns = columns_of(config.labels, cleaning, scores) if named is None else named
    except (ScoresError, NoDirtyLabelError) as error:
        searched = _searched(cleaning, closed, named, None, budget=config.budget)
        if not len(searched):
            raise
        cleaning.say(f"Only what searches found is asked about: {error}")
        return searched
    # As much of the budget as its kind has.
    share = None if config.budget is None else -(-config.budget // len(config.kinds))
    searched = _searched(cleaning, closed, named, scores, budget=share)
    left = None if config.budget is None else config.budget - len(searched)
    return before(searched, _probably_wrong(cleaning, closed, scores, columns, budget=left))


def _searched(
    cleaning: Cleaning, closed: csr_array, columns: list[int] | None, scores: Scores | None, *, budget: int | None
) -> pa.Table:
    """Return the questions about what searches found."""
    config, store = cleaning.config, cleaning.store
    return searched_tasks(
        store,
        cleaning.data.catalog,
        closed=closed,
        searches=searches_of(store) if MISSING in config.kinds else (),
        scores=None if scores is None else scores.values[rows_of(store)],
        columns=columns,
        budget=budget,
        per_label=config.per_label,
        overlap=config.overlap,
    )


def _probably_wrong(
    cleaning: Cleaning, closed: csr_array, scores: Scores, columns: list[int], *, budget: int | None
) -> pa.Table:
    """Return the questions about what the scores contradict."""
    config, data, store = cleaning.config, cleaning.data, cleaning.store
    # Of photos that came after the scoring nothing is known that would speak for asking.
    rows = rows_of(store)
    scored = np.flatnonzero(scores.is_scored[rows])
    rows, catalog = rows[scored], data.catalog.take(scored)
    annotations, values = visible(store), scores.values[rows]
    holding, _ = current(statements(annotations, data.taxonomy)[0])
    chosen = choose(
        values,
        catalog.states,
        unknown=np.asarray(data.weights)[data.kinds[scored]],
        annotated=states(holding, photos=store.manifest.rows["photos"], labels=len(data.taxonomy))[rows],
        closed=closed[scored],
        columns=columns,
        kinds=config.kinds,
        rank=config.rank,
        noise=config.noise,
        budget=budget,
        per_label=config.per_label,
    )
    features = scoring_features(scores) if config.neighbours else None
    known = Known(
        catalog=catalog,
        scores=values,
        rows=rows,
        annotations=annotations,
        photos=store.table("photos", ["group", "look"]).take(rows),
        features=None if features is None else features[scored],
    )
    if scores.facts["data_fingerprint"] != data.catalog.fingerprint:
        cleaning.say("The annotations have changed since step=score, which would score them anew.")
    if config.neighbours and features is None:
        cleaning.say("Neighbours were not asked: the models that scored kept no features (regime=cached keeps them).")
    return make_queue(chosen, known, overlap=config.overlap)


def _sample(cleaning: Cleaning, closed: csr_array) -> pa.Table:
    """Return questions drawn at random from the test fold: how many of its labels are wrong."""
    config, data = cleaning.config, cleaning.data
    fold = data.test_rows
    unknown = np.asarray(data.weights)[data.kinds[fold]]
    pairs = sampled(
        data.catalog.states, fold, count=config.sample, unknown=unknown, closed=closed, seed=config.sample_seed
    )
    if not len(pairs[0]):
        raise UserError(f"sample={config.sample}: of the test photos people have decided everything; leave it out")
    return drawn_tasks(SAMPLE, data.catalog, *pairs, overlap=config.overlap)


def _again(cleaning: Cleaning) -> pa.Table:
    """Return questions that one person has answered, for another: how far people can be trusted."""
    config, data = cleaning.config, cleaning.data
    people = decided_pairs(cleaning.store, data.taxonomy, rows_of(cleaning.store))
    asked = asked_again(people, count=config.again, seed=config.sample_seed)
    if not len(asked[0]):
        several = (
            "all that people decided was decided by several" if len(people[0]) else "nobody has decided anything yet"
        )
        raise UserError(f"again={config.again}: {several}; import verdicts first (step=import), or leave it out")
    # One other person: the first has answered.
    return drawn_tasks(AGAIN, data.catalog, *asked)


class NoDirtyLabelError(UserError):
    """Of all labels none is dirty, so there is nothing to ask about."""


def columns_of(wanted: str, cleaning: Cleaning, scores: Scores) -> list[int]:
    """Return the columns of all labels, or of those that are dirty.

    Raises:
        NoDirtyLabelError: If ``auto`` finds none.
    """
    taxonomy = cleaning.data.taxonomy
    if wanted == "all":
        return list(range(len(taxonomy)))
    dirty = [label.label for label in ranked_labels(cleaning, scores) if label.reason == "dirty"]
    if not dirty:
        raise NoDirtyLabelError(
            "labels=auto: no label is dirty, as python -m tagger.clean step=labels shows; give labels=all, "
            "labels=[…] with the ids of some, or a smaller below="
        )
    return [taxonomy.column[label] for label in dirty]


def named_columns(wanted: str | ListConfig, taxonomy: Taxonomy) -> list[int]:
    """Return the columns of the labels that are named.

    Raises:
        UserError: If a label is not there.
    """
    # A label may be called 2019.
    names = [wanted] if isinstance(wanted, str) else [str(name) for name in wanted]
    for name in names:
        if name not in taxonomy.column:
            near = taxonomy.nearest(name)
            raise UserError(
                f"labels: {taxonomy.name} has no label {name!r}{f', did you mean {near!r}' if near else ''}; "
                "give ids in brackets, auto (those that step=labels calls dirty), or all"
            )
    return [taxonomy.column[name] for name in names]


def scoring_features(scores: Scores) -> Features | None:
    """Return the features by which the models scored all photos with a file, (photos, …); None if they kept none."""
    with composing():
        config = composed("train", scores.facts["words"])
        data = build_data(config)
        network = build_network(config, len(data.taxonomy))
    if not config.regime.views:
        return None
    data.prepare(network.normalisation)
    data.cache_features(network.backbone, 1, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    return data.views[0]


def _check(config: DictConfig) -> None:
    if config.rank not in RANKS:
        raise UserError(f"rank={config.rank} must be {' or '.join(RANKS)}")
    if not set(config.kinds) <= {MISSING, MISTAKEN}:
        raise UserError(f"kinds={list(config.kinds)} must be {MISSING}, {MISTAKEN} or both: kinds=[{MISSING}]")
    for name in ("sample", "again"):
        if config[name] < 0:
            raise UserError(f"{name}={config[name]} must be 0 or more: questions drawn at random")
    if not config.kinds and not config.sample and not config.again:
        raise UserError("kinds=[] asks nothing: name kinds, or draw at random by sample=… or again=…")
    for name in ("budget", "per_label"):
        if config[name] is not None and config[name] < 1:
            raise UserError(f"{name}={config[name]} must be 1 or more; null for no limit")
    if not 0 < config.noise < 1:
        raise UserError(f"noise={config.noise} must lie between 0 and 1: the share of annotations expected to be wrong")
    if not 0 <= config.overlap <= 1:
        raise UserError(f"overlap={config.overlap} must lie in 0..1: the share of the tasks that two people answer")
