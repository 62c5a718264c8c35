"""``manifest.json``: what a bundle says about itself. Read from strangers, so every value is checked."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tagger.tags.delivery.curve import Curve

FORMAT = "tagger bundle"
VERSION = 2
"""Of the format. A reader understands this one and all before it."""

MAX_LABELS = 100_000
MAX_RELATIONS = 100_000
MAX_CLASSES = 10_000
"""Of a detector."""

KINDS = ("parents", "implies", "excludes")
"""Of relations."""


class ManifestError(ValueError):
    """The manifest is not what it must be; the message names the value and where it stands."""


@dataclass(frozen=True)
class BundleLabel:
    """One label of a bundle: what it is called, from which score it is given, and what may be promised of it."""

    id: str
    names: dict[str, str]
    """Display name per language."""
    threshold: float
    """The label is given from this score; 2 if it never is."""
    verdict: str | None = None
    """``certified``, ``met``, ``unreachable`` or ``best_f1``; None if the run's table was not there."""
    fallback: str | None = None
    """What applies where the verdict is ``unreachable``."""
    figures: dict[str, float | None] = field(default_factory=dict)
    """Columns of the run's ``labels.csv``: precision, recall, lower_bound, support, …; empty if it was not there."""
    groups: tuple[str, ...] = ()
    """Ids of the labels that it is a kind of, the nearest first."""
    curve: Curve | None = None
    """Precision and recall at other thresholds, on validation; None if the run's ``curves.json`` was not there."""

    def name(self, language: str) -> str:
        """Return the name in a language, else in English, else the id."""
        return self.names.get(language) or self.names.get("en") or self.id


@dataclass(frozen=True)
class Manifest:
    """Everything about a bundle but its files' contents."""

    labels: tuple[BundleLabel, ...]
    preprocessing: dict[str, Any]
    """Settings of :class:`tagger.data.framing.StillFraming`."""
    opset: int
    """Of the ONNX graph."""
    precision: str = "float32"
    """What the network computes in: ``float32`` or ``int8``."""
    relations: tuple[tuple[str, str, str], ...] = ()
    """What the graph completes scores by: kind (``parents``, ``implies``, ``excludes``), label, other label."""
    detector: dict[str, Any] | None = None
    """How ``detector.onnx`` is used: its sha256, classes, their labels, long_side and floor; None: there is none."""
    target: dict[str, Any] | None = None
    """What was asked of every label: precision, recall, fallback, confidence."""
    fingerprints: dict[str, str] = field(default_factory=dict)
    """Of the catalog, the taxonomy and the checkpoint."""
    run: dict[str, str] = field(default_factory=dict)
    """Where it comes from: experiment, version, commit, MLflow run."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of the software that made it."""
    created: str = ""
    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Bytes and SHA-256 of every other file."""

    def with_files(self, files: dict[str, tuple[int, str]]) -> "Manifest":
        """Return the manifest with sizes and hashes."""
        return replace(self, files=files)

    def to_json(self) -> str:
        """Return it as JSON; what UTF-8 does not know is escaped."""
        tree = asdict(self)
        tree["files"] = {name: {"bytes": size, "sha256": sha256} for name, (size, sha256) in self.files.items()}
        text = json.dumps({"format": FORMAT, "version": VERSION} | tree, ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8", errors="backslashreplace").decode()

    @classmethod
    def from_json(cls, data: bytes) -> "Manifest":
        """Read and check a manifest.

        Raises:
            ManifestError: If it is newer than this version understands, or a value is not what it must be.

        Example:
            >>> try:
            ...     Manifest.from_json(b'{"format": "tagger bundle", "version": 99}')
            ... except ManifestError as error:
            ...     print(error)
            version 99 is newer than the 2 that this tagger reads: upgrade tagger
        """
        try:
            tree = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ManifestError(f"not JSON: {error}") from error
        try:
            return cls._of(tree)
        except RecursionError as error:
            raise ManifestError("values lie too deep in each other") from error

    @classmethod
    def _of(cls, tree: Any) -> "Manifest":
        if not isinstance(tree, dict) or tree.get("format") != FORMAT:
            raise ManifestError(f"no manifest of a bundle: format must be {FORMAT!r}")
        version = _value(tree, "version", int)
        if version > VERSION:
            raise ManifestError(f"version {version} is newer than the {VERSION} that this tagger reads: upgrade tagger")
        labels = _labels(_value(tree, "labels", list))
        return cls(
            labels=labels,
            preprocessing=_value(tree, "preprocessing", dict),
            opset=_value(tree, "opset", int),
            precision=_value({"precision": "float32"} | tree, "precision", str),
            detector=_detector(tree.get("detector")),
            relations=_relations(tree, {label.id for label in labels}),
            target=_value(tree, "target", dict) if tree.get("target") is not None else None,
            fingerprints=_texts(tree, "fingerprints"),
            run=_texts(tree, "run"),
            versions=_texts(tree, "versions"),
            created=_value(tree, "created", str),
            files={name: _file(name, entry) for name, entry in _value(tree, "files", dict).items()},
        )


def _labels(rows: list[Any]) -> tuple[BundleLabel, ...]:
    if not 0 < len(rows) <= MAX_LABELS:
        raise ManifestError(f"labels must be 1 to {MAX_LABELS:,}, got {len(rows):,}")
    labels = tuple(_label(row, f"labels[{number}]") for number, row in enumerate(rows))
    ((id_, count),) = Counter(label.id for label in labels).most_common(1)
    if count > 1:
        raise ManifestError(f"label {id_!r} is there twice")
    return labels


def _label(row: Any, where: str) -> BundleLabel:
    if not isinstance(row, dict):
        raise ManifestError(f"{where} must be a mapping, got {row!r:.80}")
    threshold = _value(row, "threshold", float, where)
    # 2 is the threshold that no score reaches.
    if not 0 <= threshold <= 2:
        raise ManifestError(f"{where}.threshold must lie in [0, 2], got {threshold}")
    figures = {
        name: None if value is None else _value({name: value}, name, float, f"{where}.figures")
        for name, value in _value(row, "figures", dict, where).items()
    }
    return BundleLabel(
        id=_text(_value(row, "id", str, where), f"{where}.id"),
        names={_text(language, where): _text(name, where) for language, name in _texts(row, "names", where).items()},
        threshold=threshold,
        verdict=_value(row, "verdict", str, where) if row.get("verdict") is not None else None,
        fallback=_value(row, "fallback", str, where) if row.get("fallback") is not None else None,
        figures=figures,
        groups=_ids(row.get("groups", []), f"{where}.groups"),
        curve=_curve(row.get("curve"), f"{where}.curve"),
    )


def _detector(tree: Any) -> dict[str, Any] | None:
    if tree is None:
        return None
    if not isinstance(tree, dict):
        raise ManifestError(f"detector must be a mapping, got {tree!r:.80}")
    classes = list(_ids(tree.get("classes"), "detector.classes"))
    labels = {
        name: list(_ids(ids, f"detector.labels.{name}"))
        for name, ids in _value(tree, "labels", dict, "detector").items()
    }
    # A class may have several labels, and several classes the same name.
    if len(classes) > MAX_CLASSES or sum(len(labels.get(name, ())) for name in classes) > MAX_LABELS:
        raise ManifestError(f"a detector has at most {MAX_CLASSES:,} classes that mean {MAX_LABELS:,} labels in all")
    return {
        "sha256": _value(tree, "sha256", str, "detector"),
        "classes": classes,
        "labels": labels,
        "long_side": _value(tree, "long_side", int, "detector"),
        "floor": _value(tree, "floor", float, "detector"),
    }


def _curve(plain: Any, where: str) -> Curve | None:
    try:
        return None if plain is None else Curve.from_plain(plain)
    except ValueError as error:
        raise ManifestError(f"{where}: {error}") from error


def _ids(values: Any, where: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ManifestError(f"{where} must be a list of texts, got {values!r:.80}")
    return tuple(_text(value, where) for value in values)


def _text(value: str, where: str) -> str:
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise ManifestError(f"{where} holds half a character, which no file can hold: {value!r:.80}")
    return value


def _relations(tree: Mapping[str, Any], labels: Set[str]) -> tuple[tuple[str, str, str], ...]:
    rows = [_ids(row, "relations") for row in _value({"relations": [], **tree}, "relations", list)]
    if len(rows) > MAX_RELATIONS:
        raise ManifestError(f"relations must be at most {MAX_RELATIONS:,}, got {len(rows):,}")
    for row in rows:
        if len(row) != 3 or row[0] not in KINDS or not set(row[1:]) <= labels:
            raise ManifestError(f"relations must be rows of {', '.join(KINDS)}, label and other label, got {row!r:.80}")
    return tuple((kind, label, other) for kind, label, other in rows)


def _file(name: str, entry: Any) -> tuple[int, str]:
    if not isinstance(entry, dict):
        raise ManifestError(f"files.{name} must be a mapping, got {entry!r:.80}")
    return _value(entry, "bytes", int, f"files.{name}"), _value(entry, "sha256", str, f"files.{name}")


def _texts(tree: Mapping[str, Any], key: str, where: str = "") -> dict[str, str]:
    mapping = _value(tree, key, dict, where)
    return {name: _value(mapping, name, str, f"{where}.{key}".lstrip(".")) for name in mapping}


def _value(tree: Mapping[str, Any], key: str, kind: Callable[..., Any], where: str = "") -> Any:
    """Return a value of a mapping that must be of a kind; whole numbers are also floats, true and false are neither."""
    value, name = tree.get(key), getattr(kind, "__name__", str(kind))
    kinds = (int, float) if kind is float else kind
    is_right = isinstance(value, kinds) and not isinstance(value, bool)  # type: ignore[arg-type]
    # A whole number that no float can hold is none either.
    if not is_right or (kind in (int, float) and not abs(value) < sys.float_info.max):  # type: ignore[arg-type]
        raise ManifestError(f"{f'{where}.{key}'.lstrip('.')} must be a {name}, got {value!r:.80}")
    return value
