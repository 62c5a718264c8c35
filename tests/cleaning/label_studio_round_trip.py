"""Run by the Python of Label Studio's own environment: two people answer a project through the SDK, and it is exported.

    python label_studio_round_trip.py http://127.0.0.1:8080 TOKEN cleaning/pets/tasks/label_studio-… exported

Ann says present, absent and unsure in turn and skips the last; Bob says absent to the first; another model predicts the
second. Writes JSON.json and JSON_MIN.json as the page's Export button does, and whole.json, a snapshot with addresses
and predictions. Prints what Label Studio understood.
"""

import json
import sys
from itertools import cycle
from pathlib import Path
from typing import Any


def verdict(choice: str) -> list[dict[str, Any]]:
    return [{"from_name": "verdict", "to_name": "image", "type": "choices", "value": {"choices": [choice]}}]


def main(url: str, token: str, folder: Path, out: Path) -> None:
    # Not above: pytest, whose environment has no SDK, looks into every file here for examples.
    from label_studio_sdk import LabelStudio
    from label_studio_sdk.label_interface import LabelInterface

    studio = LabelStudio(base_url=url, api_key=token, timeout=120)
    asked = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
    interface = LabelInterface((folder / "config.xml").read_text(encoding="utf-8"))
    interface.validate()
    # Apart: what the SDK 2.1 does with a task that has both fails.
    assert all(interface.validate_task({"data": task["data"]}) for task in asked)
    assert all(interface.validate_prediction(one) for task in asked for one in task.get("predictions", []))
    project = studio.projects.create(**json.loads((folder / "project.json").read_text(encoding="utf-8")))
    imported = studio.projects.import_tasks(id=project.id, request=asked)
    bob = studio.users.create(username="bob", email="bob@example.com", password="secret pass 2")

    tasks = list(studio.tasks.list(project=project.id))
    for task, choice in zip(tasks[:-1], cycle(["present", "absent", "unsure"])):
        studio.annotations.create(id=task.id, result=verdict(choice), lead_time=1.5)
    studio.annotations.create(id=tasks[-1].id, result=[], was_cancelled=True)
    studio.annotations.create(id=tasks[0].id, result=verdict("absent"), completed_by=bob.id)
    studio.predictions.create(task=tasks[1].id, result=verdict("absent"), score=0.75, model_version="dogs 2")

    for kind in ("JSON", "JSON_MIN"):
        (out / f"{kind}.json").write_bytes(studio.projects.exports.as_binary(project.id, kind))
    options = {"predictions": {"only_id": False}, "annotations__completed_by": {"only_id": False}}
    snapshot = studio.projects.exports.create(project.id, title="whole", serialization_options=options)
    whole = studio.projects.exports.download(project.id, snapshot.id, export_type="JSON")
    (out / "whole.json").write_bytes(b"".join(whole))
    told = {
        "title": project.title,
        "instruction": project.expert_instruction,
        "tasks": imported.task_count,
        "predictions": imported.prediction_count,
        "evidence": [task.data["evidence"] for task in tasks],
        "overlap": sorted(task.overlap for task in tasks),
        "bob": bob.id,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
