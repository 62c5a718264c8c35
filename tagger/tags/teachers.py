"""Bundles that teach: what they say of the photos that a student trains on, computed once and kept by content."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tagger.data.by_content import Kept
from tagger.data.datamodule import PhotoData
from tagger.data.taxonomy import Taxonomy
from tagger.errors import UserError
from tagger.tags.delivery.bundle import read_bundle
from tagger.tags.runtime import Tagger
from tagger.tags.tagging.kept_scores import as_scores, fingerprint, kept_logits


@dataclass(frozen=True, eq=False)
class Teacher:
    """A bundle, and which of its labels are labels of the student."""

    place: str
    tagger: Tagger
    own: NDArray[np.int64]
    """Columns of the teacher's labels that the student has, (shared,)."""
    theirs: NDArray[np.int64]
    """The student's column of each, (shared,); twice where two labels have become one."""

    @classmethod
    def open(cls, place: str, taxonomy: Taxonomy) -> "Teacher":
        """Load a bundle; its labels are the student's by id, or by what the student's label system calls an alias.

        Raises:
            UserError: If it is no bundle, or none of its labels is one of the student's.
        """
        tagger = Tagger.load(place)
        found = [(own, taxonomy.columns.get(label.id)) for own, label in enumerate(tagger.labels)]
        shared = np.array([pair for pair in found if pair[1] is not None], dtype=np.int64).reshape(-1, 2)
        if not len(shared):
            raise UserError(
                f"teacher={place}: none of its {len(tagger.labels)} labels ({tagger.labels[0].id}, …) is one of "
                f"{taxonomy.name!r}; teach with a bundle of this label system, or name its ids as aliases"
            )
        return cls(place, tagger, shared[:, 0], shared[:, 1])

    def scores(self, kept: NDArray[np.float16], labels: int) -> NDArray[np.float32]:
        """Return scores of the student's labels, (photos, labels), NaN where the teacher does not know a label.

        Where two of its labels have become one, the higher score counts.

        Args:
            kept: Logits of the teacher's labels, (photos, teacher's labels).
            labels: How many the student has.
        """
        logits = np.full((len(kept), labels), np.nan, dtype=np.float32)
        # fmax: any number is above NaN.
        np.fmax.at(logits.T, self.theirs, kept[:, self.own].astype(np.float32).T)
        return as_scores(logits)


@dataclass(frozen=True, eq=False)
class Taught:
    """What teachers say of some rows of a catalog."""

    rows: NDArray[np.int64]
    """Ascending."""
    teachers: Sequence[tuple[Teacher, Kept]]
    labels: int

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the mean of the scores that the teachers give who know a label, float32 (rows, labels), else NaN."""
        positions = np.searchsorted(self.rows, rows)
        by_teacher = [teacher.scores(kept.of(positions), self.labels) for teacher, kept in self.teachers]
        if len(by_teacher) == 1:
            return by_teacher[0]
        total = np.nansum(by_teacher, axis=0, dtype=np.float32)
        knowing = np.sum([~np.isnan(scores) for scores in by_teacher], axis=0)
        return np.divide(total, knowing, out=np.full_like(total, np.nan), where=knowing > 0)


@dataclass(frozen=True, eq=False)
class Teachers:
    """One bundle or an ensemble of them."""

    teachers: tuple[Teacher, ...]
    taxonomy: Taxonomy

    @classmethod
    def open(cls, places: Sequence[str], taxonomy: Taxonomy) -> "Teachers":
        """Load all bundles.

        Raises:
            UserError: As `Teacher.open` does.
        """
        return cls(tuple(Teacher.open(place, taxonomy) for place in places), taxonomy)

    def teach(self, data: PhotoData) -> None:
        """Let them see the photos that train; batches hold from now on what they say.

        They see each photo as it is, once, and not the student's augmented view of it.

        Raises:
            BadPhoto: If a photo cannot be read; what was seen of others is kept.
        """
        rows = np.sort(data.train_rows)
        ids = data.catalog.photos["photo_id"].combine_chunks().take(pa.array(rows, pa.int64()))
        cached = partial(
            kept_logits,
            ids=ids,
            place=lambda photo: data.catalog.place(int(rows[photo])),
            cache=data.cache,
            workers=data.workers,
        )
        taught = [(teacher, cached(teacher.tagger)) for teacher in self.teachers]
        data.taught = Taught(rows, taught, len(self.taxonomy)).of
        print(self.sentence(), flush=True)

    def sentence(self) -> str:
        """Return in words how many labels are taught."""
        known = set(np.concatenate([teacher.theirs for teacher in self.teachers]).tolist())
        many = f"{len(self.teachers)} teachers know" if len(self.teachers) > 1 else "the teacher knows"
        return f"{many} {len(known)} of {len(self.taxonomy)} labels"


def named(places: Sequence[str]) -> dict[str, str]:
    """Return what a run must say of its teachers, to be found by: their files and what they are; nothing without any.

    Raises:
        BundleError: If one is no bundle.
    """
    bundles = [Path(place).expanduser() for place in places]
    names = ", ".join(f"{path.name} {fingerprint(read_bundle(path).manifest)}" for path in bundles)
    return {"teacher": names} if names else {}
