"""Verdicts of people: a file that only grows, whole after a kill at any moment, of one server at a time."""

import contextlib
import json
import signal
import subprocess
import sys
from io import FileIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.errors import UserError
from tagger.tags.corrections import Correction, CorrectionsFile, current, read_corrections

TIME = "2026-01-01T12:00:00+00:00"
BEACH = Correction("ab" * 16, "beach.jpg", "scene.beach", "absent", "ann", TIME, "f00", 0.93)

# Also lone surrogates, which a name has whose bytes are not UTF-8.
anything = st.text(st.characters(exclude_categories=()), max_size=20)
corrections = st.builds(
    Correction,
    photo_id=st.integers(0, 3).map(lambda number: f"{number:032x}"),
    photo=anything,
    label=st.sampled_from(["sea", "beach", "lake"]),
    value=st.sampled_from(["present", "absent", "unknown"]),
    annotator=anything,
    time=st.just(TIME),
    bundle=st.just("f00"),
    score=st.integers(0, 1000).map(lambda number: number / 1000),
)


def test_a_verdict_is_a_line_that_says_who_said_what_when_of_which_photo(tmp_path: Path):
    with CorrectionsFile(tmp_path / "corrections.jsonl") as file:
        file.say(BEACH)
    (line,) = (tmp_path / "corrections.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        **{"photo_id": "ab" * 16, "photo": "beach.jpg", "label": "scene.beach", "value": "absent"},
        **{"origin": "human", "annotator": "ann", "time": TIME, "bundle": "f00", "score": 0.93},
    }


@given(said=st.lists(corrections, max_size=8))
def test_what_was_said_is_what_is_read(said: list[Correction], tmp_path_factory: pytest.TempPathFactory):
    path, kept = tmp_path_factory.mktemp("said") / "corrections.jsonl", []
    for part in (said[:4], said[4:]):
        with CorrectionsFile(path) as file:
            for correction in part:
                held = current(kept).get((correction.photo_id, correction.label))
                before = held.value if held else "unknown"
                assert file.say(correction) == (None if before == correction.value else before)
                kept += [correction] if before != correction.value else []
            assert file.current == current(kept)
    assert list(read_corrections(path)) == kept


@given(said=st.lists(corrections, max_size=8), back=corrections)
def test_what_is_taken_back_was_never_said(said: list[Correction], back: Correction):
    before = current(said)
    key = back.photo_id, back.label
    value = before[key].value if key in before else "unknown"
    after = current([*said, back, back.withdrawn(before=value)])
    assert {place: verdict.value for place, verdict in after.items()} == {
        place: verdict.value for place, verdict in before.items()
    }


@given(
    line=st.binary(max_size=200)
    | st.dictionaries(
        st.sampled_from(list(vars(BEACH))),
        st.none() | st.booleans() | st.integers() | st.floats() | anything | st.lists(st.just(1)),
    ).map(lambda tree: json.dumps(vars(BEACH) | tree).encode())
)
def test_no_line_of_a_stranger_is_more_than_refused(line: bytes):
    with contextlib.suppress(ValueError):
        Correction.from_line(line)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("photo_id", "../../etc/passwd", "photo_id must be 32 hex digits"),
        ("label", None, "label must be a text, got None"),
        ("value", "maybe", "value must be present, absent, unknown, got 'maybe'"),
        ("origin", "model", "origin must be human, got 'model'"),
        ("score", "high", "score must be a number, got 'high'"),
        ("time", "yesterday", "time must be ISO 8601 in UTC, got 'yesterday'"),
        ("time", "2026-01-01T12:00:00", "time must be ISO 8601 in UTC"),
    ],
)
def test_a_damaged_line_is_named_with_its_number(tmp_path: Path, field: str, value: object, message: str):
    path = tmp_path / "corrections.jsonl"
    path.write_bytes(BEACH.to_line() + json.dumps(json.loads(BEACH.to_line()) | {field: value}).encode() + b"\n")
    for read in (lambda: list(read_corrections(path)), lambda: CorrectionsFile(path)):
        with pytest.raises(UserError, match=r"corrections.jsonl, line 2 is no correction: ") as error:
            read()
        assert message in str(error.value)


@pytest.mark.parametrize("field", list(json.loads(BEACH.to_line())))
def test_a_line_without_a_field_is_no_correction(field: str):
    line = json.loads(BEACH.to_line())
    del line[field]
    with pytest.raises(ValueError, match=f"^{field} must be "):
        Correction.from_line(json.dumps(line).encode())


def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path):
    path = tmp_path / "corrections.jsonl"
    path.write_text("my diary")
    with pytest.raises(UserError, match="holds something else than corrections: name another file"):
        CorrectionsFile(path)
    assert path.read_text() == "my diary"


def test_a_second_server_is_told(tmp_path: Path):
    path = tmp_path / "corrections.jsonl"
    with CorrectionsFile(path), pytest.raises(UserError, match=r"another tagger.serve appends to it"):
        CorrectionsFile(path)
    with CorrectionsFile(path):
        pass


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"corrections=.*cannot be written"):
        CorrectionsFile(tmp_path / "file" / "corrections.jsonl")


def test_a_line_that_was_cut_anywhere_never_counts_and_is_no_harm(tmp_path: Path):
    path = tmp_path / "corrections.jsonl"
    whole = BEACH.to_line()
    for cut in range(len(whole)):
        path.write_bytes(whole + whole[:cut])
        assert list(read_corrections(path)) == [BEACH]
        with CorrectionsFile(path) as file:
            file.say(BEACH.withdrawn())
        assert [said.value for said in read_corrections(path)] == ["absent", "unknown"]


class Full:
    """A file on a disk that becomes full in the middle of a line."""

    def __init__(self, file: FileIO) -> None:
        self.file, self.fileno, self.truncate = file, file.fileno, file.truncate

    def write(self, line: bytes) -> int:
        return self.file.write(line[:10])


def test_a_full_disk_is_said_and_leaves_no_half_a_line(tmp_path: Path):
    path = tmp_path / "corrections.jsonl"
    with CorrectionsFile(path) as file:
        file.say(BEACH)
        file._file = Full(opened := file._file)  # type: ignore[assignment]
        with pytest.raises(UserError, match="No space left on device"):
            file.say(BEACH.withdrawn())
        assert file.current == current([BEACH])
        file._file = opened
        file.say(BEACH.withdrawn())
    assert [said.value for said in read_corrections(path)] == ["absent", "unknown"]


APPENDING = """
import sys
from pathlib import Path
from tagger.tags.corrections import Correction, CorrectionsFile, now
with CorrectionsFile(Path(sys.argv[1])) as file:
    for number in range(1_000_000):
        file.say(Correction(f"{sys.argv[2]}{number:031x}", "x" * 2000, "sea", "absent", "ann", now(), "f00", 0.5))
        print(number, flush=True)
"""


@pytest.mark.slow
def test_a_kill_at_any_moment_loses_nothing_that_was_said_to_be_kept(tmp_path: Path):
    path, told = tmp_path / "corrections.jsonl", 0
    for round_ in range(6):
        before = sum(1 for _ in read_corrections(path)) if path.exists() else 0
        words = [sys.executable, "-c", APPENDING, str(path), str(round_)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as run:
            assert run.stdout
            for _ in range(20 + 7 * round_):
                kept = int(run.stdout.readline())
            run.send_signal(signal.SIGKILL)
            kept = max([kept, *(int(line) for line in run.stdout.read().split("\n")[:-1])])
        found = sum(1 for _ in read_corrections(path)) - before
        assert found >= kept + 1
        told += kept + 1
    assert told > 100, "a test that could not fail otherwise"


def test_cleaning_needs_no_torch_and_no_page():
    loaded = "import sys, tagger.tags.corrections; print({'torch', 'starlette', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
