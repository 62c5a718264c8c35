"""Find wrong annotations, have people decide:   python -m tagger.clean step=score data=corel5k   (--help says more)."""

import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import hydra
import numpy as np
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

import tagger.config  # noqa: F401 - registers the typed root of conf/clean.yaml
from tagger.config import as_typed, needed
from tagger.data.catalog import CatalogStore
from tagger.data.catalog.prepared import Prepared
from tagger.data.datamodule import PhotoData
from tagger.data.taxonomy import read_taxonomy
from tagger.errors import UserError, shown_plainly
from tagger.prepare import catalog_settings, fill
from tagger.studies.composing import composed, composing
from tagger.tracking.quiet import quieten
from tagger.training.building import build_data


@dataclass(frozen=True)
class Cleaning:
    """What is cleaned, and where what is found out about it lies."""

    config: DictConfig
    words: tuple[str, ...]
    """Words of training that choose the data set, its catalog and where files are kept."""
    folder: Path
    store: CatalogStore
    console: Console

    @cached_property
    def data(self) -> PhotoData:
        """The data set as training sees it, with what people decided."""
        with composing():
            return build_data(composed("train", self.words))

    def say(self, line: str) -> None:
        """Print a line as it is."""
        self.console.print(line, markup=False, soft_wrap=True)


@hydra.main(version_base="1.3", config_path="../conf", config_name="clean")
def main(config: DictConfig) -> None:
    """Do one step of the loop."""
    with shown_plainly():
        needed(config, "step")
        if config.step not in STEPS:
            raise UserError(f"step={config.step}: there is no such step; the steps are {', '.join(STEPS)}")
        quieten()
        run = HydraConfig.get()
        STEPS[config.step](opened(config, run.runtime.choices["data"], run.overrides.task))


def opened(config: DictConfig, name: str, words: Sequence[str]) -> Cleaning:
    """Return what is to be cleaned; the catalog is prepared if there is none yet.

    Args:
        config: The settings.
        name: The data set, as in ``data=…``.
        words: What was typed.
    """
    console, prepared = Console(highlight=False), catalog_settings(config, name)
    store = CatalogStore(Path(prepared.folder).expanduser())
    if not store.exists:
        console.print(f"preparing {store.folder}, which is not there yet", markup=False, soft_wrap=True)
        fill(config, prepared, store, read_taxonomy(config.data.taxonomy))
    folder = Path(config.folder or f"cleaning/{name}").expanduser()
    return Cleaning(config, (*training_words(name, words), *catalog_words(config, prepared)), folder, store, console)


def training_words(name: str, words: Sequence[str]) -> list[str]:
    """Return those of the words typed that choose the data set and where files are kept.

    Example:
        >>> training_words("voc2012", ["step=score", "data=voc2012", "data.unknown=0.5", "+data.catalog=x", "below=2"])
        ['data=voc2012', 'data.unknown=0.5', '+data.catalog=x']
    """
    keys = [word.lstrip("+~").partition("=")[0] for word in words]
    ours = [word for word, key in zip(words, keys, strict=True) if key.partition(".")[0] in ("data", "cache")]
    return ours if "data" in keys else [f"data={name}", *ours]


def catalog_words(config: DictConfig, prepared: Prepared) -> list[str]:
    """Return the word by which training reads the catalog instead of the source, where it would not by itself."""
    is_said = config.data.get("catalog") is not None
    is_catalog = config.data.source._target_ == f"{Prepared.__module__}.{Prepared.__qualname__}"
    if is_said or is_catalog:
        return []
    word = f"+data.catalog={prepared.folder}"
    # Quoted only if it must be: the words are shown, and can be typed.
    return [word] if re.fullmatch(r"[\w./+-]+=?[\w./~+-]*", word) else as_typed([word], "+data.catalog")


def score(cleaning: Cleaning) -> None:
    """Score every photo by a model that has not seen it."""
    from tagger.cleaning.scoring import score_photos
    from tagger.cleaning.scoring_table import scoring_table

    config, train = cleaning.config, shlex.split(cleaning.config.train)
    # Ten runs that nobody compares; who wants them in MLflow says so.
    logger = [] if any(word.startswith("logger=") for word in train) else ["logger=csv"]
    scores = score_photos(
        cleaning.store,
        cleaning.data.catalog,
        [*cleaning.words, *logger, *train],
        folder=cleaning.folder,
        minutes=config.minutes,
        stop_seconds=config.stop_seconds,
        command=typed(),
        say=cleaning.say,
    )
    cleaning.console.print(scoring_table(scores))
    cleaning.say(f"{int(scores.is_scored.sum()):,} photos scored by models that had not seen them")
    cleaning.say(f"scores  {cleaning.folder / 'scores.npy'} and scores.json")


def labels(cleaning: Cleaning) -> None:
    """Say which labels to clean, and why."""
    from tagger.cleaning.labels import labels_to_clean, write_labels_to_clean
    from tagger.cleaning.labels_page import write_page
    from tagger.cleaning.labels_table import labels_table
    from tagger.cleaning.scores import read_scores
    from tagger.cleaning.scoring import rows_of
    from tagger.data.dataset import dense_states

    config, data, folder = cleaning.config, cleaning.data, cleaning.folder
    scores = read_scores(folder, data.taxonomy, photos=cleaning.store.manifest.rows["photos"])
    rows = rows_of(cleaning.store)
    scored = np.flatnonzero(scores.is_scored[rows])
    ranked = labels_to_clean(
        scores.values[rows[scored]],
        dense_states(data.catalog.states, scored),
        data.taxonomy.ids,
        unknown=data.weights,
        kinds=data.kinds[scored],
        enough=config.enough,
        poor=config.poor,
        below=config.below,
    )
    write_labels_to_clean(folder / "labels_to_clean.csv", ranked)
    is_current = scores.facts["data_fingerprint"] == data.catalog.fingerprint
    facts = {"data": data.taxonomy.name, "photos scored": f"{len(scored):,}", "scored by": scores.facts["command"]}
    write_page(folder / "labels_to_clean.html", ranked, facts=facts)
    cleaning.console.print(labels_table(ranked, shown=config.shown))
    if not is_current:
        cleaning.say("The annotations have changed since step=score, which would score them anew.")
    cleaning.say(f"labels  {folder / 'labels_to_clean.csv'}\npage    {folder / 'labels_to_clean.html'}")


STEPS: Mapping[str, Callable[[Cleaning], None]] = {"score": score, "labels": labels}
"""What each step does. Their modules are imported when they are asked for: seconds that --help need not wait for."""


def typed() -> str:
    """Return the command as typed: sys.argv has the quotes that Hydra wants."""
    return shlex.join(["python", "-m", "tagger.clean", *sys.orig_argv[1 - len(sys.argv) :]])


if __name__ == "__main__":
    sys.argv[1:] = as_typed(sys.argv[1:], "folder", "train")
    main()
