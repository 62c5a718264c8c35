"""Tasks for Label Studio, and the two kinds of JSON it exports.

A project is its labelling interface (``config.xml``) and its tasks (``tasks.json``, to import); ``project.json`` is the
interface with the standard as its instruction, as ``POST /api/projects`` makes a project of it. What it exports as
*JSON* has an annotation per annotator inside each task; *JSON-MIN* has a flat row per annotation. Annotators are
numbers there unless the export names them.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from tagger.atomic import write_text, written_whole
from tagger.cleaning.tasks.standard import definition_of
from tagger.cleaning.tasks.task import VERDICTS, Task, Tasks, name_of
from tagger.cleaning.verdicts.answers import Answer, Opinion, Problem
from tagger.data.taxonomy import Label
from tagger.pages.visible import visible
from tagger.tags.gallery.pictures import pictures

MODEL_VERSION = "tagger, out of fold"
"""By what name our predictions go."""

CONFIG = """<View>
  <Header value="$question"/>
  <Text name="definition" value="$definition"/>
  <Choices name="verdict" toName="image" choice="single" showInline="true" required="true">
    <Choice value="present" hotkey="y"/>
    <Choice value="absent" hotkey="n"/>
    <Choice value="unsure" hotkey="u"/>
  </Choices>
  <Text name="evidence" value="$evidence"/>
  <Image name="image" value="$image" maxWidth="900px" maxHeight="55vh" defaultZoom="fit" zoom="true"/>
</View>
"""
"""The labelling interface: all that one needs to answer is above the photo, which may be tall."""


def write_project(
    tasks: Tasks,
    folder: Path,
    *,
    images: str | None = None,
    predictions: bool = True,
    side: int = 640,
    workers: int = 0,
) -> None:
    """Write ``config.xml``, ``project.json`` and ``tasks.json``.

    Args:
        tasks: What is asked.
        folder: Where to.
        images: What stands before a photo's path in its address, such as ``/data/local-files/?d=`` or
            ``https://photos.example/``; None puts the photos into the tasks, small.
        predictions: Whether an answer is suggested, but for tasks drawn at random. It is quicker, and people then agree
            with the model more often.
        side: Longest side of photos that are put into the tasks, pixels.
        workers: Processes that make photos small.
    """
    folder.mkdir(parents=True, exist_ok=True)
    everything = list(tasks)
    photos = dict.fromkeys(task.photo for task in everything)
    paths = dict(zip((task.photo for task in everything), tasks.queue["path"].to_pylist(), strict=True))
    if images is None:
        made = zip(photos, pictures(photos, side=side, workers=workers), strict=True)
        addresses = {photo: _embedded(picture) for photo, picture in made}
    else:
        addresses = {photo: images + quote(paths[photo]) for photo in photos}
    write_text(folder / "config.xml", CONFIG)
    write_text(folder / "project.json", json.dumps(as_project(tasks), ensure_ascii=False, indent=1))
    with written_whole(folder / "tasks.json") as file:
        # A line at a time: with their photos a thousand tasks are 50 MB.
        for number, task in enumerate(everything):
            tree = as_task(task, tasks.catalog, image=addresses[task.photo], prediction=predictions)
            text = json.dumps(tree, ensure_ascii=False, allow_nan=False)
            file.write((",\n" if number else "[\n").encode() + text.encode("utf-8", errors="backslashreplace"))
        file.write(b"\n]\n")


def as_project(tasks: Tasks) -> dict[str, Any]:
    """Return what Label Studio makes a project of. Which tasks several people answer it chooses; as many as wanted."""
    labels = {task.label.id: task.label for task in tasks}
    wanted = [task.overlap for task in tasks]
    shared = sum(overlap == max(wanted) for overlap in wanted)
    return {
        "title": visible(f"{tasks.taxonomy.name}, {len(tasks):,} questions")[:50],
        "label_config": CONFIG,
        "expert_instruction": "".join(map(_instruction, labels.values())),
        "show_instruction": True,
        "maximum_annotations": max(wanted),
        "overlap_cohort_percentage": max(1, round(100 * shared / len(wanted))),
    }


def _instruction(label: Label) -> Markup:
    counts, does_not = (visible(text) or "–" for text in definition_of(label))
    answer = Markup("<h4>{}</h4><p><b>Counts:</b> {}<br><b>Does not count:</b> {}</p>")
    return answer.format(visible(name_of(label)), counts, does_not)


def as_task(task: Task, catalog: str, *, image: str, prediction: bool) -> dict[str, Any]:
    """Return a task as Label Studio imports it."""
    data = {
        "image": image,
        "question": visible(task.question),
        "definition": visible(task.label.definition),
        "evidence": "\n".join(map(visible, task.evidence)),
        "task_id": task.id,
        "label": task.label.id,
        "kind": task.kind,
        "file": visible(task.photo),
        "catalog": catalog,
    }
    if not prediction or task.suggested is None:
        return {"data": data}
    result = {
        "from_name": "verdict",
        "to_name": "image",
        "type": "choices",
        "value": {"choices": [task.suggested]},
    }
    suggested: dict[str, Any] = {"model_version": MODEL_VERSION, "result": [result]}
    if task.score is not None:
        suggested["score"] = round(task.score, 4)
    return {"data": data, "predictions": [suggested]}


def is_export(tree: Any) -> bool:
    """Return whether JSON may be an export of Label Studio: a list of tasks or of annotations."""
    return isinstance(tree, list)


def read_export(
    tree: list[Any], name: str, *, annotators: Mapping[str, str] | None = None
) -> Iterator[Answer | Opinion | Problem]:
    """Yield what an export says, JSON or JSON-MIN; skipped tasks and drafts are no answers, our predictions no news.

    Args:
        tree: What the file holds.
        name: Its name, for messages.
        annotators: What Label Studio's numbers or addresses of annotators stand for; others are called
            ``label_studio 7``.
    """
    for number, row in enumerate(tree, start=1):
        place = f"{name}, task {number}"
        if not isinstance(row, dict):
            yield Problem(place, f"expected a task, got {row!r:.80}")
        elif "data" in row or "annotations" in row:
            yield from _annotations(row, place, annotators or {})
            yield from _predictions(row, place)
        elif "task_id" in row:
            # Without a verdict: nobody has answered.
            if row.get("verdict") is not None:
                yield _answer(
                    row, row["verdict"], by=row.get("annotator"), stamped=row, place=place, names=annotators or {}
                )
        else:
            yield Problem(place, "has no task_id: is this an export of tasks that tagger.clean sent out?")


def _annotations(task: dict[str, Any], place: str, annotators: Mapping[str, str]) -> Iterator[Answer | Problem]:
    data, annotations = task.get("data"), task.get("annotations") or []
    if not isinstance(data, dict) or not isinstance(annotations, list):
        yield Problem(place, "expected data and annotations: export from Label Studio as JSON")
        return
    for annotation in annotations:
        if not isinstance(annotation, dict):
            yield Problem(place, f"expected an annotation, got {annotation!r:.80}")
            continue
        results = [result for result in annotation.get("result") or [] if _is_verdict(result)]
        if annotation.get("was_cancelled") or not results:
            continue
        by = annotation.get("completed_by")
        yield _answer(data, results[-1]["value"], by=by, stamped=annotation, place=place, names=annotators)


def _predictions(task: dict[str, Any], place: str) -> Iterator[Opinion]:
    """Yield what other models say.

    The Export button gives only numbers of predictions, and in an annotation the one that the annotator was shown; a
    snapshot may have them whole.
    """
    data, annotations, predictions = (task.get(key) or [] for key in ("data", "annotations", "predictions"))
    if not (isinstance(data, dict) and isinstance(annotations, list) and isinstance(predictions, list)):
        return
    shown = [annotation.get("prediction") for annotation in annotations if isinstance(annotation, dict)]
    for prediction in (*shown, *predictions):
        if not isinstance(prediction, dict) or prediction.get("model_version") == MODEL_VERSION:
            continue
        answer = [result["value"].get("choices") for result in prediction.get("result") or [] if _is_verdict(result)]
        if not answer or answer[-1] not in (["present"], ["absent"]):
            continue
        score = prediction.get("score")
        yield Opinion(
            place=place,
            verdict=answer[-1][0],
            model=" ".join(str(prediction.get("model_version") or "a model of Label Studio").split()),
            task=str(data.get("task_id", "")),
            label=str(data.get("label", "")),
            catalog=str(data.get("catalog", "")),
            score=score if isinstance(score, int | float) and 0 <= score <= 1 else None,
        )


def _answer(
    data: Mapping[str, Any],
    answer: Any,
    *,
    by: Any,
    stamped: Mapping[str, Any],
    place: str,
    names: Mapping[str, str],
) -> Answer | Problem:
    choices = answer.get("choices") if isinstance(answer, dict) else [answer]
    if not isinstance(choices, list) or len(choices) != 1 or choices[0] not in VERDICTS:
        return Problem(place, f"verdict {answer!r:.60} is none of {', '.join(VERDICTS)}")
    return Answer(
        place=place,
        task=str(data.get("task_id", "")),
        label=str(data.get("label", "")),
        verdict=choices[0],
        annotator=_annotator(by, names),
        catalog=str(data.get("catalog", "")),
        time=str(stamped.get("updated_at") or stamped.get("created_at") or ""),
    )


def _annotator(by: Any, known: Mapping[str, str]) -> str:
    """Return who an annotation is by: a number, a mapping with an address, or nobody."""
    keys = ("email", "username", "id")
    own = [str(by[key]) for key in keys if by.get(key)] if isinstance(by, dict) else [str(by)] if by else []
    for name in own:
        if name in known:
            return known[name]
    return f"label_studio {own[0]}" if own and own[0].isdigit() else "".join(own[:1])


def _is_verdict(result: Any) -> bool:
    return isinstance(result, dict) and result.get("from_name") == "verdict" and isinstance(result.get("value"), dict)


def _embedded(picture: bytes | None) -> str:
    return "" if picture is None else f"data:image/webp;base64,{base64.b64encode(picture).decode('ascii')}"
