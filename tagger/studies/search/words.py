"""Which words of a command are the search's own, and which say what each trial trains."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from tagger.config import SearchConfig, TrainConfig, as_typed
from tagger.errors import UserError

OWN = tuple(field.name for field in fields(SearchConfig))
"""The search's settings; ``name``, ``version`` and ``seed``, which training has too, are the search's here."""

TRAINING = tuple(field.name for field in fields(TrainConfig))

PATHS = ("space", "storage", "experiments", "output")
"""Settings that are taken as they are typed."""


def key_of(word: str) -> str:
    """Return the setting that a word is about.

    Example:
        >>> key_of("data.split=official"), key_of("+experiment=baseline"), key_of("--help")
        ('data.split', 'experiment', '--help')
    """
    return word.partition("=")[0] if word.startswith("-") else word.lstrip("+~").partition("=")[0]


def divided(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the search's own words, which Hydra's flags are among, and those of training.

    A word is the search's if its key is a setting of ``conf/search.yaml``; all others are settings of training, which
    composing the training checks.

    Raises:
        UserError: If a word is not about any setting of either.

    Example:
        >>> divided(["space=head", "data=corel5k", "--help", "loss.gamma=2"])
        (['space=head', '--help'], ['data=corel5k', 'loss.gamma=2'])
    """
    own, training = [], []
    for word in words:
        key = key_of(word)
        if word.startswith("-") or key in OWN:
            own.append(word)
        elif key.startswith("hydra."):
            # Where files of the user's own are found holds for both.
            own.append(word)
            training.append(word)
        else:
            _check(word)
            training.append(word)
    return own, training


def as_hydra_takes(own: Sequence[str], training: Sequence[str]) -> list[str]:
    """Return the words with which Hydra composes ``conf/search.yaml``: training words become one setting of it.

    Example:
        >>> as_hydra_takes(["space=head", "budget=2h"], ["data=corel5k", "callbacks=[ema]"])
        ["space={file:'head'}", 'budget=2h', "words=['data=corel5k','callbacks=[ema]']"]
    """
    # conf/space is a folder: of a plain value Hydra would think that it chooses one of its groups.
    plain = [re.sub(r"^space=(.*)$", r"space={file:\1}", word) for word in as_typed(own, *PATHS)]
    quoted = ",".join(as_typed([f"w={word}"], "w")[0].removeprefix("w=") for word in training)
    return [*plain, *([f"words=[{quoted}]"] if training else [])]


def as_typed_before(words: Iterable[str]) -> list[str]:
    """Return the search's own words as a person types them.

    Example:
        >>> as_typed_before(["space={file:'head'}", "budget=2h", "output='my folder'"])
        ['space=head', 'budget=2h', 'output=my folder']
    """
    return [re.sub(r"^(\w+)=(?:\{file:)?'(.*)'\}?$", r"\1=\2", word) for word in words]


def typed_value(word: str) -> Any:
    """Return the value that a word gives.

    Raises:
        UserError: If it gives several, or none that Hydra can read.

    Example:
        >>> typed_value("optimizer.lr=1e-3"), typed_value("loss=focal")
        (0.001, 'focal')
    """
    try:
        (override,) = OverridesParser.create().parse_overrides([word])
    except HydraException as error:
        raise UserError(f"{word}: {error}") from None
    if override.is_sweep_override():
        raise UserError(f"{word}: a search takes one value a word; several to choose from belong into the space")
    return override.value()


def _check(word: str) -> None:
    first = key_of(word).partition(".")[0].partition("@")[0]
    if word.startswith("+") or first in TRAINING or "=" not in word:
        # With a plus, or without a value, Hydra itself says what is wrong.
        return
    near = difflib.get_close_matches(first, [*OWN, *TRAINING], n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UserError(
        f"{word} is neither a setting of the search ({', '.join(OWN)}) nor one of training "
        f"(python -m tagger.train --help){hint}"
    )
