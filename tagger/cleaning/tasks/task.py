"""Tasks as people read them: the question, what speaks for it, and the label's definition."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tagger.atomic import written_whole
from tagger.cleaning.queue.table import MISSING, MISTAKEN
from tagger.data.states import ABSENT, PRESENT
from tagger.data.storage import location
from tagger.data.taxonomy import Label, Taxonomy
from tagger.errors import UserError

VERDICTS = ("present", "absent", "unsure")
"""What an annotator may answer."""

SUGGESTED = {MISSING: "present", MISTAKEN: "absent"}
"""What the evidence suggests, by kind. Of the other kinds, drawn at random, annotators are told nothing."""


class Sent(NamedTuple):
    """What is remembered of a task that was sent out."""

    photo_id: str
    label: str
    kind: str
    state: int | None
    """PRESENT, ABSENT or UNKNOWN as it was then; None if the queue does not tell."""


@dataclass(frozen=True)
class Task:
    """One question about one photo."""

    id: str
    photo_id: str
    photo: str
    """Where the photo lies: a path or a URL."""
    label: Label
    kind: str
    suggested: str | None
    """present or absent: what the evidence suggests; None of tasks drawn at random."""
    score: float | None
    """What the model gives the label, out of fold, 0..1."""
    evidence: tuple[str, ...]
    """What is known, for people, a line each; nothing of tasks drawn at random."""
    overlap: int
    """Annotators wanted."""

    @property
    def name(self) -> str:
        return name_of(self.label)

    @property
    def question(self) -> str:
        return f"Is this on the photo: {self.name}?"


@dataclass(frozen=True)
class Tasks:
    """Tasks of a queue, best first.

    Raises:
        UserError: If there are none, one comes twice, or one is about a label that the label system does not have.
    """

    queue: pa.Table
    """Rows of ``queue_table.QUEUE_SCHEMA``."""
    taxonomy: Taxonomy
    catalog: str
    """Identity of the catalog, see :func:`tagger.cleaning.queue.table.catalog_identity`."""

    def __post_init__(self) -> None:
        if not len(self.queue):
            raise UserError(
                "the queue has no tasks: nothing to send out; make it with python -m tagger.clean step=queue"
            )
        if pc.count_distinct(self.queue["task_id"]).as_py() < len(self.queue):
            raise UserError("a task of the queue comes twice: make it anew with python -m tagger.clean step=queue")
        strange = [label for label in pc.unique(self.queue["label"]).to_pylist() if label not in self.taxonomy.column]
        if strange:
            raise UserError(
                f"the queue asks about {strange[0]!r}, which the label system {self.taxonomy.name!r} does not have; "
                "make the queue anew with python -m tagger.clean step=queue"
            )

    def __len__(self) -> int:
        return len(self.queue)

    def __iter__(self) -> Iterator[Task]:
        for row in self.queue.to_pylist():
            yield Task(
                id=row["task_id"],
                photo_id=row["photo_id"],
                photo=location(row["root"], row["path"]),
                label=self.taxonomy.labels[self.taxonomy.column[row["label"]]],
                kind=row["kind"],
                suggested=SUGGESTED.get(row["kind"]),
                score=row["score"],
                evidence=tuple(evidence(row)) if row["kind"] in SUGGESTED else (),
                overlap=row["overlap"] or 1,
            )

    @cached_property
    def id(self) -> str:
        """16 hex digits that name just these tasks."""
        digest = hashlib.sha256(self.catalog.encode())
        for task in self.queue["task_id"].to_pylist():
            digest.update(task.encode())
        return digest.hexdigest()[:16]


def name_of(label: Label) -> str:
    """Return what a label is called, in English if it has such a name.

    Example:
        >>> name_of(Label("animal.dog", {"zh": "狗", "en": "dog"})), name_of(Label("animal.dog", {}))
        ('dog', 'animal.dog')
    """
    return label.names.get("en") or next(iter(label.names.values()), label.id)


def evidence(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a row of the queue says, in words.

    Example:
        >>> list(evidence({"state": 1, "said_by": "corel5k", "score": 0.034, "neighbours": 0.1}))
        ['now present, says corel5k', 'the model gives 0.03', '10 % of the nearest photos have it']
    """
    state = {PRESENT: "now present", ABSENT: "now absent"}.get(row["state"], "now unknown")
    # Who says something else than what holds is named with what they say.
    says = f": {row['said_by']}" if ": " in (row.get("said_by") or "") else f", says {row.get('said_by')}"
    yield f"{state}{says}" if row.get("said_by") else state
    if row.get("score") is not None:
        yield f"the model gives {row['score']:.2f}{', among its five best' if row.get('is_top5') else ''}"
    if row.get("products"):
        yield f"others think: {row['products']}"
    if row.get("implied_by"):
        yield f"implied by {row['implied_by']}"
    if row.get("neighbours") is not None:
        yield f"{row['neighbours']:.0%} of the nearest photos have it".replace("%", " %")
    if row.get("twin"):
        yield f"near-duplicate: {row['twin']}"


def remember(tasks: Tasks, folder: Path) -> None:
    """Note in ``folder/sent`` which tasks were sent out, so that their verdicts are known when they come back."""
    sent = folder / "sent"
    sent.mkdir(parents=True, exist_ok=True)
    with written_whole(sent / f"{tasks.id}.parquet") as file:
        pq.write_table(tasks.queue.select(["task_id", *Sent._fields]), file, compression="zstd")


def remembered(folder: Path) -> dict[str, Sent]:
    """Return every task that was ever sent out from a folder, by task id; of one sent twice, as it was the last time.

    Raises:
        UserError: If a note is damaged.
    """
    found: dict[str, Sent] = {}
    for path in sorted((folder / "sent").glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns):
        try:
            notes = pq.ParquetFile(path).read().select(["task_id", *Sent._fields])
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{path} is damaged ({error}); remove it and export its tasks again") from error
        found |= {id_: Sent(*fields) for id_, *fields in zip(*notes.to_pydict().values(), strict=True)}
    return found
