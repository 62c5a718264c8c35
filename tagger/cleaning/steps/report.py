"""step=report: what people decided, what that changed, and what it bought."""

from tagger.atomic import write_text
from tagger.cleaning.opened import Cleaning
from tagger.cleaning.report.page import write_page
from tagger.cleaning.report.report import report_on
from tagger.cleaning.report.table import report_tables
from tagger.data.catalog.fold_noise import noise_figures, noise_note, write_fold_noise
from tagger.studies.comparison.writing import as_json
from tagger.tracking.run_folder import commit_of_code


def run(cleaning: Cleaning) -> None:
    """Write the report, and keep how many labels of the test fold are wrong where its next runs find it."""
    report = report_on(cleaning, judges=cleaning.config.judges)
    write_fold_noise(cleaning.store.folder, report.noise)
    facts = {
        "data": report.data,
        "command": cleaning.command,
        "commit": commit_of_code(),
        "data_fingerprint": report.data_fingerprint,
    }
    cleaning.folder.mkdir(parents=True, exist_ok=True)
    write_page(cleaning.folder / "report.html", report, facts=facts, catalog=cleaning.data.catalog)
    write_text(cleaning.folder / "report.json", as_json({"facts": facts} | report.as_tree()))
    cleaning.console.print(*report_tables(report, shown=cleaning.config.shown))
    note = noise_note(noise_figures(report.noise, fingerprint=report.data_fingerprint))
    cleaning.console.print(note.text, style="bold red" if note.is_warning else None, markup=False, soft_wrap=True)
    cleaning.say(f"report  {cleaning.folder / 'report.html'} and report.json")
