"""What a page knows of a photo and of a label."""

import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tagger.data.storage import is_url
from tagger.pages.visible import visible
from tagger.tags.delivery.manifest import BundleLabel
from tagger.tags.tagging.near import MOST, floor


def shown_photo(line: Mapping[str, Any], thresholds: Mapping[str, float], *, folder: Path) -> dict[str, Any]:
    """Return what the page knows of a photo.

    Args:
        line: Of the photo, in a tag file.
        thresholds: By label.
        folder: Where the page will be: links to the originals are relative to it.
    """
    photo = {
        "name": visible(_short(line["photo"])),
        "path": visible(line["photo"]),
        "link": link(line["photo"], folder),
        "tags": [
            [tag["label"], tag["score"], tag.get("origin", ""), visible(tag.get("because", ""))] for tag in line["tags"]
        ],
    }
    near = near_of(line, thresholds)
    return photo if near is None else photo | {"near": list(near.items())}


def near_of(line: Mapping[str, Any], thresholds: Mapping[str, float]) -> dict[str, float] | None:
    """Return the scores of labels that a photo nearly got, None if its line does not say.

    Example:
        >>> near_of({"tags": [{"label": "sea"}], "scores": {"sea": 0.9, "dog": 0.3, "cat": 0.1}}, {"dog": 0.5})
        {'dog': 0.3}
        >>> near_of({"tags": []}, {"dog": 0.5})
    """
    if "near" in line:
        return dict(line["near"])
    if "scores" not in line:
        return None
    given = {tag["label"] for tag in line["tags"]}
    near = {
        label: score
        for label, score in line["scores"].items()
        if label not in given and label in thresholds and score >= floor(thresholds[label])
    }
    return dict(sorted(near.items(), key=lambda pair: -pair[1])[:MOST])


@dataclass(frozen=True)
class KnownLabels:
    """What a bundle knows of labels."""

    labels: Mapping[str, BundleLabel]
    """By id."""
    thresholds: Mapping[str, float]
    """By id, those that the photos were tagged with; none of labels that a profile leaves out."""
    language: str

    def shown(self, names: Mapping[str, str]) -> dict[str, Any]:
        """Return what the page knows of some labels, and what the groups above them are called.

        Args:
            names: By id, as the lines of photos call them; it counts where the bundle does not give a label.
        """
        known = {id_: self._label(self.labels[id_]) for id_ in names if id_ in self.thresholds}
        strangers = {
            id_: {"name": visible(name or id_), "groups": []} for id_, name in names.items() if id_ not in known
        }
        groups = dict.fromkeys(group for label in known.values() for group in label["groups"])
        return {"labels": known | strangers, "groups": {group: self._name(group) for group in groups}}

    def _label(self, label: BundleLabel) -> dict[str, Any]:
        threshold = self.thresholds[label.id]
        known = {"name": self._name(label.id), "from": threshold, "floor": floor(threshold), "groups": label.groups}
        if label.curve is None or not label.curve.thresholds:
            return known
        points = zip(label.curve.thresholds, label.curve.precision, label.curve.recall, strict=True)
        curve = [[round(value, 4) for value in point] for point in points]
        return known | {"curve": curve, "support": label.curve.support}

    def _name(self, id_: str) -> str:
        return visible(self.labels[id_].name(self.language) if id_ in self.labels else id_)


def link(photo: str, folder: Path) -> str:
    """Return where the original is, seen from a folder; "" for what a browser cannot open.

    No name can become another scheme: every colon of a path is escaped.

    Example:
        >>> link("/album/2019/a b.jpg", Path("/album/pages"))
        '../2019/a%20b.jpg'
        >>> link("https://example.org/a.jpg", Path()), link("s3://bucket/a.jpg", Path())
        ('https://example.org/a.jpg', '')
    """
    if is_url(photo):
        return photo if photo.startswith(("http://", "https://")) else ""
    try:
        path = os.path.relpath(photo, folder)
    except ValueError:
        # Another drive of Windows.
        return ""
    return urllib.parse.quote(os.fsencode(path).replace(os.sep.encode(), b"/"))


def _short(photo: str) -> str:
    return photo.rstrip("/").rpartition("/")[2] or photo
