"""The server answers its own page, under names that the user allows, and no page of anybody else."""

import pytest
from starlette.datastructures import Headers

from tagger.errors import UserError
from tagger.tags.serving.border import refused
from tagger.tags.serving.hosts import allowed, named

HERE = "127.0.0.1:7860"


def why(method: str, **headers: str) -> str | None:
    return refused(method, Headers({"host": HERE} | {name.replace("_", "-"): text for name, text in headers.items()}))


def test_our_own_page_is_let_in():
    assert why("GET") is None
    assert why("GET", sec_fetch_site="none", sec_fetch_dest="document") is None
    assert why("GET", sec_fetch_site="cross-site", sec_fetch_dest="document") is None, "a link on another page"
    assert why("POST", origin=f"http://{HERE}", sec_fetch_site="same-origin", sec_fetch_dest="empty") is None
    assert why("POST", origin=f"https://{HERE}") is None, "behind a proxy with TLS"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", "http://127.0.0.1:9999", "http://localhost:7860", "http://127.0.0.1"]
)
def test_whoever_changes_something_says_that_he_is_our_page(origin: str):
    assert why("POST", origin=origin) == "a page of another site asks"
    assert why("DELETE", origin=origin) == "a page of another site asks"
    assert why("POST") == "a page of another site asks"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_site_or_port_may_not_even_show_our_pictures(site: str):
    for dest in ("image", "iframe", "script", "empty"):
        assert why("GET", sec_fetch_site=site, sec_fetch_dest=dest) == "a page of another site asks"
    assert why("POST", sec_fetch_site=site, sec_fetch_dest="document", origin=f"http://{HERE}") is not None


def test_who_looks_at_something_sends_nothing():
    assert why("GET", content_length="1000000") == "who looks at something sends nothing"
    assert why("GET", transfer_encoding="chunked") == "who looks at something sends nothing"
    assert why("GET", content_length="0") is None


def test_a_machine_may_be_called_what_its_user_says_and_nothing_else():
    loopback = ["127.0.0.1", "localhost", "[::1]"]
    assert allowed("127.0.0.1", []) == loopback
    assert allowed("0.0.0.0", []) == loopback, "no name of a machine"
    assert allowed("192.168.1.5", named(["nas.local"])) == [*loopback, "nas.local", "192.168.1.5"]
    for name in ("nas.local:7860", "*", "*.local", "http://nas", "", "nas..local", "a b"):
        with pytest.raises(UserError, match="hosts must be names or addresses without a port"):
            named([name])
