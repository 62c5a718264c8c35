"""Faults that are injected for real: kills, full disks, damaged and hostile files, forged requests."""

import sys
from pathlib import Path

# Where `commands` is found, as pytest finds it.
sys.path.append(str(Path(__file__).parents[1]))
