"""The data set of the step before: who has typed ``step=score data=album`` need not type ``data=album`` again."""

import json
from collections.abc import Sequence
from pathlib import Path

from tagger.atomic import write_text

LAST = Path("cleaning") / "last.json"
"""Under the working directory, beside the folders of the data sets."""

CHOOSES = ("data", "cache", "folder")
"""Settings that say what is cleaned and where it lies."""


def choosing(words: Sequence[str]) -> list[str]:
    """Return those of the words that say what is cleaned and where it lies.

    Example:
        >>> choosing(["step=queue", "data=folder", "data.root=photos", "+data.catalog=x", "budget=5"])
        ['data=folder', 'data.root=photos', '+data.catalog=x']
    """
    return [word for word in words if word.lstrip("+~").partition("=")[0].partition(".")[0] in CHOOSES]


def remember(words: Sequence[str]) -> None:
    """Keep the words that say what is cleaned for the next step."""
    LAST.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(choosing(words), ensure_ascii=False)
    if not LAST.is_file() or LAST.read_text(encoding="utf-8") != text:
        write_text(LAST, text)


def as_last_time(words: Sequence[str]) -> list[str]:
    """Return the words of the last step that say what is cleaned; none if these say so themselves, or score.

    Args:
        words: As typed.
    """
    is_later = any(word.startswith("step=") and word != "step=score" for word in words)
    if not is_later or choosing(words) or not LAST.is_file():
        return []
    try:
        said = json.loads(LAST.read_text(encoding="utf-8"))
    except ValueError:
        return []
    return choosing(said) if isinstance(said, list) and all(isinstance(word, str) for word in said) else []
