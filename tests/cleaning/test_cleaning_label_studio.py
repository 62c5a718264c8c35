"""Label Studio's project and its exports, as Label Studio 1.23 reads and writes them."""

import base64
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from tagger.cleaning.tasks.label_studio import read_export
from tagger.cleaning.verdicts.answers import Answer, Problem
from tagger.cleaning.verdicts.importing import Imported
from tagger.cleaning.verdicts.people import said_by_people
from tagger.data.catalog.prepared import view
from tagger.data.catalog.store import CatalogStore
from tagger.data.taxonomy import Taxonomy
from tagger.errors import UserError

Export = Callable[..., Any]

CHOICE = {"id": "x", "from_name": "verdict", "to_name": "image", "type": "choices", "origin": "manual"}


def annotation(verdict: str, by: Any = 1, **more: Any) -> dict[str, Any]:
    result = [CHOICE | {"value": {"choices": [verdict]}}]
    return {
        "id": 1,
        "completed_by": by,
        "result": result,
        "was_cancelled": False,
        "created_at": "2026-01-01T12:00:00.000000Z",
        "updated_at": "2026-01-01T12:00:00.000000Z",
        "lead_time": 2.5,
        **more,
    }


@pytest.fixture
def tasks(export: Export) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((export("label_studio").path / "tasks.json").read_text(encoding="utf-8"))
    return loaded


def test_the_interface_shows_what_the_tasks_hold(export: Export) -> None:
    folder = export("label_studio").path
    view = ET.parse(folder / "config.xml").getroot()
    wanted = {element.get("value", "")[1:] for element in view if element.get("value", "").startswith("$")}
    (choices,) = view.iter("Choices")
    assert wanted == {"question", "definition", "image", "evidence"}
    for task in json.loads((folder / "tasks.json").read_text(encoding="utf-8")):
        assert wanted <= task["data"].keys()
        (prediction,) = task["predictions"]
        (result,) = prediction["result"]
        assert (result["from_name"], result["to_name"]) == (choices.get("name"), choices.get("toName"))
        assert result["value"]["choices"][0] in [choice.get("value") for choice in choices]


def test_a_task_shows_the_evidence_and_its_photo(tasks: list[dict[str, Any]], ids: list[str]) -> None:
    data, prediction = tasks[0]["data"], tasks[0]["predictions"][0]
    assert [task["data"]["task_id"] for task in tasks] == ids
    assert data["question"] == "Is this on the photo: dog?"
    assert data["evidence"].splitlines()[1] == "the model gives 0.90, among its five best"
    assert (prediction["score"], prediction["result"][0]["value"]) == (0.9, {"choices": ["present"]})
    kind, _, text = data["image"].partition(",")
    assert kind == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(text))) as photo:
        assert photo.size == (640, 400)


def test_a_project_has_the_standard_as_its_instruction(export: Export) -> None:
    folder = export("label_studio").path
    project = json.loads((folder / "project.json").read_text(encoding="utf-8"))
    assert project["label_config"] == (folder / "config.xml").read_text(encoding="utf-8")
    assert project["title"] == "pets, 7 questions"
    assert project["maximum_annotations"] == 2, "as many as the task that wants most"
    assert project["overlap_cohort_percentage"] == 14, "one of seven"
    assert "<h4>dog</h4><p><b>Counts:</b> A dog of any breed.<br>" in project["expert_instruction"]
    assert "&lt;b&gt;bold&lt;/b&gt;" in project["expert_instruction"]
    assert "<script>" not in project["expert_instruction"]


def test_photos_may_be_addressed_and_no_answer_suggested(export: Export) -> None:
    folder = export("label_studio", images="/data/local-files/?d=", predictions=False).path
    written = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
    assert [task["data"]["image"] for task in written][3] == "/data/local-files/?d=%3D3.jpg"
    assert not [task for task in written if "predictions" in task]


def test_an_export_comes_in_with_its_annotators(
    tasks: list[dict[str, Any]], take: Callable[..., Imported], store: CatalogStore, tmp_path: Path
) -> None:
    said = [
        [annotation("absent"), annotation("present", {"id": 2, "email": "bob@example.com"})],
        [annotation("present", was_cancelled=True)],
        [annotation("unsure", 2)],
        [annotation("present", result=[])],
        [],
    ]
    exported = [
        task | {"id": number, "annotations": some}
        for number, (task, some) in enumerate(zip(tasks[:5], said, strict=True))
    ]
    path = tmp_path / "project-1.json"
    path.write_text(json.dumps(exported))
    done = take(path, annotators={"1": "ann"})
    assert (done.added, done.problems, len(done.ties)) == (3, (), 1), "predictions are nobody's verdicts"
    words = said_by_people(CatalogStore(store.folder)).select(["photo", "label", "value", "annotator"])
    assert [tuple(row.values()) for row in words.to_pylist()] == [
        (0, "dog", -1, "ann"),
        (0, "dog", 1, "bob@example.com"),
        (2, "cat", 0, "label_studio 2"),
    ]


def test_json_min_says_the_same(tasks: list[dict[str, Any]], take: Callable[..., Imported], tmp_path: Path) -> None:
    whole = [task | {"id": 1, "annotations": [annotation("absent")]} for task in tasks]
    flat = [
        task["data"] | {"id": 1, "verdict": "absent", "annotator": 1, "updated_at": "2026-01-01T12:00:00.000000Z"}
        for task in tasks
    ]
    for name, tree in (("json.json", whole), ("min.json", flat)):
        (tmp_path / name).write_text(json.dumps(tree))
    assert take(tmp_path / "json.json").added == 7
    done = take(tmp_path / "min.json")
    assert (done.added, done.known) == (0, 7)


def predicted(verdict: str, model: str | None, score: Any = 0.75) -> dict[str, Any]:
    return {"model_version": model, "score": score, "result": [CHOICE | {"value": {"choices": [verdict]}}]}


def test_predictions_of_other_models_are_kept_as_opinions_that_never_count(
    tasks: list[dict[str, Any]],
    take: Callable[..., Imported],
    store: CatalogStore,
    taxonomy: Taxonomy,
    tmp_path: Path,
) -> None:
    other = [
        [predicted("absent", "dogs 2"), *tasks[0]["predictions"]],
        [predicted("present", None, score=7)],
        [predicted("unsure", "dogs 2"), 12],
        [predicted("absent", "ours")],
    ]
    exported = [task | {"annotations": [], "predictions": some} for task, some in zip(tasks, other, strict=False)]
    exported[0]["annotations"] = [annotation("present")]
    path = tmp_path / "project.json"
    path.write_text(json.dumps(exported))
    done = take(path)
    assert (done.added, done.opinions) == (1, 2)
    assert done.batch is not None
    assert done.batch.what.startswith("verdicts of label_studio 1 and opinions of a model of Label Studio, dogs 2 in ")
    (problem,) = done.problems
    assert problem.reason == "a model called 'ours' would be taken for the source of that name: rename it"
    said = CatalogStore(store.folder).table("annotations").slice(6).to_pylist()
    assert [(row["photo"], row["value"], row["origin"], row["source"], row["score"]) for row in said] == [
        (0, 1, "human", None, None),
        (0, -1, "model", "dogs 2", 0.75),
        (1, 1, "model", "a model of Label Studio", None),
    ]
    held = view(CatalogStore(store.folder), taxonomy, roots={"ours": "."}, complete=False)
    assert held.states[:, [taxonomy.column["dog"]]].toarray()[:, 0].tolist() == [1] * 6
    # Known opinions are no news; another score is.
    path.write_text(json.dumps(exported, indent=1))
    assert take(path).batch is None
    exported[0]["predictions"][0]["score"] = 0.5
    path.write_text(json.dumps(exported))
    assert take(path).opinions == 1


def test_predictions_of_another_catalog_are_refused(
    tasks: list[dict[str, Any]], take: Callable[..., Imported], tmp_path: Path
) -> None:
    tasks[0]["data"]["catalog"] = "0" * 16
    path = tmp_path / "project.json"
    path.write_text(json.dumps([tasks[0] | {"annotations": [], "predictions": [predicted("absent", "dogs 2")]}]))
    with pytest.raises(UserError, match="is about another catalog"):
        take(path)


@pytest.mark.parametrize("kind", ["sample", "again"])
def test_of_tasks_drawn_at_random_nothing_is_suggested(export: Export, queue: pa.Table, kind: str) -> None:
    drawn = queue.set_column(queue.column_names.index("kind"), "kind", pa.array([kind] * len(queue)))
    written = json.loads((export("label_studio", queue=drawn).path / "tasks.json").read_text(encoding="utf-8"))
    assert not [task for task in written if "predictions" in task]
    assert {task["data"]["evidence"] for task in written} == {""}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("text", "expected a task, got 'text'"),
        ({"image": "x"}, "has no task_id"),
        ({"data": 7, "annotations": []}, "expected data and annotations"),
        ({"data": {}, "annotations": {"a": 1}}, "expected data and annotations"),
        ({"data": {}, "annotations": [3]}, "expected an annotation, got 3"),
        ({"data": {}, "annotations": [annotation("dog")]}, r"verdict .* is none of present, absent, unsure"),
        ({"task_id": "a", "verdict": {"choices": ["present", "absent"]}}, r"verdict .* is none of"),
        ({"task_id": "a", "verdict": 7}, "verdict 7 is none of"),
    ],
)
def test_a_row_that_is_no_annotation_is_named(row: Any, reason: str) -> None:
    (problem,) = read_export([row], "export.json")
    assert isinstance(problem, Problem)
    assert problem.place == "export.json, task 1"
    assert re.search(reason, problem.reason)


def test_a_row_that_nobody_answered_says_nothing() -> None:
    assert list(read_export([{"task_id": "a"}, {"data": {}, "annotations": []}], "export.json")) == []
    (answer,) = read_export([{"task_id": "a", "verdict": "unsure"}], "export.json")
    assert isinstance(answer, Answer)
    assert answer.annotator == ""
