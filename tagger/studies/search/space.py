"""The space of a search: settings by their Hydra key, what each may be, and when it counts at all."""

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from tagger.errors import UserError
from tagger.studies.search.words import key_of, typed_value
from tagger.trust import CONF, is_trusted, read_settings, refused

Distribution = CategoricalDistribution | FloatDistribution | IntDistribution

SPACES = CONF / "space"

SEARCHED = (
    *("data", "network", "head", "regime", "experts", "sampler", "mixup", "loss", "optimizer", "schedule"),
    *("detector", "rules", "thresholds", "callbacks", "trainer", "distillation", "teacher"),
)
"""Settings of training that a space may list: not where things are kept, nor what is told to whom."""

SETTING = re.compile(r"[a-z]\w*(\.[A-Za-z0-9]\w*)*")
"""A key: no part of it begins with ``_``, which is how Hydra is told what to build."""

PLAIN = re.compile(r"[\w-][\w.+-]*(/\w[\w.+-]*)*")
"""A choice: a word, or a path below the working folder."""

MAX_ENDS = 300
"""Most choices and ends of ranges: composing them all takes ten seconds."""


@dataclass(frozen=True)
class Parameter:
    """One setting that is searched."""

    key: str
    """Of Hydra: ``loss`` for a group, ``loss.gamma`` for a setting."""
    distribution: Distribution
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Earlier parameters by key, and the values of each with which this one counts."""

    def applies(self, chosen: Mapping[str, Any]) -> bool:
        """Say whether the parameter counts beside what was chosen before it."""
        return all(chosen.get(key) in values for key, values in self.when.items())

    def suggest(self, trial: optuna.Trial) -> Any:
        """Let a trial choose a value."""
        of = self.distribution
        if isinstance(of, CategoricalDistribution):
            return trial.suggest_categorical(self.key, of.choices)
        ask = trial.suggest_int if isinstance(of, IntDistribution) else trial.suggest_float
        return ask(self.key, of.low, of.high, log=of.log, step=of.step)  # type: ignore[arg-type]

    def holds(self, value: Any) -> bool:
        """Say whether a value is among those that can be suggested.

        Example:
            >>> Parameter("network.dropout", FloatDistribution(0.0, 0.5, step=0.1)).holds(0.3)
            True
        """
        of = self.distribution
        if isinstance(of, CategoricalDistribution):
            return value in of.choices
        if isinstance(value, bool) or not isinstance(value, int | float) or not of.low <= value <= of.high:
            return False
        steps = (value - of.low) / of.step if of.step else 0.0
        return math.isclose(steps, round(steps), abs_tol=1e-6)

    def ends(self) -> tuple[Any, ...]:
        """Return every choice, or both ends of a range: values that must be possible."""
        of = self.distribution
        return tuple(of.choices) if isinstance(of, CategoricalDistribution) else (of.low, of.high)


@dataclass(frozen=True)
class Space:
    """Parameters in the order in which they are chosen.

    Args:
        name: Stem of the file.
        path: The file, for messages.
        parameters: Those that a condition names come before those that it is for.
        fixed: Values that words of the command give to some of them.
    """

    name: str
    path: Path
    parameters: tuple[Parameter, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[str, ...]:
        """All settings of the space, the fixed ones too."""
        return tuple(parameter.key for parameter in self.parameters)

    def chosen(self, choose: Callable[[Parameter], Any]) -> dict[str, Any]:
        """Choose a value for every parameter that counts, as Hydra's words take it.

        Args:
            choose: What gives the value of a parameter that is not fixed.

        Returns:
            Values by key. Ranges have three significant digits: what a person reads is what is trained.

        Example:
            >>> loss = Parameter("loss", CategoricalDistribution(("bce", "focal")))
            >>> gamma = Parameter("loss.gamma", FloatDistribution(0.0, 3.0), when={"loss": ("focal",)})
            >>> space = Space("mine", Path("mine.yaml"), (loss, gamma))
            >>> space.chosen(lambda parameter: {"loss": "focal", "loss.gamma": 1.23456}[parameter.key])
            {'loss': 'focal', 'loss.gamma': 1.23}
        """
        values: dict[str, Any] = {}
        for parameter in self.parameters:
            if parameter.applies(values):
                fixed = self.fixed.get(parameter.key)
                values[parameter.key] = rounded(choose(parameter)) if parameter.key not in self.fixed else fixed
        return values

    def fixed_by(self, words: Sequence[str]) -> "Space":
        """Return the space with the parameters fixed that words of the command give a value.

        Example:
            >>> loss = Parameter("loss", CategoricalDistribution(("bce", "focal")))
            >>> Space("mine", Path("mine.yaml"), (loss,)).fixed_by(["loss=focal", "data=corel5k"]).fixed
            {'loss': 'focal'}
        """
        typed = {key_of(word): typed_value(word) for word in words if key_of(word) in self.keys}
        return replace(self, fixed={**self.fixed, **typed})

    def as_lines(self) -> list[str]:
        """Return one line a parameter, by which two spaces can be compared."""
        return [
            f"{parameter.key}: "
            + (f"{self.fixed[parameter.key]} (typed)" if parameter.key in self.fixed else str(parameter.distribution))
            + "".join(f" when {key} is {' or '.join(map(str, values))}" for key, values in parameter.when.items())
            for parameter in self.parameters
        ]


def rounded(value: Any) -> Any:
    """Return a fraction with three significant digits, anything else as it is.

    Example:
        >>> rounded(0.00123456), rounded(0.30000000000000004), rounded(64), rounded("bce")
        (0.00123, 0.3, 64, 'bce')
    """
    return float(f"{value:.3g}") if isinstance(value, float) else value


def read_space(name: str) -> Space:
    """Read a space.

    Args:
        name: Of a file under ``conf/space``, or the path of a YAML file.

    Raises:
        UserError: If there is no such file, or a parameter of it makes no sense; file, parameter and value are named.
    """
    is_path = name.endswith((".yaml", ".yml")) or "/" in name
    path = Path(name).expanduser() if is_path else SPACES / f"{name}.yaml"
    try:
        tree = read_settings(path)
    except FileNotFoundError:
        there = ", ".join(sorted(file.stem for file in SPACES.glob("*.yaml")))
        raise UserError(f"space={name}: there is no {path}; conf/space has {there}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"space={name}: {path} cannot be read: {error}") from None
    if not tree:
        raise UserError(f"{path}: a space lists settings by key, such as 'optimizer.lr: {{low: 1.0e-4, high: 1.0e-2}}'")
    parameters: list[Parameter] = []
    for key, settings in ((str(key), settings) for key, settings in tree.items()):
        try:
            parameters.append(_parameter(key, settings, earlier=parameters))
        except (ValueError, OverflowError) as error:
            raise UserError(f"{path}: {key}: {error}") from None
    if is_path:
        _check_followed(path, parameters)
    return Space(path.stem, path, tuple(parameters))


def _check_followed(path: Path, parameters: Sequence[Parameter]) -> None:
    """Refuse a file from outside conf/ that would say more than which values settings may have.

    Raises:
        UserError: Names the setting or the value.
    """
    if (ends := sum(len(parameter.ends()) for parameter in parameters)) > MAX_ENDS:
        raise UserError(f"{path}: {ends:,} choices and ends of ranges; each is composed once, so at most {MAX_ENDS}")
    for parameter in parameters:
        key = parameter.key
        if not SETTING.fullmatch(key) or key.partition(".")[0] not in SEARCHED:
            raise UserError(f"{path}: {key!r:.80} is not searched; a space lists settings of {', '.join(SEARCHED)}")
        for value in parameter.ends():
            if isinstance(value, str) and not PLAIN.fullmatch(value) and not is_trusted(value):
                # Hydra would read on: an interpolation, a file of another folder; timm a model of a hub.
                raise refused(f"{path}: {key}", value)


def _parameter(key: str, settings: Any, *, earlier: Sequence[Parameter]) -> Parameter:
    known = ["choices", "low", "high", "log", "step", "when"]
    if not isinstance(settings, dict):
        raise ValueError(f"expected {{choices: […]}} or {{low: …, high: …}}, got {settings!r}")
    for name in settings:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            raise ValueError(f"{name!r} is none of {', '.join(known)}" + (f"; did you mean {near[0]}?" if near else ""))
    when = _conditions(settings.get("when") or {}, earlier)
    return Parameter(key, _distribution({name: value for name, value in settings.items() if name != "when"}), when)


def _conditions(when: Any, earlier: Sequence[Parameter]) -> dict[str, tuple[Any, ...]]:
    if not isinstance(when, dict):
        raise ValueError(f"when: expected {{parameter: value}}, got {when!r}")
    conditions = {}
    before = {parameter.key: parameter for parameter in earlier}
    for key, value in when.items():
        values = tuple(value) if isinstance(value, list) else (value,)
        if key not in before:
            raise ValueError(f"when: {key} is not a parameter above this one ({', '.join(before) or 'there is none'})")
        for one in values:
            if not before[key].holds(one):
                raise ValueError(f"when: {key} can never be {one!r}")
        conditions[key] = values
    return conditions


def _distribution(settings: Mapping[str, Any]) -> Distribution:
    if "choices" in settings:
        if len(settings) > 1:
            raise ValueError(
                f"choices stand alone, without {', '.join(name for name in settings if name != 'choices')}"
            )
        return CategoricalDistribution(_choices(settings["choices"]))
    for end in ("low", "high"):
        value = settings.get(end)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{end} must be a number, got {value!r}; or give choices")
    low, high, log, step = settings["low"], settings["high"], settings.get("log", False), settings.get("step")
    if not isinstance(log, bool):
        raise ValueError(f"log must be true or false, got {log!r}")
    if step is not None and (isinstance(step, bool) or not isinstance(step, int | float) or not step > 0):
        raise ValueError(f"step must be a number above 0, got {step!r}")
    if log and step is not None:
        raise ValueError("log and step exclude each other")
    if not low < high:
        raise ValueError(f"low must be below high, got {low} and {high}")
    if log and low <= 0:
        raise ValueError(f"low must be above 0 where log is true, got {low}")
    if step is not None and not math.isclose((high - low) / step, round((high - low) / step), abs_tol=1e-6):
        raise ValueError(f"steps of {step} from {low} do not end at {high}")
    if all(isinstance(value, int) for value in (low, high, step or 1)):
        return IntDistribution(low, high, log=log, step=int(step or 1))
    return FloatDistribution(float(low), float(high), log=log, step=step)


def _choices(choices: Any) -> tuple[Any, ...]:
    if not isinstance(choices, list) or not choices:
        raise ValueError(f"choices must be a list of values, got {choices!r}")
    for value in choices:
        if value is not None and not isinstance(value, bool | int | float | str):
            raise ValueError(f"a choice must be a word, a number, true, false or null, got {value!r}")
    if len(set(choices)) < len(choices):
        raise ValueError(f"choices holds a value twice: {choices}")
    return tuple(choices)
