"""The roots of the configuration: a misspelled key in a file or on the command line is an error that names it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf


@dataclass
class TrainConfig:
    """Root of ``conf/train.yaml``; each ``Any`` is a group under ``conf/``."""

    name: str = MISSING
    version: str = MISSING
    seed: int = MISSING
    plan: bool = MISSING
    resume: bool = MISSING
    runs: str = MISSING
    checkpoint_minutes: float = MISSING
    cache: str = MISSING
    data: Any = MISSING
    network: Any = MISSING
    regime: Any = MISSING
    sampler: Any = MISSING
    loss: Any = MISSING
    optimizer: Any = MISSING
    schedule: Any = MISSING
    rules: Any = MISSING
    thresholds: Any = MISSING
    callbacks: dict[str, Any] = field(default_factory=dict)
    trainer: Any = MISSING
    logger: Any = MISSING


@dataclass
class PrepareConfig:
    """Root of ``conf/prepare.yaml``."""

    data: Any = MISSING
    plan: bool = MISSING
    show: str | None = None
    undo: int | None = None
    redo: int | None = None
    cache: str = MISSING


# Where the examples are, wherever a command is typed.
OmegaConf.register_new_resolver("repository", lambda: str(Path(__file__).parents[1]), replace=True)
ConfigStore.instance().store(name="train_schema", node=TrainConfig)
ConfigStore.instance().store(name="prepare_schema", node=PrepareConfig)
