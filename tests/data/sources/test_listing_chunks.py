import csv
import io
import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.data.sources import csv_table
from tagger.data.sources.csv_table import CsvFormat, read_csv
from tagger.data.sources.listing import Listing
from tagger.data.sources.source import ANNOTATIONS, PHOTOS, Chunk, Skipped, SourceError
from tagger.data.states import ABSENT, PRESENT
from tagger.data.taxonomy import read_taxonomy


@pytest.fixture
def album(tmp_path) -> Path:
    (tmp_path / "album" / "images").mkdir(parents=True)
    return tmp_path / "album"


def chunk(album: Path, text: str | None = None, *, skipped: Skipped | None = None, **settings) -> Chunk:
    if text is not None:
        encoding = settings.get("encoding") or "utf-8"
        (album / "labels.csv").write_bytes(text.encode(encoding))
    listing = Listing(**{"root": str(album.parent), "folder": "album", "unlisted": "unknown"} | settings)
    (found,) = listing.chunks(skipped if skipped is not None else Skipped())
    assert (found.photos.schema, found.annotations.schema) == (PHOTOS, ANNOTATIONS)
    return found


def rows(found: Chunk, *columns: str) -> list[tuple]:
    table = found.annotations.select(columns or ["key", "name", "value", "line"])
    return sorted(tuple(row.values()) for row in table.to_pylist())


LONG = {"layout": "long", "photo_column": "photo", "labels_column": "label"}


# Wide


def test_a_row_becomes_a_photo_and_an_annotation_for_each_label(album):
    found = chunk(album, "image,labels,absent\na.jpg,cat| tree ,dog\nb/c.jpg,,\n")
    assert found.photos.select(["key", "path", "split", "group"]).to_pylist() == [
        {"key": "a.jpg", "path": "album/images/a.jpg", "split": None, "group": None},
        {"key": "b/c.jpg", "path": "album/images/b/c.jpg", "split": None, "group": None},
    ]
    assert rows(found) == [
        ("a.jpg", "cat", PRESENT, 2),
        ("a.jpg", "dog", ABSENT, 2),
        ("a.jpg", "tree", PRESENT, 2),
    ]
    assert rows(found, "origin", "score") == [("source", None)] * 3
    assert found.file == str(album / "labels.csv")


def test_what_is_not_listed_is_absent_only_where_the_listing_says_so():
    assert Listing(folder="album", unlisted="absent").exhaustive
    assert not Listing(folder="album", unlisted="unknown").exhaustive


def test_columns_separator_delimiter_and_quote_are_settings(album):
    text = "组;标签;没有;文件\n1;'猫; 狗';树;a.jpg\n"
    names = {"photo_column": "文件", "labels_column": "标签", "absent_column": "没有"}
    found = chunk(album, text, delimiter=";", quote="'", separator=";", **names)
    assert rows(found) == [("a.jpg", "树", ABSENT, 2), ("a.jpg", "狗", PRESENT, 2), ("a.jpg", "猫", PRESENT, 2)]


def test_lines_are_those_of_the_file_with_windows_line_ends_and_breaks_inside_quotes(album):
    text = '\ufeffimage,labels,note\r\n"a, or b.jpg",cat,"first\r\nsecond"\r\n\r\nc.jpg,"dog|""big"" dog",\r\n'
    assert rows(chunk(album, text)) == [
        ("a, or b.jpg", "cat", PRESENT, 2),
        ("c.jpg", '"big" dog', PRESENT, 5),
        ("c.jpg", "dog", PRESENT, 5),
    ]


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "big5", "utf-16", "utf-8-sig", "UTF8"])
def test_another_encoding_is_read_on_request(album, encoding):
    found = chunk(album, "image,labels\n照片.jpg,貓|狗\n", encoding=encoding)
    assert rows(found, "key", "name") == [("照片.jpg", "狗"), ("照片.jpg", "貓")]


TABLES = ("image;labels\na.jpg;cat|dog\n", "Image\tLABELS\na.jpg\tcat|dog\n", "image,labels\na.jpg,cat|dog\n")


@pytest.mark.parametrize("text", [*TABLES, "sep=;\r\nimage;labels\r\na.jpg;cat|dog\r\n;\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_table_is_read_as_excel_and_others_write_it(album, text, encoding):
    (album / "labels.csv").write_bytes(text.encode(encoding))
    line = 3 if text.startswith("sep") else 2
    assert rows(chunk(album)) == [("a.jpg", "cat", PRESENT, line), ("a.jpg", "dog", PRESENT, line)]


@pytest.mark.parametrize("typed", ["\t", "\\t"])
def test_a_tab_may_be_typed_as_a_backslash_and_a_t(album, typed):
    found = chunk(album, "image\tlabels\na.jpg\tcat;dog\n", delimiter=typed, separator=";")
    assert rows(found, "key", "name") == [("a.jpg", "cat"), ("a.jpg", "dog")]
    found = chunk(album, 'image,labels\na.jpg,"cat\tdog"\n', separator=typed)
    assert rows(found, "key", "name") == [("a.jpg", "cat"), ("a.jpg", "dog")]


def test_every_table_of_a_listing_may_be_written_in_its_own_way(album):
    (album / "splits.csv").write_bytes("image\tsplit\tdisc\na.jpg\ttest\td1\n".encode("utf-16"))
    photos = chunk(album, "image;labels\na.jpg;cat\n", group="disc").photos.to_pylist()
    assert [(photo["split"], photo["group"]) for photo in photos] == [("test", "d1")]


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        (
            "image;labels\na;b\n",
            {"delimiter": ","},
            "line 1: no column 'image'; .* with delimiter=';' .* leave delimiter",
        ),
        ("image\tlabels\na\tb\n", {"delimiter": ";"}, r"no column 'image'; .* with delimiter='\\t' between"),
        ("photo;tags\na;b\n", {}, r"no column 'image'; the columns are \['photo', 'tags'\]; name those that it has"),
    ],
)
def test_a_table_that_is_written_otherwise_than_said_names_the_way_out(album, text, settings, message):
    with pytest.raises(SourceError, match=message):
        chunk(album, text, **settings)


def test_an_encoding_that_the_first_bytes_contradict_is_named(album):
    (album / "labels.csv").write_bytes("image,labels\na.jpg,猫\n".encode("utf-16"))
    with pytest.raises(
        SourceError, match="not UTF-8 at byte 0; its first bytes are those of utf-16: leave encoding out"
    ):
        chunk(album, encoding="utf-8")


def test_a_label_that_is_said_again_is_counted(album):
    skipped = Skipped()
    found = chunk(album, "image,labels\na.jpg,cat|dog|cat|cat\n", skipped=skipped)
    assert rows(found, "key", "name") == [("a.jpg", "cat"), ("a.jpg", "dog")]
    assert skipped.counts == {"label of a photo listed again": 2}
    assert skipped.examples["label of a photo listed again"][0].endswith("labels.csv, line 2: 'cat'")
    long = chunk(album, "photo,label\na.jpg,cat\na.jpg,cat\n", skipped=skipped, **LONG)
    assert len(long.annotations) == 1
    assert skipped.counts == {"label of a photo listed again": 3}


def test_a_byte_that_is_not_of_the_encoding_is_named_with_its_place_and_the_way_out(album):
    # Far behind the first buffer of 8 KB, from whose start Python counts.
    text = "image,labels\n" + "".join(f"{number:05}.jpg,猫\n" for number in range(2000))
    (album / "labels.csv").write_bytes(text.encode() + "照片.jpg,猫\n".encode("gbk"))
    place = len(text.encode())
    with pytest.raises(SourceError, match=rf"labels\.csv, line 2002: not UTF-8 at byte {place}; .* set encoding=gbk"):
        chunk(album)
    (album / "labels.csv").write_bytes("image,labels\na.jpg,猫猫猫\n".encode() + b"\xff\n")
    with pytest.raises(SourceError, match=r"labels\.csv.*: not GBK.*; set encoding to what it was saved as"):
        chunk(album, encoding="gbk")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('image,labels\n"a\n.jpg",cat\nb.jpg,cat\nb.jpg,dog\n', "line 5, column image: photo 'b.jpg' is listed twice"),
        ("image,labels\na.jpg,cat\n..\\b.jpg,cat\n", r"line 3, column image: '..\\\\b.jpg' leaves the folder images/"),
        ("image,labels\n,cat\n", "line 2, column image: '' names no photo"),
        ("image,labels,labels\na.jpg,cat,dog\n", "line 1: two columns 'labels'"),
        ("image,labels,absent\na.jpg,cat,\nb.jpg,cat,cat\n", "line 3: label 'cat' is both in 'labels' and in 'absent'"),
        ("image,labels\n", r"lists no photos: it has no row below its header"),
        ('image,labels\na.jpg,cat\n"b.jpg,cat\nc.jpg,cat\n', "line 3: unexpected end of data; is a quote not closed"),
        ("image,labels\na.jpg," + "x" * 200_000 + "\n", "line 2: field larger than field limit"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(album, text, message):
    with pytest.raises(SourceError, match=rf"labels\.csv,? ?{message}"):
        chunk(album, text)


# Long


def test_a_row_per_label_says_present_absent_or_only_that_somebody_thinks_so(album):
    text = "photo,label,value,score\na.jpg,cat,1,\na.jpg,dog,0,\nb.jpg,cat,1,.5\nb.jpg,cat,1,0.7\nc.jpg,,1,\n"
    found = chunk(album, text, **LONG)
    assert found.photos["key"].to_pylist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert rows(found, "key", "name", "value", "origin", "score", "line") == [
        ("a.jpg", "cat", PRESENT, "source", None, 2),
        ("a.jpg", "dog", ABSENT, "source", None, 3),
        ("b.jpg", "cat", PRESENT, "product", 0.5, 4),
    ]


def test_a_fact_stands_beside_an_opinion_that_came_before_it(album):
    text = "photo,label,value,score\na.jpg,cat,1,0.9\na.jpg,cat,0,\n"
    found = chunk(album, text, **LONG)
    assert rows(found, "origin", "value") == [("product", PRESENT), ("source", ABSENT)]


def test_without_a_column_of_values_every_row_is_present(album):
    assert rows(chunk(album, "label,photo\ncat,a.jpg\n", **LONG)) == [("a.jpg", "cat", PRESENT, 2)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.jpg,dog,2,", "line 3, column value: expected 1 or 0, got '2'"),
        ("a.jpg,dog,,", "line 3, column value: expected 1 or 0, got ''"),
        ("a.jpg,cat,0,", "line 3: label 'cat' is both present and absent"),
        ("../a.jpg,cat,1,", "line 3, column photo: '../a.jpg' leaves the folder"),
        *(
            (f"a.jpg,dog,1,{score}", f"line 3, column score: expected a number in 0..1 or nothing, got '{score}'")
            for score in ("93", "-0.5", "high", "nan", "1e999", "0x1", "1.0001")
        ),
    ],
)
def test_a_bad_long_row_is_refused_with_its_line(album, row, message):
    with pytest.raises(SourceError, match=rf"labels\.csv, {message}"):
        chunk(album, f"photo,label,value,score\na.jpg,cat,1,\n{row}\n", **LONG)


@pytest.mark.parametrize(("cell", "score"), [("0", 0), ("1", 1), ("1.", 1), (" .25 ", 0.25), ("25E-2", 0.25)])
def test_a_score_may_be_written_in_any_usual_way(album, cell, score):
    found = chunk(album, f"photo,label,score\na.jpg,cat,{cell}\n", **LONG)
    assert rows(found, "score", "origin") == [(score, "product")]


def test_the_two_layouts_say_the_same(album):
    wide = chunk(album, "image,labels,absent\na.jpg,cat|dog,tree\nb.jpg,,cat\n")
    long = chunk(album, "photo,label,value\na.jpg,cat,1\na.jpg,dog,1\na.jpg,tree,0\nb.jpg,cat,0\n", **LONG)
    columns = ("key", "name", "value", "origin", "score")
    assert rows(wide, *columns) == rows(long, *columns)
    assert wide.photos.equals(long.photos)


def test_an_opinion_of_a_long_listing_is_no_state(album):
    (album.parent / "t.yaml").write_text("name: t\nlabels: [cat, dog]\n")
    chunk(album, "photo,label,score\na.jpg,cat,\na.jpg,dog,0.9\n", **LONG)
    listing = Listing(folder="album", unlisted="unknown", **LONG)
    catalog = listing.read(str(album.parent), read_taxonomy(str(album.parent / "t.yaml")))
    assert catalog.states.toarray().tolist() == [[PRESENT, 0]]


def test_where_two_names_of_one_label_contradict_nobody_knows(album):
    (album.parent / "t.yaml").write_text(
        "name: t\nlabels: [{id: dining_table, aliases: [diningtable, dining table]}]\n"
    )
    taxonomy = read_taxonomy(str(album.parent / "t.yaml"))
    listing = Listing(folder="album", unlisted="absent")
    chunk(album, "image,labels,absent\na.jpg,diningtable|dining table,\n")
    assert listing.read(str(album.parent), taxonomy).states.toarray().tolist() == [[PRESENT]]
    chunk(album, "image,labels,absent\na.jpg,diningtable,Dining Table\n")
    assert listing.read(str(album.parent), taxonomy).states.toarray().tolist() == [[0]]


# Folders


def test_a_folder_names_the_label_of_the_photos_in_it(album):
    for name in ("猫/1.jpg", "猫/more/2.PNG", "dog/1.jpeg", "dog/notes.txt", "loose.jpg", ".git/3.jpg"):
        (album / name).parent.mkdir(parents=True, exist_ok=True)
        (album / name).write_bytes(b"")
    (album / "dog" / "linked").symlink_to(album)
    (album / "dog" / os.fsdecode(b"\xff.jpg")).write_bytes(b"")
    skipped = Skipped()
    found = chunk(album, layout="folders", skipped=skipped)
    assert rows(found, "key", "name") == [("dog/1.jpeg", "dog"), ("猫/1.jpg", "猫"), ("猫/more/2.PNG", "猫")]
    assert found.photos["path"].to_pylist() == [f"album/{key}" for key in found.photos["key"].to_pylist()]
    assert skipped.counts == {
        "not a photo by its name": 1,
        "photo in no folder": 1,
        "hidden": 1,
        "link to a folder": 1,
        "name is not UTF-8": 1,
    }
    assert skipped.examples["name is not UTF-8"][0].endswith(r"/dog/\udcff.jpg")


@pytest.mark.parametrize(
    "name",
    [
        "dog/@eaDir/1.jpg/SYNOFILE_THUMB_M.jpg",
        "#recycle/1.jpg",
        "__MACOSX/1.jpg",
        "dog/._1.jpg",
        "dog/.thumbnails/1.jpg",
    ],
)
def test_what_a_system_keeps_beside_photos_is_no_photo_of_a_label(album, name):
    for path in ("dog/1.jpg", name):
        (album / path).parent.mkdir(parents=True, exist_ok=True)
        (album / path).touch()
    skipped = Skipped()
    assert rows(chunk(album, layout="folders", skipped=skipped), "key", "name") == [("dog/1.jpg", "dog")]
    assert sum(skipped.counts.values()) == 1


def test_a_photo_that_a_table_names_is_meant_wherever_it_lies(album):
    assert rows(chunk(album, "image,labels\n@eaDir/a.jpg,cat\n"), "key", "name") == [("@eaDir/a.jpg", "cat")]


def test_folders_are_those_that_torchvision_takes_for_labels(album):
    from torchvision.datasets import ImageFolder

    for name in ("b/2.jpg", "b/deep/3.jpg", "a/1.png", "c d/4.webp"):
        (album / name).parent.mkdir(parents=True, exist_ok=True)
        (album / name).write_bytes(b"")
    (album / "images").rmdir()
    theirs = ImageFolder(str(album))
    expected = sorted((str(Path(path).relative_to(album)), theirs.classes[label]) for path, label in theirs.samples)
    assert rows(chunk(album, layout="folders"), "key", "name") == expected


def test_folders_are_read_into_a_catalog_and_split_like_a_list(album):
    for name in ("cat/1.jpg", "dog/1.jpg"):
        (album / name).parent.mkdir()
        (album / name).write_bytes(b"")
    (album / "splits.csv").write_text("image,split\ncat/1.jpg,train\ndog/1.jpg,test\n")
    (album.parent / "t.yaml").write_text("name: t\nlabels: [cat, dog]\n")
    listing = Listing(folder="album", unlisted="absent", layout="folders")
    catalog = listing.read(str(album.parent), read_taxonomy(str(album.parent / "t.yaml")))
    assert catalog.photos.to_pylist() == [
        {"path": "cat/1.jpg", "split": "train"},
        {"path": "dog/1.jpg", "split": "test"},
    ]
    assert catalog.states.toarray().tolist() == [[PRESENT, ABSENT], [ABSENT, PRESENT]]


def test_a_folder_without_folders_is_refused(album):
    with pytest.raises(SourceError, match=r"album has no folders with photos$"):
        chunk(album, layout="folders")


# Splits


def test_split_and_group_come_along_and_empty_cells_are_null(album):
    (album / "splits.csv").write_text("image,split,disc\nb.jpg,test,\na.jpg,train,d1\nz.jpg,train,d9\nc.jpg,,d1\n")
    photos = chunk(album, "image,labels\na.jpg,\nb.jpg,\nc.jpg,\n", group="disc").photos
    assert photos["split"].to_pylist() == ["train", "test", None]
    assert photos["group"].to_pylist() == ["d1", None, "d1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,split\na.jpg,val\n", "column split: expected train, test or nothing, got 'val'"),
        ("image,split\nb.jpg,test\n", "photo 'a.jpg' of labels.csv has no row"),
        ("image,split\na.jpg,test\na.jpg,train\n", "line 3, column image: photo 'a.jpg' is listed twice"),
        ("image,part\na.jpg,test\n", "line 1: no column 'split'"),
    ],
)
def test_a_bad_split_is_refused(album, text, message):
    (album / "splits.csv").write_text(text)
    with pytest.raises(SourceError, match=rf"splits\.csv.*{message}"):
        chunk(album, "image,labels\na.jpg,cat\n")


# Settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layout": "tall"}, "layout must be one of wide, long, folders, got 'tall'"),
        ({"unlisted": "negative"}, "unlisted must be one of unknown, absent, got 'negative'"),
        ({"separator": ""}, "separator must not be empty"),
        ({"delimiter": "::"}, "delimiter must be one character, got '::'"),
        ({"delimiter": ""}, "delimiter must be one character, got ''"),
        ({"quote": ",", "delimiter": ","}, "quote must be one character that is not the delimiter, or empty, got ','"),
        ({"encoding": "gkb"}, "encoding 'gkb' is not known; use utf-8, gbk"),
    ],
)
def test_an_impossible_setting_is_refused_when_it_is_made(settings, message):
    with pytest.raises(SourceError, match=message):
        Listing(**{"folder": "album", "unlisted": "unknown"} | settings)


def test_a_listing_without_a_root_says_how_to_give_one():
    with pytest.raises(SourceError, match=r"data set 'album' needs a root folder: set data\.root"):
        list(Listing(folder="album", unlisted="unknown").chunks(Skipped()))


# The CSV

cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(table=st.lists(st.tuples(cells, cells), min_size=1), form=st.sampled_from([",;\t|"[n] for n in range(4)]))
def test_whatever_is_written_as_csv_is_read_back(tmp_path_factory, table, form):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=form, quoting=csv.QUOTE_ALL)
        writer.writerows([("one", "two"), *table])
    found = read_csv(path, {"a": "one", "b": "two"}, form=CsvFormat(delimiter=form))
    assert list(zip(found["a"].to_pylist(), found["b"].to_pylist(), strict=True)) == table


def test_a_table_of_several_batches_is_one_table(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_table, "BATCH", 3)
    (tmp_path / "t.csv").write_text("one\n" + "".join(f"{number}\n" for number in range(10)))
    found = read_csv(tmp_path / "t.csv", {"a": "one"}, form=CsvFormat())
    assert found["a"].to_pylist() == [str(number) for number in range(10)]
    assert found["line"].to_pylist() == list(range(2, 12))
    assert found.schema == pa.schema({"a": pa.string(), "line": pa.int64()})


def test_without_quoting_a_quote_is_a_character(tmp_path):
    text = io.StringIO('one\ttwo\n5" disc\t"cat\n').getvalue()
    (tmp_path / "t.csv").write_text(text)
    found = read_csv(tmp_path / "t.csv", {"a": "one", "b": "two"}, form=CsvFormat(delimiter="\t", quote=""))
    assert found.to_pylist() == [{"a": '5" disc', "b": '"cat', "line": 2}]


def test_a_missing_csv_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"t\.csv cannot be read: No such file"):
        read_csv(tmp_path / "t.csv", {}, form=CsvFormat())


# The real thing


def test_corel5k_gives_the_annotations_of_its_catalog(real_photos):
    listing = Listing(root=str(real_photos), folder="corel5k", unlisted="unknown", group="cd_folder")
    (found,) = listing.chunks(Skipped())
    catalog = listing.read(str(real_photos), read_taxonomy("corel5k"))
    assert len(found.annotations) == catalog.states.nnz == 17606
    assert found.photos["path"].to_pylist() == [f"corel5k/{path}" for path in catalog.photos["path"].to_pylist()]
    for column in ("split", "group"):
        assert found.photos[column].to_pylist() == catalog.photos[column].to_pylist()
