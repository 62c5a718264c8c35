"""Annotation files are damaged at random: each reader gives facts, or says in one sentence what is wrong."""

import json
import random
import re
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from tagger.cleaning.tasks.page import FORMAT
from tagger.cleaning.verdicts.importing import read_answers
from tagger.data.sources.coco import Coco
from tagger.data.sources.crawl import Crawl
from tagger.data.sources.listing import Listing
from tagger.data.sources.open_images import OpenImages, class_descriptions
from tagger.data.sources.product import Product
from tagger.data.sources.source import Skipped, Source
from tagger.data.sources.voc import Voc
from tagger.data.taxonomy import read_taxonomy
from tagger.errors import UserError
from tagger.mining.relations.accepted import read_suggestions
from tagger.studies.search.space import read_space
from tagger.tags.corrections import Correction, read_corrections
from tagger.tags.profiles.profile import Profile
from tests.faults.tally import Tally
from tests.faults.typed import HANG_SECONDS

MEMORY_BYTES = 2 << 30
"""No file of a few thousand bytes may take more."""


def run(folder: Path, *, tests: int, seed: int) -> Tally:
    """Damage each file so often that there are so many in all."""
    tally, dice = Tally("annotations"), random.Random(seed)
    targets = list(written(folder))
    for target in targets:
        assert read(target) == "", f"{target.path.name}, whole: {read(target)}"
    for number in range(tests):
        target = targets[number % len(targets)]
        whole = target.path.read_bytes()
        damaged, how = mutated(whole, dice)
        target.path.write_bytes(damaged)
        problem = read(target)
        # As an escape: who reads of it can make the file again.
        tally.check(f"{target.name}, {how}: {problem}: {damaged!r:.300}", not problem)
        target.path.write_bytes(whole)
    return tally


@dataclass(frozen=True)
class Target:
    """A file, and who reads it."""

    name: str
    path: Path
    reader: Callable[[], Any]


def read(target: Target) -> str:
    """Read a file as far as its reader does, and return what is wrong with that: "" for facts or a sentence."""
    try:
        with bounded():
            target.reader()
    except UserError as error:
        lines = str(error).strip().splitlines()
        return "" if lines else "an empty message"
    except Exception as error:
        return f"{type(error).__name__}: {error!s:.200}"
    return ""


class Hung(BaseException):
    """A reader took too long; none of its own handlers catches this."""


@contextmanager
def bounded() -> Iterator[None]:
    """Bound the time and the memory of what is done inside.

    Raises:
        Hung: If it takes too long.
        MemoryError: If it takes too much.
    """

    def ring(number: int, frame: FrameType | None) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, ring)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY_BYTES, hard))
    signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
    try:
        yield
    except Hung:
        raise TimeoutError(f"hung for {HANG_SECONDS:.0f} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


TOKEN = re.compile(rb'"[^"\n]*"|[\w./-]+|[^\s\w]')

HOSTILE = [
    *(b"", b"null", b"true", b"-1", b"0", b"1e999", b"-1e-999", b"nan", b"9" * 40, b"9" * 5000, b"1.5", b'"', b'""'),
    *(
        b"'",
        b"[]",
        b"{}",
        b"[" * 200,
        b"{" * 5000,
        b"[" * 100_000,
        b'{"a":' * 2000,
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
    ),
    *(b"../../etc/passwd", b"/etc/passwd", b"\\ud800", b'"\\ud800"', b"\xed\xa0\x80", b"\r", b"\n", b"\n\n", b"\r\n"),
    *(b",", b",,,,", b"|", b":", b"- ", b"&a", b"*a", b"&a [*a]", b"<<: *a", b"!!python/object/apply:os.system [id]"),
    *(b"!!timestamp 2026-99-99", b"2026-01-01", b"0x1f", b"1_000", b"=1+1", b"a" * 70_000, "猫".encode(), b"\xe7\x8c"),
    *(b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"<a>", b"&b;", b"]]>", b"?", b"---\n", b"...\n", b"%YAML 9", b"\t", b"~"),
]


def mutated(content: bytes, dice: random.Random) -> tuple[bytes, str]:
    """Return a copy with one damage or two, and how it was damaged."""
    names = dice.choices(sorted(MUTATIONS), k=dice.choice([1, 1, 2]))
    for name in names:
        content = MUTATIONS[name](content, dice) or content
    return content, ", ".join(names)


def _cut(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content))]


def _flipped(content: bytes, dice: random.Random) -> bytes:
    flipped = bytearray(content)
    for _ in range(dice.choice([1, 1, 1, 8])):
        flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
    return bytes(flipped)


def _token(content: bytes, dice: random.Random) -> bytes:
    """Replace a word, a number, a text or a sign."""
    tokens = list(TOKEN.finditer(content))
    if not tokens:
        return content
    place = dice.choice(tokens)
    return content[: place.start()] + dice.choice(HOSTILE) + content[place.end() :]


def _moved_token(content: bytes, dice: random.Random) -> bytes:
    """Replace a token by another one of the file."""
    tokens = list(TOKEN.finditer(content))
    if not tokens:
        return content
    place, other = dice.choice(tokens), dice.choice(tokens)
    return content[: place.start()] + other[0] + content[place.end() :]


def _inserted(content: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(content) + 1)
    return content[:place] + dice.choice(HOSTILE) + content[place:]


def _lines(content: bytes, dice: random.Random) -> bytes:
    """Leave lines out, say them twice, or in another order."""
    lines = content.splitlines(keepends=True)
    place = dice.randrange(len(lines))
    match dice.randrange(4):
        case 0:
            del lines[place]
        case 1:
            lines.insert(dice.randrange(len(lines)), lines[place])
        case 2:
            lines.insert(place, dice.choice([b"\n", b"\r\n", b"   \n", b",\n", b"\0\n"]))
        case _:
            dice.shuffle(lines)
    return b"".join(lines)


def _spliced(content: bytes, dice: random.Random) -> bytes:
    start, end = sorted(dice.randrange(len(content) + 1) for _ in range(2))
    place = dice.randrange(len(content) + 1)
    return content[:place] + content[start:end] + content[place + (end - start) * dice.randrange(2) :]


def _encoded(content: bytes, dice: random.Random) -> bytes:
    encoding = dice.choice(["utf-16", "utf-8-sig", "gbk", "utf-32"])
    return content.decode("utf-8", errors="replace").encode(encoding, errors="replace")


MUTATIONS = {
    "cut": _cut,
    "bits flipped": _flipped,
    "a token replaced": _token,
    "a token moved": _moved_token,
    "something inserted": _inserted,
    "lines changed": _lines,
    "spliced": _spliced,
    "in another encoding": _encoded,
}


def written(folder: Path) -> Iterator[Target]:
    """Write a file of every format, and say who reads each."""
    yield from _listings(folder)
    yield from _published(folder)
    yield from _open_images(folder)
    yield from _settings(folder)
    yield from _answers(folder)


def gathered(source: Source) -> Callable[[], Any]:
    """Return what reads all of a source."""
    return lambda: [chunk.annotations.num_rows for chunk in source.chunks(Skipped())]


def file(path: Path, text: str) -> Path:
    """Write a text, with the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _listings(folder: Path) -> Iterator[Target]:
    wide = 'image,labels,absent\na.jpg,cat|dog,car\nb.jpg,"cat, big",\n"c ""x"".jpg",,dog\nd.jpg,猫|dog,\n'
    (folder / "wide" / "images").mkdir(parents=True)
    source = Listing(folder="wide", unlisted="unknown", root=str(folder), group="place")
    path = file(folder / "wide" / "labels.csv", wide)
    splits = 'image,split,place\na.jpg,train,x\nb.jpg,test,\n"c ""x"".jpg",,y\nd.jpg,train,x\n'
    yield Target("CSV listing", path, gathered(source))
    yield Target("splits of a CSV listing", file(folder / "wide" / "splits.csv", splits), gathered(source))
    long = "image,labels,value,score\na.jpg,cat,1,\na.jpg,dog,0,\nb.jpg,cat,1,0.5\nb.jpg,car,1,1e-3\n"
    (folder / "long" / "images").mkdir(parents=True)
    path = file(folder / "long" / "labels.csv", long)
    yield Target(
        "long CSV listing",
        path,
        gathered(Listing(folder="long", unlisted="unknown", root=str(folder), layout="long")),
    )
    manifest = 'file,keyword\na.jpg,cat\n"b, c.jpg",办公室\n'
    crawl = folder / "crawl"
    path = file(crawl / "manifest.csv", manifest)
    yield Target("crawl manifest, CSV", path, gathered(Crawl(root=str(crawl), manifest="manifest.csv")))
    lines = '{"file": "a.jpg", "keyword": "cat", "url": "http://x/a"}\n{"file": "b/c.jpg", "keyword": "办公室"}\n'
    path = file(crawl / "manifest.jsonl", lines)
    yield Target("crawl manifest, JSON lines", path, gathered(Crawl(root=str(crawl), manifest="manifest.jsonl")))
    said = '{"photo": "a.jpg", "tag": "cat", "score": 0.9}\n{"photo": "b.jpg", "tag": "猫", "score": null}\n'
    path = file(folder / "product" / "said.jsonl", said)
    product = Product(root=str(path.parent), file=path.name, of="wide", vocabulary="theirs")
    yield Target("product's JSON lines", path, gathered(product))


def _published(folder: Path) -> Iterator[Target]:
    categories = [{"id": 1, "name": "cat", "supercategory": "animal"}, {"id": 3, "name": "dining table"}]
    images = [{"id": number, "file_name": f"{number:012}.jpg", "width": 64, "height": 48} for number in range(3)]
    said = [{"id": 7, "image_id": 0, "category_id": 1, "bbox": [1, 2.5, 3, 4], "segmentation": [[1, 2]], "iscrowd": 0}]
    said += [{"id": 8, "image_id": 2, "category_id": 3, "area": 1e3}]
    coco = json.dumps({"info": {}, "images": images, "annotations": said, "categories": categories}, indent=1)
    path = file(folder / "coco" / "instances.json", coco)
    yield Target("COCO", path, gathered(Coco(root=str(path.parent), annotations="instances.json")))
    devkit = folder / "voc" / "VOCdevkit" / "VOC2012"
    objects = "".join(
        f"<object><name>{name}</name><difficult>{difficult}</difficult>"
        "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>\n"
        for name, difficult in (("cat", 0), ("dining table", 1))
    )
    xml = f'<?xml version="1.0"?>\n<annotation>\n<filename>2012_000001.jpg</filename>\n{objects}</annotation>\n'
    path = file(devkit / "Annotations" / "2012_000001.xml", xml)
    voc = gathered(Voc(root=str(folder / "voc")))
    listed = file(devkit / "ImageSets" / "Main" / "trainval.txt", "2012_000001\n2012_000002\n")
    yield Target("VOC annotation", path, voc)
    yield Target("VOC list", listed, voc)


def _open_images(folder: Path) -> Iterator[Target]:
    root = folder / "open_images"
    source = OpenImages(root=str(root), without_file="keep", machine_labels="*machine*.csv", hierarchy="hierarchy.json")
    one, two = "000002b66c9c498e", "000002b97e5471a0"
    rotation = f'ImageID,Subset,Title,Author,Rotation\n{one},train,"a ""quoted"" title","Doe, Jane",0.0\n'
    rotation += f'{two},validation,"two\nlines",Karen,90.0\n'
    head = "ImageID,Source,LabelName,Confidence"
    human = f"{head}\n{one},verification,/m/014j1m,0\n{one},crowdsource-verification,/m/014sv8,1\n"
    human += f"{two},verification,/m/01599,0.0\n"
    boxes = f"{head},XMin,XMax\n{one},xclick,/m/01g317,1,0.01,0.19\n{two},activemil,/m/0k4j,1,0.15,0.31\n"
    machine = f"{head}\n{one},machine,/m/05_4_,0.7\n{two},machine,/m/0krfg,1.0\n"
    animals = {"LabelName": "/m/014sv8", "Subcategory": [{"LabelName": "/m/01599"}], "Part": [{"LabelName": "/m/1"}]}
    files = {
        "images with rotation": ("image_ids_and_rotation.csv", rotation),
        "verified labels": ("train-annotations-human-imagelabels.csv", human),
        "boxes": ("train-annotations-bbox.csv", boxes),
        "machine labels": ("train-annotations-machine-imagelabels.csv", machine),
        "hierarchy": ("hierarchy.json", json.dumps({"LabelName": "/m/0bl9f", "Subcategory": [animals]}, indent=1)),
    }
    for name, (place, text) in files.items():
        yield Target(f"Open Images, {name}", file(root / place, text), gathered(source))
    described = file(
        folder / "class-descriptions.csv", 'LabelName,DisplayName\n/m/014j1m,Apple\n/m/01599,"Beer, cold"\n'
    )
    yield Target("Open Images, class descriptions", described, lambda: class_descriptions(str(described)))


def _settings(folder: Path) -> Iterator[Target]:
    taxonomy = """name: pets
labels:
  - animal
  - {id: dog, names: {en: Dog, zh: 狗}, parents: [animal], sources: {theirs: [Hund]}, exact: {theirs: [Hund]}}
  - {id: cat, parents: [animal], aliases: [Katze], excludes: [dog], definition: "a cat, alive"}
  - {id: beach, implies: [sea]}
  - sea
"""
    path = file(folder / "pets.yaml", taxonomy)
    yield Target("taxonomy", path, lambda: read_taxonomy(str(path)))
    profile = """labels: [beach, dog]
names: {beach: {en: Seaside, de: Strand}, dog: Hund}
target: {precision: 0.95}
targets: {dog: {recall: 0.5}}
thresholds: {beach: 0.4}
implies: {beach: [dog]}
excludes: {dog: [beach]}
tags_per_photo: 5
language: de
"""
    hotel = file(folder / "hotel.yaml", profile)
    yield Target("profile", hotel, lambda: Profile.read(hotel))
    space = """optimizer.lr: {low: 1e-4, high: 1e-1, log: true}
loss: {choices: [bce, focal]}
loss.gamma: {low: 0.5, high: 3.0, when: {loss: focal}}
"""
    mine = file(folder / "space.yaml", space)
    yield Target("space of a search", mine, lambda: read_space(str(mine)))
    relations = "relations:\n- {label: dog, implies: animal}\n- {label: cat, excludes: dog}\n"
    patch = file(folder / "relations.yaml", relations)
    yield Target("suggested relations", patch, lambda: read_suggestions(patch))


def _answers(folder: Path) -> Iterator[Target]:
    moment = "2026-01-01T12:00:00+00:00"
    corrections = [
        Correction(f"{number:032x}", f"{number}.jpg", "dog", value, "ann", moment, "f00", 0.5)
        for number, value in enumerate(("present", "absent", "unknown"))
    ]
    path = file(folder / "corrections.jsonl", b"".join(said.to_line() for said in corrections).decode())
    yield Target("corrections", path, lambda: list(read_corrections(path)))
    choice = {"from_name": "verdict", "to_name": "image", "type": "choices", "value": {"choices": ["present"]}}
    annotation = {"id": 1, "completed_by": {"email": "ann@example.com"}, "result": [choice], "updated_at": moment}
    prediction = {"model_version": "theirs", "result": [choice], "score": 0.5}
    data = {"task_id": "t1", "label": "dog", "catalog": "c"}
    task = {"id": 1, "data": data, "annotations": [annotation], "predictions": [prediction]}
    small = {"task_id": "t2", "label": "dog", "verdict": "absent", "annotator": 7, "updated_at": moment}
    verdict = {"task": "t1", "label": "dog", "verdict": "present", "time": moment}
    saved = {"format": FORMAT, "annotator": "ann", "catalog": "c", "verdicts": [verdict]}
    texts = {
        "Label Studio export": json.dumps([task, task | {"id": 2}], indent=1),
        "Label Studio export, small": json.dumps([small, small], indent=1),
        "answers saved by the page": json.dumps(saved, indent=1),
        "table of answers": "task_id,photo,label,verdict,annotator\nt1,a.jpg,dog,yes,ann\nt2,b.jpg,dog,no,\n",
    }
    for number, (name, text) in enumerate(texts.items()):
        answers = file(folder / f"answers{number}", text)
        yield Target(name, answers, lambda answers=answers: list(read_answers(answers.read_bytes(), answers)))
