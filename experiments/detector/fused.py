"""Fuse a detector into the scores of the same trained networks in several ways, and measure all alike.

    python experiments/detector/fused.py runs/corel5k --detector coco.onnx

Every run is taken as it is: its network scores its validation and test photos once. Then, for each way, validation
decides which labels take the detector, thresholds are fitted on validation, and the test fold is reported: a paired
comparison. "All" is what every candidate taking it would give, whatever validation says.
"""

import argparse
from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.utils import instantiate
from torch import Tensor

import tagger.config  # noqa: F401 - registers what the configurations refer to
from tagger.data.datamodule import PhotoData
from tagger.data.dataset import dense_states
from tagger.model.checkpoint import load_checkpoint
from tagger.model.network import Network
from tagger.tags.detector.choosing import Choice, Seen, choose, measured
from tagger.tags.detector.data_detector import DataDetector
from tagger.tags.detector.fusion import WAYS, Fusion
from tagger.tags.detector.settings import OnnxFile
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import average_precision, tally_at
from tagger.tags.thresholds import Target, fit
from tagger.training.building import build_data
from tagger.trust import read_run_to_build

Row = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs, or folders that hold them")
    parser.add_argument("--detector", required=True, help="an ONNX file")
    words = parser.parse_args()
    found: dict[str, list[Row]] = {}
    labels: dict[str, list[dict[str, Choice]]] = {}
    for path in sorted(path for run in words.runs for path in run.rglob("best.ckpt")):
        for name, row, choices in studied(path.parents[1], OnnxFile(path=words.detector)):
            found.setdefault(name, []).append(row)
            labels.setdefault(name, []).append({choice.label: choice for choice in choices})
    print(table(found))
    for name in WAYS:
        print(f"\n{name}\n\n{label_table(labels[name])}")


@torch.inference_mode()
def studied(run: Path, settings: OnnxFile) -> Iterator[tuple[str, Row, list[Choice]]]:
    """Yield the test figures of one run for every way to use the detector."""
    config = read_run_to_build(run / "config.yaml")
    data, target = build_data(config), instantiate(config.thresholds)
    looking = DataDetector.open(settings, data.taxonomy, cache=data.cache)
    assert looking is not None
    network, _, _ = load_checkpoint(run / "checkpoints" / "best.ckpt")
    data.prepare(network.normalisation)
    looking.look(data)
    data.cache_features(network.backbone, 1, torch.device("cpu"))
    validation, test = (part(data, network, rows) for rows in (data.val_rows, data.test_rows))
    columns = torch.from_numpy(looking.map.candidates)
    without: Row = {}
    for way in WAYS:
        ours = replace(settings, fusion=way)
        ids = [data.taxonomy.ids[column] for column in columns.tolist()]
        candidates = [among(photos, columns) for photos in (validation, test)]
        taken, choices = choose(ids, candidates[0], ours, unknown=data.weights)
        choices = measured(choices, candidates[1], ours, unknown=data.weights)
        if not without:
            without = figures(validation.scores, validation, test.scores, test, data, columns, target)
            yield "without", without | by_validation(choices, {}), []
        everyone = {choice.label: choice.calibration for choice in choices}
        for name, some in ((way, taken), (f"{way}, all", everyone)):
            fusion = Fusion(data.taxonomy.ids, way, some, floor=ours.floor)
            fused = [fusion(photos.scores, photos.detected) for photos in (validation, test)]
            row = figures(fused[0], validation, fused[1], test, data, columns, target)
            yield name, row | by_validation(choices, some) | {"labels that take it": float(len(some))}, choices


def by_validation(choices: list[Choice], taken: Container[str]) -> Row:
    """Return mean AP of the candidates that have validation photos to decide by themselves, and of the others."""
    rows = {}
    for name, is_rare in (("with 5 or more validation photos", False), ("with fewer", True)):
        for fold in ("val", "test"):
            aps = [
                getattr(choice, f"{fold}_ap_{'with' if choice.label in taken else 'without'}")
                for choice in choices
                if choice.is_rare is is_rare
            ]
            if (found := mean(aps)) is not None:
                rows[f"{'validation' if fold == 'val' else 'test'} mAP, {name}"] = found
    return rows


def part(data: PhotoData, network: Network, rows: np.ndarray) -> Seen:
    features = torch.from_numpy(np.asarray(data.views[0][rows], dtype=np.float32))
    assert data.detected is not None
    return Seen(
        network.classify(features).sigmoid(),
        torch.from_numpy(data.detected(rows)),
        torch.from_numpy(dense_states(data.catalog.states, rows)),
        torch.from_numpy(data.kinds[rows]).long(),
    )


def among(photos: Seen, columns: Tensor) -> Seen:
    return Seen(photos.scores[:, columns], photos.detected[:, columns], photos.states[:, columns], photos.kinds)


def figures(  # noqa: PLR0917 - two folds, and what both share
    val_scores: Tensor, validation: Seen, scores: Tensor, test: Seen, data: PhotoData, columns: Tensor, target: Target
) -> Row:
    """Return the figures of one way on the test fold, its thresholds fitted on validation."""
    unknown: Any = data.weights
    contract = fit(Histogram.of(val_scores, validation.states, kinds=validation.kinds), target, unknown=unknown)
    histogram = Histogram.of(scores, test.states, kinds=test.kinds)
    ap, tally = average_precision(histogram, unknown=unknown), tally_at(histogram, contract.thresholds, unknown=unknown)
    trained = torch.from_numpy(data.train_counts) > 0
    candidates = torch.zeros_like(trained)
    candidates[columns] = True
    tagged, found, positives = (counts[candidates].sum() for counts in (tally.tagged, tally.found, tally.positives))
    met = [verdict in {"met", "certified"} for verdict in contract.verdicts]
    rows = {
        "mAP, all labels": ap.mean(trained).value,
        "mAP, labels with a class": ap.mean(candidates).value,
        "… their macro F1": tally.f1[candidates & tally.counted].mean().item(),
        "… their precision": (found / tagged).item(),
        "… their recall": (found / positives).item(),
        "… that meet the target on validation": float(np.sum(np.array(met)[columns.numpy()])),
    }
    return {name: value for name, value in rows.items() if value is not None}


def table(found: dict[str, list[Row]]) -> str:
    """Return mean, lowest and highest over the runs, a column a way."""
    lines = ["| | " + " | ".join(found) + " |", "|---|" + "--:|" * len(found)]
    for figure in [*next(iter(found.values()))[0], "labels that take it"]:
        digits = 0 if " that " in figure else 3
        cells = [[row.get(figure, 0.0) for row in rows] for rows in found.values()]
        shown = [f"{np.mean(cell):.{digits}f} ({min(cell):.{digits}f}–{max(cell):.{digits}f})" for cell in cells]
        lines.append(f"| {figure} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def label_table(runs: list[dict[str, Choice]]) -> str:
    """Return the means over the runs, a row a label: what validation said, and what the test fold says."""
    lines = [
        "| label | taken | validation AP | | test AP | | photos, validation, test |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for label in sorted(runs[0], key=lambda label: -gain(runs, label)):
        some = [run[label] for run in runs]
        if not some[0].test_photos:
            continue
        aps = [
            mean([getattr(choice, name) for choice in some])
            for name in ("val_ap_without", "val_ap_with", "test_ap_without", "test_ap_with")
        ]
        shown = " | ".join("–" if value is None else f"{value:.3f}" for value in aps)
        taken = f"{sum(choice.is_taken for choice in some)} of {len(some)}"
        lines.append(f"| {label} | {taken} | {shown} | {some[0].val_photos}, {some[0].test_photos} |")
    return "\n".join(lines)


def gain(runs: list[dict[str, Choice]], label: str) -> float:
    before, after = (mean([getattr(run[label], f"test_ap_{name}") for run in runs]) for name in ("without", "with"))
    return -9.0 if before is None or after is None else after - before


def mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


if __name__ == "__main__":
    main()
