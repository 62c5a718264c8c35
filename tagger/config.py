"""The roots of the configuration: a misspelled key in a file or on the command line is an error that names it."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING


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
    thresholds: Any = MISSING
    callbacks: dict[str, Any] = field(default_factory=dict)
    trainer: Any = MISSING
    logger: Any = MISSING


ConfigStore.instance().store(name="train_schema", node=TrainConfig)
