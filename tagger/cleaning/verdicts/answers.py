"""What a file says about tasks, of annotators and of models; not yet checked against what was asked."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A row of a file."""

    place: str
    """File and row, for messages."""
    verdict: str
    """present, absent or unsure."""
    annotator: str = ""
    """Who says so; "" where the file does not tell."""
    task: str = ""
    """The task's id; "" where the file names photo and label instead."""
    photo_id: str = ""
    label: str = ""
    """Where the file names the task too, it is only compared."""
    catalog: str = ""
    """Identity of the catalog that was asked about; "" where the file does not tell."""
    time: str = ""
    """When, ISO 8601; "" where the file does not tell. Of two answers of one annotator the later one holds."""
    withdrawn: bool = False
    """Whether the annotator takes back the verdict before."""


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What another model predicted of a task: kept beside what people say, and never counted."""

    place: str
    """File and row, for messages."""
    verdict: str
    """present or absent."""
    model: str
    """Which model, and its version."""
    task: str
    photo_id: str = ""
    label: str = ""
    catalog: str = ""
    score: float | None = None
    """How sure it is, 0..1; None where the file does not tell."""


@dataclass(frozen=True)
class Problem:
    """A row that is no answer, and why."""

    place: str
    reason: str
