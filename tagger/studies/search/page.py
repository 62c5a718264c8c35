"""``report.html`` of a search: every trial, what mattered, and what each setting did.

One file that loads nothing. Names are made visible and escaped by the template, ``report.html`` beside this file.
"""

from pathlib import Path

from markupsafe import Markup

from tagger.atomic import write_text
from tagger.pages.template import page_template
from tagger.studies.search.charts import history_chart, importance_chart, slices
from tagger.studies.search.findings import Findings, counted, shown


def write_page(path: Path, found: Findings) -> None:
    """Write the page; the previous file stays whole until the new one is."""
    page = page_template(Path(__file__).with_name("report.html")).render(
        found=found,
        counted=counted(found),
        changed={trial.number: shown(found.changed(trial)) for trial in found.trials},
        start=shown(found.start),
        # Made by our own code from numbers, and from names that matplotlib escapes.
        history=Markup(history_chart(found)) if found.finished else None,
        importances=Markup(importance_chart(found.importances)) if found.importances else None,
        slices={key: Markup(svg) for key, svg in slices(found).items()} if found.finished else {},
    )
    write_text(path, page)
