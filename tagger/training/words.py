"""The words of ``python -m tagger.train`` as Hydra takes them."""

from collections.abc import Sequence

from tagger.config import as_typed

SHORT = {"from": "from_model", "taxonomy": "data.taxonomy"}
"""What is typed → the setting: ``from`` is a word of Python's own, ``taxonomy`` a folder of ``conf/``."""


def as_hydra_takes(words: Sequence[str]) -> list[str]:
    """Return the words with the short ones written out, and texts quoted.

    Example:
        >>> print(*as_hydra_takes(["from=album (2).tagger", "taxonomy=album_plus", "seed=1"]))
        from_model='album (2).tagger' data.taxonomy='album_plus' seed=1
    """
    return as_typed([_written_out(word) for word in words])


def _written_out(word: str) -> str:
    name, is_setting, value = word.partition("=")
    return f"{SHORT[name]}={value}" if is_setting and name in SHORT else word
