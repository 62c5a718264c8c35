"""Take out of texts and settings where things lie on this machine: what is written is read elsewhere."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ABSOLUTE = re.compile(
    r"(?:(?<![\w.~}/:\\…-])|(?<=sqlite:///)|(?<=file://))/(?:[^\s/'\",\[\]{}=:]+/)*([^\s/'\",\[\]{}=:]+)"
)
"""A path from the root of the file system, not one within a longer path or a URL."""


def without_places(text: str, places: Mapping[str, str] | None = None) -> str:
    """Return a text without paths of this machine.

    Args:
        text: For instance a command.
        places: What stands for which folder, longest first; None: ``$TAGGER_DATA`` and the home folder. Of any other
            absolute path its last part stays.

    Example:
        >>> without_places("data.root=/home/ann/photos runs=/tmp/x/runs", {"/home/ann": "~"})
        'data.root=~/photos runs=…/runs'
        >>> without_places("https://example.org/a/b runs/a sqlite:////var/mlflow.db", {})
        'https://example.org/a/b runs/a sqlite:///…/mlflow.db'
    """
    for folder, name in (known_places() if places is None else places).items():
        text = re.sub(rf"{re.escape(folder)}(?=[/\s'\",\]}}]|$)", name.replace("\\", r"\\"), text)
    return ABSOLUTE.sub(lambda found: f"…/{found[1]}", text)


def known_places() -> dict[str, str]:
    """Return what stands for the folders that settings name by a variable."""
    data = os.environ.get("TAGGER_DATA")
    places = {str(Path(data).absolute()): "${oc.env:TAGGER_DATA}"} if data else {}
    home = str(Path.home())
    return places | ({home: "~"} if home != "/" else {})


def settings_without_places(tree: Any) -> Any:
    """Return nested settings with `without_places` applied to every text."""
    if isinstance(tree, Mapping):
        return {key: settings_without_places(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [settings_without_places(value) for value in tree]
    return without_places(tree) if isinstance(tree, str) else tree
