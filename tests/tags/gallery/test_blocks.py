"""Data in a page: whatever it says, it stays where it is."""

import json
from html.parser import HTMLParser

from hypothesis import example, given
from hypothesis import strategies as st

from tagger.tags.gallery.blocks import json_block, picture_block


class Reader(HTMLParser):
    """What a parser of HTML takes for text and tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, _: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


@given(text=st.text(st.characters()))
@example("</script><script>alert(1)</script>")
@example("<!--<script>")
@example("]]>&lt;\u2028\udcff")
def test_any_text_comes_back_and_ends_nothing(text: str):
    block = json_block([text], kind="photo")
    block.encode()
    reader = read(block)
    assert reader.tags == ["script"]
    assert json.loads(reader.text) == [text]


@given(data=st.binary())
def test_a_picture_is_one_element(data: bytes):
    assert read(picture_block(data)).tags == ["script"]
