"""``card.md``: what a bundle is, what may be promised of it and what not, for the person who receives it.

Written from the manifest, so that it says nothing that the bundle does not hold.
"""

from collections import Counter
from collections.abc import Sequence

from tagger.data.catalog.fold_noise import noise_note
from tagger.pages.visible import visible
from tagger.tags.delivery.manifest import BundleLabel, Manifest

MEANING = {
    "certified": "the target is met on validation even by its 95 % lower bound",
    "met": "the target is met on validation as measured; too few photos to be sure",
    "best_f1": "no target was asked for; the threshold is that of best F1",
    "unreachable": "no threshold meets the target; a fallback applies",
}


def model_card(manifest: Manifest, *, name: str, metrics: dict[str, float]) -> str:
    """Return the card as Markdown.

    Args:
        manifest: Of the bundle.
        name: Of the bundle.
        metrics: The run's ``metrics.json``; empty if it was not there.
    """
    parts = [
        f"# {text(name)}",
        f"Gives photos any of {len(manifest.labels)} labels. Made {manifest.created}.",
        "```\npython -m tagger.predict bundle=<this> photos=<folder> output=tags.jsonl\n```",
        _facts("Where it comes from", manifest.run | manifest.fingerprints | manifest.versions),
        _promises(manifest),
        _figures(metrics),
        _limits(manifest),
        _label_table(manifest.labels),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def text(value: str) -> str:
    r"""Return text from outside as one line in which Markdown and HTML mean nothing.

    Example:
        >>> print(text("<script>|two\nlines"))
        &lt;script&gt;\|two\\nlines
    """
    line = visible(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*_[]|#!" else c for c in line)


def _facts(title: str, facts: dict[str, str]) -> str:
    rows = [f"| {text(name)} | {text(value)} |" for name, value in facts.items() if value]
    return "\n".join([f"## {title}", "", "| | |", "|---|---|", *rows]) if rows else ""


def _promises(manifest: Manifest) -> str:
    counts = Counter(label.verdict for label in manifest.labels if label.verdict)
    if not counts:
        return "## What is promised\n\nNothing: the run's labels.csv was not there when the bundle was made."
    target = manifest.target or {}
    asked = [f"{name} {target[name]:g}" for name in ("precision", "recall") if target.get(name) is not None]
    lines = [f"Of every label was asked: {' and '.join(asked) or 'best F1'}, on photos like those of training."]
    lines += [
        f"- **{verdict}**: {counts[verdict]} labels; {MEANING[verdict]}" for verdict in MEANING if counts[verdict]
    ]
    silent = sum(label.threshold > 1 for label in manifest.labels)
    if silent:
        lines.append(f"- {silent} labels are never given")
    return "\n".join(["## What is promised", "", *lines])


def _figures(metrics: dict[str, float]) -> str:
    names = {
        "test/map": "mean average precision",
        "test/labels_counted": "labels that counted in it",
        "test/micro_precision": "precision of all tags together",
        "test/micro_recall": "recall of all tags together",
        "test/macro_f1": "F1, mean over labels",
        "states/train_photos": "photos of training",
        "states/test_photos": "photos of the test",
    }
    rows = [f"| {title} | {metrics[name]:.6g} |" for name, title in names.items() if name in metrics]
    if not rows:
        return ""
    note = noise_note(metrics)
    noise = f"**{text(note.text)}**" if note.is_warning else text(note.text)
    return "\n".join(["## Measured on the test fold", "", "| | |", "|---|---|", *rows, "", noise])


def _limits(manifest: Manifest) -> str:
    settings = manifest.preprocessing
    return (
        "## What it does not know\n\n"
        f"- A photo is seen as a square of {settings.get('size')} pixels ({text(str(settings.get('fit')))}): what is "
        "smaller than a few of them is not seen.\n"
        "- The figures hold for photos like those of the test fold. Of other albums nobody knows until someone looks.\n"
        "- A score is not a probability; only the threshold of its own label gives it a meaning.\n"
        "- It says nothing about who is on a photo, and must not be used to find out."
    )


def _label_table(labels: Sequence[BundleLabel]) -> str:
    def cell(label: BundleLabel, name: str) -> str:
        value = label.figures.get(name)
        return "–" if value is None else f"{value:.3g}"

    columns = ("precision", "recall", "support", "lower_bound", "train_count")
    rows = [
        f"| {text(label.id)} | {text(', '.join(label.names.values()))} | {label.threshold:.3g} | "
        f"{label.verdict or '–'} | {' | '.join(cell(label, column) for column in columns)} |"
        for label in labels
    ]
    head = "| label | names | threshold | verdict | precision | recall | test photos | lower bound | training photos |"
    return "\n".join(["## Labels", "", head, "|---|---|---|---|---|---|---|---|---|", *rows])
