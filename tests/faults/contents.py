"""What a folder holds, file by file: whether each is whole, and what it says apart from moments and speeds."""

import hashlib
import io
import json
import re
import sqlite3
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from defusedxml import ElementTree
from PIL import Image

Contents = dict[str, list[Any]]
"""What the files say by their place, in which numbers of runs and moments are left out; several may share one."""

MOMENT = re.compile(r"\d{4}-\d\d-\d\d([_T ]\d\d[-:]\d\d[-:]\d\d)?(\.\d+)?([+-]\d\d:?\d\d)?")

NUMBER_OF_RUN = re.compile(r"\b([0-9a-f]{32}|m-[0-9a-f]{32})\b")

SPEED = re.compile(
    r"seconds|per_second|peak_memory|mlflow_run_id|started|\bwhen\b|commit|command|system/|^uri$|model_code_path"
)
"""Keys of what differs from run to run."""


def contents(folder: Path) -> Contents:
    """Read all files of a folder.

    Raises:
        Exception: If one of them is torn; the message begins with its place.
    """
    found: Contents = defaultdict(list)
    for path in files(folder):
        found[place(path, folder)].append(content(path, folder))
    return {name: alike(name, several) for name, several in found.items()}


def alike(name: str, several: list[Any]) -> list[Any]:
    """Return the contents of files that share a place, in an order of their own."""
    if OF_A_MODEL.search(name):
        # MLflow keeps what it was given of a model whose registration was cut, until mlflow gc.
        several = [*{repr(one): one for one in several if one != CUT}.values()]
    return sorted(several, key=repr)


OF_A_MODEL = re.compile(r"mlruns/.*/models/<run>/")

CUT = "cut"
"""The content of a file of a model that MLflow was copying when it was killed."""


NO_RESULTS = re.compile(
    r"\.lock$|\.log$"  # locks stay, logs grow
    r"|/csv/.*/metrics\.csv$"  # Lightning's log of logger=csv, a new version for what is resumed
    r"|/artifacts/(.*/)?\.artifact\.uploading\."  # MLflow's: only it could tell those of a killed upload from others
    r"|/artifacts/code/"  # our own code, which MLflow keeps beside a model
)


TELLS_HOW = re.compile(
    r"/attempt\.json$"  # a study's note of what was typed last for a run, resume=true included
    r"|/multirun\.yaml$"  # Hydra's, of the last multirun: of the jobs that were missing
    r"|/searches/[^/]+/(README\.md|report\.html)$"  # count the trials that were cut
)
"""Files that tell how a result came about: they are there and whole, and differ after a kill."""


def files(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder that somebody wants or that nobody should have to find there."""
    for path in sorted(folder.rglob("*")):
        if not NO_RESULTS.search(path.as_posix()) and path.is_file():
            yield path


def place(path: Path, folder: Path) -> str:
    """Return where a file is, without the moment and the number of its run."""
    return plain(path.relative_to(folder).as_posix())


def plain(text: str) -> str:
    """Return a text without moments and numbers of runs."""
    return NUMBER_OF_RUN.sub("<run>", MOMENT.sub("<moment>", text))


def content(path: Path, folder: Path) -> Any:
    """Read one file.

    Raises:
        Exception: If it is torn; the message begins with its place.
    """
    read = READERS.get(path.suffix.lower() or path.name, _bytes)
    try:
        found = read(path)
    except Exception as error:
        if OF_A_MODEL.search(place(path, folder)):
            return CUT
        raise ValueError(f"{path.relative_to(folder)} is torn: {type(error).__name__}: {error}") from error
    return "whole" if TELLS_HOW.search(path.as_posix()) else found


def _tree(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {plain(str(key)): _tree(value) for key, value in tree.items() if not SPEED.search(str(key))}
    if isinstance(tree, list):
        return [_tree(value) for value in tree]
    return plain(tree) if isinstance(tree, str) else tree


def _json(path: Path) -> Any:
    return _tree(json.loads(path.read_text(encoding="utf-8")))


def _json_lines(path: Path) -> Any:
    # What a kill leaves of a last line is cut off by who goes on.
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [_tree(json.loads(line)) for line in whole.split(b"\n") if line]


def _yaml(path: Path) -> Any:
    return _tree(yaml.safe_load(path.read_text(encoding="utf-8")))


def _text(path: Path) -> str:
    return plain(path.read_text(encoding="utf-8-sig"))


def _markdown(path: Path) -> str:
    # What was new this time, in columns as wide as that takes.
    return re.sub(r"[ -]+", " ", re.sub(r"[\d.,]+", "#", _text(path)))


def _page(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if "</html>" not in text[-200:]:
        raise ValueError("it has no end")
    # It shows moments, seconds and commits in many ways, and the command.
    text = plain(text).replace(" resume=true", "")
    return re.sub(r"[0-9a-f]{12}\+?", "#", re.sub(r"[\d.,]+", "#", text))


def _xml(path: Path) -> str:
    ElementTree.parse(path)
    return _text(path)


def _table(path: Path) -> Any:
    return _tree(pq.ParquetFile(path).read().to_pylist())


def _arrow(path: Path) -> Any:
    with pa.ipc.open_file(path) as file:
        return str(file.read_all().to_pylist())


def _arrays(path: Path) -> Any:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return {name: _digest(arrays[name].tobytes()) for name in arrays.files}


def _array(path: Path) -> str:
    return _digest(np.load(path, allow_pickle=False).tobytes())


def _checkpoint(path: Path) -> Any:
    checkpoint = torch.load(path, weights_only=True, map_location="cpu")
    state = checkpoint["state_dict"]
    return {name: _digest(value.numpy().tobytes()) for name, value in state.items()}


def _bundle(path: Path) -> Any:
    with zipfile.ZipFile(path) as bundle:
        if broken := bundle.testzip():
            raise ValueError(f"{broken} is damaged")
        return {info.filename: _tree(str(bundle.read(info).count(b"\n"))) for info in bundle.infolist()}


def _picture(path: Path) -> str:
    if not path.stem.startswith("bad"):
        Image.open(io.BytesIO(path.read_bytes())).load()
    return _bytes(path)


def _database(path: Path) -> Any:
    with closing(sqlite3.connect(path)) as database:
        (verdict,) = database.execute("pragma integrity_check").fetchone()
        if verdict != "ok":
            raise ValueError(verdict)
        tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
        if "latest_metrics" not in tables:
            return sorted(tables)
        metrics = "select count(*) from latest_metrics as metric where metric.run_uuid = runs.run_uuid"
        rows = database.execute(f"select name, status, ({metrics}) from runs").fetchall()
        # Killed when it was registered, and typed again: there are two then.
        versions = database.execute("select distinct name, status from model_versions").fetchall()
    return {"runs": sorted(map(list, rows)), "versions": sorted(map(list, versions))}


def _bytes(path: Path) -> str:
    return _digest(path.read_bytes())


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


READERS: dict[str, Callable[[Path], Any]] = {
    ".json": _json,
    ".jsonl": _json_lines,
    ".yaml": _yaml,
    "MLmodel": _yaml,
    ".csv": _text,
    ".txt": _text,
    ".md": _markdown,
    ".html": _page,
    ".svg": _xml,
    ".xmp": _xml,
    ".parquet": _table,
    ".arrow": _arrow,
    ".npz": _arrays,
    ".npy": _array,
    ".ckpt": _checkpoint,
    ".tagger": _bundle,
    ".jpg": _picture,
    ".png": _picture,
    ".db": _database,
}
