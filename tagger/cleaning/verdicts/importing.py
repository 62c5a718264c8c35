"""Bring verdicts back: every row of a file is checked, and what is new becomes one batch of the catalog.

Nothing is kept beside the catalog, which takes a batch whole or not at all. Every person's own word is kept, also that
of a minority; what holds is decided where it is read, see :mod:`tagger.data.catalog.precedence`.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from tagger.cleaning.queue.table import catalog_identity
from tagger.cleaning.tasks.label_studio import is_export, read_export
from tagger.cleaning.tasks.page import is_saved_page, read_saved_page
from tagger.cleaning.tasks.spreadsheet import read_table
from tagger.cleaning.verdicts.answers import Answer, Opinion, Problem
from tagger.cleaning.verdicts.known import Known, Subject
from tagger.cleaning.verdicts.opinions import CheckedOpinion, new_opinions, opinion_rows
from tagger.cleaning.verdicts.people import last_words, said_by_people
from tagger.data.catalog.store import TABLES, Batch, CatalogStore
from tagger.data.states import ABSENT, PRESENT, UNKNOWN
from tagger.data.taxonomy import Taxonomy
from tagger.errors import UserError, reason
from tagger.tags.corrections import read_corrections

VALUES = {"present": PRESENT, "absent": ABSENT, "unsure": UNKNOWN}

Key = tuple[int, str, str]
"""Subject, and who speaks about it."""


@dataclass(frozen=True)
class Imported:
    """What came of a file."""

    batch: Batch | None
    """What was added; None if nothing was new."""
    answers: int
    """Answers of the file that fit the catalog and its tasks, of each person the last about a photo and label."""
    added: int
    known: int
    """Answers that their annotators had given before."""
    problems: tuple[Problem, ...]
    """Rows that were left out."""
    majorities: int = 0
    """Photos and labels of the file about which people disagree and most say the same."""
    ties: tuple[tuple[str, str], ...] = ()
    """Photo ids and labels of the file that stay open: as many say present as absent."""
    undone: tuple[int, ...] = ()
    """Batches that were undone and hold some of the known answers; redo brings them back."""
    opinions: int = 0
    """Predictions of other models that were added."""
    before: Batch | None = None
    """The batch that this very file was before; nothing was done then."""


@dataclass(frozen=True)
class Checked:
    """An answer that fits the catalog and its tasks."""

    photo: int
    label: str
    value: int
    annotator: str
    time: str
    withdrawn: bool

    @property
    def key(self) -> Key:
        return self.photo, self.label, self.annotator


def import_verdicts(
    path: Path,
    *,
    folder: Path,
    store: CatalogStore,
    taxonomy: Taxonomy,
    annotator: str | None = None,
    annotators: Mapping[str, str] | None = None,
) -> Imported:
    """Append the verdicts of a file to the catalog, as people's words, in one batch.

    Args:
        path: Label Studio's JSON or JSON-MIN, a table, what the page has saved, or the corrections of tagger.serve.
        folder: Of the data set's cleaning: knows the tasks that were sent out.
        store: The catalog; it is locked.
        taxonomy: The labels.
        annotator: Who says so where the file does not tell.
        annotators: Names of the annotators that Label Studio has numbers or addresses for.

    Raises:
        UserError: If the file cannot be read, is of another catalog, does not tell who says so, or the catalog cannot
            be written; nothing was then changed.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"from={path} cannot be read: {error.strerror or error}") from error
    if not store.exists:
        raise UserError(f"no catalog in {store.folder}: verdicts have nothing to be about")
    digest = hashlib.sha256(content).hexdigest()[:16]
    try:
        with store.locked():
            before = next((batch for batch in store.manifest.batches if digest in batch.what), None)
            if before:
                return Imported(None, 0, 0, before.annotations, (), before=before)
            answers = list(read_answers(content, path, annotators=annotators))
            return _Import(path, digest, folder, store, taxonomy, annotator).done(answers)
    except OSError as error:
        raise UserError(f"{store.folder} cannot be written: {reason(error)}; the catalog is as it was") from error


def read_answers(
    content: bytes, path: Path, *, annotators: Mapping[str, str] | None = None
) -> Iterator[Answer | Opinion | Problem]:
    """Yield what a file says, whichever of the kinds it is.

    Raises:
        UserError: If it is of none.
    """
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start not in (b"{", b"["):
        return read_table(content, path.name)
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError) as error:
        if start == b"{" and content.lstrip().startswith(b'{"photo_id"'):
            return _corrections(path)
        raise UserError(f"{path} is not JSON ({error}): was it cut? save or export it again") from error
    if is_saved_page(tree):
        return read_saved_page(content, path.name)
    if is_export(tree):
        return read_export(tree, path.name, annotators=annotators)
    if "photo_id" in tree:
        # Corrections of one line.
        return _corrections(path)
    raise UserError(
        f"{path} is no export of Label Studio, no file saved by the page and no corrections of tagger.serve"
    )


def _corrections(path: Path) -> Iterator[Answer]:
    for number, answers in enumerate(read_corrections(path), start=1):
        yield Answer(
            place=f"{path.name}, line {number}",
            photo_id=answers.photo_id,
            label=answers.label,
            verdict="unsure" if answers.value == "unknown" else answers.value,
            annotator=answers.annotator,
            time=answers.time,
            withdrawn=answers.value == "unknown",
        )


@dataclass(frozen=True)
class _Import:
    """One file on its way into a locked catalog."""

    path: Path
    digest: str
    folder: Path
    store: CatalogStore
    taxonomy: Taxonomy
    annotator: str | None

    def done(self, read: Sequence[Answer | Opinion | Problem]) -> Imported:
        fitting = [one for one in read if not isinstance(one, Problem)]
        _refuse_another_catalog(fitting, self.path, self.store)
        known = Known.of(fitting, self.folder, self.store, self.taxonomy)
        answers = [one for one in fitting if isinstance(one, Answer)]
        checked, strange = _check(answers, known, self.path, self.annotator)
        opinions = [one for one in fitting if isinstance(one, Opinion)]
        thought, odd = new_opinions(opinions, known, self.store)
        problems = [*(one for one in read if isinstance(one, Problem)), *strange, *odd]
        last = last_words(said_by_people(self.store, undone=True))
        undone = {batch.number for batch in self.store.manifest.batches if batch.undone}
        latest = _latest(checked)
        new = [answer for answer in latest if _is_new(answer, last, undone)]
        batch = self._appended(new, thought) if new or thought else None
        majorities, ties = _disagreements(self.store, {(answer.photo, answer.label) for answer in checked})
        old = {answer.key for answer in latest} - {answer.key for answer in new}
        hidden = {last[key][1] for key in old if key in last} & undone
        return Imported(
            batch=batch,
            answers=len(latest),
            added=len(new),
            known=len(latest) - len(new),
            problems=tuple(problems),
            majorities=majorities,
            ties=ties,
            undone=tuple(sorted(hidden)),
            opinions=len(thought),
        )

    def _appended(self, verdicts: Sequence[Checked], opinions: Sequence[CheckedOpinion]) -> Batch:
        spoke = {
            "verdicts": {verdict.annotator for verdict in verdicts},
            "opinions": {opinion.model for opinion in opinions},
        }
        who = " and ".join(f"{what} of {', '.join(sorted(names))}" for what, names in spoke.items() if names)
        rows = pa.concat_tables([_rows(verdicts), opinion_rows(opinions)]).unify_dictionaries()
        (batch,) = self.store.append({f"{who} in {self.path.name} ({self.digest})": {"annotations": rows}})
        return batch


def _refuse_another_catalog(answers: Iterable[Answer | Opinion], path: Path, store: CatalogStore) -> None:
    identity = catalog_identity(store)
    other = next((one for one in answers if one.catalog and one.catalog != identity), None)
    if other:
        raise UserError(
            f"{other.place} is about another catalog ({other.catalog:.20}) than {store.folder} ({identity}); "
            f"import from={path} with the data=… that its tasks were exported with"
        )


def _check(
    answers: Iterable[Answer], known: Known, path: Path, annotator: str | None
) -> tuple[list[Checked], list[Problem]]:
    checked, problems = [], []
    for answer in answers:
        who = " ".join((answer.annotator or annotator or "").split())
        subject = known.subject(answer)
        if isinstance(subject, str):
            problems.append(Problem(answer.place, subject))
        elif not who:
            raise UserError(f"{answer.place} does not say who answered: import from={path} with annotator=…")
        else:
            checked.append(Checked(*subject, VALUES[answer.verdict], who, _moment(answer.time), answer.withdrawn))
    return checked, problems


def _latest(checked: Iterable[Checked]) -> list[Checked]:
    """Return the last answer of every person about a photo and label; where times are missing, that of the last row."""
    last = {
        (answer.photo, answer.label, answer.annotator): answer for answer in sorted(checked, key=lambda one: one.time)
    }
    return sorted(last.values(), key=lambda one: (one.photo, one.label, one.annotator))


def _is_new(answer: Checked, last: Mapping[Key, tuple[int, int]], undone: set[int]) -> bool:
    """Return whether somebody says something else than before; what was undone is not repeated."""
    value, batch = last.get(answer.key, (None, 0))
    if answer.withdrawn and (value is None or batch in undone):
        return False
    return value != answer.value


def _disagreements(store: CatalogStore, subjects: set[Subject]) -> tuple[int, tuple[tuple[str, str], ...]]:
    votes: dict[Subject, list[int]] = {}
    for (photo, label, _), (value, _) in last_words(said_by_people(store)).items():
        if value and (photo, label) in subjects:
            votes.setdefault((photo, label), []).append(value)
    disputed = {subject: sum(values) for subject, values in votes.items() if len(set(values)) > 1}
    tied = sorted(subject for subject, total in disputed.items() if not total)
    ids = store.table("photos", ["photo_id"])["photo_id"].take(pa.array([photo for photo, _ in tied], pa.int64()))
    ties = tuple(zip(ids.to_pylist(), (label for _, label in tied), strict=True))
    return len(disputed) - len(tied), ties


def _rows(answers: Sequence[Checked]) -> pa.Table:
    columns = {
        "photo": [answer.photo for answer in answers],
        "label": [answer.label for answer in answers],
        "value": [answer.value for answer in answers],
        "origin": ["human"] * len(answers),
        "source": [None] * len(answers),
        "score": [None] * len(answers),
        "annotator": [answer.annotator for answer in answers],
        "batch": [None] * len(answers),
    }
    return pa.table(columns, schema=TABLES["annotations"])


def _moment(time: str) -> str:
    """Return a time as text that sorts, UTC; "" if it is none."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return ""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="microseconds")
