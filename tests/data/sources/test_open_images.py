"""Open Images: excerpts in the published format, small ones that are wrong, and laws on drawn ones."""

import csv
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tagger.data.photo import decode, open_photo
from tagger.data.sources.open_images import OpenImages, class_descriptions, files
from tagger.data.sources.source import ANNOTATIONS, PHOTOS, Skipped, SourceError
from tagger.data.states import ABSENT, PRESENT

A, B, C = "000002b66c9c498e", "000002b97e5471a0", "000002c707c9895e"

FLICKR = "https://c2.staticflickr.com/5/4"
BY = "https://www.flickr.com/photos/a/1,https://creativecommons.org/licenses/by/2.0/,https://www.flickr.com/people/a/"
HEADER = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,"
    "OriginalSize,OriginalMD5,Thumbnail300KURL,Rotation"
)
PHOTOS_CSV = f"""\
{HEADER}
{A},train,{FLICKR}/1_o.jpg,{BY},"Doe, Jane","a ""quoted"" title",44,KFukvivpCM5QXl5SqKe41g==,{FLICKR}/1_z.jpg,0.0
{B},validation,{FLICKR}/2_o.jpg,{BY},Karen,"two
lines",494555,9IzEn38GRNsVpATuv7gzEA==,{FLICKR}/2_z.jpg?zz=1,90.0
{C},test,{FLICKR}/3_o.jpg,{BY},Karen,,494555,9IzEn38GRNsVpATuv7gzEA==,,
"""
LABELS_CSV = f"""\
ImageID,Source,LabelName,Confidence
{A},verification,/m/014j1m,0
{A},crowdsource-verification,/m/014sv8,1
{B},verification,/m/01599,0.0
{B},verification,/m/015p6,1.0
"""
BOXES_CSV = f"""\
ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside
{A},xclick,/m/01g317,1,0.012500,0.195312,0.148438,0.587500,0,1,0,0,0
{A},xclick,/m/01g317,1,0.025000,0.276563,0.714063,0.948438,0,1,0,0,0
{B},activemil,/m/0k4j,1,0.151562,0.310937,0.198437,0.590625,1,0,0,0,0
"""
MACHINE_CSV = f"""\
ImageID,Source,LabelName,Confidence
{A},machine,/m/05_4_,0.7
{B},machine,/m/0krfg,1.0
"""
HIERARCHY = {
    "LabelName": "/m/0bl9f",
    "Subcategory": [
        {
            "LabelName": "/m/vehicle",
            "Subcategory": [
                {
                    "LabelName": "/m/car",
                    "Subcategory": [{"LabelName": "/m/taxi"}, {"LabelName": "/m/limousine"}],
                    "Part": [{"LabelName": "/m/wheel", "Subcategory": [{"LabelName": "/m/alloy_wheel"}]}],
                },
                {"LabelName": "/m/boat"},
            ],
        },
        {"LabelName": "/m/toy", "Subcategory": [{"LabelName": "/m/car"}]},
    ],
}

Album = Callable[..., OpenImages]


@pytest.fixture
def album(tmp_path: Path) -> Album:
    """Write files (``a__b`` is called ``a-b``) and make the source that reads them."""

    def make(images: str | bytes = PHOTOS_CSV, labels: str | bytes | None = LABELS_CSV, **given: Any) -> OpenImages:
        files: dict[str, Any] = {"image_ids_and_rotation.csv": images}
        names = {
            "boxes_csv": "oidv6-train-annotations-bbox.csv",
            "machine_csv": "train-annotations-machine-imagelabels.csv",
            "hierarchy_json": "bbox_labels_600_hierarchy.json",
        }
        files["train-annotations-human-imagelabels.csv"] = labels
        files |= {name: given.pop(argument) for argument, name in names.items() if argument in given}
        for name, content in files.items():
            if content is not None:
                (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        defaults = {"root": str(tmp_path), "without_file": "keep", "boxes": None}
        return OpenImages(**{**defaults, **given})

    return make


def read(source: OpenImages) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Skipped]:
    """Return all photos, all annotations and what was left out; every chunk keeps the contract."""
    skipped, photos, annotations = Skipped(), [], []
    for chunk in source.chunks(skipped):
        assert (chunk.photos.schema, chunk.annotations.schema) == (PHOTOS, ANNOTATIONS)
        photos += chunk.photos.to_pylist()
        assert {row["key"] for row in chunk.annotations.to_pylist()} <= {photo["key"] for photo in photos}
        annotations += chunk.annotations.to_pylist()
    return photos, annotations, skipped


def facts(source: OpenImages) -> list[tuple[str, str, int]]:
    return [(row["key"], row["name"], row["value"]) for row in read(source)[1] if row["origin"] == "source"]


def labels(*rows: str) -> str:
    return "\n".join(["ImageID,Source,LabelName,Confidence", *rows]) + "\n"


# What is read


def test_photos_and_verified_labels_are_read_as_published(album):
    photos, annotations, skipped = read(album())
    assert [(photo["key"], photo["path"], photo["split"]) for photo in photos] == [
        (A, None, "train"),
        (B, None, None),
        (C, None, "test"),
    ]
    assert [tuple(row.values()) for row in annotations] == [
        (A, "/m/014j1m", ABSENT, "source", None, 2),
        (A, "/m/014sv8", PRESENT, "source", None, 3),
        (B, "/m/01599", ABSENT, "source", None, 4),
        (B, "/m/015p6", PRESENT, "source", None, 5),
    ]
    assert not skipped.counts


def test_a_rotation_is_given_in_degrees_and_null_where_it_was_not_found_out(album):
    assert [photo["rotation"] for photo in read(album())[0]] == [0, 90, None]


def test_an_old_file_has_no_rotations(album):
    old = "".join(line.rsplit(",", 1)[0] + "\n" for line in PHOTOS_CSV.replace("two\nlines", "one").splitlines())
    photos, _, skipped = read(album(old))
    assert [(photo["key"], photo["rotation"]) for photo in photos] == [(A, None), (B, None), (C, None)]
    assert not skipped.counts


def test_boxes_make_their_label_present_once(album):
    assert facts(album(labels=None, human_labels=None, boxes_csv=BOXES_CSV, boxes="*annotations-bbox*")) == [
        (A, "/m/01g317", PRESENT),
        (B, "/m/0k4j", PRESENT),
    ]


def test_boxes_come_after_labels_so_that_they_hold_where_the_two_disagree(album):
    source = album(labels=labels(f"{A},verification,/m/01g317,0"), boxes_csv=BOXES_CSV, boxes="*annotations-bbox*")
    assert [value for key, name, value in facts(source) if (key, name) == (A, "/m/01g317")] == [ABSENT, PRESENT]


def test_columns_are_found_by_name_in_any_order_and_among_others(album):
    source = album(labels=f"Confidence,More,LabelName,Source,ImageID\n1,x,/m/0dog,verification,{A}\n")
    assert facts(source) == [(A, "/m/0dog", PRESENT)]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_marks_of_byte_order_and_line_ends_of_windows_make_no_difference(album, mark, ends):
    written = [mark + text.replace("\n", ends) for text in (PHOTOS_CSV, LABELS_CSV)]
    plain = read(album())[:2]
    assert read(album(*written))[:2] == plain


def test_empty_lines_do_not_count_as_rows_but_as_lines(album):
    source = album(labels=LABELS_CSV.replace("\n", "\n\n"))
    assert [row["line"] for row in read(source)[1]] == [3, 5, 7, 9]


def test_a_file_that_arrow_wrote_with_quotes_is_read_too(album):
    quoted = "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in LABELS_CSV.splitlines())
    assert read(album(labels=quoted))[1] == read(album())[1]


def test_several_files_are_read_one_after_the_other(album, tmp_path):
    source = album()
    (tmp_path / "validation-annotations-human-imagelabels.csv").write_text(labels(f"{C},verification,/m/0cat,1"))
    assert facts(source)[-1] == (C, "/m/0cat", PRESENT)


def test_the_tables_may_lie_elsewhere_than_the_photos(album, tmp_path):
    album()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / f"{A}.jpg").touch()
    source = OpenImages(root=str(tmp_path / "photos"), annotations=str(tmp_path), boxes=None)
    assert [photo["path"] for photo in read(source)[0]] == [f"{A}.jpg"]


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from([A, B, C, "0" * 16]), st.sampled_from("abc"), st.sampled_from("01")), min_size=1
    ),
    block=st.integers(200, 2000),
)
def test_however_the_file_is_cut_into_blocks_a_grouped_one_is_read_alike(tmp_path_factory, rows, block):
    folder = tmp_path_factory.mktemp("album")
    rows.sort(key=lambda row: row[0])
    (folder / "images.csv").write_text(PHOTOS_CSV)
    (folder / "a-annotations-human-imagelabels.csv").write_text(
        labels(*(f"{photo},verification,/m/{name},{value}" for photo, name, value in rows))
    )
    said: dict[tuple[str, str], set[int]] = {}
    for photo, name, value in rows:
        if photo != "0" * 16:
            said.setdefault((photo, f"/m/{name}"), set()).add(PRESENT if value == "1" else ABSENT)
    with pytest.MonkeyPatch.context() as patch:
        # The smallest block still holds a row of the table of photos.
        patch.setattr(files, "BLOCK", max(block, 700))
        found = facts(OpenImages(root=str(folder), without_file="keep", boxes=None))
    assert sorted(found) == sorted((*pair, *values) for pair, values in said.items() if len(values) == 1)


# Which photos have a file


def test_photos_without_a_file_are_left_out_and_counted_with_what_is_said_of_them(album, tmp_path):
    (tmp_path / f"{A}.jpg").touch()
    photos, annotations, skipped = read(album(without_file="skip"))
    assert [(photo["key"], photo["path"]) for photo in photos] == [(A, f"{A}.jpg")]
    assert {row["key"] for row in annotations} == {A}
    assert skipped.counts["photo without a file"] == 2
    assert skipped.counts["annotation of a photo that is left out"] == 2
    assert skipped.examples["photo without a file"][0].endswith(f"image_ids_and_rotation.csv: {B}")


def test_photos_may_lie_in_a_folder_for_each_subset(album, tmp_path):
    for path in (f"train/{A}.jpg", f"validation/{B}.jpg", f"test/{C}.jpg", f"{C}.jpg", "train/other.jpg"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    photos = read(album(without_file="skip"))[0]
    assert [photo["path"] for photo in photos] == [f"train/{A}.jpg", f"validation/{B}.jpg", f"{C}.jpg"]


def test_names_that_no_table_can_hold_are_no_photos(album, tmp_path):
    (tmp_path / f"{A}.jpg").touch()
    Path(str(tmp_path).encode().decode() + "/\udcff.jpg").touch()
    assert [photo["key"] for photo in read(album(without_file="skip"))[0]] == [A]


def test_photos_and_tables_may_lie_at_a_url(album, tmp_path):
    memory = fsspec.filesystem("memory")
    for name, text in (
        ("image_ids.csv", PHOTOS_CSV),
        ("annotations-human-imagelabels.csv", LABELS_CSV),
        (f"train/{A}.jpg", ""),
    ):
        memory.pipe(f"/open_images/{name}", text.encode())
    try:
        photos, annotations, _ = read(OpenImages(root="memory://open_images", boxes=None))
    finally:
        memory.rm("/open_images", recursive=True)
    assert [photo["path"] for photo in photos] == [f"train/{A}.jpg"]
    assert len(annotations) == 2


def test_a_photo_that_is_listed_twice_is_yielded_once(album, tmp_path):
    (tmp_path / "train-images-boxable.csv").write_text(PHOTOS_CSV)
    row = PHOTOS_CSV.splitlines()[1]
    photos, _, skipped = read(album(PHOTOS_CSV + row + "\n"))
    assert [photo["key"] for photo in photos] == [A, B, C]
    assert skipped.counts["photo listed twice"] == 4


def test_a_photo_without_an_id_is_counted(album):
    photos, _, skipped = read(album(PHOTOS_CSV.replace(C, "")))
    assert [photo["key"] for photo in photos] == [A, B]
    assert skipped.counts["photo without ImageID"] == 1


# What machines and people disagree on


def test_a_machines_opinion_is_no_fact_and_left_out_by_default(album):
    mixed = LABELS_CSV + f"{A},machine,/m/0dog,0.9\n"
    _, annotations, skipped = read(album(labels=mixed))
    assert len(annotations) == 4
    assert skipped.counts["a machine's opinion"] == 1


def test_a_machines_opinion_is_one_with_a_score_if_it_is_asked_for(album):
    mixed = LABELS_CSV + f"{A},machine,/m/0dog,0.25\n"
    _, annotations, skipped = read(album(labels=mixed, machine_csv=MACHINE_CSV, machine_labels="*machine*"))
    opinions = [row for row in annotations if row["origin"] == "model"]
    assert [(row["name"], row["value"], row["line"]) for row in opinions] == [
        ("/m/0dog", PRESENT, 6),
        ("/m/05_4_", PRESENT, 2),
        ("/m/0krfg", PRESENT, 3),
    ]
    assert [row["score"] for row in opinions] == pytest.approx([0.25, 0.7, 1.0])
    assert all(row["score"] is None for row in annotations if row["origin"] == "source")
    assert "a machine's opinion" not in skipped.counts


def test_an_opinion_neither_confirms_nor_contradicts_a_fact(album):
    mixed = labels(f"{A},verification,/m/0dog,0", f"{A},machine,/m/0dog,0.9")
    _, annotations, skipped = read(album(labels=mixed, machine_labels="*human*"))
    assert (A, "/m/0dog", ABSENT, "source", None, 2) in [tuple(row.values()) for row in annotations]
    assert "label that a photo has and has not" not in skipped.counts


def test_a_label_that_a_photo_has_and_has_not_is_counted_and_left_out(album):
    said = labels(
        f"{A},verification,/m/0dog,1", f"{A},verification,/m/0cat,1", f"{A},crowdsource-verification,/m/0dog,0"
    )
    _, annotations, skipped = read(album(labels=said))
    assert [row["name"] for row in annotations] == ["/m/0cat"]
    assert skipped.examples["label that a photo has and has not"][0].endswith(f": {A} /m/0dog")


def test_a_label_that_is_said_again_is_counted_once_said_and_boxes_are_not(album):
    dog = f"{A},verification,/m/0dog,1"
    said = labels(dog, f"{A},verification,/m/0cat,1", dog, dog)
    _, annotations, skipped = read(album(labels=said))
    assert [row["name"] for row in annotations] == ["/m/0dog", "/m/0cat"]
    assert skipped.counts["label of a photo listed again"] == 2
    assert skipped.examples["label of a photo listed again"][0].endswith(f": {A} /m/0dog")


def test_annotations_of_photos_that_are_not_listed_are_counted_with_examples(album):
    rows = [f"{number:016x},verification,/m/0dog,1" for number in range(7)]
    _, annotations, skipped = read(album(labels=labels(*rows, f"{A},verification,/m/0dog,1")))
    assert [row["key"] for row in annotations] == [A]
    assert skipped.counts["annotation of a photo that is not listed"] == 7
    assert len(skipped.examples["annotation of a photo that is not listed"]) == 5


# What follows along the hierarchy


def derived(album: Album, *rows: str, **given: Any) -> set[tuple[str, int]]:
    source = album(labels=labels(*rows), hierarchy_json=json.dumps(HIERARCHY), hierarchy="*hierarchy.json", **given)
    annotations = [row for row in read(source)[1] if row["origin"] == "rule"]
    assert {row["key"] for row in annotations} <= {A}
    assert len({row["name"] for row in annotations}) == len(annotations)
    return {(row["name"].removeprefix("/m/"), row["value"]) for row in annotations}


def test_what_is_present_makes_all_its_parents_present_and_not_the_root(album):
    found = derived(album, f"{A},verification,/m/taxi,1")
    assert found == {("car", PRESENT), ("vehicle", PRESENT), ("toy", PRESENT)}


def test_what_is_absent_makes_all_its_children_absent(album):
    found = derived(album, f"{A},verification,/m/vehicle,0")
    assert found == {(name, ABSENT) for name in ("car", "taxi", "limousine", "boat")}


def test_a_part_says_nothing_of_the_whole_but_its_kinds_say_it_of_the_part(album):
    assert derived(album, f"{A},verification,/m/alloy_wheel,1") == {("wheel", PRESENT)}


def test_what_people_said_is_not_said_again_and_an_opinion_implies_nothing(album):
    found = derived(
        album,
        f"{A},verification,/m/taxi,1",
        f"{A},verification,/m/vehicle,1",
        f"{A},machine,/m/boat,0.9",
        machine_labels="*human*",
    )
    assert found == {("car", PRESENT), ("toy", PRESENT)}


def test_what_follows_both_ways_is_not_yielded(album):
    # A taxi, but no vehicle: then nobody knows about cars.
    found = derived(album, f"{A},verification,/m/taxi,1", f"{A},verification,/m/vehicle,0")
    assert found == {("toy", PRESENT), ("limousine", ABSENT), ("boat", ABSENT)}


def test_what_follows_takes_all_files_into_account(album):
    boxes = BOXES_CSV.splitlines()[0] + f"\n{A},xclick,/m/taxi,1" + ",0" * 9 + "\n"
    found = derived(album, f"{A},verification,/m/car,1", boxes_csv=boxes, boxes="*annotations-bbox*")
    assert found == {("vehicle", PRESENT), ("toy", PRESENT)}


def test_nothing_follows_from_labels_outside_the_hierarchy(album):
    assert derived(album, f"{A},verification,/m/0other,1") == set()


def nested(name: str, *below: dict[str, Any]) -> dict[str, Any]:
    return {"LabelName": name, "Subcategory": list(below)}


@pytest.mark.parametrize(
    "broken",
    [
        "{",
        "[]",
        "{}" * 2,
        '{"Subcategory": [{"LabelName": "/m/a", "Subcategory": [{}]}]}',
        '{"Subcategory": [3]}',
        "[" * 100_000,
        json.dumps({"Subcategory": [nested("a", nested("b", nested("a")))]}),
    ],
)
def test_a_broken_hierarchy_is_named(album, broken):
    with pytest.raises(SourceError, match=r"hierarchy\.json: (expected nested LabelName|'a' is below itself)"):
        read(album(hierarchy_json=broken, hierarchy="*hierarchy.json"))


@pytest.mark.parametrize("blank", ["\n", "\r\n"])
@pytest.mark.parametrize("after", range(1, 5))
def test_an_empty_line_of_the_rotation_file_is_no_photo(album: Album, after: int, blank: str):
    lines = f"ImageID,Subset,Rotation\n{A},train,0.0\n{B},validation,90.0\n{C},test,\n".splitlines(keepends=True)
    source = album("".join([*lines[:after], blank, *lines[after:]]), labels=None, human_labels=None)
    photos, _, skipped = read(source)
    assert [(photo["key"], photo["rotation"]) for photo in photos] == [(A, 0), (B, 90), (C, None)]
    assert not skipped.counts


# What cannot be read


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (f"{A},verification,/m/0dog,0.5", "line 2, column Confidence: expected 0 or 1, got '0.5'"),
        (f"{A},verification,/m/0dog,2", "line 2, column Confidence: expected 0 or 1, got '2'"),
        (f"{A},verification,/m/0dog,", "line 2, column Confidence: expected 0 or 1, got ''"),
        (f"{A},verification,/m/0dog,yes", "line 2, column Confidence: expected 0 or 1, got 'yes'"),
        (f"{A},verification,/m/0dog,nan", "line 2, column Confidence: expected 0 or 1, got 'nan'"),
        (f"{A},machine,/m/0dog,1.5", r"line 2, column Confidence: expected a number in 0\.\.1, got '1\.5'"),
        (f"{A},verification,/m/0dog,1\n{B},verification,/m/0dog", "line 3: expected 4 columns, got 3"),
        (f"{A},verification,/m/0dog,1\n{B},verification,/m/0dog,1,1", "line 3: expected 4 columns, got 5"),
        (f'{A},verification,/m/0dog,1\n\n"{B},verification', "line 4: expected 4 columns, got 2"),
        ("", "has no row below its header"),
    ],
)
def test_a_broken_row_is_shown_with_file_and_line(album, wrong, message):
    with pytest.raises(SourceError, match=rf"train-annotations-human-imagelabels\.csv,? {message}"):
        read(album(labels=labels(wrong)))


def test_a_box_that_is_none_is_refused(album):
    with pytest.raises(SourceError, match=r"bbox\.csv, line 3, column Confidence: expected 1, got '0'"):
        wrong = BOXES_CSV.replace("/m/01g317,1,0.025", "/m/01g317,0,0.025")
        read(album(boxes_csv=wrong, boxes="*annotations-bbox*"))


def test_a_missing_column_is_named_with_those_that_are_there(album):
    with pytest.raises(
        SourceError, match=r"imagelabels\.csv, line 1: no column 'LabelName'; the columns are \['ImageID'"
    ):
        read(album(labels=LABELS_CSV.replace("LabelName", "Label")))
    with pytest.raises(SourceError, match=r"rotation\.csv, line 1: two columns 'Subset'; the columns are"):
        read(album(PHOTOS_CSV.replace("License", "Subset")))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("", "line 1: no column 'ImageID'; the columns are \\[\\]"),
        (PHOTOS_CSV.splitlines()[0], "has no row below its header"),
        (PHOTOS_CSV.replace("validation", "val"), f"column Subset: expected 'train' .* got 'val' for photo '{B}'"),
        (PHOTOS_CSV.replace("90.0", "45"), f"column Rotation: expected .* got '45' for photo '{B}'"),
        (PHOTOS_CSV.replace('lines"', "lines"), "."),
        (PHOTOS_CSV.replace(",Karen,,", ",Karen,,,"), "line 5: expected 12 columns, got 13"),
    ],
)
def test_a_broken_table_of_photos_is_named_with_the_place(album, images, message):
    with pytest.raises(SourceError, match=rf"image_ids_and_rotation\.csv.*{message}"):
        read(album(images))


def test_rows_that_an_open_quote_swallowed_are_not_lost_in_silence(album):
    def row(photo: str, title: str) -> str:
        return f"{photo},train,u,u,u,u,Karen,{title},1,m,t,0.0\n"

    swallowing = PHOTOS_CSV.splitlines()[0] + "\n" + row(A, '"open') + row(B, "b") + row(C, 'closed"')
    with pytest.raises(SourceError, match=f"the Title of photo '{A}' has a quote that is not closed"):
        read(album(swallowing))


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_what_is_not_utf8_is_named(album, encoding):
    text = labels(f"{A},verification,/m/0dog,1", f"{A},verification,/m/é,1").encode(encoding)
    message = r"line 3: not UTF-8" if encoding == "latin-1" else r"line 1: "
    with pytest.raises(SourceError, match=rf"train-annotations-human-imagelabels\.csv, {message}"):
        read(album(labels=text))


def test_a_title_that_is_not_utf8_does_no_harm(album):
    photos, _, _ = read(album(PHOTOS_CSV.replace("two", "zwölf").encode("latin-1")))
    assert [photo["key"] for photo in photos] == [A, B, C]


def test_a_missing_file_is_an_error_that_says_what_is_there(album, tmp_path):
    with pytest.raises(
        SourceError, match=r"no file '\*annotations-bbox\*\.csv', only image_ids_and_rotation\.csv, train-"
    ):
        read(album(boxes="*annotations-bbox*.csv"))
    with pytest.raises(SourceError, match=r"nowhere cannot be listed: .*; set root and annotations"):
        read(OpenImages(root=str(tmp_path / "nowhere")))


def test_an_impossible_setting_is_named():
    with pytest.raises(SourceError, match="without_file must be one of skip, keep, got 'drop'"):
        OpenImages(root="a", without_file="drop")  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="fetch needs a root that is a folder, got 's3://a'"):
        OpenImages(root="s3://a", fetch="original")
    with pytest.raises(TypeError, match="unexpected keyword argument 'hierachy'"):
        OpenImages(root="a", hierachy="x.json")  # type: ignore[call-arg]


# Names


def test_descriptions_are_read_with_and_without_a_header_line(tmp_path):
    expected = [{"mid": "/m/011k07", "name": "Tortoise"}, {"mid": "/m/0x", "name": "Sweet corn, boiled"}]
    rows = '/m/011k07,Tortoise\r\n/m/0x,"Sweet corn, boiled"\r\n'
    for header in ("", "LabelName,DisplayName\r\n", "\ufeffid,name\r\n"):
        (tmp_path / "class-descriptions.csv").write_bytes((header + rows).encode())
        assert class_descriptions(str(tmp_path / "class-descriptions.csv")).to_pylist() == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "describes no labels"),
        (b"LabelName,DisplayName\n", "describes no labels"),
        (b"/m/a,A\n/m/b\n", r"line 2: expected a MID and a name, got \['/m/b'\]"),
        (b"/m/a,A\n/m/b,\xff\n", "line 2: not UTF-8"),
        (b'/m/a,"A\n', "line 1: unexpected end of data"),
    ],
)
def test_broken_descriptions_are_named_with_the_line(tmp_path, content, message):
    (tmp_path / "class-descriptions.csv").write_bytes(content)
    with pytest.raises(SourceError, match=f"class-descriptions.csv,? {message}"):
        class_descriptions(str(tmp_path / "class-descriptions.csv"))


# Fetching


@pytest.fixture
def photo_server(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that has the thumbnail of the first photo."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path_factory.mktemp("server")
    Image.new("RGB", (20, 10)).save(folder / "1_z.jpg")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_missing_photos_are_fetched_and_the_others_counted_with_the_reason(album, tmp_path, photo_server):
    images = PHOTOS_CSV.replace(FLICKR, photo_server)
    source = album(images, without_file="skip", fetch="thumbnail", fetch_rate=1000)
    photos, annotations, skipped = read(source)
    assert [(photo["key"], photo["path"]) for photo in photos] == [(A, f"{A}.jpg")]
    assert {row["key"] for row in annotations} == {A}
    assert (tmp_path / f"{A}.jpg").stat().st_size > 0
    assert skipped.counts["photo not fetched: dead"] == 2
    assert skipped.examples["photo not fetched: dead"] == [f"{B}: HTTP 404 File not found", f"{C}: no URL"]


def test_an_original_is_checked_against_the_published_checksum(album, photo_server):
    images = PHOTOS_CSV.replace(f"{FLICKR}/1_o.jpg", f"{photo_server}/1_z.jpg")
    images = "\n".join(images.splitlines()[:2]) + "\n"
    photos, _, skipped = read(album(images, without_file="skip", fetch="original", fetch_rate=1000))
    assert photos == []
    assert "bytes, expected 44" in skipped.examples["photo not fetched: dead"][0]


TURNED = "\n".join([HEADER, *PHOTOS_CSV.splitlines()[2:4]]) + "\n"
"""The photo of which the table says that 90 degrees counter-clockwise turn it upright."""


def lying(path: Path, orientation: int | None = None) -> Image.Image:
    """Save a photo that lies on its side, and return it upright."""
    photo = Image.linear_gradient("L").resize((32, 16))
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    photo.save(path, "JPEG", quality=100, exif=exif)
    return photo.transpose(Image.Transpose.ROTATE_90).convert("RGB")


def seen(path: Path) -> Image.Image:
    with open_photo(path) as opened:
        return decode(opened)


@pytest.mark.parametrize(
    ("degrees", "turn"),
    [(90, Image.Transpose.ROTATE_90), (180, Image.Transpose.ROTATE_180), (270, Image.Transpose.ROTATE_270)],
)
def test_a_fetched_original_is_upright_everywhere_by_the_published_rotation(album, tmp_path, degrees, turn):
    lying(tmp_path / f"{B}.jpg")
    stored = Image.open(tmp_path / f"{B}.jpg").convert("RGB")
    source = album(TURNED.replace("90.0", f"{degrees}.0"), labels=None, human_labels=None, fetch="original")
    ((photo,), _, _) = read(source)
    assert photo["rotation"] == 0
    assert seen(tmp_path / f"{B}.jpg").tobytes() == stored.transpose(turn).tobytes()
    written = (tmp_path / f"{B}.jpg").read_bytes()
    assert read(source)[0] == [photo]
    assert (tmp_path / f"{B}.jpg").read_bytes() == written, "a second time changes nothing"


def test_a_photo_of_your_own_folder_is_not_changed_and_its_rotation_stays_to_be_counted(album, tmp_path):
    lying(tmp_path / f"{B}.jpg")
    before = (tmp_path / f"{B}.jpg").read_bytes()
    ((photo,), _, _) = read(album(TURNED, labels=None, human_labels=None))
    assert photo["rotation"] == 90
    assert (tmp_path / f"{B}.jpg").read_bytes() == before


@pytest.mark.parametrize("fetch", [None, "original", "thumbnail"])
def test_a_photo_that_knows_how_it_lies_is_turned_once(album, tmp_path, fetch):
    upright = lying(tmp_path / f"{B}.jpg", orientation=8)
    before = (tmp_path / f"{B}.jpg").read_bytes()
    ((photo,), _, _) = read(album(TURNED, labels=None, human_labels=None, fetch=fetch))
    assert photo["rotation"] == 0
    assert (tmp_path / f"{B}.jpg").read_bytes() == before
    assert seen(tmp_path / f"{B}.jpg").size == upright.size


def test_a_photo_that_is_no_jpeg_or_broken_keeps_its_bytes_and_its_rotation(album, tmp_path):
    for content in (b"no photo", b""):
        (tmp_path / f"{B}.jpg").write_bytes(content)
        ((photo,), _, _) = read(album(TURNED, labels=None, human_labels=None, fetch="original"))
        assert photo["rotation"] == 90
        assert (tmp_path / f"{B}.jpg").read_bytes() == content


# Size


@pytest.mark.slow
def test_a_table_with_a_hundred_thousand_photos_is_read_as_a_loop_over_its_rows_reads_it(tmp_path):
    from experiments.performance.open_images_tables import write_synthetic

    write_synthetic(tmp_path, photos=100_000, labels=2_000)
    chunks = list(OpenImages(root=str(tmp_path), without_file="keep", boxes=None).chunks(Skipped()))
    photos = pa.concat_tables(chunk.photos for chunk in chunks)
    annotations = pa.concat_tables(chunk.annotations for chunk in chunks)
    assert pc.count_distinct(photos["key"]).as_py() == 100_000
    said: dict[tuple[str, str], set[str]] = {}
    with (tmp_path / "train-annotations-human-imagelabels.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            said.setdefault((row["ImageID"], row["LabelName"]), set()).add(row["Confidence"])
    agreed = {pair: PRESENT if values == {"1"} else ABSENT for pair, values in said.items() if len(values) == 1}
    keys, names, values = (annotations[name].to_pylist() for name in ("key", "name", "value"))
    assert len(keys) == len(agreed)
    assert dict(zip(zip(keys, names, strict=True), values, strict=True)) == agreed
