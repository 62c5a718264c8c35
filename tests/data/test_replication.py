import io
import math
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from omegaconf import OmegaConf
from rich.console import Console
from scipy.sparse import csr_array

from tagger.data.replication import Replication, label_factors, label_frequencies, photo_factors, plan, plan_tables

CONF = Path(__file__).parents[2] / "conf" / "sampler"
STATES = arrays(np.int8, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=st.sampled_from([-1, 0, 1]))
UNKNOWN = st.sampled_from([0.0, 0.3, 1.0])

# A common label on every photo, a rare one on the first.
COMMON_AND_RARE = csr_array(np.array([[1, 1], [1, 0], [1, 0], [1, -1]], dtype=np.int8))


def test_the_frequency_of_a_label_counts_what_is_unknown_by_its_weight():
    frequencies = [label_frequencies(COMMON_AND_RARE, unknown=weight)[1] for weight in (0, 0.5, 1)]
    assert frequencies == pytest.approx([1 / 2, 1 / 3, 1 / 4])


def test_a_label_factor_is_one_or_phi_of_what_is_lacking():
    frequencies = np.array([1 / 16, 1 / 4, 1.0])
    assert label_factors(frequencies, target_frequency=1 / 4, phi="uniform").tolist() == [4, 1, 1]
    assert label_factors(frequencies, target_frequency=1 / 4, phi="sqrt").tolist() == [2, 1, 1]
    assert label_factors(frequencies, target_frequency=1 / 4, phi="natural").tolist() == [1, 1, 1]


def test_a_label_that_no_photo_carries_has_factor_one():
    assert label_factors(np.array([0.0]), target_frequency=0.5, phi="uniform").tolist() == [1]


def test_a_photo_takes_the_factor_of_its_rarest_present_label():
    states = csr_array(np.array([[1, 1, 0], [1, -1, 1], [0, 0, 0], [-1, -1, -1], [0, 1, 0]], dtype=np.int8))
    assert photo_factors(states, np.array([1.0, 5.0, 3.0])).tolist() == [5, 3, 1, 1, 5]


@pytest.mark.parametrize("photos", [0, 3])
def test_photos_without_any_annotation_have_factor_one(photos):
    states = csr_array((photos, 2), dtype=np.int8)
    assert photo_factors(states, np.array([2.0, 3.0])).tolist() == [1] * photos


@settings(deadline=None)
@given(dense=STATES, unknown=UNKNOWN, phi=st.sampled_from(["natural", "sqrt", "uniform"]), target=st.floats(0.01, 1))
def test_the_sparse_computation_is_the_formula(dense, unknown, phi, target):
    by_label = []
    for column in dense.T:
        present, absent = (column == 1).sum(), (column == -1).sum()
        counted = present + absent + unknown * (column == 0).sum()
        lift = {
            "natural": 1,
            "sqrt": math.sqrt(target * counted / max(present, 1)),
            "uniform": target * counted / max(present, 1),
        }
        by_label.append(max(1, lift[phi]) if present else 1)
    expected = [max([1, *(r for r, state in zip(by_label, row, strict=True) if state == 1)]) for row in dense]
    replication = Replication(phi=phi, target_frequency=target)
    np.testing.assert_allclose(replication.factors(csr_array(dense), unknown=unknown), expected)


@settings(deadline=None)
@given(dense=STATES, unknown=UNKNOWN)
def test_natural_draws_every_label_as_often_as_it_occurs(dense, unknown):
    natural = plan(csr_array(dense), Replication(), unknown=unknown)
    np.testing.assert_allclose(natural.effective_frequencies, natural.frequencies)
    assert natural.cost == 1
    assert natural.lifted.size == 0
    assert (natural.expected_draws == 1).all()


def test_the_plan_of_a_small_album_by_hand():
    album = plan(COMMON_AND_RARE, Replication(phi="uniform", target_frequency=0.5), unknown=1, top=2)
    # f = 1 and 1/4, so r = 1 and 2; the first photo is drawn twice.
    assert album.frequencies.tolist() == [1, 0.25]
    assert album.label_factors.tolist() == [1, 2]
    assert album.effective_frequencies == pytest.approx([1, 0.4])
    assert (album.photos, album.replicated_draws, album.draws, album.cost) == (4, 5, 4, 1)
    assert album.most_repeated[0] == 0
    assert album.expected_draws == pytest.approx([8 / 5, 4 / 5])


def test_a_replicated_epoch_costs_the_sum_of_the_factors():
    album = plan(COMMON_AND_RARE, Replication("uniform", target_frequency=0.5, length="replicated"), unknown=1)
    assert (album.draws, album.cost) == (5, 1.25)
    assert album.expected_draws.tolist() == [2, 1, 1, 1]


def test_a_frequent_label_beside_a_rare_one_is_lifted_and_the_plan_says_so():
    # The middle label is frequent, but the photo of the rare label carries it too.
    dense = np.zeros((10, 3), dtype=np.int8)
    dense[:, 0], dense[:3, 1], dense[0, 2] = 1, 1, 1
    album = plan(csr_array(dense), Replication("uniform", target_frequency=0.3), unknown=1)
    assert album.label_factors == pytest.approx([1, 1, 3])
    assert album.effective_frequencies == pytest.approx([1, 5 / 12, 3 / 12])
    assert album.lifted.tolist() == [1]


def test_at_the_level_of_labels_no_label_is_lifted_by_another_and_the_plan_shows_both():
    dense = np.zeros((10, 3), dtype=np.int8)
    dense[:, 0], dense[:3, 1], dense[0, 2] = 1, 1, 1
    album = plan(csr_array(dense), Replication("uniform", target_frequency=0.3, level="labels"), unknown=1)
    assert album.drawn_frequencies == pytest.approx([1, 5 / 12, 3 / 12])
    # The label on one photo of ten counts three times there, once on each of the other nine.
    assert album.effective_frequencies == pytest.approx([1, 3 / 10, 3 / 12])
    assert album.lifted.size == 0
    assert album.expected_draws[0] == pytest.approx(3 * 10 / 12), "photos are drawn as without"


def test_class_aware_draws_photos_as_often_as_one_draws_labels_and_then_their_photos():
    states = csr_array(np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1]], dtype=np.int8))
    factors = Replication("uniform", target_frequency=1.0, pooling="sum").factors(states, unknown=1.0)
    # Labels on 3, 2 and 3 photos, each drawn one time in three.
    chance = np.array([1 / 9 + 1 / 6, 1 / 9, 1 / 9, 2 / 9, 1 / 6 + 1 / 9])
    np.testing.assert_allclose(factors / factors.sum(), chance)


@settings(deadline=None)
@given(dense=STATES, unknown=UNKNOWN, target=st.floats(0.01, 1))
def test_summed_factors_are_the_formula(dense, unknown, target):
    replication = Replication("sqrt", target_frequency=target, pooling="sum")
    states = csr_array(dense)
    by_label = replication.label_factors(states, unknown=unknown)
    expected = [max(1, sum(r for r, state in zip(by_label, row, strict=True) if state == 1)) for row in dense]
    np.testing.assert_allclose(replication.factors(states, unknown=unknown), expected)


def test_the_tables_name_labels_photos_and_lifted_labels():
    dense = np.zeros((10, 3), dtype=np.int8)
    dense[:, 0], dense[:3, 1], dense[0, 2] = 1, 1, 1
    album = plan(csr_array(dense), Replication("uniform", target_frequency=0.3), unknown=1, top=1)
    console = Console(width=120, file=io.StringIO())
    console.print(*plan_tables(album, ["sky", "tree", "poodle"], [f"{photo}.jpg" for photo in range(10)]))
    lines = console.file.getvalue().splitlines()
    assert any("phi=uniform, target_frequency=0.3, length=photos" in line for line in lines)
    order = [next(number for number, line in enumerate(lines) if label in line) for label in ("poodle", "tree", "sky")]
    assert order == sorted(order)
    assert "lifted" in lines[order[1]]
    assert any("0.jpg" in line and "2.50" in line for line in lines)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"phi": "root"}, "phi must be one of natural, sqrt, uniform, got 'root'"),
        ({"length": "long"}, "length must be one of photos, replicated, got 'long'"),
        ({"pooling": "mean"}, "pooling must be one of max, sum, got 'mean'"),
        ({"level": "label"}, "level must be one of photos, labels, got 'label'"),
        ({"target_frequency": 1.5}, r"target_frequency must lie in \(0, 1\], got 1.5"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Replication(**settings)


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configured_sampler_plans(path):
    replication = instantiate(OmegaConf.load(path))
    assert plan(COMMON_AND_RARE, replication, unknown=1.0).draws == 4
