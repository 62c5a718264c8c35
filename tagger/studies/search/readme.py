"""``README.md`` of a search: the question and the answer, then the tables."""

from pathlib import Path

from tagger.atomic import write_text
from tagger.data.card.markdown import as_code, plain
from tagger.studies.search.findings import Findings, counted, shown
from tagger.studies.search.terminal import number4


def write_readme(path: Path, found: Findings) -> None:
    """Write the page."""
    write_text(path, "\n".join(readme(found)))


def readme(found: Findings) -> list[str]:
    """Return the lines of the page."""
    facts = found.facts
    lines = [
        f"# Which settings of {as_code(found.space)} tag {plain(found.data)} best?",
        "",
        f"**{found.answer}**",
        "",
        "```",
        found.command,
        *([found.train_command] if found.experiment else []),
        "```",
        "",
        f"Commit {facts['commit']}, seed {facts['seed']}, {facts['ended']}, data {facts['data_fingerprint']}: "
        f"{counted(found)}. Every figure is mAP on the validation fold, of a trial's best epoch; the test fold was not "
        "looked at.",
        "",
        "| trial | val mAP | best epoch | other than the start |",
        "|--:|--:|--:|---|",
        *(
            f"| {trial.number} | {number4(trial.val_map)} | {trial.epoch} | {code_cell(shown(found.changed(trial)))} |"
            for trial in found.finished[:5]
        ),
    ]
    return [*lines, *start_line(found), *confirmed(found), *mattered(found), *failed(found), ""]


def start_line(found: Findings) -> list[str]:
    """Return where the search started."""
    figure = next((trial.val_map for trial in found.trials if trial.number == found.start_number), None)
    own = f" (trial {found.start_number}: {number4(figure)})" if figure is not None else ""
    return ["", f"The start{own}: {as_code(shown(found.start))}"]


def confirmed(found: Findings) -> list[str]:
    """Return what other seeds gave."""
    confirmation = found.confirmation
    if confirmation is None:
        return []
    return [
        "",
        "## Again, with seeds that chose nothing",
        "",
        "The best of many trials is ahead partly by luck. These trainings chose nothing; but they are judged by the "
        "photos that chose, so on new photos expect somewhat less.",
        "",
        f"| seed | trial {found.best.number if found.best else ''} | start |",
        "|--:|--:|--:|",
        *(
            f"| {seed} | {number4(value)} | {number4(confirmation.start[seed])} |"
            for seed, value in confirmation.best.items()
        ),
        f"| mean | {number4(confirmation.best_mean)} | {number4(confirmation.start_mean)} |",
    ]


def mattered(found: Findings) -> list[str]:
    """Return what share each setting explains."""
    if not found.importances:
        return []
    return [
        "",
        "## What mattered",
        "",
        "Shares of the differences between finished trials (PED-ANOVA). A rough guide with so few trials.",
        "",
        "| setting | share |",
        "|---|--:|",
        *(f"| {code_cell(key)} | {share:.2f} |" for key, share in found.importances.items()),
    ]


def failed(found: Findings) -> list[str]:
    """Return why trials failed."""
    rows = [trial for trial in found.trials if trial.state in ("failed", "cut")]
    if not rows:
        return []
    return [
        "",
        "## Not judged",
        "",
        *(
            f"- trial {trial.number}, {as_code(shown(found.changed(trial)))}: {plain(' '.join(trial.reason.split()))}"
            for trial in rows
        ),
    ]


def code_cell(text: str) -> str:
    r"""Return a text as inline code in a table, where a bar would end the cell.

    Example:
        >>> print(code_cell("loss=a|b"))
        `loss=a\|b`
    """
    return as_code(text).replace("|", "\\|")
