"""The data set of the step before: who has typed ``step=score data=album`` need not type ``data=album`` again."""

import json
import re
import sys
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
        stored = json.loads(LAST.read_text(encoding="utf-8"))
    except ValueError:
        return []
    found = choosing(stored) if isinstance(stored, list) and all(isinstance(word, str) for word in stored) else []
    if strange := [word for word in found if not is_plain(word)]:
        print(
            f"{LAST}: {strange[0]!r:.80} is not followed from a file; type it again",
            file=sys.stderr,
        )
        return []
    return found


def is_plain(word: str) -> bool:
    """Return whether a word gives a plain value to a setting: the folder, and the file in it, may be somebody else's.

    Example:
        >>> is_plain("data=corel5k"), is_plain("data.root=my photos/2019"), is_plain("+data.source._target_=os.system")
        (True, True, False)
        >>> is_plain("data.augment={_target_: os.system}"), is_plain("data=../../x"), is_plain("cache=${oc.env:HOME}")
        (False, False, False)
    """
    key, _, value = word.lstrip("+~").partition("=")
    if key == "data":
        # A group: the name of a file under conf/.
        return re.fullmatch(r"\w+", value) is not None
    return re.fullmatch(r"[a-z]\w*(\.[A-Za-z0-9]\w*)*", key) is not None and not set("{}$") & set(value)
