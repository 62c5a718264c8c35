"""What goes out is noted, and what cannot go out says why."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tagger.cleaning.queue.table import QUEUE_SCHEMA, read_queue, write_queue
from tagger.cleaning.tasks.task import Sent, remembered
from tagger.errors import UserError


def test_every_task_that_ever_went_out_is_remembered(
    export: Callable[..., Any], cleaning: Path, ids: list[str]
) -> None:
    sent = export("csv")
    assert (sent.tasks, sent.labels) == (7, 3)
    assert sent.standard.is_file()
    assert list(remembered(cleaning)) == ids
    assert remembered(cleaning)[ids[2]] == Sent(f"{2:032x}", "cat", "missing", 0)
    (note,) = (cleaning / "sent").iterdir()
    assert export("csv").path == sent.path, "the same tasks have the same name"
    note.write_bytes(b"cut")
    with pytest.raises(UserError, match=r"is damaged .* export its tasks again"):
        remembered(cleaning)


def test_a_queue_is_written_and_read_and_a_strange_one_is_named(queue: pa.Table, tmp_path: Path) -> None:
    path = tmp_path / "a=b" / "queue.parquet"
    with pytest.raises(UserError, match=r"no queue at .* step=queue"):
        read_queue(path)
    write_queue(path, queue.select(QUEUE_SCHEMA.names[::-1]))
    assert read_queue(path).equals(queue)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"queue\.parquet is no queue"):
        read_queue(path)
    with pytest.raises(KeyError, match="twin"):
        write_queue(path, queue.drop_columns(["twin"]))


def test_a_place_that_is_none_is_named(export: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match="to=xlsx must be csv, page, label_studio"):
        export("xlsx")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda queue: queue.slice(0, 0), "the queue has no tasks"),
        (lambda queue: pa.concat_tables([queue, queue]), "a task of the queue comes twice"),
        (
            lambda queue: queue.set_column(4, "label", pa.array(["cow"] * len(queue))),
            "asks about 'cow', which the label system 'pets' does not have",
        ),
    ],
)
def test_a_queue_that_cannot_be_asked_is_refused(
    change: Callable[[pa.Table], pa.Table], message: str, queue: pa.Table, export: Callable[..., Any], cleaning: Path
) -> None:
    with pytest.raises(UserError, match=message):
        export("csv", queue=change(queue))
    assert not cleaning.exists()
