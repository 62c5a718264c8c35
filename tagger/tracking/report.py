"""``report.html``: one file that shows a run to people, without network, server or further files.

The page's content security policy lets it load nothing and run only the one script whose hash it names; names and paths
are made visible by :mod:`tagger.pages.visible` and escaped by the template. Layout, style and script are in
``report.html`` beside this file, what it shares with other pages in :mod:`tagger.pages`.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from tagger.atomic import write_text
from tagger.data.catalog.fold_noise import noise_note
from tagger.pages.template import page_template
from tagger.pages.thumbnails import load_thumbnails, style_rules
from tagger.tags.detector.choosing import Choice
from tagger.tags.relations.audit import Effect
from tagger.tracking.charts import curve_points, group_bars, learning_curve
from tagger.tracking.extension import Extended
from tagger.tracking.label_result import LabelResult
from tagger.tracking.mistakes import Mistakes, Rows, chosen_rows, worst_mistakes

Floats = NDArray[np.floating]

VERDICTS = {
    "certified": "The target is met on validation even by the one-sided 95 % lower bound of what was measured there.",
    "met": "The target is met on validation as measured, but there are too few photos to be sure of it.",
    "best_f1": "No target was asked for: the threshold is the one of best F1.",
    "unreachable": "No threshold meets the target on validation; a fallback applies.",
}
FALLBACKS = {
    "best_f1": "Its threshold is the one of best F1 instead.",
    "silence": "The label is never given.",
}
MARKS = (0.25, 0.5, 0.75)
"""Scores that are marked on every curve by small dots."""


@dataclass(frozen=True)
class Shot:
    """One photo on which a label is wrong."""

    row: int
    name: str
    score: float
    picture: str
    """``shown``, ``unreadable`` or ``left out`` (the page has its number of thumbnails)."""


@dataclass(frozen=True)
class Card:
    """Everything the page says about one label."""

    number: int
    label: LabelResult
    curve: str
    """``points`` of the precision-recall curve; empty if there is none."""
    marks: list[tuple[float, float, float]]
    """Score, place to the right and place downwards of the small dots on the curve."""
    mistakes: dict[str, list[Shot]]
    """``false_positives``, ``unlisted`` and ``false_negatives``, worst first."""


def write_report(
    path: Path,
    *,
    title: str,
    facts: Mapping[str, str],
    metrics: Mapping[str, float],
    labels: Sequence[LabelResult],
    thresholds: Floats,
    precision: Floats,
    recall: Floats,
    scores: Floats,
    states: NDArray[np.int8],
    photos: Sequence[str],
    history: Sequence[Mapping[str, float]],
    bad_photos: Sequence[tuple[str, str]],
    target_precision: float | None = None,
    target_recall: float | None = None,
    detector: Sequence[Choice] = (),
    unmapped: Mapping[str, int] = MappingProxyType({}),
    audit: Sequence[Effect] = (),
    extended: Sequence[Extended] = (),
    examples: int = 4,
    thumbnail_limit: int = 800,
) -> None:
    """Write the report of a run; the previous file stays whole until the new one is.

    Args:
        path: The HTML file.
        title: Headline, for instance the name of the run.
        facts: What the run was: version, experiment, commit, data fingerprint, command, seed; in this order.
        metrics: Flat figures such as ``test/map``; what is missing shows as "–". ``test/labels_head`` (medium, tail)
            are written under the bars where given.
        labels: One result per label, in the order of every label axis below.
        thresholds: Of the curves, ascending, shape (bins,).
        precision: On the test fold, NaN where nothing is tagged, shape (labels, bins).
        recall: On the test fold, NaN for labels without test photos, shape (labels, bins).
        scores: Of the test photos, 0..1, shape (photos, labels); a memory map will do.
        states: PRESENT, ABSENT or UNKNOWN, shape (photos, labels).
        photos: Paths of the test photos in row order. Only those that are shown are opened.
        history: One record per validation: ``step``, ``val/map``, ``train/loss``.
        bad_photos: Path and reason of every photo that was skipped.
        target_precision: Drawn as a dashed line where given.
        target_recall: Drawn as a dashed line where given.
        detector: What a detector gives each label that it has a class for; without any the section is left out.
        unmapped: Its classes that mean no label, and on how many photos each was clearly seen.
        audit: What each relation did on validation; without any the section is left out.
        extended: What became of the labels of the model that was extended; without any the section is left out.
        examples: Most photos of each kind of mistake and label.
        thumbnail_limit: Most photos embedded, about 5 kB each; the worst mistake of every label comes first. What
            is beyond is named instead of shown.

    Raises:
        ValueError: If the shapes do not fit together.
    """
    check_shapes(
        labels=labels,
        thresholds=thresholds,
        precision=precision,
        recall=recall,
        scores=scores,
        states=states,
        photos=photos,
    )
    mistakes = worst_mistakes(scores, states, np.array([label.threshold for label in labels]), count=examples)
    chosen = {int(row): photos[row] for row in chosen_rows(mistakes, limit=thumbnail_limit)}
    thumbnails = load_thumbnails(chosen)
    pictures = {row: "shown" if row in thumbnails else "unreadable" for row in chosen}
    cards = [
        Card(
            number=number,
            label=label,
            curve=curve_points(precision[number], recall[number]),
            marks=curve_marks(thresholds, precision[number], recall[number]),
            mistakes=shots(mistakes, scores, photos, number=number, pictures=pictures),
        )
        for number, label in enumerate(labels)
    ]
    # The long tail reads from head to tail; the script can sort otherwise.
    cards.sort(key=lambda card: -card.label.train_count)
    page = page_template(Path(__file__).with_name("report.html")).render(
        title=title,
        facts=facts,
        metrics=metrics,
        noise=noise_note(metrics),
        cards=cards,
        counts=Counter(label.verdict for label in labels),
        verdicts=VERDICTS,
        fallbacks=FALLBACKS,
        # Both are made by our own code from numbers and bytes only.
        bars=Markup(group_bars(metrics)),
        curve=Markup(learning_curve(history)),
        thumbnail_style=Markup(style_rules(thumbnails)),
        bad_photos=bad_photos,
        target_precision=target_precision,
        target_recall=target_recall,
        # Labels that take the detector first, then what gains most.
        detector=sorted(detector, key=lambda choice: (not choice.is_taken, -gain(choice))),
        unmapped=unmapped,
        # What harms first, then what changed most.
        audit=sorted(audit, key=lambda effect: (not effect.is_harmful, -effect.tags)),
        # What is new first, then what lost most.
        extended=sorted(extended, key=lambda label: (label.change != "new", label.gain or 0.0)),
    )
    write_text(path, page)


def gain(choice: Choice) -> float:
    """Return by how much the detector raises a label's average precision on validation; −1 where nobody knows."""
    if choice.val_ap_with is None or choice.val_ap_without is None:
        return -1.0
    return choice.val_ap_with - choice.val_ap_without


def check_shapes(
    *,
    labels: Sequence[LabelResult],
    thresholds: Floats,
    precision: Floats,
    recall: Floats,
    scores: Floats,
    states: NDArray[np.int8],
    photos: Sequence[str],
) -> None:
    """Refuse arrays that do not fit the labels and photos.

    Raises:
        ValueError: Names the array, its shape and the one expected.
    """
    curves, table = (len(labels), len(thresholds)), (len(photos), len(labels))
    expected = {
        "precision": (precision, curves),
        "recall": (recall, curves),
        "scores": (scores, table),
        "states": (states, table),
    }
    for name, (array, shape) in expected.items():
        if array.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {array.shape}")


def curve_marks(thresholds: Floats, precision: Floats, recall: Floats) -> list[tuple[float, float, float]]:
    """Return score, place to the right and place downwards (0..100) of the dots at the scores ``MARKS``.

    Example:
        >>> curve_marks(np.array([0.25, 0.5, 0.75]), np.array([0.2, 0.8, np.nan]), np.array([1.0, 0.6, 0.0]))
        [(0.25, 100.0, 80.0), (0.5, 60.0, 20.0)]
    """
    bins = np.searchsorted(thresholds, MARKS)
    return [
        (score, round(100 * float(recall[bin_]), 1), round(100 - 100 * float(precision[bin_]), 1))
        for score, bin_ in zip(MARKS, bins, strict=True)
        if bin_ < len(thresholds) and math.isfinite(precision[bin_] + recall[bin_])
    ]


def shots(
    mistakes: Mistakes, scores: Floats, photos: Sequence[str], *, number: int, pictures: Mapping[int, str]
) -> dict[str, list[Shot]]:
    """Return the mistakes of one label by kind.

    Args:
        mistakes: Of all labels.
        scores: Shape (photos, labels).
        photos: Paths in row order.
        number: Which label.
        pictures: ``shown`` or ``unreadable`` for the rows that were opened.
    """

    def kind(rows: Rows) -> list[Shot]:
        return [
            Shot(row, Path(photos[row]).name, float(scores[row, number]), pictures.get(row, "left out"))
            for row in rows[number].tolist()
            if row >= 0
        ]

    return {
        "false_positives": kind(mistakes.false_positives),
        "unlisted": kind(mistakes.unlisted),
        "false_negatives": kind(mistakes.false_negatives),
    }
