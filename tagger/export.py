"""Deliver a run as one file:   python -m tagger.export checkpoint=… bundle=album.tagger   (--help says more)."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import hydra
import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from tagger.config import as_typed, needed
from tagger.data.finding import found
from tagger.data.skipped import Skipped
from tagger.errors import UserError, shown_plainly
from tagger.tags.bundle import write_bundle
from tagger.tags.delivery import Run, Trained, describe, read_run, read_trained, told_of
from tagger.tags.graph import build_graph, compare
from tagger.tags.looking import looked_at, pace
from tagger.tags.model_card import model_card
from tagger.tags.quantisation import quantised, with_thresholds
from tagger.tags.remeasuring import Remeasured, remeasure
from tagger.tags.runtime import Tagger
from tagger.tracking.curves_json import short_curves
from tagger.train import build_data

COMPARED = 32
"""Most photos on which the graph is compared with the checkpoint."""

CALIBRATION = 200
"""Most validation photos on which the ranges of an eight-bit graph are seen."""


@hydra.main(version_base="1.3", config_path="../conf", config_name="export")
def main(config: DictConfig) -> None:
    """Turn a checkpoint into a bundle, and do not write it unless it does what the checkpoint does."""
    with shown_plainly():
        needed(config, "checkpoint", "bundle")
        path = Path(config.bundle).expanduser()
        trained = read_trained(Path(config.checkpoint).expanduser())
        run = read_run(trained.path)
        manifest = describe(trained, run)
        model = build_graph(trained.chain, size=trained.recipe["size"])
        photos = list(islice(photos_to_compare(config, run), COMPARED))
        comparison = compare(Tagger(manifest, model, detector=trained.detector), trained.chain, photos)
        console = Console(soft_wrap=True)
        console.print(
            f"compared with the checkpoint on random pixels and {comparison.photos} photos: "
            f"scores differ by at most {comparison.largest:.1g}"
        )
        is_told = told_of(trained, run)
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


def in_integers(trained: Trained, run: Run, model: bytes, console: Console) -> tuple[Trained, Run, bytes]:
    """Return the same in eight-bit integers, with its own thresholds and figures, and print what it costs.

    Raises:
        UserError: If the run's folder or its photos are not there.
    """
    if "thresholds" not in run.config:
        raise UserError("int8 fits thresholds again on the run's validation photos: its config.yaml is not there")
    config = OmegaConf.create(run.config)
    data, target = build_data(config), instantiate(config.thresholds)
    data.prepare(trained.chain.network.normalisation)
    chosen, plain = pace(), Tagger(describe(trained, run), model, detector=trained.detector)
    calibration = np.random.default_rng(0).permutation(data.val_rows)[:CALIBRATION]
    calibrating = looked_at(data.names(np.sort(calibration)), plain, chosen)
    small = quantised(
        model, [plain.inputs(looked.pixels, looked.detected) for looked in calibrating if len(looked.pixels)]
    )
    with console.status("scoring the validation and test photos with both graphs"):
        before, after = (remeasure(tagger, data, target, chosen) for tagger in (plain, plain.with_graph(small)))
    console.print(cost(before, after, sizes=(len(model), len(small))))
    ids = [label.id for label in after.result.labels]
    curves = dict(zip(ids, short_curves(after.validation, after.contract), strict=True))
    return (
        replace(trained, chain=trained.chain.with_thresholds(after.contract.thresholds)),
        replace(
            run,
            labels=dict(zip(ids, after.result.labels, strict=True)),
            curves=curves,
            metrics=run.metrics | after.result.metrics,
        ),
        with_thresholds(small, after.contract.thresholds),
    )


def cost(before: Remeasured, after: Remeasured, *, sizes: tuple[int, int]) -> Table:
    """Return what eight bits cost, as a table."""
    table = Table("", "float32", "int8", box=SIMPLE)
    table.add_row("MB", *(f"{size / 1e6:.1f}" for size in sizes))
    for key, name in {
        "test/map": "test mAP",
        "test/micro_f1": "test micro F1",
        "test/macro_f1": "test macro F1",
    }.items():
        table.add_row(name, *(f"{some.result.metrics.get(key, float('nan')):.3f}" for some in (before, after)))
    for verdict in ("certified", "met"):
        table.add_row(f"labels {verdict}", *(str(some.contract.verdicts.count(verdict)) for some in (before, after)))
    return table


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
