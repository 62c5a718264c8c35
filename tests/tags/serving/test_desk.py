"""What a visitor of the page gets: tags that follow the thresholds, verdicts that are kept, names that do no harm."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tagger import Tagger
from tagger.tags.corrections import read_corrections
from tagger.tags.delivery.bundle import read_bundle
from tagger.tags.delivery.curve import Curve
from tagger.tags.serving import views
from tagger.tags.serving.album import moved
from tagger.tags.serving.desk import Desk
from tagger.tags.serving.export import as_yaml, own_thresholds
from tagger.tags.serving.validation import point_at
from tagger.tags.serving.views import Looks
from tagger.tags.serving.visitors import Visitor

HOSTILE = '<img src=x onerror="alert(1)">&amp;\n\x1b[31m\u202e'


def dropping(desk: Desk, photos: Sequence[Path], names: Sequence[str] = ()) -> Visitor:
    """Return somebody who dropped photos."""
    visitor = desk.newcomer()
    assert not any(drop(desk, visitor, photos, names))
    return visitor


def drop(desk: Desk, visitor: Visitor, photos: Sequence[Path], names: Sequence[str] = ()) -> list[str]:
    """Add photos one after another; return why some could not be."""

    async def added() -> list[str]:
        named = zip(names or [photo.name for photo in photos], photos, strict=True)
        return [
            await desk.add(visitor, name, photo.read_bytes(), place=place) for place, (name, photo) in enumerate(named)
        ]

    return asyncio.run(added())


def looks(desk: Desk, visitor: Visitor, **chosen: Any) -> Looks:
    """Return what the page's parts are made of."""
    defaults = {"album": visitor.album, "thresholds": visitor.thresholds, "corrections": desk.corrections.current}
    return Looks(tagger=desk.tagger, language=desk.language, columns=desk.columns, **defaults | chosen)


# --- thresholds -----------------------------------------------------------------------------------------------------


def test_moved_thresholds_give_the_tags_that_the_bundle_gives_with_them(
    make_desk: Callable[..., Desk], delivered: Path, drawn: list[Path]
):
    desk = make_desk()
    album = dropping(desk, drawn).album
    chosen = {"red": 0.7, "green": 0.2, "grey": 0.5}
    thresholds = desk.tagger.thresholds.copy()
    thresholds[[desk.columns[label] for label in chosen]] = list(chosen.values())
    expected = Tagger.load(delivered / "album.tagger", thresholds=chosen).tag(map(str, drawn))
    found = desk.tags(album, thresholds)
    assert [[tag.label for tag in tags] for tags in found] == [[tag.label for tag in tags] for tags in expected]
    before = desk.tags(album, desk.tagger.thresholds.copy())
    assert found != before, "a test that could not fail otherwise"
    assert moved(thresholds, desk.tagger) == chosen
    assert moved(desk.tagger.thresholds.copy(), desk.tagger) == {}


@given(
    scores=st.lists(st.integers(1, 99).map(lambda number: number / 100), min_size=1, max_size=12, unique=True),
    truth=st.lists(st.booleans(), min_size=12, max_size=12),
    threshold=st.integers(0, 100).map(lambda number: number / 100),
)
def test_what_a_threshold_gave_on_validation_is_read_from_the_curve(
    scores: list[float], truth: list[bool], threshold: float
):
    pairs = list(zip(scores, truth, strict=False))
    positives = sorted((score for score, is_true in pairs if is_true), reverse=True)
    assume(positives)
    counts = [(score, [is_true for other, is_true in pairs if other >= score]) for score in positives]
    curve = Curve(
        tuple(positives),
        tuple(float(len(tagged)) for _, tagged in counts),
        tuple(float(sum(tagged)) for _, tagged in counts),
        positives=len(positives),
    )
    point = point_at(curve, threshold)
    tagged = [is_true for score, is_true in pairs if score >= threshold]
    if not any(tagged):
        assert point is None
        return
    assert point is not None
    assert point.recall == sum(tagged) / len(positives)
    below = next((precision for at, precision in zip(positives, curve.precision, strict=True) if at < threshold), None)
    if threshold in positives:
        assert point.precision == pytest.approx(sum(tagged) / len(tagged))
    elif below is not None:
        stricter = next(p for at, p in list(zip(positives, curve.precision, strict=True))[::-1] if at >= threshold)
        mistakes = max(len(tagged) - sum(tagged) for _, tagged in counts)
        assert sum(tagged) / (sum(tagged) + mistakes) - 1e-9 <= point.precision <= stricter + 1e-9


# --- photos ---------------------------------------------------------------------------------------------------------


def test_photos_keep_the_order_in_which_they_were_dropped_whichever_is_read_first(
    make_desk: Callable[..., Desk], drawn: list[Path]
):
    desk = make_desk()
    visitor = desk.newcomer()
    for place in (2, 0, 1):
        asyncio.run(desk.add(visitor, drawn[place].name, drawn[place].read_bytes(), place=place))
    html = views.grid(looks(desk, visitor), desk.tags(visitor.album, visitor.thresholds))
    assert html.index("0.jpg") < html.index("1.jpg") < html.index("2.jpg")
    expected = desk.tagger.scores([str(drawn[place]) for place in (2, 0, 1)])
    assert np.allclose(visitor.album.scored.scores, expected, atol=1e-6)
    assert visitor.album.next_place == 3


def test_a_photo_that_was_removed_is_never_taken_for_another(make_desk: Callable[..., Desk], drawn: list[Path]):
    desk = make_desk()
    visitor = dropping(desk, drawn[:2])
    assert [visitor.album.row(photo.number) for photo in visitor.album.photos] == [0, 1]
    visitor.album.clear()
    drop(desk, visitor, drawn[2:4])
    assert visitor.album.row(0) is None
    assert visitor.album.row(2) == 0
    assert len(visitor.album.scored.scores) == 2


def test_bad_photos_are_named_and_the_others_go_on(make_desk: Callable[..., Desk], drawn: list[Path], tmp_path: Path):
    (tmp_path / "bad.jpg").write_bytes(b"no photo")
    desk = make_desk()
    visitor = desk.newcomer()
    remarks = drop(desk, visitor, [drawn[0], tmp_path / "bad.jpg", drawn[0], drawn[1]], ["a", "b\n", "c", "d"])
    assert remarks == ["", r"b\n: not an image", "c: is here already", ""]
    assert [photo.name for photo in visitor.album.photos] == ["a", "d"]


def test_no_more_photos_are_kept_than_allowed(make_desk: Callable[..., Desk], drawn: list[Path]):
    desk = make_desk(max_photos=3)
    visitor = dropping(desk, drawn[:2])
    full = "only 3 photos at a time: remove some first"
    assert drop(desk, visitor, drawn[2:6]).count(full) == 3
    assert drop(desk, visitor, drawn[6:7]) == [full]
    assert len(visitor.album) == 3


# --- corrections ----------------------------------------------------------------------------------------------------


def test_a_correction_is_kept_shown_and_taken_back(make_desk: Callable[..., Desk], drawn: list[Path]):
    desk = make_desk()
    visitor = dropping(desk, drawn)
    tags = desk.tags(visitor.album, visitor.thresholds)
    row = next(number for number, given in enumerate(tags) if given)
    label, column = tags[row][0].label, desk.columns[tags[row][0].label]

    def shown() -> str | None:
        return views.shown_tags(looks(desk, visitor), row, tags[row])[0].correction

    desk.correct(visitor, row, column, "absent")
    desk.correct(visitor, row, column, "absent")
    assert len(visitor.history) == 1, "said once is said"
    desk.correct(visitor, row, column, "present")
    assert shown() == "present"
    desk.undo(visitor)
    assert shown() == "absent"
    desk.undo(visitor)
    desk.undo(visitor)
    assert shown() is None
    kept = list(read_corrections(desk.corrections.path))
    assert [correction.value for correction in kept] == ["absent", "present", "absent", "unknown"]
    assert kept[0].label == label
    assert kept[0].photo_id == visitor.album.photos[row].photo_id
    assert kept[0].bundle == desk.tagger.manifest.files["model.onnx"][1]
    assert kept[0].score == pytest.approx(tags[row][0].score, abs=1e-6)
    assert kept[0].annotator == "ann"


def test_what_was_said_is_missing_is_shown_as_a_tag_also_the_next_time(
    make_desk: Callable[..., Desk], drawn: list[Path]
):
    desk = make_desk()
    desk.correct(dropping(desk, drawn[:1]), 0, desk.columns["grey"], "present")
    desk.corrections.close()
    desk = make_desk()
    visitor = dropping(desk, drawn[:1])
    (tags,) = desk.tags(visitor.album, visitor.thresholds)
    assert "grey" not in [tag.label for tag in tags]
    shown = {tag.id: tag for tag in views.shown_tags(looks(desk, visitor), 0, tags)}
    assert shown["grey"].correction == "present"
    assert not shown["grey"].is_given


# --- what is shown --------------------------------------------------------------------------------------------------


def test_photos_stand_in_the_order_of_a_labels_score(make_desk: Callable[..., Desk], drawn: list[Path]):
    desk = make_desk()
    visitor = dropping(desk, drawn)
    tags = desk.tags(visitor.album, visitor.thresholds)
    html = views.grid(looks(desk, visitor, label=1, by_score=True), tags)
    numbers = [int(part.split('"')[0]) for part in html.split('data-photo="')[1:]]
    assert sorted(numbers) == list(range(20))
    scores = visitor.album.scored.scores[numbers, 1]
    assert all(scores[:-1] >= scores[1:])
    assert html.count("is-given") == (scores >= visitor.thresholds[1]).sum()


def test_what_is_nearly_given_is_not_given(make_desk: Callable[..., Desk], drawn: list[Path]):
    desk = make_desk()
    visitor = dropping(desk, drawn)
    for row, tags in enumerate(desk.tags(visitor.album, visitor.thresholds)):
        nearly = views.nearest(looks(desk, visitor), row)
        assert not {tag.label for tag in tags} & {tag.id for tag in nearly}
        shares = [tag.score / tag.threshold for tag in nearly]
        assert shares == sorted(shares, reverse=True)


def test_names_of_photos_and_labels_are_text(make_desk: Callable[..., Desk], delivered: Path, drawn: list[Path]):
    bundle = read_bundle(delivered / "album.tagger")
    labels = [
        replace(label, id=f"{HOSTILE}{number}", names={"en": HOSTILE}, threshold=0.0, verdict=HOSTILE, curve=CURVE)
        for number, label in enumerate(bundle.manifest.labels)
    ]
    manifest = replace(
        bundle.manifest, labels=tuple(labels), run={"name": HOSTILE, "version": HOSTILE}, created=HOSTILE
    )
    desk = make_desk(Tagger(manifest, bundle.model), name=HOSTILE)
    visitor = dropping(desk, drawn[:2], names=[HOSTILE, HOSTILE])
    shown = looks(desk, visitor, photo=0, label=0)
    desk.correct(visitor, 0, 0, "absent")
    parts = views.parts(shown, desk.tags(visitor.album, visitor.thresholds))
    copied = {"for_predict": own_thresholds({HOSTILE: 0.5}), "as_yaml": as_yaml({HOSTILE: 0.5})}
    for html in (*parts.values(), views.page(desk, {**parts, **copied, "place": 0, "room": 0})):
        assert "&lt;img" in html
        assert "<img src=x" not in html
        assert not set("\x1b\u202e") & set(html)
        assert "style=" not in html, "the policy allows no styles but the page's file"


CURVE = Curve((0.9, 0.1), (1.0, 4.0), (1.0, 2.0), positives=2.0)


def test_the_curve_marks_the_bundles_threshold_and_the_one_now(make_desk: Callable[..., Desk], delivered: Path):
    bundle = read_bundle(delivered / "album.tagger")
    labels = (replace(bundle.manifest.labels[0], threshold=0.1, curve=CURVE), *bundle.manifest.labels[1:])
    desk = make_desk(Tagger(replace(bundle.manifest, labels=labels), bundle.model))
    thresholds = desk.tagger.thresholds.copy()
    thresholds[0] = 0.9
    html = views.label(looks(desk, desk.newcomer(), thresholds=thresholds, label=0))
    assert "precision <strong>1.00</strong>, recall <strong>0.50</strong>" in html
    assert "(the bundle's: 0.50, 1.00)" in html
    assert '<circle class="own" cx="100.0" cy="50.0"' in html
    assert '<circle class="now" cx="50.0" cy="0.0"' in html
    thresholds[0] = 0.95
    assert "finds none" in views.label(looks(desk, desk.newcomer(), thresholds=thresholds, label=0))
    assert "no validation curve" in views.label(looks(desk, desk.newcomer(), thresholds=thresholds, label=1))


def test_two_labels_of_one_name_are_told_apart(make_desk: Callable[..., Desk], delivered: Path):
    bundle = read_bundle(delivered / "album.tagger")
    labels = tuple(
        replace(label, names={"en": "Colour"} if label.id != "grey" else {}) for label in bundle.manifest.labels
    )
    desk = make_desk(Tagger(replace(bundle.manifest, labels=labels), bundle.model))
    assert desk.choices == [
        ("Colour (blue)", 2),
        ("Colour (green)", 1),
        ("Colour (red)", 0),
        ("grey", 3),
    ]


def test_an_empty_page_says_what_to_do(make_desk: Callable[..., Desk]):
    desk = make_desk()
    nothing = looks(desk, desk.newcomer())
    assert "Drop photos" in views.grid(nothing, [])
    assert "Choose a photo" in views.photo(nothing, [])
    assert "Choose a label" in views.label(nothing)
