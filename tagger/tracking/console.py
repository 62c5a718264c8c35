"""What a run says in the terminal when it ends."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tagger.data.catalog.fold_noise import noise_note
from tagger.pages.visible import visible
from tagger.tracking.label_result import LabelResult

VERDICTS = {"certified": "green", "met": "yellow", "best_f1": "cyan", "unreachable": "red"}
"""The verdicts from good to bad and their colours."""


def print_closing(
    metrics: Mapping[str, float], labels: Sequence[LabelResult], *, run_folder: Path, console: Console | None = None
) -> None:
    """Print :func:`closing_table` and what delivers the run on the console given, by default the terminal."""
    console = console or Console()
    console.print(closing_table(metrics, labels, run_folder=run_folder))
    # Not folded: it is there to be copied.
    console.print(Text.assemble(("deliver  ", "dim"), visible(export_command(run_folder))), soft_wrap=True)


def closing_table(
    metrics: Mapping[str, float], labels: Sequence[LabelResult], *, run_folder: Path, handful: int = 5
) -> RenderableType:
    """Return the closing lines of a run: figures, verdicts, best and worst labels, and where the report lies.

    Args:
        metrics: Flat, keys such as ``test/map``; a missing one shows as "–".
        labels: All labels of the run, in any order.
        run_folder: Where ``report.html``, ``labels.csv`` and the checkpoints were written.
        handful: How many of the best and of the worst labels by average precision.
    """
    return Group(
        Text(),
        figures(metrics, labels),
        Text(),
        label_table(labels, handful=handful),
        file_line("report", run_folder / "report.html"),
        file_line("labels", run_folder / "labels.csv"),
    )


def figures(metrics: Mapping[str, float], labels: Sequence[LabelResult]) -> Table:
    """Return the headline figures, a line each: mAP, its head, medium and tail, F1, verdicts."""

    def shown(key: str) -> str:
        return number(metrics.get(f"test/{key}"))

    counted = metrics.get("test/labels_counted")
    verdicts = Counter(label.verdict for label in labels)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    grid.add_row(
        "test mAP",
        Text.assemble(
            (shown("map"), "bold"), f"  {counted:.0f} of {len(labels)} labels counted" if counted is not None else ""
        ),
    )
    grid.add_row("", f"head {shown('map_head')} · medium {shown('map_medium')} · tail {shown('map_tail')}")
    grid.add_row("test F1", f"micro {shown('micro_f1')} · macro {shown('macro_f1')}")
    noise = noise_note(metrics)
    grid.add_row("test fold", Text(noise.text, style="bold red" if noise.is_warning else "dim"))
    counts = [
        (f"{verdicts[verdict]} {verdict}", colour)
        for verdict, colour in VERDICTS.items()
        if verdicts[verdict] or verdict != "best_f1"
    ]
    if "states/train_photos" in metrics:
        grid.add_row("trained on", states_line(metrics))
    if "extension/labels_new" in metrics:
        grid.add_row("extension", extension_line(metrics))
    if "detector/candidates" in metrics:
        grid.add_row("detector", detector_line(metrics))
    if "rules/relations" in metrics:
        grid.add_row("relations", relations_line(metrics))
    grid.add_row("labels", Text(" · ").join(Text(text, style=colour) for text, colour in counts))
    return grid


def states_line(metrics: Mapping[str, float]) -> str:
    """Return how many annotations of each state there were to learn from.

    Example:
        >>> counts = {"photos": 10.0, "present": 7.0, "absent": 3.0, "unknown": 20.0}
        >>> states_line({f"states/train_{name}": n for name, n in counts.items()} | {"states/unknown_weight": 0.5})
        '10 photos · 7 present · 3 absent · 20 unknown, each weighing 0.5'
    """
    photos, present, absent, unknown = (
        f"{metrics[f'states/train_{name}']:,.0f} {name}" for name in ("photos", "present", "absent", "unknown")
    )
    return f"{photos} · {present} · {absent} · {unknown}, each weighing {metrics['states/unknown_weight']:.2g}"


def extension_line(metrics: Mapping[str, float]) -> str:
    """Return what became of the earlier labels, and how good the new ones are.

    Example:
        >>> counts = {"labels_new": 30.0, "thresholds_refitted": 12.0, "old_map_before": 0.47, "old_map": 0.466}
        >>> extension_line({f"extension/{name}": count for name, count in counts.items()} | {"extension/new_map": 0.4})
        'earlier labels 0.470 → 0.466 mAP · 30 new ones 0.400 · 12 thresholds fitted again'
    """
    before, after, new = (number(metrics.get(f"extension/{name}")) for name in ("old_map_before", "old_map", "new_map"))
    count, again = (f"{metrics[f'extension/{name}']:,.0f}" for name in ("labels_new", "thresholds_refitted"))
    return f"earlier labels {before} → {after} mAP · {count} new ones {new} · {again} thresholds fitted again"


def detector_line(metrics: Mapping[str, float]) -> str:
    """Return how many labels take the detector, and what that gives them on the test fold.

    Example:
        >>> counts = {"taken": 12.0, "candidates": 20.0, "test_ap_without": 0.61, "test_ap_with": 0.7}
        >>> detector_line({f"detector/{name}": count for name, count in counts.items()})
        'taken by 12 of 20 labels · their test AP 0.610 → 0.700'
    """
    taken, candidates = (f"{metrics[f'detector/{name}']:,.0f}" for name in ("taken", "candidates"))
    line = f"taken by {taken} of {candidates} labels"
    if "detector/test_ap_with" not in metrics:
        return line
    without, fused = (number(metrics.get(f"detector/test_ap_{name}")) for name in ("without", "with"))
    return f"{line} · their test AP {without} → {fused}"


def relations_line(metrics: Mapping[str, float]) -> str:
    """Return what the relations did on validation, and how many of them harm.

    Example:
        >>> given = {"given_tags": 40.0, "given_true": 30.0, "given_false": 2.0, "given_unknown": 8.0}
        >>> counts = given | {"taken_tags": 3.0, "relations": 335.0, "harmful": 2.0, "used": 333.0}
        >>> relations_line({f"rules/{name}": count for name, count in counts.items()})
        '+40 tags (30 true, 2 false, 8 unknown), −3 · 2 of 335 harm (off)'
    """
    tags, true, false, unknown, taken, relations, harm, used = (
        f"{metrics[f'rules/{name}']:,.0f}"
        for name in (
            *("given_tags", "given_true", "given_false", "given_unknown"),
            *("taken_tags", "relations", "harmful", "used"),
        )
    )
    off = "" if used == relations else " (off)"
    return f"+{tags} tags ({true} true, {false} false, {unknown} unknown), −{taken} · {harm} of {relations} harm{off}"


def label_table(labels: Sequence[LabelResult], *, handful: int) -> Table:
    """Return the labels of highest and of lowest average precision; all of them if they are few."""
    ranked = sorted((label for label in labels if label.ap is not None), key=lambda label: -(label.ap or 0.0))
    best, worst = ranked[:handful], ranked[handful:][-handful:]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption=None)
    table.add_column("label", overflow="fold", min_width=12)
    for title in ("train", "AP", "threshold", "P", "R"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for label in best:
        table.add_row(*label_row(label), end_section=label is best[-1] and len(ranked) > 2 * handful)
    for label in worst:
        table.add_row(*label_row(label))
    return table


def label_row(label: LabelResult) -> list[RenderableType]:
    """Return the cells of one label."""
    numbers = [label.ap, label.threshold, label.precision, label.recall]
    return [
        # As Text, not markup: a name such as "[red]" must not colour the terminal.
        Text(visible(label.id)),
        str(label.train_count),
        *(number(value) for value in numbers),
        Text(visible(label.verdict), style=VERDICTS.get(label.verdict, "")),
    ]


def file_line(name: str, path: Path) -> Text:
    """Return a file's name and path; terminals that can make it a link do."""
    return Text.assemble((f"{name}  ", "dim"), (visible(str(path)), f"link {path.resolve().as_uri()}"), overflow="fold")


def export_command(run_folder: Path) -> str:
    """Return the command that delivers the run, as it can be typed where the run was started; it replaces no bundle.

    Example:
        >>> export_command(Path("runs/my run"))
        "python -m tagger.export 'checkpoint=runs/my run/checkpoints/best.ckpt' bundle=album.tagger"
    """
    checkpoint = run_folder / "checkpoints" / "best.ckpt"
    if checkpoint.is_relative_to(Path.cwd()):
        checkpoint = checkpoint.relative_to(Path.cwd())
    # The bundle that is there may be the one that this run extends or learnt from.
    name = run_folder.parent.name if Path("album.tagger").exists() else "album"
    return shlex.join(["python", "-m", "tagger.export", f"checkpoint={checkpoint}", f"bundle={name}.tagger"])


def number(value: float | None) -> str:
    """Return three decimals, or a dash where there is no answer.

    Example:
        >>> number(0.4605), number(None)
        ('0.461', '–')
    """
    return "–" if value is None or value != value else f"{value:.3f}"  # noqa: PLR0124
