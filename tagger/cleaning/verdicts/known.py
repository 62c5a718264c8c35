"""What a file's rows are checked against: the tasks that were sent out, the catalog's photos, the labels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tagger.cleaning.tasks.task import Sent, remembered
from tagger.cleaning.verdicts.answers import Answer, Opinion
from tagger.data.catalog.store import CatalogStore
from tagger.data.taxonomy import Taxonomy

Subject = tuple[int, str]
"""Row of a photo, and a label's id."""


@dataclass(frozen=True)
class Known:
    """What can be spoken about."""

    tasks: Mapping[str, Sent]
    photos: Mapping[str, int]
    """Rows of the catalog by photo id, of the photos that a file speaks about."""
    taxonomy: Taxonomy

    @classmethod
    def of(cls, answers: Iterable[Answer | Opinion], folder: Path, store: CatalogStore, taxonomy: Taxonomy) -> "Known":
        """Look up what the rows of a file are about."""
        tasks = remembered(folder)
        wanted = {tasks[one.task].photo_id if one.task in tasks else one.photo_id for one in answers}
        ids = store.table("photos", ["photo_id"])["photo_id"]
        rows = pc.indices_nonzero(pc.is_in(ids, pa.array(wanted, pa.string())))
        photos = dict(zip(ids.take(rows).to_pylist(), rows.to_pylist(), strict=True))
        return cls(tasks, photos, taxonomy)

    def subject(self, answer: Answer | Opinion) -> Subject | str:
        """Return the photo and label that a row is about, or why it is about none."""
        photo_id, label = answer.photo_id, answer.label
        if answer.task or not photo_id:
            if answer.task not in self.tasks:
                return f"unknown task {answer.task!r:.60}: it was not exported from here"
            photo_id, label, *_ = self.tasks[answer.task]
            if answer.label and answer.label != label:
                return (
                    f"task {answer.task} asks about {label!r}, the row says {answer.label!r:.60}: was a column moved?"
                )
        if label not in self.taxonomy.column:
            near = self.taxonomy.nearest(label)
            return f"unknown label {label!r:.60}{f', did you mean {near!r}' if near else ''}"
        if photo_id not in self.photos:
            return f"unknown photo {photo_id!r:.40}: the catalog does not have it"
        return self.photos[photo_id], label
