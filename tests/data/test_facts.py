"""From files as people have them to the facts of a catalog: what a source said, and nothing else."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from facts import by_name, gather_into, held, seen, system
from rich.console import Console

from tagger.data.assembly import Assembly, assemble
from tagger.data.assembly.tables import assembly_tables
from tagger.data.catalog import CatalogStore
from tagger.data.catalog.history import history_tables
from tagger.data.catalog.prepared import view
from tagger.data.catalog.store import TABLES
from tagger.data.sources.coco import Coco
from tagger.data.sources.crawl import Crawl
from tagger.data.sources.listing import Listing
from tagger.data.sources.product import Product
from tagger.data.sources.source import SourceError
from tagger.data.sources.voc import Voc
from tagger.data.states import ABSENT, PRESENT, UNKNOWN
from tagger.data.taxonomy import read_taxonomy


def coco(root: Path, photos: dict[str, list[str]], categories: list[str], **settings: str) -> Coco:
    (root / "images").mkdir(parents=True, exist_ok=True)
    for photo in photos:
        (root / "images" / photo).write_text(photo)
    said = [
        {"id": 9 * row + place, "image_id": row, "category_id": categories.index(name)}
        for row, names in enumerate(photos.values())
        for place, name in enumerate(names)
    ]
    content = {
        "images": [{"id": row, "file_name": photo} for row, photo in enumerate(photos)],
        "annotations": said,
        "categories": [{"id": number, "name": name} for number, name in enumerate(categories)],
    }
    (root / "a.json").write_text(json.dumps(content))
    return Coco(**{"root": str(root), "annotations": "a.json", "photos": "images"} | settings)  # type: ignore[arg-type]


def listing(root: Path, rows: str, *, header: str = "image,labels", **settings: object) -> Listing:
    (root / "set" / "images").mkdir(parents=True, exist_ok=True)
    (root / "set" / "labels.csv").write_text(f"{header}\n{rows}")
    for row in rows.splitlines():
        name = row.partition(",")[0]
        (root / "set" / "images" / name).write_text(name)
    return Listing(**{"root": str(root), "folder": "set", "unlisted": "unknown"} | settings)  # type: ignore[arg-type]


def voc(root: Path, photos: dict[str, list[str]], lists: tuple[str, ...] = ()) -> Voc:
    devkit = root / "VOCdevkit" / "VOC2012"
    for name in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (devkit / name).mkdir(parents=True, exist_ok=True)
    for photo, names in photos.items():
        objects = "".join(f"<object><name>{name}</name></object>" for name in names)
        (devkit / "Annotations" / f"{photo}.xml").write_text(f"<annotation>{objects}</annotation>")
        (devkit / "JPEGImages" / f"{photo}.png").write_text(photo)
    (devkit / "ImageSets" / "Main" / "trainval.txt").write_text("\n".join(photos))
    for name in lists:
        (devkit / "ImageSets" / "Main" / f"{name}_trainval.txt").touch()
    return Voc(root=str(root))


def shown(assembly: Assembly) -> str:
    console = Console(width=300, record=True, file=io.StringIO())
    console.print(*assembly_tables(assembly, system(), written=True))
    return console.export_text()


# Absent is what was looked for


def test_of_labels_that_are_not_among_its_categories_a_coco_file_says_nothing(tmp_path: Path) -> None:
    source = coco(tmp_path, {"0.jpg": ["Hund"], "1.jpg": [], "2.jpg": ["Katze", "Hund"]}, ["Hund", "Katze"])
    gather_into(tmp_path / "c", {"mine": source})
    assert held(tmp_path / "c") == {
        "0.jpg": {"dog": PRESENT, "cat": ABSENT},
        "1.jpg": {"dog": ABSENT, "cat": ABSENT},
        "2.jpg": {"dog": PRESENT, "cat": PRESENT},
    }


def test_two_categories_of_the_album_leave_its_290_other_labels_unknown(tmp_path: Path) -> None:
    album = read_taxonomy("album")
    gather_into(tmp_path / "c", {"mine": coco(tmp_path, {"0.jpg": ["dog"]}, ["dog", "cat"])}, album)
    assert held(tmp_path / "c", album) == {"0.jpg": {"animal.dog": PRESENT, "animal.cat": ABSENT}}


def test_all_categories_of_coco_make_its_groups_absent_too(tmp_path: Path) -> None:
    taxonomy = read_taxonomy("coco")
    names = [label.aliases[0] if label.aliases else label.id for label in taxonomy.labels if not label.closed]
    gather_into(tmp_path / "c", {"mine": coco(tmp_path, {"0.jpg": ["bicycle"]}, names)}, taxonomy)
    states = held(tmp_path / "c", taxonomy)["0.jpg"]
    assert {id_ for id_ in taxonomy.ids if states.get(id_) != ABSENT} == {"bicycle", "vehicle"}
    gather_into(tmp_path / "d", {"mine": coco(tmp_path, {"0.jpg": []}, ["bicycle", "car"])}, taxonomy)
    assert held(tmp_path / "d", taxonomy)["0.jpg"] == {"bicycle": ABSENT, "car": ABSENT}


@pytest.mark.parametrize(("lists", "cat"), [((), UNKNOWN), (("dog", "cat"), ABSENT)])
def test_voc_looked_for_the_classes_that_have_lists_else_for_what_it_says(
    tmp_path: Path, lists: tuple[str, ...], cat: int
) -> None:
    gather_into(tmp_path / "c", {"v": voc(tmp_path, {"0": ["dog"], "1": []}, lists)})
    states = held(tmp_path / "c")
    assert states["0.png"]["dog"] == PRESENT
    assert (states["1.png"]["dog"], states["1.png"].get("cat", UNKNOWN)) == (ABSENT, cat)
    assert "car" not in states["1.png"]


def test_a_vocabulary_that_no_label_mentions_looked_for_what_it_says(tmp_path: Path) -> None:
    source = listing(tmp_path, "0.jpg,dog\n1.jpg,kitty\n", unlisted="absent", vocabulary="theirs")
    gather_into(tmp_path / "c", {"theirs": source})
    assert held(tmp_path / "c") == {
        "0.jpg": {"dog": PRESENT, "cat": ABSENT},
        "1.jpg": {"cat": PRESENT, "dog": ABSENT},
    }


def test_labels_that_a_listing_names_nowhere_are_absent_if_it_says_so_and_that_is_told(tmp_path: Path) -> None:
    assembly = gather_into(tmp_path / "c", {"own": listing(tmp_path, "0.jpg,dog\n", unlisted="absent")})
    assert held(tmp_path / "c") == {"0.jpg": {"dog": PRESENT, "cat": ABSENT, "car": ABSENT}}
    assert "own: 2 labels are listed on no photo and count as absent on all: cat, car." in shown(assembly)


def test_what_a_row_calls_absent_and_its_silence_too_is_absent_once_with_and_without_a_catalog(tmp_path: Path) -> None:
    source = listing(tmp_path, "0.jpg,dog,cat\n", header="image,labels,absent", unlisted="absent")
    alone = source.read(None, system())
    facts = {"0.jpg": {"dog": PRESENT, "cat": ABSENT, "car": ABSENT}}
    assert by_name(["0.jpg"], alone.states.toarray(), system()) == facts
    assert gather_into(tmp_path / "c", {"own": source}).reports["own"].added == 3
    assert held(tmp_path / "c") == facts


def test_a_source_none_of_whose_names_means_a_label_is_refused(tmp_path: Path) -> None:
    crawled, opinions = tmp_path / "crawl" / "Pferd", tmp_path / "tags.jsonl"
    crawled.mkdir(parents=True)
    (crawled / "1.jpg").touch()
    opinions.write_text('{"photo": "0.jpg", "tag": "Pferd"}\n')
    own = listing(tmp_path, "0.jpg,dog\n")
    for source in (
        coco(tmp_path, {"0.jpg": ["Pferd"]}, ["Pferd", "Kuh"]),
        coco(tmp_path / "empty", {"0.jpg": []}, ["Pferd"]),
        voc(tmp_path, {"0": ["Pferd"]}),
        Crawl(root=str(crawled.parent)),
        Product(root=str(tmp_path), file="tags.jsonl", of="own", vocabulary="rival"),
        listing(tmp_path / "other", "0.jpg,Pferd\n", vocabulary="theirs"),
    ):
        with pytest.raises(SourceError, match=r"source x: no label of 'pets' claims any of its \d names.*\n.*'Pferd'"):
            gather_into(tmp_path / "c", {"own": own, "x": source})
    rare = coco(tmp_path / "rare", {"0.jpg": ["Toaster"]}, ["Toaster"])
    assert gather_into(tmp_path / "c", {"rare": rare}).reports["rare"].left_out == {"Toaster": 1}


# Names


def test_a_name_that_no_label_claims_leaves_what_its_photo_does_not_list_unknown(tmp_path: Path) -> None:
    names = {"0.jpg": ["Hunt"], "1.jpg": ["Toaster"], "2.jpg": ["Katze", "Pferd"], "3.jpg": ["Hund"]}
    source = coco(tmp_path, names, ["Hund", "Katze", "Hunt", "Toaster", "Pferd"])
    assembly = gather_into(tmp_path / "c", {"mine": source})
    assert held(tmp_path / "c") == {
        "0.jpg": {},
        "1.jpg": {"dog": ABSENT, "cat": ABSENT},
        "2.jpg": {"cat": PRESENT},
        "3.jpg": {"dog": PRESENT, "cat": ABSENT},
    }
    assert "mine: on 2 photos what is not listed stays unknown" in shown(assembly)


def test_an_object_that_cannot_be_read_leaves_what_its_photo_does_not_list_unknown(tmp_path: Path) -> None:
    source = voc(tmp_path, {"0": ["dog", ""], "1": [""], "2": ["dog"]}, ("dog", "cat"))
    gather_into(tmp_path / "c", {"v": source})
    assert held(tmp_path / "c") == {
        "0.png": {"dog": PRESENT},
        "1.png": {},
        "2.png": {"dog": PRESENT, "cat": ABSENT},
    }


def test_another_spelling_is_the_same_name_said_once_and_counted(tmp_path: Path) -> None:
    rows = '0.jpg,"Dog|dog|ｄｏｇ"\n1.jpg,\u200bKitty \n2.jpg,\n'
    source = listing(tmp_path, rows, unlisted="absent")
    assembly = gather_into(tmp_path / "c", {"own": source})
    none = dict.fromkeys(("dog", "cat", "car"), ABSENT)
    assert held(tmp_path / "c") == {
        "0.jpg": {**none, "dog": PRESENT},
        "1.jpg": {**none, "cat": PRESENT},
        "2.jpg": {**none, "animal": ABSENT},
    }
    assert assembly.reports["own"].spelled == {
        "'Dog' for 'dog'": 1,
        "'ｄｏｇ' for 'dog'": 1,
        r"'\u200bKitty' for 'kitty'": 1,
    }
    assert r"'\u200bKitty' for 'kitty'" in shown(assembly)


@pytest.mark.parametrize("unlisted", ["absent", "unknown"])
def test_a_catalog_and_training_without_one_refuse_the_same_in_the_same_words(tmp_path: Path, unlisted: str) -> None:
    source = listing(tmp_path, '0.jpg,Dog\n1.jpg,"dog, cat"\n2.jpg,cta\n3.jpg,zebra\n4.jpg,cta\n', unlisted=unlisted)
    with pytest.raises(SourceError) as alone:
        source.read(None, system())
    with pytest.raises(SourceError) as prepared:
        gather_into(tmp_path / "c", {"set": source})
    assert str(alone.value) == str(prepared.value)
    file = tmp_path / "set" / "labels.csv"
    assert str(alone.value).splitlines() == [
        "set: 3 names are no labels",
        f"  {file}, line 4: label 'cta' is not in the taxonomy 'pets'; did you mean 'cat'?",
        f"  {file}, line 3: label 'dog, cat' is not in the taxonomy 'pets'; "
        "'dog' and 'cat' with ',' between them? then set separator=',' for this source",
        f"  {file}, line 5: label 'zebra' is not in the taxonomy 'pets'",
    ]


# What a source no longer says


def show(folder: Path, photo: str) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(*history_tables(CatalogStore(folder), photo, system()))
    return console.export_text()


def test_a_corrected_label_replaces_the_one_before_and_both_are_shown(tmp_path: Path) -> None:
    rows = "".join(f"{number}.jpg,dog\n" for number in range(20))
    gather_into(tmp_path / "c", {"own": listing(tmp_path, rows)})
    corrected = listing(tmp_path, rows.replace("2.jpg,dog\n3", "2.jpg,cat\n3", 1))
    report = gather_into(tmp_path / "c", {"own": corrected}).reports["own"]
    assert (report.added, report.withdrawn, report.gone, report.shrunk) == (1, 1, 0, None)
    assert held(tmp_path / "c")["2.jpg"] == {"cat": PRESENT}
    text = show(tmp_path / "c", "2.jpg")
    assert "present  now: cat" in text
    assert text.count("dog") == 2, "said, and taken back"
    again = gather_into(tmp_path / "c", {"own": corrected}).reports["own"]
    assert (again.added, again.withdrawn, again.gone) == (0, 0, 0)
    assert len(CatalogStore(tmp_path / "c").manifest.batches) == 3


def test_undoing_a_withdrawal_brings_back_what_was_said_and_preparing_again_does_not_repeat_it(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    gather_into(folder, {"own": listing(tmp_path, "0.jpg,dog\n1.jpg,cat\n")})
    source = listing(tmp_path, "0.jpg,\n")
    gather_into(folder, {"own": source})
    assert held(folder) == {"0.jpg": {}}
    store = CatalogStore(folder)
    store.undo(3)
    assert held(folder) == {"0.jpg": {"dog": PRESENT}, "1.jpg": {"cat": PRESENT}}
    report = gather_into(folder, {"own": source}).reports["own"]
    assert (report.withdrawn, report.gone) == (0, 0)
    assert held(folder) == {"0.jpg": {"dog": PRESENT}, "1.jpg": {"cat": PRESENT}}
    CatalogStore(folder).undo(3, undone=False)
    assert held(folder) == {"0.jpg": {}}


def test_a_photo_that_no_source_lists_any_more_is_gone_and_comes_back_when_it_is_listed(tmp_path: Path) -> None:
    folder, rows = tmp_path / "c", "".join(f"{number}.jpg,dog\n" for number in range(12))
    gather_into(folder, {"own": listing(tmp_path, rows)})
    folds = dict(
        zip(*(CatalogStore(folder).table("photos")[name].to_pylist() for name in ("path", "fold")), strict=True)
    )
    shorter = gather_into(folder, {"own": listing(tmp_path, rows.replace("5.jpg,dog\n", "", 1))})
    assert (shorter.reports["own"].gone, shorter.reports["own"].withdrawn) == (1, 1)
    assert "5.jpg" not in held(folder)
    assert len(held(folder)) == 11
    assert "no more" in show(folder, "5.jpg")
    back = gather_into(folder, {"own": listing(tmp_path, rows)}).reports["own"]
    assert (back.new, back.gone, back.added) == (0, 0, 1)
    assert held(folder)["5.jpg"] == {"dog": PRESENT}
    assert len(CatalogStore(folder).table("photos")) == 12
    assert folds == dict(
        zip(*(CatalogStore(folder).table("photos")[name].to_pylist() for name in ("path", "fold")), strict=True)
    )


def test_a_photo_that_is_still_listed_but_whose_file_is_gone_is_said_to_be_left_out_and_stays(tmp_path: Path) -> None:
    source = listing(tmp_path, "0.jpg,dog\n1.jpg,dog\n")
    gather_into(tmp_path / "c", {"own": source})
    (tmp_path / "set" / "images" / "1.jpg").unlink()
    report = gather_into(tmp_path / "c", {"own": source}).reports["own"]
    assert next(iter(report.skipped.lines())).startswith("1 of 2 photos left out: missing, for instance ")
    assert (report.gone, report.withdrawn) == (0, 0), "a disk may not be there today"
    assert held(tmp_path / "c")["1.jpg"] == {"dog": PRESENT}


def test_what_people_decided_stays_when_a_source_takes_its_word_back(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    gather_into(folder, {"own": listing(tmp_path, "0.jpg,dog|cat\n1.jpg,dog\n")})
    store = CatalogStore(folder)
    verdict = {"photo": [0], "label": ["cat"], "value": [PRESENT], "origin": ["human"], "annotator": ["ann"]}
    columns = {name: verdict.get(name, [None]) for name in TABLES["annotations"].names}
    with store.locked():
        store.append({"verdicts": {"annotations": pa.table(columns, schema=TABLES["annotations"])}})
    gather_into(folder, {"own": listing(tmp_path, "0.jpg,\n1.jpg,dog\n")})
    assert held(folder) == {"0.jpg": {"cat": PRESENT}, "1.jpg": {"dog": PRESENT}}


def test_a_photo_that_another_source_still_lists_stays_and_is_read_from_there(tmp_path: Path) -> None:
    folder, other = tmp_path / "c", tmp_path / "other"
    own, theirs = listing(tmp_path, "0.jpg,dog\n1.jpg,dog\n"), listing(other, "0.jpg,cat\n")
    gather_into(folder, {"own": own, "theirs": theirs})
    (tmp_path / "set" / "images" / "0.jpg").unlink()
    gather_into(folder, {"own": listing(tmp_path, "1.jpg,dog\n"), "theirs": theirs})
    assert held(folder) == {"0.jpg": {"cat": PRESENT}, "1.jpg": {"dog": PRESENT}}
    store = CatalogStore(folder)
    catalog = view(store, system(), roots={"own": str(tmp_path), "theirs": str(other)}, complete=False)
    assert [Path(catalog.place(row)).is_file() for row in range(2)] == [True, True]


def test_a_key_that_names_another_file_now_is_another_photo(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    gather_into(folder, {"c": coco(tmp_path, {"0.jpg": ["Hund"], "1.jpg": []}, ["Hund"])})
    gather_into(folder, {"c": coco(tmp_path, {"new.jpg": ["Hund"], "1.jpg": []}, ["Hund"])})
    assert held(folder) == {"new.jpg": {"dog": PRESENT}, "1.jpg": {"dog": ABSENT}}
    (tmp_path / "images" / "new.jpg").rename(tmp_path / "images" / "moved.jpg")
    source = coco(tmp_path, {"moved.jpg": ["Hund"], "1.jpg": []}, ["Hund"])
    (tmp_path / "images" / "moved.jpg").write_text("new.jpg")
    assert gather_into(folder, {"c": source}).reports["c"].new == 0
    assert held(folder) == {"moved.jpg": {"dog": PRESENT}, "1.jpg": {"dog": ABSENT}}


def test_an_opinion_that_a_product_no_longer_has_is_withdrawn(tmp_path: Path) -> None:
    folder, file = tmp_path / "c", tmp_path / "tags.jsonl"
    sources = {
        "own": listing(tmp_path, "0.jpg,dog\n"),
        "rival": Product(root=str(tmp_path), file="tags.jsonl", of="own", vocabulary=""),
    }
    file.write_text('{"photo": "0.jpg", "tag": "cat", "score": 0.9}\n{"photo": "0.jpg", "tag": "car", "score": 0.5}\n')
    gather_into(folder, sources)
    file.write_text('{"photo": "0.jpg", "tag": "cat", "score": 0.9}\n')
    assert gather_into(folder, sources).reports["rival"].withdrawn == 1


def test_facts_that_an_earlier_version_made_of_silence_are_withdrawn(tmp_path: Path) -> None:
    folder, source = tmp_path / "c", coco(tmp_path, {"0.jpg": ["Hund"]}, ["Hund"])
    gather_into(folder, {"c": source})
    store = CatalogStore(folder)
    wrong = {"photo": [0], "label": ["car"], "value": [ABSENT], "origin": ["source"], "source": ["c"]}
    columns = {name: wrong.get(name, [None]) for name in TABLES["annotations"].names}
    with store.locked():
        store.append({"labels of c": {"annotations": pa.table(columns, schema=TABLES["annotations"])}})
    assert gather_into(folder, {"c": source}).reports["c"].withdrawn == 1
    assert held(folder) == {"0.jpg": {"dog": PRESENT}}


def test_what_shrinks_by_more_than_a_tenth_is_a_warning(tmp_path: Path) -> None:
    folder, rows = tmp_path / "c", [f"{number}.jpg,dog\n" for number in range(20)]
    assert "warning" not in shown(gather_into(folder, {"own": listing(tmp_path, "".join(rows))}))
    assert "warning" not in shown(gather_into(folder, {"own": listing(tmp_path, "".join(rows[:18]))}))
    cut = gather_into(folder, {"own": listing(tmp_path, "".join(rows[:10]))})
    assert "warning: own: 8 of 18 photos that it listed are listed no more." in shown(cut)
    silent = gather_into(folder, {"own": listing(tmp_path, "".join(rows[:10]).replace("dog", "", 3))})
    assert "warning: own: 3 of 10 of its claims are made no more." in shown(silent)


def test_a_misspelt_split_or_source_is_refused_before_anything_is_dealt(tmp_path: Path) -> None:
    (tmp_path / "set" / "images").mkdir(parents=True)
    (tmp_path / "set" / "labels.csv").write_text("image,labels\n1.jpg,dog\n")
    source = Listing(root=str(tmp_path), folder="set", unlisted="unknown")
    settings = {"taxonomy": system(), "inspect": seen}
    store = CatalogStore(tmp_path / "c")
    with pytest.raises(SourceError, match=r"data\.split must be folds or official, got 'offical'"):
        assemble(store, {"own": source}, split="offical", **settings)
    tags = Product(root=str(tmp_path), file="tags.jsonl", of="nope", vocabulary="coco")
    with pytest.raises(SourceError, match="source tags: of=nope is none of the sources own, tags"):
        assemble(store, {"own": source, "tags": tags}, **settings)
    with pytest.raises(SourceError, match=r"group=series: .*splits\.csv does not exist"):
        assemble(store, {"own": replace(source, group="series")}, **settings)
