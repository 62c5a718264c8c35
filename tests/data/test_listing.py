from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tagger.data.sources.listing import Listing, SourceError
from tagger.data.states import ABSENT, PRESENT, UNKNOWN
from tagger.data.taxonomy import read_taxonomy

Colours = Callable[..., Path]


def read(root: Path, unlisted: str = "unknown", **settings: Any):
    taxonomy = read_taxonomy(str(root / "colours.yaml"))
    return Listing(folder="colours", unlisted=unlisted, **settings).read(str(root), taxonomy)  # type: ignore[arg-type]


def rewrite(root: Path, text: str, encoding: str = "utf-8") -> None:
    (root / "colours" / "labels.csv").write_bytes(text.encode(encoding))


def test_a_label_that_is_not_listed_is_what_the_source_says(colours: Colours) -> None:
    root = colours(4)
    rewrite(root, "image,labels\n000.png,red|green\n001.png,\n")
    assert read(root).states.toarray().tolist() == [[PRESENT, PRESENT, UNKNOWN, UNKNOWN], [UNKNOWN] * 4]
    assert read(root, "absent").states.toarray().tolist() == [[PRESENT, PRESENT, ABSENT, ABSENT], [ABSENT] * 4]


def test_labels_that_were_looked_for_and_not_found_are_absent(colours: Colours) -> None:
    root = colours(4)
    rewrite(root, "image,labels,absent\n000.png,red,blue|grey\n")
    assert read(root).states.toarray().tolist() == [[PRESENT, UNKNOWN, ABSENT, ABSENT]]


def test_a_byte_order_mark_windows_line_ends_and_quoted_commas_are_read(colours: Colours) -> None:
    root = colours(4)
    rewrite(root, '\ufeffimage,labels\r\n"a,b.png","red|green"\r\n')
    assert read(root).photos["path"].to_pylist() == ["images/a,b.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "image,labels\n000.png,rad\n",
            r"labels.csv, line 2: label 'rad' is not in .*did you mean 'red'",
        ),
        ("image,labels\n000.png,red\n000.png,red\n", r"line 3, column image: photo '000.png' is listed twice"),
        ("image,labels\n../000.png,red\n", r"line 2, column image: '../000.png' leaves the folder"),
        ("image,labels\n/etc/x.png,red\n", r"line 2, column image: '/etc/x.png' leaves the folder"),
        ("image,labels\n000.png\n", r"line 2: expected 2 columns"),
        ("image,labels\n000.png,red,green\n", r"line 2: expected 2 columns"),
        ("photo,labels\n000.png,red\n", r"line 1: no column 'image'"),
        ("image,labels,absent\n000.png,red,red\n", r"line 2: label 'red' is both in 'labels' and in 'absent'"),
        ('image,labels\n"000.png,red\n', r"line \d: unexpected end of data"),
        ("", r"line 1: no column 'image'"),
    ],
)
def test_a_bad_row_is_refused_with_file_line_and_column(colours: Colours, text: str, message: str) -> None:
    root = colours(4)
    rewrite(root, text)
    with pytest.raises(SourceError, match=message):
        read(root)


def test_all_unknown_names_are_listed_at_once_with_their_lines_and_what_they_may_be(colours: Colours) -> None:
    root = colours(4)
    rewrite(root, 'image,labels,absent\n000.png,rad,\n001.png,"Red|red, green",\n002.png,grey,zzz\n')
    with pytest.raises(SourceError) as error:
        read(root)
    message = str(error.value).replace(f"{root}/", "")
    assert message.splitlines() == [
        "colours: 3 names are no labels",
        "  colours/labels.csv, line 2: label 'rad' is not in the taxonomy 'colours'; did you mean 'red'?",
        "  colours/labels.csv, line 3: label 'red, green' is not in the taxonomy 'colours'; "
        "'red' and 'green' with ',' between them? then set separator=',' for this source",
        "  colours/labels.csv, line 4: label 'zzz' is not in the taxonomy 'colours'",
    ]


def test_what_was_looked_for_may_be_less_than_the_label_system(colours: Colours) -> None:
    root = colours(4)
    rewrite(root, "image,labels\n000.png,Red\n001.png,\n")
    states = read(root, "absent", looked_for=["red", "Blue"]).states.toarray().tolist()
    assert states == [[PRESENT, UNKNOWN, ABSENT, UNKNOWN], [ABSENT, UNKNOWN, ABSENT, UNKNOWN]]
    for looked_for, message in ((["rad"], "looked_for: label 'rad' is not in"), ([False], "each in quotes")):
        with pytest.raises(SourceError, match=message):
            read(root, "absent", looked_for=looked_for)
    with pytest.raises(SourceError, match="set unlisted=absent too"):
        read(root, looked_for=["red"])


def test_in_folders_the_names_of_the_folders_were_looked_for(colours: Colours) -> None:
    root = colours(4)
    for name in ("red", "Blue"):
        (root / "colours" / name).mkdir()
        (root / "colours" / name / "1.png").touch()
    (root / "colours" / "green").mkdir()
    for photo in (root / "colours" / "images").iterdir():
        photo.unlink()
    states = read(root, "absent", layout="folders").states.toarray().tolist()
    assert states == [[ABSENT, UNKNOWN, PRESENT, UNKNOWN], [PRESENT, UNKNOWN, ABSENT, UNKNOWN]]


def test_a_file_in_another_encoding_is_refused(colours: Colours) -> None:
    root = colours(4)
    rewrite(root, "image,labels\n照片.png,red\n", encoding="gbk")
    with pytest.raises(SourceError, match="not UTF-8 at byte 13; save it as UTF-8"):
        read(root)


def test_a_missing_folder_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"looked for .*nowhere/colours.*data.root=.*TAGGER_DATA"):
        Listing(folder="colours", unlisted="unknown").read(str(tmp_path / "nowhere"), read_taxonomy("voc"))
    with pytest.raises(SourceError, match=r"needs a root folder: set data\.root"):
        Listing(folder="colours", unlisted="unknown").read(None, read_taxonomy("voc"))


def test_a_photo_without_a_row_in_splits_is_named(colours: Colours) -> None:
    root = colours(4, splits__csv="image,split\n000.png,train\n")
    with pytest.raises(SourceError, match=r"splits.csv: photo '001.png' of labels.csv has no row"):
        read(root)


def test_a_group_column_comes_along(colours: Colours) -> None:
    splits = "image,split,disc\n" + "".join(f"00{n}.png,{'test' if n == 3 else 'train'},d{n // 2}\n" for n in range(4))
    photos = read(colours(4, splits__csv=splits), group="disc").photos
    assert photos["split"].to_pylist() == ["train", "train", "train", "test"]
    assert photos["group"].to_pylist() == ["d0", "d0", "d1", "d1"]


def test_the_fingerprint_changes_with_any_annotation(colours: Colours) -> None:
    root = colours(4)
    before = read(root).fingerprint
    assert before == read(root).fingerprint
    rewrite(root, (root / "colours" / "labels.csv").read_text().replace("000.png,red", "000.png,red|blue"))
    assert read(root).fingerprint != before


def test_corel5k_is_as_published(real_photos: Path) -> None:
    catalog = Listing(folder="corel5k", unlisted="unknown").read(str(real_photos), read_taxonomy("corel5k"))
    assert catalog.states.shape == (4999, 374)
    assert (catalog.states.data == PRESENT).sum() == catalog.states.nnz == 17606
    assert catalog.photos["split"].to_pylist().count("test") == 499


def test_voc_knows_its_absences(real_photos: Path) -> None:
    catalog = Listing(folder="voc2012_animals", unlisted="absent").read(str(real_photos), read_taxonomy("voc"))
    assert catalog.states.shape == (3576, 20)
    assert (catalog.states.data == PRESENT).sum() == 5038
    assert catalog.states.nnz == 3576 * 20
