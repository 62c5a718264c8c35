"""The page's server: this machine only unless asked otherwise, and no more of Gradio's routes than the page uses."""

import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
import uvicorn
from fastapi import FastAPI

from tagger.errors import UserError

LOOPBACK = ("127.0.0.1", "localhost", "::1")

MAX_DROP = 4 * 2**30
"""Most bytes of one drop, all its files together."""

ROUTES = frozenset(
    {
        *("/", "/config", "/theme.css", "/favicon.ico", "/manifest.json"),
        *("/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/upload", "/gradio_api/upload_progress"),
        *("/gradio_api/app_id", "/gradio_api/cancel"),
    }
)
"""What the page asks for, beside the files of the frontend and the small pictures."""

# A picture or script from elsewhere is refused by the browser, whatever a component of Gradio or a name asks for.
# Gradio's templates are functions made of text: unsafe-eval.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'; object-src 'none'; "
    "base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Border:
    """Around the application: refuses what the page never asks for, and pages that are not ours.

    A page of another site may send requests to 127.0.0.1: its origin gives it away. It may also let its own name point
    here: then the name it calls this server by gives it away.
    """

    app: Any
    pictures: Path
    hosts: tuple[str, ...] | None
    """Names that this server may be called by; None if it may be any."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope) if scope["type"] == "http" else (404, "not here")
        if refusal is not None:
            await _refuse(send, *refusal)
            return
        await self.app(scope, receive, _with_policy(send))

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if self.hosts is not None and urlsplit(f"//{host}").hostname not in self.hosts:
            return 403, "this server is called by another name"
        if "origin" in headers and urlsplit(headers["origin"]).netloc != host:
            return 403, "a page of another site asks"
        if not self._is_route(scope["path"]):
            return 404, "not here"
        if scope["path"] == "/gradio_api/upload":
            length = headers.get("content-length", "")
            if not length.isdecimal() or int(length) > MAX_DROP:
                return 413, f"more than {MAX_DROP // 2**30} GiB at once"
        return None

    def _is_route(self, path: str) -> bool:
        if ".." in path.split("/"):
            return False
        begins = ("/assets/", "/static/", "/svelte/", "/gradio_api/heartbeat/", f"/gradio_api/file={self.pictures}/")
        return path in ROUTES or path.startswith(begins)


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises:
        UserError: If the port is taken, or the host is none of this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError, OverflowError) as error:
        raise UserError(f"host={host} port={port}: {getattr(error, 'strerror', None) or error}") from error
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(128)
    except (OSError, OverflowError) as error:
        opened.close()
        way_out = f"end what listens there, or take another: port={port + 1}; port=0 takes a free one"
        if (
            isinstance(error, OSError)
            and error.errno is not None
            and os.strerror(error.errno).startswith("Address alr")
        ):
            raise UserError(f"port={port} of {host} is taken: {way_out}") from error
        raise UserError(f"host={host} port={port}: {getattr(error, 'strerror', None) or error}; {way_out}") from error
    return opened


def application(blocks: gr.Blocks, *, max_bytes: int) -> FastAPI:
    """Return the page as an application: no analytics, no API, no history, no fonts from elsewhere."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    styles = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    return gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        footer_links=[],
        run_history=False,
        max_file_size=max_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        show_error=False,
        i18n=gr.I18n(en={"upload_text.drop_file": "Drop photos here", "upload_text.click_to_upload": "choose them"}),
        theme=_theme(),
        css=styles,
    )


def run(app: Any, listener: socket.socket) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    # As Ctrl-C, so that what is open is closed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass


def _theme() -> gr.themes.Base:
    """Return Gradio's plain theme in the colours and fonts of the other pages."""
    blue = gr.themes.Color(
        **{
            "c50": "#eef5f9",
            "c100": "#d9e9f1",
            "c200": "#b5d3e3",
            "c300": "#8bb9d1",
            "c400": "#5a9abc",
            "c500": "#2c6e8f",
        },
        **{"c600": "#2c6e8f", "c700": "#255c78", "c800": "#1f4c63", "c900": "#193d50", "c950": "#102733"},
    )
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC"]
    mono = ["ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace"]
    return gr.themes.Default(primary_hue=blue, neutral_hue="gray", font=[*fonts, "sans-serif"], font_mono=mono)


def _with_policy(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message.get("headers", []),
                (b"content-security-policy", POLICY.encode()),
                (b"x-content-type-options", b"nosniff"),
                (b"referrer-policy", b"no-referrer"),
            ]
        await send(message)

    return sending


async def _refuse(send: Send, status: int, why: str) -> None:
    body = f"{why}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
