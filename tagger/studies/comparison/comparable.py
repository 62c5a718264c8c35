"""Refuse to compare what cannot be compared, and say what differs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tagger.errors import UserError
from tagger.studies.comparison.runs import Run
from tagger.studies.lasting import lasting

APART = ("seed", "name", "version", "data.root", "detector.path", "trainer.accelerator")
"""Settings in which the runs of one version may differ, beside those that no figure depends on."""


def check_comparable(runs: Mapping[str, Sequence[Run]], *, baseline: str) -> None:
    """Check that all runs were tested alike and the runs of a version trained alike.

    Raises:
        UserError: If test photos, labels, annotations or fingerprints differ between runs, or a setting between the
            runs of a version; names the two runs and what differs.
    """
    if baseline not in runs:
        raise UserError(f"baseline={baseline} is none of the versions {', '.join(runs)}; name one of them")
    reference = runs[baseline][0]
    for version, same in runs.items():
        for run in same:
            for difference in _differences(reference, run):
                raise UserError(
                    f"{reference.name} ({reference.folder}) and {run.name} ({run.folder}) cannot be compared: "
                    f"{difference}; train both on the same data with the same split, or leave one out; after a "
                    f"cleaning, annotations={run.version} measures both on its annotations"
                )
            for name, before, after in _settings_that_differ(same[0], run):
                raise UserError(
                    f"the runs of {version} must differ in nothing but their seed, but {name} is {before} in "
                    f"{same[0].folder} and {after} in {run.folder}; make them two versions"
                )


def measured_on(runs: Mapping[str, Sequence[Run]], *, annotations: str) -> dict[str, list[Run]]:
    """Return the runs as if all had been tested on the annotations of one version: those that people have mended.

    Args:
        runs: By version.
        annotations: The version.

    Raises:
        UserError: If there is no such version, its own runs have other annotations, or a run has other test photos or
            labels.
    """
    if annotations not in runs:
        raise UserError(f"annotations={annotations} is none of the versions {', '.join(runs)}; name one of them")
    reference = runs[annotations][0]
    found: dict[str, list[Run]] = {}
    for version, same in runs.items():
        for run in same:
            differences = _differences if version == annotations else _other_photos
            for difference in differences(reference, run):
                raise UserError(
                    f"{run.name} ({run.folder}) cannot be measured on the annotations of {reference.name} "
                    f"({reference.folder}): {difference}; leave one out"
                )
        facts = {"data_fingerprint": reference.facts["data_fingerprint"]}
        found[version] = [
            replace(run, facts={**run.facts, **facts}, states=reference.states, unknown=reference.unknown)
            for run in same
        ]
    return found


def _other_photos(one: Run, other: Run) -> Iterator[str]:
    """Yield in words what keeps two runs from being tested on the same thing, the most telling first."""
    if one.ids != other.ids:
        yield f"their labels differ ({_sets(one.ids, other.ids)})"
    if len(one.photos) != len(other.photos) or (one.photos != other.photos).any():
        photos = one.photos.tolist(), other.photos.tolist()
        yield f"their test photos differ ({len(photos[0])} and {len(photos[1])}; {_sets(*photos)})"
    yield from _other_facts(one, other, "taxonomy_fingerprint")


def _other_annotations(one: Run, other: Run) -> Iterator[str]:
    """Yield in words how the annotations of two runs on the same photos differ."""
    if (changed := (one.states != other.states).any(axis=1)).any():
        yield f"the annotations of {changed.sum()} test photos differ, first of {one.photos[changed.argmax()]}"
    yield from _other_facts(one, other, "data_fingerprint")


def _other_facts(one: Run, other: Run, name: str) -> Iterator[str]:
    if one.facts[name] != other.facts[name]:
        yield f"their {name.replace('_', ' ')}s differ ({one.facts[name]} and {other.facts[name]})"


def _differences(one: Run, other: Run) -> Iterator[str]:
    """Yield in words what makes two runs' test folds different, the most telling first."""
    photos = list(_other_photos(one, other))
    yield from photos or _other_annotations(one, other)


def _sets(one: Sequence[str], other: Sequence[str]) -> str:
    """Return in words how two lists differ.

    Example:
        >>> _sets(["cat", "dog"], ["dog", "fox"]), _sets(["cat", "dog"], ["dog", "cat"])
        ('only in the first: cat; only in the second: fox', 'the same in another order')
    """
    parts = []
    for which, names in (("first", set(one) - set(other)), ("second", set(other) - set(one))):
        if names:
            listed = ", ".join(sorted(names)[:3])
            parts.append(f"only in the {which}: {listed}{f' and {len(names) - 3} more' if len(names) > 3 else ''}")
    return "; ".join(parts) or "the same in another order"


def _settings_that_differ(one: Run, other: Run) -> Iterator[tuple[str, Any, Any]]:
    before, after = (lasting(run.config, *APART) for run in (one, other))
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield name, before.get(name), after.get(name)


def weighs_otherwise(runs: Mapping[str, Sequence[Run]], *, baseline: str) -> list[str]:
    """Return the versions for which an unknown label weighed otherwise than for the baseline."""
    reference = runs[baseline][0].unknown
    return [version for version, same in runs.items() if not np.array_equal(same[0].unknown, reference)]
