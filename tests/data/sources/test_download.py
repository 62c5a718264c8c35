"""Fetching photos from a real server on this machine that fails, stalls and lies."""

import base64
import hashlib
import io
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import commands
import numpy as np
import pyarrow as pa
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tagger.data.sources.download import REPORT, download, file_name
from tagger.data.sources.source import SourceError

QUICK: dict[str, Any] = {"rate": 1000, "timeout": 0.3, "backoff": 0.01, "workers": 2, "progress": False}


def photo(seed: int = 0, *, side: int = 96) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


PHOTO = photo()
HALF = len(PHOTO) // 2


class Request(BaseHTTPRequestHandler):
    """What the server got, and how it answers: the route decides."""

    protocol_version = "HTTP/1.1"
    server: "Site"

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        with self.server.lock:
            self.number = self.server.paths.count(path)
            self.server.paths.append(path)
            self.server.times.append(time.monotonic())
            self.server.ranges.append(self.headers["Range"])
        try:
            self.server.routes[path](self)
            self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass

    def head(self, status: int = 200, **headers: str | int) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def give(self, body: bytes = PHOTO, status: int = 200, **headers: str | int) -> None:
        self.head(status, **{"Content_Type": "image/jpeg", "Content_Length": len(body), **headers})
        self.wfile.write(body)

    def give_range(self, body: bytes = PHOTO, *, etag: str = '"1"') -> None:
        """Give what Range asks for, as a server does that supports it."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if not asked:
            return self.give(body, ETag=etag)
        start = int(asked[1])
        said = f"bytes {start}-{len(body) - 1}/{len(body)}"
        return self.give(body[start:], 206, ETag=etag, Content_Range=said)

    def stop_after(self, size: int, *, hang: bool = False, **headers: str | int) -> None:
        """Promise the photo and send a part of it."""
        self.head(Content_Length=len(PHOTO), **headers)
        self.wfile.write(PHOTO[:size])
        self.wfile.flush()
        if hang:
            self.server.closing.wait(5)
        self.close_connection = True


Route = Callable[[Request], None]


class Site(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.routes: dict[str, Route] = {}
        self.paths: list[str] = []
        self.times: list[float] = []
        self.ranges: list[str | None] = []
        self.lock = threading.Lock()
        self.closing = threading.Event()

    def handle_error(self, *_: object) -> None:
        """Say nothing: who calls hangs up in the middle here."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def fetch(site: Site, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Fetch one photo that the server gives by a route, and return its row of the report."""

    def fetch(route: Route, *, md5: str | None = None, size: int | None = None, **settings: Any) -> dict[str, Any]:
        site.routes["/photo.jpg"] = route
        asked = pa.table({"key": ["photo"], "url": [site.url("/photo.jpg")], "md5": [md5], "bytes": [size]})
        (row,) = download(asked, tmp_path, **{**QUICK, **settings}).to_pylist()
        return row

    return fetch


def kept(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.name != ".download.lock")


def in_turn(*routes: Route) -> Route:
    """Answer the first request by the first route, and so on; the last one answers all others."""
    return lambda request: routes[min(request.number, len(routes) - 1)](request)


def error(status: int, **headers: str | int) -> Route:
    return lambda request: request.give(b"", status, **headers)


# What goes well


def test_photos_are_fetched_and_reported_in_the_order_asked_for(site, tmp_path):
    photos = {f"{number}": photo(number) for number in range(9)}
    for key, body in photos.items():
        site.routes[f"/{key}"] = lambda request, body=body: request.give(body)
    asked = pa.table({"key": list(photos), "url": [site.url(f"/{key}") for key in photos]})
    report = download(asked, tmp_path, **QUICK)
    assert report.schema == REPORT
    assert report["key"].to_pylist() == list(photos)
    assert set(report["outcome"].to_pylist()) == {"ok"}
    assert report["sha256"].to_pylist() == [hashlib.sha256(body).hexdigest() for body in photos.values()]
    assert report["bytes"].to_pylist() == [len(body) for body in photos.values()]
    assert {file: (tmp_path / file).read_bytes() for file in kept(tmp_path)} == {
        f"{key}.jpg": body for key, body in photos.items()
    }


def test_what_is_there_is_not_asked_for_again_unless_it_is_empty(site, tmp_path):
    site.routes = dict.fromkeys(("/a", "/b"), lambda request: request.give())
    (tmp_path / "a.jpg").write_bytes(b"mine")
    (tmp_path / "b.jpg").touch()
    asked = pa.table({"key": ["b", "a"], "url": [site.url("/b"), site.url("/a")]})
    report = download(asked, tmp_path, **QUICK)
    assert report["outcome"].to_pylist() == ["ok", "already there"]
    assert report["bytes"].to_pylist() == [len(PHOTO), 4]
    assert report["file"].to_pylist() == ["b.jpg", "a.jpg"]
    assert site.paths == ["/b"]


def test_no_requests_make_an_empty_report(tmp_path):
    assert (
        download(pa.table({"key": pa.array([], pa.string()), "url": pa.array([], pa.string())}), tmp_path).num_rows == 0
    )


def test_a_checksum_as_open_images_has_it_is_checked(fetch):
    md5 = base64.b64encode(hashlib.md5(PHOTO).digest()).decode()
    assert fetch(Request.give, md5=md5, size=len(PHOTO))["outcome"] == "ok"


def test_a_redirect_is_followed_and_takes_a_turn_of_its_own(fetch, site):
    site.routes["/moved.jpg"] = Request.give
    assert fetch(error(302, Location="/moved.jpg"), rate=2)["outcome"] == "ok"
    assert site.times[1] - site.times[0] > 0.3


def test_a_body_without_a_length_is_read_to_its_end(fetch):
    def chunked(request: Request) -> None:
        request.head(Transfer_Encoding="chunked")
        for piece in (PHOTO[:HALF], PHOTO[HALF:], b""):
            request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    assert fetch(chunked)["bytes"] == len(PHOTO)


# What fails


def test_a_server_that_fails_twice_is_asked_a_third_time(fetch, site):
    assert fetch(in_turn(error(500), error(503), Request.give))["outcome"] == "ok"
    assert len(site.paths) == 3


def test_a_server_that_always_fails_is_given_up(fetch, site, tmp_path):
    row = fetch(error(500), retries=2)
    assert (row["outcome"], row["reason"], row["file"]) == ("failed", "HTTP 500 Internal Server Error", None)
    assert len(site.paths) == 3
    assert kept(tmp_path) == []


@pytest.mark.parametrize("status", [401, 403, 404, 410, 204, 304])
def test_a_dead_link_is_reported_after_one_request(fetch, site, tmp_path, status):
    row = fetch(error(status))
    assert row["outcome"] == "dead"
    assert row["reason"].startswith(f"HTTP {status} ")
    assert len(site.paths) == 1
    assert kept(tmp_path) == []


def test_a_host_that_does_not_exist_is_reported(monkeypatch, tmp_path):
    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    monkeypatch.setenv("NO_PROXY", "*")
    asked = pa.table({"key": ["a"], "url": ["http://nowhere.example/a.jpg"]})
    (row,) = download(asked, tmp_path, **QUICK).to_pylist()
    assert (row["outcome"], row["reason"]) == ("failed", "host not found")


def test_a_closed_door_and_a_dropped_call_are_reported(fetch, tmp_path):
    def hang_up(request: Request) -> None:
        request.connection.shutdown(socket.SHUT_RDWR)
        request.close_connection = True

    row = fetch(hang_up, retries=1)
    assert row["outcome"] == "failed"
    assert row["reason"].startswith("no answer: ")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        asked = pa.table({"key": ["a"], "url": [f"http://127.0.0.1:{unused.getsockname()[1]}/a"]})
        (row,) = download(asked, tmp_path, **QUICK).to_pylist()
    assert "refused" in row["reason"]


# What stalls


def test_a_server_that_accepts_and_never_answers_is_given_up(fetch, site):
    start = time.monotonic()
    row = fetch(lambda request: request.server.closing.wait(5), retries=1)
    assert (row["outcome"], row["reason"]) == ("failed", "timed out: no byte came")
    assert len(site.paths) == 2
    assert time.monotonic() - start < 3


def test_a_body_that_hangs_half_way_is_continued_where_it_stopped(fetch, site, tmp_path):
    hang = lambda request: request.stop_after(HALF, hang=True, ETag='"1"')  # noqa: E731
    assert fetch(in_turn(hang, Request.give_range))["sha256"] == hashlib.sha256(PHOTO).hexdigest()
    assert site.ranges == [None, f"bytes={HALF}-"]
    assert kept(tmp_path) == ["photo.jpg"]


def test_a_body_that_drips_for_ever_is_given_up_at_the_deadline(fetch):
    def drip(request: Request) -> None:
        request.head(Content_Length=len(PHOTO))
        for byte in PHOTO:
            request.wfile.write(bytes([byte]))
            request.wfile.flush()
            if request.server.closing.wait(0.02):
                break
        request.close_connection = True

    start = time.monotonic()
    row = fetch(drip, deadline=0.3, retries=0)
    assert (row["outcome"], row["reason"]) == ("failed", "not there after 0.3 seconds")
    assert time.monotonic() - start < 2


# Continuing


def test_a_part_is_kept_and_continued_by_the_next_call(fetch, site, tmp_path):
    row = fetch(lambda request: request.stop_after(HALF, ETag='"1"'), retries=0)
    assert row["outcome"] == "failed"
    assert row["reason"] == f"cut off: IncompleteRead({HALF} bytes read, {len(PHOTO) - HALF} more expected)"
    (part,) = kept(tmp_path)
    assert re.fullmatch(r"\.photo\.jpg\.[0-9a-f]{16}\.part", part)
    assert fetch(Request.give_range)["outcome"] == "ok"
    assert site.ranges == [None, f"bytes={HALF}-"]
    assert (tmp_path / "photo.jpg").read_bytes() == PHOTO


def test_a_server_without_ranges_gives_the_photo_anew(fetch, tmp_path):
    cut = lambda request: request.stop_after(HALF, ETag='"1"')  # noqa: E731
    assert fetch(in_turn(cut, lambda request: request.give(ETag='"1"')))["outcome"] == "ok"
    assert (tmp_path / "photo.jpg").read_bytes() == PHOTO
    assert kept(tmp_path) == ["photo.jpg"]


def test_the_rest_of_another_photo_is_not_joined_to_a_part(fetch, site, tmp_path):
    other = photo(1)
    cut = lambda request: request.stop_after(HALF, ETag='"1"')  # noqa: E731
    row = fetch(in_turn(cut, lambda request: request.give_range(other, etag='"2"')), retries=1)
    assert row["outcome"] == "ok"
    assert (tmp_path / "photo.jpg").read_bytes() == other
    assert site.ranges == [None, f"bytes={HALF}-", None]


@pytest.mark.parametrize("lie", ["bytes 0-9/10", "nonsense", ""])
def test_a_range_that_is_not_the_one_asked_for_is_not_believed(fetch, tmp_path, lie):
    def other_range(request: Request) -> None:
        if request.headers["Range"]:
            request.give(PHOTO[: len(PHOTO) - HALF], 206, ETag='"1"', Content_Range=lie)
        else:
            request.give(ETag='"1"')

    cut = lambda request: request.stop_after(HALF, ETag='"1"')  # noqa: E731
    assert fetch(in_turn(cut, other_range))["outcome"] == "ok"
    assert (tmp_path / "photo.jpg").read_bytes() == PHOTO


def test_a_part_that_nothing_can_be_told_by_is_not_continued(fetch, site, tmp_path):
    def chunked_cut(request: Request) -> None:
        request.head(Transfer_Encoding="chunked")
        request.wfile.write(b"%x\r\n%s\r\n" % (HALF, PHOTO[:HALF]))
        request.close_connection = True

    row = fetch(in_turn(chunked_cut, lambda request: request.give_range(photo(1), etag="")))
    assert row["outcome"] == "ok"
    assert (tmp_path / "photo.jpg").read_bytes() == photo(1)


def test_a_part_that_the_server_finds_too_long_is_fetched_anew(fetch, tmp_path):
    (tmp_path / f".photo.jpg.{'0' * 16}.part").write_bytes(b"x" * 10 * len(PHOTO))

    def strict(request: Request) -> None:
        if request.headers["Range"]:
            request.give(b"", 416, Content_Range=f"bytes */{len(PHOTO)}", Content_Type="text/html")
        else:
            request.give()

    assert fetch(strict, retries=0)["outcome"] == "ok"
    assert kept(tmp_path) == ["photo.jpg"]


KILLED = """
import sys
from pathlib import Path
import pyarrow as pa
from tagger.data.sources.download import download
keys, url = [str(number) for number in range(6)], sys.argv[1]
asked = pa.table({"key": keys, "url": [url + key for key in keys]})
download(asked, Path(sys.argv[2]), workers=1, rate=1000, progress=False)
"""


@pytest.mark.slow
def test_a_killed_process_loses_nothing_finished_and_continues_what_it_had_begun(site, tmp_path):
    begun = threading.Event()

    def third(request: Request) -> None:
        if request.headers["Range"]:
            return request.give_range()
        begun.set()
        return request.stop_after(HALF, hang=True, ETag='"1"')

    site.routes = {f"/{number}": Request.give_range for number in range(6)} | {"/2": third}
    arguments = [sys.executable, "-c", KILLED, site.url("/"), str(tmp_path)]
    with commands.Popen(arguments, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}) as process:
        assert begun.wait(60)
        while not any(file.stat().st_size == HALF for file in tmp_path.glob(".2.jpg.*.part")):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert [name for name in kept(tmp_path) if not name.startswith(".")] == ["0.jpg", "1.jpg"]
    before = len(site.paths)
    keys = [str(number) for number in range(6)]
    report = download(pa.table({"key": keys, "url": [site.url(f"/{key}") for key in keys]}), tmp_path, **QUICK)
    assert report["outcome"].to_pylist() == ["already there"] * 2 + ["ok"] * 4
    assert sorted(site.paths[before:]) == ["/2", "/3", "/4", "/5"]
    assert site.ranges[site.paths.index("/2", before)] == f"bytes={HALF}-"
    assert kept(tmp_path) == [f"{key}.jpg" for key in keys]
    assert all((tmp_path / name).read_bytes() == PHOTO for name in kept(tmp_path))


# What lies


def test_a_body_shorter_than_promised_is_never_kept(fetch, tmp_path):
    row = fetch(lambda request: request.stop_after(len(PHOTO) - 1), retries=1)
    assert row["outcome"] == "failed"
    assert row["reason"].startswith("cut off: ")
    assert not (tmp_path / "photo.jpg").exists()


def test_a_photo_cut_off_where_no_length_was_promised_is_tried_again(fetch, site, tmp_path):
    def until_closed(request: Request) -> None:
        request.head(Connection="close")
        request.wfile.write(PHOTO[:HALF])

    row = fetch(until_closed, retries=1)
    assert (row["outcome"], len(site.paths)) == ("failed", 2)
    assert row["reason"].startswith("no photo: ")
    assert kept(tmp_path) == []


def test_a_wrong_checksum_is_tried_once_more_and_never_kept(fetch, site, tmp_path):
    expected = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    row = fetch(Request.give, md5=expected, retries=5)
    assert row["outcome"] == "dead"
    found = base64.b64encode(hashlib.md5(PHOTO).digest()).decode()
    assert row["reason"] == f"has the MD5 {found}, expected {expected}"
    assert len(site.paths) == 2
    assert kept(tmp_path) == []


def test_a_wrong_checksum_may_be_right_the_second_time(fetch):
    md5 = base64.b64encode(hashlib.md5(PHOTO).digest()).decode()
    assert fetch(in_turn(lambda request: request.give(photo(1)), Request.give), md5=md5)["outcome"] == "ok"


def test_a_wrong_size_is_a_wrong_photo(fetch, tmp_path):
    row = fetch(Request.give, size=7)
    assert (row["outcome"], row["reason"]) == ("dead", f"has {len(PHOTO):,} bytes, expected 7")
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (b"<html>gone</html>", {"Content_Type": "text/html; charset=utf-8"}, "sends text/html; charset=utf-8"),
        (b"<html>gone</html>", {}, "no photo: not an image"),
        (PHOTO[:HALF], {}, "no photo: "),
        (b"", {}, "no photo: empty file"),
        (PHOTO, {"Content_Encoding": "gzip"}, "sends image/jpeg gzip"),
    ],
)
def test_what_is_no_photo_is_dead_and_never_kept(fetch, tmp_path, body, headers, reason):
    once = in_turn(lambda request: request.give(body, **headers), Request.give)
    row = fetch(once)
    assert row["outcome"] == "dead"
    assert row["reason"].startswith(reason)
    assert kept(tmp_path) == []


def test_redirects_in_a_circle_are_dead(fetch, site):
    row = fetch(error(302, Location="/photo.jpg"))
    assert row["outcome"] == "dead"
    assert row["reason"].startswith("redirects lead in circles")
    assert len(site.paths) < 10


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://example.org/a.jpg", "http://[::1"])
def test_a_redirect_to_what_is_not_the_web_is_refused(fetch, tmp_path, place):
    row = fetch(error(302, Location=place))
    assert row["outcome"] == "dead"
    assert row["reason"].startswith("no address of a photo: ")
    assert kept(tmp_path) == []


def test_a_redirect_to_the_placeholder_of_a_gone_photo_is_a_dead_link(fetch, site, tmp_path):
    site.routes["/images/en-us/photo_unavailable.png"] = Request.give
    row = fetch(error(302, Location="/images/en-us/photo_unavailable.png"))
    assert row["outcome"] == "dead"
    assert row["reason"].startswith("gone: leads to the placeholder http://127.0.0.1")
    assert kept(tmp_path) == []


@pytest.mark.parametrize("told", [True, False])
def test_a_photo_that_is_too_large_is_cut_and_not_kept(fetch, tmp_path, told):
    def endless(request: Request) -> None:
        request.head(**({"Content_Length": 10**12} if told else {"Connection": "close"}))
        for _ in range(1000):
            request.wfile.write(PHOTO)
        request.close_connection = True

    row = fetch(endless, max_bytes=100_000)
    assert (row["outcome"], row["reason"]) == ("dead", "larger than 100,000 bytes")
    assert kept(tmp_path) == []


# Politeness


def test_a_host_gets_no_more_requests_a_second_than_it_should(site, tmp_path):
    keys = [str(number) for number in range(7)]
    site.routes = {f"/{key}": Request.give for key in keys} | {"/3": in_turn(error(500), Request.give)}
    asked = pa.table({"key": keys, "url": [site.url(f"/{key}") for key in keys]})
    download(asked, tmp_path, **{**QUICK, "rate": 20, "workers": 4})
    assert len(site.times) == 8
    # A thread of the server may be late, and the next one in time.
    assert max(site.times) - min(site.times) > 7 / 20 - 0.04


def test_a_server_that_asks_to_wait_gets_nothing_from_anybody_until_then(site, tmp_path):
    site.routes = {"/0": in_turn(error(429, Retry_After=1), Request.give), "/1": Request.give, "/2": Request.give}
    asked = pa.table({"key": ["0", "1", "2"], "url": [site.url(f"/{key}") for key in range(3)]})
    report = download(asked, tmp_path, **{**QUICK, "workers": 1})
    assert set(report["outcome"].to_pylist()) == {"ok"}
    assert site.paths == ["/0", "/0", "/1", "/2"]
    assert site.times[1] - site.times[0] > 0.95


@pytest.mark.parametrize("wish", ["3600", "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_a_server_that_asks_for_too_much_patience_is_left_alone(site, tmp_path, wish):
    site.routes = dict.fromkeys(("/0", "/1"), error(503, Retry_After=wish))
    asked = pa.table({"key": ["0", "1"], "url": [site.url("/0"), site.url("/1")]})
    report = download(asked, tmp_path, **{**QUICK, "workers": 1, "patience": 2})
    assert set(report["outcome"].to_pylist()) == {"failed"}
    assert all("asks to wait for" in reason for reason in report["reason"].to_pylist())
    assert site.paths == ["/0"]


def test_nonsense_for_how_long_to_wait_is_no_wish(fetch):
    assert fetch(in_turn(error(503, Retry_After="soon"), Request.give))["outcome"] == "ok"


def test_what_a_server_says_does_nothing_to_a_terminal(fetch):
    def coloured(request: Request) -> None:
        request.wfile.write(b"HTTP/1.1 404 \x1b[31mgone\r\nContent-Length: 0\r\n\r\n")

    assert fetch(coloured)["reason"] == "HTTP 404 ?[31mgone"


# What is asked for


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_the_name_of_a_file_stays_in_its_folder_and_tells_keys_apart(key, other):
    try:
        key.encode(), other.encode()
    except UnicodeEncodeError:
        return
    name = file_name(key)
    assert Path("/photos", name).resolve().parent == Path("/photos")
    assert not name.startswith(".")
    assert set(name) <= set("%_.-~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert unquote(name.removesuffix(".jpg")) == key
    assert (name == file_name(other)) == (key == other)


def test_a_key_that_climbs_out_of_the_folder_does_not(site, tmp_path):
    (tmp_path / "photos").mkdir()
    site.routes["/a"] = Request.give
    download(pa.table({"key": ["../../a"], "url": [site.url("/a")]}), tmp_path / "photos", **QUICK)
    assert kept(tmp_path) == ["photos"]
    assert kept(tmp_path / "photos") == ["%2E.%2F..%2Fa.jpg"]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"key": "", "url": "http://a"}, "no key"),
        ({"key": "k" * 300, "url": "http://a"}, "the key is too long to name a file"),
        ({"key": "a", "url": None}, "no URL"),
        ({"key": "a", "url": "file:///etc/passwd"}, "no address of a photo: No connection adapters were found"),
        ({"key": "a", "url": "/etc/passwd"}, "no address of a photo: Invalid URL '/etc/passwd'"),
        ({"key": "a", "url": "http://a", "bytes": "many"}, "its size should be 'many' bytes, which is no number"),
        ({"key": "a", "url": "http://a", "md5": "abc"}, "its MD5 should be 'abc', which is not base64 of 16 bytes"),
        ({"key": "a", "url": "http://a", "md5": "汉"}, "its MD5 should be '汉', which is not base64 of 16 bytes"),
    ],
)
def test_a_request_that_cannot_be_carried_out_is_reported(tmp_path, request_, reason):
    (row,) = download(pa.Table.from_pylist([request_]), tmp_path, **QUICK).to_pylist()
    assert row["outcome"] == "dead"
    assert row["reason"].startswith(reason)


def test_a_key_that_is_requested_twice_is_refused(tmp_path):
    asked = pa.table({"key": ["a", "b", "a"], "url": ["http://a"] * 3})
    with pytest.raises(SourceError, match="key 'a' is requested twice, and so are 0 others"):
        download(asked, tmp_path, **QUICK)


def test_two_processes_do_not_download_to_one_folder(tmp_path):
    with FileLock(tmp_path / ".download.lock"), pytest.raises(SourceError, match="another process is downloading"):
        download(pa.table({"key": ["a"], "url": ["http://a"]}), tmp_path, **QUICK)


@pytest.mark.parametrize("setting", [{"rate": 0}, {"retries": -1}, {"timeout": float("nan")}, {"workers": 0}])
def test_an_impossible_setting_is_named(tmp_path, setting):
    (name,) = setting
    with pytest.raises(SourceError, match=f"{name} must be "):
        download(pa.table({"key": ["a"], "url": ["http://a"]}), tmp_path, **{**QUICK, **setting})


def test_a_full_disk_stops_the_download(fetch, tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        fetch(Request.give)
    assert not (tmp_path / "photo.jpg").exists()
