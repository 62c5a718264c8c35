"""What a browser sends is a number, a score, a text or a photo's bytes; all else is refused, and does no harm."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tagger.tags.corrections import read_corrections
from tagger.tags.serving import visitors
from tagger.tags.serving.application import Application
from tagger.tags.serving.body import Bodies
from tagger.tags.serving.desk import Desk
from tagger.tags.serving.hosts import allowed
from tagger.tags.serving.visitors import Visitors

HERE = "http://127.0.0.1:7860"

Open = Callable[..., Any]


class Browser(TestClient):
    """A browser that has opened the page."""

    def ask(self, what: str, **question: Any) -> Any:
        """Ask as the page does; return the answer."""
        return self.post(f"/{what}", content=json.dumps(question), headers={"content-type": "application/json"})

    def drop(self, photo: bytes, name: str = "a.jpg", place: Any = 0) -> Any:
        """Send a photo as the page does; return the answer."""
        return self.post("/photos", params={"place": place, "name": name}, content=photo, headers=BYTES)


BYTES = {"content-type": "application/octet-stream"}


@pytest.fixture
def opened(make_desk: Callable[..., Desk]) -> Open:
    """Open the page; a second one is of another visitor."""

    @contextmanager
    def opening(*, most: int = 10**7, patience: float = 10, visitors: int = 32, **settings: Any) -> Iterator[Any]:
        desk = make_desk(**settings)
        page = Application(
            desk, Visitors(desk.newcomer, most=visitors), Bodies(most=most, patience=patience), "tagger-7860"
        )
        app = page.app(allowed("127.0.0.1", ["nas.local"]))
        with TestClient(app) as running:
            browsers = []

            def another() -> Browser:
                browser = Browser(app, base_url=HERE, headers={"origin": HERE})
                browser.portal = running.portal
                browsers.append(browser)
                assert browser.get("/").status_code == 200
                return browser

            yield another

    return opening


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A photo that nobody may read, and nobody may remove."""
    path = tmp_path / "canary.jpg"
    path.write_bytes(b"canary")
    return path


# --- who is who -----------------------------------------------------------------------------------------------------


def test_a_browser_is_known_by_a_name_that_nobody_can_guess_or_read(opened: Open):
    with opened() as another:
        browser = another()
        again = Browser(browser.app, base_url=HERE)
        again.portal = browser.portal
        cookie = again.get("/").headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert len(cookie.partition("=")[2].partition(";")[0]) >= 43, "32 bytes"
        assert "set-cookie" not in again.get("/").headers, "who is known is not renamed"


def test_what_one_visitor_has_no_other_sees(opened: Open, drawn: list[Path]):
    with opened() as another:
        ann, ben = another(), another()
        assert ann.drop(drawn[0].read_bytes()).json() == {"remark": ""}
        assert ann.get("/pictures/0").content[:2] == b"\xff\xd8"
        assert ben.get("/pictures/0").status_code == 404
        assert "data-photo" in ann.ask("look").json()["photos"]
        assert "data-photo" not in ben.ask("look", photo=0).json()["photos"]
        stranger = Browser(ann.app, base_url=HERE, headers={"origin": HERE}, cookies={"tagger-7860": "guess"})
        stranger.portal = ann.portal
        assert stranger.get("/pictures/0").status_code == 410
        assert stranger.ask("look").json() == {"error": "the server has forgotten this page: reload it"}
        assert stranger.drop(drawn[0].read_bytes()).status_code == 410


def test_so_many_visitors_are_let_in_and_those_with_photos_stay(
    opened: Open, drawn: list[Path], monkeypatch: pytest.MonkeyPatch
):
    with opened(visitors=3) as another:
        ann = another()
        ann.drop(drawn[0].read_bytes())
        for _ in range(50):
            another()
        assert ann.ask("look").status_code == 200
        for _ in range(2):
            another().drop(drawn[0].read_bytes())
        turned_away = Browser(ann.app, base_url=HERE)
        turned_away.portal = ann.portal
        assert turned_away.get("/").status_code == 503
        monkeypatch.setattr(visitors, "IDLE", 0.0)
        assert turned_away.get("/").status_code == 200, "who does not come back is forgotten"
        assert ann.ask("look").status_code == 410


# --- what is not a page of ours ---------------------------------------------------------------------------------------


def test_a_name_of_another_site_that_points_here_is_refused(opened: Open):
    with opened() as another:
        browser = another()
        for host in ("evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "[bad", "0.0.0.0:7860"):
            assert browser.get("/", headers={"host": host}).status_code == 400
            refused = browser.post("/look", json={}, headers={"host": host, "origin": f"http://{host}"})
            assert refused.status_code == 400
        for host in ("127.0.0.1:7860", "localhost:7860", "[::1]:7860", "LOCALHOST", "nas.local:7860"):
            assert browser.get("/", headers={"host": host}).status_code == 200


def test_every_answer_forbids_the_browser_to_ask_or_run_anything_else(opened: Open):
    with opened() as another:
        browser = another()
        for answer in (
            *(browser.get(path) for path in ("/", "/page.css", "/page.js", "/favicon.ico", "/pictures/7", "/nowhere")),
            browser.post("/look", json=[]),
            browser.post("/look", json={}, headers={"origin": "https://evil.example"}),
            browser.get("/", headers={"host": "evil.example"}),
        ):
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
            assert "unsafe" not in policy
            assert "http" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/docs",
            "/openapi.json",
            "/config",
            "/gradio_api/info",
            "/gradio_api/upload",
            "/gradio_api/file=/etc/passwd",
        ),
        *("/pictures/../../etc/passwd", "/pictures/%2e%2e%2fpage.py", "/pictures//etc/passwd", "/pictures/0%00"),
        *("/pictures/-1", "/pictures/1e9", "/pictures/" + "9" * 5000, "/pictures/٣", "/page.js/", "//etc/passwd"),
        *("/application.py", "/page.html", "/parts.html", "/../pyproject.toml", "/C:\\windows\\win.ini"),
    ],
)
def test_there_is_nothing_else(opened: Open, path: str):
    with opened() as another:
        browser = another()
        assert browser.get(path).status_code == 404
        assert browser.post(path, json={}).status_code in (404, 405)


# --- what never becomes a path ----------------------------------------------------------------------------------------


TAKEN = {
    **{"look": ("photo", "label"), "move": ("label", "threshold"), "reset": ("label",), "folder": ("name",)},
    **{"correct": ("photo", "corrected", "value"), "offered": ("number", "place")},
}
"""What each question takes."""


def forged(path: str) -> list[Any]:
    """Return what a page never sends, and what once had a file read or removed."""
    file = {"path": path, "meta": {"_type": "gradio.FileData"}, "is_stream": True, "orig_name": "x.jpg"}
    return [path, file, [file], {"root": [file]}, {"files": file}, f"file://{path}", {"path": path}]


def test_a_path_in_place_of_anything_is_neither_read_nor_removed(
    opened: Open, drawn: list[Path], canary: Path, tmp_path: Path
):
    (tmp_path / "root").mkdir()
    with opened(root=tmp_path / "root") as another:
        browser = another()
        browser.drop(drawn[0].read_bytes())
        before = canary.stat()
        good = {"photo": 0, "label": 0, "corrected": 0, "value": "absent", "threshold": 0.5, "number": 0, "place": 0}
        for value in (*forged(str(canary)), *forged("../canary.jpg")[1:3], *forged("/dev/zero")[:3]):
            assert browser.post("/gradio_api/queue/join", json={"data": [value]}).status_code == 404
            for what, names in TAKEN.items():
                for name in names:
                    answer = browser.ask(what, **{**good, name: value})
                    assert answer.status_code == 400 or answer.json()["remarks"][0].startswith("there is no folder")
            answer = browser.drop(json.dumps(value).encode(), name=str(value), place=0)
            assert answer.json()["remark"].endswith(": not an image")
            assert browser.drop(b"", place=str(value)).status_code == 400
        after = canary.stat()
        assert (after.st_atime_ns, after.st_mtime_ns) == (before.st_atime_ns, before.st_mtime_ns)
        assert canary.read_bytes() == b"canary"


def test_a_folder_outside_the_root_and_one_that_is_not_there_get_the_same_answer(
    opened: Open, drawn: list[Path], canary: Path, tmp_path: Path
):
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.jpg").write_bytes(drawn[0].read_bytes())
    (root / "out.jpg").symlink_to(canary)
    (root / "zero.jpg").symlink_to("/dev/zero")
    os.mkfifo(root / "pipe.jpg")
    with opened(root=root) as another:
        browser = another()
        for name in ("..", "/", "/etc", "../root/..", "a\0b", "x" * 4096, "~", "nowhere", "a.jpg", "\ud800"):
            (remark,) = browser.ask("folder", name=name).json()["remarks"]
            assert remark.startswith("there is no folder")
        assert browser.ask("folder", name="x" * 5000).status_code == 400
        assert browser.ask("folder", name=None).status_code == 400
        offered = browser.ask("folder", name="").json()["offered"]
        assert offered == 2, "a.jpg and pipe.jpg"
        remarks = [browser.ask("offered", number=number, place=number).json()["remark"] for number in range(offered)]
        assert remarks == ["", "pipe.jpg: cannot be read (not a file)"]
        assert browser.ask("offered", number=2, place=0).status_code == 404
        (root / "a.jpg").unlink()
        (root / "a.jpg").symlink_to(canary)
        browser.ask("clear")
        assert "not in the folder" in browser.ask("offered", number=0, place=0).json()["remark"], "since then a link"
    with opened(corrections=tmp_path / "other.jsonl") as another:
        assert another().ask("folder", name="").json()["remarks"] == ["no folder may be opened here"]


# --- what is no question ----------------------------------------------------------------------------------------------

STRANGE = [
    *(b"", b"[", b"\xff\xfe", b"null", b"[]", b"3", b'"x"', b"[" * 60_000, b'{"a":' * 10_000, b"1" * 60_000),
    *(b'{"label": NaN}', b'{"label": 1e999}', b'{"label": -1}', b'{"label": true}', b'{"label": 0.0}'),
    *(b'{"label": 99999999999999999999}', b'{"label": "0"}', b'{"label": [0]}', b'{"label": {}}', b'{"photo": 1e999}'),
    *(b'{"label": 0, "threshold": %s}' % value for value in (b"NaN", b"Infinity", b"-1e999", b"1e999", b"3", b"true")),
    *(b'{"label": 0, "threshold": %s}' % value for value in (b'"0.5"', b"null", b"[]", b"-0.1", b"9" * 5000)),
    *(
        b'{"photo": 7, "corrected": %s, "value": "absent"}' % value
        for value in (b"4", b"-1", b"null", b"NaN", b'"red"')
    ),
    b'{"photo": 0, "corrected": 0, "value": "unknown"}',
    b"{" + b" " * 70_000 + b"}",
]


def test_what_is_no_question_is_refused_and_changes_nothing(opened: Open, tmp_path: Path):
    with opened() as another:
        browser = another()
        before = browser.ask("look").json()
        for question in STRANGE:
            for what in ("look", "move", "reset", "correct", "undo", "clear", "folder", "offered"):
                answer = browser.post(f"/{what}", content=question, headers={"content-type": "application/json"})
                assert answer.status_code in (200, 400, 404, 413), question[:40]
            assert browser.ask("look").json() == before, question[:40]
    assert list(read_corrections(tmp_path / "corrections.jsonl")) == []


def test_a_question_of_a_form_is_none(opened: Open):
    with opened() as another:
        browser = another()
        for what in ("look", "photos"):
            answer = browser.post(f"/{what}", data={"place": "0"}, files={"file": ("../x.jpg", b"x")})
            assert answer.status_code == 400


# --- how much, how fast, how many -------------------------------------------------------------------------------------


def test_a_photo_has_a_largest_size_whether_it_says_so_or_not(opened: Open):
    with opened(max_bytes=1000) as another:
        browser = another()
        assert browser.drop(bytes(1001)).status_code == 413
        assert browser.drop(bytes(100) for _ in range(11)).status_code == 413  # type: ignore[arg-type]
        assert browser.drop(bytes(1000)).json()["remark"] == "a.jpg: not an image"


def dripping(seconds: float) -> Any:
    async def drops() -> Any:
        yield b"\xff\xd8"
        await asyncio.sleep(seconds)
        yield b"\xff"

    return drops()


def test_a_photo_that_drips_is_given_up(make_desk: Callable[..., Desk]):
    from starlette.requests import Request

    async def received() -> None:
        drops = dripping(30)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": await anext(drops), "more_body": True}

        bodies = Bodies(most=100, patience=0.05)
        with pytest.raises(Exception, match="408: the photo comes too slowly"):
            async with bodies.of(Request({"type": "http", "headers": []}, receive), most=100):
                raise AssertionError
        assert bodies.held == 0

    asyncio.run(asyncio.wait_for(received(), 5))


def test_photos_that_do_not_fit_into_memory_are_asked_to_come_again(opened: Open):
    with opened(most=1000) as another:
        browser = another()
        assert browser.drop(bytes(1001)).status_code == 503
        assert browser.drop(bytes(900)).status_code == 200, "what was read is no longer there"
        assert browser.drop(bytes(900)).status_code == 200


# --- what happens -----------------------------------------------------------------------------------------------------


def test_moved_thresholds_are_of_one_visitor_until_they_are_back(opened: Open, drawn: list[Path]):
    with opened() as another:
        ann, ben = another(), another()
        for browser in (ann, ben):
            for place, photo in enumerate(drawn[:4]):
                browser.drop(photo.read_bytes(), name=photo.name, place=place)
        before = ben.ask("look", label=0).json()
        moved = ann.ask("move", label=0, threshold=0.0).json()
        assert moved["for_predict"] == "'own_thresholds={red: 0}'"
        assert moved["photos"].count("is-given") == 4
        assert ben.ask("look", label=0).json() == before
        assert ann.ask("reset", label=0).json() == before


def test_a_correction_of_a_photo_that_was_removed_meanwhile_is_not_kept(
    opened: Open, drawn: list[Path], tmp_path: Path
):
    with opened() as another:
        browser = another()
        browser.drop(drawn[0].read_bytes(), name="../../etc/passwd")
        browser.ask("clear")
        browser.drop(drawn[1].read_bytes(), name="b\ud800.jpg".encode("utf-8", "surrogatepass").decode("latin-1"))
        answer = browser.ask("correct", photo=0, corrected=0, value="absent").json()
        assert answer["remarks"] == ["this photo is not here any more"]
        assert browser.ask("correct", photo=1, corrected=0, value="absent").json()["can_undo"]
        assert not browser.ask("undo").json()["can_undo"]
        assert [one.value for one in read_corrections(tmp_path / "corrections.jsonl")] == ["absent", "unknown"]


def test_a_correction_that_cannot_be_written_says_so(opened: Open, drawn: list[Path], monkeypatch: pytest.MonkeyPatch):
    with opened() as another:
        browser = another()
        browser.drop(drawn[0].read_bytes())

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        answer = browser.ask("correct", photo=0, corrected=0, value="absent").json()
        assert "cannot be written: No space left on device" in answer["remarks"][0]
        assert not answer["can_undo"]
