"""``report.html``: the comparison as one page without network."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from tagger.data.storage import location
from tagger.pages.template import page_template
from tagger.pages.thumbnails import load_thumbnails, style_rules
from tagger.studies.comparison import verdict as words
from tagger.studies.comparison.comparison import Comparison
from tagger.studies.comparison.figures import COUNTS
from tagger.studies.comparison.forest import forest_plot
from tagger.studies.comparison.runs import Run
from tagger.studies.comparison.table import notes, place, rows, unfinished


def comparison_page(
    comparison: Comparison, *, title: str, facts: Mapping[str, str], pictures: Mapping[int, bytes]
) -> str:
    """Return the page.

    Args:
        comparison: What came out.
        title: Its headline.
        facts: What a reader needs to make it again.
        pictures: JPEGs of test photos by row; those that are not there are named.
    """
    return page_template(Path(__file__).with_name("comparison.html")).render(
        title=title,
        comparison=comparison,
        facts=facts,
        headline=words.headline(comparison),
        verdicts=[words.verdict(comparison, version) for version in comparison.challengers],
        rows=rows(comparison),
        counts=COUNTS,
        notes=notes(comparison).splitlines(),
        unfinished=unfinished(comparison),
        pictures=pictures,
        # Made by our own code from numbers and bytes, and from names that matplotlib escapes.
        forest=Markup(forest_plot(comparison)) if comparison.challengers else "",
        thumbnail_style=Markup(style_rules(pictures)),
        points=words.points,
        signed=words.signed,
        span=words.span,
        place=place,
    )


def shown_photos(comparison: Comparison, runs: Sequence[Run]) -> dict[int, bytes]:
    """Return the pictures of the photos that tell of labels, where one of the runs says where they lie."""
    rows = {shown.row for version in comparison.challengers for label in version.moved() for shown in label.examples}
    run = runs[0]
    return load_thumbnails({row: location(str(run.roots[row]), str(run.photos[row])) for row in sorted(rows)})
