"""What a study keeps about itself: ``study.json`` in its folder."""

import json
from pathlib import Path
from typing import Any

from tagger.atomic import write_text
from tagger.studies.study import Study


def recall(study: Study, runs: Path, key: str) -> Any:
    """Return what :func:`remember` kept under ``key``, or None."""
    path = study.folder(runs) / "study.json"
    return json.loads(path.read_text(encoding="utf-8")).get(key) if path.is_file() else None


def remember(study: Study, runs: Path, **facts: Any) -> None:
    """Keep facts in the study's ``study.json``."""
    path = study.folder(runs) / "study.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    write_text(path, json.dumps(known | facts, indent=1, ensure_ascii=False))
