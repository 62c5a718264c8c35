"""The roots of the configuration: a misspelled key in a file or on the command line is an error that names it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from tagger.errors import UserError


@dataclass
class TrainConfig:
    """Root of ``conf/train.yaml``; each ``Any`` is a group under ``conf/``."""

    name: str = MISSING
    version: str = MISSING
    seed: int = MISSING
    plan: bool = MISSING
    resume: bool = MISSING
    runs: str = MISSING
    parent: str | None = MISSING
    checkpoint_minutes: float = MISSING
    cache: str = MISSING
    # Typed as from=…, see tagger.training.words
    from_model: str | None = None
    extension: Any = None
    # One place or several
    teacher: Any = None
    pool: Any = None
    distillation: Any = None
    data: Any = MISSING
    network: Any = MISSING
    head: Any = MISSING
    regime: Any = MISSING
    experts: Any = MISSING
    sampler: Any = MISSING
    mixup: float = MISSING
    loss: Any = MISSING
    optimizer: Any = MISSING
    schedule: Any = MISSING
    detector: Any = MISSING
    rules: Any = MISSING
    thresholds: Any = MISSING
    callbacks: dict[str, Any] = field(default_factory=dict)
    trainer: Any = MISSING
    logger: Any = MISSING


@dataclass
class StudyConfig:
    """Root of ``conf/study.yaml``."""

    study: Any = MISSING
    runs: str = MISSING
    output: str | None = MISSING
    stop_seconds: float = MISSING
    job: int | None = MISSING
    parent: str | None = MISSING


@dataclass
class PrepareConfig:
    """Root of ``conf/prepare.yaml``."""

    data: Any = MISSING
    plan: bool = MISSING
    show: str | None = None
    undo: int | None = None
    redo: int | None = None
    cache: str = MISSING


@dataclass
class ExportConfig:
    """Root of ``conf/export.yaml``."""

    checkpoint: str = MISSING
    bundle: str = MISSING
    photos: str | None = None
    int8: bool = MISSING
    register: str | None = MISSING


@dataclass
class PredictConfig:
    """Root of ``conf/predict.yaml``."""

    bundle: str = MISSING
    photos: Any = MISSING
    output: str = MISSING
    profile: str | None = None
    scores: bool = MISSING
    language: str | None = None
    # Not dict[str, float], to which a word could not add labels; not thresholds, which is a group of conf/
    own_thresholds: Any = None
    xmp: bool = MISSING
    gallery: str | None = None
    gallery_limit: int = MISSING
    gallery_side: int = MISSING
    workers: int | None = None
    batch_size: int | None = None
    overwrite: bool = MISSING


@dataclass
class ServeConfig:
    """Root of ``conf/serve.yaml``."""

    bundle: str = MISSING
    profile: str | None = None
    root: str | None = None
    corrections: str = MISSING
    annotator: str | None = None
    language: str | None = None
    host: str = MISSING
    # A name, names with commas, or a list
    hosts: Any = None
    port: int = MISSING
    max_photos: int = MISSING
    max_megabytes: float = MISSING


@dataclass
class SearchConfig:
    """Root of ``conf/search.yaml``."""

    # {file: name or path}: of a plain word Hydra would think that it chooses an option of the group conf/space
    space: Any = MISSING
    # A number of trials or a time
    budget: Any = MISSING
    name: str | None = None
    version: str | None = None
    seed: int = MISSING
    confirm: int = MISSING
    startup: int = MISSING
    prune: bool = MISSING
    storage: str | None = None
    output: str | None = None
    experiments: str = MISSING
    words: list[str] = field(default_factory=list)


@dataclass
class CompareConfig:
    """Root of ``conf/compare.yaml``."""

    study: Any = None
    runs: Any = MISSING
    baseline: str = MISSING
    output: str = MISSING
    question: str | None = None
    annotations: str | None = None
    resamples: int = MISSING
    seed: int = MISSING
    false_discovery_rate: float = MISSING
    least_photos: int = MISSING
    moved: int = MISSING
    examples: int = MISSING
    pictures: bool = MISSING
    mlflow_parent: str | None = None
    tracking_uri: str = MISSING


@dataclass
class CleanConfig:
    """Root of ``conf/clean.yaml``."""

    step: str = MISSING
    data: Any = MISSING
    folder: str | None = None
    train: str = MISSING
    minutes: float = MISSING
    stop_seconds: float = MISSING
    enough: int | None = None
    poor: float | None = None
    below: float = MISSING
    labels: Any = MISSING
    kinds: list[str] = MISSING
    budget: int | None = None
    per_label: int | None = None
    rank: str = MISSING
    noise: float = MISSING
    overlap: float = MISSING
    sample: int = MISSING
    again: int = MISSING
    sample_seed: int = MISSING
    decided: bool = MISSING
    neighbours: bool = MISSING
    to: str = MISSING
    images: str | None = None
    predictions: bool = MISSING
    # Typed as from=…, see tagger.cleaning.words
    from_file: str | None = None
    annotator: str | None = None
    # Not dict[str, str]: Label Studio has numbers for annotators
    annotators: Any = None
    judges: list[str] = MISSING
    shown: int = MISSING
    cache: str = MISSING


@dataclass
class MineConfig:
    """Root of ``conf/mine.yaml``."""

    what: str = MISSING
    data: Any = None
    network: Any = MISSING
    folder: str | None = None
    # A place or a list of places
    pool: Any = None
    examples: Any = None
    negative: Any = None
    against: float = MISSING
    n: int = MISSING
    label: str | None = None
    queue: str | None = None
    index: str = MISSING
    size: int = MISSING
    fit: str = MISSING
    max_pixels: int = MISSING
    workers: int = MISSING
    confidence: float = MISSING
    support: int = MISSING
    exceptions: float = MISSING
    chance: float = MISSING
    correlation: float = MISSING
    taxonomies: list[str] = MISSING
    patch: str | None = None
    to: str | None = None
    shown: int = MISSING
    bundle: str | None = None
    confident: str = MISSING
    method: str = MISSING
    dimensions: int = MISSING
    least: int = MISSING
    clusters: int | None = None
    cluster: int | None = None
    rest: int = MISSING
    folds: str | None = None
    parents: list[str] = MISSING
    definition: str = MISSING
    cache: str = MISSING


def needed(config: DictConfig, *settings: str) -> None:
    """Ask for settings that have no default.

    Raises:
        UserError: If one is missing; all are named.
    """
    missing = [f"{name}=…" for name in settings if OmegaConf.is_missing(config, name)]
    if missing:
        raise UserError(f"{' and '.join(missing)} must be given; --help shows an example")


TEXT = re.compile(
    r"bundle|checkpoint|corrections|annotator|hosts|profile|output|gallery|runs|catalog|taxonomy|from_model|from_file|teacher|show|"
    r"examples|negative|pool|queue|images|patch|storage|train|label|photos|root|folder|"
    r"data\.(?:.*\.)?(?:catalog|taxonomy|root|folder|file|annotations|path|group|delimiter)"
)
"""Settings whose values are texts, paths and names that people chose: file systems allow ``2019`` and ``Été (1)``."""

SEVERAL = frozenset({"photos", "teacher", "pool", "examples", "negative", "runs"})
"""Those of them that may be lists or mappings: a name that begins with a bracket is typed ``./[name``."""


def as_typed(words: Sequence[str], *settings: str) -> list[str]:
    r"""Quote values as Hydra wants them, where it would take a path's commas, spaces and brackets for its grammar.

    So are the values of `TEXT` and of other settings that are texts, and what is not in its grammar at all. A value
    that was quoted already, a list, an interpolation and null stay; in a multirun, whose choices are joined by
    commas, so does what holds one.

    Args:
        words: Of a command line.
        settings: Names of more settings that are texts.

    Example:
        >>> print(*as_typed(["photos=~/My pictures (2019)", "photos=[a,b]", "scores=true", "data.root=2019"]))
        photos='~/My pictures (2019)' photos=[a,b] scores=true data.root='2019'
    """
    sweeps = not {"-m", "--multirun"}.isdisjoint(words)
    return [word if word.startswith("-") or (sweeps and "," in word) else _quoted(word, settings) for word in words]


def _quoted(word: str, settings: Sequence[str]) -> str:
    name, _, value = word.partition("=")
    if not value:
        return word
    setting = name.lstrip("+")
    is_text = setting in settings or TEXT.fullmatch(setting)
    means_more = value[:1] in "'\"" or value.startswith("${") or (value[0] in "[{" and setting in SEVERAL)
    if value == "null" or ((means_more or not is_text) and _is_grammatical(word)):
        return word
    # Backslashes count double only where a quote follows.
    escaped = re.sub(r"(\\*)('|$)", lambda end: end[1] * 2 + ("\\'" if end[2] else ""), value)
    return f"{name}='{escaped}'"


def _is_grammatical(word: str) -> bool:
    # Late: its grammar takes a tenth of a second to load, which Hydra pays anyway.
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return False
    return True


# Where the examples are, wherever a command is typed.
OmegaConf.register_new_resolver("repository", lambda: str(Path(__file__).parents[1]), replace=True)
ConfigStore.instance().store(name="train_schema", node=TrainConfig)
ConfigStore.instance().store(name="study_schema", node=StudyConfig)
ConfigStore.instance().store(name="prepare_schema", node=PrepareConfig)
ConfigStore.instance().store(name="export_schema", node=ExportConfig)
ConfigStore.instance().store(name="predict_schema", node=PredictConfig)
ConfigStore.instance().store(name="serve_schema", node=ServeConfig)
ConfigStore.instance().store(name="search_schema", node=SearchConfig)
ConfigStore.instance().store(name="compare_schema", node=CompareConfig)
ConfigStore.instance().store(name="clean_schema", node=CleanConfig)
ConfigStore.instance().store(name="mine_schema", node=MineConfig)
