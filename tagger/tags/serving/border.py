"""Who may ask the page's server: our own page, under the names that this machine may be called by."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = 30.0
"""That a browser may take for each part of an answer."""

# The browser asks nobody else for anything, and runs no script but our file, whatever a name or a photo says.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

ALWAYS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""What every answer says."""


@dataclass(frozen=True)
class Border:
    """Around the application: refuses pages that are not ours.

    A page of another site, or of another port of this machine, may have a browser send requests here: their origin
    gives them away. It may also let its own name point here: for that the application compares names
    (:class:`starlette.middleware.trustedhost.TrustedHostMiddleware`).
    """

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        why = refused(scope["method"], Headers(scope=scope))
        app = self.app if why is None else PlainTextResponse(f"{why}\n", 403, {"connection": "close"})
        # Who does not read an answer is let go.
        with suppress(TimeoutError):
            await app(scope, receive, _careful(send))


def refused(method: str, headers: Headers) -> str | None:
    """Return why a request is refused, None if it is not.

    Example:
        >>> refused("POST", Headers({"host": "localhost:7860", "origin": "https://evil.example"}))
        'a page of another site asks'
    """
    reads = method in ("GET", "HEAD")
    if reads and (headers.get("content-length", "0") != "0" or "transfer-encoding" in headers):
        return "who looks at something sends nothing"
    # A browser says so of every request to this machine; a link on another page may still lead here.
    is_elsewhere = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    if is_elsewhere and not (reads and headers.get("sec-fetch-dest") == "document"):
        return "a page of another site asks"
    # And this of every request that is no look, to any machine.
    if not reads and headers.get("origin") not in [f"{scheme}://{headers.get('host')}" for scheme in ("http", "https")]:
        return "a page of another site asks"
    return None


def _careful(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(ALWAYS)
        async with asyncio.timeout(SECONDS):
            await send(message)

    return sending
