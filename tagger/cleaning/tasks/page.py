"""Tasks as one HTML page that needs nothing else, and the JSON that it saves.

    {"format": "tagger verdicts 1", "catalog": "…", "tasks": "…", "annotator": "ann", "verdicts":
     [{"task": "…", "label": "animal.dog", "verdict": "present", "time": "2026-01-01T12:00:00.000Z"}]}

Every photo is in the page once, however many of its labels are asked about. The page loads nothing and sends nothing;
what was answered is kept by the browser until it is saved.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tagger.atomic import write_text
from tagger.cleaning.tasks.standard import definition_of
from tagger.cleaning.tasks.task import VERDICTS, Task, Tasks
from tagger.cleaning.verdicts.answers import Answer, Problem
from tagger.errors import UserError
from tagger.pages.template import page_template
from tagger.pages.visible import visible
from tagger.tags.gallery.blocks import json_block, picture_block
from tagger.tags.gallery.pictures import pictures

FORMAT = "tagger verdicts 1"


def write_page(tasks: Tasks, path: Path, *, side: int = 480, workers: int = 0) -> None:
    """Write the page, labels in the order in which the queue first asks about them.

    Args:
        tasks: What is asked.
        path: Where to.
        side: Longest side of a photo on the page, pixels.
        workers: Processes that make photos small.
    """
    everything = list(tasks)
    photos = {task.photo: None for task in everything}
    places = {photo: place for place, photo in enumerate(photos)}
    labels: dict[str, list[Task]] = {}
    for task in everything:
        labels.setdefault(task.label.id, []).append(task)
    tree = {
        "format": FORMAT,
        "catalog": tasks.catalog,
        "tasks": tasks.id,
        "labels": [_label(tasks, own, places) for own in labels.values()],
    }
    made = (picture_block(picture or b"") for picture in pictures(photos, side=side, workers=workers))
    page = page_template(Path(__file__).with_name("page.html")).render(
        title=f"{tasks.taxonomy.name}: {len(tasks):,} questions", blocks=[json_block(tree, kind="tasks"), *made]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page)


def _label(tasks: Tasks, own: list[Task], places: Mapping[str, int]) -> dict[str, Any]:
    label = own[0].label
    counts, does_not = definition_of(label)
    return {
        "id": label.id,
        "name": visible(own[0].name),
        "counts": visible(counts),
        "not": visible(does_not),
        "tasks": [
            {
                "id": task.id,
                "photo": places[task.photo],
                "file": visible(task.photo.rsplit("/", 1)[-1]),
                "kind": task.kind,
                "evidence": [visible(line) for line in task.evidence],
            }
            for task in own
        ],
    }


def is_saved_page(tree: Any) -> bool:
    """Return whether JSON was saved by a page, of this version or another."""
    return isinstance(tree, dict) and str(tree.get("format", "")).startswith(FORMAT[:-1])


def read_saved_page(content: bytes, name: str) -> Iterator[Answer | Problem]:
    """Yield what a page has saved.

    Raises:
        UserError: If it is of another version, or not whole.
    """
    tree = json.loads(content)
    if tree["format"] != FORMAT:
        raise UserError(f"{name} says {tree['format']!r:.60}; this tagger reads {FORMAT!r}: export the tasks again")
    if not isinstance(tree.get("verdicts"), list):
        raise UserError(f"{name} holds no verdicts: save it again in the page")
    for number, entry in enumerate(tree["verdicts"], start=1):
        place = f"{name}, verdict {number}"
        if not isinstance(entry, dict) or not isinstance(entry.get("task"), str):
            yield Problem(place, f"expected a task and a verdict, got {entry!r:.80}")
        elif entry.get("verdict") not in VERDICTS:
            yield Problem(place, f"verdict {entry.get('verdict')!r:.60} is none of {', '.join(VERDICTS)}")
        else:
            yield Answer(
                place=place,
                task=entry["task"],
                label=str(entry.get("label", "")),
                verdict=entry["verdict"],
                annotator=str(tree.get("annotator", "")),
                catalog=str(tree.get("catalog", "")),
                time=str(entry.get("time", "")),
            )
