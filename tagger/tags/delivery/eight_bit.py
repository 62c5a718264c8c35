"""A bundle in eight-bit integers: quantised, with its own thresholds and figures, and what that costs."""

from dataclasses import replace

import numpy as np
from hydra.utils import instantiate
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from tagger.data.datamodule import PhotoData
from tagger.errors import UserError
from tagger.tags.delivery.quantisation import quantised, with_thresholds
from tagger.tags.delivery.remeasuring import Remeasured, remeasure
from tagger.tags.delivery.trained import SETTINGS, Run, Trained, describe
from tagger.tags.runtime import Tagger
from tagger.tags.tagging.pixel_batches import pace, pixel_batches
from tagger.tags.thresholds import Target
from tagger.tracking.curves_json import short_curves
from tagger.training.building import build_data
from tagger.training.extending import Extending
from tagger.trust import own_cache, settings_to_build

CALIBRATION = 200
"""Most validation photos on which the ranges of an eight-bit graph are seen."""


def in_integers(trained: Trained, run: Run, model: bytes, console: Console) -> tuple[Trained, Run, bytes]:
    """Return the same in eight-bit integers, with its own thresholds and figures, and print what it costs.

    Raises:
        UserError: If the run's folder or its photos are not there, or its settings name what files may not.
    """
    if "thresholds" not in run.config:
        raise UserError("int8 fits thresholds again on the run's validation photos: its config.yaml is not there")
    data, target = as_trained(trained, run)
    chosen, plain = pace(), Tagger(describe(trained, run), model, detector=trained.detector)
    calibration = np.random.default_rng(0).permutation(data.val_rows)[:CALIBRATION]
    calibrating = pixel_batches(data.names(np.sort(calibration)), plain, chosen)
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


def as_trained(trained: Trained, run: Run) -> tuple[PhotoData, Target]:
    """Return a run's photos, in the folds and with the weights of its training, and what was asked of its labels.

    Raises:
        UserError: If its settings name what files may not, or do not describe data that is here.
    """
    config = settings_to_build(run.config, cache=own_cache(), where=f"the run's {SETTINGS}")
    try:
        data, target = build_data(config), instantiate(config.thresholds)
        # The same folds and weights as in training, if it extended a model.
        Extending.of(config, data)
        data.prepare(trained.chain.network.normalisation)
    except UserError:
        raise
    # Whoever wrote the file may have written anything.
    except Exception as error:
        cause = error.__cause__ or error
        if isinstance(cause, UserError):
            raise cause from error
        first_line = next(iter(str(cause).splitlines()), "")
        raise UserError(
            f"int8: what the run's {SETTINGS} says cannot be built: {type(cause).__name__}: {first_line:.300}"
        ) from error
    return data, target


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
