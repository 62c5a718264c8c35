import html
import io
import json
import logging
import os
import signal
import sys
import threading
import time
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import commands
import pytest
from PIL import Image

from tagger.data.sources import crawl
from tagger.data.sources.crawl import MANIFEST, Crawl, crawl_keywords
from tagger.data.sources.source import ANNOTATIONS, PHOTOS, Skipped, SourceError
from tagger.data.states import PRESENT


def read(root: Path, skipped: Skipped | None = None, **settings) -> tuple[list[str], list[tuple]]:
    photos, said = [], []
    for chunk in Crawl(root=str(root), **settings).chunks(skipped if skipped is not None else Skipped()):
        assert (chunk.photos.schema, chunk.annotations.schema) == (PHOTOS, ANNOTATIONS)
        assert chunk.photos["key"].equals(chunk.photos["path"])
        rows = chunk.annotations.to_pylist()
        assert all((row["value"], row["origin"], row["score"]) == (PRESENT, "product", None) for row in rows)
        photos += chunk.photos["path"].to_pylist()
        said += [(row["key"], row["name"], row["line"]) for row in rows]
    return photos, said


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


# Reading


def test_a_folder_is_a_keyword_and_a_keyword_is_an_opinion(tmp_path):
    put(tmp_path, "身份证/000001.jpg", "poodle/000001.jpg", "poodle/000002.png", "poodle/notes.txt", MANIFEST)
    skipped = Skipped()
    photos, said = read(tmp_path, skipped)
    assert photos == ["poodle/000001.jpg", "poodle/000002.png", "身份证/000001.jpg"]
    assert said == [(photo, photo.split("/")[0], None) for photo in photos]
    assert skipped.counts == {"not a photo by its name": 1}
    source = Crawl(root=str(tmp_path))
    assert (source.exhaustive, source.unknown) == (False, "ignore")


JSONL = """{"file": "a.jpg", "keyword": "poodle", "url": "http://example.com/1"}
{"file": "a.jpg", "keyword": "dog"}
{"file": "a.jpg", "keyword": "dog"}
{"file": "b/c.jpg", "keyword": "身份证"}
"""


@pytest.mark.parametrize(
    ("name", "text", "first"),
    [
        ("m.jsonl", JSONL, 1),
        ("m.csv", '\ufefffile,url,keyword\r\na.jpg,"http://example.com/1,2",poodle\r\na.jpg,,dog\r\na.jpg,,dog\r\n'
         "b/c.jpg,,身份证\r\n", 2),
    ],
)  # fmt: skip
def test_a_manifest_gives_each_photo_once_and_each_of_its_keywords(tmp_path, name, text, first):
    (tmp_path / name).write_bytes(text.encode())
    photos, said = read(tmp_path, manifest=name)
    assert photos == ["a.jpg", "b/c.jpg"]
    assert said == [("a.jpg", "poodle", first), ("a.jpg", "dog", first + 1), ("b/c.jpg", "身份证", first + 3)]


def test_a_manifest_that_chinese_windows_wrote_is_read_on_request(tmp_path):
    (tmp_path / "m.csv").write_bytes("file,keyword\na.jpg,身份证\n".encode("gbk"))
    with pytest.raises(SourceError, match=r"m\.csv, line 2: not UTF-8 at byte 19; .*set encoding=gbk"):
        read(tmp_path, manifest="m.csv")
    assert read(tmp_path, manifest="m.csv", encoding="gbk")[1] == [("a.jpg", "身份证", 2)]


def test_bad_entries_of_a_manifest_are_counted(tmp_path):
    lines = [
        '{"file": "../a.jpg", "keyword": "dog"}',
        '{"file": "a.jpg"}',
        '{"keyword": "dog"}',
        '{"file": 7, "keyword": "dog"}',
        '{"file": "a.jpg", "keyword": "dog"}',
        '{"file": "a.jpg", "keyword": "dog"}',
        '{"file": "b.jpg", "keyw',
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    skipped = Skipped()
    assert read(tmp_path, skipped, manifest="m.jsonl") == (["a.jpg"], [("a.jpg", "dog", 5)])
    assert skipped.counts == {
        "path leaves the folder": 1,
        "no file or no keyword": 3,
        "keyword of a photo listed again": 1,
        "not a JSON object": 1,
    }
    assert skipped.examples["no file or no keyword"][0].endswith("m.jsonl, line 2")


def test_a_missing_folder_or_another_kind_of_manifest_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere cannot be read: No such file"):
        read(tmp_path / "nowhere")
    with pytest.raises(SourceError, match=r"m\.jsonl cannot be read: No such file"):
        read(tmp_path, manifest="m.jsonl")
    with pytest.raises(SourceError, match=r"m\.txt: expected a name that ends in \.csv, \.tsv or \.jsonl"):
        read(tmp_path, manifest="m.txt")


# Crawling


@pytest.mark.parametrize("keyword", ["", "a/b", "..", ".git", "a\\b", "a\nb", "a\0b", " "])
def test_a_keyword_that_cannot_name_a_folder_is_refused(tmp_path, keyword):
    with pytest.raises(SourceError, match="cannot name a folder"):
        crawl_keywords([keyword], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_without_icrawler_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "icrawler", None)
    with pytest.raises(SourceError, match=r"pip install 'tagger\[crawl\]'"):
        crawl_keywords(["dog"], tmp_path)


def jpeg(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 24), (number * 20 % 256, 90, 30)).save(file, "JPEG")
    return file.getvalue()


class Bing(ThreadingHTTPServer):
    """A search engine whose pages have Bing's form; each keyword finds 20 photos, the 3rd, 4th and 5th are bad."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.fetched: list[str] = []
        self.delay = 0.0

    def handle_error(self, request, client_address):
        """Say nothing: who is killed, or has enough, hangs up."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Bing

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/images/async":
            keyword, first = (parse_qs(url.query)[key][0] for key in ("q", "first"))
            facts = [{"murl": f"{self.server.url}/{len(keyword)}/{number}.jpg"} for number in range(20)]
            items = [
                f'<a class="iusc" m="{html.escape(json.dumps(fact, separators=(",", ":")))}"></a>' for fact in facts
            ]
            page = "".join(f'<div class="imgpt">{item}</div>' for item in items if first == "0")
            self.answer(200, f"<html><body>{page}</body></html>".encode())
            return
        number = int(Path(url.path).stem)
        self.server.fetched.append(url.path)
        time.sleep(self.server.delay)
        bad = {2: (404, b""), 3: (200, b"<html>not a photo</html>"), 4: (200, jpeg(4)[:-100] + b"x" * 20_000)}
        self.answer(*bad.get(number, (200, jpeg(number))))

    def answer(self, code: int, content: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def bing(monkeypatch):
    pytest.importorskip("icrawler")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Bing() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def engine(url: str) -> type:
    """Return icrawler's crawler for Bing, which asks the server of this test."""
    from icrawler import Feeder
    from icrawler.builtin import BingImageCrawler

    class LocalFeeder(Feeder):
        def feed(self, keyword, offset, max_num, filters=None):
            for first in range(offset, offset + max_num, 20):
                self.out_queue.put(f"{url}/images/async?q={keyword}&first={first}")

    class LocalBing(BingImageCrawler):
        def __init__(self, **settings):
            super().__init__(feeder_cls=LocalFeeder, **settings)

    return LocalBing


def entries(root: Path) -> list[dict]:
    return [json.loads(line) for line in (root / MANIFEST).read_text(encoding="utf-8").splitlines()]


def test_a_crawl_leaves_photos_in_folders_and_a_manifest_of_where_each_is_from(tmp_path, bing, monkeypatch):
    monkeypatch.setattr(crawl, "MAX_BYTES", 10_000)
    assert crawl_keywords(["贵宾犬"], tmp_path, engine=engine(bing.url), photos=4, threads=1) == {"贵宾犬": 4}
    assert bing.fetched == [f"/3/{number}.jpg" for number in range(7)], "no more than needed"
    found = entries(tmp_path)
    # The third is gone, the fourth is no photo, the fifth is too large.
    assert [entry["url"] for entry in found] == [f"{bing.url}/3/{number}.jpg" for number in (0, 1, 5, 6)]
    for entry, number in zip(found, (0, 1, 5, 6), strict=True):
        assert (tmp_path / entry["file"]).read_bytes() == jpeg(number)
        assert (entry["keyword"], entry["engine"]) == ("贵宾犬", "LocalBing")
        assert abs(datetime.fromisoformat(entry["time"]).timestamp() - time.time()) < 60
    photos, said = read(tmp_path)
    assert (sorted(photos), {name for _, name, _ in said}) == (sorted(entry["file"] for entry in found), {"贵宾犬"})
    assert read(tmp_path, manifest=MANIFEST)[0] == [entry["file"] for entry in found]


@pytest.mark.slow
def test_a_second_crawl_goes_on_where_the_first_stopped_and_fetches_nothing_twice(tmp_path, bing):
    settings = {"engine": engine(bing.url), "threads": 1}
    crawl_keywords(["dog"], tmp_path, photos=3, **settings)
    before = {path: path.read_bytes() for path in (tmp_path / "dog").iterdir()}
    bing.fetched.clear()
    assert crawl_keywords(["dog", "poodle"], tmp_path, photos=6, **settings) == {"dog": 3, "poodle": 6}
    assert not {f"/3/{number}.jpg" for number in (0, 1, 5)} & set(bing.fetched)
    assert all(path.read_bytes() == content for path, content in before.items())
    assert len(read(tmp_path)[0]) == len(entries(tmp_path)) == 12
    bing.fetched.clear()
    assert crawl_keywords(["dog", "poodle"], tmp_path, photos=6, **settings) == {"dog": 0, "poodle": 0}
    assert bing.fetched == []


@pytest.mark.slow
def test_a_photo_found_for_two_keywords_is_a_candidate_for_both(tmp_path, bing):
    # The server's photos depend on the length of the keyword only.
    crawl_keywords(["dog", "cat"], tmp_path, engine=engine(bing.url), photos=2, threads=1)
    assert [entry["url"] for entry in entries(tmp_path)] == [f"{bing.url}/3/{number}.jpg" for number in (0, 1, 0, 1)]


@pytest.mark.slow
def test_a_crawl_that_was_killed_is_resumed(tmp_path, bing):
    bing.delay = 0.2
    script = f"""
import sys; sys.path[:0] = {[str(folder) for folder in Path(__file__).parents[:3]]}
from test_crawl import crawl_keywords, engine
crawl_keywords(["dog"], {str(tmp_path)!r}, engine=engine({bing.url!r}), photos=10, threads=2)
"""
    process = commands.Popen([sys.executable, "-c", script])
    manifest = tmp_path / MANIFEST
    while not manifest.exists() or len(entries(tmp_path)) < 3:
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = {entry["url"]: tmp_path / entry["file"] for entry in entries(tmp_path)}
    content = {path: path.read_bytes() for path in before.values()}
    with manifest.open("a") as file:
        # As if it had been killed in the middle of a line.
        file.write('{"file": "dog/0000')
    bing.delay = 0
    bing.fetched.clear()
    crawl_keywords(["dog"], tmp_path, engine=engine(bing.url), photos=10, threads=2)
    assert not {bing.url + path for path in bing.fetched} & set(before)
    assert all(path.read_bytes() == kept for path, kept in content.items())
    skipped = Skipped()
    photos, said = read(tmp_path, skipped, manifest=MANIFEST)
    assert skipped.counts == {"not a JSON object": 1}
    assert len(said) == len(photos), "no file is recorded twice"
    # A photo may have been written and not yet recorded by each of the two threads.
    assert len(read(tmp_path)[0]) >= 10
    assert set(photos) <= set(read(tmp_path)[0])
    assert len(photos) >= 8


@pytest.mark.slow
def test_a_crawl_that_finds_nothing_says_so(tmp_path, bing, caplog):
    caplog.set_level(logging.CRITICAL)
    with pytest.raises(SourceError, match="no photo found for 'dog': without a network there is none"):
        crawl_keywords(["dog"], tmp_path, engine=engine("http://127.0.0.1:9"), photos=2)


def test_an_unknown_engine_is_refused_with_those_there_are(tmp_path):
    pytest.importorskip("icrawler")
    with pytest.raises(SourceError, match="engine must be one of bing, baidu, google, got 'altavista'"):
        crawl_keywords(["dog"], tmp_path, engine="altavista")
