"""What a step of the cleaning loop works on: a data set, its catalog, and the folder where its cleaning is kept."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich.console import Console

from tagger.cleaning.last import choosing, remember
from tagger.config import as_typed
from tagger.data.catalog import CatalogStore
from tagger.data.catalog.prepared import Prepared
from tagger.data.taxonomy import read_taxonomy
from tagger.prepare import catalog_settings, fill, is_prepared

if TYPE_CHECKING:
    from tagger.data.datamodule import PhotoData


@dataclass(frozen=True)
class Cleaning:
    """What is cleaned, and where what is found out about it lies."""

    config: DictConfig
    words: tuple[str, ...]
    """Words of training that choose the data set, its catalog and where files are kept."""
    folder: Path
    store: CatalogStore
    console: Console
    command: str
    """What was typed."""

    @cached_property
    def data(self) -> "PhotoData":
        """The data set as training sees it, with what people decided."""
        # Not above: what training needs takes seconds to import, and an import of verdicts needs none of it.
        from tagger.studies.composing import composed, composing
        from tagger.training.building import build_data

        with composing():
            return build_data(composed("train", self.words))

    def command_of(self, verb: str, *words: str) -> str:
        """Return another command about the same data set, as a person types it."""
        return shlex.join(["python", "-m", f"tagger.{verb}", *words, *needed_words(self.words)])

    def say(self, line: str) -> None:
        """Print a line as it is."""
        self.console.print(line, markup=False, soft_wrap=True)


def opened(config: DictConfig, name: str, words: Sequence[str], *, command: str) -> Cleaning:
    """Return what is to be cleaned; the catalog is prepared if there is none yet.

    Args:
        config: The settings.
        name: The data set, as in ``data=…``.
        words: What was typed, a word each.
        command: The same as one line.
    """
    console, prepared = Console(highlight=False), catalog_settings(config, name)
    store = CatalogStore(Path(prepared.folder).expanduser())
    if not is_prepared(store):
        console.print(f"preparing {store.folder}, which is not there yet, or not whole", markup=False, soft_wrap=True)
        fill(config, prepared, store, read_taxonomy(config.data.taxonomy))
    folder = Path(config.folder or f"cleaning/{name}").expanduser()
    remember([f"data={name}", *(word for word in choosing(words) if not word.startswith("data="))])
    trained = (*training_words(name, words), *catalog_words(config, prepared))
    return Cleaning(config, trained, folder, store, console, command)


def training_words(name: str, words: Sequence[str]) -> list[str]:
    """Return those of the words typed that choose the data set and where files are kept.

    Example:
        >>> training_words("voc2012", ["step=score", "data=voc2012", "data.unknown=0.5", "+data.catalog=x", "below=2"])
        ['data=voc2012', 'data.unknown=0.5', '+data.catalog=x']
    """
    keys = [word.lstrip("+~").partition("=")[0] for word in words]
    ours = [word for word, key in zip(words, keys, strict=True) if key.partition(".")[0] in ("data", "cache")]
    return ours if "data" in keys else [f"data={name}", *ours]


def needed_words(words: Sequence[str]) -> list[str]:
    """Return the words without where the catalog lies, if it lies where it always does.

    Example:
        >>> needed_words(["data=corel5k", "+data.catalog=catalogs/corel5k"])
        ['data=corel5k']
    """
    usual = {f"+data.catalog=catalogs/{word.partition('=')[2]}" for word in words if word.startswith("data=")}
    return [word for word in words if word not in usual]


def catalog_words(config: DictConfig, prepared: Prepared) -> list[str]:
    """Return the word by which training reads the catalog instead of the source, where it would not by itself."""
    is_said = config.data.get("catalog") is not None
    is_catalog = config.data.source._target_ == f"{Prepared.__module__}.{Prepared.__qualname__}"
    if is_said or is_catalog:
        return []
    word = f"+data.catalog={prepared.folder}"
    # Quoted only if it must be: the words are shown, and can be typed.
    return [word] if re.fullmatch(r"[\w./+-]+=?[\w./~+-]*", word) else as_typed([word], "+data.catalog")
