"""Grow the label system:   python -m tagger.mine what=relations data=album   (--help says more)."""

import shlex
import sys
from importlib import import_module

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

import tagger.config  # noqa: F401 - registers the typed root of conf/mine.yaml
from tagger.config import as_typed, needed
from tagger.errors import UserError, shown_plainly
from tagger.tracking.quiet import quieten

STEPS = ("relations",)
"""What can be mined; each is ``run`` of a module in ``tagger.mining.steps``."""

PATHS = ("folder", "patch", "to")
"""Settings that are taken as they are typed."""


@hydra.main(version_base="1.3", config_path="../conf", config_name="mine")
def main(config: DictConfig) -> None:
    """Do one thing."""
    with shown_plainly():
        needed(config, "what")
        if config.what not in STEPS:
            raise UserError(f"what={config.what}: there is no such thing to mine; there are {', '.join(STEPS)}")
        quieten()
        from tagger.mining.opened import opened

        words = HydraConfig.get()
        mining = opened(config, words.runtime.choices["data"], words.overrides.task, command=typed())
        import_module(f"tagger.mining.steps.{config.what}").run(mining)


def typed() -> str:
    """Return the command as typed: sys.argv has the quotes that Hydra wants."""
    return shlex.join(["python", "-m", "tagger.mine", *sys.orig_argv[1 - len(sys.argv) :]])


if __name__ == "__main__":
    sys.argv[1:] = as_typed(sys.argv[1:], *PATHS)
    main()
