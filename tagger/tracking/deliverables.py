"""Write what a run leaves in its folder."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from tagger.atomic import write_text, written_whole
from tagger.data.states import unknown_weights
from tagger.data.storage import location
from tagger.tags.detector.choosing import Choice
from tagger.tags.histogram import Histogram
from tagger.tags.metrics import curves
from tagger.tags.relations.audit import Effect
from tagger.tags.thresholds import Contract
from tagger.tracking.curves_json import write_curves
from tagger.tracking.detector_csv import write_choices
from tagger.tracking.extension import Extended, write_extension
from tagger.tracking.labels_csv import write_labels
from tagger.tracking.outcome import Outcome
from tagger.tracking.report import write_report
from tagger.tracking.rules_csv import write_audit
from tagger.tracking.test_scores import Scored


def write_deliverables(
    folder: Path,
    result: Outcome,
    *,
    contract: Contract,
    validation: Histogram,
    test: Scored,
    photos: Sequence[tuple[str, str]],
    history: Sequence[Mapping[str, float]],
    bad_photos: Sequence[tuple[str, str]],
    facts: Mapping[str, str],
    detector: Sequence[Choice] = (),
    unmapped: Mapping[str, int] = MappingProxyType({}),
    audit: Sequence[Effect] = (),
    extended: Sequence[Extended] = (),
) -> None:
    """Write what people and later comparisons need and, last of all, ``metrics.json``: then a run is finished.

    ``validation`` is what the contract was fitted on; ``photos`` are the root of every test photo and its path below
    it, so that a comparison knows the photo wherever the root lies. ``detector.csv`` is there only if a detector looked
    at the photos, ``rules.csv`` only if relations were applied, ``extension.csv`` only if a model was extended.
    """
    write_labels(folder / "labels.csv", result.labels)
    write_curves(folder / "curves.json", [label.id for label in result.labels], validation, contract)
    if detector:
        write_choices(folder / "detector.csv", detector)
    if audit:
        write_audit(folder / "rules.csv", audit)
    if extended:
        write_extension(folder / "extension.csv", extended)
    weights = np.array(unknown_weights(contract.unknown, kinds=len(test.histogram.counts) - 2))
    with written_whole(folder / "test_scores.npz") as file:
        np.savez_compressed(
            file,
            rows=test.rows,
            scores=test.scores,
            states=test.states,
            unknown=weights[np.zeros_like(test.rows) if test.kinds is None else test.kinds].astype(np.float32),
            roots=np.array([root for root, _ in photos], dtype=np.str_),
            photos=np.array([path for _, path in photos], dtype=np.str_),
        )
    write_text(folder / "bad_photos.json", json.dumps(dict(bad_photos), indent=1, ensure_ascii=False))
    curve = curves(test.histogram, unknown=contract.unknown)
    precision = curve.precision.where(curve.tagged > 0, float("nan"))
    recall = curve.recall.where(curve.positives[:, None] > 0, float("nan"))
    write_report(
        folder / "report.html",
        title=f"{facts['experiment']} on {facts['data']}",
        facts=facts,
        metrics=result.metrics,
        labels=result.labels,
        thresholds=curve.thresholds.numpy(),
        precision=precision.numpy(),
        recall=recall.numpy(),
        scores=test.scores,
        states=test.states,
        photos=[location(root, path) for root, path in photos],
        history=history,
        bad_photos=bad_photos,
        target_precision=contract.target.precision,
        target_recall=contract.target.recall,
        detector=detector,
        unmapped=unmapped,
        audit=audit,
        extended=extended,
    )
    write_text(folder / "metrics.json", json.dumps(result.metrics, indent=1, sort_keys=True))
