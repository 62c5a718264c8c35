"""Out-of-fold scores: gathered from ten turns in the order of the catalog, refused where they are of something else."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tagger.cleaning.scoring.scores import ScoresError, kept_scores, read_scores, write_scores
from tagger.cleaning.scoring.turns import gathered, turns_of
from tagger.data.taxonomy import Taxonomy, read_taxonomy

VALUES = np.array([[0.25, 0.5], [np.nan, np.nan], [0.75, 1.0]])


@pytest.fixture
def taxonomy(tmp_path: Path) -> Taxonomy:
    (tmp_path / "pets.yaml").write_text("name: pets\nlabels: [dog, cat]\n")
    return read_taxonomy(str(tmp_path / "pets.yaml"))


def facts(taxonomy: Taxonomy) -> dict[str, Any]:
    return {
        "data_fingerprint": "d1",
        "taxonomy_fingerprint": taxonomy.fingerprint,
        "labels": list(taxonomy.ids),
        "turns": [],
    }


def test_scores_come_back_as_they_were_written(tmp_path: Path, taxonomy: Taxonomy):
    write_scores(tmp_path / "new" / "folder", VALUES, facts(taxonomy))
    read = read_scores(tmp_path / "new" / "folder", taxonomy, photos=3)
    np.testing.assert_array_equal(read.values, VALUES.astype(np.float16))
    assert read.values.dtype == np.float16
    assert read.is_scored.tolist() == [True, False, True]
    assert read.facts["labels"] == ["dog", "cat"]


def test_photos_that_came_later_have_no_score(tmp_path: Path, taxonomy: Taxonomy):
    write_scores(tmp_path, VALUES, facts(taxonomy))
    assert read_scores(tmp_path, taxonomy, photos=5).is_scored.tolist() == [True, False, True, False, False]


def test_what_was_scored_before_is_kept_the_oldest_first(tmp_path: Path, taxonomy: Taxonomy):
    for number, when in ((2, "2026-01-02"), (1, "2026-01-01"), (3, "2026-01-03")):
        told = {**facts(taxonomy), "data_fingerprint": f"d{number}", "when": when}
        write_scores(tmp_path, VALUES / number, told)
    write_scores(tmp_path, VALUES, {**facts(taxonomy), "data_fingerprint": "d4", "taxonomy_fingerprint": "other"})
    (tmp_path / "scores" / "d3" / "scores.npy").write_bytes(b"cut")
    kept = kept_scores(tmp_path, taxonomy, photos=4)
    assert [scores.facts["data_fingerprint"] for scores in kept] == ["d1", "d2"]
    np.testing.assert_array_equal(kept[1].values[:3], (VALUES / 2).astype(np.float16))
    assert len(kept[1].values) == 4
    assert kept_scores(tmp_path / "elsewhere", taxonomy, photos=3) == []


def test_scores_that_are_not_there_name_the_command(tmp_path: Path, taxonomy: Taxonomy):
    with pytest.raises(ScoresError, match=r"scores\.json is missing; make them with .* step=score"):
        read_scores(tmp_path, taxonomy, photos=3)


def test_an_array_that_the_facts_do_not_speak_of_is_refused(tmp_path: Path, taxonomy: Taxonomy):
    write_scores(tmp_path, VALUES, facts(taxonomy))
    before = (tmp_path / "scores.json").read_text()
    write_scores(tmp_path, VALUES / 2, facts(taxonomy))
    # As if it had been killed between the two files.
    (tmp_path / "scores.json").write_text(before)
    with pytest.raises(ScoresError, match="is not the array"):
        read_scores(tmp_path, taxonomy, photos=3)


def test_scores_of_other_labels_or_more_photos_are_refused(tmp_path: Path, taxonomy: Taxonomy):
    write_scores(tmp_path, VALUES, facts(taxonomy))
    with pytest.raises(ScoresError, match="is of 3 photos and the catalog has 2"):
        read_scores(tmp_path, taxonomy, photos=2)
    (tmp_path / "more.yaml").write_text("name: more\nlabels: [dog, cat, cow]\n")
    with pytest.raises(ScoresError, match="is of another version of the taxonomy 'more'"):
        read_scores(tmp_path, read_taxonomy(str(tmp_path / "more.yaml")), photos=3)


def test_damaged_facts_are_named(tmp_path: Path, taxonomy: Taxonomy):
    write_scores(tmp_path, VALUES, facts(taxonomy))
    (tmp_path / "scores.json").write_text('{"array": ')
    with pytest.raises(ScoresError, match=r"scores\.json is damaged"):
        read_scores(tmp_path, taxonomy, photos=3)


def turn(folder: Path, rows: list[int], scores: float) -> Any:
    folder.mkdir()
    np.savez(folder / "test_scores.npz", rows=np.array(rows), scores=np.full((len(rows), 2), scores, dtype=np.float32))
    return SimpleNamespace(run=folder)


def test_every_photo_gets_the_scores_of_the_turn_that_tested_it(tmp_path: Path, taxonomy: Taxonomy):
    class Seen(list[int]):
        """What training sees: two photos with a file, which are rows 1 and 3 of the catalog."""

        place = staticmethod(str)

    seen: Any = Seen([0, 1])
    seen.taxonomy = taxonomy
    stands = [turn(tmp_path / "a", [1], 0.25), turn(tmp_path / "b", [0], 0.5)]
    values = gathered(stands, seen, photos=4, rows=np.array([1, 3]))
    np.testing.assert_array_equal(values[:, 0], np.array([np.nan, 0.5, np.nan, 0.25], dtype=np.float16))
    twice = [*stands, turn(tmp_path / "c", [1], 0.75)]
    with pytest.raises(ScoresError, match="1 was tested by 2 turns"):
        gathered(twice, seen, photos=4, rows=np.array([1, 3]))


def test_ten_turns_are_ten_versions_of_one_study():
    study = turns_of("ab12", ["data=sample"], minutes=3)
    assert list(study.versions.values()) == [(f"+data.turn={turn}",) for turn in range(10)]
    assert json.dumps(study.words) == '["data=sample"]'
