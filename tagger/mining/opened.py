"""What a step of mining works with: the settings, the network that looks at photos, and where what it finds goes."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig
from rich.console import Console

from tagger.data.embeddings import Embeddings, embedded
from tagger.data.skipped import Skipped
from tagger.data.sources.source import Folds
from tagger.data.transforms import EvalTransform
from tagger.errors import UserError
from tagger.mining.pool import Pool, read_pool
from tagger.model.network import Network


@dataclass(frozen=True)
class Mining:
    """What is mined."""

    config: DictConfig
    name: str | None
    """The data set, as in ``data=…``; None if there is none."""
    command: str
    """What was typed."""
    words: tuple[str, ...] = ()
    """Those of the words typed that choose the data set and where files are kept."""
    console: Console = field(default_factory=lambda: Console(highlight=False))

    @property
    def folder(self) -> Path:
        """Where what is found goes."""
        return Path(self.config.folder or f"mining/{self.config.what}").expanduser()

    @property
    def cache(self) -> Path:
        """Folder for what can be computed again."""
        return Path(self.config.cache).expanduser().absolute()

    @cached_property
    def network(self) -> Network:
        """The network that looks at photos; its head says nothing."""
        network: Network = instantiate(self.config.network, _partial_=True, labels=1)()
        return network

    @cached_property
    def transform(self) -> EvalTransform:
        """From a photo to what the network sees: as in training on cached features, so that both share embeddings."""
        normalisation = self.network.normalisation
        pixels: dict[str, Any] = {
            "mean": normalisation.mean,
            "std": normalisation.std,
            "interpolation": normalisation.interpolation,
        }
        config = self.config
        return EvalTransform(size=config.size, fit=config.fit, max_pixels=config.max_pixels, **pixels)

    def pool(self, setting: str, skipped: Skipped) -> Pool:
        """Return the photos that a setting means, each content once; none is decoded.

        Raises:
            UserError: If the setting is not given, or there is no photo in a place.
        """
        given = self.config[setting]
        if given is None:
            raise UserError(f"{setting}=… must be given: a folder of photos, a pattern, a .txt file, or several: [a,b]")
        found = read_pool(self.places(setting), cache=self.cache, skipped=skipped)
        if not len(found):
            raise UserError(f"{setting}={given}: there is no photo")
        return found

    def embedded(self, pool: Pool, skipped: Skipped) -> tuple[Pool, Embeddings]:
        """Return the photos of a pool that can be read, and their embeddings; only photos never seen are decoded."""
        found = self.embeddings(pool.keys, pool.place, skipped)
        if found.is_there.all():
            return pool, found
        there = found.is_there.nonzero()[0]
        return pool.take(there), found.take(there)

    def embeddings(self, ids: pa.Array, place: Callable[[int], str], skipped: Skipped) -> Embeddings:
        """Return embeddings of photos, as `tagger.data.embeddings.embedded` does."""
        return embedded(
            self.network.backbone,
            ids,
            place,
            self.transform,
            cache=self.cache,
            workers=self.config.workers,
            device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
            skipped=skipped,
        )

    def places(self, setting: str) -> list[str]:
        """Return the places that a setting means."""
        given = self.config[setting]
        return [str(place) for place in given] if isinstance(given, ListConfig) else [str(given)]

    def named_by(self, setting: str) -> str:
        """Return what results are called: by the last part of the first place that a setting means."""
        return Path(self.places(setting)[0].rstrip("/")).stem.strip("*?[]. ") or "photos"

    def folds(self, *, otherwise: Folds) -> Folds:
        """Return the folds in which found photos may be.

        Raises:
            UserError: If there are no such ones.
        """
        given = self.config.folds or otherwise
        if given not in get_args(Folds):
            raise UserError(f"folds={given} must be {' or '.join(get_args(Folds))}")
        return given  # type: ignore[no-any-return]

    def asking(self, taxonomy: str | None = None) -> str:
        """Return the command that asks people what is in the queue, in another label system if one is given."""
        words = list(self.words or [f"data={self.name}"])
        if taxonomy is not None:
            words = [word for word in words if not word.startswith("data.taxonomy=")] + [f"data.taxonomy={taxonomy}"]
        return shlex.join(["python", "-m", "tagger.clean", "step=export", *words])

    def say(self, line: str) -> None:
        """Print a line as it is."""
        self.console.print(line, markup=False, soft_wrap=True)

    def say_skipped(self, skipped: Skipped) -> None:
        """Say what was left out, and why."""
        for line in skipped.lines(quietly=QUIETLY):
            self.say(line)


QUIETLY = ("hidden", "a sidecar", "no photo by its name")
"""What a folder of photos has beside photos."""
