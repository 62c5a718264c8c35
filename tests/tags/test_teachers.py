"""Teachers: what bundles say of the photos that a student trains on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tagger.data.datamodule import PhotoData
from tagger.data.taxonomy import Label, Taxonomy
from tagger.errors import UserError
from tagger.tags.delivery.bundle import read_bundle, write_bundle
from tagger.tags.runtime import Tagger
from tagger.tags.teachers import Teachers, named

Make = Callable[..., PhotoData]


@pytest.fixture
def data(colours: Callable[..., Path], photo_data: Make) -> PhotoData:
    data = photo_data(colours(40))
    # What is read of the photos is read by their own label system; tests then speak of others.
    _ = data.train_rows
    return data


@pytest.fixture
def bundle(delivered: Path) -> Path:
    return delivered / "album.tagger"


def system(*ids: str, **aliases: str) -> Taxonomy:
    return Taxonomy("mine", tuple(Label(id_, {}, aliases=(aliases[id_],) if id_ in aliases else ()) for id_ in ids))


def taught(data: PhotoData, rows: np.ndarray | None = None) -> np.ndarray:
    assert data.taught is not None
    return data.taught(data.train_rows if rows is None else rows)


def test_they_say_of_every_training_photo_what_the_bundle_says(data: PhotoData, bundle: Path):
    Teachers.open([str(bundle)], data.taxonomy).teach(data)
    rows = data.train_rows[[5, 0, 31]]
    expected = Tagger.load(bundle).scores(data.names(rows))
    assert expected.std() > 0.1
    assert taught(data, rows) == pytest.approx(expected, abs=2e-4)
    assert taught(data, rows).dtype == np.float32


def test_labels_are_matched_by_id_and_alias_and_the_others_are_nans(data: PhotoData, bundle: Path):
    data.taxonomy = system("violet", "sky", "red", sky="blue")
    Teachers.open([str(bundle)], data.taxonomy).teach(data)
    scores = Tagger.load(bundle).scores(data.names(data.train_rows))
    found = taught(data)
    assert np.isnan(found[:, 0]).all()
    assert found[:, 1:] == pytest.approx(scores[:, [2, 0]], abs=2e-4)


def test_of_two_labels_that_have_become_one_the_higher_score_counts(data: PhotoData, bundle: Path):
    data.taxonomy = Taxonomy("mine", (Label("warm", {}, aliases=("red", "green")),))
    Teachers.open([str(bundle)], data.taxonomy).teach(data)
    scores = Tagger.load(bundle).scores(data.names(data.train_rows))
    assert taught(data)[:, 0] == pytest.approx(scores[:, :2].max(axis=1), abs=2e-4)


def only(bundle: Path, path: Path, *labels: str) -> Path:
    """Write a bundle whose other labels have names that nobody knows, and whose graph counts as another."""
    whole = read_bundle(bundle)
    renamed = tuple(
        label if label.id in labels else replace(label, id=f"other_{label.id}") for label in whole.manifest.labels
    )
    manifest = replace(whole.manifest, labels=renamed, relations=())
    write_bundle(path, manifest, model=whole.model, card="")
    return path


def test_of_an_ensemble_the_mean_counts_of_those_who_know_a_label(data: PhotoData, bundle: Path, tmp_path: Path):
    # The second crops photos, and so says other numbers than the first.
    whole = read_bundle(bundle)
    cropping = replace(whole.manifest, preprocessing=whole.manifest.preprocessing | {"fit": "crop"})
    write_bundle(tmp_path / "cropping.tagger", cropping, model=whole.model, card="")
    second = only(tmp_path / "cropping.tagger", tmp_path / "second.tagger", "red", "grey")
    data.taxonomy = system("red", "green", "violet")
    Teachers.open([str(bundle), str(second)], data.taxonomy).teach(data)
    names = data.names(data.train_rows)
    one, two = (Tagger.load(path).scores(names) for path in (bundle, second))
    assert np.abs(one - two).max() > 1e-3
    found = taught(data)
    assert found[:, 0] == pytest.approx((one[:, 0] + two[:, 0]) / 2, abs=2e-4)
    assert found[:, 1] == pytest.approx(one[:, 1], abs=2e-4)
    assert np.isnan(found[:, 2]).all()


def test_the_second_time_the_photos_are_not_needed_whatever_the_student_calls_its_labels(data: PhotoData, bundle: Path):
    Teachers.open([str(bundle)], data.taxonomy).teach(data)
    first = taught(data)
    for photo in (Path(data.catalog.roots[0]) / "images").iterdir():
        photo.unlink()
    data.taxonomy = system("grey", "red")
    Teachers.open([str(bundle)], data.taxonomy).teach(data)
    assert (taught(data) == first[:, [3, 0]]).all()


def test_a_teacher_of_other_labels_is_refused(bundle: Path):
    with pytest.raises(UserError, match=r"album\.tagger: none of its 4 labels \(red, …\) is one of 'mine'"):
        Teachers.open([str(bundle)], system("dog"))


def test_what_is_no_bundle_is_refused(data: PhotoData):
    with pytest.raises(UserError, match="no bundle in nowhere"):
        Teachers.open(["nowhere.tagger"], data.taxonomy)


def test_a_run_says_by_which_bundles_it_was_taught(bundle: Path):
    assert named([]) == {}
    said = named([str(bundle), str(bundle)])["teacher"].split(", ")
    assert said[0] == said[1] and said[0].startswith("album.tagger ")
    with pytest.raises(UserError, match="no bundle in nowhere"):
        named(["nowhere.tagger"])


def test_batches_that_train_hold_what_teachers_say_and_others_do_not(
    data: PhotoData, bundle: Path, tagger_module, trainer
):
    Teachers.open([str(bundle)], data.taxonomy).teach(data)
    module, batches = tagger_module(), []
    step = module.training_step
    module.training_step = lambda batch, batch_idx: batches.append(batch) or step(batch, batch_idx)
    run = trainer()
    run.fit(module, data)
    for batch in batches:
        assert batch.taught.numpy() == pytest.approx(taught(data, batch.rows.numpy()))
    assert len(batches) == 4
    assert all(batch.taught is None for batch in data.val_dataloader())


def test_cached_features_come_with_what_teachers_say(data: PhotoData, bundle: Path, tagger_module):
    Teachers.open([str(bundle)], data.taxonomy).teach(data)
    data.cache_features(tagger_module().network.backbone, 2, torch.device("cpu"))
    dataset = data._dataset(data.train_rows, data.augmented, data.views, taught=data.taught)
    batch = dataset.__getitems__([(4, 0), (1, 1)])  # type: ignore[attr-defined]
    assert batch.taught.numpy() == pytest.approx(taught(data, data.train_rows[[4, 1]]))


def test_an_expert_is_taught_its_own_labels(data: PhotoData, bundle: Path):
    Teachers.open([str(bundle)], data.taxonomy).teach(data)
    assert (taught(data.only([3, 1])) == taught(data)[:, [3, 1]]).all()


def test_another_graph_and_another_framing_are_other_teachers(data: PhotoData, bundle: Path, tmp_path: Path):
    whole = read_bundle(bundle)
    smaller = replace(whole.manifest, preprocessing=whole.manifest.preprocessing | {"fit": "crop"})
    write_bundle(tmp_path / "crop.tagger", smaller, model=whole.model, card="")
    write_bundle(tmp_path / "card.tagger", whole.manifest, model=whole.model, card="another card")
    for place in (bundle, tmp_path / "crop.tagger", tmp_path / "card.tagger"):
        Teachers.open([str(place)], data.taxonomy).teach(data)
    assert len(list((data.cache / "scores").iterdir())) == 2
