"""Which settings the figures of a run depend on."""

from typing import Any

from tagger.tracking.run_folder import flatten

ASIDE = ("runs", "cache", "checkpoint_minutes", "logger", "data.workers")
"""Settings that say where things are kept or how many processes decode: runs that differ in them have one result."""


def lasting(settings: Any, *aside: str) -> dict[str, Any]:
    """Return the settings that matter, by their dotted names.

    Args:
        settings: Nested, as ``config.yaml`` has them.
        aside: Settings or groups that do not matter here, beside `ASIDE`.

    Example:
        >>> lasting({"runs": "runs", "seed": 1, "data": {"workers": 2, "size": 224}}, "seed")
        {'data.size': 224}
    """
    left_alone = (*ASIDE, *aside)
    return {
        name: value
        for name, value in flatten(settings)
        if not any(name == other or name.startswith(f"{other}.") for other in left_alone)
    }
