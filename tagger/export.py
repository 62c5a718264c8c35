"""Deliver a run as one file:   python -m tagger.export checkpoint=… bundle=album.tagger   (--help says more)."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import hydra
from omegaconf import DictConfig
from rich.console import Console

from tagger.config import as_typed, needed
from tagger.data.finding import found
from tagger.data.skipped import Skipped
from tagger.errors import UserError, shown_plainly
from tagger.pages.left_out import print_left_out
from tagger.tags.delivery.bundle import write_bundle
from tagger.tags.delivery.eight_bit import in_integers
from tagger.tags.delivery.graph import build_graph, compare
from tagger.tags.delivery.model_card import model_card
from tagger.tags.delivery.registry import register
from tagger.tags.delivery.trained import Run, describe, read_run, read_trained, told_of
from tagger.tags.runtime import Tagger
from tagger.tracking.quiet import quieten

COMPARED = 32
"""Most photos on which the graph is compared with the checkpoint."""


@hydra.main(version_base="1.3", config_path="../conf", config_name="export")
def main(config: DictConfig) -> None:
    """Turn a checkpoint into a bundle, and do not write it unless it does what the checkpoint does."""
    quieten()
    with shown_plainly():
        needed(config, "checkpoint", "bundle")
        path = Path(config.bundle).expanduser()
        trained = read_trained(Path(config.checkpoint).expanduser())
        run = read_run(trained.path)
        manifest = describe(trained, run)
        model = build_graph(trained.chain, size=trained.recipe["size"])
        skipped = Skipped()
        photos = list(islice(photos_to_compare(config, run), COMPARED))
        comparison = compare(Tagger(manifest, model, detector=trained.detector), trained.chain, photos, skipped)
        console = Console(soft_wrap=True)
        console.print(
            f"compared with the checkpoint on random pixels and {comparison.photos} photos: "
            f"scores differ by at most {comparison.noise:.1g} and {comparison.largest:.1g}"
        )
        is_told = told_of(trained, run)
        print_left_out(skipped, console)
        if config.int8:
            trained, run, model = in_integers(trained, run, model, console)
            manifest, is_told = replace(describe(trained, run), precision="int8"), True
        card = model_card(manifest, name=path.stem, metrics=run.metrics if is_told else {})
        write_bundle(path, manifest, model=model, card=card, detector=trained.detector)
        if not is_told:
            console.print(
                "without verdicts and figures: no labels.csv tells of this checkpoint; a run's tells of best.ckpt"
            )
        console.print(f"bundle  {path}  ({len(model) / 1e6:.1f} MB, {len(manifest.labels)} labels)")
        if config.register is not None:
            tags = {key: value for key, value in manifest.run.items() if key != "mlflow_run_id"}
            made = register(path, name=config.register, run_id=run.mlflow_run_id, tags=tags)
            console.print(f"registered  {made.uri}  ({made.tracking_uri})")
            console.print(f"serve   mlflow models serve -m {made.uri} --env-manager local")


def photos_to_compare(config: DictConfig, run: Run) -> Iterator[str]:
    """Yield photos that were asked for, else photos of the run's data, if they are where they were."""
    if config.photos is not None:
        yield from found([config.photos], Skipped())
        return
    data = run.config.get("data")
    root = data.get("root") if isinstance(data, dict) else None
    if isinstance(root, str) and Path(root).expanduser().is_dir():
        try:
            yield from found([root], Skipped())
        except UserError:
            return


if __name__ == "__main__":
    sys.argv[1:] = as_typed(sys.argv[1:], "checkpoint", "bundle", "photos")
    main()
