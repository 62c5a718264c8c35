"""What a run keeps of each of its experts: a folder of its own, and its curves in the run's own record."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from tagger.atomic import write_text
from tagger.tracking.run_folder import LAST, PREVIOUS, RunFolder


@dataclass(frozen=True)
class Trained:
    """An expert whose training is over."""

    group: str
    epochs: int
    steps: int
    val_map: float
    """Of its best epoch, over its own labels."""
    photos: int
    """Photos it was trained on, each as often as it was drawn, since its process started."""
    history: list[dict[str, float]]
    bad_photos: dict[str, str]


@dataclass(frozen=True)
class ExpertFolder:
    """``experts/<number>_<group>`` in a run's folder: checkpoints, and ``trained.json`` once the training is over."""

    run: RunFolder
    group: str

    @classmethod
    def of(cls, run: RunFolder, group: str, number: int) -> "ExpertFolder":
        """Return the folder of an expert; ids may hold what file names may not."""
        name = f"{number}_{re.sub(r'[^A-Za-z0-9_.-]', '_', group)}"
        return cls(RunFolder(run.path / "experts" / name, resumed=run.resumed), group)

    @property
    def best(self) -> Path:
        """The checkpoint of its best epoch."""
        return self.run.checkpoints / "best.ckpt"

    def trained(self) -> Trained | None:
        """Return what was kept, or None if the training is not over."""
        path = self.run.path / "trained.json"
        # Its photos were trained on by an earlier process, and none by this one.
        return Trained(**json.loads(path.read_text(encoding="utf-8")) | {"photos": 0}) if path.is_file() else None

    def keep(self, trained: Trained) -> None:
        """Say that the training is over; what only its resumption needs goes."""
        write_text(self.run.path / "trained.json", json.dumps(asdict(trained), indent=1, ensure_ascii=False))
        for name in (LAST, PREVIOUS):
            (self.run.checkpoints / name).unlink(missing_ok=True)


def expert_figures(experts: Sequence[Trained]) -> dict[str, float]:
    """Return how many experts a run trained, what they cost together and how far each of them came."""
    if not experts:
        return {}
    figures = {"experts/count": float(len(experts)), "experts/steps": float(sum(expert.steps for expert in experts))}
    for expert in experts:
        figures |= {
            f"expert/{expert.group}/epochs": float(expert.epochs),
            f"expert/{expert.group}/best_val_map": expert.val_map,
        }
    return figures


class ExpertLogger(Logger):
    """The run's logger for one of its experts: metrics get its name, and its end is not the run's."""

    def __init__(self, logger: Logger, group: str) -> None:
        super().__init__()
        self.logger = logger
        self.group = group

    @property
    def name(self) -> str | None:
        return self.logger.name

    @property
    def version(self) -> int | str | None:
        return self.logger.version

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.logger.log_metrics({f"expert/{self.group}/{name}": value for name, value in metrics.items()}, step)

    def log_hyperparams(self, *arguments: Any, **settings: Any) -> None:
        """Leave the settings to the run."""
