"""Drawings for a page, as SVG text to put into it. The same data give the same bytes.

Colours are the page's own style variables, so the drawings follow its light and dark theme, and text stays text.
"""

import io
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# matplotlib draws with these colours; they are exchanged for the page's variables.
INK, MUTED, LINE, ACCENT, SECOND = "#000001", "#000002", "#000003", "#000004", "#000005"
VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    ACCENT: "var(--accent)",
    SECOND: "var(--second)",
}

SETTINGS: dict[Any, Any] = {
    # Ids inside the SVG are hashed with this salt; a random one would change the report at every writing.
    "svg.hashsalt": "tagger",
    "svg.fonttype": "none",
    # Names may hold a $, and are no formulas.
    "text.parse_math": False,
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid.axis": "y",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
}


def svg_text(figure: "Figure", *, name: str) -> str:
    """Return the figure as an ``<svg>`` element whose ids begin with ``name``, so that two fit into one page."""
    written = io.StringIO()
    figure.savefig(
        written, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
    )
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", svg)
    svg = re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg \1 xmlns:xlink="http://www.w3.org/1999/xlink">', svg, count=1
    )
    return re.sub("|".join(VARIABLES), lambda colour: VARIABLES[colour[0]], svg)
