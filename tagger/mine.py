"""Find what the label system lacks:   python -m tagger.mine what=similar examples=… pool=…   (--help says more)."""

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

PATHS = ("examples", "negative", "pool", "folder", "queue", "patch", "to", "bundle", "label", "definition")
"""Settings that are taken as they are typed."""

WHAT = ("similar", "clusters", "accept", "relations")
"""What can be mined; each is ``run`` of a module in ``tagger.mining.steps``."""


@hydra.main(version_base="1.3", config_path="../conf", config_name="mine")
def main(config: DictConfig) -> None:
    """Mine one thing."""
    with shown_plainly():
        needed(config, "what")
        if config.what not in WHAT:
            raise UserError(f"what={config.what}: there is no such thing to mine; there is {', '.join(WHAT)}")
        quieten()
        from tagger.cleaning.opened import training_words
        from tagger.mining.opened import Mining

        name = HydraConfig.get().runtime.choices.get("data")
        words = training_words(str(name), HydraConfig.get().overrides.task)
        mining = Mining(config, name, command=typed(), words=tuple(words))
        try:
            import_module(f"tagger.mining.steps.{config.what}").run(mining)
        except KeyboardInterrupt:
            print("stopped; typed again, the command goes on from what is kept", file=sys.stderr)
            raise SystemExit(130) from None


def typed() -> str:
    """Return the command as typed: sys.argv has the quotes that Hydra wants."""
    return shlex.join(["python", "-m", "tagger.mine", *sys.orig_argv[1 - len(sys.argv) :]])


if __name__ == "__main__":
    sys.argv[1:] = as_typed(sys.argv[1:], *PATHS)
    main()
