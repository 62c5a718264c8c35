"""Thresholds that were moved, as text to copy: for the command that tags an album, and as YAML."""

import json
import re
from collections.abc import Mapping

import yaml

_PLAIN = re.compile(r"[A-Za-z_][\w.\-]*", re.ASCII)
_WORDS = frozenset({"true", "false", "null", "nan", "inf", "yes", "no", "on", "off", "y", "n"})
"""What Hydra or YAML takes for something else than a text."""


def own_thresholds(moved: Mapping[str, float]) -> str:
    """Return the setting of ``tagger.predict``, quoted for a shell; empty if nothing was moved.

    Example:
        >>> print(own_thresholds({"scene.beach": 0.4, "id_card": 2.0}))
        'own_thresholds={scene.beach: 0.4, id_card: 2}'
        >>> print(own_thresholds({"it's": 0.4}))
        "it's" cannot be written in a command: use the YAML
    """
    unwritable = [label for label in moved if not _is_plain(label)]
    if unwritable:
        return f"{json.dumps(unwritable[0])} cannot be written in a command: use the YAML"
    pairs = ", ".join(f"{label}: {threshold:g}" for label, threshold in moved.items())
    return f"'own_thresholds={{{pairs}}}'" if moved else ""


def as_yaml(moved: Mapping[str, float]) -> str:
    """Return the thresholds as YAML; empty if nothing was moved.

    Example:
        >>> print(as_yaml({"scene.beach": 0.4}))
        thresholds:
          scene.beach: 0.4
    """
    if not moved:
        return ""
    return yaml.safe_dump({"thresholds": dict(moved)}, sort_keys=False).rstrip()


def _is_plain(label: str) -> bool:
    return bool(_PLAIN.fullmatch(label)) and label.lower() not in _WORDS
