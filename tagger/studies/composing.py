"""Compose configurations as the commands do, wherever this is called from."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

import tagger.config  # noqa: F401 - registers the typed roots

CONF = Path(__file__).parents[2] / "conf"


@contextmanager
def composing() -> Iterator[None]:
    """Make Hydra ready for :func:`composed`; a command of Hydra's that is being run goes on as it was."""
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = running


def composed(verb: str, words: Sequence[str]) -> DictConfig:
    """Return the configuration of ``python -m tagger.<verb> <words>``.

    Raises:
        HydraException: If a word or a file says what cannot be.

    Example:
        >>> with composing():
        ...     composed("train", ["+experiment=resampling", "seed=3"]).sampler.phi
        'sqrt'
    """
    return compose(verb, overrides=list(words))
