"""The annotation standard: made of the label system, with photos, and nothing from outside runs."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from tagger.cleaning.tasks.standard import Examples, confusable_with, definition_of, examples_of, write_standard
from tagger.data.catalog.view import Catalog
from tagger.data.taxonomy import Label, Taxonomy, read_taxonomy


@pytest.mark.parametrize("name", ["sample", "album"])
def test_definitions_of_our_label_systems_are_split_and_nothing_is_lost(name: str) -> None:
    labels = read_taxonomy(name).labels
    for label in labels:
        assert sorted(" ".join(definition_of(label)).split()) == sorted(label.definition.split())
    assert sum(bool(definition_of(label)[1]) for label in labels) > len(labels) / 4
    assert all(definition_of(label)[0] for label in labels)


def test_confusable_are_those_measured_then_those_excluded_then_siblings() -> None:
    taxonomy = read_taxonomy("sample")
    found = confusable_with(taxonomy, "animal.dog", measured=["plant.tree", "no such label"])
    assert found[0] == "plant.tree"
    assert {"animal.cat", "animal.bird"} <= set(found)
    assert "animal.dog" not in found


def test_a_page_per_label_says_what_counts_and_shows_photos_by_their_path(
    tmp_path: Path, taxonomy: Taxonomy, photos: Path
) -> None:
    examples = {"dog": Examples((str(photos / "0.jpg"), str(photos / "none.jpg")), (str(photos / "=3.jpg"),))}
    written = write_standard(taxonomy, tmp_path / "standard", examples=examples)
    assert [path.name for path in written] == ["animal.md", "dog.md", "cat.md", "%3D2%2B5.md", "standard.html"]
    text = (tmp_path / "standard" / "dog.md").read_text(encoding="utf-8")
    assert text.startswith(
        "# dog\n\n`dog`\n\n## Counts\n\nA dog of any breed.\n\n## Does not count\n\nWolves do not count."
    )
    assert "## Easily confused with\n\n- cat: A cat, also a kitten." in text
    assert f"{photos}/0.jpg" in text
    page = (tmp_path / "standard" / "standard.html").read_text(encoding="utf-8")
    assert page.count("background-image:url(data:image/jpeg;base64,") == 2
    assert page.count("cannot be read") == 1
    assert "<script>" not in page
    assert "&lt;/script&gt;" in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert r"\<b\>bold\</b\>" in (tmp_path / "standard" / "%3D2%2B5.md").read_text(encoding="utf-8")


def test_a_label_without_a_definition_asks_for_one(tmp_path: Path) -> None:
    write_standard(Taxonomy("mine", (Label("a/b", {}),)), tmp_path)
    assert "has no definition of it yet" in (tmp_path / "a%2Fb.md").read_text()


def test_examples_are_photos_that_have_it_and_photos_that_do_not() -> None:
    states = csr_array(np.array([[1, 0], [-1, 1], [1, 1], [1, -1]], dtype=np.int8))
    taxonomy = Taxonomy("mine", (Label("dog", {}), Label("cat", {})))
    catalog = Catalog(taxonomy, ("/a",), pa.table({"path": ["0", "1", "2", "3"]}), states)
    found = examples_of(catalog, count=2)
    assert set(found["dog"].present) < {"/a/0", "/a/2", "/a/3"}
    assert len(found["dog"].present) == 2
    assert found["dog"].absent == ("/a/1",)
    assert found["cat"] == Examples(("/a/1", "/a/2"), ("/a/3",))
    assert examples_of(catalog, count=2) == found
