"""A catalog of six photos in a folder, a queue about them, and what it is exported with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from tagger.cleaning.queue.table import QUEUE_SCHEMA, task_id
from tagger.cleaning.tasks.exporting import Exported, export_tasks
from tagger.cleaning.verdicts.importing import Imported, import_verdicts
from tagger.data.catalog.store import TABLES, CatalogStore
from tagger.data.taxonomy import Label, Taxonomy

collect_ignore = ["label_studio_round_trip.py"]  # runs in the environment of Label Studio

HOSTILE = "</script><script>document.title='taken'</script>"

TAXONOMY = Taxonomy(
    "pets",
    (
        Label("animal", {"en": "animal"}),
        Label("dog", {"en": "dog"}, ("animal",), definition="A dog of any breed. Wolves do not count."),
        Label("cat", {"en": "cat"}, ("animal",), definition="A cat, also a kitten."),
        Label("=2+5", {"en": HOSTILE}, excludes=("cat",), definition="<b>bold</b> A strange thing."),
    ),
    fingerprint="7ea",
)

PHOTOS = [f"{number:032x}" for number in range(6)]

NAMES = ["0.jpg", "1.jpg", "2.jpg", "=3.jpg", "<img src=x onerror=alert(1)>.jpg", "five\nlines.jpg"]

ASKED = [("dog", 0), ("dog", 1), ("cat", 2), ("dog", 3), ("cat", 0), ("=2+5", 4), ("dog", 5)]
"""Label and photo of the queue's tasks."""


@pytest.fixture
def ids() -> list[str]:
    """The tasks' ids in the order of ``ASKED``."""
    return [task_id(PHOTOS[photo], label, "missing") for label, photo in ASKED]


@pytest.fixture
def taxonomy() -> Taxonomy:
    return TAXONOMY


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The folder of the photos, of plain colours."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        Image.new("RGB", (640, 400 + 40 * number), (40 * number, 90, 200 - 30 * number)).save(folder / name, "JPEG")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> CatalogStore:
    """The catalog: a source says that there is a dog on every photo."""
    store = CatalogStore(tmp_path / "catalog")
    rows = [
        {"photo_id": id_, "source": "ours", "path": name, "fold": number, "group": number}
        for number, (id_, name) in enumerate(zip(PHOTOS, NAMES, strict=True))
    ]
    said = [{"photo": number, "label": "dog", "value": 1, "origin": "source", "source": "ours"} for number in range(6)]
    tables = {
        "photos": pa.Table.from_pylist(rows, schema=TABLES["photos"]),
        "annotations": pa.Table.from_pylist(said, schema=TABLES["annotations"]),
    }
    with store.locked():
        named = {"name": TAXONOMY.name, "fingerprint": TAXONOMY.fingerprint}
        settings = {"root": str(tmp_path / "photos"), "vocabulary": "ours", "exhaustive": False, "unknown": "negative"}
        store.append({"photos": tables}, taxonomy=named, sources={"ours": settings})
    return store


@pytest.fixture
def queue(photos: Path, ids: list[str]) -> pa.Table:
    rows = [
        {
            "task_id": id_,
            "photo_id": PHOTOS[photo],
            "root": str(photos),
            "path": NAMES[photo],
            "label": label,
            "kind": "missing",
            "state": 0,
            "said_by": "",
            "score": 0.9 - rank / 10,
            "rank": rank + 1,
            "is_top5": rank == 0,
            "neighbours": 0.7,
            "products": "=cmd|' /C calc'!A0" if photo == 3 else "",
            "overlap": 2 if rank == 3 else 1,
        }
        for rank, (id_, (label, photo)) in enumerate(zip(ids, ASKED, strict=True))
    ]
    return pa.Table.from_pylist(rows, schema=QUEUE_SCHEMA)


@pytest.fixture
def cleaning(tmp_path: Path) -> Path:
    return tmp_path / "cleaning"


@pytest.fixture
def export(queue: pa.Table, cleaning: Path, store: CatalogStore) -> Callable[..., Exported]:
    def send(to: str, queue: pa.Table = queue, **settings: Any) -> Exported:
        return export_tasks(queue, to=to, folder=cleaning, store=store, taxonomy=TAXONOMY, **settings)

    return send


@pytest.fixture
def take(cleaning: Path, store: CatalogStore) -> Callable[..., Imported]:
    """Import a file."""

    def take_in(path: Path, **settings: Any) -> Imported:
        return import_verdicts(path, folder=cleaning, store=store, taxonomy=TAXONOMY, **settings)

    return take_in


@pytest.fixture
def tell(store: CatalogStore) -> Callable[..., int]:
    """Append what a person says, as photo=value by label, in a batch of its own; returns the batch's number."""

    def tell(who: str, label: str, said: dict[int, int]) -> int:
        rows = [
            {"photo": photo, "label": label, "value": value, "origin": "human", "annotator": who}
            for photo, value in said.items()
        ]
        with store.locked():
            table = pa.Table.from_pylist(rows, schema=TABLES["annotations"])
            (batch,) = store.append({f"verdicts of {who}": {"annotations": table}})
        return batch.number

    return tell
