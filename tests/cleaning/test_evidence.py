"""What people are shown beside a photo: who said what, the best five, relations, neighbours, near-duplicates."""

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw
from scipy.sparse import csr_array
from sklearn.neighbors import NearestNeighbors

from tagger.cleaning.queue.claims import Claims, claims_about
from tagger.cleaning.queue.evidence import implied_by, is_top, twins
from tagger.cleaning.queue.nearest import nearest, neighbours_share
from tagger.data.catalog.store import TABLES
from tagger.data.duplicates import fingerprint
from tagger.data.taxonomy import Label, Taxonomy

PETS = Taxonomy("pets", (Label("animal", {}), Label("dog", {}, ("animal",)), Label("poodle", {}, ("dog",))))


def test_a_label_is_among_the_best_five_only_with_a_score_above_one_half():
    scores = np.array([[0.9, 0.8, 0.7, 0.65, 0.6, 0.55], [0.5, 0.1, 0.1, 0.1, 0.1, 0.1]])
    rows, columns = np.array([0, 0, 0, 1]), np.array([0, 4, 5, 0])
    assert is_top(scores, rows, columns).tolist() == [True, True, False, False]


def test_present_labels_that_imply_a_label_are_named():
    states = csr_array(np.array([[-1, 1, 1], [0, -1, 0]], dtype=np.int8))
    rows, columns = np.array([0, 0, 1]), np.array([0, 2, 0])
    assert implied_by(PETS, states, rows, columns) == ["dog, poodle", "", ""]


@pytest.mark.parametrize("dimensions", [(8,), (8, 3, 3)])
def test_the_nearest_photos_are_those_of_scikit_learn(dimensions: tuple[int, ...], monkeypatch: pytest.MonkeyPatch):
    # As where photos are too many to be compared at once.
    monkeypatch.setattr("tagger.cleaning.queue.nearest._BASE", 30)
    monkeypatch.setattr("tagger.cleaning.queue.nearest._QUERIES", 7)
    features = np.random.default_rng(0).normal(size=(100, *dimensions)).astype(np.float16)
    flat = features.reshape(100, 8, -1).mean(axis=2, dtype=np.float32)
    rows = np.arange(0, 100, 5)
    reference = NearestNeighbors(n_neighbors=6, metric="cosine").fit(flat).kneighbors(flat[rows])[1][:, 1:]
    assert nearest(features, rows, count=5).tolist() == reference.tolist()


def test_where_there_are_fewer_photos_than_neighbours_those_that_are_there_are_asked():
    neighbours = nearest(np.eye(3), np.array([0]), count=10)
    assert sorted(neighbours[0].tolist()) == [-1] * 8 + [1, 2]
    states = csr_array(np.array([[0], [1], [-1]], dtype=np.int8))
    assert neighbours_share(states, neighbours, np.array([0])).tolist() == [0.5]


def test_near_duplicates_that_contradict_are_named_and_others_of_the_group_are_not():
    def look(shift: int, ink: str = "black") -> bytes:
        picture = Image.new("RGB", (128, 128), "white")
        draw = ImageDraw.Draw(picture)
        draw.rectangle((20 + shift, 30, 70 + shift, 110), fill=ink)
        draw.ellipse((60, 10 + shift, 120, 60), fill="green")
        return fingerprint(picture)

    photos = pa.table({"group": [0, 0, 0, 3], "look": [look(0), look(1), look(40, "red"), look(0)]})
    states = csr_array(np.array([[-1, 1, 0], [1, 1, 0], [1, -1, 1], [1, 1, 1]], dtype=np.int8))
    rows, columns = np.array([0, 0, 0, 1, 3]), np.array([0, 1, 2, 0, 0])
    said = twins(photos, states, rows, columns, place=lambda row: f"{row}.jpg")
    # The third differs and only belongs to the group; the fourth looks the same and is in none.
    assert said == ["1.jpg has it", "", "", "0.jpg does not have it", ""]


def test_who_said_what_is_told_and_opinions_are_kept_apart_from_facts():
    said = [
        {"photo": 7, "label": "dog", "value": 1, "origin": "source", "source": "voc"},
        {"photo": 7, "label": "dog", "value": -1, "origin": "human", "annotator": "ann"},
        {"photo": 7, "label": "dog", "value": 1, "origin": "product", "source": "vision", "score": 0.917},
        {"photo": 7, "label": "dog", "value": -1, "origin": "model", "source": "v1"},
        {"photo": 7, "label": "animal", "value": 1, "origin": "source", "source": "voc"},
        {"photo": 7, "label": "animal", "value": 1, "origin": "source", "source": "corel"},
        {"photo": 7, "label": "wolf", "value": 1, "origin": "source", "source": "corel"},
        {"photo": 8, "label": "poodle", "value": 1, "origin": "source", "source": "corel"},
        # Ben takes back what he said.
        {"photo": 9, "label": "dog", "value": 1, "origin": "human", "annotator": "ben"},
        {"photo": 9, "label": "dog", "value": 0, "origin": "human", "annotator": "ben"},
    ]
    table = pa.Table.from_pylist(
        [{**dict.fromkeys(TABLES["annotations"].names), **row} for row in said], schema=TABLES["annotations"]
    )
    about = claims_about(table, PETS, np.array([7, 7, 7, 9]), np.array([1, 0, 2, 1]))
    assert about == [
        Claims("ann: absent, voc: present", "v1: absent, vision 0.92"),
        Claims("corel, voc", ""),
        Claims("", ""),
        Claims("", ""),
    ]
