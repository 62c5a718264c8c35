"""Photos whose files are no longer what they were when their content was noted."""

import warnings
from collections.abc import Sequence

from numpy.typing import NDArray


class Changed:
    """Counts photos whose bytes, when they were read, were others than noted."""

    def __init__(self) -> None:
        self.places: list[str] = []

    def found(self, noted: Sequence[str] | NDArray, read: Sequence[str], *, places: Sequence[str]) -> list[str]:
        """Return what the photos are now; of those that could not be read, what was noted.

        Args:
            noted: Hash of each photo's content.
            read: The same now, ``""`` if it could not be read.
            places: Path or URL of each.

        Example:
            >>> changed = Changed()
            >>> changed.found(["aa", "bb", "cc"], ["aa", "bd", ""], places=["1.jpg", "2.jpg", "3.jpg"])
            ['aa', 'bd', 'cc']
            >>> changed.places
            ['2.jpg']
        """
        now = [new or old for old, new in zip(noted, read, strict=True)]
        self.places += [place for place, old, new in zip(places, noted, now, strict=True) if old != new]
        return now

    def tell(self) -> None:
        """Warn of all of them at once."""
        if self.places:
            count = "1 photo is" if len(self.places) == 1 else f"{len(self.places):,} photos are"
            warnings.warn(
                f"{count} not what was noted, for instance {self.places[0]}: the files were changed since then, and "
                "what they are now is used; if a catalog was prepared of them, run python -m tagger.prepare again",
                stacklevel=3,
            )
