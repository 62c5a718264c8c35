"""What a page knows of photos and labels."""

import os
import urllib.parse
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tagger.tags.delivery.curve import Curve
from tagger.tags.delivery.manifest import BundleLabel
from tagger.tags.gallery.shown import KnownLabels, link, near_of, shown_photo

DOG = BundleLabel(
    "dog", {"en": "dog", "zh": "狗"}, 0.4, groups=("animal",), curve=Curve((0.8, 0.1), (1, 4), (1, 2), positives=2)
)
ANIMAL = BundleLabel("animal", {"en": "animal", "zh": "动物"}, 0.5)
KNOWN = KnownLabels({"dog": DOG, "animal": ANIMAL}, {"dog": 0.3, "animal": 0.5}, "zh")


def test_a_label_is_called_in_the_language_and_has_the_threshold_that_was_applied():
    shown = KNOWN.shown({"dog": "dog", "wolf": "der Wolf", "ghost": ""})
    curve = [[0.8, 1.0, 0.5], [0.1, 0.5, 1.0]]
    dog = {"name": "狗", "from": 0.3, "floor": 0.15, "groups": ("animal",), "curve": curve, "support": 2}
    assert shown["labels"]["dog"] == dog
    assert shown["labels"]["wolf"] == {"name": "der Wolf", "groups": []}
    assert shown["labels"]["ghost"]["name"] == "ghost"
    assert shown["groups"] == {"animal": "动物"}


def test_a_photo_is_shown_with_its_tags_and_what_came_near():
    tag = {"label": "dog", "name": "dog", "score": 0.8, "origin": "network", "because": "scored 0.80\n"}
    line = {"photo": "/a/b\n<.jpg", "tags": [tag], "near": {"animal": 0.3}}
    assert shown_photo(line, {}, folder=Path("/a/c")) == {
        "name": "b\\n<.jpg",
        "path": "/a/b\\n<.jpg",
        "link": "../b%0A%3C.jpg",
        "tags": [["dog", 0.8, "network", "scored 0.80\\n"]],
        "near": [("animal", 0.3)],
    }


def test_what_came_near_is_found_in_the_scores_of_all_labels():
    scores = {"dog": 0.9, "animal": 0.25, "wolf": 0.9} | {f"label{i}": i / 100 for i in range(40)}
    thresholds = {label: 0.5 for label in scores if label != "wolf"}
    near = near_of({"tags": [{"label": "dog"}], "scores": scores}, thresholds)
    assert near is not None
    assert next(iter(near.items())) == ("label39", 0.39)
    assert len(near) == 16
    assert "dog" not in near
    assert "wolf" not in near


@given(name=st.binary(min_size=1).filter(lambda name: b"\0" not in name))
def test_a_link_leads_to_the_file_and_is_never_a_scheme(name: bytes):
    photo = f"/album/{os.fsdecode(name)}"
    made = link(photo, Path("/pages"))
    assert ":" not in made
    if "://" not in photo:
        path = os.fsdecode(urllib.parse.unquote_to_bytes(made))
        assert os.path.normpath(f"/pages/{path}") == os.path.normpath(photo)


def test_only_what_a_browser_opens_is_a_link():
    assert link("https://example.org/<a>.jpg", Path()) == "https://example.org/<a>.jpg"
    for photo in ("s3://bucket/a.jpg", "memory://a.jpg", "javascript://%0aalert(1)", "data://x"):
        assert link(photo, Path()) == ""
