"""The server answers its own page, asks nobody else, and hands out nothing that the page does not need."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tagger.tags.serving.border import LOOPBACK, MAX_DROP, Border

HERE = "127.0.0.1:7860"


def answer(path: str, *, hosts: tuple[str, ...] | None = LOOPBACK, **headers: str) -> tuple[int, dict[str, str]]:
    """Return status and headers of the answer; 200 is the application's."""
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})

    async def send(message: Any) -> None:
        sent.append(message)

    given = {"host": HERE, **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": "http",
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    asyncio.run(Border(app, Path("/tmp/tagger-1/pictures"), hosts)(scope, None, send))  # type: ignore[arg-type]
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/assets/index.js",
        "/theme.css",
        "/gradio_api/queue/join",
        "/gradio_api/file=/tmp/tagger-1/pictures/album-x/0.jpg",
    ],
)
def test_what_the_page_needs_is_let_in_under_a_policy_that_lets_nothing_out(path: str):
    status, headers = answer(path, origin=f"http://{HERE}")
    assert status == 200
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "connect-src 'self'" in headers["content-security-policy"]
    assert "http" not in headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        *("/gradio_api/info", "/gradio_api/openapi.json", "/docs", "/openapi.json", "/monitoring", "/login"),
        *("/gradio_api/run/predict", "/gradio_api/api/_say", "/gradio_api/call/_say", "/gradio_api/deep_link"),
        *("/gradio_api/proxy=https://x.hf.space/", "/gradio_api/file=https://example.com/", "/gradio_api/vibe-code/"),
        *("/gradio_api/file=/etc/passwd", "/gradio_api/file=/tmp/tagger-1/upload.jpg"),
        "/gradio_api/file=/tmp/tagger-1/pictures/../../../etc/passwd",
        "/gradio_api/file=/tmp/tagger-1/pictures-of-others/x",
    ],
)
def test_what_the_page_never_asks_for_is_not_there(path: str):
    assert answer(path)[0] == 404


def test_a_page_of_another_site_is_refused():
    for origin in ("https://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:7860"):
        assert answer("/gradio_api/queue/join", origin=origin)[0] == 403


def test_a_name_of_another_site_that_points_here_is_refused():
    for host in ("evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "[bad"):
        assert answer("/", host=host)[0] == 403
    for host in ("127.0.0.1:7860", "localhost:7860", "[::1]:7860", "LOCALHOST"):
        assert answer("/", host=host)[0] == 200
    assert answer("/", host="photos.lan:7860", hosts=None)[0] == 200


def test_a_drop_without_an_end_is_refused():
    assert answer("/gradio_api/upload", content_length="1000000")[0] == 200
    assert answer("/gradio_api/upload", content_length=str(MAX_DROP + 1))[0] == 413
    assert answer("/gradio_api/upload", content_length="-1")[0] == 413
    assert answer("/gradio_api/upload", transfer_encoding="chunked")[0] == 413
