"""An experiment as a delta: what makes the defaults of ``conf/train.yaml`` the training that was found."""

from collections.abc import Collection, Sequence
from typing import Any

from hydra import compose
from omegaconf import DictConfig, OmegaConf

from tagger.studies.search.words import key_of
from tagger.tracking.run_folder import flatten

PLACE = (
    "data",
    "data.source",
    "data.taxonomy",
    "data.root",
    "data.split",
    "data.unknown",
    "data.workers",
    "data.bad_photos",
    "data.max_pixels",
    "data.follow_links",
    "trainer",
    "trainer.accelerator",
    "trainer.precision",
    "logger",
    "cache",
    "runs",
    "checkpoint_minutes",
    "hydra",
)
"""Which photos and which machine: words that stay in the command; all others are what the experiment is about."""


def place_words(words: Sequence[str]) -> list[str]:
    """Return the words that say where a training runs, and on which photos.

    Example:
        >>> place_words(["data=corel5k", "data.split=official", "data.batch_size=64", "logger=csv", "loss=focal"])
        ['data=corel5k', 'data.split=official', 'logger=csv']
    """
    return [word for word in words if _is_place(key_of(word))]


def delta(
    config: DictConfig, words: Sequence[str], *, searched: Collection[str] = ()
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the groups and settings that an experiment must have.

    Args:
        config: Composed with Hydra's own part, of the training that it is to become.
        words: Those of :func:`place_words`, with which it will be used.
        searched: Settings that are what the experiment is about even where they say on which photos.

    Returns:
        Options by group, and a tree of settings.
    """
    before = compose("train", overrides=list(words), return_hydra_config=True)
    default = before.hydra.runtime.choices
    options = {
        group: option
        for group, option in config.hydra.runtime.choices.items()
        if default.get(group, option) != option and not _is_place(group) and not group.startswith("hydra/")
    }
    with_options = compose("train", overrides=[*words, *(f"{group}={option}" for group, option in options.items())])
    have = dict(flatten(OmegaConf.to_container(with_options)))
    wanted = flatten({key: value for key, value in OmegaConf.to_container(config).items() if key != "hydra"})  # type: ignore[union-attr]
    kept = ("name", "version", "seed", "plan", "resume")
    settings: dict[str, Any] = {}
    for name, value in wanted:
        if name in kept or (_is_place(name) and name not in searched) or (name in have and have[name] == value):
            continue
        *parents, leaf = name.split(".")
        branch = settings
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = value
    return options, settings


def _is_place(key: str) -> bool:
    # "data" and "trainer" choose an option; of their settings only those listed say where.
    whole = [place for place in PLACE if place not in ("data", "trainer")]
    return key in PLACE or any(key.startswith(f"{place}.") for place in whole)
