"""Clusters: dense places are found, described by what unites them, and named by what sets them apart."""

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from tagger.data.embedding_store import KEY
from tagger.errors import UserError
from tagger.mining.clusters.cluster import Cluster, grouping
from tagger.mining.clusters.clustering import ALONE, clustered, sums_by_cluster
from tagger.mining.clusters.known import KnownLabels
from tagger.mining.clusters.naming import with_nearest, with_scored, with_words
from tagger.mining.clusters.table import Members, clusters_table, read_photos, write_clusters, write_photos
from tagger.mining.clusters.unnamed import is_unnamed
from tagger.mining.pool import Pool
from tagger.mining.steps.similar import Found, write_found
from tagger.model.imagenet import Classifier, words

HEAD, ID = "cluster,rank,photo,cosine,photo_id\n", "0123456789abcdef" * 2

NOWHERE = np.zeros(2, dtype=np.float32)


def blobs(sizes: list[int], *, between: int, dice: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Photos around as many directions as there are sizes, and some on the other side, each in its own."""
    centres = np.eye(len(sizes), 16, dtype=np.float32) * 5
    kinds = np.repeat(np.arange(len(sizes)), sizes)
    near = centres[kinds] + dice.normal(0, 0.2, (len(kinds), 16))
    features = np.concatenate([near, -5 * np.eye(between, 16)])
    return features.astype(np.float16), np.concatenate([kinds, np.full(between, ALONE)])


def test_dense_places_become_clusters_and_what_lies_between_them_stays_alone():
    # Four photos cannot be a cluster of their own.
    features, kinds = blobs([30, 20, 10], between=4, dice=np.random.default_rng(0))
    cluster = clustered(features, np.zeros(16, dtype=np.float32), method="hdbscan", dimensions=8, least=5)
    for kind in range(3):
        (found,) = np.unique(cluster[kinds == kind])
        assert found != ALONE
    assert len(np.unique(cluster[kinds != ALONE])) == 3
    assert (cluster[kinds == ALONE] == ALONE).all()


def test_k_means_leaves_out_clusters_that_are_too_small():
    features, kinds = blobs([30, 20, 2], between=0, dice=np.random.default_rng(0))
    origin = np.zeros(16, dtype=np.float32)
    cluster = clustered(features, origin, method="kmeans", dimensions=8, least=5, count=3)
    assert (cluster[kinds == 2] == ALONE).all() and (cluster[kinds != 2] != ALONE).all()
    assert len(np.unique(cluster[kinds != 2])) == 2


def test_no_cluster_takes_most_of_a_pool():
    dice = np.random.default_rng(0)
    # A hundred groups of four in one large cloud, away from a small one: HDBSCAN by itself finds the two clouds.
    near = np.repeat(dice.normal(0, 1, (100, 16)), 4, axis=0) + dice.normal(0, 0.1, (400, 16)) + [20, *[0] * 15]
    far = dice.normal(0, 0.5, (40, 16)) - [20, *[0] * 15]
    features = np.concatenate([near, far])
    cluster = clustered(features, np.zeros(16, dtype=np.float32), method="hdbscan", dimensions=8, least=4)
    assert np.bincount(cluster[cluster != ALONE]).max() <= 50


@pytest.mark.parametrize("photos", [0, 1, 4])
def test_too_few_photos_are_no_cluster(photos: int):
    cluster = clustered(np.ones((photos, 2)), NOWHERE, method="hdbscan", dimensions=2, least=5)
    assert cluster.tolist() == [ALONE] * photos


@pytest.mark.parametrize("method", ["hdbscan", "kmeans"])
def test_photos_that_are_all_the_same_to_the_network_have_no_direction_and_no_figures_that_are_none(method: Any):
    features = np.full((60, 16), 0.1, dtype=np.float16)
    centre = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    found = grouping(clustered(features, centre, method=method, dimensions=8, least=5), features, centre)
    assert all(np.isfinite(one.cosines).all() for one in found.clusters)
    assert np.isfinite(found.means).all()


@given(st.lists(st.integers(ALONE, 3), max_size=20), st.integers(1, 3), st.randoms(use_true_random=False))
def test_sums_are_those_of_a_loop(cluster: list[int], width: int, random: Any):
    values = np.array([[random.random() for _ in range(width)] for _ in cluster]).reshape(len(cluster), width)
    sums, sizes = sums_by_cluster(np.array(cluster, dtype=np.int64), lambda some: values[some], width)
    assert len(sums) == len(sizes) == max(cluster, default=ALONE) + 1
    for one, (total, size) in enumerate(zip(sums, sizes, strict=True)):
        own = [row for row, of in zip(values, cluster, strict=True) if of == one]
        assert size == len(own)
        np.testing.assert_allclose(total, np.sum(own, axis=0) if own else np.zeros(width), atol=1e-12)


def test_clusters_are_in_order_of_how_many_photos_one_name_would_fit():
    # Three directions that are all alike, and four that are spread over a right angle.
    angles = np.radians([0, 0, 0, 90, 120, 150, 180, 45])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = grouping(np.array([1, 1, 1, 0, 0, 0, 0, ALONE]), features, NOWHERE)
    first, second = found.clusters
    assert (first.number, second.number) == (1, 2)
    # |sum of 4| = cos 45° + cos 15° twice each = 3.346 > 3.
    assert sorted(first.rows.tolist()) == [3, 4, 5, 6] and second.rows.tolist() == [0, 1, 2]
    assert first.rows[:2].tolist() in ([4, 5], [5, 4])
    assert first.cohesion == pytest.approx((np.cos(np.pi / 4) + np.cos(np.pi / 12)) / 2)
    assert second.cohesion == pytest.approx(1)
    assert found.cluster.tolist() == [1, 1, 1, 0, 0, 0, 0, ALONE]
    np.testing.assert_allclose(found.means[0], [np.cos(np.radians(135)), np.sin(np.radians(135))], atol=1e-6)


def test_the_name_is_what_sets_a_cluster_apart_from_the_pool():
    # Word 0 is on every photo; word 1 on the first two, word 2 on the others.
    weight = np.zeros((1000, 2), dtype=np.float32)
    weight[1], weight[2] = (1, 0), (0, 1)
    bias = np.full(1000, -20, dtype=np.float32)
    bias[:3] = 6, 0, 0
    features = np.array([[5, 0], [5, 0], [0, 5], [0, 5]], dtype=np.float32)
    found = with_words(grouping(np.array([0, 0, 1, 1]), features, NOWHERE), features, Classifier(weight, bias))
    assert {one.name for one in found.clusters} == {words()[1], words()[2]}
    (name, share) = next(one for one in found.clusters if 0 in one.rows).words[0]
    # e⁵ of e⁶ + e⁵ + e⁰
    assert name == words()[1] and share == pytest.approx(np.exp(5) / (np.exp(6) + np.exp(5) + 1), abs=1e-3)


def test_the_nearest_labels_are_those_whose_photos_look_like_it():
    features = np.array([[2, 0]] * 5 + [[0, 2]] * 5 + [[-2, -2]] * 5)
    states = np.zeros((15, 3), dtype=np.int8)
    states[:5, 0] = 1
    states[5:10, 1] = 1
    states[10:, 1] = -1
    # Four photos are too few to know what a label looks like.
    states[10:14, 2] = 1
    known = KnownLabels.of(features, csr_array(states), ("east", "north", "rare"))
    assert known.ids == ("east", "north")
    np.testing.assert_allclose(known.means, [[1, 0], [0, 1]], atol=1e-6)
    found = with_nearest(grouping(np.array([0, 0]), np.array([[1, 0.1], [1, 0]]), NOWHERE), known)
    assert [name for name, _ in found.clusters[0].nearest] == ["east", "north"]
    assert found.clusters[0].nearest[0][1] == pytest.approx(1, abs=0.01)


def test_a_taggers_labels_are_those_of_the_highest_mean_score():
    features = np.eye(2)
    scores = np.array([[0.1, 0.9], [0.3, 0.1]])
    found = with_scored(grouping(np.array([0, 0]), features, NOWHERE), lambda some: scores[some], ("sea", "sky"))
    assert found.clusters[0].nearest == (("sky", pytest.approx(0.5)), ("sea", pytest.approx(0.2)))


def test_a_photo_is_unnamed_unless_a_tag_that_keeps_its_promise_says_more_than_its_group():
    labels = [
        SimpleNamespace(id="scene", verdict="certified", groups=()),
        SimpleNamespace(id="scene.beach", verdict="certified", groups=("scene",)),
        SimpleNamespace(id="dog", verdict="met", groups=()),
        SimpleNamespace(id="cat", verdict="unreachable", groups=()),
    ]
    tagger: Any = SimpleNamespace(labels=labels, given=lambda scores: scores >= 0.5)
    scores = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]])
    assert is_unnamed(scores, tagger, ("certified",)).tolist() == [True, False, True, True, True]
    assert is_unnamed(scores, tagger, ("certified", "met")).tolist() == [True, False, False, True, True]
    assert is_unnamed(scores, tagger, None).tolist() == [True, False, False, False, True]


def test_names_are_shown_plainly_in_table_and_terminal(tmp_path: Path):
    rows, cosines = np.array([3, 1]), np.array([0.9, 0.7])
    one = Cluster(1, rows, cosines, words=(("[red]alp", 0.5),), nearest=(("a\nb", 0.25),))
    write_clusters(tmp_path / "clusters.csv", [one])
    assert (tmp_path / "clusters.csv").read_text() == (
        'cluster,name,photos,cohesion,words,nearest\n1,[red]alp,2,0.800,[red]alp 0.50,"a\nb 0.25"\n'
    )
    table = clusters_table([one, one, one], shown=1)
    assert table.caption == "the first 1 of 3"
    assert [str(next(iter(column.cells))) for column in table.columns[3:]] == ["[red]alp 0.50", "a\\nb 0.25"]


def test_a_label_that_begins_like_a_formula_is_none_in_the_table(tmp_path: Path):
    one = Cluster(1, np.array([0]), np.array([0.9]), words=(("=alp", 0.5),), nearest=(("@sea", 0.25),))
    write_clusters(tmp_path / "clusters.csv", [one])
    assert (tmp_path / "clusters.csv").read_text().splitlines()[1].endswith("'=alp 0.50,'@sea 0.25")


@pytest.mark.parametrize("name", ["-lead.jpg", "+1.jpg", "@x.jpg", "=1+1.jpg"])
def test_found_photos_keep_their_paths_in_tables(tmp_path: Path, name: str):
    pool = Pool(pa.array([name.encode()], pa.binary()), pa.array([bytes(16)], KEY))
    write_photos(tmp_path / "photos.csv", [Cluster(1, np.array([0]), np.array([0.5]))], pool)
    write_found(tmp_path / "found.csv", pool, Found(np.array([0]), np.array([0.5]), np.array([]), np.array([])))
    for table in ("photos.csv", "found.csv"):
        with (tmp_path / table).open(newline="") as file:
            assert [row["photo"] for row in csv.DictReader(file)] == [name]


@pytest.mark.parametrize("name", ['a\'b "c" <img>.jpg', "new\nline.jpg", "carriage\rreturn.jpg", " a, b;\tc.jpg"])
def test_no_name_of_a_photo_damages_the_table(tmp_path: Path, name: str):
    pool = Pool(pa.array([b"first.jpg", name.encode()], pa.binary()), pa.array([bytes(16), bytes(range(16))], KEY))
    write_photos(tmp_path / "photos.csv", [Cluster(1, np.array([1, 0]), np.array([0.5, 0.25]))], pool)
    assert read_photos(tmp_path / "photos.csv", 1) == Members((pool.id(1), pool.id(0)), (0.5, 0.25))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rank,photo\n", "expected the columns cluster, rank, photo"),
        (f"{HEAD}1,1,a.jpg,0.5,{ID}\n2,1,b.jpg,0.4,{ID}\n", "has clusters 1 to 2"),
        (HEAD, "cluster=3: .* has no cluster"),
        (f"{HEAD}one,1,a.jpg,0.5,{ID}\n", "line 2: expected a cluster, a cosine and a photo_id"),
        (f"{HEAD}3,1,a.jpg,nan,{ID}\n", "line 2: expected"),
        (f'{HEAD}3,1,"two\nlines.jpg",0.5,{ID}\n3,1,a.jpg,0.5,../../etc\n', "line 4: expected"),
        (f"{HEAD}3,1\n", "line 2: expected"),
    ],
)
def test_a_damaged_table_of_photos_is_told_by_its_line(tmp_path: Path, text: str, message: str):
    (tmp_path / "photos.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read_photos(tmp_path / "photos.csv", 3)
