"""Find wrong annotations, have people decide:   python -m tagger.clean step=score data=corel5k   (--help says more)."""

import shlex
import sys
from importlib import import_module

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

import tagger.config  # noqa: F401 - registers the typed root of conf/clean.yaml
from tagger.cleaning.last import as_last_time
from tagger.cleaning.words import as_hydra_takes
from tagger.config import needed
from tagger.errors import UserError, shown_plainly
from tagger.tracking.quiet import quieten

STEPS = ("score", "labels", "queue", "export", "import", "report")
"""In the order in which they are done; each is ``run`` of a module in ``tagger.cleaning.steps``."""


@hydra.main(version_base="1.3", config_path="../conf", config_name="clean")
def main(config: DictConfig) -> None:
    """Do one step of the loop."""
    with shown_plainly():
        needed(config, "step")
        if config.step not in STEPS:
            raise UserError(f"step={config.step}: there is no such step; the steps are {', '.join(STEPS)}")
        quieten()
        from tagger.cleaning.opened import opened

        words = HydraConfig.get()
        cleaning = opened(config, words.runtime.choices["data"], words.overrides.task, command=typed())
        import_module(f"tagger.cleaning.steps.{config.step}").run(cleaning)


def typed() -> str:
    """Return the command as typed, with the words of the last step that it went on with."""
    return shlex.join(["python", "-m", "tagger.clean", *sys.orig_argv[-len(sys.argv) + 1 + len(AGAIN) :], *AGAIN])


AGAIN: list[str] = []
"""Words of the last step that say what is cleaned, where the command does not."""


if __name__ == "__main__":
    with shown_plainly():
        AGAIN += as_last_time(sys.argv[1:])
    if AGAIN:
        print(f"{' '.join(AGAIN)}, as last time")
    sys.argv[1:] = [*as_hydra_takes(sys.argv[1:]), *AGAIN]
    main()
