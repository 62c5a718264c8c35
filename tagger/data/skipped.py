"""What is left out is counted, never silently dropped."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field


@dataclass
class Skipped:
    """What was left out: how often for each reason, and a few examples of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, example: str, *, times: int = 1) -> None:
        """Count something that was left out.

        Example:
            >>> skipped = Skipped()
            >>> skipped.add("image listed twice", "a.jpg")
            >>> skipped.counts["image listed twice"], skipped.examples["image listed twice"]
            (1, ['a.jpg'])
        """
        self.counts[reason] += times
        kept = self.examples.setdefault(reason, [])
        if len(kept) < 5:
            kept.append(example)

    def said(self, *, quietly: Collection[str] = ()) -> Iterator[str]:
        """Yield it in lines, for the terminal, the most frequent reason first; without some of them.

        Example:
            >>> skipped = Skipped()
            >>> skipped.add("empty file", "a.jpg", times=1200)
            >>> list(skipped.said())
            ['left out  1,200: empty file, e.g. a.jpg']
        """
        for reason, count in self.counts.most_common():
            if reason not in quietly:
                yield f"left out  {count:,}: {reason}, e.g. {self.examples[reason][0]}"
