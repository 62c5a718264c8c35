"""The page in a real browser on a real server: drop, look, move, correct; and nothing leaves the machine."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tagger import Tagger
from tagger.data.sources.sample.draw import draw_photo
from tagger.data.sources.sample.plan import plan_photo
from tagger.tags.corrections import read_corrections
from tagger.tags.delivery.bundle import read_bundle, write_bundle
from tagger.tags.delivery.curve import Curve
from tagger.tags.serving.reading import read_photo

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=document.title='hacked'>${document.title='hacked'}{{value}}.jpg"

Serve = Callable[..., "Served"]


class Served:
    """A server that was started as a user types it."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.errors = folder / "errors.txt"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
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


@pytest.fixture
def bundle(delivered: Path, tmp_path: Path) -> Path:
    """A bundle with a curve, verdicts and a label whose name is hostile."""
    read = read_bundle(delivered / "album.tagger")
    red, *rest, grey = read.manifest.labels
    curve = Curve((0.95, 0.6, 0.4, 0.05), (2.0, 5.0, 8.0, 30.0), (2.0, 4.0, 6.0, 10.0), positives=10.0)
    labels = (replace(red, verdict="met", curve=curve), *rest, replace(grey, names={"en": HOSTILE}))
    manifest = replace(read.manifest, labels=labels, target={"precision": 0.9})
    write_bundle(tmp_path / "my album.tagger", manifest, model=read.model, card=read.card)
    return tmp_path / "my album.tagger"


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    """Photos of the sample album, one with a hostile name."""
    folder = tmp_path / "photos"
    folder.mkdir()
    names = [HOSTILE.replace("/", ""), *(f"{number}.jpg" for number in range(11))]
    for number, name in enumerate(names):
        draw_photo(plan_photo(0, number), size=96).save(folder / name)
    return [str(folder / name) for name in names]


@pytest.fixture
def serve(bundle: Path, tmp_path: Path) -> Iterator[Serve]:
    """Start servers of the bundle, on free ports; they are ended at the end."""
    pytest.importorskip("gradio", reason="gradio is not installed")
    started: list[Served] = []

    def start(*words: str) -> Served:
        started.append(Served(tmp_path, f"bundle={bundle}", "port=0", *words))
        return started[-1]

    yield start
    for server in started:
        server.end()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that remembers what went wrong and what it asked for; at the end nothing may have."""
    opened = browser.new_page(viewport={"width": 1300, "height": 900})
    wrong, asked = [], []
    opened.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    opened.on("request", lambda request: asked.append(request.url))
    opened.set_default_timeout(30_000)
    yield opened
    # What Gradio keeps open while the page is there ends with it.
    wrong[:] = [text for text in wrong if "/gradio_api/queue/data" not in text and "/heartbeat/" not in text]
    assert wrong == []
    assert len(asked) > 10
    assert {url.split("/")[2].rsplit(":")[0] for url in asked if not url.startswith(("data:", "blob:"))} == {
        "127.0.0.1"
    }
    assert opened.title() == "my album.tagger", "no name was run as a script"
    opened.close()


def drop(page: Any, photos: list[str], *, cards: int) -> None:
    page.set_input_files("#drop input[type=file]", photos)
    page.wait_for_function(f"document.querySelectorAll('.card').length === {cards}")
    page.wait_for_function("!document.querySelector('#notes .doing')")


def names(page: Any, selector: str) -> list[str]:
    return page.eval_on_selector_all(selector, "found => found.map(one => one.textContent.trim())")


def chips(page: Any) -> list[list[str]]:
    """Return the tags below every photo."""
    return page.eval_on_selector_all(
        ".card", "cards => cards.map(card => [...card.querySelectorAll('.chip')].map(chip => chip.textContent))"
    )


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline, "waited for 20 seconds"
        time.sleep(0.05)


def test_photos_are_dropped_tagged_and_explained(serve: Serve, page: Any, photos: list[str], bundle: Path):
    page.goto(serve().url)
    drop(page, photos, cards=12)
    tagger = Tagger.load(bundle)
    expected = [[tag.name for tag in tags] for tags in tagger.tag(photos)]
    assert chips(page) == expected
    assert names(page, ".card .name") == [Path(photo).name for photo in photos]
    page.wait_for_function("[...document.querySelectorAll('.card img')].every(one => one.naturalWidth > 0)")
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


def test_names_are_text_whatever_they_say(serve: Serve, page: Any, photos: list[str]):
    page.goto(serve("language=en").url)
    drop(page, photos[:1], cards=1)
    page.click(".card")
    page.wait_for_selector("#photo h2")
    assert names(page, "#photo h2") == [HOSTILE.replace("/", "")]
    assert names(page, ".card .name") == [HOSTILE.replace("/", "")]
    page.click("#choose input")
    page.wait_for_selector("#choose [role=option]")
    assert HOSTILE in " ".join(names(page, "#choose [role=option]"))
    page.locator("#choose [role=option]", has_text="onerror").click()
    page.wait_for_selector("#curve .slider")
    assert names(page, "#curve h2") == [HOSTILE]
    page.locator("#curve .slider").fill("500")
    page.wait_for_selector(".card.is-given, .card:not(.is-given)")
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


def test_a_slider_makes_tags_go_and_come_without_the_network(serve: Serve, page: Any, photos: list[str], bundle: Path):
    page.goto(serve().url)
    drop(page, photos, cards=12)
    before = chips(page)
    scores = Tagger.load(bundle).scores(photos)[:, 0]
    photo = next(number for number, tags in enumerate(before) if "Red" in tags)
    page.click(f".card >> nth={photo}")
    page.locator("#photo li .label", has_text="Red").click()
    page.wait_for_selector("#curve .pr")
    assert "precision 0.75, recall 0.60" in page.locator("#curve .readout").inner_text()
    page.locator("#curve .slider").fill("1000")
    page.wait_for_function("!document.querySelector('.card.is-given')")
    assert not any("Red" in tags for tags in chips(page))
    assert page.locator("#photo .tags:not(.nearly) li", has_text="Red").count() == 0
    page.locator("#curve .slider").fill("0")
    page.wait_for_function("document.querySelectorAll('.card.is-given').length === 12")
    assert all("Red" in tags for tags in chips(page))
    page.locator("#curve input[type=number]").fill("0.6")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#curve .readout').textContent.includes('recall 0.40')")
    expected = Tagger.load(bundle, thresholds={"red": 0.6}).tag(photos)
    assert chips(page) == [[tag.name for tag in tags] for tags in expected]
    page.evaluate(DRAG)
    page.wait_for_function("document.querySelector('#curve .slider').dataset.at === '900'")
    assert page.input_value("#curve .slider") == "900", "a slider that is dragged stays where the hand leaves it"
    assert not any("Red" in tags for tags, score in zip(chips(page), scores, strict=True) if score < 0.99)
    page.locator("#curve input[type=number]").fill("0.6")
    page.keyboard.press("Enter")
    page.click("#moved button")
    wait_until(lambda: page.input_value("#for_predict textarea, #for_predict input") == "'own_thresholds={red: 0.6}'")
    assert page.input_value("#as_yaml textarea") == "thresholds:\n  red: 0.6"
    page.click("#curve [data-reset]")
    wait_until(lambda: chips(page) == before)
    assert page.input_value("#for_predict textarea, #for_predict input") == ""


def test_a_tag_is_corrected_and_the_correction_undone(serve: Serve, page: Any, photos: list[str], tmp_path: Path):
    server = serve("corrections=said.jsonl", "annotator=ann of the archive")
    page.goto(server.url)
    drop(page, photos, cards=12)
    photo = next(number for number, tags in enumerate(chips(page)) if "Red" in tags)
    page.click(f".card >> nth={photo}")
    page.locator("#photo li", has_text="Red").locator(".say").click()
    page.wait_for_selector("#photo li.absent")
    said = list(read_corrections(tmp_path / "said.jsonl"))
    assert [(one.label, one.value, one.annotator) for one in said] == [("red", "absent", "ann of the archive")]
    assert said[0].photo == Path(photos[photo]).name
    assert (
        said[0].photo_id
        == read_photo(
            photos[photo], (Tagger.load(tmp_path / "my album.tagger").framing, None), max_bytes=10**9
        ).photo_id
    )
    page.click("#missing input")
    page.locator("#missing [role=option]", has_text="onerror").click()
    page.wait_for_selector("#photo li.present")
    page.click("#undo")
    page.wait_for_function("!document.querySelector('#photo li.present')")
    assert [(one.label, one.value) for one in read_corrections(tmp_path / "said.jsonl")] == [
        ("red", "absent"),
        ("grey", "present"),
        ("grey", "unknown"),
    ]
    assert server.stop() == 0
    page.goto(serve("corrections=said.jsonl").url)
    drop(page, photos[photo : photo + 1], cards=1)
    assert names(page, ".chip.wrong") == ["Red"], "another day the verdict is still there"


def test_a_bad_photo_is_named_and_the_others_go_on(serve: Serve, page: Any, photos: list[str], tmp_path: Path):
    (tmp_path / "broken.jpg").write_bytes(Path(photos[1]).read_bytes()[:-300])
    (tmp_path / "notes.txt").write_text("no photo")
    page.goto(serve("max_photos=3").url)
    drop(page, [str(tmp_path / "broken.jpg"), photos[0], str(tmp_path / "notes.txt")], cards=1)
    assert names(page, "#notes li") == ["broken.jpg: truncated", "notes.txt: not an image"]
    drop(page, photos[1:5], cards=3)
    assert names(page, "#notes li") == ["only 3 photos at a time: remove some first"]
    page.click("#clear")
    page.wait_for_selector("#photos .empty")
    drop(page, photos[:2], cards=2)


def test_a_file_that_is_too_large_is_refused(serve: Serve, page: Any, photos: list[str], tmp_path: Path):
    (tmp_path / "large.jpg").write_bytes(Path(photos[1]).read_bytes() + bytes(2_000_000))
    page.goto(serve("max_megabytes=1").url)
    page.set_input_files("#drop input[type=file]", str(tmp_path / "large.jpg"))
    page.wait_for_function(
        "document.body.innerText.includes('large.jpg') || document.body.innerText.includes('maximum')"
    )
    assert page.locator(".card").count() == 0


def test_a_folder_below_the_root_is_opened_and_no_other(serve: Serve, page: Any, photos: list[str], tmp_path: Path):
    page.goto(serve(f"root={tmp_path}/photos").url)
    page.fill("#folder textarea, #folder input", "../")
    page.click("#open")
    page.wait_for_function("document.querySelector('#notes').textContent.includes('there is no folder')")
    page.fill("#folder textarea, #folder input", ".")
    page.click("#open")
    page.wait_for_function("document.querySelectorAll('.card').length === 12")
    assert sorted(names(page, ".card .name")) == sorted(Path(photo).name for photo in photos)


def test_the_server_hands_out_nothing_else(serve: Serve, tmp_path: Path):
    url = serve().url
    for path in ("gradio_api/info", "gradio_api/openapi.json", "openapi.json", "docs", "monitoring", "gradio_api/runs"):
        assert status(url + path) == 404
    for path in ("/etc/passwd", f"{tmp_path}/my%20album.tagger", "https://example.com/"):
        assert status(f"{url}gradio_api/file={path}") == 404
    assert status(url, Host="evil.example") == 403
    assert status(url + "gradio_api/queue/join", Origin="https://evil.example") == 403
    assert status(url) == 200


def status(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_and_leaves_nothing(
    serve: Serve, page: Any, photos: list[str], with_signal: int, tmp_path: Path
):
    server = serve()
    page.goto(server.url)
    drop(page, photos[:2], cards=2)
    picture = page.get_attribute(".card img", "src").partition("file=")[2]
    assert Path(picture).is_file()
    assert Path(picture).stat().st_mode & 0o77 == 0 or Path(picture).parent.stat().st_mode & 0o77 == 0
    kept = list(Path(picture).parents[2].rglob("*.jpg"))
    assert len(kept) == 2, "what was dropped is not kept, only the small pictures"
    started = time.monotonic()
    assert server.stop(with_signal) == 0
    assert time.monotonic() - started < 10
    assert not Path(picture).parents[2].exists()
    assert "Traceback" not in server.errors.read_text()


def test_mistakes_are_one_line_that_says_how_to_mend_them(serve: Serve, bundle: Path, tmp_path: Path):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for words, message in {
            (): "bundle=… must be given",
            ("bundle=none.tagger",): "make one with python -m tagger.export",
            (
                f"bundle={bundle}",
                f"port={port}",
            ): f"port={port} of 127.0.0.1 is taken: take another, for instance port=",
            (f"bundle={bundle}", "port=99999"): "port must lie in [0, 65535], got 99999",
            (f"bundle={bundle}", "root=nowhere"): "root=nowhere: there is no such folder",
            (f"bundle={bundle}", "language=xx"): "language=xx: the bundle's labels have names in en, zh",
            (f"bundle={bundle}", "max_photos=0"): "max_photos must lie in [1, 10000], got 0",
            (f"bundle={bundle}", "host=no.such.host.invalid"): "host=no.such.host.invalid cannot be listened on",
        }.items():
            done = subprocess.run(
                [sys.executable, "-m", "tagger.serve", *words],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 1
            assert done.stderr.startswith("error: ")
            assert message in done.stderr
            assert "Traceback" not in done.stderr


def test_a_second_server_may_not_append_to_the_same_corrections(serve: Serve, bundle: Path, tmp_path: Path):
    serve()
    done = subprocess.run(
        [sys.executable, "-m", "tagger.serve", f"bundle={bundle}", "port=0"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "another tagger.serve appends to it" in done.stderr


def test_others_are_let_in_only_if_asked_for_and_with_a_warning(serve: Serve, tmp_path: Path):
    server = serve("host=0.0.0.0", f"root={tmp_path}/photos" if (tmp_path / "photos").exists() else "root=null")
    wait_until(lambda: "there is no password" in server.errors.read_text())
    assert status(server.url.replace("0.0.0.0", "127.0.0.1"), Host="photos.lan") == 200


def test_help_begins_with_what_to_type():
    done = subprocess.run(
        [sys.executable, "-m", "tagger.serve", "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "python -m tagger.serve bundle=album.tagger" in done.stdout


def test_the_command_starts_without_torch_and_other_commands_without_gradio():
    asked = "import sys, {}; print({{'torch', 'gradio', 'fastapi'}} & set(sys.modules))"
    for module, loaded in {"tagger.serve": "set()", "tagger.export": "{'torch'}", "tagger.predict": "set()"}.items():
        done = subprocess.run(
            [sys.executable, "-c", asked.format(module)], capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout.strip() == loaded
