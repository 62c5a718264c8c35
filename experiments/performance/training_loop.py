"""How much slower is the project's training loop than a bare PyTorch loop that does the same work?

    python experiments/performance/training_loop.py
    python experiments/performance/training_loop.py --output experiments/performance/training_loop.md

Expected: at most 5 % slower where the network does the work; several times slower on cached features, where a step is
a millisecond. Takes ten minutes on two cores.

Ours is Lightning's Trainer with every callback of ``tagger.train``, its progress bar off; theirs is the loop of a
PyTorch tutorial. Both train the same network from the same seed on the same batches of the sample album, with the same
loss, optimizer and schedule, in turn, in one process. A stopwatch in the loss, the one place that both loops pass,
marks every step: a time runs from one loss to the next and so holds all that a step costs, loading included. The first
steps and what lies between two epochs (validation and checkpoints, which the bare loop does not have) do not count. The
losses must agree at every step, or the script stops: a ratio of different work means nothing.
"""

import argparse
import gc
import io
import os
import platform
import sys
import tempfile
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.utils.data import DataLoader

from tagger.data.batch import collate
from tagger.data.datamodule import PhotoData
from tagger.data.dataset import FeatureDataset, PhotoDataset
from tagger.data.sampler import ReplicationSampler
from tagger.data.states import targets_and_weights
from tagger.model.allocation import keep_freed_memory
from tagger.model.network import Network
from tagger.tags.thresholds_callback import ThresholdsCallback
from tagger.tracking.history import History
from tagger.tracking.mlflow import build_logger, run_status
from tagger.tracking.quiet import quieten
from tagger.tracking.run_folder import RunFolder, provenance
from tagger.tracking.test_scores import TestScores
from tagger.train import run_facts
from tagger.training.building import build_data, build_module, build_trainer

CONF = Path(__file__).resolve().parents[2] / "conf"
WARM_UP = 5
"""Steps at the start of every run that do not count."""
TOLERANCE = 1e-4
"""Relative difference of two losses that rounding may make."""
GOAL = 5
"""Percent that ours may be slower."""


@dataclass(frozen=True)
class Case:
    """A row of the table."""

    learns: str
    regime: str
    epochs: int
    logger: str = "mlflow"


CASES = (
    Case("everything", regime="everything", epochs=1),
    Case("head", regime="head", epochs=1),
    Case("head, on cached features", regime="cached", epochs=10),
    Case("head, on cached features", regime="cached", epochs=10, logger="csv"),
)


class Stopwatch(nn.Module):
    """A loss that notes when it was asked and what it answered."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss
        self.times: list[tuple[float, float]] = []
        self.losses: list[Tensor] = []

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        self.times.append((time.perf_counter(), time.process_time()))
        loss: Tensor = self.loss(logits, targets, weights)
        self.losses.append(loss.detach())
        return loss


@dataclass(frozen=True)
class Run:
    """What a run took: milliseconds of every step by the clock and of the CPU, and the loss of every step."""

    clock: np.ndarray
    cpu: np.ndarray
    losses: np.ndarray

    @classmethod
    def of(cls, watch: Stopwatch, *, steps: int) -> "Run":
        """Read a stopwatch; ``steps`` are those of an epoch, whose first has nothing to be measured from."""
        times = np.array(watch.times).reshape(-1, steps, 2)
        clock, cpu = np.diff(times, axis=1).reshape(-1, 2)[WARM_UP:].T * 1000
        return cls(clock, cpu, torch.stack(watch.losses).double().numpy())


@dataclass(frozen=True)
class Runs:
    """Runs of both loops; the runs of a number were neighbours in time."""

    theirs: list[Run]
    ours: list[Run]

    @property
    def fastest(self) -> tuple[float, float]:
        """Milliseconds of a step of theirs and of ours, each step taken from the run in which it was fastest.

        A step does the same work in every run, and whatever else the machine does only ever adds to it.
        """
        theirs, ours = (np.min([run.clock for run in runs], axis=0) for runs in (self.theirs, self.ours))
        return float(theirs.mean()), float(ours.mean())

    @property
    def slower(self) -> float:
        """By how many percent ours is slower where every step is taken from its fastest run."""
        theirs, ours = self.fastest
        return ours / theirs * 100 - 100

    @property
    def slower_by_clock(self) -> np.ndarray:
        """By how many percent the median step of ours is slower, for every pair of neighbours, ascending."""
        pairs = zip(self.theirs, self.ours, strict=True)
        return np.sort([np.median(ours.clock) / np.median(theirs.clock) * 100 - 100 for theirs, ours in pairs])

    @property
    def slower_by_cpu(self) -> np.ndarray:
        """By how many percent more CPU time all steps of ours took, for every pair of neighbours, ascending."""
        pairs = zip(self.theirs, self.ours, strict=True)
        return np.sort([ours.cpu.sum() / theirs.cpu.sum() * 100 - 100 for theirs, ours in pairs])

    @property
    def spread(self) -> float:
        """By how many percent the slowest run of theirs is slower than the fastest: what the machine alone does."""
        medians = [np.median(run.clock) for run in self.theirs]
        return float(max(medians) / min(medians) * 100 - 100)

    @property
    def gap(self) -> float:
        """How far the losses are apart, relative, at the worst step of all runs."""
        pairs = zip(self.theirs, self.ours, strict=True)
        return max(float(np.abs(ours.losses / theirs.losses - 1).max()) for theirs, ours in pairs)


Results = list[tuple[Case, Runs]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=7, help="runs of each loop (default: 7)")
    parser.add_argument("--threads", type=int, default=1, help="of torch, in both (default: 1)")
    parser.add_argument("--workers", type=int, default=0, help="processes that decode, in both (default: 0)")
    parser.add_argument("--seed", type=int, default=0, help="of initialisation, draws and augmentation (default: 0)")
    parser.add_argument("--output", type=Path, help="also write the table to this Markdown file")
    arguments = parser.parse_args()
    quieten()
    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            results.append((case, compare(case, arguments, Path(folder))))
            print(row(*results[-1]), flush=True)
    if arguments.output:
        arguments.output.write_text(page(results, arguments), encoding="utf-8")


def compare(case: Case, arguments: argparse.Namespace, folder: Path) -> Runs:
    """Run both loops in turn; who begins alternates."""
    config = configuration(case, arguments, folder)
    data = build_data(config)
    network = fresh_network(config, data)
    data.prepare(network.normalisation)
    regime = instantiate(config.regime)
    if regime.cached:
        data.cache_features(network.backbone, regime.views, torch.device("cpu"))
    runs = Runs([], [])
    for number in range(arguments.pairs):
        both = [(bare_loop, runs.theirs), (our_loop, runs.ours)]
        for loop, kept in both if number % 2 else reversed(both):
            gc.collect()
            kept.append(Run.of(loop(config, data, folder), steps=data.batches))
    if not runs.gap <= TOLERANCE:
        raise SystemExit(f"regime={case.regime}: not the same work: the losses are up to {runs.gap:.0%} apart")
    return runs


def configuration(case: Case, arguments: argparse.Namespace, folder: Path) -> DictConfig:
    """Return what ``python -m tagger.train`` would run with."""
    overrides = [
        f"regime={case.regime}",
        f"logger={case.logger}",
        "data.batch_size=32",
        f"data.workers={arguments.workers}",
        f"trainer.max_epochs={case.epochs}",
        f"seed={arguments.seed}",
        f"runs={folder}",
    ]
    if case.logger == "mlflow":
        overrides.append(f"logger.tracking_uri=sqlite:///{folder / 'mlflow.db'}")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides)


def fresh_network(config: DictConfig, data: PhotoData) -> Network:
    """Return the network at the start of training; the same one every time."""
    pl.seed_everything(config.seed, workers=True, verbose=False)
    network: Network = instantiate(config.network, labels=len(data.taxonomy))
    return network


def our_loop(config: DictConfig, data: PhotoData, folder: Path) -> Stopwatch:
    """Train as ``tagger.train`` does, between its preparations and its report."""
    module = build_module(config, data, fresh_network(config, data))
    module.loss = watch = Stopwatch(module.loss)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        run = RunFolder(Path(name), resumed=False)
        logger = build_logger(config, run, run_facts(config, data))
        callbacks = [ThresholdsCallback(instantiate(config.thresholds)), TestScores(), History()]
        # Where nobody looks on, there is no progress bar.
        with redirect_stdout(io.StringIO()), run_status(logger):
            build_trainer(config, run, logger, callbacks).fit(module, data)
    return watch


def bare_loop(config: DictConfig, data: PhotoData, folder: Path) -> Stopwatch:
    """Train as a PyTorch tutorial does; ``folder`` is not used."""
    network = fresh_network(config, data)
    regime = instantiate(config.regime)
    network.train()
    if not regime.train_backbone:
        network.backbone.requires_grad_(False).eval()
    loss_of = Stopwatch(instantiate(config.loss))
    loader, sampler = bare_loader(data)
    optimizer = instantiate(config.optimizer)(network)
    schedule = instantiate(config.schedule)(optimizer, config.trainer.max_epochs * len(loader))
    for epoch in range(config.trainer.max_epochs):
        sampler.set_epoch(epoch)
        for batch in loader:
            targets, weights = targets_and_weights(batch.states, unknown=data.weights[0])
            logits = network.classify(batch.inputs) if regime.cached else network(batch.inputs)
            loss = loss_of(logits, targets, weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return loss_of


def bare_loader(data: PhotoData) -> tuple[DataLoader[Any], ReplicationSampler]:
    """Return PyTorch's own loader over the batches that ours draws, and the sampler that draws them."""
    sampler = ReplicationSampler(data.factors, batch_size=data.batch_size, seed=data.seed, length=data.sampler.length)
    if data.views:
        features: Any = FeatureDataset(data.catalog, data.train_rows, data.views, seed=data.seed)
        return DataLoader(features, batch_sampler=sampler, collate_fn=_as_given), sampler
    photos: Any = PhotoDataset(data.catalog, data.train_rows, data.augmented, seed=data.seed)
    settings: dict[str, Any] = {"num_workers": data.workers, "persistent_workers": data.workers > 0}
    return DataLoader(photos, batch_sampler=sampler, collate_fn=collate, **settings), sampler


def _as_given(batch: Any) -> Any:
    return batch


def row(case: Case, runs: Runs) -> str:
    (theirs, ours), clock, cpu = runs.fastest, runs.slower_by_clock, runs.slower_by_cpu
    return (
        f"| {case.learns} | {case.logger} | {theirs:.2f} | {ours:.2f} | **{runs.slower:+.1f} %** | "
        f"{np.median(clock):+.1f} % ({clock[0]:+.0f} to {clock[-1]:+.0f}) | "
        f"{np.median(cpu):+.1f} % ({cpu[0]:+.0f} to {cpu[-1]:+.0f}) | {runs.spread:.0f} % |"
    )


def page(results: Results, arguments: argparse.Namespace) -> str:
    versions = (
        f"Python {platform.python_version()}, torch {torch.__version__}, Lightning {version('pytorch-lightning')}"
    )
    return "\n".join(
        [
            "# The training loop against a bare PyTorch loop",
            "",
            "    python " + " ".join(sys.argv),
            "",
            f"Commit {provenance()['commit']}, seed {arguments.seed}. EfficientNet-Lite0, sample album, 128 px, batch "
            "32; AdamW, cosine schedule, binary cross-entropy.",
            f"{arguments.pairs} runs of each loop in turn; torch threads: {arguments.threads}, workers: "
            f"{arguments.workers}, freed memory kept, in both; no progress bar.",
            f"{versions}, {platform.machine()}, {os.cpu_count()} cores that others used too.",
            "",
            "| learns | our logger | bare loop, ms a step | tagger, ms a step | slower "
            "| median step, pairs of runs (lowest to highest) | CPU time, pairs of runs | noise |",
            "|---|---|--:|--:|--:|--:|--:|--:|",
            *(row(*result) for result in results),
            "",
            *(verdict(*result) for result in results),
            "",
            "A step does the same work in every run, and other programs only add to it: milliseconds and **slower**",
            "take each step from the run in which it was fastest. The next columns say it in two other ways: the",
            "median step of ours against that of the bare run beside it, and the CPU time of all steps, which other",
            "programs hardly touch but which leaves out waiting for the disk. Noise: by how much the slowest run of",
            "the bare loop was slower than its fastest. Our logger writes every tenth step. Validation and",
            "checkpoints, between epochs, are in neither.",
            "",
        ]
    )


def verdict(case: Case, runs: Runs) -> str:
    """Say whether the goal was met, or that the loop itself is what one waits for, and how alike the losses are."""
    theirs, ours = runs.fastest
    steps, loss = len(runs.ours[0].losses), runs.ours[0].losses[-1]
    apart = f"at most {runs.gap:.0e} apart, relative," if runs.gap else "the same to the last bit"
    same = f"Loss at step {steps}: {loss:.6f}, {apart} at every step."
    if case.regime != "cached":
        met = "met" if runs.slower <= GOAL else "missed"
        return f"- {case.learns}: {runs.slower:+.1f} %; goal: at most {GOAL} % slower, **{met}**. {same}"
    return (
        f"- {case.learns}, {case.logger} logger: **{ours / theirs:.1f} times as long as the bare loop.** "
        f"A step is {theirs:.1f} ms of work, to which Lightning, our callbacks and the logger add {ours - theirs:.1f} "
        f"ms: the loop is what one waits for, {ours - theirs:.1f} s in 1,000 steps. {same}"
    )


if __name__ == "__main__":
    main()
