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
    said: Any = OmegaConf.to_container(tree)
    known = [field.name for field in fields(Study) if field.name != "name"]
    if unknown := sorted(str(key) for key in said.keys() - set(known)):
        raise StudyError(f"{where}: unknown key {unknown[0]!r}; a study has {', '.join(known)}")
    if missing := [key for key in known if said.get(key) is None and key != "words"]:
        raise StudyError(f"{where}: {missing[0]!r} is missing; a study has {', '.join(known)}")
    versions = _versions(said["versions"], where)
    if str(said["baseline"]) not in versions:
        raise StudyError(f"{where}: baseline {said['baseline']!r} is none of the versions {', '.join(versions)}")
    return Study(
        name=name,
        question=str(said["question"]),
        baseline=str(said["baseline"]),
        seeds=_seeds(said["seeds"], where),
        words=_words(said.get("words") or [], f"{where}: words"),
        versions=versions,
        minutes=_minutes(said["minutes"], where),
    )


def _versions(said: Any, where: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(said, dict) or not said:
        raise StudyError(f"{where}: versions is {said!r}; it maps each version to its words")
    for version in said:
        if not VERSION.fullmatch(str(version)):
            raise StudyError(f"{where}: version {version!r} cannot name a folder; use letters, digits and . _ + -")
    return {str(version): _words(words or [], f"{where}: versions: {version}") for version, words in said.items()}


def _seeds(said: Any, where: str) -> tuple[int, ...]:
    if not isinstance(said, list) or not said:
        raise StudyError(f"{where}: seeds is {said!r}; it is a list of numbers such as [0, 1, 2]")
    for seed in said:
        if type(seed) is not int or seed < 0:
            raise StudyError(f"{where}: seed {seed!r} is no whole number from 0")
    if len(set(said)) < len(said):
        raise StudyError(f"{where}: seeds {said} name one twice; the same seed gives the same run")
    return tuple(said)


def _words(said: Any, where: str) -> tuple[str, ...]:
    if not isinstance(said, list):
        raise StudyError(f"{where} is {said!r}; it is a list of words such as [+experiment=baseline, loss.gamma=1]")
    for word in said:
        if not isinstance(word, str) or ("=" not in word and not word.startswith("~")):
            raise StudyError(f"{where}: {word!r} is no word such as loss.gamma=1 (quote what has commas or colons)")
    return tuple(said)


def _minutes(said: Any, where: str) -> float:
    if isinstance(said, bool) or not isinstance(said, int | float) or not said > 0:
        raise StudyError(f"{where}: minutes is {said!r}; it is how long a run may take, more than 0")
    return float(said)
