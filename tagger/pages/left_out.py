"""What a command left out, in the terminal."""

from rich.console import Console
from rich.text import Text

from tagger.data.skipped import Skipped
from tagger.pages.visible import visible


def print_left_out(skipped: Skipped, console: Console | None = None, *, name: str = "") -> None:
    """Print a line for each reason, the warning in yellow; ``name`` says of which source they are."""
    for line in skipped.lines():
        style = "yellow" if line.startswith("warning") else ""
        shown = f"{name}: {line}" if name else line
        (console or Console()).print(Text(visible(shown), style=style), soft_wrap=True)
