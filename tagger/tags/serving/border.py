"""Who may ask the page's server for what: this machine unless it was told otherwise, and only what the page needs."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
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
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(send, *refusal)
            return
        await self.app(scope, receive, _with_policy(send))

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if self.hosts is not None and _name(host) not in self.hosts:
            return 403, "this server is called by another name"
        if headers.get("origin", f"http://{host}") not in (f"http://{host}", f"https://{host}"):
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


def _name(host: str) -> str | None:
    """Return the name in a Host header, without the port; None if there is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
