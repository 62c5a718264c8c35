"""Fall back with several least precisions on the scores of the same trained networks, and measure all alike.

    python experiments/fallback/floors.py runs/baseline

Every network scores its validation and test photos once. Then, for each least precision of a fallback threshold, the
contract is fitted on validation and reported on the test fold.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from hydra.utils import instantiate

import tagger.config  # noqa: F401 - registers what the configurations refer to
from tagger.data.datamodule import PhotoData
from tagger.data.dataset import dense_states
from tagger.model.network import Network
from tagger.tags.delivery.trained import read_trained
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import tally_at
from tagger.tags.thresholds import NEVER, fit
from tagger.training.building import build_data
from tagger.trust import read_run_to_build

FLOORS = (0.0, 0.1, 0.2, 0.3, 0.5)
COLUMNS = ("labels given", "tags a photo", "micro precision", "micro recall", "micro F1", "macro F1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs, or folders that hold them")
    checkpoints = sorted(path for run in parser.parse_args().runs for path in run.rglob("best.ckpt"))
    figures = np.array([list(measured(path)) for path in checkpoints])
    print(f"| fold | least precision | {' | '.join(COLUMNS)} |\n|---|---|{'--:|' * len(COLUMNS)}")
    names = [(fold, name) for name in (*FLOORS, "silence") for fold in ("validation", "test")]
    for (fold, name), seeds in zip(names, figures.swapaxes(0, 1), strict=True):
        print(f"| {fold} | {name} | {' | '.join(f'{mean:.3f}' for mean in seeds.mean(axis=0))} |")


@torch.inference_mode()
def measured(checkpoint: Path) -> Iterator[list[float]]:
    """Yield the figures of one run, for each way to fall back those of validation and of the test fold."""
    config = read_run_to_build(checkpoint.parents[1] / "config.yaml")
    data, network = build_data(config), read_trained(checkpoint).chain.network
    data.prepare(network.normalisation)
    data.cache_features(network.backbone, 1, torch.device("cpu"))
    folds = [(histogram(data, network, rows), len(rows)) for rows in (data.val_rows, data.test_rows)]
    ways = [{"fallback_precision": floor} for floor in FLOORS] + [{"fallback": "silence"}]
    for way in ways:
        contract = fit(folds[0][0], instantiate(config.thresholds, **way), unknown=data.weights)
        for fold, photos in folds:
            tally = tally_at(fold, contract.thresholds, unknown=data.weights)
            overall, (*_, macro) = tally.overall(), tally.macro()
            rates = (overall.precision, overall.recall, overall.f1)
            given = (contract.thresholds < NEVER).sum().item()
            yield [given, tally.tagged.sum().item() / photos, *(rate.item() for rate in rates), macro.value or 0.0]


def histogram(data: PhotoData, network: Network, rows: np.ndarray) -> Histogram:
    """Return what the network makes of some photos, by their cached features."""
    features = torch.from_numpy(np.asarray(data.views[0][rows], dtype=np.float32))
    states = torch.from_numpy(dense_states(data.catalog.states, rows))
    kinds = torch.from_numpy(data.kinds[rows]).long()
    return Histogram.of(network.classify(features).sigmoid(), states, kinds=kinds)


if __name__ == "__main__":
    main()
