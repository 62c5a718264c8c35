"""Connections that ask for nothing, or for something at a drip, are closed, and there are never too many of them."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

from tagger.tags.serving import server

ASKING = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

Connect = Callable[[], socket.socket]


async def page(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"page"})


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Serve a page to at most three connections that may wait half a second; return how to connect."""
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.5)
    monkeypatch.setattr(server, "CONNECTIONS", 3)
    listener = server.listening("127.0.0.1", 0)
    serving = server.Server(uvicorn.Config(page, http=server.Protocol, ws="none", lifespan="off", log_level="error"))
    thread = threading.Thread(target=serving.run, args=([listener],))
    thread.start()
    opened: list[socket.socket] = []

    def connecting() -> socket.socket:
        opened.append(socket.create_connection(listener.getsockname(), timeout=5))
        return opened[-1]

    yield connecting
    for connection in opened:
        connection.close()
    serving.should_exit = True
    thread.join()


def answer(connection: socket.socket) -> bytes:
    """Return what is answered; nothing if the connection is closed."""
    answered = b""
    try:
        while not answered.endswith(b"page") and (piece := connection.recv(4096)):
            answered += piece
    except ConnectionResetError:
        pass
    return answered


def test_who_asks_for_nothing_is_not_waited_for(connect: Connect):
    silent, half, dripping = connect(), connect(), connect()
    half.sendall(ASKING[:20])
    started = time.monotonic()
    while time.monotonic() - started < 5:
        try:
            dripping.sendall(b"X")
        except OSError:
            break
        time.sleep(0.05)
    assert time.monotonic() - started < 3
    assert answer(silent) == answer(half) == b""


def test_a_connection_is_kept_between_requests_and_closed_after_the_last(connect: Connect):
    connection = connect()
    for _ in range(3):
        time.sleep(0.3)
        connection.sendall(ASKING)
        assert answer(connection).endswith(b"page"), "each request has half a second of its own"
    started = time.monotonic()
    assert answer(connection) == b""
    assert time.monotonic() - started < 3


def test_who_comes_when_there_are_too_many_is_turned_away_at_once(connect: Connect):
    waiting = [connect() for _ in range(3)]
    assert answer(connect()) == b""
    for connection in waiting:
        connection.sendall(ASKING)
        assert answer(connection).endswith(b"page")
