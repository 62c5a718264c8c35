"""The noise of the test fold: from what people found in a random sample to the sentence in every report."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import binomtest

from tagger.cleaning.queue.sampling import sampled
from tagger.cleaning.report.measuring import measure_fold_noise
from tagger.cleaning.verdicts.decisions import Decision, Decisions
from tagger.data.catalog.fold_noise import (
    FoldNoise,
    Part,
    noise_figures,
    noise_note,
    percent,
    read_fold_noise,
    write_fold_noise,
)
from tagger.data.states import ABSENT, PRESENT
from tagger.data.taxonomy import Label, Taxonomy
from tagger.errors import UserError

TWO = Taxonomy("two", (Label("dog", {}), Label("cat", {})))


def decision(photo: int, label: str, before: int, value: int, batch: int = 2) -> Decision:
    return Decision(photo=photo, label=label, value=value, before=before, people={"ann": value}, batch=batch)


def measured(made: list[Decision], drawn: Any = None, **changes: Any) -> FoldNoise | None:
    """Measure a fold of ten photos, rows 10 to 19 of the catalog, and 3 that train: a dog on every one, no cat said."""
    states = np.tile(np.array([[1, 0]], np.int8), (13, 1))
    for one in made:
        if one.photo >= 10:
            states[one.photo - 10 + 3, TWO.column[one.label]] = one.value
    settings: dict[str, Any] = {
        "states": csr_array(states),
        "rows": np.array([0, 1, 2, *range(10, 20)]),
        "fold": np.arange(3, 13),
        "unknown": np.ones(10),
        "taxonomy": TWO,
        "data_fingerprint": "f" * 16,
    }
    drawn = {(one.photo, one.label) for one in made} if drawn is None else drawn
    return measure_fold_noise(Decisions(tuple(made), frozenset()), drawn, **settings | changes)


def test_shares_are_of_the_part_and_what_was_decided_counts_as_right():
    """Four dogs were drawn, one is none: a quarter of the six that nobody looked at, of ten that are said less one."""
    made = [decision(10, "dog", 1, -1), *(decision(photo, "dog", 1, 1) for photo in (11, 12, 13))]
    made += [decision(photo, "cat", 0, -1) for photo in (10, 11)]
    noise = measured(made)
    assert noise is not None
    assert (noise.present.size, noise.present.decided, noise.present.looked_at, noise.present.wrong) == (9, 3, 4, 1)
    assert noise.present.share == pytest.approx(6 / 9 / 4)
    # The dog that is none is now one of the absent labels.
    assert (noise.absent.size, noise.absent.decided, noise.absent.looked_at, noise.absent.wrong) == (11, 3, 2, 0)
    assert noise.absent.share == 0
    assert noise.share == pytest.approx((6 / 4) / 20)
    # Clopper and Pearson's bounds of both parts, 97.5 % each.
    upper = binomtest(1, 4).proportion_ci(0.95, method="exact").high
    assert noise.present.high == pytest.approx(upper * 6 / 9)
    none = binomtest(0, 2).proportion_ci(0.95, method="exact").high
    assert noise.absent.high == pytest.approx(none * 8 / 11)
    assert noise.high == pytest.approx((upper * 6 + none * 8) / 20)
    assert (noise.looked_at, noise.wrong) == (6, 1)
    assert not noise.is_under_limit


def test_what_the_loop_picked_says_nothing_of_the_rest_but_is_right_now():
    picked = [decision(photo, "dog", 1, -1) for photo in range(10, 15)]
    noise = measured([*picked, decision(15, "dog", 1, 1)], drawn={(15, "dog")})
    assert noise is not None
    assert (noise.present.looked_at, noise.present.wrong, noise.present.size) == (1, 0, 5)
    assert noise.present.share == 0
    assert noise.absent.share is None, "nobody looked at any"
    assert noise.share is None
    assert noise.absent.high == pytest.approx(10 / 15)


def test_a_fold_that_was_looked_at_as_a_whole_has_no_noise_left():
    every = [decision(photo, "dog", 1, -1 if photo < 15 else 1) for photo in range(10, 20)]
    every += [decision(photo, "cat", 0, -1) for photo in range(10, 20)]
    noise = measured(every)
    assert noise is not None
    assert (noise.share, noise.high, noise.wrong) == (0, 0, 5)
    assert noise.is_under_limit


def test_nothing_is_measured_where_nobody_decided_what_was_drawn_from_the_fold():
    assert measured([]) is None
    assert measured([decision(10, "dog", 1, 1)], drawn=set()) is None
    assert measured([decision(1, "dog", 1, 1)]) is None, "a photo that trains"


def test_the_newest_pairs_suffice():
    """The first look found the fold dirty, and it was cleaned; the second one found it clean."""
    first = [decision(photo, "dog", 1, -1, batch=2) for photo in range(10, 13)]
    second = [decision(photo, "dog", 1, 1, batch=5) for photo in range(13, 16)]
    noise = measured([*first, *second], enough=3)
    assert noise is not None
    assert (noise.present.looked_at, noise.present.wrong) == (3, 0)


def test_a_judge_says_whether_a_pair_that_was_drawn_is_wrong():
    """Ann and ben take it off; eve, who counts as right, does not."""
    people = {"ann": -1, "ben": -1, "eve": 1}
    drawn = Decision(photo=10, label="dog", value=-1, before=1, people=people, batch=2)
    for judges, wrong in (((), 1), (("eve",), 0), (("nobody",), 1)):
        noise = measured([drawn], judges=judges)
        assert noise is not None
        assert (noise.present.looked_at, noise.wrong) == (1, wrong)


def test_the_bound_is_seldom_too_low():
    """By simulation: labels wrong at 8 and at 1 %, 400 looked at; each bound holds in all but a few of 200 times."""
    rng = np.random.default_rng(0)
    rows, held = np.arange(300), np.zeros(2)
    for seed in range(200):
        truth = rng.choice([PRESENT, ABSENT], p=[0.2, 0.8], size=(300, 20)).astype(np.int8)
        wrong = rng.random(truth.shape) < np.where(truth == PRESENT, 0.04, 0.01)
        said = np.where(wrong, -truth, truth)
        labels = Taxonomy("many", tuple(Label(f"label{number}", {}) for number in range(20)))
        nobody = csr_array(said.shape, dtype=np.int8)
        drawn = sampled(csr_array(said), rows, count=400, unknown=np.ones(300), closed=nobody, seed=seed)
        after = said.copy()
        after[drawn] = truth[drawn]
        made = tuple(
            decision(photo, f"label{label}", said[photo, label], truth[photo, label])
            for photo, label in zip(*(column.tolist() for column in drawn), strict=True)
        )
        noise = measure_fold_noise(
            Decisions(made, frozenset()),
            {(one.photo, one.label) for one in made},
            states=csr_array(after),
            rows=rows,
            fold=rows,
            unknown=np.ones(300),
            taxonomy=labels,
            data_fingerprint="f",
        )
        assert noise is not None
        left = after != truth
        held += [
            noise.present.high >= left[after == PRESENT].mean(),
            noise.absent.high >= left[after == ABSENT].mean(),
        ]
    assert (held >= 0.95 * 200).all(), held


@pytest.mark.parametrize(("people", "found"), [(1, 0.116), (2, 0.032)])
def test_two_people_measure_what_one_who_errs_cannot(people: int, found: float):
    """Right nine times of ten, of a fold of which 2 % are wrong: what docs/cleaning-report.md says."""
    rng = np.random.default_rng(0)
    states, truth = np.full((400, 20), PRESENT), np.where(rng.random((400, 20)) < 0.02, ABSENT, PRESENT)
    labels = Taxonomy("many", tuple(Label(f"label{number}", {}) for number in range(20)))
    after, made = states.copy(), []
    for photo, label in np.ndindex(states.shape):
        right = rng.random(people) < 0.9
        value = int(np.sign(np.where(right, truth[photo, label], -truth[photo, label]).sum()))
        after[photo, label] = value
        if value and photo < 390:
            made.append(decision(photo, f"label{label}", PRESENT, value))
    noise = measure_fold_noise(
        Decisions(tuple(made), frozenset()),
        {(one.photo, one.label) for one in made},
        states=csr_array(np.where(np.arange(400)[:, None] < 390, after, states).astype(np.int8)),
        rows=np.arange(400),
        fold=np.arange(400),
        unknown=np.zeros(400),
        taxonomy=labels,
        data_fingerprint="f",
        enough=10**6,
    )
    assert noise is not None
    assert noise.present.wrong / noise.present.looked_at == pytest.approx(found, abs=0.01)


# --- in the catalog's folder and in reports ------------------------------------------------------------------------


def noise(present: float = 0.02, absent: float = 0.001, fingerprint: str = "f" * 16) -> FoldNoise:
    parts = [Part(1000, 50, 200, 1, 0.005, present), Part(9000, 50, 200, 0, 0.0, absent)]
    return FoldNoise(0.0005, 0.1 * present + 0.9 * absent, *parts, 3, "2026-01-01T12:00:00+0000", fingerprint)


def test_it_is_kept_in_the_catalogs_folder(tmp_path: Path):
    assert read_fold_noise(tmp_path) is None
    write_fold_noise(tmp_path, noise())
    assert read_fold_noise(tmp_path) == noise()
    told = json.loads((tmp_path / "test_noise.json").read_text())
    assert (told["looked_at"], told["wrong"], told["is_under_limit"]) == (400, 1, True)
    # The verdicts were undone.
    write_fold_noise(tmp_path, None)
    assert read_fold_noise(tmp_path) is None
    write_fold_noise(tmp_path, None)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"share": 0.1}', '{"present": {"sise": 1}}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str):
    (tmp_path / "test_noise.json").write_text(text)
    with pytest.raises(UserError, match=r"test_noise\.json is damaged .* step=report, or remove it"):
        read_fold_noise(tmp_path)


def test_nobody_has_measured_it_names_the_command():
    note = noise_note(noise_figures(None, fingerprint=""))
    assert not note.is_warning
    assert "python -m tagger.clean step=queue kinds=[] sample=" in note.text


def test_a_noisy_fold_is_a_warning_and_a_clean_one_is_not():
    clean = noise_note(noise_figures(noise(), fingerprint="f" * 16))
    assert not clean.is_warning
    assert "at most 2.0 % are wrong, of the others 0.1 % (400 looked at, 1 wrong)" in clean.text
    # Nearly all pairs are absent labels: their share would hide that of those on the photos.
    noisy = noise(present=0.06)
    assert noisy.high < 0.05
    note = noise_note(noise_figures(noisy, fingerprint="f" * 16))
    assert note.is_warning
    assert "up to 6.0 % may be wrong" in note.text
    assert "less than 5 %" in note.text
    assert noise_note(noise_figures(noise(present=0.05), fingerprint="f" * 16)).is_warning, "not under 5 %"


def test_a_measurement_of_former_annotations_says_so():
    note = noise_note(noise_figures(noise(fingerprint="e" * 16), fingerprint="f" * 16))
    assert "before the data set was last changed" in note.text


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0.0 %"), (0.05, "5.0 %"), (0.000412, "0.04 %"), (1.0, "100.0 %"), (float("nan"), "–")]
)
def test_per_cent(share: float, text: str):
    assert percent(share) == text
