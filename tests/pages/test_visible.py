"""Text from outside, made visible."""

from hypothesis import given
from hypothesis import strategies as st

from tagger.pages.visible import visible


@given(text=st.text(st.characters()))
def test_visible_text_is_printable_and_encodable(text: str):
    assert visible(text).isprintable()
    assert visible(text).encode("utf-8")[:0] == b""
