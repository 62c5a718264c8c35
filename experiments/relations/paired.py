"""Apply the relations in several ways to the scores of the same trained networks, and measure all alike.

    python experiments/relations/paired.py runs/baseline

Every run is taken as it is: its network scores its validation and test photos once. Then, for each way, the relations
complete the scores, thresholds are fitted on validation, and the test fold is reported: a paired comparison.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from hydra.utils import instantiate
from torch import Tensor

import tagger.config  # noqa: F401 - registers what the configurations refer to
from tagger.data.datamodule import PhotoData
from tagger.data.dataset import dense_states
from tagger.model.checkpoint import load_checkpoint
from tagger.model.network import Network
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import Tally, average_precision, tally_at
from tagger.tags.relations.audit import audit, harmful
from tagger.tags.relations.rules import Kind, Rules, RuleSettings
from tagger.tags.thresholds import Target, fit
from tagger.training.building import build_data
from tagger.trust import read_run_to_build

RAISING: tuple[Kind, ...] = ("parents", "implies")
SETTINGS = {
    "none": RuleSettings(kinds=()),
    "max": RuleSettings(kinds=RAISING),
    "max, exclusions": RuleSettings(),
    "noisy-or": RuleSettings(kinds=RAISING, pooling="noisy_or"),
    "max, exclusions, helpful": RuleSettings(keep="helpful"),
}

Row = dict[str, float]


@dataclass(frozen=True, eq=False)
class Part:
    """The photos of one fold as the network sees them."""

    scores: Tensor
    states: Tensor
    kinds: Tensor
    truth: Tensor | None

    def histogram(self, rules: Rules, states: Tensor | None = None) -> Histogram:
        return Histogram.of(rules(self.scores), self.states if states is None else states, kinds=self.kinds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs, or folders that hold them")
    found: dict[str, list[Row]] = {name: [] for name in SETTINGS}
    for path in sorted(path for run in parser.parse_args().runs for path in run.rglob("best.ckpt")):
        for name, row in measured(path.parents[1]):
            found[name].append(row)
    print(table(found, changed_labels(found)))


@torch.inference_mode()
def measured(run: Path) -> Iterator[tuple[str, Row]]:
    """Yield the test figures of one run for every way to apply the relations."""
    config = read_run_to_build(run / "config.yaml")
    data, target = build_data(config), instantiate(config.thresholds)
    network, _, _ = load_checkpoint(run / "checkpoints" / "best.ckpt")
    data.prepare(network.normalisation)
    data.cache_features(network.backbone, 1, torch.device("cpu"))
    validation, test = (part(data, network, rows) for rows in (data.val_rows, data.test_rows))
    for name, settings in SETTINGS.items():
        yield name, row(settings, data, target, validation, test)


def part(data: PhotoData, network: Network, rows: np.ndarray) -> Part:
    features = torch.from_numpy(np.asarray(data.views[0][rows], dtype=np.float32))
    states, truth = dense_states(data.catalog.states, rows), data.truth(rows)
    kinds = torch.from_numpy(data.kinds[rows]).long()
    known = None if truth is None else torch.from_numpy(truth)
    return Part(network.classify(features).sigmoid(), torch.from_numpy(states), kinds, known)


def row(settings: RuleSettings, data: PhotoData, target: Target, validation: Part, test: Part) -> Row:
    """Return the figures of one run and one way."""
    unknown = data.weights
    rules = settings.of(data.taxonomy)
    contract = fit(validation.histogram(rules), target, unknown=unknown)
    if settings.keep == "helpful":
        thresholds, kinds = contract.thresholds, validation.kinds
        effects = audit(
            rules, validation.scores, validation.states, thresholds=thresholds, unknown=unknown, kinds=kinds
        )
        rules = rules.without(harmful(effects))
        contract = fit(validation.histogram(rules), target, unknown=unknown)
    histogram = test.histogram(rules)
    trained = torch.from_numpy(data.train_counts) > 0
    raised = raised_labels(data) & trained
    ap = average_precision(histogram, unknown=unknown)
    known = average_precision(Histogram.of(rules(test.scores), test.states), unknown="ignore")
    figures = {
        "mAP, all labels": ap.mean(trained).value,
        "mAP, raised labels": ap.mean(raised).value,
        "… of them known photos only": known.mean(raised).value,
    }
    if test.truth is not None:
        figures["mAP, raised labels, against the truth"] = (
            average_precision(test.histogram(rules, test.truth), unknown="ignore").mean(raised).value
        )
    tally = tally_at(histogram, contract.thresholds, unknown=unknown)
    figures |= tagging("all labels", tally, trained) | tagging("raised labels", tally, raised)
    for column in (raised & ap.counted).nonzero().flatten().tolist():
        figures[f"AP, {data.taxonomy.ids[column]}"] = ap.values[column].item()
    figures |= contradictions(rules(test.scores) >= contract.thresholds, data)
    figures["labels that meet the target on validation"] = float(
        sum(v in {"met", "certified"} for v in contract.verdicts)
    )
    figures["relations in use"] = float(len(rules.active))
    return {name: figure for name, figure in figures.items() if figure is not None}


def raised_labels(data: PhotoData) -> Tensor:
    """Return the labels that some relation raises, whether it is in use or not: the same for every way."""
    rules = RuleSettings(kinds=RAISING).of(data.taxonomy)
    mask = torch.zeros(len(data.taxonomy), dtype=torch.bool)
    mask[rules.targets] = True
    return mask


def contradictions(tags: Tensor, data: PhotoData) -> dict[str, float]:
    """Return how often the tags of a photo contradict the label system, whichever relations are in use."""
    rules = RuleSettings().of(data.taxonomy)
    lacking = tags[:, rules.sources] & ~tags[:, rules.targets]
    clashing = tags[:, rules.excluding[0]] & tags[:, rules.excluding[1]]
    return {
        "tags given without one that follows, per 100 photos": 100 * lacking.sum().item() / len(tags),
        "excluding tags given together, per 100 photos": 100 * clashing.sum().item() / len(tags),
    }


def tagging(name: str, tally: Tally, among: Tensor) -> dict[str, float | None]:
    """Return micro precision and recall of the tags of some labels, and their mean F1."""
    tagged, found, positives = (counts[among].sum() for counts in (tally.tagged, tally.found, tally.positives))
    counted = among & tally.counted
    return {
        f"precision, {name}": (found / tagged).item(),
        f"recall, {name}": (found / positives).item(),
        f"macro F1, {name}": tally.f1[counted].mean().item(),
    }


def changed_labels(found: dict[str, list[Row]], *, least: float = 0.003) -> set[str]:
    """Return the labels whose mean AP some relation changes, as names of figures."""
    means = {
        name: {figure: float(np.mean([row[figure] for row in rows])) for figure in rows[0]}
        for name, rows in found.items()
    }
    before = means["none"]
    return {f for f in before if f.startswith("AP, ") and abs(means["max"][f] - before[f]) >= least}


def table(found: dict[str, list[Row]], labels: set[str]) -> str:
    """Return mean, lowest and highest over the runs, a column a way; of single labels those that are named."""
    lines = ["| | " + " | ".join(found) + " |", "|---|" + "--:|" * len(found)]
    for figure in next(iter(found.values()))[0]:
        if figure.startswith("AP, ") and figure not in labels:
            continue
        digits = 0 if figure.startswith(("labels", "relations")) else 1 if "per 100" in figure else 3
        cells = [[row[figure] for row in rows] for rows in found.values()]
        shown = [f"{np.mean(c):.{digits}f} ({min(c):.{digits}f}–{max(c):.{digits}f})" for c in cells]
        lines.append(f"| {figure} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
