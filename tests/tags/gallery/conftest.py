"""An album whose names are hostile, and the page of it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tagger.tags.delivery.curve import Curve
from tagger.tags.delivery.manifest import BundleLabel
from tagger.tags.gallery.page import Contents, Gallery, write_gallery
from tagger.tags.gallery.shown import KnownLabels

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>"

LABELS = [
    BundleLabel("animal", {"en": "animal"}, 0.5),
    BundleLabel("nature", {"en": "nature"}, 0.5),
    BundleLabel(
        "animal.dog", {"en": "dog"}, 0.4, groups=("animal",), curve=Curve((0.8, 0.3), (10, 40), (9, 20), positives=30)
    ),
    BundleLabel("beach", {"en": "beach"}, 0.5, groups=("nature",)),
    BundleLabel("hostile'}; rm -rf ~", {"en": HOSTILE}, 0.5),
    BundleLabel("silent", {"en": "silent"}, 2.0),
]
NAMES = {label.id: label.name("en") for label in LABELS}


def tag(label: str, score: float, origin: str = "network", because: str = "") -> dict[str, Any]:
    return {
        "label": label,
        "name": NAMES.get(label, label),
        "score": score,
        "origin": origin,
        "because": because or f"scored {score:.2f}, given from 0.40",
    }


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of an album of eight photos, one of which cannot be read."""
    names = [*(f"{number}.jpg" for number in range(4)), "<script>alert(1)<.jpg", "two\nlines.jpg"]
    paths = [folder / name for name in names] + [folder / os.fsdecode(b"\xff" + 250 * b"a" + b".jpg")]
    tags = [
        [tag("animal.dog", 0.9), tag("animal", 0.9, "rule", "follows from dog, scored 0.90")],
        [tag("animal.dog", 0.6, "detector", "dog detected, 0.60"), tag("beach", 0.55)],
        [tag("beach", 0.95)],
        [],
        [tag("hostile'}; rm -rf ~", 0.8, because=f"scored 0.80 {HOSTILE}")],
        [tag("animal.dog", 0.45)],
        [tag("beach", 0.7)],
    ]
    near = [{}, {}, {"animal.dog": 0.3}, {"animal.dog": 0.25, "silent": 0.6}, {}, {}, {}]
    made = [
        {"photo": str(path), "tags": some, "near": close} for path, some, close in zip(paths, tags, near, strict=True)
    ]
    return [*made, {"photo": str(folder / "<b>bad.jpg"), "tags": [], "error": "truncated <i>"}]


@pytest.fixture
def hostile() -> str:
    """The name of a label that means harm."""
    return HOSTILE


@pytest.fixture
def lines(tmp_path: Path) -> list[dict[str, Any]]:
    """Draw the album and return its lines."""
    folder = tmp_path / "album"
    folder.mkdir()
    made = lines_of(folder)
    for number, line in enumerate(made[:-1]):
        Image.new("RGB", (320, 240), (30 * number, 90, 120)).save(line["photo"])
    return made


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Contents]:
    """Write a page of some lines to ``album.html``."""

    def make(lines: list[dict[str, Any]], *, limit: int = 100, name: str = "album.html", workers: int = 0) -> Contents:
        known = KnownLabels(
            {label.id: label for label in LABELS}, {label.id: label.threshold for label in LABELS}, "en"
        )
        gallery = Gallery(tmp_path / name, limit=limit, side=64)
        return write_gallery(gallery, lambda: iter(lines), known, facts={"bundle": "<i>.tagger"}, workers=workers)

    return make


@pytest.fixture
def opened(tmp_path: Path, browser: Any) -> Iterator[Callable[..., Any]]:
    """Open the page in Chromium; at the end nothing may have been complained of, and nothing asked for."""
    complaints: list[str] = []
    requests: list[str] = []

    def make(*, width: int = 1200, height: int = 900, **settings: Any) -> Any:
        page = browser.new_context(viewport={"width": width, "height": height}, **settings).new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: requests.append(request.url))
        page.goto((tmp_path / "album.html").as_uri())
        return page

    yield make
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert sum(url.startswith("file:") for url in requests) == 1
