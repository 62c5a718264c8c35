"""The words of ``python -m tagger.train`` as Hydra takes them."""

from collections.abc import Sequence

from tagger.config import as_typed

SHORT = {"from": "from_model", "taxonomy": "data.taxonomy"}
"""What is typed → the setting: ``from`` is a word of Python's own, ``taxonomy`` a folder of ``conf/``."""


def as_hydra_takes(words: Sequence[str]) -> list[str]:
    """Return the words with the short ones written out and quoted: their values are paths.

    Example:
        >>> print(*as_hydra_takes(["from=album (2).tagger", "taxonomy=album_plus", "seed=1"]))
        from_model='album (2).tagger' data.taxonomy='album_plus' seed=1
    """
    return [word for typed in words for word in _written_out(typed)]


def _written_out(word: str) -> list[str]:
    name, is_setting, value = word.partition("=")
    if not is_setting or name not in SHORT:
        return [word]
    return as_typed([f"{SHORT[name]}={value}"], SHORT[name])
