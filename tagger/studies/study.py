"""A study: a question, the versions that answer it, and the seeds that each is trained with."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from tagger.errors import UserError
from tagger.studies.composing import composed, composing

VERSION = re.compile(r"[A-Za-z0-9][\w.+-]*")
"""A version is a folder, a tag in MLflow and a word on the command line."""


class StudyError(UserError):
    """A study that says what cannot be; the message names the file, the key and the value."""


@dataclass(frozen=True)
class Study:
    """What ``conf/study/<name>.yaml`` says."""

    name: str
    question: str
    """What the study answers, in words."""
    baseline: str
    """The version that the others are compared with."""
    seeds: tuple[int, ...]
    """Every version is trained once with each."""
    words: tuple[str, ...]
    """Words of ``python -m tagger.train`` that every run is given."""
    versions: Mapping[str, tuple[str, ...]]
    """Version → words of its own, after those of every run: where both set a value, it is the version's."""
    minutes: float
    """A run that takes longer is stopped and reported as hung."""

    def folder(self, runs: Path) -> Path:
        """Return where the runs of the study lie, under the folder of all runs."""
        return runs / "studies" / self.name


def read_study(name: str, words: Sequence[str] = ()) -> Study:
    """Read ``conf/study/<name>.yaml``, with further words such as ``study.seeds=[0]``.

    Raises:
        StudyError: If there is no such study, or it says what cannot be.

    Example:
        >>> study = read_study("v1_v2")
        >>> study.baseline, study.seeds, study.versions["v2.0"]
        ('v1.0', (0, 1, 2), ('+experiment=resampling',))
    """
    try:
        with composing():
            config = composed("study", [f"study={name}", *words])
    except HydraException as error:
        raise StudyError(f"study={name}: {error}") from error
    return study_of(config.study, name)


def study_of(tree: DictConfig, name: str) -> Study:
    """Return the study that a file's content describes.

    Raises:
        StudyError: If a key is unknown, missing, or holds what it cannot.
    """
    where = f"conf/study/{name}.yaml"
    value: Any = OmegaConf.to_container(tree)
    known = [field.name for field in fields(Study) if field.name != "name"]
    if unknown := sorted(str(key) for key in value.keys() - set(known)):
        raise StudyError(f"{where}: unknown key {unknown[0]!r}; a study has {', '.join(known)}")
    if missing := [key for key in known if value.get(key) is None and key != "words"]:
        raise StudyError(f"{where}: {missing[0]!r} is missing; a study has {', '.join(known)}")
    versions = _versions(value["versions"], where)
    if str(value["baseline"]) not in versions:
        raise StudyError(f"{where}: baseline {value['baseline']!r} is none of the versions {', '.join(versions)}")
    return Study(
        name=name,
        question=str(value["question"]),
        baseline=str(value["baseline"]),
        seeds=_seeds(value["seeds"], where),
        words=_words(value.get("words") or [], f"{where}: words"),
        versions=versions,
        minutes=_minutes(value["minutes"], where),
    )


def _versions(value: Any, where: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict) or not value:
        raise StudyError(f"{where}: versions is {value!r}; it maps each version to its words")
    for version in value:
        if not VERSION.fullmatch(str(version)):
            raise StudyError(f"{where}: version {version!r} cannot name a folder; use letters, digits and . _ + -")
    return {str(version): _words(words or [], f"{where}: versions: {version}") for version, words in value.items()}


def _seeds(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise StudyError(f"{where}: seeds is {value!r}; it is a list of numbers such as [0, 1, 2]")
    for seed in value:
        if type(seed) is not int or seed < 0:
            raise StudyError(f"{where}: seed {seed!r} is no whole number from 0")
    if len(set(value)) < len(value):
        raise StudyError(f"{where}: seeds {value} name one twice; the same seed gives the same run")
    return tuple(value)


def _words(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise StudyError(f"{where} is {value!r}; it is a list of words such as [+experiment=baseline, loss.gamma=1]")
    for word in value:
        if not isinstance(word, str) or ("=" not in word and not word.startswith("~")):
            raise StudyError(f"{where}: {word!r} is no word such as loss.gamma=1 (quote what has commas or colons)")
    return tuple(value)


def _minutes(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise StudyError(f"{where}: minutes is {value!r}; it is how long a run may take, more than 0")
    return float(value)
