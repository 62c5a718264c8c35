"""The page's server: an address, and uvicorn on it, which neither who is slow nor what is stuck can hold up."""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import threading
from types import FrameType
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tagger.errors import UserError

CONNECTIONS = 256
"""That are open at a time; who comes then is turned away at once."""

HEADER_SECONDS = 10.0
"""After which a connection that asks for nothing is closed."""

ENDING_SECONDS = 2.0
"""After which the server ends, whatever is going on."""


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises:
        UserError: If the port is taken, or the host is none of this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise UserError(f"host={host} cannot be listened on: {error}") from error
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(128)
    except OSError as error:
        opened.close()
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be listened on ({error.strerror})"
        raise UserError(
            f"port={port} of {host} {reason}: take another, for instance port={port + 1}, or port=0 for a free one"
        ) from error
    return opened


class Protocol(H11Protocol):
    """uvicorn's, which does not wait for ever for a request that does not come, or drips."""

    deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
        self._wait()

    def on_response_complete(self) -> None:
        """Begin to wait for the next one."""
        self._wait()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        if self.deadline:
            self.deadline.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self.deadline:
            self.deadline.cancel()
        self.deadline = self.loop.call_later(HEADER_SECONDS, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self.conn.their_state is h11.IDLE:
            self.transport.abort()


class Server(uvicorn.Server):
    """uvicorn's server, which says nothing of the connections that open pages hold when it ends, and does end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; a thread that is stuck, in a disk for instance, is not waited for."""
        super().handle_exit(sig, frame)
        last = threading.Timer(ENDING_SECONDS, os._exit, [0])
        last.daemon = True
        last.start()


def run(app: Any, listener: socket.socket) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        # No faster loop that happens to be installed: the tests are of this one.
        loop="asyncio",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    # As Ctrl-C, so that what is open is closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        Server(config).run(sockets=[listener])
