"""Requests to ``tagger.serve`` that no page of ours sends: nothing is read or removed, and nobody else is held up."""

import ctypes
import io
import json
import os
import random
import re
import signal
import socket
import string
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import commands
import onnx
from onnx import TensorProto, helper
from PIL import Image

from tagger.tags.delivery.bundle import write_bundle
from tagger.tags.delivery.manifest import BundleLabel, Manifest
from tests.faults.tally import Tally

MARK = b"C4N4RY"
"""What stands in every file that nobody may read."""

ANSWER_SECONDS = 2.0
"""In which our own page is answered, whatever else is asked; a photo takes a process that may have to be started."""
PHOTO_SECONDS = 8.0
END_SECONDS = 4.0
"""In which the server ends."""

PATIENCE = 12.0
"""Seconds after which a connection that drips must have been closed."""

ROUTES = ("look", "move", "reset", "correct", "undo", "clear", "folder", "offered", "photos", "pictures/0", "")
FIELDS = ("photo", "label", "corrected", "value", "threshold", "by_score", "name", "number", "place", "path", "files")


def run(folder: Path, *, tests: int, seed: int) -> Tally:
    """Start a server, forge requests of every kind in turn, and end it while photos are stuck."""
    tally, dice = Tally("forged_requests"), random.Random(seed)
    server = Server(folder)
    try:
        kinds = list(FORGERIES)
        for number in range(tests - 2):
            kind = kinds[number % len(kinds)]
            what, problem = kind(server, dice)
            problem = problem or server.problem()
            server.hang_up()
            tally.check(f"{kind.__name__}, {what}: {problem}", not problem)
        tally.check("connections that drip are still open", server.drips_are_closed())
        problem = server.problem_at_the_end()
        tally.check(f"SIGTERM while photos are stuck: {problem}", not problem)
    finally:
        server.close()
    return tally


class Server:
    """A server with photos that may be opened, beside files that may not."""

    def __init__(self, folder: Path) -> None:
        self.outside, self.root, self.temporary = folder / "outside", folder / "root", folder / "tmp"
        for made in (self.outside, self.root, self.temporary):
            made.mkdir(parents=True)
        self.canaries = [self.outside / name for name in ("canary.png", "canary.txt", "canary.jpg")]
        for canary in self.canaries:
            canary.write_bytes(photo((7, 5), text=MARK.decode()) if canary.suffix == ".png" else MARK)
        lay_traps(self.root, self.canaries[0])
        write_tiny_bundle(folder / "tiny.tagger")
        self.errors = folder / "errors.txt"
        words = ["bundle=tiny.tagger", "port=0", f"root={self.root}", "max_megabytes=1", "max_photos=50"]
        with self.errors.open("wb") as errors:
            self.process = commands.Popen(
                [sys.executable, "-m", "tagger.serve", *words],
                cwd=folder,
                env={**os.environ, "TMPDIR": str(self.temporary)},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout
        addresses = (re.search(r"http://127\.0\.0\.1:(\d+)/", line) for line in self.process.stdout)
        found = next((address for address in addresses if address), None)
        assert found, self.errors.read_text()
        self.port = int(found[1])
        self.host = f"127.0.0.1:{self.port}"
        self.watch = Watch(self.outside)
        self.open: list[socket.socket] = []
        self.drips: list[tuple[float, socket.socket]] = []
        self.heard = b""
        # One who may go on, and one whose photos are stuck; who forges is somebody new each time.
        self.ours, self.slow = self.visitor(), self.visitor()
        for cookie in (self.ours, self.slow):
            self.ask(self.photo(photo((9, 9)), cookie), seconds=30)

    # --- what is asked ----------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, body: bytes = b"", cookie: str = "", **headers: str | None) -> bytes:
        """Return a request, as our own page sends it unless a header says otherwise; one that is None is left out."""
        given: dict[str, str | None] = {"host": self.host, "connection": "close", "cookie": cookie or None}
        if method not in ("GET", "HEAD"):
            given |= {"origin": f"http://{self.host}", "content-length": str(len(body))}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [
            f"{method} /{path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in given.items() if value is not None),
        ]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body

    def photo(self, content: bytes, cookie: str, **headers: str | None) -> bytes:
        """Return the request that adds a photo."""
        return self.request("POST", "photos?place=0&name=x.jpg", content, cookie, **headers)

    def question(self, route: str, question: Any, cookie: str) -> bytes:
        """Return the request of a question: JSON, or bytes that are none."""
        body = question if isinstance(question, bytes) else json.dumps(question).encode()
        return self.request("POST", route, body, cookie, content_type="application/json")

    def connect(self) -> socket.socket:
        """Return a connection that stays open until the server has been looked at."""
        self.open.append(socket.create_connection(("127.0.0.1", self.port), timeout=5))
        return self.open[-1]

    def ask(self, request: bytes, *, seconds: float = 5) -> bytes:
        """Return what is answered; nothing if it is not in time."""
        answer, ends = b"", time.monotonic() + seconds
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection, suppress(OSError):
            # A request that is refused early is not read to its end.
            with suppress(OSError):
                connection.sendall(request)
            while piece := connection.recv(65536):
                answer += piece
                connection.settimeout(max(0.01, ends - time.monotonic()))
        self.heard += answer
        return answer

    def hang_up(self) -> None:
        """Close the connections that were left open."""
        for connection in self.open:
            connection.close()
        self.open.clear()

    def visitor(self) -> str:
        """Return the cookie of somebody new."""
        found = re.search(rb"set-cookie: ([^;]+)", self.ask(self.request("GET", "")), re.IGNORECASE)
        return found[1].decode() if found else ""

    # --- what came of it --------------------------------------------------------------------------------------------

    def problem(self) -> str:
        """Return what is wrong now; empty if nothing is."""
        if self.process.poll() is not None:
            return f"the server ended with {self.process.returncode}"
        heard, self.heard = self.heard, b""
        page = self.ask(self.request("GET", "", cookie=self.ours), seconds=ANSWER_SECONDS)
        look = self.ask(self.question("look", {}, self.ours), seconds=ANSWER_SECONDS)
        read = self.ask(self.photo(photo((9, 9)), self.ours), seconds=PHOTO_SECONDS)
        touched, errors = self.watch.events(), self.errors.read_text(errors="replace")
        problems = {
            f"our own page is not answered in {ANSWER_SECONDS:g} s": b" 200 " not in page[:20]
            or b" 200 " not in look[:20],
            f"our own photo is not read in {PHOTO_SECONDS:g} s": b'"remark":' not in read,
            "what is outside was answered": MARK in heard,
            f"what is outside was touched: {touched}": touched,
            "a file was removed": not all(canary.exists() for canary in self.canaries),
            f"a traceback: {errors[-300:]}": "Traceback" in errors,
        }
        return next((problem for problem, is_so in problems.items() if is_so), "")

    def drips_are_closed(self) -> bool:
        """Return whether the server closed the connections that dripped, in time."""
        for began, connection in self.drips:
            connection.settimeout(max(0.1, began + PATIENCE - time.monotonic()))
            try:
                while connection.recv(4096):
                    pass
            except TimeoutError:
                return False
            except OSError:
                pass
        return True

    def problem_at_the_end(self) -> str:
        """End it while photos are read that never come to an end; return what is wrong."""
        for request in (self.photo(endless_photo(), self.slow), self.photo(endless_photo(), self.visitor())):
            self.connect().sendall(request)
        self.connect().sendall(self.request("POST", "photos?place=0", cookie=self.ours, content_length="9999"))
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            return "it does not end"
        seconds = time.monotonic() - started
        if code or seconds > END_SECONDS:
            return f"exit code {code} after {seconds:.1f} s"
        # onnxruntime's own.
        left = [path.name for path in self.temporary.iterdir() if path.name != ".ses"]
        return f"{left} is left" if left else ""

    def close(self) -> None:
        """End the server, whatever it does."""
        self.open += [drip for _, drip in self.drips]
        self.hang_up()
        self.watch.close()
        self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()


class Watch:
    """Tells what was opened, read, changed or removed in a folder (inotify; looking at names and times is not told)."""

    EVENTS = 0x1 | 0x2 | 0x4 | 0x20 | 0x40 | 0x80 | 0x100 | 0x200
    """Read, changed, attributes changed, opened, moved away, moved here, made, removed."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.file = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self.file, os.fsencode(folder), self.EVENTS) >= 0

    def events(self) -> list[str]:
        """Return the names of what was touched since."""
        names, data = [], b""
        with suppress(BlockingIOError):
            data = os.read(self.file, 65536)
        while data:
            _, mask, _, length = struct.unpack("iIII", data[:16])
            names.append(f"{data[16 : 16 + length].rstrip(bytes(1)).decode()} ({mask:#x})")
            data = data[16 + length :]
        return names

    def close(self) -> None:
        """Watch no more."""
        os.close(self.file)


# --- what is forged ---------------------------------------------------------------------------------------------------


def a_path(server: Server, dice: random.Random) -> str:
    """Return a path of something that nobody may reach: a file, or a folder."""
    canary = str(dice.choice([*server.canaries, server.outside]))
    relative = os.path.relpath(canary, server.root)
    forms = (
        canary,
        relative,
        f"{server.root}/../outside/canary.png",
        f"file://{canary}",
        f"/proc/self/root{canary}",
        f"{canary}\0.jpg",
        relative.replace("/", "\\"),
        relative.replace("..", "%2e%2e"),
        relative.replace("/", "%252f"),
        "out",
        "below/../../outside",
        "/dev/zero",
        "/proc/self/environ",
        "~/../" * 5 + canary,
        "../" * 2000 + canary,
        "\udcff" + canary,
    )
    return dice.choice(forms)


def disguised(path: str, dice: random.Random) -> Any:
    """Return a path as it stands in what a client may forge."""
    file = {"path": path, "meta": {"_type": "gradio.FileData"}, "is_stream": True, "orig_name": "x.jpg"}
    return dice.choice([path, file, [file], {"root": [file]}, {"__class__": "Path", "args": [path]}, [path] * 100])


def paths_in_questions(server: Server, dice: random.Random) -> tuple[str, str]:
    path, cookie = a_path(server, dice), server.visitor()
    server.ask(server.photo(photo((9, 9)), cookie))
    for route in ROUTES:
        good = {"photo": 0, "label": 0, "corrected": 0, "value": "absent", "threshold": 0.5, "number": 0, "place": 0}
        question = good | dict.fromkeys(dice.sample(FIELDS, 3), disguised(path, dice))
        server.ask(server.question(route, question, cookie))
    old = {"data": [disguised(path, dice)], "fn_index": 0, "session_hash": "x"}
    answer = server.ask(server.question("gradio_api/queue/join", old, cookie))
    return path[-80:], "" if b" 404 " in answer[:20] else "there is such a route"


def paths_in_addresses(server: Server, dice: random.Random) -> tuple[str, str]:
    path = "".join(c if c.isalnum() or c in "/.%\\~" else f"%{ord(c) & 255:02x}" for c in a_path(server, dice))
    cookie = server.visitor()
    asked = [f"{begin}{path}" for begin in ("", "pictures/", "page.css/../", "gradio_api/file=", "static/", "/", "?")]
    answers = [server.ask(server.request("GET", address, cookie=cookie)) for address in asked]
    shown = f"photos?place=0&name={path}"
    server.ask(server.request("POST", shown, photo((8, 8)), cookie))
    server.ask(server.request("POST", f"photos?place={path}&name=x", photo((8, 8)), cookie))
    server.ask(server.request("GET", "", cookie=f"tagger-{server.port}={path}"))
    found = [address for address, answer in zip(asked[:-1], answers, strict=False) if b" 200 " in answer[:20]]
    return path[-80:], f"{found} is there" if found else ""


def folders(server: Server, dice: random.Random) -> tuple[str, str]:
    name = a_path(server, dice)
    answer = server.ask(server.question("folder", {"name": name}, server.visitor()))
    said = b"there is no folder" in answer or b"must be a text" in answer
    return name[-80:], "" if said else f"the answer is another: {answer[-200:]!r}"


def special_files(server: Server, dice: random.Random) -> tuple[str, str]:
    cookie = server.visitor()
    found = re.search(
        rb'"offered":(\d+)', server.ask(server.question("folder", {"name": dice.choice(["", "."])}, cookie))
    )
    offered = int(found[1]) if found else 0
    for number in (*range(offered), offered, 10**8, -1):
        if not server.ask(server.question("offered", {"number": number, "place": 0}, cookie), seconds=PHOTO_SECONDS):
            return f"photo {number}", "is not answered"
    return f"{offered} photos", "" if offered else "the folder was not opened"


def strangers(server: Server, dice: random.Random) -> tuple[str, str]:
    names = (
        "evil.example",
        "127.0.0.1.evil.example",
        "nas.local",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
        "",
        "a b",
        "[",
        "2130706433",
    )
    name = dice.choice(names)
    host = {"host": f"{name}:{server.port}", "origin": f"http://{name}:{server.port}"}
    origin = {
        "origin": dice.choice(
            ["null", "https://evil.example", "http://127.0.0.1:1", f"http://localhost:{server.port}", None]
        )
    }
    fetch = {
        "sec_fetch_site": dice.choice(["cross-site", "same-site"]),
        "sec_fetch_mode": dice.choice(["cors", "no-cors"]),
    }
    headers: dict[str, str | None] = dice.choice([host, origin, fetch])  # type: ignore[assignment]
    route = dice.choice(["look", "clear", "folder", "undo"])
    body = json.dumps({"name": ""}).encode()
    answer = server.ask(server.request("POST", route, body, server.ours, **headers))
    return f"{route} {headers}", "" if re.match(rb"HTTP/1.1 (400|403) ", answer) else f"is answered {answer[:40]!r}"


def bodies(server: Server, dice: random.Random) -> tuple[str, str]:
    cookie, what = (
        server.visitor(),
        dice.choice(["declared", "endless", "short", "both", "of a look", "form"]),
    )
    if what == "declared":
        request = server.photo(b"", cookie, content_length=str(dice.choice([10**7, 10**12, 10**30])))
    elif what == "endless":
        chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
        request = server.photo(chunk * 40, cookie, content_length=None, transfer_encoding="chunked")
    elif what == "short":
        server.connect().sendall(server.photo(photo((9, 9))[:20], cookie, content_length="100000"))
        server.open.pop().close()
        return what, ""
    elif what == "both":
        request = server.photo(b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n", cookie, transfer_encoding="chunked")
    elif what == "of a look":
        request = server.request("GET", "", bytes(10**6), cookie, content_length=str(10**12))
    else:
        body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="../../x.jpg"\r\n\r\nx\r\n--x--\r\n'
        request = server.request("POST", "look", body, cookie, content_type="multipart/form-data; boundary=x")
    answer = server.ask(request)
    refused = re.match(rb"HTTP/1.1 4\d\d ", answer) or (what == "both" and answer.count(b"HTTP/1.1 ") == 1)
    return what, "" if refused else f"is answered {answer[:40]!r}"


def drips(server: Server, dice: random.Random) -> tuple[str, str]:
    whole = server.photo(photo((9, 9)), server.visitor(), content_length="50000")
    lengths = 0, dice.randint(1, 100), len(whole) - dice.randint(1, 20)
    for length in lengths:
        connection = server.connect()
        connection.sendall(whole[:length])
        server.drips.append((time.monotonic(), server.open.pop()))
    return f"{lengths} bytes", ""


def bombs(server: Server, dice: random.Random) -> tuple[str, str]:
    what = dice.choice(sorted(BOMBS))
    answer = server.ask(server.photo(BOMBS[what](), server.visitor()), seconds=PHOTO_SECONDS)
    return what, "" if b'"remark":"x.jpg: ' in answer else f"is answered {answer[-80:]!r}"


def methods(server: Server, dice: random.Random) -> tuple[str, str]:
    method = dice.choice(["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "CONNECT", "get", "A" * 100])
    path = dice.choice(["", "photos", "pictures/0", "page.js", "look"])
    answer = server.ask(server.request(method, path, b"{}", server.ours))
    return f"{method[:9]} /{path}", "" if re.match(rb"HTTP/1.1 4\d\d ", answer) else f"is answered {answer[:40]!r}"


def protocols(server: Server, dice: random.Random) -> tuple[str, str]:
    upgrade = {"connection": "Upgrade", "upgrade": dice.choice(["websocket", "h2c"]), "sec_websocket_version": "13"}
    websocket = server.request("GET", "queue", sec_websocket_key="x", **upgrade)
    hello = bytes.fromhex("16030100a5010000a1") + bytes(160)
    smuggled = b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\nContent-Length: 5\r\n\r\n"
    raw = dice.choice(
        [websocket, hello, smuggled, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /\r\n\r\n", b"\0" * 100, b"\r\n" * 50]
    )
    answer = server.ask(raw, seconds=0.5)
    return repr(raw[:30]), "" if re.match(rb"HTTP/1.1 4\d\d |$", answer) else f"is answered {answer[:40]!r}"


def headers(server: Server, dice: random.Random) -> tuple[str, str]:
    long = "x" * dice.choice([20_000, 200_000])
    many: dict[str, str | None] = {f"x_{number}": "x" for number in range(3000)}
    forged: dict[str, str | None] = dice.choice([{"x_long": long}, {"cookie": f"a={long}"}, {"origin": long}, many])
    answer = server.ask(server.request("POST", "look", b"{}", **forged))
    return str(forged)[:40], "" if re.match(rb"HTTP/1.1 4\d\d |$", answer) else f"is answered {answer[:40]!r}"


def crowds(server: Server, dice: random.Random) -> tuple[str, str]:
    number = dice.randint(40, 120)
    for _ in range(number):
        server.ask(server.request("GET", ""))
    return f"{number} visitors", ""


def numbers(server: Server, dice: random.Random) -> tuple[str, str]:
    values = (
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"-1",
        b"9" * 4000,
        b"9" * 5000,
        b"0.5",
        b"true",
        b"null",
        b'"0"',
        b"[]",
    )
    fields = [f'"{name}":'.encode() + dice.choice(values) for name in dice.sample(FIELDS, 6)]
    question, route = b"{" + b",".join(fields) + b"}", dice.choice(ROUTES[:9])
    answer = server.ask(server.question(route, question, server.visitor()))
    return f"{route} {question[:80]!r}", "" if re.match(
        rb"HTTP/1.1 [24]\d\d ", answer
    ) else f"is answered {answer[:40]!r}"


def nests(server: Server, dice: random.Random) -> tuple[str, str]:
    begin, end = dice.choice([(b"[", b"]"), (b'{"photo":', b"}"), (b'{"a":[', b"]}")])
    deep = dice.choice([1000, 6000, 30_000])
    question = begin * deep + dice.choice([b"", b"0" + end * deep])
    answer = server.ask(server.question(dice.choice(ROUTES[:9]), question, server.visitor()))
    return f"{deep} deep", "" if re.match(rb"HTTP/1.1 4\d\d |$", answer) else f"is answered {answer[:40]!r}"


def names(server: Server, dice: random.Random) -> tuple[str, str]:
    """Forge the names of visitors."""
    ours = server.ours.partition("=")[2]
    guess = "".join(dice.choices(string.ascii_letters + string.digits + "-_", k=43))
    forged = dice.choice([guess, ours[:-1], ours.swapcase(), f'"{ours}x"', "", "../" + ours, "x" * 5000, f"{ours}\0"])
    answers = [
        server.ask(server.request("GET", "pictures/0", cookie=f"tagger-{server.port}={forged}")),
        server.ask(server.question("look", {"photo": 0}, f"tagger-{server.port}={forged}")),
        server.ask(server.request("GET", f"pictures/{dice.randint(1, 99)}", cookie=server.visitor())),
    ]
    refused = all(re.match(rb"HTTP/1.1 4\d\d ", answer) for answer in answers)
    return forged[:50], "" if refused else "somebody else's photo is shown"


def stuck(server: Server, dice: random.Random) -> tuple[str, str]:
    """Have photos read that never come to an end, more than may be read at a time."""
    for _ in range(4):
        server.connect().sendall(server.photo(endless_photo(dice.choice([1000, 2000])), server.slow))
    time.sleep(0.2)
    return "4 photos", ""


FORGERIES: Sequence[Callable[[Server, random.Random], tuple[str, str]]] = (
    *(paths_in_questions, paths_in_addresses, folders, special_files, strangers, bodies, drips, bombs),
    *(methods, protocols, headers, crowds, numbers, nests, names, stuck),
)

# --- what it takes ----------------------------------------------------------------------------------------------------


def photo(size: tuple[int, int], *, text: str = "") -> bytes:
    """Return a small PNG."""
    from PIL.PngImagePlugin import PngInfo

    file, info = io.BytesIO(), PngInfo()
    info.add_text("secret", text)
    Image.new("RGB", size, (200, 30, 30)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


@cache
def endless_photo(scans: int = 2000) -> bytes:
    """Return a JPEG that is half a megabyte, and minutes of work: the last of its scans is repeated."""
    file = io.BytesIO()
    Image.new("L", (4000, 4000), 128).save(file, "JPEG", progressive=True, quality=90)
    jpeg = file.getvalue()
    return jpeg[:-2] + jpeg[jpeg.rindex(b"\xff\xda") : -2] * scans + jpeg[-2:]


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG of a header and chunks."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in (header, *chunks, (b"IEND", b""))
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


BOMBS: dict[str, Callable[[], bytes]] = {
    "a PNG of a gigapixel": lambda: png(40_000, 40_000, (b"IDAT", zlib.compress(bytes(10**6)))),
    "a PNG of no pixels": lambda: png(0, 0, (b"IDAT", b"")),
    "a PNG whose text swells": lambda: png(9, 9, (b"zTXt", b"x\0\0" + zlib.compress(bytes(10**8)))),
    "a PNG whose pixels end": lambda: png(9000, 9000, (b"IDAT", zlib.compress(bytes(10**6)))),
    "a JPEG that is cut": lambda: endless_photo(1)[:-40],
    "a GIF of a gigapixel": lambda: b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"," + bytes(100),
    "a TIFF whose tables go round": lambda: b"II*\0\x08\0\0\0\0\0\x08\0\0\0" + bytes(20),
    "an SVG that names a file": lambda: b'<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
    "a PostScript program": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n",
    "a ZIP": lambda: b"PK\x03\x04" + zlib.compress(bytes(10**6)),
    "a pickle": lambda: b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR.",
    "nothing": lambda: b"",
}


def lay_traps(root: Path, canary: Path) -> None:
    """Make a folder of photos with everything in it that is none, or that leads out."""
    (root / "below").mkdir()
    for number in range(3):
        (root / f"{number}.png").write_bytes(photo((20 + number, 10)))
    os.mkfifo(root / "pipe.jpg")
    for name, target in {
        **{"out.png": canary, "zero.jpg": "/dev/zero", "loop.jpg": "loop.jpg", "a.jpg": "b.jpg", "b.jpg": "a.jpg"},
        **{"environ.jpg": "/proc/self/environ", "out": canary.parent, "round": root, "nowhere.jpg": "/nowhere"},
    }.items():
        (root / name).symlink_to(target)
    with socket.socket(socket.AF_UNIX) as local, suppress(OSError):
        local.bind(str(root / "socket.jpg"))


def write_tiny_bundle(path: Path) -> None:
    """Write a bundle of three labels, whose scores are the means of the three channels."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["cast", "white"], ["grey"]),
        helper.make_node("ReduceMean", ["grey", "sides"], ["scores"], keepdims=0),
        helper.make_node("GreaterOrEqual", ["scores", "thresholds"], ["tags"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["photos", 16, 16, 3])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["photos", 3]),
            helper.make_tensor_value_info("tags", TensorProto.BOOL, ["photos", 3]),
        ],
        [
            helper.make_tensor("white", TensorProto.FLOAT, [], [255.0]),
            helper.make_tensor("sides", TensorProto.INT64, [2], [1, 2]),
            helper.make_tensor("thresholds", TensorProto.FLOAT, [3], [0.5] * 3),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    labels = tuple(BundleLabel(name, {"en": name}, 0.5) for name in ("red", "green", "blue"))
    manifest = Manifest(labels, {"size": 16, "fit": "pad"}, 18)
    write_bundle(path, manifest, model=model.SerializeToString(), card="tiny\n")
