"""Are streamed histograms faster than scikit-learn's curve per label, and does their memory grow with the photos?

    python experiments/performance/thresholds.py --photos 90000 --labels 1000

Both ways get the same synthetic scores and end with average precision and a threshold for every label (precision 0.9
and recall 0.5, Wilson bounds first). Each runs in a process of its own, on the same number of threads, one after the
other. Drawing the scores is not timed. scikit-learn is handed its scores label by label, each in one piece of memory;
the time to bring them there is not counted either. Takes about a minute. Reads memory from /proc: Linux only.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import precision_recall_curve
from torch import Tensor

from tagger.tags.histogram import ScoreHistogram
from tagger.tags.metrics import average_precision
from tagger.tags.thresholds import Target, fit, wilson_lower_bound
from tagger.tracking.run_folder import provenance

TARGET = Target(precision=0.9, recall=0.5)
BATCH = 256

Result = dict[str, npt.NDArray[np.float64]]
Timed = tuple[dict[str, float], Result]


def batches(photos: int, labels: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield scores and states of labels from frequent to rare (Zipf), easy to hard; the same ones every time."""
    generator = torch.Generator().manual_seed(0)
    frequency = 0.3 / torch.arange(1, labels + 1) ** 0.6
    distance = 2 + 3 * torch.rand(labels, generator=generator)
    for start in range(0, photos, BATCH):
        shape = (min(BATCH, photos - start), labels)
        present = torch.rand(shape, generator=generator) < frequency
        logits = torch.randn(shape, generator=generator) + torch.where(present, distance, 0.0) - 4
        yield logits.sigmoid(), torch.where(present, 1, -1).to(torch.int8)


def streamed(photos: int, labels: int) -> Timed:
    """Count batch by batch, then fit."""
    histogram = ScoreHistogram(labels)
    update_seconds = 0.0
    for scores, states in batches(photos, labels):
        start = time.perf_counter()
        histogram.update(scores, states)
        update_seconds += time.perf_counter() - start
    start = time.perf_counter()
    counts = histogram.compute()
    ap = average_precision(counts, unknown="negative")
    contract = fit(counts, TARGET, unknown="negative")
    fit_seconds = time.perf_counter() - start
    result = {
        "ap": ap.values,
        "threshold": contract.thresholds.double(),
        "precision": contract.tally.precision,
        "recall": contract.tally.recall,
        "certified": torch.tensor([verdict == "certified" for verdict in contract.verdicts]),
    }
    seconds = {"curves": update_seconds, "total": update_seconds + fit_seconds}
    return seconds, {name: values.double().numpy() for name, values in result.items()}


def exact(photos: int, labels: int) -> Timed:
    """Keep every score, then one scikit-learn curve and one choice per label."""
    scores = np.empty((labels, photos), dtype=np.float32)
    present = np.empty((labels, photos), dtype=bool)
    for number, (some_scores, some_states) in enumerate(batches(photos, labels)):
        place = slice(number * BATCH, number * BATCH + len(some_scores))
        scores[:, place] = some_scores.T
        present[:, place] = some_states.T == 1
    curve_seconds, rows, start = 0.0, [], time.perf_counter()
    for label in range(labels):
        curve_start = time.perf_counter()
        precision, recall, thresholds = precision_recall_curve(present[label], scores[label])
        curve_seconds += time.perf_counter() - curve_start
        rows.append(exact_choice(precision, recall, thresholds, float(present[label].sum())))
    total = time.perf_counter() - start
    names = ("ap", "threshold", "precision", "recall", "certified")
    return {"curves": curve_seconds, "total": total}, dict(zip(names, np.array(rows).T, strict=True))


def exact_choice(
    precision: npt.NDArray[np.float64],
    recall: npt.NDArray[np.float64],
    thresholds: npt.NDArray[np.float32],
    positives: float,
) -> tuple[float, float, float, float, float]:
    """Return average precision and the choice of the contract on an exact curve: threshold and what it gives."""
    ap = -float(np.sum(np.diff(recall) * precision[:-1]))
    # scikit-learn appends a point without a threshold.
    precision, recall = precision[:-1], recall[:-1]
    found = np.round(recall * positives)
    tagged = np.round(found / np.maximum(precision, 1e-12))
    f1 = 2 * found / (tagged + positives)
    bounds = [bound(found, tagged), bound(found, np.full_like(found, positives))]
    wanted = (TARGET.precision or 0, TARGET.recall or 0)
    certified = (bounds[0] >= wanted[0]) & (bounds[1] >= wanted[1])
    met = (precision >= wanted[0]) & (recall >= wanted[1])
    eligible = certified if certified.any() else met if met.any() else np.ones_like(met)
    best = int(np.argmax(np.where(eligible, f1, -1)))
    return ap, float(thresholds[best]), precision[best], recall[best], float(certified.any())


def bound(found: npt.NDArray[np.float64], trials: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lower: npt.NDArray[np.float64] = wilson_lower_bound(torch.from_numpy(found), torch.from_numpy(trials)).numpy()
    return lower


WAYS: dict[str, Callable[[int, int], Timed]] = {"streamed": streamed, "exact": exact}


def megabytes(field: str) -> float:
    """Return a memory figure of this process: VmRSS now, VmHWM at its highest."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def measure(way: str, photos: int, labels: int, file: Path) -> None:
    """Run one way in this process; print seconds and memory growth as JSON and save what it found."""
    WAYS[way](2 * BATCH, min(labels, 50))  # kernels and allocators are warm
    before = megabytes("VmRSS")
    seconds, result = WAYS[way](photos, labels)
    np.savez(file, allow_pickle=False, **result)
    print(json.dumps(seconds | {"megabytes": megabytes("VmHWM") - before}))


def run(way: str, photos: int, options: argparse.Namespace) -> tuple[dict[str, float], Result]:
    """Measure one way in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.npz"
        settings = {"--photos": photos, "--labels": options.labels, "--threads": options.threads, "--file": file}
        command = [
            sys.executable,
            __file__,
            "--measure",
            way,
            *(str(part) for pair in settings.items() for part in pair),
        ]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return json.loads(answer), dict(np.load(file))


def table(options: argparse.Namespace) -> str:
    """Measure both ways at two sizes and return the findings as Markdown."""
    few = options.photos // 10
    measured = {(way, photos): run(way, photos, options) for photos in (few, options.photos) for way in WAYS}
    lines = ["| photos | way | curves, s | curves and thresholds, s | memory growth, MB |", "|---:|---|---:|---:|---:|"]
    names = {"streamed": "`ScoreHistogram`, `fit`", "exact": "`precision_recall_curve` per label"}
    for (way, photos), (figures, _) in measured.items():
        seconds = f"{figures['curves']:.2f} | {figures['total']:.2f}"
        lines.append(f"| {photos:,} | {names[way]} | {seconds} | {figures['megabytes']:.0f} |")
    fast, slow = (measured[way, options.photos] for way in ("streamed", "exact"))
    ratio = slow[0]["total"] / fast[0]["total"]
    bare = slow[0]["curves"] / fast[0]["total"]
    lines += ["", f"**{ratio:.0f}× faster** (goal: 8×); {bare:.0f}× if scikit-learn's side does not choose thresholds."]
    return "\n".join([*lines, "", *differences(fast[1], slow[1], photos=options.photos)])


def differences(ours: Result, theirs: Result, *, photos: int) -> list[str]:
    lines = [f"What binning costs, over the labels at {photos:,} photos:", ""]
    lines += ["| streamed − exact | median of absolute | largest |", "|---|---:|---:|"]
    for name in ("ap", "threshold", "precision", "recall"):
        gap = np.abs(ours[name] - theirs[name])
        lines.append(f"| {name} | {np.median(gap):.5f} | {gap.max():.5f} |")
    differing = int((ours["certified"] != theirs["certified"]).sum())
    return [*lines, "", f"Certified: {int(ours['certified'].sum())} of {len(ours['ap'])} labels; {differing} differ."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=90_000)
    parser.add_argument("--labels", type=int, default=1_000)
    parser.add_argument("--threads", type=int, default=1, help="of torch; scikit-learn's loop uses one")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    parser.add_argument("--measure", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.measure:
        measure(options.measure, options.photos, options.labels, options.file)
        return
    found = table(options)
    print(found)
    if options.output:
        sizes = f"--photos {options.photos} --labels {options.labels} --threads {options.threads}"
        command = f"python experiments/performance/thresholds.py {sizes}"
        question = "# Thresholds: streamed histograms against scikit-learn's loop"
        options.output.write_text(f"{question}\n\nCommand: `{command}`, commit {provenance()['commit']}.\n\n{found}\n")


if __name__ == "__main__":
    main()
