"""What is trained: the start that the command describes, and what a choice out of the space makes of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hydra import compose
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tagger.config import as_typed
from tagger.errors import UserError
from tagger.studies.lasting import lasting
from tagger.studies.search.space import Parameter, Space
from tagger.studies.search.words import key_of

GIVEN = ("name", "version", "seed", "plan", "resume", "data.root")
"""Settings that the search gives itself, and where the photos lie: which they are is another fact of the search."""


@dataclass(frozen=True)
class Trainings:
    """Composes the configuration of every training of a search.

    Args:
        words: Of training, as typed.
        space: What is searched, with the words fixed that give a value to a parameter.
        name: Of the search.
    """

    words: tuple[str, ...]
    space: Space
    name: str

    @cached_property
    def _start(self) -> DictConfig:
        return self._compose(list(self.words), choices=True)

    def start(self, *, seed: int) -> DictConfig:
        """Compose what the command alone describes.

        Raises:
            UserError: If a word is misspelled or the training could not be searched.
        """
        return self._checked(self._compose([*self.words, f"name={self.name}", f"seed={seed}"]))

    def of(self, chosen: Mapping[str, Any], *, seed: int, choices: bool = False) -> DictConfig:
        """Compose the training of a choice.

        Args:
            chosen: Values by key.
            seed: Of the training.
            choices: With Hydra's own part, which knows the option of every group.

        Raises:
            UserError: If the choice does not compose or could not be searched.
        """
        self._check_record(chosen)
        others = [word for word in self.words if key_of(word) not in self.space.keys]
        values = [as_word(key, value) for key, value in chosen.items()]
        return self._checked(self._compose([*others, *values, f"name={self.name}", f"seed={seed}"], choices=choices))

    def start_value(self, parameter: Parameter) -> Any:
        """Return what the start has for a parameter."""
        groups = self._start.hydra.runtime.choices
        if parameter.key in groups:
            return groups[parameter.key]
        return OmegaConf.select(self._start, parameter.key)

    @cached_property
    def start_choice(self) -> dict[str, Any]:
        """The start as a choice out of the space; it may lie outside."""
        return self.space.chosen(self.start_value)

    def start_is_inside(self) -> bool:
        """Say whether the search could propose the start."""
        values = self.start_choice
        free = [parameter for parameter in self.space.parameters if parameter.key in values.keys() - self.space.fixed]
        return all(parameter.holds(values[parameter.key]) for parameter in free)

    def changed(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a choice has that the start has not."""
        return {key: value for key, value in chosen.items() if self.start_choice.get(key, ...) != value}

    def check_space(self) -> None:
        """Compose every choice and both ends of every range once.

        Raises:
            UserError: If one of them does not compose; file, parameter and value are named.
        """
        for parameter in self.space.parameters:
            if parameter.key in self.space.fixed:
                continue
            beside = {key: values[0] for key, values in self._conditions(parameter).items()}
            for value in parameter.ends():
                try:
                    self.of({**beside, parameter.key: value}, seed=0)
                except UserError as error:
                    raise UserError(f"{self.space.path}: {parameter.key}={value}: {error}") from None

    def settings(self) -> list[str]:
        """Return the start's settings as lines, without those that change no figure: by them two searches compare."""
        leaves = lasting(OmegaConf.to_container(self.start(seed=0)), *GIVEN)
        return [f"{name}: {value}" for name, value in sorted(leaves.items())]

    def _conditions(self, parameter: Parameter) -> dict[str, tuple[Any, ...]]:
        """Return what a parameter needs, and what that needs."""
        above = {other.key: other for other in self.space.parameters}
        needed: dict[str, tuple[Any, ...]] = {}
        for key, values in parameter.when.items():
            needed |= self._conditions(above[key]) | {key: values}
        return needed

    def _check_record(self, chosen: Mapping[str, Any]) -> None:
        """Refuse what neither the space nor the command names: a choice may come out of a record that others wrote."""
        parameters = {parameter.key: parameter for parameter in self.space.parameters}
        for key, value in chosen.items():
            if key not in parameters:
                raise UserError(f"{key}={value!r:.80} is no setting of the space {self.space.name}")
            if isinstance(value, bool | int | float | None) or parameters[key].holds(value):
                continue
            if value not in (self.space.fixed.get(key), self.start_value(parameters[key])):
                raise UserError(f"{key}={value!r:.80} is no choice of the space {self.space.name}")

    @staticmethod
    def _checked(config: DictConfig) -> DictConfig:
        if config.trainer.devices != 1:
            raise UserError(f"trainer.devices={config.trainer.devices}: a search trains in one process; set it to 1")
        if config.experts.by is not None:
            raise UserError(f"experts.by={config.experts.by}: a search trains one network for all labels; experts=none")
        if config.from_model is not None:
            raise UserError(f"from_model={config.from_model}: a search trains from the start, and extends no model")
        return config

    @staticmethod
    def _compose(words: Sequence[str], *, choices: bool = False) -> DictConfig:
        try:
            return compose("train", overrides=list(words), return_hydra_config=choices)
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(message(error)) from None


def as_word(key: str, value: Any) -> str:
    """Return a setting as Hydra's word for it.

    Example:
        >>> as_word("loss.alpha", None), as_word("data.augment.flip", 1e-5), as_word("data.root", "my photos")
        ('loss.alpha=null', 'data.augment.flip=1e-05', "data.root='my photos'")
    """
    if value is None or isinstance(value, bool | int | float):
        return f"{key}={'null' if value is None else str(value).lower()}"
    return f"{key}={value}" if re.fullmatch(r"[A-Za-z_][\w.]*", value) else as_typed([f"{key}={value}"], key)[0]


def message(error: BaseException) -> str:
    """Return the first lines of Hydra's message and its cause's: behind them it lists where it looked."""
    own = str(error).split("\nConfig search path")[0].strip()
    cause = str(error.__cause__).splitlines()[0] if error.__cause__ and str(error.__cause__) else ""
    return f"{own.splitlines()[0]} {cause}".strip() if cause else " ".join(own.split())
