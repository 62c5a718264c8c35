"""A turn that only a sidecar knows is applied by no command, and counted by those that read photos."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from tagger.data.datamodule import PhotoData
from tagger.data.sidecar_turn import IGNORED, count_turns
from tagger.data.skipped import Skipped

SIDECAR = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"{}</rdf:RDF></x:xmpmeta>'
)
ATTRIBUTE, ELEMENT = ' tiff:Orientation="6"/>', "><tiff:Orientation>6</tiff:Orientation></rdf:Description>"


def saved(path: Path, orientation: int | None = None) -> Path:
    exif = Image.Exif()
    if orientation:
        exif[ExifTags.Base.Orientation] = orientation
    Image.new("RGB", (16, 8)).save(path, exif=exif)
    return path


def counted(*photos: str) -> int:
    skipped = Skipped()
    count_turns(photos, skipped)
    return skipped.counts[IGNORED]


@pytest.mark.parametrize("name", ["a.jpg.xmp", "a.xmp"])
@pytest.mark.parametrize("form", [ATTRIBUTE, ELEMENT])
def test_a_turn_in_a_sidecar_is_counted_in_either_form_and_name(tmp_path: Path, name: str, form: str):
    photo = saved(tmp_path / "a.jpg")
    (tmp_path / name).write_text(SIDECAR.format(form))
    assert counted(str(photo), "s3://bucket/a.jpg", str(tmp_path / "gone.jpg")) == 1


def test_a_sidecar_that_says_what_the_photo_says_is_not_counted(tmp_path: Path):
    photo = saved(tmp_path / "a.jpg", orientation=6)
    (tmp_path / "a.jpg.xmp").write_text(SIDECAR.format(ATTRIBUTE))
    assert counted(str(photo)) == 0
    (tmp_path / "a.jpg.xmp").write_text(SIDECAR.format(' tiff:XResolution="6"/>'))
    assert counted(str(saved(photo))) == 0


def test_training_counts_it_and_sees_the_photo_as_it_lies(
    colours: Callable[..., Path], photo_data: Callable[..., PhotoData]
):
    root = colours(40)
    data = photo_data(root)
    before = data.catalog.photos.select(["photo_id", "width", "height"])
    (root / "colours" / "images" / "000.png.xmp").write_text(SIDECAR.format(ATTRIBUTE))
    data = photo_data(root)
    assert data.catalog.photos.select(["photo_id", "width", "height"]).equals(before)
    (line,) = data.left_out.lines()
    assert line == f"1 left out: {IGNORED}, for instance {root}/colours/images/000.png"


def test_the_command_of_the_documents_writes_the_turn_into_the_photo(tmp_path: Path):
    exiftool = shutil.which("exiftool")
    if exiftool is None:
        pytest.skip("exiftool is not installed")
    saved(tmp_path / "a.jpg")
    (tmp_path / "a.jpg.xmp").write_text(SIDECAR.format(ATTRIBUTE))
    words = ["-q", "-r", "-ext", "jpg", "-tagsfromfile", "%d%f.%e.xmp", "-EXIF:Orientation#<XMP-tiff:Orientation#"]
    subprocess.run([exiftool, *words, str(tmp_path)], check=True)
    assert counted(str(tmp_path / "a.jpg")) == 0
    with Image.open(tmp_path / "a.jpg") as photo:
        assert photo.getexif()[ExifTags.Base.Orientation] == 6
