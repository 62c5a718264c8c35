"""From half-labelled photo collections to a multi-label tagger with a threshold for every label."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tagger.tags.runtime import Tagger

__all__ = ["Tagger"]

# Threads that wait in a loop take the cores from the processes that decode photos, and from everything else on the
# machine: beside one other busy process, two cores gave 33 photos a second with it and 118 without. It must be set
# before torch is imported; `OMP_WAIT_POLICY=ACTIVE` in the environment brings it back.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Nothing leaves the machine unless somebody names where to: these libraries tell their makers of their use, the first
# one from its import on, with an id of this machine that it keeps under ~/.cache/Microsoft. What the environment says
# already stays.
for _name, _off in {
    "ORT_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}.items():
    os.environ.setdefault(_name, _off)


def __getattr__(name: str) -> Any:
    """Import the runtime when it is asked for: every command imports this module, and few of them tag."""
    if name == "Tagger":
        from tagger.tags.runtime import Tagger

        return Tagger
    raise AttributeError(f"module 'tagger' has no attribute {name!r}")
