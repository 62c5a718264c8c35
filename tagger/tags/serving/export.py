"""Thresholds that were moved, as text to copy: for the command that tags an album, and as YAML."""

import json
from collections.abc import Mapping


def own_thresholds(moved: Mapping[str, float]) -> str:
    """Return the setting of ``tagger.predict``, quoted for a shell; empty if nothing was moved.

    Example:
        >>> own_thresholds({"scene.beach": 0.4, "id card": 2.0})
        "'own_thresholds={scene.beach: 0.4, \\"id card\\": 2}'"
    """
    if not moved:
        return ""
    pairs = ", ".join(f"{_key(label)}: {threshold:g}" for label, threshold in moved.items())
    return _for_shell(f"own_thresholds={{{pairs}}}")


def profile(moved: Mapping[str, float]) -> str:
    r"""Return the thresholds as YAML; empty if nothing was moved.

    Example:
        >>> print(profile({"scene.beach": 0.4}))
        thresholds:
          scene.beach: 0.4
    """
    if not moved:
        return ""
    # What JSON quotes, YAML reads.
    return "\n".join(["thresholds:", *(f"  {_key(label)}: {threshold:g}" for label, threshold in moved.items())])


def _key(label: str) -> str:
    plain = label.isascii() and label.replace(".", "").replace("_", "").isalnum() and label[0].isalpha()
    return label if plain else json.dumps(label)


def _for_shell(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"
