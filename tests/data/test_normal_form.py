"""A file is found by any normal form of its name: é may be one sign or two."""

import json
import unicodedata
from pathlib import Path

import pytest
from facts import gather_into, held, system

from tagger.data.finding import found
from tagger.data.normal_form import as_on_disk
from tagger.data.skipped import Skipped
from tagger.data.sources.coco import Coco
from tagger.data.sources.listing import Listing
from tagger.data.sources.product import Product
from tagger.data.sources.source import Source
from tagger.data.sources.voc import Voc
from tagger.data.states import PRESENT

FORMS = ("NFC", "NFD")


def form(name: str, text: str) -> str:
    return unicodedata.normalize(name, text)


def listing(root: Path, photo: str) -> Listing:
    (root / "été").mkdir(parents=True, exist_ok=True)
    (root / "été" / "labels.csv").write_text(f"image,labels\n{photo},dog\n", encoding="utf-8")
    return Listing(root=str(root), folder=form("NFD", "été"), unlisted="unknown")


def coco(root: Path, photo: str) -> Coco:
    content = {
        "images": [{"id": 1, "file_name": photo}],
        "categories": [{"id": 1, "name": "Hund"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1}],
    }
    (root / "a.json").write_text(json.dumps(content))
    return Coco(root=str(root), annotations="a.json", photos="été/images")


def voc(root: Path, photo: str, *, names_it: bool) -> Voc:
    devkit = root / "VOCdevkit" / "VOC2012"
    for name in ("Annotations", "ImageSets/Main"):
        (devkit / name).mkdir(parents=True)
    (devkit / "JPEGImages").symlink_to(root / "été" / "images")
    named = f"<filename>{photo}</filename>" if names_it else ""
    xml = f"<annotation>{named}<object><name>dog</name></object></annotation>"
    stem = "photo" if names_it else Path(photo).stem
    (devkit / "Annotations" / f"{stem}.xml").write_text(xml, encoding="utf-8")
    (devkit / "ImageSets" / "Main" / "trainval.txt").write_text(stem, encoding="utf-8")
    return Voc(root=str(root))


@pytest.fixture
def photo(tmp_path: Path, on_disk: str) -> Path:
    """Put a photo into a folder below one with an accent, both names written as a Mac or as another system does."""
    file = tmp_path / "été" / "images" / form(on_disk, "café ü.png")
    file.parent.mkdir(parents=True)
    file.write_text("a photo")
    return file


@pytest.mark.parametrize("on_disk", FORMS)
@pytest.mark.parametrize("listed", FORMS)
@pytest.mark.parametrize("kind", ["listing", "coco", "voc by filename", "voc by the XML's name"])
def test_every_reader_finds_a_photo_by_any_form_of_its_name(
    tmp_path: Path, photo: Path, listed: str, kind: str
) -> None:
    name = form(listed, "café ü.png")
    source: Source = {
        "listing": lambda: listing(tmp_path, name),
        "coco": lambda: coco(tmp_path, name),
        "voc by filename": lambda: voc(tmp_path, name, names_it=True),
        "voc by the XML's name": lambda: voc(tmp_path, name, names_it=False),
    }[kind]()
    assembly = gather_into(tmp_path / "c", {"own": source})
    assert assembly.reports["own"].skipped.photos == 0
    assert held(tmp_path / "c") == {photo.name: {"dog": PRESENT}}
    if isinstance(source, Listing):
        catalog = source.read(None, system())
        assert Path(catalog.place(0)).read_text() == "a photo", "without a catalog too"


@pytest.mark.parametrize("on_disk", FORMS)
def test_what_a_product_says_reaches_a_photo_by_any_form_of_its_name(tmp_path: Path, photo: Path) -> None:
    lines = [json.dumps({"photo": form(one, "café ü.png"), "tag": "dog", "score": 0.5}) for one in FORMS]
    (tmp_path / "tags.jsonl").write_text("\n".join(lines))
    product = Product(root=str(tmp_path), file="tags.jsonl", of="own", vocabulary="voc")
    own = listing(tmp_path, photo.name)
    report = gather_into(tmp_path / "c", {"own": own, "rival": product}).reports["rival"]
    assert report.statements["opinion"] == 1
    assert not report.skipped.counts["annotation of a photo that is not there"]


@pytest.mark.parametrize("on_disk", FORMS)
@pytest.mark.parametrize("typed", FORMS)
@pytest.mark.parametrize("place", ["été", "été/images/café ü.png", "été/images/caf*", "été/**/café ?.png", "list.txt"])
def test_what_is_typed_finds_photos_by_any_form_of_their_names(
    tmp_path: Path, photo: Path, typed: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_text(form(typed, "été/images/café ü.png"), encoding="utf-8")
    (seen,) = found([form(typed, place)], Skipped())
    assert (tmp_path / seen) == photo


def test_what_is_there_in_no_form_stays_as_it_was_written(tmp_path: Path) -> None:
    assert as_on_disk("é/nothing.jpg", tmp_path) == "é/nothing.jpg"
    mixed = form("NFD", "é") + form("NFC", "ü")
    (tmp_path / mixed).touch()
    assert as_on_disk(mixed, tmp_path) == mixed, "a name in both forms is found as it is"
