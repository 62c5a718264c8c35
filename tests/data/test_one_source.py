"""One source, prepared into a catalog, is the same data set, with a place for what people decide."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tagger.data.assembly import assemble
from tagger.data.catalog import CatalogStore
from tagger.data.catalog.one_source import from_catalog
from tagger.data.catalog.prepared import Prepared
from tagger.data.datamodule import BadPhotosError, PhotoData
from tagger.data.inspection import inspect
from tagger.data.sources.drawn import DrawnAlbum
from tagger.data.sources.listing import Listing
from tagger.data.sources.source import SourceError
from tagger.data.taxonomy import Taxonomy, read_taxonomy

Make = Callable[..., PhotoData]
LISTING = Listing(folder="colours", unlisted="absent")


def prepare(prepared: Prepared, taxonomy: Taxonomy) -> CatalogStore:
    """Read the source into its catalog, as tagger.prepare does."""
    store = CatalogStore(Path(prepared.folder))
    with store.locked():
        assembly = assemble(
            store,
            prepared.sources,
            taxonomy,
            inspect=lambda root, paths: inspect(paths, root, workers=0, progress=False),
        )
        sources = {name: {"root": source.root, "unknown": source.unknown} for name, source in prepared.sources.items()}
        named = {"name": taxonomy.name, "fingerprint": taxonomy.fingerprint}
        store.append(assembly.batches, taxonomy=named, sources=sources)
    return store


def states_by_name(data: PhotoData) -> dict[str, list[int]]:
    paths = data.catalog.photos["path"].to_pylist()
    return {
        path.rpartition("/")[2]: row for path, row in zip(paths, data.catalog.states.toarray().tolist(), strict=True)
    }


def test_a_listing_trains_on_the_same_states_from_its_catalog(
    colours: Callable[..., Path], photo_data: Make, tmp_path: Path
):
    root, folder = colours(40), str(tmp_path / "catalog")
    plain, taxonomy = photo_data(root), photo_data(root).taxonomy
    prepare(from_catalog(LISTING, folder, root=str(root), unknown="ignore"), taxonomy)
    data = photo_data(root, catalog=folder)
    assert Path(data.catalog.place(0)).is_file()
    # Plain photos of one colour that are the same to the byte are one photo of the catalog.
    mine, before = states_by_name(data), states_by_name(plain)
    assert mine == {name: before[name] for name in mine}
    assert data.weights == plain.weights


def test_what_a_person_decided_is_what_training_sees(colours: Callable[..., Path], photo_data: Make, tmp_path: Path):
    root, folder = colours(40), str(tmp_path / "catalog")
    taxonomy = photo_data(root).taxonomy
    store = prepare(from_catalog(LISTING, folder, root=str(root), unknown="ignore"), taxonomy)
    before = photo_data(root, catalog=folder).catalog
    label = int(np.flatnonzero(before.states.toarray()[0] == 1)[0])
    verdict = {"photo": [0], "label": [taxonomy.ids[label]], "value": [-1], "origin": ["human"], "source": ["page"]}
    with store.locked():
        store.append({"verdicts": {"annotations": pa.table(verdict | {"annotator": ["ann"]})}})
    after = photo_data(root, catalog=folder).catalog
    assert after.states.toarray()[0, label] == -1
    assert (before.states != after.states).nnz == 1
    assert before.fingerprint != after.fingerprint


def test_a_drawn_album_keeps_the_truth_that_it_knows(tmp_path: Path):
    taxonomy = read_taxonomy("sample")
    album = DrawnAlbum(folder=str(tmp_path), photos=30, size=32)
    prepared = from_catalog(album, str(tmp_path / "catalog"), root=None, unknown="ignore")
    prepare(prepared, taxonomy)
    read, plain = prepared.read(None, taxonomy), album.read(None, taxonomy)
    assert plain.truth is not None
    assert read.truth is not None
    names = [path.rpartition("/")[2] for path in plain.photos["path"].to_pylist()]
    order = [names.index(path.rpartition("/")[2]) for path in read.photos["path"].to_pylist()]
    assert (read.truth != plain.truth[order]).nnz == 0
    assert (read.states != plain.states[order]).nnz == 0


def test_another_folder_of_the_same_data_set_does_not_mix_with_the_first(
    colours: Callable[..., Path], photo_data: Make, tmp_path: Path
):
    root, folder = colours(40), str(tmp_path / "catalog")
    prepare(from_catalog(LISTING, folder, root=str(root), unknown="ignore"), photo_data(root).taxonomy)
    other = Listing(folder="holidays", unlisted="absent")
    with pytest.raises(SourceError, match=r"is of colours and not of holidays: give \+data\.catalog="):
        from_catalog(other, folder, root=str(root), unknown="ignore")


def test_a_source_that_is_a_catalog_already_is_read_from_the_folder_given():
    album = Prepared(folder="catalogs/album")
    assert from_catalog(album, "elsewhere", root=None, unknown=None) == Prepared(folder="elsewhere")


def test_a_source_that_nobody_can_write_down_is_refused():
    with pytest.raises(SourceError, match=r"data\.source: object can be trained on and not prepared"):
        from_catalog(object(), "catalogs/x", root=None, unknown="ignore")


def test_a_source_whose_name_yaml_took_for_something_else_is_refused():
    with pytest.raises(SourceError, match=r"data\.source\.sources: YAML takes .* for False: put it in quotes"):
        Prepared(folder="catalogs/x", sources={False: LISTING})  # type: ignore[dict-item]


def _gone(photo: Path) -> None:
    photo.unlink()


def _broken(photo: Path) -> None:
    photo.write_bytes(photo.read_bytes()[:40])


def _a_folder(photo: Path) -> None:
    photo.unlink()
    photo.mkdir()


@pytest.mark.parametrize("spoil", [_gone, _broken, _a_folder])
def test_a_photo_that_is_spoilt_after_prepare_is_left_out_and_named(
    spoil: Callable[[Path], None],
    colours: Callable[..., Path],
    photo_data: Make,
    tmp_path: Path,
):
    root, folder = colours(40), str(tmp_path / "catalog")
    taxonomy = photo_data(root).taxonomy
    prepare(from_catalog(LISTING, folder, root=str(root), unknown="ignore"), taxonomy)
    before = photo_data(root, catalog=folder)
    photo, folds = before.catalog.place(3), np.delete(before.folds, 3)
    spoil(Path(photo))
    data = photo_data(root, catalog=folder)
    assert len(data.catalog) == len(before.catalog) - 1
    assert [path for path, _ in data.rejected] == [photo]
    (line,) = data.left_out.lines()
    assert line.startswith(f"1 of {len(before.catalog)} photos left out: ") and photo in line
    # The others stay where they were.
    assert data.folds.tolist() == folds.tolist()
    with pytest.raises(BadPhotosError, match=r"Repair or remove them, or set data\.bad_photos=skip"):
        _ = photo_data(root, catalog=folder, bad_photos="stop").catalog
