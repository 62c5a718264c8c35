"""What a search says in the terminal: a line per trial, and at the end the best and what mattered."""

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tagger.pages.visible import visible
from tagger.studies.search.findings import Findings, Tried, counted, shown
from tagger.studies.search.parent_run import ParentRun
from tagger.studies.search.record import Record
from tagger.studies.search.trainings import Trainings
from tagger.tracking.console import file_line, number


class Teller:
    """Says what became of each trial, in the terminal and in MLflow.

    Args:
        console: The terminal.
        trainings: Knows the start, beside which a choice is shown.
        parent: The run in MLflow.
        best: Of earlier calls.
    """

    def __init__(self, console: Console, trainings: Trainings, parent: ParentRun, *, best: Tried | None) -> None:
        self.console = console
        self.trainings = trainings
        self.parent = parent
        self.best = best

    def begin(self, name: str, storage: Path, record: Record, *, budget: Any) -> None:
        """Say what is searched, and whether it goes on."""
        before = len(record.trials())
        goes_on = f"goes on after {before} trials" if before else "begins"
        self.console.print(Text(f"{name} {goes_on}, budget {budget}; its trials are kept in {visible(str(storage))}"))
        if not self.trainings.start_is_inside():
            self.console.print(
                "the start is not in the space: it is no trial, and trained only to confirm", style="dim"
            )

    def tell(self, trial: Tried) -> None:
        """Say what became of a trial."""
        is_best = trial.state == "finished" and (self.best is None or trial.val_map > self.best.val_map)  # type: ignore[operator]
        if is_best:
            self.best = trial
        self.console.print(line(trial, self.trainings.changed(trial.choice), best=self.best, is_best=is_best))
        self.parent.log(trial, self.best)


def line(trial: Tried, changed: dict[str, Any], *, best: Tried | None, is_best: bool = False) -> Text:
    """Return the line of a trial.

    Example:
        >>> done = Tried(3, "finished", {"loss": "focal"}, 0.4712, 12, 58.2, "")
        >>> print(line(done, {"loss": "focal"}, best=done, is_best=True))
        trial   3  val mAP 0.4712  best 0.4712 (trial 3)    58 s  loss=focal
        >>> print(line(Tried(4, "pruned", {}, 0.4, 9, 20.0, ""), {}, best=done))
        trial   4  pruned at epoch 9, 0.4000  best 0.4712 (trial 3)    20 s  as the start
    """
    outcome = {
        "finished": f"val mAP {number4(trial.val_map)}",
        "pruned": f"pruned at epoch {trial.epoch}, {number4(trial.val_map)}",
    }.get(trial.state, f"{trial.state}: {trial.reason}")
    style = {"finished": "bold green" if is_best else "", "pruned": "dim"}.get(trial.state, "red")
    so_far = f"best {number4(best.val_map)} (trial {best.number})" if best else "none finished"
    return Text.assemble(
        (f"trial {trial.number:>3}  ", "dim"),
        (visible(outcome), style),
        (f"  {so_far}  {trial.seconds:>4.0f} s  ", "dim"),
        visible(shown(changed)),
    )


def number4(value: float | None) -> str:
    """Return four decimals, or a dash: trials differ by thousandths."""
    return "–" if value is None else f"{value:.4f}"


def closing(found: Findings, output: Path, *, others: int, stopped: bool) -> RenderableType:
    """Return the best five trials, what mattered, what was written, and what to type next."""
    lines: list[RenderableType] = [Text(), Text(found.answer, style="bold"), Text(), best_table(found)]
    if found.importances:
        lines.append(importance_table(found))
    elif found.finished:
        lines.append(Text("what mattered can be told from ten finished trials on", style="dim"))
    if others:
        lines.append(Text(f"{others} other process(es) still search; the last one confirms and writes", style="yellow"))
    if stopped:
        lines.append(Text("stopped: the same command goes on; with budget=1 it confirms and writes what there is"))
    lines.append(file_line("report", output / "report.html"))
    if found.experiment:
        lines += [
            file_line("experiment", Path(found.experiment)),
            Text.assemble(("train  ", "dim"), visible(found.train_command)),
        ]
    return Group(*lines)


def best_table(found: Findings, *, handful: int = 5) -> Table:
    """Return the best trials."""
    table = Table(box=box.SIMPLE_HEAD, title=counted(found), title_justify="left", title_style="dim")
    for name in ("trial", "val mAP", "best epoch"):
        table.add_column(name, justify="right")
    table.add_column("other than the start")
    for trial in found.finished[:handful]:
        table.add_row(
            str(trial.number), number4(trial.val_map), str(trial.epoch), Text(visible(shown(found.changed(trial))))
        )
    return table


def importance_table(found: Findings) -> Table:
    """Return what share of the differences each setting explains."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("setting")
    table.add_column("share explained", justify="right")
    for key, share in found.importances.items():
        table.add_row(key, number(share))
    return table
