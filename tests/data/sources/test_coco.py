import json
from pathlib import Path

import pytest

from tagger.data.sources.coco import Coco
from tagger.data.sources.source import ANNOTATIONS, NAMELESS, PHOTOS, Chunk, Skipped, SourceError

# The published form: ids of images are those of Flickr, ids of categories have gaps, a crowd is run lengths.
PUBLISHED = """{
"info": {"description": "COCO 2017 Dataset", "url": "http://cocodataset.org", "version": "1.0", "year": 2017,
         "contributor": "COCO Consortium", "date_created": "2017/09/01"},
"licenses": [{"url": "http://creativecommons.org/licenses/by-nc-sa/2.0/", "id": 1, "name": "A License"}],
"images": [
  {"license": 1, "file_name": "000000397133.jpg", "coco_url": "http://images.cocodataset.org/val2017/000000397133.jpg",
   "height": 427, "width": 640, "date_captured": "2013-11-14 17:02:52",
   "flickr_url": "http://farm7.staticflickr.com/6116/6255196340_da26cf2c9e_z.jpg", "id": 397133},
  {"license": 1, "file_name": "000000037777.jpg", "coco_url": "http://images.cocodataset.org/val2017/000000037777.jpg",
   "height": 230, "width": 352, "date_captured": "2013-11-14 20:55:31",
   "flickr_url": "http://farm9.staticflickr.com/8429/7839199426_f6d48aa585_z.jpg", "id": 37777},
  {"license": 1, "file_name": "000000025593.jpg", "coco_url": "http://images.cocodataset.org/val2017/000000025593.jpg",
   "height": 360, "width": 640, "date_captured": "2013-11-16 21:27:38",
   "flickr_url": "http://farm4.staticflickr.com/3203/2604478448_c3e0e5ae05_z.jpg", "id": 25593}],
"annotations": [
  {"segmentation": [[510.66, 423.01, 511.72, 420.03, 510.45, 416.0]], "area": 702.1057499999998, "iscrowd": 0,
   "image_id": 397133, "bbox": [473.07, 395.93, 38.65, 28.67], "category_id": 67, "id": 82445},
  {"segmentation": [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]], "area": 27718.4, "iscrowd": 0, "image_id": 397133,
   "bbox": [217.62, 240.54, 38.99, 57.75], "category_id": 1, "id": 200887},
  {"segmentation": [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]], "area": 78969.3, "iscrowd": 0, "image_id": 397133,
   "bbox": [1.0, 240.24, 346.63, 186.76], "category_id": 1, "id": 1218137},
  {"segmentation": {"counts": [272, 2, 4, 4, 4, 4], "size": [230, 352]}, "area": 1, "iscrowd": 1,
   "image_id": 37777, "bbox": [1, 0, 2, 2], "category_id": 67, "id": 906700037777}],
"categories": [{"supercategory": "person", "id": 1, "name": "person"},
               {"supercategory": "furniture", "id": 67, "name": "dining table"},
               {"supercategory": "indoor", "id": 90, "name": "toothbrush"}]}"""


def write(root: Path, content: object) -> None:
    (root / "annotations").mkdir(exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (root / "annotations" / "instances_val2017.json").write_text(text, encoding="utf-8")


def read(root: Path, skipped: Skipped | None = None, **settings) -> Chunk:
    source = {"annotations": "annotations/instances_val2017.json", "photos": "val2017"} | settings
    (chunk,) = Coco(root=str(root), **source).chunks(skipped if skipped is not None else Skipped())
    assert (chunk.photos.schema, chunk.annotations.schema) == (PHOTOS, ANNOTATIONS)
    return chunk


def pairs(chunk: Chunk) -> list[tuple[str, str]]:
    return list(zip(*(chunk.annotations[column].to_pylist() for column in ("key", "name")), strict=True))


def changed(key: str, entries: list[object]) -> dict[str, object]:
    return json.loads(PUBLISHED) | {key: entries}


def test_a_photo_has_each_name_once_however_many_instances_and_crowds_there_are(tmp_path):
    write(tmp_path, PUBLISHED)
    skipped = Skipped()
    chunk = read(tmp_path, skipped, split="test")
    first = chunk.photos.to_pylist()[0]
    assert (first["path"], first["split"], first["group"]) == ("val2017/000000397133.jpg", "test", None)
    assert chunk.photos["key"].to_pylist() == ["397133", "37777", "25593"], "a photo without annotations is a photo"
    assert sorted(pairs(chunk)) == [("37777", "dining table"), ("397133", "dining table"), ("397133", "person")]
    assert set(chunk.annotations["value"].to_pylist()) == {1}
    assert set(chunk.annotations["origin"].to_pylist()) == {"source"}
    assert not skipped.counts
    assert Coco(root="coco").exhaustive


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_a_file_is_read_in_the_encoding_that_its_first_bytes_tell(tmp_path, encoding):
    write(tmp_path, changed("images", []) | {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": []})
    (file,) = tmp_path.rglob("*.json")
    file.write_bytes(file.read_text(encoding="utf-8").encode(encoding))
    assert read(tmp_path).photos["key"].to_pylist() == ["1"]


def test_photos_may_lie_in_folders_and_in_the_root(tmp_path):
    entry = {"id": -5, "file_name": "2019/08/日落.jpg"}
    write(tmp_path, changed("images", [entry]) | {"annotations": []})
    assert read(tmp_path, photos="").photos["path"].to_pylist() == ["2019/08/日落.jpg"]
    assert read(tmp_path, photos="album/").photos["path"].to_pylist() == ["album/2019/08/日落.jpg"]
    assert read(tmp_path).annotations.num_rows == 0


def test_two_categories_of_one_name_are_one_name(tmp_path):
    categories = [{"id": 1, "name": "table"}, {"id": 67, "name": "table"}]
    write(tmp_path, changed("categories", categories))
    assert sorted(pairs(read(tmp_path))) == [("37777", "table"), ("397133", "table")]


def test_annotations_of_what_the_file_does_not_list_are_counted(tmp_path):
    entries = [
        {"image_id": 397133, "category_id": 1},
        {"image_id": 1, "category_id": 1},
        {"image_id": 2, "category_id": 1},
        {"image_id": 397133, "category_id": 12},
    ]
    write(tmp_path, changed("annotations", entries))
    skipped = Skipped()
    assert pairs(read(tmp_path, skipped)) == [("397133", "person"), ("397133", NAMELESS)]
    assert skipped.counts == {"annotation of an unknown image_id": 2, "annotation of an unknown category_id": 1}
    assert skipped.examples["annotation of an unknown category_id"][0].endswith("val2017.json: category_id 12")


def test_an_odd_annotation_costs_itself_and_leaves_its_photo_open(tmp_path):
    entries = [
        {"id": 1, "image_id": 397133, "category_id": 1},
        {"id": 2, "image_id": 37777, "category_id": "dog"},
        {"id": 3, "image_id": 25593},
        {"id": 4, "category_id": 1},
        7,
    ]
    write(tmp_path, changed("annotations", entries))
    skipped = Skipped()
    chunk = read(tmp_path, skipped)
    assert pairs(chunk) == [("397133", "person"), ("37777", NAMELESS), ("25593", NAMELESS)]
    assert chunk.annotations["value"].to_pylist() == [1, 0, 0]
    assert skipped.counts == {"annotation without an image_id": 2, "annotation of an unknown category_id": 2}


def test_what_is_listed_again_is_counted(tmp_path):
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "a.jpg"}]
    entries = [{"id": number, "image_id": 1, "category_id": 1} for number in (1, 2, 2, 2)]
    write(tmp_path, changed("images", images) | {"annotations": entries})
    skipped = Skipped()
    read(tmp_path, skipped)
    assert skipped.counts == {"file of several photos": 1, "annotation listed again": 2}


def test_an_annotation_may_have_a_number_of_any_length(tmp_path):
    said = [annotation | {"id": 10**40} for annotation in json.loads(PUBLISHED)["annotations"][:2]]
    write(tmp_path, changed("annotations", said))
    skipped = Skipped()
    assert len(read(tmp_path, skipped).annotations) == 2
    assert skipped.counts == {"annotation listed again": 1}


def test_the_categories_of_the_file_were_looked_for(tmp_path):
    write(tmp_path, PUBLISHED)
    assert read(tmp_path).declared == ("person", "dining table", "toothbrush")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../b.jpg", "C:\\b.jpg", "..\\b.jpg", ".."])
def test_a_photo_that_leaves_the_folder_is_counted_with_all_that_is_said_of_it(tmp_path, name):
    images = [{"id": 397133, "file_name": name}, {"id": 37777, "file_name": "b..jpg"}]
    write(tmp_path, changed("images", images))
    skipped = Skipped()
    chunk = read(tmp_path, skipped)
    assert chunk.photos["path"].to_pylist() == ["val2017/b..jpg"]
    assert pairs(chunk) == [("37777", "dining table")]
    assert skipped.counts == {"path leaves the folder": 1}
    assert name in skipped.examples["path leaves the folder"][0]


@pytest.mark.parametrize("length", [len(PUBLISHED) - 1, len(PUBLISHED) // 2, 1, 0])
def test_a_file_that_was_cut_off_is_refused_with_the_place(tmp_path, length):
    write(tmp_path, PUBLISHED[:length])
    with pytest.raises(SourceError, match=r"instances_val2017\.json is not JSON \(.*line \d+ column \d+.*download"):
        read(tmp_path)


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"images": [{"id": ' + "9" * 5000 + "}]}"], ids=["brackets", "digits"]
)
def test_json_that_was_made_to_hurt_is_refused(tmp_path, text):
    write(tmp_path, text)
    with pytest.raises(SourceError, match=r"instances_val2017\.json is not JSON"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], r"expected \{'images': …\}, got list"),
        ({"images": [], "categories": []}, "no list 'annotations', only .*expected an instances_"),
        (changed("images", []), "lists no photos"),
        (changed("images", [{"id": 1, "file_name": "a"}, {"id": 2}]), r"images\[1\] has no 'file_name' of type string"),
        (changed("images", [{"id": "x1", "file_name": "a"}]), r"images\[0\] has no 'id' of type int64, got 'x1'"),
        (changed("images", [{"id": 2**70, "file_name": "a"}]), r"images\[0\] has no 'id' of type int64"),
        (changed("images", [{"id": 1, "file_name": "\ud800"}]), r"images\[0\] has no 'file_name' of type string"),
        (changed("images", [{"id": None, "file_name": "a"}]), r"images\[0\] has no 'id' of type int64, got 'None'"),
        (changed("annotations", [7]), r"annotations\[0\] has no 'image_id' of type int64, got '7'"),
        (changed("categories", [{"id": 1}]), r"categories\[0\] has no 'name'"),
        (
            changed("images", [{"id": 7, "file_name": "a.jpg"}, {"id": 7, "file_name": "b.jpg"}]),
            "1 ids stand for several images: 7 is 'a.jpg' and 'b.jpg'; files that were joined need new ids",
        ),
        (
            changed("categories", [{"id": 1, "name": "cat"}, {"id": 1, "name": "dog"}]),
            "1 ids stand for several categories: 1 is 'cat' and 'dog'",
        ),
    ],
)
def test_a_file_of_another_form_is_refused_and_says_what_is_wrong(tmp_path, content, message):
    write(tmp_path, content)
    with pytest.raises(SourceError, match=rf"instances_val2017\.json.*{message}"):
        read(tmp_path)


def test_a_missing_file_says_where_to_get_it(tmp_path):
    with pytest.raises(SourceError, match=r"does not exist; torchvision has no downloader.*images\.cocodataset\.org"):
        list(Coco(root=str(tmp_path)).chunks(Skipped()))
