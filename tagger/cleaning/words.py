"""The words of ``python -m tagger.clean`` as Hydra takes them."""

from collections.abc import Sequence

from tagger.config import as_typed

PATHS = ("folder", "train", "images", "from_file", "annotator")
"""Settings that are taken as they are typed."""


def as_hydra_takes(words: Sequence[str]) -> list[str]:
    """Return the words with their paths quoted; ``from``, a word of Python's own, gets a name that a setting can have.

    Example:
        >>> print(*as_hydra_takes(["step=import", "from=~/My verdicts (2).json"]))
        step=import from_file='~/My verdicts (2).json'
    """
    renamed = [f"from_file={word.removeprefix('from=')}" if word.startswith("from=") else word for word in words]
    return as_typed(renamed, *PATHS)
