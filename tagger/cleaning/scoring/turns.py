"""Out-of-fold scores: ten runs, each of which tests another fold, so that every photo is scored by a model new to it.

The runs are jobs of a study: each a process of its own, never run again once it has finished, gone on with where it was
cut. They lie under the fingerprint of the data that they were trained on: after a cleaning, scoring begins anew.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tagger.cleaning.scoring.scores import Scores, ScoresError, write_scores
from tagger.data.catalog import FOLDS, Catalog, CatalogStore
from tagger.data.catalog.sightings import trained_rows
from tagger.studies.job import jobs_of
from tagger.studies.running import Say, run_job
from tagger.studies.status import JobStatus, job_statuses, left
from tagger.studies.study import Study
from tagger.tracking.run_folder import commit_of_code


def score_photos(
    store: CatalogStore,
    catalog: Catalog,
    words: Sequence[str],
    *,
    folder: Path,
    minutes: float,
    stop_seconds: float,
    command: str,
    say: Say,
) -> Scores:
    """Train the turns that are missing and write what each says about the fold that it tested.

    Args:
        store: The catalog on disk.
        catalog: What training sees of it.
        words: Of ``python -m tagger.train``: the data set and how to train on it.
        folder: Of the data set's cleaning; the runs are kept under ``runs`` in it.
        minutes: How long a turn may take.
        stop_seconds: How long it may take to stop.
        command: What was typed.
        say: Told when a turn starts and ends.

    Raises:
        ScoresError: If a turn failed; each is named with its reason and the file that holds its output.
    """
    study = turns_of(catalog.fingerprint, words, minutes=minutes)
    runs = folder / "runs"
    for job in jobs_of(study, runs):
        run_job(job, minutes=minutes, stop_seconds=stop_seconds, parent=None, say=say)
    statuses = job_statuses(study, runs)
    if missing := left(statuses):
        logs = {status.job.version: status.job.own / "output.log" for status in statuses}
        reasons = "; ".join(f"{one.version} {one.state}: {one.reason} ({logs[one.version]})" for one in missing)
        raise ScoresError(f"{len(missing)} of {FOLDS} turns have no scores, type the command again to go on: {reasons}")
    values = gathered(statuses, catalog, photos=store.manifest.rows["photos"], rows=rows_of(store))
    facts = {
        "command": command,
        "when": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S+00:00}",
        # What of it people had decided by then, for the curve of what that bought.
        "batches": [batch.number for batch in store.manifest.batches if not batch.undone],
        "commit": commit_of_code(),
        "data_fingerprint": catalog.fingerprint,
        "taxonomy_fingerprint": catalog.taxonomy.fingerprint,
        "words": list(words),
        "labels": list(catalog.taxonomy.ids),
        "turns": [_turn(status) for status in statuses],
    }
    return write_scores(folder, values, facts)


def turns_of(fingerprint: str, words: Sequence[str], *, minutes: float) -> Study:
    """Return the ten turns as a study of ten versions.

    Example:
        >>> turns_of("ab12", ["data=sample"], minutes=5).versions["turn9"]
        ('+data.turn=9',)
    """
    return Study(
        name=fingerprint,
        question="What does a model say about photos that it has not seen?",
        baseline="turn0",
        seeds=(0,),
        words=tuple(words),
        versions={f"turn{turn}": (f"+data.turn={turn}",) for turn in range(FOLDS)},
        minutes=minutes,
    )


def rows_of(store: CatalogStore) -> np.ndarray:
    """Return the row in the table ``photos`` of every photo that training sees; int64."""
    return trained_rows(store)


def gathered(statuses: Sequence[JobStatus], catalog: Catalog, *, photos: int, rows: np.ndarray) -> np.ndarray:
    """Return what the turns say about the folds that they tested, float16 (photos, labels).

    Args:
        statuses: The finished turns.
        catalog: What they were trained on.
        photos: Rows of the result.
        rows: The row in it of every photo of ``catalog``.

    Raises:
        ScoresError: If two turns tested the same photo.
    """
    values = np.full((photos, len(catalog.taxonomy)), np.nan, dtype=np.float16)
    times = np.zeros(len(catalog), dtype=np.int64)
    for status in statuses:
        assert status.run is not None
        with np.load(status.run / "test_scores.npz", allow_pickle=False) as tested:
            times[tested["rows"]] += 1
            values[rows[tested["rows"]]] = tested["scores"]
    # A photo may have been removed from the disk since the catalog was prepared: then nobody scored it.
    if (times > 1).any():
        raise ScoresError(f"{catalog.place(int(times.argmax()))} was tested by {times.max()} turns and not by one")
    return values


def _turn(status: JobStatus) -> dict[str, Any]:
    assert status.run is not None
    metrics = json.loads((status.run / "metrics.json").read_text(encoding="utf-8"))
    turn = int(status.job.version.removeprefix("turn"))
    return {
        "turn": turn,
        "run": str(status.run),
        "val_map": metrics.get("val/map"),
        "test_map": metrics.get("test/map"),
    }
