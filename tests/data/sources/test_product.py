import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.data.sources import json_lines, product
from tagger.data.sources.product import Product
from tagger.data.sources.source import ANNOTATIONS, Skipped, SourceError
from tagger.data.states import PRESENT


def source(folder) -> Product:
    return Product(root=str(folder), file="tags.jsonl", of="album", vocabulary="acme")


def read(folder, skipped: Skipped | None = None) -> list[dict]:
    rows = []
    for chunk in source(folder).chunks(skipped if skipped is not None else Skipped()):
        assert len(chunk.photos) == 0
        assert chunk.annotations.schema == ANNOTATIONS
        assert chunk.file == str(folder / "tags.jsonl")
        rows += chunk.annotations.to_pylist()
    return rows


def test_a_prediction_is_an_opinion_with_its_score_and_line(tmp_path):
    lines = ['{"photo": "a.jpg", "tag": "猫", "score": 0.5, "model": "v3"}', "", '{"tag": "dog", "photo": "b.jpg"}']
    (tmp_path / "tags.jsonl").write_bytes("\ufeff".encode() + "\r\n".join(lines).encode())
    opinion = {"value": PRESENT, "origin": "product"}
    assert read(tmp_path) == [
        opinion | {"key": "a.jpg", "name": "猫", "score": 0.5, "line": 1},
        opinion | {"key": "b.jpg", "name": "dog", "score": None, "line": 3},
    ]
    assert not source(tmp_path).exhaustive


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"photo": "a.jpg", "tag": "cat"', "not a JSON object"),
        (b'["a.jpg", "cat", 0.5]', "not a JSON object"),
        (b'{"photo": "a.jpg", "tag": "\xc3\x28"}', "not a JSON object"),
        (b'{"photo": "a.jpg", "tag": "\\ud800"}', "not a JSON object"),
        (b"[" * 100_000, "not a JSON object"),
        (b'{"photo": "a.jpg", "tag": "' + b"x" * 1_000_000 + b'"}', "line longer than 1,000,000 bytes"),
        (b'{"tag": "cat"}', "no photo"),
        (b'{"photo": 7, "tag": "cat"}', "no photo"),
        (b'{"photo": "a.jpg", "tag": ""}', "no tag"),
        (b'{"photo": "a.jpg", "tag": "cat", "score": 93}', "score is not within 0..1"),
        (b'{"photo": "a.jpg", "tag": "cat", "score": -0.1}', "score is not within 0..1"),
        (b'{"photo": "a.jpg", "tag": "cat", "score": NaN}', "score is not within 0..1"),
        (b'{"photo": "a.jpg", "tag": "cat", "score": "0.9"}', "score is not a number"),
        (b'{"photo": "a.jpg", "tag": "cat", "score": true}', "score is not a number"),
    ],
)
def test_a_bad_line_is_counted_with_its_number_and_the_others_are_read(tmp_path, line, reason):
    good = b'{"photo": "b.jpg", "tag": "dog", "score": 1}'
    (tmp_path / "tags.jsonl").write_bytes(b"\n".join([good, line, good.replace(b"dog", b"cow")]))
    skipped = Skipped()
    assert [row["line"] for row in read(tmp_path, skipped)] == [1, 3]
    assert skipped.counts == {reason: 1}
    assert "tags.jsonl, line 2" in skipped.examples[reason][0]


@pytest.mark.parametrize("extra", [-1, 0, 1, 2])
def test_the_line_after_one_of_about_the_longest_length_is_read(tmp_path, monkeypatch, extra):
    monkeypatch.setattr(json_lines, "MAX_LINE", 100)
    line = '{"photo": "a.jpg", "tag": "%s"}\n'
    (tmp_path / "tags.jsonl").write_text(line % ("x" * (100 + extra - len(line % ""))) + line % "dog")
    assert [row["name"] for row in read(tmp_path)][extra <= 0 :] == ["dog"]


def test_lines_are_read_as_they_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(product, "CHUNK", 2)
    (tmp_path / "tags.jsonl").write_text('{"photo": "a.jpg", "tag": "cat"}\n' * 2 + "broken\n")
    skipped = Skipped()
    chunks = source(tmp_path).chunks(skipped)
    assert len(next(chunks).annotations) == 2
    assert skipped.counts == {"tag of a photo listed again": 1}
    assert list(chunks) == []
    assert skipped.counts.total() == 2


text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=10)


@given(st.lists(st.tuples(text, text, st.none() | st.floats(0, 1, width=32) | st.sampled_from([0, 1]))))
def test_what_a_product_wrote_is_read(tmp_path_factory, predictions):
    folder = tmp_path_factory.mktemp("product")
    names = ("photo", "tag", "score")
    lines = [json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False) for values in predictions]
    (folder / "tags.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")
    skipped = Skipped()
    found = [(row["key"], row["name"], row["score"]) for row in read(folder, skipped)]
    said_again = len(predictions) - len({(photo, tag) for photo, tag, _ in predictions})
    assert skipped.counts.total() == said_again
    assert found == predictions
    assert not any(math.isnan(score) for _, _, score in found if score is not None)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"tags\.jsonl cannot be read: No such file"):
        read(tmp_path)
