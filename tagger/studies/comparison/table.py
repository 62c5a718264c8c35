"""The comparison as Markdown."""

from collections.abc import Mapping

from tagger.data.card.markdown import as_code, plain
from tagger.studies.comparison.comparison import Comparison, Figure, Version
from tagger.studies.comparison.figures import COUNTS, TITLES
from tagger.studies.comparison.verdict import headline, label_name, points, verdict
from tagger.studies.unfinished import Unfinished


def readme(comparison: Comparison, *, facts: Mapping[str, str]) -> str:
    """Return what is written below the marker of ``README.md``.

    Args:
        comparison: What came out.
        facts: What a reader needs to make it again, for instance the command.
    """
    parts = [
        f"**{plain(headline(comparison))}**",
        "\n".join(f"- {plain(verdict(comparison, version))}." for version in comparison.challengers),
        f"**{plain(comparison.noise.text)}**" if comparison.noise.is_warning else "",
        "\n".join(f"- {plain(name)}: {as_code(value)}" for name, value in facts.items()),
        figures_table(comparison),
        notes(comparison),
        *(moved_table(version) for version in comparison.challengers if version.moved()),
    ]
    if comparison.unfinished:
        parts.append("## Runs without a result\n\n" + "\n".join(f"- {plain(line)}" for line in unfinished(comparison)))
    return "\n\n".join(part for part in parts if part) + "\n"


def figures_table(comparison: Comparison) -> str:
    """Return a row for every figure and a column for every version."""
    columns = [comparison.versions[comparison.baseline], *comparison.challengers]
    heads = [f"{plain(v.version)} {plain(v.experiment)}" for v in columns]
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "--:|" * len(heads)]
    lines += [
        f"| {title} | " + " | ".join(cell(v.figures.get(name), is_count=name in COUNTS) for v in columns) + " |"
        for name, title in rows(comparison).items()
    ]
    return "\n".join(lines)


def rows(comparison: Comparison) -> dict[str, str]:
    """Return the figures that some version has, in order, and what to call them here."""
    of_this = {"map": f"mAP ({comparison.labels_counted} labels)"}
    of_this["precision_at_matched_recall"] = f"precision at the baseline's recall ({comparison.labels_matched} labels)"
    of_this |= {name: f"{TITLES[name]}, {labels} labels" for name, labels in comparison.tiers.items()}
    if comparison.target:
        asked = " and ".join(f"{name} {value:g}" for name, value in comparison.target.items())
        of_this["labels_reaching"] = f"labels that reach {asked} on validation"
    titles = TITLES | COUNTS | of_this
    # N+ belongs to the five tags a photo, which end the figures with an interval.
    return {
        name: titles[name]
        for name in (*TITLES, *COUNTS)
        if any(name in v.figures for v in comparison.versions.values())
    }


def cell(figure: Figure | None, *, is_count: bool = False) -> str:
    """Return a figure, and what it differs by in points and its interval; bold where the interval leaves 0 out.

    Example:
        >>> from tagger.studies.comparison.comparison import Difference
        >>> cell(Figure(0.465, 0.461, 0.469)), cell(Figure(141.0, 139.0, 142.0), is_count=True)
        ('0.465', '141 (139–142)')
        >>> cell(Figure(0.457, 0.455, 0.46, Difference(-0.008, -0.013, -0.002)))
        '0.457 (**−0.8**: −1.3 to −0.2)'
    """
    if figure is None:
        return "–"
    if is_count:
        low, value, high = (f"{n:.1f}".removesuffix(".0") for n in (figure.lowest, figure.value, figure.highest))
        return value if low == high else f"{value} ({low}–{high})"
    if figure.difference is None:
        return f"{figure.value:.3f}"
    change = points(figure.difference.value)
    low, high = points(figure.difference.low), points(figure.difference.high)
    return f"{figure.value:.3f} ({f'**{change}**' if figure.difference.is_shown else change}: {low} to {high})"


def notes(comparison: Comparison) -> str:
    """Return how to read the table."""
    settings = comparison.settings
    baseline = comparison.versions[comparison.baseline]
    resampled = f"{settings.resamples:,} resamples of photos{' and seeds' if len(baseline.seeds) > 1 else ''}"
    lines = [
        f"Test figures on {comparison.photos:,} photos, means over seeds ({seeds(comparison)}). In brackets: "
        f"points more than {plain(comparison.baseline)}, and the 95 % interval of {resampled}; bold where it leaves 0 "
        "out. Average precision is exact; a run's own report rounds scores to 2,048 bins, which takes about 0.001.",
        f"A label is reported to differ in average precision if it has {settings.least_photos} test photos or more "
        f"({comparison.labels_asked} have) and stands at a false discovery rate of {settings.false_discovery_rate:g} "
        "(Benjamini and Hochberg).",
    ]
    unmatched = comparison.labels_counted - comparison.labels_matched
    if unmatched:
        lines.append(
            f"{unmatched} labels have no recall at the baseline's thresholds on validation, and no precision to "
            "compare."
        )
    if single := [v.version for v in comparison.versions.values() if len(v.seeds) == 1]:
        lines.append(f"One seed says nothing of how much seeds differ: {plain(', '.join(single))}.")
    if unpaired := [v.version for v in comparison.challengers if not v.is_paired]:
        lines.append(f"Not the baseline's seeds, so not compared seed by seed: {plain(', '.join(unpaired))}.")
    if comparison.weighs_otherwise:
        lines.append(
            f"Trained with another weight of unknown labels, measured with the baseline's: "
            f"{plain(', '.join(comparison.weighs_otherwise))}."
        )
    lines += [plain(f"{line}.") for line in left_out(comparison)]
    if not comparison.noise.is_warning:
        lines.append(plain(comparison.noise.text))
    return "\n".join(lines)


def left_out(comparison: Comparison) -> list[str]:
    """Return what the versions left out of the data, once if it is the same."""
    found = {version.version: version.left_out for version in comparison.versions.values()}
    if len(set(found.values())) == 1:
        return [line for line in set(found.values()) if line]
    return [f"{version}: {line or 'no photos left out'}" for version, line in found.items()]


def seeds(comparison: Comparison) -> str:
    """Return the seeds, once if all versions have the same."""
    own = {v.version: ", ".join(map(str, v.seeds)) for v in comparison.versions.values()}
    if len(set(own.values())) == 1:
        return next(iter(own.values()))
    return "; ".join(f"{plain(version)}: {listed}" for version, listed in own.items())


def moved_table(version: Version) -> str:
    """Return the labels that moved most, with the photos that show it best."""
    lines = [
        f"## What moved in {plain(version.version)} {plain(version.experiment)}",
        "",
        "| label | test photos | AP | points | interval | shown | photos, place in the ranking (✓ carries the label) |",
        "|---|--:|--:|--:|--:|---|---|",
    ]
    for label in version.moved():
        photos = ", ".join(
            f"{plain(shown.photo)}{' ✓' if shown.carries else ''} {place(shown.baseline_place)} → {place(shown.place)}"
            for shown in label.examples
        )
        lines.append(
            f"| {plain(label_name(label))} | {label.test_photos} | {label.baseline_ap:.3f} → {label.ap:.3f} "
            f"| {points(label.difference.value)} | {points(label.difference.low)} to {points(label.difference.high)} "
            f"| {label.verdict or 'no'} | {photos} |"
        )
    return "\n".join(lines)


def place(value: float) -> str:
    """Return a place in a ranking, a mean over seeds.

    Example:
        >>> place(3.0), place(2.5), place(120.25)
        ('3', '2.5', '120')
    """
    return f"{value:.1f}".removesuffix(".0") if value < 10 else f"{value:.0f}"


def unfinished(comparison: Comparison) -> list[str]:
    """Return a line for every run that has no result."""
    return [did_not_finish(run) for run in comparison.unfinished]


def did_not_finish(run: Unfinished) -> str:
    """Return what became of a run.

    Example:
        >>> did_not_finish(Unfinished("v2.1", 2, "hung", "stopped after 20 minutes"))
        'v2.1 seed 2: hung: stopped after 20 minutes'
    """
    return f"{run.version} seed {run.seed}: {run.state}{f': {run.reason}' if run.reason else ''}"
