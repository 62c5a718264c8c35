import csv
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.data.sources.sample import VERSION, draw_album
from tagger.data.sources.sample.annotator import EXHAUSTIVE_SHARE, Record, annotate
from tagger.data.sources.sample.draw import MOTIFS, paint_photo
from tagger.data.sources.sample.labels import GROUPS, LABELS, LEAVES, PARENTS, with_groups
from tagger.data.sources.sample.plan import Plan, plan_photo
from tagger.data.sources.sample.recipes import HEIGHTS, RECIPES, SHOWS
from tagger.data.taxonomy import Taxonomy, read_taxonomy

ALBUM = 1200
TABLES = ("labels.csv", "truth.csv", "noise.csv")


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    return [plan_photo(0, index) for index in range(ALBUM)]


@pytest.fixture(scope="module")
def truths(plans) -> list[frozenset[str]]:
    return [plan.truth for plan in plans]


@pytest.fixture(scope="module")
def records() -> list[tuple[frozenset[str], Record]]:
    """What would be recorded of 6,000 photos: enough for rates, quick because nothing is drawn."""
    truths = [plan_photo(0, index).truth for index in range(5 * ALBUM)]
    return [(truth, annotate(truth, np.random.default_rng([0, index, 1]))) for index, truth in enumerate(truths)]


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return read_taxonomy("sample")


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "album"
    draw_album(folder, photos=40)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def cell(text: str) -> set[str]:
    return set(filter(None, text.split("|")))


def within_binomial_limits(hits: int, trials: int, rate: float) -> bool:
    return abs(hits - trials * rate) <= 4 * sqrt(trials * rate * (1 - rate))


def paint(plan: Plan, *, size: int = 64) -> np.ndarray:
    """The pixels of a photo before light and grain."""
    return np.asarray(paint_photo(plan, size=size), dtype=int)


# The label system


def test_the_labels_and_their_parents_are_those_of_the_taxonomy_file(taxonomy):
    assert taxonomy.ids == LABELS
    assert {label.id: label.parents for label in taxonomy.labels if label.parents} == PARENTS


def test_every_label_has_a_definition_and_names_in_two_languages(taxonomy):
    assert all(label.definition and set(label.names) == {"en", "zh"} for label in taxonomy.labels)


def test_the_truth_keeps_every_relation_of_the_taxonomy(taxonomy, truths):
    for label in taxonomy.labels:
        for truth in (truth for truth in truths if label.id in truth):
            assert truth.issuperset(label.parents)
            assert truth.issuperset(label.implies)
            assert truth.isdisjoint(label.excludes)


# The plan


def test_every_forest_has_trees(truths):
    assert sum("scene.forest" in truth for truth in truths) > 100
    assert all("plant.tree" in truth for truth in truths if "scene.forest" in truth)


def test_the_shares_of_the_recipes_sum_to_one():
    assert sum(recipe.share for recipe in RECIPES) == pytest.approx(1)


def test_every_motif_can_be_drawn_and_has_labels_and_a_height():
    guests = {guest for recipe in RECIPES for guest in recipe.guests} - {"family"}
    assert guests <= MOTIFS.keys() and guests <= SHOWS.keys() and guests <= HEIGHTS.keys()


def test_every_label_has_photos_and_the_tail_is_long(truths):
    counts = Counter(label for truth in truths for label in truth)
    leaves = sorted((counts[leaf] for leaf in LEAVES), reverse=True)
    assert min(counts[label] for label in LABELS) >= 10
    assert 0.25 * ALBUM <= leaves[0] <= 0.4 * ALBUM
    assert 12 <= leaves[-1] <= 20
    assert sum(leaves[:7]) > sum(leaves[7:]) / 2


@given(seed=st.integers(0, 2**32), index=st.integers(0, 10**6))
def test_any_photo_of_any_album_can_be_planned_alone(seed, index):
    truth = plan_photo(seed, index).truth
    assert truth <= set(LABELS)
    assert truth == with_groups(truth - set(GROUPS))


def test_sunglasses_cover_less_than_one_per_cent_of_the_photo(plans):
    wearing = [plan for plan in plans if "object.sunglasses" in plan.truth]
    for plan in sorted(wearing, key=lambda plan: max(item.height for item in plan.items if item.wears))[-12:]:
        for item in (item for item in plan.items if "sunglasses" in item.wears):
            alone, bare = replace(plan, items=(item,)), replace(plan, items=(replace(item, wears=()),))
            differs = (paint(alone, size=128) != paint(bare, size=128)).any(axis=-1)
            assert 0 < differs.mean() < 0.01


def test_whatever_is_labelled_can_be_seen(plans):
    for plan in plans[::4]:
        shown = paint(plan)
        for number, item in enumerate(plan.items):
            bare = [replace(item, wears=())] if item.wears else []
            without = replace(plan, items=(*plan.items[:number], *bare, *plan.items[number + 1 :]))
            assert (shown != paint(without)).any(axis=-1).sum() >= 2 or not SHOWS[item.motif], (plan, item)


# The annotators


def test_an_annotator_without_noise_records_only_the_truth():
    truth = with_groups({"scene.forest", "plant.tree", "animal.dog"})
    for seed in range(50):
        record = annotate(truth, np.random.default_rng(seed), noise_missing=0, noise_mistaken=0)
        assert record.present <= truth and record.absent.isdisjoint(truth)
        assert not record.missing and not record.mistaken
        assert record.present == truth or len(record.present | record.absent) < len(LABELS)


def test_an_annotator_who_overlooks_everything_leaves_nothing_present():
    record = annotate(with_groups({"animal.dog"}), np.random.default_rng(0), noise_missing=1)
    assert not record.present and record.missing <= {"animal", "animal.dog"}


def test_about_sixty_per_cent_of_the_photos_are_answered_exhaustively(records):
    exhaustive = sum(len(record.present) + len(record.absent) == len(LABELS) for _, record in records)
    assert within_binomial_limits(exhaustive, len(records), EXHAUSTIVE_SHARE)


def test_five_per_cent_of_the_labels_that_were_reached_are_missing(records):
    missing = sum(leaf in record.missing for _, record in records for leaf in LEAVES)
    found = sum(leaf in record.present and leaf in truth for truth, record in records for leaf in LEAVES)
    assert within_binomial_limits(missing, missing + found, 0.05)


def test_two_per_cent_of_the_labels_recorded_present_are_mistaken(records):
    mistaken = sum(leaf in record.mistaken for _, record in records for leaf in LEAVES)
    recorded = sum(leaf in record.present for _, record in records for leaf in LEAVES)
    assert within_binomial_limits(mistaken, recorded, 0.02)


def test_a_group_is_recorded_present_exactly_if_a_label_of_it_is(records):
    assert all(record.present == with_groups(record.present - set(GROUPS)) for _, record in records)


def test_the_noise_is_exactly_what_contradicts_the_truth_or_was_overlooked(records):
    for truth, record in records:
        assert record.present.isdisjoint(record.absent)
        assert record.mistaken == record.present - truth
        assert record.absent & truth <= record.missing <= truth - record.present
        if len(record.present | record.absent) == len(LABELS):
            assert record.missing == record.absent & truth
        else:
            assert record.absent.isdisjoint(truth)
            assert 3 <= len(record.absent) <= 6


# The album


def test_the_same_seed_draws_the_same_bytes(album, tmp_path):
    draw_album(tmp_path / "again", photos=40)
    assert contents(tmp_path / "again") == contents(album)


def test_the_version_is_raised_when_the_album_changes(album):
    recorded = hashlib.sha256(b"".join((album / name).read_bytes() for name in TABLES)).hexdigest()[:16]
    assert (VERSION, recorded) == (1, "f9a2a4e6ac8baa20"), "raise VERSION in album.py, then write both down here"


def test_a_shorter_album_is_the_beginning_of_a_longer_one(album, tmp_path):
    draw_album(tmp_path / "short", photos=15)
    short, long = contents(tmp_path / "short"), contents(album)
    assert all(long[name].startswith(content) for name, content in short.items())
    assert all(long[name] == content for name, content in short.items() if name.endswith(".jpg"))


def test_another_seed_draws_other_photos(album, tmp_path):
    draw_album(tmp_path / "other", photos=3, seed=1)
    assert (tmp_path / "other/images/00000.jpg").read_bytes() != (album / "images/00000.jpg").read_bytes()


def test_the_tables_say_of_every_photo_what_was_recorded_and_what_is_true(album):
    labels, truth, noise = (rows(album / name) for name in TABLES)
    names = sorted(file.name for file in (album / "images").iterdir())
    assert [row["image"] for row in labels] == [row["image"] for row in truth] == names
    mistaken = {(row["image"], row["label"]) for row in noise if row["kind"] == "mistaken"}
    assert mistaken == {
        (row["image"], label)
        for row, true in zip(labels, truth, strict=True)
        for label in cell(row["labels"]) - cell(true["labels"])
    }


def test_noise_rates_of_zero_leave_no_noise(tmp_path):
    draw_album(tmp_path / "clean", photos=20, size=32, noise_missing=0, noise_mistaken=0)
    assert rows(tmp_path / "clean/noise.csv") == []


def test_an_existing_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="remove it"):
        draw_album(tmp_path, photos=1)
    assert contents(tmp_path) == {"mine.txt": b"keep"}


def test_a_failure_in_the_middle_leaves_nothing(tmp_path):
    with pytest.raises(ValueError):
        draw_album(tmp_path / "album", photos=3, noise_missing=0, size=-1)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_leaves_no_album(tmp_path):
    program = (
        "import sys, pathlib; from tagger.data.sources.sample import draw_album; draw_album(pathlib.Path(sys.argv[1]))"
    )
    process = subprocess.Popen([sys.executable, "-c", program, tmp_path / "album"])
    deadline = time.monotonic() + 30
    while len(list(tmp_path.glob(".album.*/images/*.jpg"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert list(tmp_path.glob(".album.*/images/*.jpg"))
    assert not (tmp_path / "album").exists()
    draw_album(tmp_path / "album", photos=2)
    assert len(rows(tmp_path / "album/labels.csv")) == 2
