"""What a visitor of the page gets: tags that follow the thresholds, verdicts that are kept, names that do no harm."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tagger import Tagger
from tagger.data.sources.sample.draw import draw_photo
from tagger.data.sources.sample.plan import plan_photo
from tagger.tags.corrections import CorrectionsFile, read_corrections
from tagger.tags.delivery.bundle import read_bundle
from tagger.tags.delivery.curve import Curve
from tagger.tags.serving import views
from tagger.tags.serving.album import Album, moved
from tagger.tags.serving.desk import Desk
from tagger.tags.serving.reading import ReadPhoto, read_photo
from tagger.tags.serving.validation import point_at
from tagger.tags.serving.views import Looks

HOSTILE = '<img src=x onerror="alert(1)">&amp;\n\x1b[31m\u202e'


class Reader:
    """Reads photos in this process."""

    def __init__(self, tagger: Tagger) -> None:
        self.tagger = tagger

    def read(self, paths: Sequence[str]) -> list[ReadPhoto]:
        return [read_photo(path, (self.tagger.framing, None), max_bytes=10**6) for path in paths]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Draw photos of the sample album."""
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"{number}.jpg" for number in range(20)]
    for number, path in enumerate(paths):
        draw_photo(plan_photo(0, number), size=96).save(path)
    return [str(path) for path in paths]


@pytest.fixture
def make_desk(delivered: Path, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Make the desk of a server; two at a time need two files of corrections."""
    opened = []

    def make(tagger: Tagger | None = None, **settings: Any) -> Desk:
        tagger = tagger or Tagger.load(delivered / "album.tagger")
        corrections = CorrectionsFile(settings.pop("corrections", tmp_path / "corrections.jsonl"))
        opened.append(corrections)
        (tmp_path / "pictures").mkdir(exist_ok=True)
        defaults = {
            **{"name": "album.tagger", "tagger": tagger, "reader": Reader(tagger), "corrections": corrections},
            **{"annotator": "ann", "pictures": tmp_path / "pictures", "root": None, "language": "en"},
            "max_photos": 100,
        }
        return Desk(**defaults | settings)

    yield make
    for corrections in opened:
        corrections.close()


def added(desk: Desk, photos: Sequence[str], album: Album | None = None, names: Sequence[str] = ()) -> Album:
    """Return an album with photos."""
    *_, last = desk.add(album, list(photos), list(names) or [Path(photo).name for photo in photos])
    return last.album


def looks(desk: Desk, album: Album | None, **chosen: Any) -> Looks:
    """Return what the page's parts are made of."""
    defaults = {"album": album, "thresholds": desk.tagger.thresholds.copy(), "said": desk.corrections.standing}
    return Looks(tagger=desk.tagger, language=desk.language, columns=desk.columns, **defaults | chosen)


# --- thresholds -----------------------------------------------------------------------------------------------------


def test_moved_thresholds_give_the_tags_that_the_bundle_gives_with_them(
    make_desk: Callable[..., Desk], delivered: Path, photos: list[str]
):
    desk = make_desk()
    album = added(desk, photos)
    chosen = {"red": 0.7, "green": 0.2, "grey": 0.5}
    thresholds = desk.tagger.thresholds.copy()
    thresholds[[desk.columns[label] for label in chosen]] = list(chosen.values())
    expected = Tagger.load(delivered / "album.tagger", thresholds=chosen).tag(photos)
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


def test_photos_that_are_added_in_parts_are_one_album(make_desk: Callable[..., Desk], photos: list[str]):
    desk = make_desk()
    at_once, in_parts = added(desk, photos), added(desk, photos[11:], added(desk, photos[:11]))
    assert at_once.photos[-1].photo_id == in_parts.photos[-1].photo_id
    assert np.allclose(at_once.scored.scores, in_parts.scored.scores, atol=1e-6)
    assert np.array_equal(at_once.scored.origins, in_parts.scored.origins)
    assert len({photo.picture for album in (at_once, in_parts) for photo in album.photos}) == 40
    assert all(photo.picture.is_file() for photo in in_parts.photos)
    in_parts.remove_pictures()
    assert not any(photo.picture.exists() for photo in in_parts.photos)
    assert all(photo.picture.is_file() for photo in at_once.photos)


def test_bad_photos_are_named_and_the_others_go_on(make_desk: Callable[..., Desk], photos: list[str], tmp_path: Path):
    (tmp_path / "bad.jpg").write_bytes(b"no photo")
    steps = list(make_desk().add(None, [photos[0], str(tmp_path / "bad.jpg"), photos[0], photos[1]], list("abcd")))
    assert [photo.name for photo in steps[-1].album.photos] == ["a", "d"]
    assert steps[-1].remarks == ["b: not an image", "c: is here already"]
    assert [step.doing for step in steps] == ["reading 4 photos …", ""]


def test_no_more_photos_are_kept_than_allowed(make_desk: Callable[..., Desk], photos: list[str]):
    desk = make_desk(max_photos=3)
    album = added(desk, photos[:2])
    *_, last = desk.add(album, photos[2:6], photos[2:6])
    assert len(last.album) == 3
    assert last.remarks == ["only 3 photos at a time: remove some first"]
    *_, last = desk.add(last.album, photos[6:7], photos[6:7])
    assert len(last.album) == 3


# --- verdicts -------------------------------------------------------------------------------------------------------


def test_a_verdict_is_kept_shown_and_taken_back(make_desk: Callable[..., Desk], photos: list[str]):
    desk = make_desk()
    album = added(desk, photos)
    tags = desk.tags(album, desk.tagger.thresholds.copy())
    photo = next(number for number, given in enumerate(tags) if given)
    label = tags[photo][0].label
    said = desk.say(album, photo, label, "absent")
    assert said is not None
    assert desk.say(album, photo, label, "absent") is None, "said once is said"
    again = desk.say(album, photo, label, "present")
    assert again is not None
    assert views.shown_tags(looks(desk, album), photo, tags[photo])[0].said == "present"
    desk.take_back(again)
    assert views.shown_tags(looks(desk, album), photo, tags[photo])[0].said == "absent"
    desk.take_back(said)
    assert views.shown_tags(looks(desk, album), photo, tags[photo])[0].said is None
    kept = list(read_corrections(desk.corrections.path))
    assert [correction.value for correction in kept] == ["absent", "present", "absent", "unknown"]
    assert kept[0].photo_id == album.photos[photo].photo_id
    assert kept[0].bundle == desk.tagger.manifest.files["model.onnx"][1]
    assert kept[0].score == pytest.approx(tags[photo][0].score, abs=1e-6)
    assert kept[0].annotator == "ann"


def test_what_was_said_is_missing_is_shown_as_a_tag_also_the_next_time(
    make_desk: Callable[..., Desk], photos: list[str]
):
    desk = make_desk()
    assert desk.say(added(desk, photos[:1]), 0, "grey", "present") is not None
    desk.corrections.close()
    desk = make_desk()
    album = added(desk, photos[:1])
    (tags,) = desk.tags(album, desk.tagger.thresholds.copy())
    assert "grey" not in [tag.label for tag in tags]
    shown = {tag.id: tag for tag in views.shown_tags(looks(desk, album), 0, tags)}
    assert shown["grey"].said == "present"
    assert not shown["grey"].is_given


# --- what is shown --------------------------------------------------------------------------------------------------


def test_photos_stand_in_the_order_of_a_labels_score(make_desk: Callable[..., Desk], photos: list[str]):
    desk = make_desk()
    album = added(desk, photos)
    thresholds = desk.tagger.thresholds.copy()
    html = views.grid(looks(desk, album, label=1, by_score=True), desk.tags(album, thresholds))
    numbers = [int(part.split('"')[0]) for part in html.split('data-photo="')[1:]]
    assert sorted(numbers) == list(range(20))
    scores = album.scored.scores[numbers, 1]
    assert all(scores[:-1] >= scores[1:])
    assert html.count("is-given") == (scores >= thresholds[1]).sum()


def test_what_is_nearly_given_is_not_given(make_desk: Callable[..., Desk], photos: list[str]):
    desk = make_desk()
    album = added(desk, photos)
    for photo, tags in enumerate(desk.tags(album, desk.tagger.thresholds.copy())):
        nearly = views.nearest(looks(desk, album), photo)
        assert not {tag.label for tag in tags} & {tag.id for tag in nearly}
        shares = [tag.score / tag.threshold for tag in nearly]
        assert shares == sorted(shares, reverse=True)


def test_names_of_photos_and_labels_are_text(make_desk: Callable[..., Desk], delivered: Path, photos: list[str]):
    bundle = read_bundle(delivered / "album.tagger")
    labels = [
        replace(label, id=f"{HOSTILE}{number}", names={"en": HOSTILE}, threshold=0.0, verdict=HOSTILE, curve=CURVE)
        for number, label in enumerate(bundle.manifest.labels)
    ]
    manifest = replace(
        bundle.manifest, labels=tuple(labels), run={"name": HOSTILE, "version": HOSTILE}, created=HOSTILE
    )
    desk = make_desk(Tagger(manifest, bundle.model), name=HOSTILE)
    album = added(desk, photos[:2], names=[HOSTILE, HOSTILE])
    shown = looks(desk, album, photo=0, label=0)
    tags = desk.tags(album, shown.thresholds)
    desk.say(album, 0, labels[0].id, "absent")
    for html in (
        views.grid(shown, tags),
        views.photo(shown, tags),
        views.label(shown),
        views.header(desk.name, desk.tagger),
        views.notes([HOSTILE], doing=HOSTILE),
    ):
        assert "&lt;img" in html
        assert "<img src=x" not in html
        assert not set("\x1b\u202e") & set(html)


CURVE = Curve((0.9, 0.1), (1.0, 4.0), (1.0, 2.0), positives=2.0)


def test_the_curve_marks_the_bundles_threshold_and_the_one_now(make_desk: Callable[..., Desk], delivered: Path):
    bundle = read_bundle(delivered / "album.tagger")
    labels = (replace(bundle.manifest.labels[0], threshold=0.1, curve=CURVE), *bundle.manifest.labels[1:])
    desk = make_desk(Tagger(replace(bundle.manifest, labels=labels), bundle.model))
    thresholds = desk.tagger.thresholds.copy()
    thresholds[0] = 0.9
    html = views.label(looks(desk, None, thresholds=thresholds, label=0))
    assert "precision <strong>1.00</strong>, recall <strong>0.50</strong>" in html
    assert "(the bundle's: 0.50, 1.00)" in html
    assert '<circle class="own" cx="100.0" cy="50.0"' in html
    assert '<circle class="now" cx="50.0" cy="0.0"' in html
    thresholds[0] = 0.95
    assert "finds none" in views.label(looks(desk, None, thresholds=thresholds, label=0))
    assert "no validation curve" in views.label(looks(desk, None, thresholds=thresholds, label=1))


def test_two_labels_of_one_name_are_told_apart(make_desk: Callable[..., Desk], delivered: Path):
    bundle = read_bundle(delivered / "album.tagger")
    labels = tuple(
        replace(label, names={"en": "Colour"} if label.id != "grey" else {}) for label in bundle.manifest.labels
    )
    desk = make_desk(Tagger(replace(bundle.manifest, labels=labels), bundle.model))
    assert desk.choices == [
        ("Colour (blue)", "blue"),
        ("Colour (green)", "green"),
        ("Colour (red)", "red"),
        ("grey", "grey"),
    ]


def test_an_empty_page_says_what_to_do(make_desk: Callable[..., Desk]):
    nothing = looks(make_desk(), None)
    assert "Drop photos" in views.grid(nothing, [])
    assert "Choose a photo" in views.photo(nothing, [])
    assert "Choose a label" in views.label(nothing)
