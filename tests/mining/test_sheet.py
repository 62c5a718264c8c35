"""Contact sheets: every photo once, nothing loaded, nothing of a name run."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tagger.mining.sheet import Section, Shot, write_sheet

HOSTILE = "<img src=x onerror=alert(1)>\n.png"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    Image.new("RGB", (300, 200), "red").save(tmp_path / HOSTILE)
    Image.new("RGB", (200, 300), "blue").save(tmp_path / "b.png")
    shots = [Shot(str(tmp_path / HOSTILE), "0.50"), Shot(str(tmp_path / "b.png")), Shot(str(tmp_path / "gone.png"))]
    sections = [Section("Found", shots, "a note"), Section("Nothing", []), Section("Again", shots[1:2])]
    write_sheet(tmp_path / "out" / "sheet.html", "More like <b>", sections, facts={"command": "python"})
    return tmp_path / "out" / "sheet.html"


def test_every_photo_is_there_once_and_sections_without_photos_are_left_out(page: Path):
    text = page.read_text()
    assert text.count("data:image/jpeg;base64,") == 2
    assert text.count("<h2>") == 2
    assert "cannot be read" in text
    assert "&lt;img src=x onerror=alert(1)&gt;\\n.png" in text and "<img" not in text and "<b>" not in text


def test_photos_beyond_the_limit_are_counted(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tagger.mining.sheet.LIMIT", 1)
    shots = [Shot(str(tmp_path / name)) for name in ("b.png", HOSTILE, "gone.png")]
    write_sheet(page, "Many", [Section("Found", shots)], facts={})
    assert "2 more are not shown" in page.read_text()


def test_it_fits_a_phone_and_loads_nothing(page: Path, browser: Any):
    for width in (390, 1200):
        tab = browser.new_page(viewport={"width": width, "height": 800})
        said: list[str] = []
        tab.on("console", lambda message, said=said: said.append(message.text))
        requests: list[str] = []
        tab.on("request", lambda request, requests=requests: requests.append(request.url))
        tab.goto(page.as_uri())
        assert not tab.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert said == []
        assert [url for url in requests if not url.startswith(("data:", page.as_uri()))] == []
        tab.close()
