"""What is left out is counted here, and printed by :meth:`Skipped.lines`, in every command in the same words."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from tagger.data.missing import likely_cause

MANY = 0.1
"""Part of the photos that were asked for above which what is left out is a warning."""

MISSING = "missing"


@dataclass
class Skipped:
    """What was left out: how often for each reason, and a few examples of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    of: int = 0
    """Photos that were asked for; 0 where nobody counts them."""
    lost: set[str] = field(default_factory=set)
    """Reasons for which photos are left out that were asked for; for the others it is rows, or files beside photos."""

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

    def add_photo(self, place: str, error: str) -> None:
        """Count a photo that was asked for and is left out, by what :class:`tagger.data.photo.BadPhoto` says of it.

        What differs from photo to photo goes into the example, so that there are as few lines as there are reasons.

        Example:
            >>> skipped = Skipped(of=20)
            >>> skipped.add_photo("a.jpg", "a.jpg: damaged (KeyError: 7)")
            >>> list(skipped.lines())
            ['1 of 20 photos left out: damaged, for instance a.jpg (KeyError: 7)']
        """
        # What is there instead of missing ones is in the warning, once.
        reason = re.sub(r"^missing; .+", "missing", error.removeprefix(f"{place}: "))
        for pattern, shown in _DIFFERS:
            if found := pattern.search(reason):
                reason, place = pattern.sub(shown, reason), f"{place} ({found[1]})"
        self.lost.add(reason)
        self.add(reason, place)

    @property
    def photos(self) -> int:
        """Photos that were asked for and are left out."""
        return sum(self.counts[reason] for reason in self.lost)

    def lines(self, *, quietly: Collection[str] = ()) -> Iterator[str]:
        """Yield it in lines, for the terminal, the most frequent reason first; without some of them.

        If more than a tenth of the photos is left out, the last line is a warning that names the likely cause.

        Example:
            >>> skipped = Skipped()
            >>> skipped.add("hidden", ".a.jpg", times=1200)
            >>> list(skipped.lines())
            ['1,200 left out: hidden, for instance .a.jpg']
        """
        for reason, count in self.counts.most_common():
            if reason not in quietly:
                of = f" of {self.of:,} photos" if self.of and reason in self.lost else ""
                yield f"{count:,}{of} left out: {reason}, for instance {self.examples[reason][0]}"
        if self.of and self.photos > MANY * self.of:
            cause = likely_cause(self.examples.get(MISSING, ()))
            yield f"warning: more than a tenth of the photos is left out{f'. {cause}' if cause else ''}"

    def figures(self) -> dict[str, float]:
        """Return the photos that were asked for and left out, in all and by reason, as metrics of a run.

        Example:
            >>> skipped = Skipped(of=4)
            >>> skipped.add_photo("a.jpg", "a.jpg: empty file")
            >>> skipped.figures()
            {'photos/listed': 4.0, 'photos/left_out': 1.0, 'photos/left_out_empty_file': 1.0}
        """
        by_reason = {f"photos/left_out_{_as_key(reason)}": float(self.counts[reason]) for reason in sorted(self.lost)}
        return {"photos/listed": float(self.of), "photos/left_out": float(self.photos)} | by_reason


def left_out_of_run(metrics: Mapping[str, float]) -> str:
    """Return in a sentence what a run left out, from its figures; ``""`` if it left nothing out.

    Example:
        >>> left_out_of_run({"photos/listed": 40.0, "photos/left_out": 8.0, "photos/left_out_missing": 8.0})
        '8 of 40 photos left out: missing (8)'
    """
    prefix = "photos/left_out_"
    reasons = {name.removeprefix(prefix): count for name, count in metrics.items() if name.startswith(prefix)}
    if not metrics.get("photos/left_out"):
        return ""
    each = ", ".join(f"{reason.replace('_', ' ')} ({count:,.0f})" for reason, count in reasons.items())
    return f"{metrics['photos/left_out']:,.0f} of {metrics.get('photos/listed', 0):,.0f} photos left out: {each}"


_DIFFERS = (
    (re.compile(r" \(([^()]*(?:\([^()]*\)[^()]*)*)\)$"), ""),
    (re.compile(r"^([\d,]+ pixels), more"), "more pixels"),
    (re.compile(r" by a (link to .*);"), " by a link;"),
)


def _as_key(reason: str) -> str:
    """Return the first words of a reason as part of a metric's name.

    Example:
        >>> _as_key("leaves the folder photos by a link; if that is yours, data.follow_links=true")
        'leaves_the_folder'
    """
    return "_".join(re.findall(r"[a-z0-9]+", reason.lower())[:3])
