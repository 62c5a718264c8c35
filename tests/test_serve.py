"""The page in a real browser on a real server: drop, look, move, correct; and nothing leaves the machine."""

import io
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import commands
import pytest
from PIL import Image

from tagger import Tagger
from tagger.data.sources.sample.draw import draw_photo
from tagger.data.sources.sample.plan import plan_photo
from tagger.tags.corrections import read_corrections
from tagger.tags.delivery.bundle import read_bundle, write_bundle
from tagger.tags.delivery.curve import Curve

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=document.title='hacked'>${document.title='hacked'}{{value}}.jpg"
"""A label is called so, and a photo."""

Serve = Callable[..., "Served"]


class Served:
    """A server that was started as a user types it."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder = folder
        self.errors = folder / "errors.txt"
        with self.errors.open("w") as errors:
            self.process = commands.Popen(
                [sys.executable, "-m", "tagger.serve", *words],
                cwd=folder,
                # What a server that is killed leaves is left there.
                env={**os.environ, "TMPDIR": str(folder)},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.url = self._address()

    def _address(self) -> str:
        assert self.process.stdout
        for line in self.process.stdout:
            if address := re.search(r"http://\S+/", line):
                return address[0]
        self.end()
        raise AssertionError(self.errors.read_text())

    def stop(self, with_signal: int = signal.SIGINT) -> int:
        self.process.send_signal(with_signal)
        return self.process.wait(timeout=20)

    def end(self) -> None:
        assert self.process.stdout
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def a_bundle(folder: Path, delivered: Path) -> Path:
    """Write a bundle with a curve, verdicts and a label whose name is hostile."""
    read = read_bundle(delivered / "album.tagger")
    red, *rest, grey = read.manifest.labels
    curve = Curve((0.95, 0.6, 0.4, 0.05), (2.0, 5.0, 8.0, 30.0), (2.0, 4.0, 6.0, 10.0), positives=10.0)
    labels = (replace(red, verdict="met", curve=curve), *rest, replace(grey, names={"en": HOSTILE}))
    manifest = replace(read.manifest, labels=labels, target={"precision": 0.9})
    write_bundle(folder / "my album.tagger", manifest, model=read.model, card=read.card)
    return folder / "my album.tagger"


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory, delivered: Path) -> Path:
    """A folder with a bundle, and with photos of the sample album in it, one of which has a hostile name."""
    folder = tmp_path_factory.mktemp("album")
    a_bundle(folder, delivered)
    (folder / "photos" / "more").mkdir(parents=True)
    names = [HOSTILE, *(f"{number}.jpg" for number in range(11)), *(f"more/{n}.jpg" for n in range(6))]
    for number, name in enumerate(names):
        draw_photo(plan_photo(0, number), size=96).save(folder / "photos" / name)
    return folder


@pytest.fixture(scope="module")
def bundle(album: Path) -> Path:
    return album / "my album.tagger"


@pytest.fixture(scope="module")
def photos(album: Path) -> list[str]:
    """Twelve photos, the first with a hostile name."""
    return [str(path) for path in sorted((album / "photos").glob("*.jpg"), key=lambda path: path.name != HOSTILE)]


@pytest.fixture(scope="module")
def server(album: Path) -> Iterator[Served]:
    """The server that the pages are looked at on."""
    limits = ("max_photos=15", "max_megabytes=1", "root=photos", "annotator=ann of the archive")
    started = Served(album, "bundle=my album.tagger", "port=0", *limits)
    yield started
    assert started.stop() == 0
    assert "Traceback" not in started.errors.read_text()
    started.end()


@pytest.fixture
def serve(bundle: Path, tmp_path: Path) -> Iterator[Serve]:
    """Start servers of the bundle, on free ports; they are ended at the end."""
    started: list[Served] = []

    def start(*words: str) -> Served:
        started.append(Served(tmp_path, f"bundle={bundle}", "port=0", *words))
        return started[-1]

    yield start
    for server in started:
        server.end()


@pytest.fixture
def page(browser: Any, server: Served) -> Iterator[Any]:
    """The page, which remembers what went wrong and what it asked for; at the end nothing may have."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    wrong, asked = [], []
    opened.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    # A picture that is off the screen again is given up.
    opened.on(
        "requestfailed",
        lambda request: request.failure == "net::ERR_ABORTED" or wrong.append(f"failed: {request.url}"),
    )
    opened.on("request", lambda request: asked.append(request.url))
    opened.set_default_timeout(20_000)
    opened.goto(server.url)
    yield opened
    assert wrong == []
    assert len(asked) > 3
    assert all(url.startswith(server.url) for url in asked)
    assert opened.title() == "my album.tagger", "no name was run as a script"
    context.close()


def expect(found: Any) -> Any:
    from playwright.sync_api import expect

    expect.set_options(timeout=20_000)
    return expect(found)


def drop(page: Any, photos: list[str], *, cards: int) -> None:
    page.set_input_files("#drop input[type=file]", photos)
    expect(page.locator(".card")).to_have_count(cards)
    expect(page.locator("#notes p")).to_have_count(0)


def names(page: Any, selector: str) -> list[str]:
    return page.eval_on_selector_all(selector, "found => found.map(one => one.textContent.trim())")


def chips(page: Any) -> list[list[str]]:
    """Return the tags below every photo."""
    return page.eval_on_selector_all(
        ".card", "cards => cards.map(card => [...card.querySelectorAll('.chip')].map(chip => chip.textContent))"
    )


def wait_until(done: Callable[[], bool], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"waited for {seconds:g} seconds"
        time.sleep(0.05)


# --- the page in a browser --------------------------------------------------------------------------------------------


def test_photos_are_dropped_tagged_and_explained(page: Any, photos: list[str], bundle: Path):
    drop(page, photos, cards=12)
    tagger = Tagger.load(bundle)
    expected = [[tag.name for tag in tags] for tags in tagger.tag(photos)]
    assert chips(page) == expected
    assert names(page, ".card .name") == [Path(photo).name for photo in photos], "in the order they were dropped"
    loaded = "images => images.every(one => one.naturalWidth > 0)"
    wait_until(lambda: page.eval_on_selector_all(".card img", loaded))
    photo = next(number for number, tags in enumerate(expected) if "Red" in tags and "Blue" in tags)
    page.click(f".card >> nth={photo}")
    page.wait_for_selector("#photo .tags")
    tags = {tag.name: tag for tag in tagger.tag([photos[photo]])[0]}
    assert names(page, "#photo .tags:not(.nearly) .label") == list(tags)
    red = page.locator("#photo li", has_text="Red")
    assert f"score {tags['Red'].score:.3f}, given from 0.400" in red.inner_text()
    assert tags["Red"].origin in red.inner_text()
    assert tags["Red"].because.removeprefix("scored") in red.inner_text() or tags["Red"].origin == "network"
    assert "met" in red.locator(".pill").inner_text()
    page.reload()
    assert page.locator(".card").count() == 12, "what was dropped is there until it is removed"


def test_photos_that_are_let_go_over_the_page_are_added(page: Any, photos: list[str]):
    page.evaluate(
        """(content) => {
          const data = new DataTransfer();
          data.items.add(new File([Uint8Array.from(content)], "dropped.jpg"));
          for (const type of ["dragenter", "dragover", "drop"]) {
            document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
          }
        }""",
        list(Path(photos[1]).read_bytes()),
    )
    expect(page.locator(".card .name")).to_have_text("dropped.jpg")


def test_names_are_text_whatever_they_say(page: Any, photos: list[str]):
    drop(page, photos[:1], cards=1)
    page.click(".card")
    page.wait_for_selector("#photo h2")
    assert names(page, "#photo h2") == [HOSTILE]
    assert names(page, ".card .name") == [HOSTILE]
    assert HOSTILE in page.eval_on_selector_all("#labels option", "found => found.map(one => one.value)")
    page.fill("#choose", HOSTILE)
    page.wait_for_selector("#curve .slider")
    assert names(page, "#curve h2") == [HOSTILE]
    page.locator("#curve .slider").fill("500")
    expect(page.locator("#curve [data-reset]")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0


DRAG = """async () => {
  const slider = document.querySelector("#curve .slider");
  slider.focus();
  for (let at = 100; at <= 900; at += 10) {
    slider.value = at;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise((done) => setTimeout(done, 5));
  }
}"""


def test_a_slider_makes_tags_go_and_come_without_the_network(page: Any, photos: list[str], bundle: Path):
    drop(page, photos, cards=12)
    before = chips(page)
    scores = Tagger.load(bundle).scores(photos)[:, 0]
    photo = next(number for number, tags in enumerate(before) if "Red" in tags)
    page.click(f".card >> nth={photo}")
    page.locator("#photo li .label", has_text="Red").click()
    page.wait_for_selector("#curve .pr")
    assert page.input_value("#choose") == "Red"
    assert "precision 0.75, recall 0.60" in page.locator("#curve .readout").inner_text()
    page.locator("#curve .slider").fill("1000")
    expect(page.locator(".card.is-given")).to_have_count(0)
    assert not any("Red" in tags for tags in chips(page))
    assert page.locator("#photo .tags:not(.nearly) li", has_text="Red").count() == 0
    page.locator("#curve .slider").fill("0")
    expect(page.locator(".card.is-given")).to_have_count(12)
    assert all("Red" in tags for tags in chips(page))
    page.locator("#curve input[type=number]").fill("0.6")
    page.keyboard.press("Enter")
    expect(page.locator("#curve .readout")).to_contain_text("recall 0.40")
    expected = Tagger.load(bundle, thresholds={"red": 0.6}).tag(photos)
    assert chips(page) == [[tag.name for tag in tags] for tags in expected]
    page.evaluate(DRAG)
    expect(page.locator("#curve .slider")).to_have_attribute("data-at", "900")
    assert page.input_value("#curve .slider") == "900", "a slider that is dragged stays where the hand leaves it"
    assert not any("Red" in tags for tags, score in zip(chips(page), scores, strict=True) if score < 0.99)
    page.locator("#curve input[type=number]").fill("0.6")
    page.keyboard.press("Enter")
    page.click("#moved summary")
    expect(page.locator("#for_predict textarea")).to_have_value("'own_thresholds={red: 0.6}'")
    assert page.input_value("#as_yaml textarea") == "thresholds:\n  red: 0.6"
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("#for_predict [data-copy]")
    wait_until(lambda: page.evaluate("navigator.clipboard.readText()") == "'own_thresholds={red: 0.6}'")
    page.check("#order input[value=score]")
    by_score = [Path(photos[number]).name for number in (-scores).argsort(kind="stable")]
    expect(page.locator(".card .name")).to_have_text(by_score)
    page.check("#order input[value='']")
    page.click("#curve [data-reset]")
    wait_until(lambda: chips(page) == before)
    assert page.input_value("#for_predict textarea") == ""


def test_a_tag_is_corrected_and_the_correction_undone(page: Any, photos: list[str], album: Path):
    drop(page, photos, cards=12)
    photo = next(number for number, tags in enumerate(chips(page)) if "Red" in tags)
    page.click(f".card >> nth={photo}")
    page.locator("#photo li", has_text="Red").locator(".say").click()
    page.wait_for_selector("#photo li.absent")
    expect(page.locator(f".card >> nth={photo} >> .chip.wrong")).to_have_text("Red")
    page.fill("#missing", HOSTILE)
    page.wait_for_selector("#photo li.present")
    page.click("#undo")
    expect(page.locator("#photo li.present")).to_have_count(0)
    page.click("#undo")
    expect(page.locator("#photo li.absent")).to_have_count(0)
    expect(page.locator("#undo")).to_be_disabled()
    said = list(read_corrections(album / "corrections.jsonl"))
    assert [(one.label, one.value) for one in said] == [
        ("red", "absent"),
        ("grey", "present"),
        ("grey", "unknown"),
        ("red", "unknown"),
    ]
    assert {(one.photo, one.annotator) for one in said} == {(Path(photos[photo]).name, "ann of the archive")}


def test_what_cannot_be_added_is_named_and_the_others_go_on(page: Any, photos: list[str], tmp_path: Path):
    (tmp_path / "broken.jpg").write_bytes(Path(photos[1]).read_bytes()[:-300])
    (tmp_path / "notes.txt").write_text("no photo")
    (tmp_path / "large.jpg").write_bytes(Path(photos[1]).read_bytes() + bytes(2_000_000))
    bad = [str(tmp_path / name) for name in ("broken.jpg", "notes.txt", "large.jpg")]
    drop(page, [*bad, photos[0], photos[0]], cards=1)
    assert sorted(names(page, "#notes li")) == [
        f"{Path(photos[0]).name}: is here already",
        "broken.jpg: truncated",
        "large.jpg: 2.0 MB, more than the 1 MB allowed here",
        "notes.txt: not an image",
    ]
    drop(page, photos[1:], cards=12)
    assert names(page, "#notes li") == []
    drop(page, photos[:4], cards=12)
    assert names(page, "#notes li")[0] == "only 15 photos at a time: remove some first"
    page.click("#clear")
    page.wait_for_selector("#photos .empty")
    drop(page, photos[:2], cards=2)


def test_a_folder_below_the_root_is_opened_and_no_other(page: Any):
    page.fill("#folder input", "../")
    page.click("#open")
    expect(page.locator("#notes li")).to_have_text("there is no folder '../' in photos")
    page.fill("#folder input", "more")
    page.keyboard.press("Enter")
    expect(page.locator(".card .name")).to_have_text([f"{number}.jpg" for number in range(6)])
    page.fill("#folder input", "")
    page.click("#open")
    expect(page.locator(".card")).to_have_count(15)
    assert names(page, "#notes li")[0] == "only 15 photos at a time: remove some first"


def test_the_page_is_used_by_keyboard_and_the_focus_stays_where_it_was(page: Any, photos: list[str]):
    drop(page, photos, cards=12)
    page.focus(".card >> nth=3")
    page.keyboard.press("Enter")
    page.wait_for_selector("#photo .tags")
    page.keyboard.press("Tab")
    # Cards stand in the order of the files, numbers are those of arrival.
    following = page.locator(".card >> nth=4").get_attribute("data-photo")
    assert page.evaluate("document.activeElement.dataset.photo") == following
    page.focus("#photo .label >> nth=0")
    page.keyboard.press("Enter")
    page.wait_for_selector("#curve .slider")
    assert page.evaluate("document.activeElement.className") == "label"
    page.focus("#curve .slider")
    before = page.locator("#curve .slider").get_attribute("data-at")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#curve .slider")).to_have_attribute("data-at", str(int(before) + 1))
    assert page.evaluate("document.activeElement.className") == "slider"


BOXES = """(ids) => ids.map((id) => {
  const { left, top, right, bottom } = document.getElementById(id).getBoundingClientRect();
  return [left, top + scrollY, right, bottom + scrollY];
})"""


@pytest.mark.parametrize("width", [390, 800, 1280, 1920])
def test_no_part_lies_over_another_or_off_the_screen(page: Any, photos: list[str], width: int):
    page.set_viewport_size({"width": width, "height": 800})
    drop(page, photos, cards=12)
    page.click(".card >> nth=1")
    page.wait_for_selector("#photo .tags")
    page.locator("#photo .label").first.click()
    page.wait_for_selector("#curve .slider")
    ids = ["left", "tags", "side"]

    def check() -> None:
        boxes = page.evaluate(BOXES, ids)
        for number, one in enumerate(boxes):
            assert 0 <= one[0] < one[2] <= width
            for other in boxes[number + 1 :]:
                apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
                assert apart, f"{one} lies over {other}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    check()
    page.evaluate("scrollTo(0, 0)")
    before = page.evaluate(BOXES, ids)
    page.locator("#curve .slider").fill("300")
    page.wait_for_selector("#curve [data-reset]")
    page.click("#moved summary")
    check()
    if width >= 1280:
        page.evaluate("scrollTo(0, 0)")
        after = page.evaluate(BOXES, ids)
        assert [box[:3] for box in after] == [box[:3] for box in before], "nothing jumps"
        assert after[2][3] <= 800, "what was opened is on the screen"


def test_two_tabs_show_one_album_and_a_page_that_was_forgotten_says_so(page: Any, photos: list[str]):
    drop(page, photos[:2], cards=2)
    other = page.context.new_page()
    other.goto(page.url)
    assert other.locator(".card").count() == 2
    other.click("#clear")
    other.wait_for_selector("#photos .empty")
    page.click(".card >> nth=0")
    expect(page.locator("#photos .empty")).to_be_visible()
    other.close()
    (cookie,) = page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"


# --- the server -------------------------------------------------------------------------------------------------------


def status(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def cookie(url: str) -> str:
    """Open the page; return what it is known by."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        ((name, morsel),) = SimpleCookie(answer.headers["set-cookie"]).items()
    return f"{name}={morsel.value}"


def send(url: str, *parts: bytes, length: int | None = None) -> socket.socket:
    """Begin to send a photo as the page does; return the connection."""
    host = urllib.parse.urlsplit(url).netloc
    connection = socket.create_connection((urllib.parse.urlsplit(url).hostname, urllib.parse.urlsplit(url).port))
    head = f"POST /photos?place=0&name=x.jpg HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
    head += f"Cookie: {cookie(url)}\r\nContent-Length: {length or sum(map(len, parts))}\r\n\r\n"
    connection.sendall(head.encode() + b"".join(parts))
    return connection


def endless_photo(scans: int = 2000) -> bytes:
    """A JPEG that is half a megabyte, and minutes of work: the last of its scans is repeated."""
    file = io.BytesIO()
    Image.new("L", (4000, 4000), 128).save(file, "JPEG", progressive=True, quality=90)
    jpeg = file.getvalue()
    return jpeg[:-2] + jpeg[jpeg.rindex(b"\xff\xda") : -2] * scans + jpeg[-2:]


def children(pid: int) -> set[int]:
    """Return the processes that a process has started and that still run."""
    return {
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    }


def runs(pid: int) -> bool:
    """Return whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_is_stuck_holds_up_neither_others_nor_the_end(
    serve: Serve, photos: list[str], with_signal: int, tmp_path: Path
):
    server = serve("corrections=said.jsonl")
    endless = endless_photo()
    stuck = [send(server.url, endless), send(server.url, endless)]
    stuck += [send(server.url, b"\xff\xd8", length=1_000_000)]
    stuck += [socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(server.url).port)) for _ in range(5)]
    stuck[-1].sendall(b"GET / HTTP/1.1\r\nX-Endless: ")
    wait_until(lambda: len(children(server.process.pid)) >= 2)
    started = time.monotonic()
    with send(server.url, Path(photos[1]).read_bytes()) as ours:
        wait_until(lambda: b'{"remark":""}' in ours.recv(10_000))
    assert time.monotonic() - started < 10, "half of what a photo may take"
    workers = children(server.process.pid)
    started = time.monotonic()
    assert server.stop(with_signal) == (0 if with_signal != signal.SIGKILL else -signal.SIGKILL)
    assert time.monotonic() - started < 4
    wait_until(lambda: not any(map(runs, workers)), seconds=3)
    assert "Traceback" not in server.errors.read_text()
    # onnxruntime's own.
    others = {"errors.txt", "said.jsonl", ".said.jsonl.lock", ".ses"}
    assert {path.name for path in tmp_path.iterdir()} <= others, "photos are never written"
    for connection in stuck:
        connection.close()


def test_the_server_hands_out_nothing_else(server: Served, album: Path):
    for path in ("docs", "openapi.json", "gradio_api/info", f"gradio_api/file={album}/my%20album.tagger"):
        assert status(server.url + path) == 404
    assert status(server.url, Host="evil.example") == 400
    assert status(server.url, Origin="https://evil.example") == 200, "reads what anybody may"
    assert status(server.url) == 200
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"}
    assert status(server.url + "queue", **upgrade) == 404


@pytest.fixture
def mistake(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., str]:
    """Type the command with a mistake in it, in this process; return what is said."""

    def typed(*words: str) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["serve", *words])
        monkeypatch.delitem(sys.modules, "tagger.serve", raising=False)
        with pytest.raises(SystemExit) as ended:
            runpy.run_module("tagger.serve", run_name="__main__", alter_sys=True)
        said = capsys.readouterr().err
        assert ended.value.code == 1
        assert said.startswith("error: ")
        assert said.count("\n") == 1
        return said

    return typed


def test_mistakes_are_one_line_that_says_how_to_mend_them(mistake: Callable[..., str], bundle: Path):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert "bundle=… must be given" in mistake()
        assert "make one with python -m tagger.export" in mistake("bundle=none.tagger")
        for word, message in {
            f"port={port}": f"port={port} of 127.0.0.1 is taken: take another, for instance port=",
            "port=99999": "port must lie in [0, 65535], got 99999",
            "root=nowhere": "root=nowhere: there is no such folder",
            "language=xx": "language=xx: the bundle's labels have names in en, zh",
            "max_photos=0": "max_photos must lie in [1, 10000], got 0",
            "host=no.such.host.invalid": "host=no.such.host.invalid cannot be listened on",
            "hosts=nas.local,nas:7860": "without a port, as in hosts=nas.local; got 'nas:7860'",
        }.items():
            assert message in mistake(f"bundle={bundle}", word)


def test_a_second_server_may_not_append_to_the_same_corrections(
    server: Served, mistake: Callable[..., str], bundle: Path
):
    said = mistake(f"bundle={bundle}", "port=0", f"corrections={server.folder}/corrections.jsonl")
    assert "another tagger.serve appends to it" in said


def test_others_are_let_in_by_the_names_that_the_user_allows_and_with_a_warning(serve: Serve):
    server = serve("host=0.0.0.0", "hosts=photos.lan,192.168.1.5")
    assert server.url.startswith("http://127.0.0.1:")
    assert "lets everyone who reaches this machine drop photos, correct tags; there is no password" in (
        server.errors.read_text()
    )
    for host, answer in {"photos.lan": 200, "192.168.1.5:80": 200, "localhost": 200, "evil.example": 400}.items():
        assert status(server.url, Host=host) == answer
    alone = serve("host=0.0.0.0", "corrections=other.jsonl")
    assert f"for instance hosts={socket.gethostname()}" in alone.errors.read_text()
    assert status(alone.url, Host="photos.lan") == 400


def test_the_command_starts_without_torch_and_without_what_only_the_page_needs():
    asked = "import sys, {}; print({{'torch', 'starlette', 'uvicorn', 'rich'}} & set(sys.modules))"
    for module, loaded in {"tagger.serve": "set()", "tagger.tags.serving.reading": "set()"}.items():
        done = subprocess.run(
            [sys.executable, "-c", asked.format(module)], capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout.strip() == loaded
