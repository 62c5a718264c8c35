"""Which label a name means, as people and programs spell it.

Names that differ only by case, by surrounding or repeated space, by width (ｄｏｇ) or by what cannot be seen (a
zero-width space, a mark of the writing direction) are the same name, unless the label system tells them apart.
"""

import difflib
import unicodedata
from collections import defaultdict
from collections.abc import Mapping

from tagger.data.taxonomy.label_system import Taxonomy

SEPARATORS = ("|", ";", ",", "\t", "/", "、", "，", "；")
"""What people put between names."""


class Names:
    """The names that a source may use: ids, aliases, those of its vocabulary, and those that are left out on purpose.

    Example:
        >>> from tagger.data.taxonomy import Label
        >>> names = Names(Taxonomy("mine", (Label("dog", {}), Label("cat", {}))), "")
        >>> names.known("\u200bDog "), names.known("dgo")
        ('dog', None)
        >>> names.advice("dgo"), names.advice("dog, cat")
        ("did you mean 'dog'?", "'dog' and 'cat' with ',' between them? then set separator=',' for this source")
    """

    def __init__(self, taxonomy: Taxonomy, vocabulary: str) -> None:
        self.columns: Mapping[str, tuple[int, ...]] = taxonomy.columns_of(vocabulary)
        self.left_out: Mapping[str, str] = taxonomy.left_out.get(vocabulary, {})
        self._alike: dict[str, dict[str, tuple[int, ...]]] = defaultdict(dict)
        for name in (*self.columns, *self.left_out):
            self._alike[plain(name)][name] = self.columns.get(name, ())

    def known(self, name: str) -> str | None:
        """Return the name as the label system spells it, or None if it has none, or several that this one may be."""
        if name in self.columns or name in self.left_out:
            return name
        alike = self._alike.get(plain(name), {})
        return next(iter(alike)) if len(set(alike.values())) == 1 else None

    def advice(self, name: str) -> str:
        """Return what an unknown name probably is and what to do, or nothing."""
        if alike := self._alike.get(plain(name)):
            return f"it may be {_listed(list(alike), 'or')}, which the label system tells apart: write one of them"
        for separator in SEPARATORS:
            parts = [part.strip() for part in name.split(separator) if part.strip()]
            if len(parts) > 1 and any(self.known(part) for part in parts):
                between = f"{_listed(parts, 'and')} with {separator!r} between them?"
                return f"{between} then set separator={separator!r} for this source"
        near = difflib.get_close_matches(plain(name), self._alike, n=1)
        return f"did you mean {next(iter(self._alike[near[0]]))!r}?" if near else ""


def plain(name: str) -> str:
    """Return a name without what readers do not see.

    Example:
        >>> plain("\ufeffDining\u00a0 Table "), plain("ｄｏｇ"), plain("Straße") == plain("STRASSE")
        ('dining table', 'dog', True)
    """
    visible = "".join(
        letter for letter in name if unicodedata.category(letter) != "Cf" and letter not in "\ufe0e\ufe0f"
    )
    folded = unicodedata.normalize("NFKC", visible).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _listed(names: list[str], word: str) -> str:
    """Return names for a sentence; of many the first."""
    shown = [repr(name) for name in names[:4]] + (["…"] if len(names) > 4 else [])
    return f"{', '.join(shown[:-1])} {word} {shown[-1]}"
