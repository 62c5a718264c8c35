"""Templates of pages: everything that is not :class:`markupsafe.Markup` is escaped, and a missing name is an error.

A page includes ``base.css`` and ``table.js`` from this folder. Its content security policy lets it load nothing and run
only the one script whose hash it names.
"""

import base64
import hashlib
import math
from functools import cache
from numbers import Integral
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from tagger.pages.visible import visible


@cache
def page_template(file: Path) -> Template:
    """Return the template in a file, with the filters ``visible``, ``figure`` and ``script_hash``."""
    environment = Environment(
        loader=FileSystemLoader([file.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(visible=visible, figure=figure, script_hash=script_hash)
    return environment.get_template(file.name)


def figure(value: float | None, digits: int = 3) -> str:
    """Return a figure with a fixed number of decimals, a whole number without any, or a dash where there is no answer.

    Example:
        >>> figure(0.46049), figure(1200), figure(None), figure(float("nan"))
        ('0.460', '1,200', '–', '–')
    """
    if value is None or math.isnan(value):
        return "–"
    return f"{value:,}" if isinstance(value, Integral) else f"{value:,.{digits}f}"


def script_hash(script: str) -> str:
    """Return what a content security policy names a script by.

    Example:
        >>> script_hash("")
        'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
