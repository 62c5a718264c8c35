"""Sources become one catalog: what is new, what is the same photo, who says what, and which fold."""

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tagger.data.assembly import Assembly, assemble
from tagger.data.catalog import TEST_FOLD, CatalogStore
from tagger.data.catalog.prepared import view
from tagger.data.catalog.store import TABLES
from tagger.data.inspection import inspect
from tagger.data.sources.sample.draw import draw_photo
from tagger.data.sources.sample.plan import plan_photo
from tagger.data.sources.source import Chunk, Folds, Skipped, Source, SourceError
from tagger.data.sources.tables import annotation_table, photo_table
from tagger.data.states import Unknown
from tagger.data.taxonomy import Label, Taxonomy

TAXONOMY = Taxonomy(
    "mine",
    (
        Label("animal", {}),
        Label("dog", {}, parents=("animal",), sources={"voc": ("dog",)}, exact={"voc": ("dog",)}),
        Label("cat", {}, parents=("animal",), sources={"voc": ("cat",)}, exact={"voc": ("cat",)}),
        Label("sky", {}),
    ),
    left_out={"voc": {"tie": "too rare"}},
    fingerprint="of the test",
)


@dataclass(frozen=True, kw_only=True)
class Said:
    """A source that says what it is told: (photo's file, names that are present)."""

    root: str
    photos: dict[str, tuple[str, ...]]
    vocabulary: str = "voc"
    exhaustive: bool = False
    unknown: Unknown = "ignore"
    folds: Folds = "all"
    origin: str = "source"
    of: str | None = None
    split: dict[str, str] = field(default_factory=dict)

    def chunks(self, skipped: Skipped) -> Iterator[Chunk]:
        keys = pa.array(self.photos, pa.string())
        said = [(key, name) for key, names in self.photos.items() for name in names]
        split = pa.array([self.split.get(key) for key in self.photos], pa.string())
        listed = photo_table(keys, keys, split=split)
        annotations = annotation_table(
            pa.array([key for key, _ in said], pa.string()),
            pa.array([name for _, name in said], pa.string()),
            origin=self.origin,
        )
        yield Chunk(listed.slice(0, 0) if self.of else listed, annotations)


@pytest.fixture
def draw(tmp_path: Path) -> Callable[..., str]:
    """Draw a photo of its own into a folder; returns the folder. ``like`` gives another photo's picture."""

    def make(folder: str, name: str, *, seed: int, quality: int = 95, size: int = 160) -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        picture = draw_photo(plan_photo(7, seed), size=160)
        picture.resize((size, size), Image.Resampling.LANCZOS).save(tmp_path / folder / name, "JPEG", quality=quality)
        return str(tmp_path / folder)

    return make


@pytest.fixture
def store(tmp_path: Path) -> CatalogStore:
    return CatalogStore(tmp_path / "catalog")


def plan(store: CatalogStore, **sources: Source) -> Assembly:
    look = partial(inspect, workers=0, progress=False)
    return assemble(store, sources, TAXONOMY, inspect=lambda root, paths: look(paths, root))


def prepare(store: CatalogStore, **sources: Source) -> Assembly:
    with store.locked():
        assembly = plan(store, **sources)
        settings = {
            name: {"root": source.root, "unknown": source.unknown, "folds": source.folds}
            for name, source in sources.items()
        }
        store.append(assembly.batches, sources=settings)
    return assembly


def states(store: CatalogStore) -> list[list[int]]:
    """Return the states of every photo that has a file."""
    roots = {name: settings["root"] for name, settings in store.manifest.sources.items()}
    return view(store, TAXONOMY, roots=roots, complete=True).states.toarray().tolist()


def test_names_become_labels_and_parents_follow(store: CatalogStore, draw: Callable[..., str]) -> None:
    root = draw("voc", "1.jpg", seed=1)
    assembly = prepare(store, voc=Said(root=root, photos={"1.jpg": ("dog", "tie", "horse")}))
    assert states(store) == [[1, 1, 0, 0]]
    report = assembly.reports["voc"]
    assert (report.photos, report.new, report.added) == (1, 1, 1)
    assert (report.unmapped, report.left_out) == ({"horse": 1}, {"tie": 1})


def test_an_exhaustive_source_knows_what_is_absent_and_nothing_about_other_labels(
    store: CatalogStore, draw: Callable[..., str]
) -> None:
    root = draw("voc", "1.jpg", seed=1)
    draw("voc", "2.jpg", seed=2)
    prepare(store, voc=Said(root=root, photos={"1.jpg": ("dog",), "2.jpg": ()}, exhaustive=True))
    assert states(store) == [[1, 1, -1, 0], [0, -1, -1, 0]]


def test_the_same_bytes_in_two_sources_are_one_photo_of_which_both_speak(
    store: CatalogStore, draw: Callable[..., str]
) -> None:
    first, second = draw("a", "1.jpg", seed=1), draw("b", "other.jpg", seed=1)
    assembly = prepare(
        store,
        voc=Said(root=first, photos={"1.jpg": ("dog",)}),
        own=Said(root=second, photos={"other.jpg": ("sky",)}, vocabulary="own"),
    )
    assert states(store) == [[1, 1, 0, 1]]
    assert assembly.reports["own"].same_bytes == 1
    assert store.table("sightings").select(["photo", "key"]).to_pylist() == [
        {"photo": 0, "key": "1.jpg"},
        {"photo": 0, "key": "other.jpg"},
    ]


@pytest.mark.parametrize("change", [{"quality": 60}, {"size": 120}])
def test_a_photo_that_another_source_has_re_encoded_or_resized_is_one_photo(
    store: CatalogStore, draw: Callable[..., str], change: dict[str, int]
) -> None:
    first, second = draw("a", "1.jpg", seed=1), draw("b", "2.jpg", seed=1, **change)
    draw("b", "3.jpg", seed=3)
    assembly = prepare(
        store,
        voc=Said(root=first, photos={"1.jpg": ("dog",)}),
        own=Said(root=second, photos={"2.jpg": ("sky",), "3.jpg": ("sky",)}, vocabulary="own"),
    )
    assert assembly.same_look == [("own/2.jpg", "voc/1.jpg")]
    assert states(store) == [[1, 1, 0, 1], [0, 0, 0, 1]]


def test_near_duplicates_within_a_source_stay_two_photos_and_share_a_fold(
    store: CatalogStore, draw: Callable[..., str]
) -> None:
    root = draw("a", "0.jpg", seed=0)
    photos: dict[str, tuple[str, ...]] = {"0.jpg": ("dog",)}
    for number in range(1, 12):
        draw("a", f"{number}.jpg", seed=0, quality=95 - 5 * number)
        photos[f"{number}.jpg"] = ("dog",)
    for number in range(20):
        draw("a", f"other{number}.jpg", seed=100 + number)
        photos[f"other{number}.jpg"] = ("dog",)
    prepare(store, voc=Said(root=root, photos=photos))
    table = store.table("photos")
    assert len(table) == 32
    assert set(table["group"].to_pylist()[:12]) == {0}
    assert len(set(table["fold"].to_pylist()[:12])) == 1
    assert table["group"].to_pylist()[12:] == list(range(12, 32))


def test_sources_that_contradict_each_other_are_listed_and_the_label_is_unknown(
    store: CatalogStore, draw: Callable[..., str]
) -> None:
    first, second = draw("a", "1.jpg", seed=1), draw("b", "1.jpg", seed=1)
    assembly = prepare(
        store,
        voc=Said(root=first, photos={"1.jpg": ("dog",)}, exhaustive=True),
        own=Said(root=second, photos={"1.jpg": ("cat",)}),
    )
    (dispute,) = assembly.contradictions
    assert (dispute.photo, dispute.label, dispute.present, dispute.absent) == (0, "cat", ("own",), ("voc",))
    assert states(store) == [[1, 1, 0, 0]]


def test_preparing_again_adds_nothing(store: CatalogStore, draw: Callable[..., str]) -> None:
    source = Said(root=draw("a", "1.jpg", seed=1), photos={"1.jpg": ("dog",)}, exhaustive=True)
    prepare(store, voc=source)
    before = store.fingerprint
    again = prepare(store, voc=source)
    assert store.fingerprint == before
    assert (again.reports["voc"].new, again.reports["voc"].added) == (0, 0)


def test_a_file_that_was_changed_is_another_photo_and_the_earlier_one_has_no_file(
    store: CatalogStore, draw: Callable[..., str]
) -> None:
    root = draw("voc", "1.jpg", seed=1)
    draw("voc", "2.jpg", seed=2)
    voc = Said(root=root, photos={"1.jpg": ("dog",), "2.jpg": ()})
    assert prepare(store, voc=voc).changed == []
    draw("voc", "1.jpg", seed=3)
    assert plan(store, voc=voc).changed == ["voc/1.jpg"]
    prepare(store, voc=voc)
    roots = {"voc": root}
    seen = view(store, TAXONOMY, roots=roots, complete=True)
    ids = dict(zip(*(seen.photos[name].to_pylist() for name in ("path", "photo_id")), strict=True))
    assert ids == {path: hashlib.sha256((Path(root) / path).read_bytes()).hexdigest()[:32] for path in voc.photos}
    assert sorted(states(store)) == [[0, 0, 0, 0], [1, 1, 0, 0]]
    again = prepare(store, voc=voc)
    assert (again.changed, again.reports["voc"].new) == ([], 0)


def test_a_file_that_became_a_copy_of_another_is_that_photo(store: CatalogStore, draw: Callable[..., str]) -> None:
    root = draw("voc", "1.jpg", seed=1)
    draw("voc", "2.jpg", seed=2)
    voc = Said(root=root, photos={"1.jpg": ("dog",), "2.jpg": ()})
    prepare(store, voc=voc)
    (Path(root) / "1.jpg").write_bytes((Path(root) / "2.jpg").read_bytes())
    assert prepare(store, voc=voc).changed == ["voc/1.jpg"]
    assert len(states(store)) == 1


def test_what_people_said_goes_on_to_a_file_whose_picture_is_the_same(
    store: CatalogStore, draw: Callable[..., str]
) -> None:
    root = draw("voc", "1.jpg", seed=1)
    voc = Said(root=root, photos={"1.jpg": ()})
    prepare(store, voc=voc)
    verdict = {"photo": [0], "label": ["sky"], "value": [1], "origin": ["human"], "annotator": ["ann"]}
    names = ["photo", "label", "value", "origin", "annotator"]
    with store.locked():
        schema = pa.schema([TABLES["annotations"].field(name) for name in names])
        store.append({"verdicts": {"annotations": pa.table(verdict, schema=schema)}})
    # As if keywords had been written into it: other bytes, the same picture.
    draw("voc", "1.jpg", seed=1, quality=94)
    fold = store.table("photos")["fold"].to_pylist()
    assert prepare(store, voc=voc).changed == ["voc/1.jpg"]
    assert states(store) == [[0, 0, 0, 1]]
    assert store.table("photos")["fold"].to_pylist() == fold * 2
    draw("voc", "1.jpg", seed=9)
    prepare(store, voc=voc)
    assert states(store) == [[0, 0, 0, 0]], "nobody has looked at this one"


def test_a_source_that_changes_its_mind_is_heard_and_what_it_said_is_kept(
    store: CatalogStore, draw: Callable[..., str]
) -> None:
    root = draw("a", "1.jpg", seed=1)
    prepare(store, voc=Said(root=root, photos={"1.jpg": ("dog",)}, exhaustive=True))
    prepare(store, voc=Said(root=root, photos={"1.jpg": ("cat",)}, exhaustive=True))
    assert states(store) == [[1, -1, 1, 0]]
    assert len(store.table("annotations")) == 4


def test_what_was_taken_back_is_not_said_again(store: CatalogStore, draw: Callable[..., str]) -> None:
    source = Said(root=draw("a", "1.jpg", seed=1), photos={"1.jpg": ("dog",)})
    prepare(store, voc=source)
    with store.locked():
        store.undo(2)
    assert prepare(store, voc=source).reports["voc"].added == 0
    assert states(store) == [[0, 0, 0, 0]]


def test_photos_that_are_added_move_none_that_has_a_fold(store: CatalogStore, draw: Callable[..., str]) -> None:
    root = ""
    photos: dict[str, tuple[str, ...]] = {}
    for number in range(30):
        root = draw("a", f"{number}.jpg", seed=number)
        photos[f"{number}.jpg"] = ("dog",) if number % 2 else ("cat",)
    prepare(store, voc=Said(root=root, photos=dict(list(photos.items())[:20])))
    before = store.table("photos")["fold"].to_pylist()
    prepare(store, voc=Said(root=root, photos=photos))
    after = store.table("photos")["fold"].to_pylist()
    assert after[:20] == before
    assert np.bincount(after, minlength=10).tolist() == [3] * 10


def test_a_published_test_set_is_the_test_fold_if_asked_for(store: CatalogStore, draw: Callable[..., str]) -> None:
    root = ""
    for number in range(20):
        root = draw("a", f"{number}.jpg", seed=number)
    names = [f"{number}.jpg" for number in range(20)]
    split = {name: "test" if number < 4 else "train" for number, name in enumerate(names)}
    source = Said(root=root, photos=dict.fromkeys(names, ("dog",)), split=split)
    look = partial(inspect, workers=0, progress=False)
    assembly = assemble(
        store, {"voc": source}, TAXONOMY, inspect=lambda root, paths: look(paths, root), split="official"
    )
    folds = assembly.batches["photos"]["photos"]["fold"].to_pylist()
    assert folds[:4] == [TEST_FOLD] * 4


def test_photos_that_a_search_chose_train_and_those_that_another_source_has_do_not_count_as_chosen(
    store: CatalogStore, draw: Callable[..., str]
) -> None:
    for number in range(30):
        own, found = draw("own", f"{number}.jpg", seed=number), draw("found", f"{number}.jpg", seed=100 + number)
    # The search has also found the first ten photos of the data set, under other names.
    for number in range(10):
        draw("found", f"own{number}.jpg", seed=number)
    names = [f"{number}.jpg" for number in range(30)]
    photos = dict.fromkeys([*names, *(f"own{number}.jpg" for number in range(10))], ("dog",))
    prepare(
        store,
        search=Said(root=found, photos=photos, folds="train"),
        voc=Said(root=own, photos=dict.fromkeys(names, ("dog",))),
    )
    table = store.table("photos", ["source", "path", "fold"]).to_pylist()
    assert len(table) == 60
    chosen = [row for row in table if row["source"] == "search" and not row["path"].startswith("own")]
    folds = [[row["fold"] for row in rows] for rows in (chosen, [row for row in table if row not in chosen])]
    assert min(folds[0]) >= 2
    assert np.bincount(folds[1], minlength=10).tolist() == [3] * 10


def test_what_a_search_finds_later_trains_too_but_for_what_the_catalog_has_or_looks_like_it(
    store: CatalogStore, draw: Callable[..., str]
) -> None:
    for number in range(10):
        own = draw("own", f"{number}.jpg", seed=number)
    prepare(store, voc=Said(root=own, photos={f"{number}.jpg": ("dog",) for number in range(10)}))
    folds = store.table("photos", ["fold"])["fold"].to_pylist()
    tests = folds.index(TEST_FOLD)
    # The search finds the test photo itself, one that is cut a little otherwise, and eight new ones.
    found = draw("found", "same.jpg", seed=tests)
    Image.open(Path(own) / f"{tests}.jpg").crop((2, 2, 160, 160)).save(Path(found) / "alike.jpg", quality=95)
    for number in range(8):
        draw("found", f"{number}.jpg", seed=100 + number)
    names = ["same.jpg", "alike.jpg", *(f"{number}.jpg" for number in range(8))]
    prepare(store, search=Said(root=found, photos=dict.fromkeys(names, ()), folds="train"))
    table = store.table("photos", ["path", "fold", "group"]).to_pylist()
    assert [row["fold"] for row in table[:10]] == folds
    assert table[10] == {"path": "alike.jpg", "fold": TEST_FOLD, "group": tests}
    assert sorted(row["fold"] for row in table[11:]) == list(range(2, 10))


def test_folds_that_there_are_not_are_refused(store: CatalogStore, draw: Callable[..., str]) -> None:
    root = draw("a", "1.jpg", seed=1)
    source = Said(root=root, photos={"1.jpg": ()}, folds="trian")  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="source search: folds=trian must be all or train"):
        prepare(store, search=source)


def test_what_a_product_says_of_anothers_photos_is_kept_and_never_counts(
    store: CatalogStore, draw: Callable[..., str]
) -> None:
    root = draw("a", "1.jpg", seed=1)
    opinion = Said(root=root, photos={"1.jpg": ("cat",), "9.jpg": ("cat",)}, origin="product", of="voc")
    assembly = prepare(store, voc=Said(root=root, photos={"1.jpg": ("dog",)}), rival=opinion)
    assert states(store) == [[1, 1, 0, 0]]
    rows = store.table("annotations").select(["label", "origin", "source"]).to_pylist()
    assert rows[-1] == {"label": "cat", "origin": "product", "source": "rival"}
    assert dict(assembly.reports["rival"].skipped.counts) == {"annotation of a photo that is not there": 1}


def test_what_cannot_be_read_or_leaves_its_root_is_counted_and_named(
    store: CatalogStore, draw: Callable[..., str]
) -> None:
    root = draw("a", "1.jpg", seed=1)
    (Path(root) / "2.jpg").write_bytes(b"no photo")
    photos = dict.fromkeys(["1.jpg", "2.jpg", "3.jpg", "../secret.jpg"], ("dog",))
    skipped = prepare(store, voc=Said(root=root, photos=photos)).reports["voc"].skipped
    assert {reason: skipped.counts[reason] for reason in skipped.lost} == {
        "not an image": 1,
        "missing": 1,
        "path leaves the source's root": 1,
    }
    assert skipped.examples["not an image"] == [f"{root}/2.jpg"]
    assert (skipped.photos, skipped.of) == (3, 4)
    assert states(store) == [[1, 1, 0, 0]]


def test_a_rotation_that_is_not_applied_is_named(store: CatalogStore, draw: Callable[..., str]) -> None:
    class Turned(Said):
        def chunks(self, skipped: Skipped) -> Iterator[Chunk]:
            for chunk in super().chunks(skipped):
                place = chunk.photos.column_names.index("rotation")
                turned = chunk.photos.set_column(place, "rotation", pa.array([90, 0], pa.int16()))
                yield Chunk(turned, chunk.annotations)

    root = draw("a", "1.jpg", seed=1)
    draw("a", "2.jpg", seed=2)
    skipped = prepare(store, own=Turned(root=root, photos={"1.jpg": ("dog",), "2.jpg": ()})).reports["own"].skipped
    assert dict(skipped.counts) == {
        "rotation that its file does not know (EXIF), so that the photo is seen as it lies": 1
    }


def test_silence_weighs_what_the_photos_sources_say_and_the_least_of_several(
    store: CatalogStore, draw: Callable[..., str]
) -> None:
    first, second = draw("a", "1.jpg", seed=1), draw("b", "1.jpg", seed=1)
    draw("a", "2.jpg", seed=2)
    prepare(
        store,
        voc=Said(root=first, photos={"1.jpg": ("dog",), "2.jpg": ("dog",)}, unknown="negative"),
        own=Said(root=second, photos={"1.jpg": ("sky",)}, unknown=0.25),
    )
    roots = {"voc": first, "own": second}
    catalog = view(store, TAXONOMY, roots=roots, complete=True)
    assert catalog.unknown is not None
    assert catalog.unknown.tolist() == [0.25, 1.0]
    assert catalog.place(1) == str(Path(first) / "2.jpg")


@pytest.mark.parametrize(
    ("name", "folds"), [("similar:dog", "train"), ("pool:/photos", "all"), ("drawn:/photos", "all")]
)
def test_a_search_has_no_say_in_what_silence_means_on_a_photo_that_another_source_has(
    store: CatalogStore, draw: Callable[..., str], name: str, folds: Folds
) -> None:
    own, found = draw("own", "1.jpg", seed=1), draw("found", "1.jpg", seed=1)
    draw("found", "2.jpg", seed=2)
    photos: dict[str, tuple[str, ...]] = {"1.jpg": (), "2.jpg": ()}
    prepare(store, voc=Said(root=own, photos={"1.jpg": ("dog",)}, unknown="negative"))
    prepare(store, **{name: Said(root=found, photos=photos, folds=folds)})
    catalog = view(store, TAXONOMY, roots={"voc": own, name: found}, complete=True)
    assert catalog.unknown is not None
    assert catalog.unknown.tolist() == [1.0, 0.0]


def test_a_catalog_may_lie_behind_urls(store: CatalogStore) -> None:
    import fsspec

    file = io.BytesIO()
    Image.effect_noise((64, 64), 80).convert("RGB").save(file, "PNG")
    fsspec.filesystem("memory").pipe("/assembled/1.png", file.getvalue())
    prepare(store, voc=Said(root="memory://assembled", photos={"1.png": ("dog",)}))
    catalog = view(store, TAXONOMY, roots={"voc": "memory://assembled"}, complete=True)
    assert catalog.place(0) == "memory://assembled/1.png"
    fsspec.filesystem("memory").rm("/assembled", recursive=True)
