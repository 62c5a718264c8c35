"""The law of facts: what sources said holds, what they were silent about is unknown, however they are read."""

import io
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from facts import by_name, gather_into, held
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from tagger.data.catalog import CatalogStore
from tagger.data.catalog.history import history_tables
from tagger.data.sources.coco import Coco
from tagger.data.sources.listing import Listing
from tagger.data.sources.source import Source
from tagger.data.sources.voc import Voc
from tagger.data.states import ABSENT, PRESENT, UNKNOWN
from tagger.data.taxonomy import parse_taxonomy

PHOTOS = tuple(f"{number}.png" for number in range(4))
NAMES = {"dog": "Hund", "cat": "Katze", "car": "Auto"}
"""What COCO and VOC call the labels here; a listing uses their ids."""

TAXONOMY = parse_taxonomy(
    "".join(
        f"  - {{id: {id_}, sources: {{coco: [{name}], voc: [{name}]}}, exact: {{coco: [{name}], voc: [{name}]}}}}\n"
        for id_, name in NAMES.items()
    )
    .join(["labels:\n", ""])
    .encode(),
    Path("three.yaml"),
)

Facts = dict[tuple[str, str], int]
"""By photo and label, what is said."""


@dataclass(frozen=True)
class Drawn:
    """A source as its author means it."""

    kind: str
    said: dict[str, frozenset[str]]
    """Labels that are present, by photo that it lists."""
    denied: dict[str, frozenset[str]]
    """Labels that a listing calls absent by name."""
    declared: frozenset[str]
    """Labels that were looked for."""
    exhaustive: bool

    def facts(self) -> Facts:
        """Return what this says, by the plain rule: named, else denied, else silently absent where looked for."""
        facts = {}
        for photo, label in product(self.said, NAMES):
            if label in self.said[photo]:
                facts[photo, label] = PRESENT
            elif label in self.denied.get(photo, ()) or (self.exhaustive and label in self.declared):
                facts[photo, label] = ABSENT
        return facts

    def written(self, root: Path) -> Source:
        """Write this as its kind does; photos of one name have the same bytes in every source."""
        source = _WRITERS[self.kind](self, root)
        for photo in self.said:
            file = next(root.rglob("images"), root / "VOCdevkit/VOC2012/JPEGImages") / photo
            file.write_text(photo)
        return source


def _listing(drawn: Drawn, root: Path) -> Source:
    (root / "set" / "images").mkdir(parents=True)
    rows = [
        f"{photo},{'|'.join(sorted(names))},{'|'.join(sorted(drawn.denied.get(photo, ())))}"
        for photo, names in drawn.said.items()
    ]
    (root / "set" / "labels.csv").write_text("\n".join(["image,labels,absent", *rows]) + "\n")
    looked_for = sorted(drawn.declared) if drawn.exhaustive else None
    unlisted = "absent" if drawn.exhaustive else "unknown"
    return Listing(root=str(root), folder="set", unlisted=unlisted, looked_for=looked_for)


def _coco(drawn: Drawn, root: Path) -> Source:
    (root / "images").mkdir(parents=True)
    categories = sorted(drawn.declared)
    said = [
        {"id": 10 * row + column, "image_id": row, "category_id": column}
        for row, names in enumerate(drawn.said.values())
        for column, name in enumerate(categories)
        if name in names
    ]
    content = {
        "images": [{"id": row, "file_name": photo} for row, photo in enumerate(drawn.said)],
        "annotations": said,
        "categories": [{"id": column, "name": NAMES[name]} for column, name in enumerate(categories)],
    }
    (root / "a.json").write_text(json.dumps(content))
    return Coco(root=str(root), annotations="a.json", photos="images")


def _voc(drawn: Drawn, root: Path) -> Source:
    devkit = root / "VOCdevkit" / "VOC2012"
    for name in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (devkit / name).mkdir(parents=True)
    for photo, names in drawn.said.items():
        objects = "".join(f"<object><name>{NAMES[name]}</name></object>" for name in sorted(names))
        xml = f"<annotation><filename>{photo}</filename>{objects}</annotation>"
        (devkit / "Annotations" / photo.replace(".png", ".xml")).write_text(xml)
    ids = "\n".join(Path(photo).stem for photo in drawn.said)
    for name in ("trainval", *(f"{NAMES[name]}_trainval" for name in drawn.declared)):
        (devkit / "ImageSets" / "Main" / f"{name}.txt").write_text(ids)
    return Voc(root=str(root))


_WRITERS: dict[str, Callable[[Drawn, Path], Source]] = {"listing": _listing, "coco": _coco, "voc": _voc}


@st.composite
def drawn_source(draw: st.DrawFn) -> Drawn:
    """Draw a source that says something: one that does not is refused."""
    kind = draw(st.sampled_from(list(_WRITERS)))
    declared = draw(st.sets(st.sampled_from(list(NAMES)), min_size=1))
    photos = draw(st.lists(st.sampled_from(PHOTOS), min_size=1, unique=True))
    names = st.sampled_from(sorted(declared if kind != "listing" else NAMES))
    said = {photo: frozenset(draw(st.sets(names, min_size=place == 0))) for place, photo in enumerate(photos)}
    denied = {}
    if kind == "listing":
        named = st.sets(st.sampled_from(list(NAMES)))
        denied = {photo: frozenset(draw(named)) - said[photo] for photo in photos}
    exhaustive = kind != "listing" or draw(st.booleans())
    return Drawn(kind, said, denied, frozenset(declared), exhaustive)


def expected(sources: list[Drawn]) -> Facts:
    """Return what holds: what all who speak agree on."""
    said = defaultdict(set)
    for source in sources:
        for subject, value in source.facts().items():
            said[subject].add(value)
    return {subject: values.pop() if len(values) == 1 else UNKNOWN for subject, values in said.items()}


def without_silence(states: dict[str, dict[str, int]]) -> Facts:
    return {(photo, label): value for photo, own in states.items() for label, value in own.items()}


def shown(folder: Path, photo: str) -> Facts:
    """Return what ``show`` says of a photo."""
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(*history_tables(CatalogStore(folder), photo, TAXONOMY))
    facts = {}
    for line in console.export_text().splitlines():
        for word, value in (("present", PRESENT), ("absent", ABSENT)):
            if line.startswith(word) and "now:" in line:
                names = line.partition("now:")[2].strip()
                facts |= {(photo, name): value for name in names.split(", ") if name != "–"}
    return facts


@settings(max_examples=25, deadline=None)
@given(st.lists(drawn_source(), min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_what_sources_said_holds_and_what_they_were_silent_about_is_unknown(drawn: list[Drawn], dice: object) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        sources = {f"s{number}": own.written(root / f"s{number}") for number, own in enumerate(drawn)}
        facts = {subject: value for subject, value in expected(drawn).items() if value != UNKNOWN}
        listed = {photo for own in drawn for photo in own.said}

        gather_into(root / "c", sources, TAXONOMY)
        assert without_silence(held(root / "c", TAXONOMY)) == facts
        for photo in listed:
            assert shown(root / "c", photo) == {pair: value for pair, value in facts.items() if pair[0] == photo}

        before = CatalogStore(root / "c").fingerprint
        gather_into(root / "c", sources, TAXONOMY)
        assert CatalogStore(root / "c").fingerprint == before, "twice in a row adds nothing"

        order = list(sources)
        dice.shuffle(order)  # type: ignore[attr-defined]
        gather_into(root / "other", {name: sources[name] for name in order}, TAXONOMY)
        assert held(root / "other", TAXONOMY) == held(root / "c", TAXONOMY), "in any order of sources"

        for name in order:
            gather_into(root / "one by one", {name: sources[name]}, TAXONOMY)
        assert held(root / "one by one", TAXONOMY) == held(root / "c", TAXONOMY), "or one after another"

        for number, own in enumerate(drawn):
            if isinstance(source := sources[f"s{number}"], Listing):
                alone = source.read(None, TAXONOMY)
                states = by_name(alone.photos["path"].to_pylist(), alone.states.toarray(), TAXONOMY)
                assert without_silence(states) == own.facts(), "the same without a catalog"
