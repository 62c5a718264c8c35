"""card.html and card.md: what is in a catalog, whatever the names are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from rich.cells import cell_len

from tagger.data.assembly import Assembly, assemble
from tagger.data.card import write_card
from tagger.data.card.facts import Facts, facts_of
from tagger.data.card.markdown import card_text
from tagger.data.card.page import card_page
from tagger.data.catalog import CatalogStore
from tagger.data.catalog.store import TABLES
from tagger.data.inspection import inspect
from tagger.data.sources.source import Chunk, Folds, Skipped
from tagger.data.sources.tables import annotation_table, photo_table
from tagger.data.states import Unknown
from tagger.data.taxonomy import Label, Taxonomy
from tagger.pages.visible import visible

HOSTILE = "<script>document.title = 'taken'</script>\n\"'&</title>|`*"
TAXONOMY = Taxonomy(
    "mine",
    (
        Label("animal", {"en": "animal", "zh": "动物"}),
        Label("dog", {"en": "dog", "zh": "狗"}, parents=("animal",), definition="A living dog."),
        Label("cat", {"en": "cat"}, parents=("animal",)),
        Label("sofa", {"en": HOSTILE, "zh": HOSTILE}, definition=HOSTILE),
        Label("sky", {}),
    ),
    left_out={"own": {"blur": "says how the photo was taken"}},
    fingerprint="of the test",
)
STRANGE = '"><script>x.jpg'


@dataclass(frozen=True, kw_only=True)
class Told:
    """A source that says what it is told: names that are present, or absent with a minus, by file."""

    root: str
    photos: dict[str, tuple[str, ...]]
    vocabulary: str = "own"
    exhaustive: bool = False
    unknown: Unknown = "negative"
    folds: Folds = "all"

    def chunks(self, skipped: Skipped) -> Iterator[Chunk]:
        skipped.add("a line <i>", HOSTILE, times=3)
        keys = pa.array(self.photos, pa.string())
        # Somebody knows a photo of which there is no file.
        paths = pa.array([None if key == "nowhere" else key for key in self.photos], pa.string())
        said = [(key, name) for key, names in self.photos.items() for name in names]
        annotations = annotation_table(
            pa.array([key for key, _ in said], pa.string()),
            pa.array([name.removeprefix("-") for _, name in said], pa.string()),
            value=pa.array([-1 if name.startswith("-") else 1 for _, name in said], pa.int8()),
        )
        yield Chunk(photo_table(keys, paths), annotations)


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Told]:
    """Seven dogs on sofas, five skies of which two are alike, a cat; another source says a dog is none."""
    rng = np.random.default_rng(0)
    mine, yours = tmp_path / "mine", tmp_path / "yours"
    names = {f"{number}.jpg": ("dog", "sofa") for number in range(7)}
    names |= {f"{number}.jpg": ("sky",) for number in range(7, 12)} | {STRANGE: ("cat", HOSTILE), "nowhere": ("blur",)}
    for folder in (mine, yours):
        folder.mkdir()
    for name in names:
        if name != "nowhere":
            picture = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            picture.resize((160, 120), Image.Resampling.BICUBIC).save(mine / name)
    # A burst: the same photo, a little smaller.
    Image.open(mine / "8.jpg").resize((150, 112)).save(mine / "9.jpg", quality=90)
    (yours / "same.jpg").write_bytes((mine / "3.jpg").read_bytes())
    return {
        "mine": Told(root=str(mine), photos=names),
        "yours": Told(root=str(yours), photos={"same.jpg": ("-dog",)}, unknown="ignore"),
    }


@pytest.fixture
def prepared(tmp_path: Path, sources: dict[str, Told]) -> tuple[CatalogStore, Assembly]:
    return prepare(tmp_path / "catalog", sources)


def prepare(folder: Path, sources: dict[str, Told]) -> tuple[CatalogStore, Assembly]:
    store = CatalogStore(folder)
    look = partial(inspect, workers=0, progress=False)
    settings = {
        name: {key: value for key, value in vars(told).items() if key != "photos"} for name, told in sources.items()
    }
    with store.locked():
        assembly = assemble(store, sources, TAXONOMY, inspect=lambda root, paths: look(paths, root))
        store.append(assembly.batches, taxonomy={"name": "mine", "fingerprint": "of the test"}, sources=settings)
    return store, assembly


@pytest.fixture
def facts(prepared: tuple[CatalogStore, Assembly]) -> Facts:
    store, assembly = prepared
    return facts_of(store, TAXONOMY, assembly)


@pytest.fixture
def page(facts: Facts) -> str:
    return card_page(facts, title="Data card of <b>")


# --- the facts ----------------------------------------------------------------------------------------------------


def test_photos_and_labels_are_counted_with_what_follows(facts: Facts):
    assert (len(facts.photos), facts.without_file) == (14, 1)
    # The dog of photo 3 is contradicted: six dogs remain, and with the cat seven animals.
    assert facts.counts.present[0].tolist() == [7, 6, 1, 7, 5]
    assert facts.by_source.photos.tolist() == [14, 1]
    assert [source.statements["absent"] for source in facts.sources] == [0, 1]
    assert facts.sheets[1].tolist().count(-1) == 2


def test_what_people_say_counts_and_is_no_sources(
    prepared: tuple[CatalogStore, Assembly], facts: Facts, sources: dict[str, Told]
):
    store, _ = prepared
    verdict = {"photo": 3, "label": "dog", "value": 1, "origin": "human", "annotator": "ann"}
    with store.locked():
        store.append({"verdicts": {"annotations": pa.Table.from_pylist([verdict], schema=TABLES["annotations"])}})
    store, assembly = prepare(store.folder, sources)
    now = facts_of(store, TAXONOMY, assembly)
    # Ann has settled what the two sources contradict each other about.
    assert now.counts.present[0].tolist() == [8, 7, 1, 7, 5]
    assert [source.statements for source in now.sources] == [source.statements for source in facts.sources]


def test_the_same_photo_of_two_sources_and_their_contradiction_are_found(facts: Facts):
    assert (facts.several, facts.groups.sizes.tolist()) == (1, [2])
    assert [(pair.first, pair.second, pair.photos) for pair in facts.shared] == [("mine", "yours", 1)]
    assert [(one.label, one.present, one.absent) for one in facts.contradictions] == [("dog", ("mine",), ("yours",))]
    assert facts.file(facts.contradictions[0].photo) == "mine/3.jpg"


def test_names_without_a_label_are_told_from_those_left_out_on_purpose(facts: Facts):
    assert [(name.source, name.name, name.count) for name in facts.unmapped] == [("mine", HOSTILE, 1)]
    assert [(name.name, name.note) for name in facts.left_out] == [("blur", "says how the photo was taken")]
    assert [(drop.reason, drop.count) for drop in facts.dropped] == [("a line <i>", 3)] * 2


def test_a_pair_that_comes_together_is_found_and_a_child_with_its_parent_is_not(facts: Facts):
    pairs = [(TAXONOMY.ids[pair.first], TAXONOMY.ids[pair.second], pair.together) for pair in facts.pairs]
    assert pairs == [("dog", "sofa", 6), ("animal", "sofa", 6)]


def test_labels_without_photos_in_a_fold_are_counted(facts: Facts):
    assert facts.missing_in["test"] == (facts.balance.present[0] == 0).sum()
    assert sum(facts.labels_by_tier.values()) == len(TAXONOMY)


# --- the page -----------------------------------------------------------------------------------------------------


def test_names_are_escaped_wherever_they_stand(page: str):
    assert page.count("<script") == 1
    assert "<b>" not in re.sub(r"<b>\d", "", page)
    assert "<i>" not in page
    assert "&lt;script&gt;" in page
    assert 'aria-label="photo mine/&#34;&gt;&lt;script&gt;x.jpg"' in page


def test_names_of_sources_are_escaped_too(tmp_path: Path, sources: dict[str, Told]):
    store, assembly = prepare(tmp_path / "catalog", {"<u>_mine": sources["mine"]})
    page = card_page(facts_of(store, TAXONOMY, assembly), title="hostile")
    assert "<u>" not in page
    assert "&lt;u&gt;_<wbr>mine" in page


def test_the_policy_forbids_whatever_the_page_does_not_bring(page: str):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert re.search(r"script-src 'sha256-[\w+/]{43}='", policy[1])
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", page)
    assert set(re.findall(r"https?://[\w./]+", page)) <= {"http://www.w3.org/1999/xlink"}


def test_a_photo_is_embedded_once_however_many_labels_show_it(page: str):
    embedded = re.findall(r"\.p(\d+)\{background-image", page)
    assert len(embedded) == len(set(embedded)) == 13
    # A dog on a sofa: of the label, of its parent, of the sofa.
    dog = re.findall(r'aria-label="photo mine/1.jpg"', page)
    assert len(dog) == 3


def test_beyond_the_limit_photos_are_named_instead_of_shown(facts: Facts):
    page = card_page(facts, title="few", thumbnail_limit=2)
    assert page.count("{background-image") == 2
    assert "not embedded" in page


def test_a_photo_that_is_gone_is_said_to_be(facts: Facts, sources: dict[str, Told]):
    (Path(sources["mine"].root) / "3.jpg").unlink()
    assert "cannot be read" in card_page(facts, title="gone")


def test_the_same_catalog_gives_the_same_bytes(facts: Facts, page: str):
    assert card_page(facts, title="Data card of <b>") == page


def test_every_link_of_the_page_leads_somewhere(page: str):
    ids = set(re.findall(r' id="([\w-]+)"', page))
    assert set(re.findall(r'href="#([\w-]+)"', page)) <= ids


def test_an_empty_catalog_has_a_card_too(tmp_path: Path):
    store, assembly = prepare(tmp_path / "empty", {"mine": Told(root=str(tmp_path), photos={})})
    write_card(store, TAXONOMY, assembly, progress=False)
    assert "No two sources contradict each other." in (store.folder / "card.html").read_text(encoding="utf-8")
    assert "no label has photos" in (store.folder / "card.html").read_text(encoding="utf-8")


def test_preparing_again_says_what_is_there_though_nothing_is_new(tmp_path: Path, sources: dict[str, Told]):
    prepare(tmp_path / "catalog", sources)
    store, assembly = prepare(tmp_path / "catalog", sources)
    facts = facts_of(store, TAXONOMY, assembly)
    assert facts.counts.present[0].tolist() == [7, 6, 1, 7, 5]
    assert (facts.several, len(facts.contradictions)) == (1, 1)


# --- the text -----------------------------------------------------------------------------------------------------


def test_the_text_has_the_facts_of_the_page(facts: Facts):
    text = card_text(facts, title="Data card of mine")
    assert re.search(r"^\| dog +\| dog 狗 +\| +6 \|", text, re.MULTILINE)
    assert re.search(r"^\| dog +\| mine +\| yours +\| mine/3.jpg", text, re.MULTILINE)
    assert re.search(r"^\| dog +\| sofa +\| +\d+\.\d \| +6 \|", text, re.MULTILINE)
    assert "says how the photo was taken" in text
    assert "- photos in more than one source: 1" in text


def test_tables_of_the_text_keep_their_columns_whatever_the_names_are(facts: Facts):
    text = card_text(facts, title=HOSTILE)
    assert "<script" not in text.replace("\\<script", "")
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        lines = block.splitlines()
        cells = [re.split(r"(?<!\\)\|", line) for line in lines]
        assert len({len(row) for row in cells}) == 1
        # Columns stand under each other, Chinese names too; only the last one is as long as it is.
        assert len({cell_len("|".join(row[:-2])) for row in cells}) == 1


# --- in a browser -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_page_works_in_a_browser_and_asks_for_nothing(prepared: tuple[CatalogStore, Assembly], browser: Any):
    store, assembly = prepared
    write_card(store, TAXONOMY, assembly, progress=False)
    page = browser.new_page(viewport={"width": 390, "height": 844})
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto((store.folder / "card.html").as_uri())
    rows, sheets = page.locator("#labels tbody tr:visible"), page.locator("#sheets article:visible")

    assert page.title() == "Data card of catalog"
    assert visible(HOSTILE) in page.locator("#labels").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert sheets.count() == 0

    page.fill("#search", "狗")
    assert (rows.count(), sheets.count()) == (1, 1)
    assert page.inner_text("#shown") == "1 of 5 labels"
    page.fill("#search", "")

    heading = page.locator("#labels").get_by_role("button", name="present", exact=True)
    heading.click()
    assert [row.split()[0] for row in rows.all_inner_texts()][-1] == "cat"
    page.keyboard.press("Enter")  # The heading has the focus: now ascending.
    assert rows.first.inner_text().split()[0] == "cat"

    rows.first.locator("a").click()
    assert page.evaluate("document.activeElement.id") == "label-2"
    thumb = page.locator("#label-2 .thumb")
    thumb.wait_for(state="visible")
    assert thumb.evaluate("element => getComputedStyle(element).backgroundImage").startswith('url("data:image/jpeg')
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.slow
def test_the_page_can_be_read_without_scripts(prepared: tuple[CatalogStore, Assembly], browser: Any):
    store, assembly = prepared
    write_card(store, TAXONOMY, assembly, progress=False)
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto((store.folder / "card.html").as_uri())
    assert page.locator("#labels tbody tr:visible").count() == 5
    assert not page.locator("#controls").is_visible()
    page.locator("#labels a").first.click()
    page.locator("#label-0").wait_for(state="visible")
