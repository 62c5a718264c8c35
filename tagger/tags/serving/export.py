"""Thresholds that were moved, as text to copy: for the command that tags an album, and as YAML."""

import re
import shlex
from collections.abc import Mapping

import yaml

_PLAIN = re.compile(r"[A-Za-z_][\w.\-]*", re.ASCII)
_WORDS = frozenset({"true", "false", "null", "nan", "inf"})
"""What Hydra takes for something else than a text."""


def own_thresholds(moved: Mapping[str, float]) -> str:
    """Return the setting of ``tagger.predict``, quoted for a shell; empty if nothing was moved.

    Example:
        >>> print(own_thresholds({"scene.beach": 0.4, "id_card": 2.0}))
        'own_thresholds={scene.beach: 0.4, id_card: 2}'
        >>> print(own_thresholds({"traffic light": 0.4}))
        'own_thresholds={"traffic light": 0.4}'
    """
    pairs = ", ".join(f"{_key(label)}: {threshold:g}" for label, threshold in moved.items())
    return shlex.quote(f"own_thresholds={{{pairs}}}") if moved else ""


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


def _key(label: str) -> str:
    plain = _PLAIN.fullmatch(label) and label.lower() not in _WORDS
    # What nobody sees becomes an escape of YAML's.
    shown = (sign if sign.isprintable() and sign not in '"\\' else f"\\U{ord(sign):08x}" for sign in label)
    return label if plain else f'"{"".join(shown)}"'
