"""A profile: what one customer wants of a bundle, without training anything.

    # hotel.yaml
    labels: [scene.beach, scene.pool, object.bed]     # only these are given; without the line all of the bundle's
    names: {scene.beach: {en: Seaside, de: Strand}, object.bed: Room}
    target: {precision: 0.95}                         # of every label, from the curves of validation in the bundle
    targets: {object.bed: {recall: 0.5}}              # of some, instead
    thresholds: {scene.pool: 0.4}                     # as they are, instead
    implies: {scene.pool: [scene.beach]}              # completes scores, beside the bundle's own relations
    excludes: {scene.pool: [object.bed]}
    tags_per_photo: 5                                 # the highest scores
    language: de

A label that cannot keep its target is not given. A target holds for photos like those of validation, and for scores as
the bundle gives them: relations that a profile adds change the scores after that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tagger.errors import UserError
from tagger.tags.delivery.manifest import BundleLabel, Manifest
from tagger.tags.profiles.promise import Promise, threshold_of

NEVER = 2.0
"""Threshold that no score reaches."""

MAX_BYTES = 2**20
"""Most bytes of a profile's file."""

MAX_VALUES = 200_000
"""Most names, numbers and lists in it."""


NUMBERS = ("target", "targets", "thresholds", "tags_per_photo")
"""Settings whose values are numbers; ids, names and languages are what was typed, `no` and 2019 too."""


class ProfileError(UserError):
    """A profile that cannot be applied; the message names the value and where it stands."""


@dataclass(frozen=True)
class Profile:
    """See the module; every field may be left out."""

    labels: tuple[str, ...] | None = None
    names: dict[str, dict[str, str]] = field(default_factory=dict)
    """By label id and language."""
    target: Promise | None = None
    targets: dict[str, Promise] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    implies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    excludes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tags_per_photo: int | None = None
    language: str | None = None

    @classmethod
    def read(cls, path: str | Path) -> "Profile":
        """Read a profile's file.

        Raises:
            ProfileError: If it cannot be read, or a value in it is not what it must be.
        """
        file = Path(path).expanduser()
        try:
            import yaml

            from tagger.yaml_text import read_words
        except ImportError as error:
            raise UserError("a profile needs PyYAML: pip install tagger[runtime]") from error
        try:
            if file.stat().st_size > MAX_BYTES:
                raise ProfileError(f"profile={path} has more than {MAX_BYTES:,} bytes")
            tree = read_words(file.read_text(encoding="utf-8"), values=MAX_VALUES) or {}
            if isinstance(tree, dict):
                tree = {name: _numbers(value) if name in NUMBERS else value or None for name, value in tree.items()}
            return cls.from_plain(tree)
        except OSError as error:
            raise ProfileError(f"profile={path} cannot be read: {error.strerror or error}") from error
        except (ValueError, RecursionError, yaml.YAMLError) as error:
            raise ProfileError(f"profile={path}: {error}") from error

    @classmethod
    def from_plain(cls, tree: Any) -> "Profile":
        """Read a profile from what YAML gives.

        Raises:
            ValueError: If a value is not what it must be.

        Example:
            >>> Profile.from_plain({"names": {"sea": "Meer"}, "target": {"precision": 0.95}}).names
            {'sea': {'en': 'Meer'}}
        """
        known = [setting.name for setting in fields(cls)]
        for name in _mapping(tree, "a profile"):
            if name not in known:
                raise ValueError(f"there is no setting {name!r}; there are {', '.join(known)}")
        return cls(
            labels=None if tree.get("labels") is None else _ids(tree["labels"], "labels"),
            names={label: _names(names, label) for label, names in _mapping(tree.get("names"), "names").items()},
            target=None if tree.get("target") is None else Promise.from_plain(tree["target"], "target"),
            targets={
                label: Promise.from_plain(promise, f"targets.{label}")
                for label, promise in _mapping(tree.get("targets"), "targets").items()
            },
            thresholds={
                label: _threshold(value, label)
                for label, value in _mapping(tree.get("thresholds"), "thresholds").items()
            },
            implies={a: _ids(b, f"implies.{a}") for a, b in _mapping(tree.get("implies"), "implies").items()},
            excludes={a: _ids(b, f"excludes.{a}") for a, b in _mapping(tree.get("excludes"), "excludes").items()},
            tags_per_photo=_count(tree.get("tags_per_photo")),
            language=_word(tree.get("language")),
        )

    @property
    def relations(self) -> tuple[tuple[str, str, str], ...]:
        """What it adds to the bundle's relations: kind, label, other label."""
        return tuple(
            (kind, label, other)
            for kind, stated in (("implies", self.implies), ("excludes", self.excludes))
            for label, others in stated.items()
            for other in others
        )

    def applied(self, manifest: Manifest) -> Manifest:
        """Return the bundle as the customer wants it.

        Raises:
            ProfileError: If a label is not in the bundle, or a target is asked of a label whose curve is not.
        """
        self._check_labels({label.id for label in manifest.labels})
        labels = tuple(self._applied(label) for label in manifest.labels)
        return replace(manifest, labels=labels, relations=(*manifest.relations, *self.relations))

    def _applied(self, label: BundleLabel) -> BundleLabel:
        label = replace(label, names=label.names | self.names.get(label.id, {}))
        if self.labels is not None and label.id not in self.labels:
            return replace(label, threshold=NEVER, verdict=None, fallback=None)
        if label.id in self.thresholds:
            return replace(label, threshold=self.thresholds[label.id], verdict=None, fallback=None)
        promise = self.targets.get(label.id, self.target)
        if promise is None:
            return label
        if label.curve is None:
            raise ProfileError(
                f"no target for {label.id}: the bundle has no curve of it; export it again with its run's curves.json"
            )
        threshold, verdict = threshold_of(label.curve, promise)
        fallback = "silence" if verdict == "unreachable" else None
        return replace(label, threshold=NEVER if threshold is None else threshold, verdict=verdict, fallback=fallback)

    def _check_labels(self, known: set[str]) -> None:
        named = {
            "labels": self.labels or (),
            "names": self.names,
            "targets": self.targets,
            "thresholds": self.thresholds,
            "relations": [id_ for _, *pair in self.relations for id_ in pair],
        }
        for place, ids in named.items():
            for id_ in ids:
                if id_ not in known:
                    raise ProfileError(f"profile, {place}: the bundle has no label {id_!r}")


def _numbers(value: Any) -> Any:
    """Return what a setting of numbers holds, labels as they were typed."""
    if isinstance(value, dict):
        return {name: _numbers(number) for name, number in value.items()}
    from tagger.yaml_text import read_plain

    # A number within a text, and not YAML within YAML.
    return read_plain(value, values=1) if isinstance(value, str) else value


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{where} must be a mapping from texts, got {value!r:.80}")
    return value


def _ids(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(id_, str) for id_ in value):
        raise ValueError(f"{where} must be a list of label ids, got {value!r:.80}")
    return tuple(value)


def _names(value: Any, label: str) -> dict[str, str]:
    # One name is the English one, which every language without its own falls back to.
    names = {"en": value} if isinstance(value, str) else dict(_mapping(value, f"names.{label}"))
    if not all(isinstance(name, str) for name in names.values()):
        raise ValueError(f"names.{label} must be a text, or one for every language, got {value!r:.80}")
    return names


def _threshold(value: Any, label: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= NEVER:
        raise ValueError(f"thresholds.{label} must lie in [0, 2], got {value!r:.80}")
    return float(value)


def _count(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError(f"tags_per_photo must be a whole number from 1, got {value!r:.80}")
    return value


def _word(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"language must be a text such as en, got {value!r:.80}")
    return value
