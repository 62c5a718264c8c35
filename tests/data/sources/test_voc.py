import hashlib
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tagger.data.sources import voc
from tagger.data.sources.source import ANNOTATIONS, NAMELESS, PHOTOS, Skipped, SourceError
from tagger.data.sources.voc import Voc
from tagger.data.states import ABSENT, PRESENT, UNKNOWN

HEAD = """<annotation>
	<folder>VOC2012</folder>
	<filename>{photo}.jpg</filename>
	<source>
		<database>The VOC2007 Database</database>
		<annotation>PASCAL VOC2007</annotation>
		<image>flickr</image>
	</source>
	<size>
		<width>486</width>
		<height>500</height>
		<depth>3</depth>
	</size>
	<segmented>0</segmented>
"""
OBJECT = """	<object>
		<name>{name}</name>
		<pose>Unspecified</pose>
		<truncated>0</truncated>
		<difficult>{difficult}</difficult>
		<bndbox>
			<xmin>174</xmin>
			<ymin>101</ymin>
			<xmax>349</xmax>
			<ymax>351</ymax>
		</bndbox>
		<part>
			<name>head</name>
			<bndbox>
				<xmin>169</xmin>
				<ymin>104</ymin>
				<xmax>209</xmax>
				<ymax>146</ymax>
			</bndbox>
		</part>
	</object>
"""


def xml(photo: str, *objects: tuple[str, int]) -> str:
    items = "".join(OBJECT.format(name=name, difficult=difficult) for name, difficult in objects)
    return HEAD.format(photo=photo) + items + "</annotation>\n"


def devkit(root: Path, *, image_set: str = "trainval", **photos: str) -> Path:
    folder = root / "VOCdevkit" / "VOC2012"
    for name in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for photo, text in photos.items():
        (folder / "Annotations" / f"{photo}.xml").write_text(text)
    (folder / "ImageSets" / "Main" / f"{image_set}.txt").write_text("".join(f"{photo}\n" for photo in photos))
    return folder


def read(root: Path, skipped: Skipped | None = None, **settings) -> tuple[list[dict], dict[tuple[str, str], int]]:
    photos, said = [], {}
    for chunk in Voc(root=str(root), **settings).chunks(skipped if skipped is not None else Skipped()):
        assert (chunk.photos.schema, chunk.annotations.schema) == (PHOTOS, ANNOTATIONS)
        photos += chunk.photos.to_pylist()
        rows = chunk.annotations.to_pylist()
        assert not said.keys() & {(row["key"], row["name"]) for row in rows}
        said |= {(row["key"], row["name"]): row["value"] for row in rows}
    return photos, said


def test_a_photo_has_each_name_once_and_no_names_of_parts(tmp_path):
    devkit(tmp_path, p_1=xml("p_1", ("person", 0), ("person", 0), ("diningtable", 0)), p_2=xml("p_2"))
    photos, said = read(tmp_path)
    assert photos[0]["path"] == "VOCdevkit/VOC2012/JPEGImages/p_1.jpg"
    assert (photos[0]["split"], photos[0]["group"]) == ("train", None)
    assert [photo["key"] for photo in photos] == ["p_1", "p_2"]
    assert said == {("p_1", "person"): PRESENT, ("p_1", "diningtable"): PRESENT}


def test_what_is_only_there_as_difficult_is_unknown_and_not_absent(tmp_path):
    devkit(tmp_path, p=xml("p", ("dog", 1), ("cat", 1), ("cat", 0), ("cow", 0)))
    assert read(tmp_path)[1] == {("p", "dog"): UNKNOWN, ("p", "cat"): PRESENT, ("p", "cow"): PRESENT}
    assert set(read(tmp_path, difficult="include")[1].values()) == {PRESENT}


@given(objects=st.lists(st.tuples(st.sampled_from(["dog", "cat", "cow"]), st.sampled_from([0, 1]))))
def test_the_states_are_those_of_the_lists_per_class(tmp_path_factory, objects):
    """The devkit's dog_trainval.txt has 1 if any dog is not difficult, 0 if all are, -1 if there is none."""
    root = tmp_path_factory.mktemp("voc")
    devkit(root, p=xml("p", *objects))
    said = read(root)[1]
    for name in ("dog", "cat", "cow"):
        marks = [difficult for other, difficult in objects if other == name]
        listed = -1 if not marks else 1 if 0 in marks else 0
        # Exhaustive: a name without a row is absent.
        assert said.get(("p", name), ABSENT) == listed


def test_torchvision_reads_the_same_names(tmp_path):
    from torchvision.datasets import VOCDetection

    objects = {"p_1": [("person", 0), ("dog", 0), ("person", 0)], "p_2": [("sofa", 0)]}
    folder = devkit(tmp_path, **{photo: xml(photo, *found) for photo, found in objects.items()})
    for photo in objects:
        Image.new("RGB", (8, 8)).save(folder / "JPEGImages" / f"{photo}.jpg")
    theirs = set()
    for _, target in VOCDetection(str(tmp_path), image_set="trainval"):
        annotation = target["annotation"]
        theirs |= {(Path(annotation["filename"]).stem, item["name"]) for item in annotation["object"]}
    assert set(read(tmp_path)[1]) == theirs


@pytest.mark.parametrize(("image_set", "split"), [("train", "train"), ("val", "test"), ("test", "test")])
def test_each_list_has_its_photos_and_its_split(tmp_path, image_set, split):
    devkit(tmp_path, image_set="trainval", p_1=xml("p_1"), p_2=xml("p_2"))
    devkit(tmp_path, image_set=image_set, p_2=xml("p_2"))
    photos, _ = read(tmp_path, image_set=image_set)
    assert [(photo["key"], photo["split"]) for photo in photos] == [("p_2", split)]


def test_photos_come_some_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(voc, "CHUNK", 2)
    devkit(tmp_path, **{f"p_{number}": xml(f"p_{number}", ("dog", 0)) for number in range(5)})
    chunks = list(Voc(root=str(tmp_path)).chunks(Skipped()))
    assert [len(chunk.photos) for chunk in chunks] == [2, 2, 1]


def test_the_archive_of_2011_has_a_folder_around_it(tmp_path):
    devkit(tmp_path / "TrainVal", p=xml("p"))
    (tmp_path / "TrainVal/VOCdevkit/VOC2012").rename(tmp_path / "TrainVal/VOCdevkit/VOC2011")
    assert read(tmp_path, year=2011)[0][0]["path"] == "TrainVal/VOCdevkit/VOC2011/JPEGImages/p.jpg"


# What is broken


def test_a_photo_whose_xml_cannot_be_read_is_counted_with_file_and_line(tmp_path, monkeypatch):
    monkeypatch.setattr(voc, "MAX_BYTES", 5000)
    good = xml("p", ("dog", 0))
    folder = devkit(
        tmp_path,
        good=good,
        cut=good[: good.index("\t\t<pose>")],
        other=good.replace("</pose>", "</prose>"),
        large=xml("p", *[("dog", 0)] * 20),
        nameless=good.replace("dog", " "),
        odd=good.replace("<difficult>0", "<difficult>maybe"),
        caption=good.replace("annotation>", "caption>"),
        coded='<?xml version="1.0" encoding="klingon"?>' + good,
        gone=good,
    )
    (folder / "Annotations" / "gone.xml").unlink()
    skipped = Skipped()
    photos, said = read(tmp_path, skipped)
    assert [photo["key"] for photo in photos] == ["good", "nameless", "odd"]
    assert said == {("good", "dog"): PRESENT, ("nameless", NAMELESS): UNKNOWN, ("odd", "dog"): UNKNOWN}
    assert skipped.counts == {
        "broken XML": 2,
        "XML larger than 5,000 bytes": 1,
        "XML without what is needed": 2,
        "no XML": 1,
        "object without a name": 1,
        "object of which difficult is neither 0 nor 1": 1,
    }
    cut, other = skipped.examples["broken XML"]
    assert "cut.xml, line 17: no element found" in cut
    assert "other.xml, line 17: mismatched tag" in other
    assert skipped.examples["object without a name"][0].endswith("nameless.xml, object 1: <object>")
    (odd,) = skipped.examples["object of which difficult is neither 0 nor 1"]
    assert odd.endswith("odd.xml, object 1: dog, 'maybe'")
    caption, coded = skipped.examples["XML without what is needed"]
    assert "caption.xml: expected <annotation>, got <caption>" in caption
    assert "coded.xml: unknown encoding: klingon" in coded


def paths(root: Path, skipped: Skipped | None = None) -> list[str]:
    return [photo["path"].removeprefix("VOCdevkit/VOC2012/JPEGImages/") for photo in read(root, skipped)[0]]


@pytest.mark.parametrize("name", ["p.png", "p.JPG", "p.jpeg", "p.webp", "IMG 1.PNG", "sub/p.jpg"])
def test_the_photo_is_the_file_that_the_xml_names(tmp_path, name):
    folder = devkit(tmp_path, p=xml("p", ("dog", 0)).replace("p.jpg", name))
    (folder / "JPEGImages" / name).parent.mkdir(exist_ok=True)
    (folder / "JPEGImages" / name).touch()
    skipped = Skipped()
    assert paths(tmp_path, skipped) == [name]
    assert not skipped.counts


def test_a_photo_that_is_not_where_the_xml_says_is_the_file_called_like_the_xml(tmp_path):
    named = {"stale": "IMG_1.jpg", "empty": "", "short": "short", "leaving": "../secret.png", "gone": "gone.png"}
    folder = devkit(tmp_path, **{photo: xml("p").replace("p.jpg", name) for photo, name in named.items()})
    (folder / "secret.png").touch()
    for name in ("stale.JPEG", "empty.png", "empty.txt", "short.jpg", "short.bmp", "leaving.tif"):
        (folder / "JPEGImages" / name).touch()
    skipped = Skipped()
    assert paths(tmp_path, skipped) == ["stale.JPEG", "empty.png", "short.jpg", "leaving.tif", "gone.jpg"]
    assert skipped.counts == {"filename leaves the folder": 1}


def test_xml_files_about_one_photo_and_those_that_name_another_are_counted(tmp_path):
    folder = devkit(tmp_path, a=xml("a"), b=xml("a"))
    for name in ("a.jpg", "b.jpg"):
        (folder / "JPEGImages" / name).touch()
    skipped = Skipped()
    assert paths(tmp_path, skipped) == ["a.jpg", "a.jpg"]
    assert skipped.counts == {
        "filename of another photo than the XML is called, which is opened": 1,
        "photo that several XML files are about": 1,
    }


def test_an_odd_field_costs_its_object_and_an_object_listed_twice_is_counted(tmp_path):
    two = xml("p", ("dog", 0), ("dog", 0), ("cat", 0))
    odd = two.replace("<xmin>174", "<xmin>174.5").replace("<object>\n\t\t<name>cat", "<objct>\n\t\t<name>cat")
    devkit(tmp_path, p=odd[::-1].replace("</object>"[::-1], "</objct>"[::-1], 1)[::-1])
    skipped = Skipped()
    _, said = read(tmp_path, skipped, difficult="include")
    assert said == {("p", "dog"): PRESENT, ("p", NAMELESS): UNKNOWN}
    assert skipped.counts == {"object listed again": 1, "object without a name": 1}
    assert skipped.examples["object without a name"][0].endswith("p.xml, object 3: <objct>")


def test_the_classes_that_have_lists_were_looked_for_and_without_lists_those_that_are_said(tmp_path):
    folder = devkit(tmp_path, p=xml("p", ("dog", 0), ("cat", 1)))
    (chunk,) = Voc(root=str(tmp_path)).chunks(Skipped())
    assert {*(chunk.declared or ())} == {"dog", "cat"}
    for name in ("dog_trainval", "potted_plant_trainval", "sofa_val", "val"):
        (folder / "ImageSets" / "Main" / f"{name}.txt").touch()
    (chunk,) = Voc(root=str(tmp_path)).chunks(Skipped())
    assert chunk.declared == ("dog", "potted_plant")


BOMB = '<!DOCTYPE a [<!ENTITY l "lol">' + "".join(
    f'<!ENTITY l{n} "{f"&l{n - 1 if n else str()};" * 10}">' for n in range(10)
)


@pytest.mark.parametrize(
    "declared",
    [
        BOMB + "]>",
        '<!DOCTYPE a [<!ENTITY secret SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p">%p;]>',
    ],
    ids=["bomb", "file", "types", "parameter"],
)
@pytest.mark.parametrize("name", ["&l9;", "&secret;", "dog"])
def test_entities_are_refused_with_the_file_named(tmp_path, declared, name):
    devkit(tmp_path, p=declared + xml("p", (name, 0)))
    with pytest.raises(SourceError, match=r"Annotations/p\.xml: DTDForbidden.*VOC declares no types and entities"):
        read(tmp_path)


def test_an_id_that_leaves_the_folder_or_comes_twice_is_counted(tmp_path):
    folder = devkit(tmp_path, p=xml("p"))
    (folder / "ImageSets/Main/trainval.txt").write_text("../../p\n/etc/passwd\np\r\n\n p\n")
    skipped = Skipped()
    assert [photo["key"] for photo in read(tmp_path, skipped)[0]] == ["p"]
    assert skipped.counts == {"path leaves the folder": 2, "photo listed twice": 1}


def test_a_list_may_be_utf16_and_what_macos_puts_beside_the_lists_is_no_class(tmp_path):
    folder = devkit(tmp_path, p=xml("p", ("dog", 0)))
    lists = folder / "ImageSets" / "Main"
    (lists / "trainval.txt").write_bytes("p\n".encode("utf-16"))
    for name in ("dog_trainval.txt", "._dog_trainval.txt"):
        (lists / name).touch()
    (chunk,) = Voc(root=str(tmp_path), year=2012, image_set="trainval").chunks(Skipped())
    assert chunk.photos["key"].to_pylist() == ["p"]
    assert chunk.declared == ("dog",)


def test_a_missing_devkit_list_or_setting_is_named_with_what_there_is(tmp_path):
    with pytest.raises(SourceError, match=r"looked for .*VOC2012/Annotations.*download=true"):
        read(tmp_path)
    folder = devkit(tmp_path, image_set="train", p=xml("p"))
    with pytest.raises(SourceError, match=r"trainval\.txt does not exist; lists that do: train$"):
        read(tmp_path)
    (folder / "ImageSets/Main/train.txt").write_text("\n")
    with pytest.raises(SourceError, match=r"train\.txt lists no photos"):
        read(tmp_path, image_set="train")
    with pytest.raises(SourceError, match="image_set must be one of train, val, trainval, test, got 'tset'"):
        Voc(root="", image_set="tset")  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="difficult must be one of include, exclude, got 'no'"):
        Voc(root="", difficult="no")  # type: ignore[arg-type]


# Download


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Serve an archive as VOC 2012, and tell torchvision that it is this one."""
    import torchvision.datasets.voc as theirs

    devkit(tmp_path / "made", p=xml("p", ("dog", 0)))
    archive = tmp_path / "server" / "VOCtrainval_11-May-2012.tar"
    archive.parent.mkdir()
    with tarfile.open(archive, "w") as tar:
        tar.add(tmp_path / "made" / "VOCdevkit", "VOCdevkit")
    handler = partial(Quiet, directory=str(archive.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        facts = theirs.DATASET_YEAR_DICT["2012"] | {
            "url": f"http://127.0.0.1:{server.server_port}/{archive.name}",
            "md5": hashlib.md5(archive.read_bytes()).hexdigest(),
        }
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setitem(theirs.DATASET_YEAR_DICT, "2012", facts)
        yield facts
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.mark.filterwarnings("ignore:Python 3.14 will, by default, filter extracted tar:DeprecationWarning")
def test_torchvision_fetches_what_is_not_there(tmp_path, published):
    photos, said = read(tmp_path / "new", download=True)
    assert (len(photos), said) == (1, {("p", "dog"): PRESENT})
    published["url"] = "http://127.0.0.1:9/gone"
    assert len(read(tmp_path / "new", download=True)[0]) == 1, "what is there is not fetched again"


@pytest.mark.parametrize("wrong", [{"url": "http://127.0.0.1:9/x.tar"}, {"md5": "0" * 32}])
def test_a_download_that_fails_says_where_else_to_get_it(tmp_path, published, wrong):
    published |= wrong
    with pytest.raises(SourceError, match=r"VOC 2012 could not be downloaded to .*host\.robots\.ox\.ac\.uk/pascal/VOC"):
        read(tmp_path / "new", download=True)
