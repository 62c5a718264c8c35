"""Whose words are followed: the command line and conf/ are the user's own, a file may come from anybody.

Hydra builds whatever a ``_target_`` names, with whatever arguments, and an interpolation reads the environment. In a
run's ``config.yaml`` that would be whoever made the folder who decides what is run here. So of what such a file says
only this is built: classes that ``conf/`` names for the same purpose, of plain values. A class of the user's own is
named once more, in ``TAGGER_TRUST``. The page docs/trust.md says the same of all files.
"""

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from tagger.errors import UserError
from tagger.yaml_text import check_yaml

CONF = Path(__file__).parents[1] / "conf"

TRUST = "TAGGER_TRUST"
"""Environment variable: names, with commas between them, that files from outside may use beside those of ``conf/``."""

BUILT = {"data": "data", "sampler": "sampler", "thresholds": "thresholds", "extension": "experiment"}
"""What is built of a run's settings, and the folder of ``conf/`` whose files name the classes for it."""

READ = (*BUILT, "name", "version", "seed", "pool", "from_model")
"""All that is read of them to build these; the rest is for those who trained it."""

MAX_BYTES = 2**20
MAX_VALUES = 20_000
"""Of a file with settings; a run's has some hundred values."""


def is_trusted(name: str) -> bool:
    """Return whether the user names something in ``TAGGER_TRUST``: a class, a model of a hub, or a place elsewhere."""
    return name in [word.strip() for word in os.environ.get(TRUST, "").split(",")]


def refused(what: str, name: str) -> UserError:
    """Return the error for a name that a file may not use, with the way out."""
    return UserError(
        f"{what} names {name!r:.200}, which is not followed from a file; if you know what it is and want it, "
        f"{TRUST}={name:.200} allows it"
    )


def read_settings(path: Path) -> dict[str, Any]:
    """Return the settings in a YAML file from outside, as plain values; interpolations stay text.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it holds no settings, or too many.
    """
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ValueError(f"it has {size:,} bytes; settings have at most {MAX_BYTES:,}")
    text = path.read_text(encoding="utf-8")
    try:
        check_yaml(text, values=MAX_VALUES)
        # As Hydra reads it: 1e-3 is a number.
        tree: Any = OmegaConf.to_container(OmegaConf.create(text))
    except (YAMLError, OmegaConfBaseException) as error:
        raise ValueError(" ".join(str(error).split())) from error
    if not isinstance(tree, dict):
        raise ValueError("it holds no mapping of settings")
    return tree


def settings_to_build(settings: Mapping[str, Any], *, cache: str, where: str) -> DictConfig:
    """Return of a run's settings what its data and thresholds are built of, once all names in it are known.

    Args:
        settings: Of its ``config.yaml``, as `read_settings` gives them.
        cache: The user's own folder for what can be computed again; that of the file is not written to.
        where: The file, for messages.

    Raises:
        UserError: If a name is none of ``conf/`` and not trusted, or a value is no plain one.
    """
    tree: dict[str, Any] = {name: settings[name] for name in READ if name in settings}
    for key, value in tree.items():
        allowed = named_in(BUILT[key]) if key in BUILT else frozenset[str]()
        for place, name in _names(value, key):
            if name not in allowed and not is_trusted(name):
                raise refused(f"{where}: {place}", name)
    data = tree.get("data")
    if isinstance(data, dict):
        # As many processes as the file likes would be started.
        if isinstance(data.get("workers"), int):
            data["workers"] = min(data["workers"], os.cpu_count() or 1)
        if isinstance(source := data.get("source"), dict) and str(source.get("_target_")).endswith(".DrawnAlbum"):
            source["folder"] = cache
    experts = settings.get("experts")
    by = experts.get("by") if isinstance(experts, dict) else None
    return OmegaConf.create(
        {"pool": None, "from_model": None, "extension": None, **tree, "experts": {"by": by}, "cache": cache}
    )


def read_run_to_build(path: Path) -> DictConfig:
    """Return what `settings_to_build` does of a run's ``config.yaml``, with the cache of the environment.

    Raises:
        UserError: If it cannot be read, or names what files may not.
    """
    try:
        settings = read_settings(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    return settings_to_build(settings, cache=own_cache(), where=str(path))


def own_cache() -> str:
    """Return the user's folder for what can be computed again, as conf/train.yaml has it."""
    return os.environ.get("TAGGER_CACHE") or "~/.cache/tagger"


@cache
def named_in(group: str) -> frozenset[str]:
    """Return the classes that the files of a folder under ``conf/`` name.

    Example:
        >>> sorted(named_in("sampler"))
        ['tagger.data.replication.Replication']
    """
    texts = (path.read_text(encoding="utf-8") for path in sorted((CONF / group).rglob("*.yaml")))
    return frozenset(re.findall(r"^[ \t-]*_target_:[ \t]*([\w.]+)", "\n".join(texts), flags=re.MULTILINE))


def _names(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield what has to be allowed in a value, and where it stands: classes, places on other machines.

    Raises:
        UserError: If something in it is nothing that settings of a run hold.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            where = f"{place}.{key}"
            if key == "_target_":
                yield where, str(inner)
            elif str(key).startswith("_") and key != "_convert_":
                raise UserError(f"{where} is nothing that a run's settings hold")
            else:
                yield from _names(inner, where)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner, place)
    elif isinstance(value, str):
        if "${" in value:
            raise UserError(f"{place}={value!r:.80}: a run's settings hold values, and no interpolation is followed")
        if "://" in value:
            yield place, value
    elif value is not None and not isinstance(value, bool | int | float):
        raise UserError(f"{place} is a {type(value).__name__}, which is nothing that a run's settings hold")
