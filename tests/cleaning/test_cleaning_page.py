"""The page in a real Chromium: keys, progress that is kept, a file that comes in, and names that mean harm."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tagger.cleaning.tasks.exporting import Exported
from tagger.cleaning.verdicts.importing import Imported
from tagger.cleaning.verdicts.people import said_by_people
from tagger.data.catalog.store import CatalogStore

pytestmark = pytest.mark.slow


@pytest.fixture
def exported(export: Callable[..., Exported], photos: Path) -> Path:
    (photos / "1.jpg").write_bytes(b"no photo")
    return export("page").path


@pytest.fixture
def page(exported: Path, browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1000, "height": 800}, accept_downloads=True)
    page = context.new_page()
    requests: list[str] = []
    troubles: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(exported.as_uri())
    yield page
    assert not troubles
    assert {url.partition(":")[0] for url in requests} <= {"file", "data", "blob"}
    context.close()


def verdicts(page: Any) -> list[str]:
    """Return the verdict of every card, in the order of the page; "" where there is none."""
    words: list[str] = page.locator(".card").evaluate_all("cards => cards.map(card => card.classList[1] ?? '')")
    return words


def focused(page: Any) -> int:
    place: int = page.evaluate("[...document.querySelectorAll('.card')].indexOf(document.activeElement)")
    return place


def called(page: Any, name: str) -> None:
    """Say who answers."""
    page.fill("#annotator", name)
    page.locator("#annotator").press("Tab")
    page.wait_for_function("name => localStorage.getItem('tagger annotator') === name", arg=name)


def saved(page: Any, folder: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_keys_answer_move_and_take_back_and_the_file_comes_in(
    page: Any, take: Callable[..., Imported], store: CatalogStore, tmp_path: Path, ids: list[str]
) -> None:
    assert page.locator("h2").all_inner_texts()[0] == "dog 0 of 4"
    assert page.locator("section").first.locator(".standard p").all_inner_texts() == [
        "Counts: A dog of any breed.",
        "Does not: Wolves do not count.",
    ]
    # By label: four dogs, two cats, one other.
    for key in "ynu":
        page.keyboard.press(key)
    assert verdicts(page) == ["present", "absent", "unsure", "", "", "", ""]
    assert focused(page) == 3
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Backspace")
    assert verdicts(page)[2] == ""
    # Two columns; the second dog is above the fourth, and below that the second cat.
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert focused(page) == 1
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert focused(page) == 5
    page.locator(".card").nth(4).get_by_role("button", name="No").click()
    assert verdicts(page) == ["present", "absent", "", "", "absent", "", ""]
    assert page.inner_text("#done") == "3 of 7 answered"

    page.get_by_role("button", name="Save").click()
    assert page.inner_text("#note") == "Who are you? The verdicts are kept under your name."
    page.keyboard.type("Zoë n")
    page.keyboard.press("Tab")
    assert verdicts(page)[:2] == ["present", "absent"], "letters of a name are no answers"
    path = saved(page, tmp_path)
    assert path.name.startswith("verdicts-Zoë-n-")
    said = json.loads(path.read_text(encoding="utf-8"))["verdicts"]
    assert [(one["task"], one["verdict"]) for one in said] == [
        (ids[0], "present"),
        (ids[1], "absent"),
        (ids[2], "absent"),
    ]
    done = take(path)
    assert (done.added, done.problems) == (3, ())
    words = said_by_people(CatalogStore(store.folder)).select(["photo", "label", "value", "annotator"]).to_pylist()
    assert [tuple(word.values()) for word in words] == [
        (0, "dog", 1, "Zoë n"),
        (1, "dog", -1, "Zoë n"),
        (2, "cat", -1, "Zoë n"),
    ]


def test_progress_is_kept_by_annotator_when_the_page_is_opened_again(page: Any) -> None:
    page.keyboard.press("y")
    called(page, "ann")
    page.reload()
    assert page.input_value("#annotator") == "ann"
    assert verdicts(page)[:2] == ["present", ""]
    assert focused(page) == 1, "it goes on at the first open question"
    called(page, "bob")
    assert set(verdicts(page)) == {""}
    called(page, "ann")
    assert verdicts(page)[0] == "present"


def test_names_that_mean_harm_do_none_and_a_photo_that_cannot_be_read_is_named(page: Any) -> None:
    assert page.title() == "pets: 7 questions"
    assert page.locator("h2").all_inner_texts()[2] == "</script><script>document.title='taken'</script> 0 of 1"
    assert page.locator("section").nth(2).locator(".counts").inner_text() == "Counts: <b>bold</b> A strange thing."
    assert page.locator(".card").nth(1).locator("img").get_attribute("alt") == "1.jpg cannot be read"
    assert page.locator(".file").all_inner_texts()[3] == "five\\nlines.jpg"


def test_the_page_fits_a_telephone(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    page.locator(".card").nth(2).get_by_role("button", name="Yes").click()
    assert verdicts(page)[2] == "present"
