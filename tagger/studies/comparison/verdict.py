"""The answer in words."""

from tagger.pages.visible import visible
from tagger.studies.comparison.comparison import Comparison, Difference, Figure, LabelChange, Version

TIERS = {"map_head": "head", "map_medium": "medium", "map_tail": "tail"}
NAMED = 4
"""Labels named in a sentence; the others are counted."""


def points(share: float) -> str:
    """Return a difference of shares in points, with its sign.

    Example:
        >>> points(0.0123), points(-0.007), points(0.0001)
        ('+1.2', '−0.7', '+0.01')
    """
    return signed(100 * share)


def signed(value: float) -> str:
    """Return a number with a sign and one digit; with two if it is not 0 but would read so.

    Example:
        >>> signed(3.04), signed(-0.04), signed(0.0)
        ('+3.0', '−0.04', '0.0')
    """
    digits = 2 if abs(value) < 0.05 else 1
    shown = f"{value:+.{digits}f}".replace("-", "−")
    return "0.0" if float(shown[1:]) == 0 else shown


def span(difference: Difference) -> str:
    """Return the interval of a difference of shares, in points.

    Example:
        >>> span(Difference(0.012, 0.004, 0.021))
        '+0.4 to +2.1'
    """
    return f"{points(difference.low)} to {points(difference.high)}"


def verdict(comparison: Comparison, version: Version) -> str:
    """Return the answer: mAP with its interval, the tiers, precision at the baseline's recall, labels that differ."""
    # Whatever has a baseline has a mAP, unless no label can be measured.
    if "map" not in version.figures:
        return f"{name_of(version)}: no label can be measured: none has test photos with and without it"
    difference = version.figures["map"].difference
    assert difference is not None
    sentences = [
        f"{name_of(version)}: {points(difference.value)} points mAP, interval {span(difference)}: {difference.verdict}"
    ]
    tiers = [
        f"{tier} {points(change.value)}{f' ({span(change)})' if change.is_shown else ''}"
        for name, tier in TIERS.items()
        if (figure := version.figures.get(name)) and (change := figure.difference)
    ]
    if tiers:
        sentences.append(", ".join(tiers))
    if matched := version.figures.get("precision_at_matched_recall"):
        sentences.append(f"precision at the baseline's recall {_with_percent(matched)}")
    sentences.append(labels_that_differ(version, asked=comparison.labels_asked))
    return "; ".join(sentences)


def headline(comparison: Comparison) -> str:
    """Return the answer in one sentence.

    The word of every version is that of its mAP.
    """
    by_verdict: dict[str, list[str]] = {}
    for version in comparison.challengers:
        if (figure := version.figures.get("map")) and figure.difference:
            by_verdict.setdefault(figure.difference.verdict, []).append(name_of(version))
    words = {"better": "better than", "worse": "worse than", "no difference shown": "not shown to differ from"}
    parts = [
        f"{_listed(names)} {'is' if len(names) == 1 else 'are'} {word} {comparison.baseline}"
        for verdict, word in words.items()
        if (names := by_verdict.get(verdict))
    ]
    return f"{'; '.join(parts)} in mAP." if parts else "Nothing was compared."


def name_of(version: Version) -> str:
    """Return what a sentence calls a version."""
    return visible(f"{version.version} {version.experiment}")


def labels_that_differ(version: Version, *, asked: int) -> str:
    """Return how many labels are better and worse, and which."""
    parts = []
    for word in ("better", "worse"):
        labels = version.labels_with(word)
        names = ", ".join(label_name(label) for label in labels[:NAMED])
        more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
        parts.append(
            f"{len(labels)} {'label' if len(labels) == 1 else 'labels'} {word}{f' ({names}{more})' if labels else ''}"
        )
    return f"{', '.join(parts)}, of {asked} with photos enough to tell"


def label_name(label: LabelChange) -> str:
    """Return the English name, or the id."""
    return visible(label.names.get("en") or label.id)


def _with_percent(figure: Figure) -> str:
    assert figure.difference is not None
    percent = f" ({signed(figure.percent.value)} %)" if figure.percent else ""
    return f"{points(figure.difference.value)} points{percent}, interval {span(figure.difference)}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
