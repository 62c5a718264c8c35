"""What mining works on: settings, a data set, and the folder where it writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich.console import Console

from tagger.cleaning.opened import training_words

if TYPE_CHECKING:
    from tagger.data.datamodule import PhotoData


@dataclass(frozen=True)
class Mining:
    """What is asked for, and where the answer goes."""

    config: DictConfig
    name: str
    """Of the data set, as in ``data=…``."""
    words: tuple[str, ...]
    """Words of training that choose the data set and where files are kept."""
    folder: Path
    console: Console
    command: str
    """What was typed."""

    @cached_property
    def data(self) -> "PhotoData":
        """The data set as training sees it."""
        # Not above: what training needs takes seconds to import.
        from tagger.studies.composing import composed, composing
        from tagger.training.building import build_data

        with composing():
            return build_data(composed("train", self.words))

    def say(self, line: str) -> None:
        """Print a line as it is."""
        self.console.print(line, markup=False, soft_wrap=True)


def opened(config: DictConfig, name: str, words: Sequence[str], *, command: str) -> Mining:
    """Return what is to be mined.

    Args:
        config: The settings.
        name: The data set, as in ``data=…``.
        words: What was typed, a word each.
        command: The same as one line.
    """
    folder = Path(config.folder or f"mining/{config.what}").expanduser()
    return Mining(config, name, tuple(training_words(name, words)), folder, Console(highlight=False), command)
