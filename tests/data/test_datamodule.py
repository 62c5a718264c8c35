"""From a source to the batches of each fold."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from tagger.data.datamodule import Augment, BadPhotosError, PhotoData
from tagger.data.loader import Position
from tagger.data.replication import Replication
from tagger.data.sources.listing import Listing
from tagger.errors import UserError

Make = Callable[..., PhotoData]
COLOURS = ("red", "green", "blue", "grey")


def parts(data: PhotoData) -> tuple[list[int], list[int], list[int]]:
    return data.train_rows.tolist(), data.val_rows.tolist(), data.test_rows.tolist()


def rows(batches: object) -> list[int]:
    return [row for batch in batches for row in batch.rows.tolist()]  # type: ignore[attr-defined]


def train_batches(data: PhotoData) -> object:
    """Return the training loader as Lightning asks for it, in one process that has not trained yet."""
    progress = SimpleNamespace(current=SimpleNamespace(started=0, processed=0))
    loop = SimpleNamespace(epoch_progress=progress, epoch_loop=SimpleNamespace(batch_progress=progress))
    data.trainer = SimpleNamespace(fit_loop=loop, global_rank=0, world_size=1)  # type: ignore[assignment]
    return data.train_dataloader()


def split_file(test: set[int], photos: int = 40, **columns: Callable[[int], object]) -> str:
    """Return a splits.csv, in another order than labels.csv."""
    lines = [",".join(["image", "split", *columns])]
    for number in reversed(range(photos)):
        cells = [column(number) for column in columns.values()]
        lines.append(",".join(map(str, [f"{number:03}.png", "test" if number in test else "train", *cells])))
    return "\n".join(lines) + "\n"


# --- folds ----------------------------------------------------------------------------------------------------------


def test_every_photo_trains_validates_or_tests_and_only_that(colours: Callable[..., Path], photo_data: Make):
    data = photo_data(colours(40))
    train, val, test = parts(data)
    assert sorted(train + val + test) == list(range(40))
    assert (len(train), len(val), len(test)) == (32, 4, 4)
    # Ten photos of each colour over ten folds: one in each.
    present = data.catalog.states.toarray() == 1
    assert present[val].sum(axis=0).tolist() == present[test].sum(axis=0).tolist() == [1, 1, 1, 1]


def test_the_seed_of_the_experiment_moves_no_photo(colours: Callable[..., Path], photo_data: Make):
    root = colours(40)
    first, second = photo_data(root, seed=0), photo_data(root, seed=1)
    assert (first.folds == second.folds).all()
    assert first.catalog.fingerprint == second.catalog.fingerprint
    assert rows(train_batches(first)) != rows(train_batches(second)), "but it draws them in another order"


def test_the_published_test_photos_are_fold_0_and_all_of_it(colours: Callable[..., Path], photo_data: Make):
    published = {1, 2, 3, 17, 39}
    data = photo_data(colours(40, splits__csv=split_file(published)), split="official")
    train, val, test = parts(data)
    assert set(test) == published
    assert sorted(train + val + test) == list(range(40))
    assert val


@pytest.mark.parametrize("split", ["folds", "official"])
def test_photos_of_a_group_stay_in_one_fold(colours: Callable[..., Path], photo_data: Make, split: str):
    cds = split_file(set(range(4)), group=lambda number: f"cd{number // 4}")
    source = Listing(folder="colours", unlisted="absent", group="group")
    data = photo_data(colours(40, splits__csv=cds), source=source, split=split)
    for number in range(10):
        assert len(set(data.folds[4 * number : 4 * number + 4].tolist())) == 1
    assert all(parts(data))


def test_a_data_set_without_a_published_split_says_so(colours: Callable[..., Path], photo_data: Make):
    with pytest.raises(UserError, match=r"data\.split=official: this data set has no published split; use data\.split"):
        _ = photo_data(colours(8), split="official").folds


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "oficial"}, r"data\.split must be folds or official, got 'oficial'"),
        ({"bad_photos": "ignore"}, r"data\.bad_photos must be 'skip' or 'stop', got 'ignore'"),
        ({"unknown": "absent"}, "unknown must be 'negative', 'ignore' or a weight"),
    ],
)
def test_a_setting_that_does_not_exist_is_refused(colours, photo_data: Make, settings: dict[str, str], message: str):
    with pytest.raises((ValueError, UserError), match=message):
        photo_data(colours(4), **settings)


@pytest.mark.parametrize("source", [Augment(), None, "folder"])
def test_what_reads_no_photos_is_no_source(colours, photo_data: Make, source: object):
    with pytest.raises(UserError, match=r"data\.source is a \w+, which reads no photos; name a class"):
        photo_data(colours(4), source=source)


@pytest.mark.parametrize(
    ("photos", "settings", "message"),
    [
        (1, {}, "1 photos in 1 groups leave none to (train|validate|test) on: data.split=folds deals them"),
        (40, {"group": "group"}, "40 photos in 2 groups leave none to (train|validate|test) on"),
    ],
)
def test_a_part_without_photos_is_refused(colours, photo_data: Make, photos: int, settings, message: str):
    root = colours(photos, splits__csv=split_file(set(), photos, group=lambda number: number % 2))
    with pytest.raises(UserError, match=message):
        _ = photo_data(root, source=Listing(folder="colours", unlisted="absent", **settings)).train_rows


@pytest.mark.parametrize(("published", "part"), [(set(), "test"), (set(range(40)), "train")])
def test_a_published_split_without_one_of_its_parts_is_refused(colours, photo_data: Make, published, part: str):
    root = colours(40, splits__csv=split_file(published))
    with pytest.raises(UserError, match=f"40 photos in 40 groups leave none to {part} on: data.split=official"):
        _ = photo_data(root, split="official").folds


# --- bad photos -----------------------------------------------------------------------------------------------------


@pytest.fixture
def spoilt(colours: Callable[..., Path]) -> Path:
    """Forty photos of which the first four are empty, missing, no photos, and cut."""
    root = colours(40)
    images = root / "colours" / "images"
    (images / "000.png").write_bytes(b"")
    (images / "001.png").unlink()
    (images / "002.png").write_text("no photo")
    whole = (images / "003.png").read_bytes()
    (images / "003.png").write_bytes(whole[: len(whole) // 2])
    return root


def test_photos_that_cannot_be_read_are_left_out_and_listed(spoilt: Path, photo_data: Make):
    data = photo_data(spoilt)
    assert len(data.catalog) == len(data.catalog.photos) == data.catalog.states.shape[0] == 36
    assert data.names(np.array([0]))[0].endswith("004.png")
    assert data.catalog.states[[0]].toarray().tolist() == [[1, -1, -1, -1]], "photo 4 is red: states moved along"
    assert [Path(path).name for path, _ in data.rejected] == ["000.png", "001.png", "002.png", "003.png"]
    assert all(Path(path).name in reason for path, reason in data.rejected)
    assert data.state_counts()["states/train_photos"] == len(data.train_rows)


def test_they_are_refused_where_the_policy_is_to_stop(spoilt: Path, photo_data: Make):
    with pytest.raises(
        BadPhotosError, match=r"4 of 40 photos cannot be read: .*000\.png.* …\. .*data\.bad_photos=skip"
    ):
        _ = photo_data(spoilt, bad_photos="stop").catalog


def test_a_data_set_without_bad_photos_does_not_stop(colours: Callable[..., Path], photo_data: Make):
    data = photo_data(colours(8), bad_photos="stop")
    assert len(data.catalog) == 8
    assert data.rejected == []


@pytest.mark.parametrize("linked", ["images", "photos"])
def test_links_to_another_disk_are_followed_by_who_says_that_they_are_theirs(
    colours: Callable[..., Path], photo_data: Make, tmp_path: Path, linked: str
):
    root, disk = colours(4), tmp_path / "disk"
    images = root / "colours" / "images"
    if linked == "images":
        # As people do.
        images.rename(disk)
        images.symlink_to(disk)
    else:
        # As DVC and git-annex do.
        disk.mkdir()
        for number, photo in enumerate(list(images.iterdir())):
            photo.rename(disk / f"{number}.blob")
            photo.symlink_to(disk / f"{number}.blob")
    way_out = rf"leaves the folder {root}/colours by a link to {disk}.*; if that is yours, data\.follow_links=true"
    with pytest.raises(BadPhotosError, match=way_out):
        _ = photo_data(root).catalog
    assert len(photo_data(root, follow_links=True).catalog) == 4
    with pytest.raises(BadPhotosError, match=way_out):
        _ = photo_data(root).catalog


def test_photos_larger_than_allowed_are_bad(colours: Callable[..., Path], photo_data: Make):
    with pytest.raises(BadPhotosError, match=r"none of the 4 photos under .* can be read: .*more than max_pixels=767"):
        _ = photo_data(colours(4), max_pixels=32 * 24 - 1).catalog


def test_a_data_set_of_bad_photos_only_is_refused_whatever_the_policy(colours: Callable[..., Path], photo_data: Make):
    root = colours(4)
    for photo in (root / "colours" / "images").iterdir():
        photo.write_bytes(b"")
    with pytest.raises(BadPhotosError, match=r"none of the 4 photos under .*colours can be read: .*000\.png"):
        _ = photo_data(root).catalog


def test_an_empty_listing_is_refused(colours: Callable[..., Path], photo_data: Make):
    root = colours(4)
    (root / "colours" / "labels.csv").write_text("image,labels\n")
    with pytest.raises(UserError, match=r"labels\.csv lists no photos"):
        _ = photo_data(root).catalog


# --- counts ---------------------------------------------------------------------------------------------------------


def test_labels_are_counted_on_the_training_photos_only(colours: Callable[..., Path], photo_data: Make):
    labels = ["red|green"] * 3 + ["red"] * 2 + ["blue"] * 4 + [""] * 3
    table = "\n".join(["image,labels", *(f"{number:03}.png,{cell}" for number, cell in enumerate(labels))]) + "\n"
    test = split_file({0, 5, 11}, 12)
    data = photo_data(colours(12, labels__csv=table, splits__csv=test), split="official", unknown=0.25)
    expected = dict.fromkeys(COLOURS, 0)
    for row in data.train_rows.tolist():
        for label in filter(None, labels[row].split("|")):
            expected[label] += 1
    assert data.train_counts.tolist() == [expected[name] for name in COLOURS]
    assert data.train_states.sum(axis=0).tolist() == [len(data.train_rows)] * len(COLOURS)
    counts = data.state_counts()
    assert counts["states/unknown_weight"] == 0.25
    # The three test photos carry red and green, blue, and nothing.
    assert [counts[f"states/test_{state}"] for state in ("photos", "present", "absent", "unknown")] == [3, 3, 9, 0]


def test_what_no_row_names_is_unknown_where_the_source_says_so(colours: Callable[..., Path], photo_data: Make):
    data = photo_data(colours(40), source=Listing(folder="colours", unlisted="unknown"))
    counts = data.state_counts()
    assert [counts[f"states/val_{state}"] for state in ("present", "absent", "unknown")] == [4, 0, 12]


# --- batches --------------------------------------------------------------------------------------------------------


def test_validation_and_test_show_every_photo_once_in_order(colours: Callable[..., Path], photo_data: Make):
    data = photo_data(colours(60), batch_size=4)
    assert rows(data.val_dataloader()) == data.val_rows.tolist()
    assert rows(data.test_dataloader()) == data.test_rows.tolist()


def test_an_epoch_draws_training_photos_in_whole_batches(colours: Callable[..., Path], photo_data: Make):
    data = photo_data(colours(40))
    loader = train_batches(data)
    drawn = rows(loader)
    assert len(loader) == data.batches == 4  # type: ignore[arg-type]
    assert sorted(drawn) == data.train_rows.tolist()


def test_a_sampler_that_replicates_makes_the_epoch_longer(colours: Callable[..., Path], photo_data: Make):
    data = photo_data(colours(40), sampler=Replication(phi="uniform", target_frequency=1.0, length="replicated"))
    # Each colour is on a quarter of the photos: four times each.
    assert data.factors.tolist() == [4.0] * 32
    assert data.batches == 16
    assert data.plan().draws == 128


def test_an_evaluation_photo_is_the_same_every_time_and_a_training_photo_is_not(
    colours: Callable[..., Path], photo_data: Make
):
    data = photo_data(colours(40))
    first, second = (torch.cat([batch.inputs for batch in data.val_dataloader()]) for _ in range(2))
    assert (first == second).all()
    loader = train_batches(data)
    images = {}
    for epoch in range(2):
        loader.draws.set_epoch(epoch)  # type: ignore[attr-defined]
        loader.position = lambda epoch=epoch: Position(epoch, 0)  # type: ignore[attr-defined]
        for batch in loader:  # type: ignore[attr-defined]
            images |= {(epoch, row): image for row, image in zip(batch.rows.tolist(), batch.inputs, strict=True)}
    row = data.train_rows[0].item()
    assert (images[0, row] != images[1, row]).any()


def test_cached_features_replace_the_photos_in_every_part(colours: Callable[..., Path], photo_data: Make):
    data = photo_data(colours(40))
    backbone = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    data.cache_features(backbone, views=2, device=torch.device("cpu"))
    (batch,) = data.test_dataloader()
    expected = torch.stack([data.plain(path).mean(dim=(1, 2)) for path in data.names(data.test_rows)])
    torch.testing.assert_close(batch.inputs, expected, rtol=2**-10, atol=1e-4)
    training = next(iter(train_batches(data)))  # type: ignore[call-overload]
    assert training.inputs.shape == (8, 3)
    views = np.stack([view[training.rows.numpy()] for view in data.views])
    assert (views == training.inputs.half().numpy()).all(axis=2).any(axis=0).all()


def test_the_truth_is_there_only_where_the_source_knows_it(colours: Callable[..., Path], photo_data: Make):
    truth = "\n".join(["image,labels", *(f"{number:03}.png,red" for number in range(8))]) + "\n"
    data = photo_data(colours(8, truth__csv=truth))
    found = data.truth(np.array([3, 1]))
    assert found is not None
    assert found.tolist() == [[1, -1, -1, -1]] * 2


def test_without_a_truth_there_is_none(colours: Callable[..., Path], photo_data: Make):
    assert photo_data(colours(8)).truth(np.array([0])) is None
