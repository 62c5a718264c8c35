"""Photos by their URL into a folder: politely, and so that it can be killed at any moment and called again.

A photo is written beside its place, checked (length, MD5 if that is known, decoded to its last byte), flushed and
renamed: what has its name is whole. What was cut off stays as a hidden ``.part``, whose name says what it is a part of
(URL, ETag, date and length); the next attempt asks for the rest, and begins anew if the server now has something else.

HTTP is that of ``requests``, and how long to wait before the next attempt says ``urllib3.Retry``. It does not make the
attempts itself, because it knows neither of bodies that are cut off nor of how many requests a host has had.
"""

import base64
import binascii
import hashlib
import os
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import requests as http
from filelock import FileLock, Timeout
from requests.adapters import HTTPAdapter
from rich.progress import Progress
from urllib3 import Retry
from urllib3.exceptions import HTTPError, IncompleteRead, InvalidHeader, NameResolutionError, ReadTimeoutError

from tagger.data.photo import BadPhoto, decode, open_photo
from tagger.data.sources.source import SourceError
from tagger.errors import named

REQUESTS = pa.schema({"key": pa.string(), "url": pa.string(), "md5": pa.string(), "bytes": pa.string()})
"""A row per photo, as text; ``md5`` is base64. Both that and ``bytes`` may be empty, null or missing."""

REPORT = pa.schema(
    {
        "key": pa.string(),
        "outcome": pa.string(),  # ok | already there | dead: asking again is no use | failed: later it may be
        "reason": pa.string(),  # why it is dead or failed, else null
        "file": pa.string(),  # its name in the folder, null if it is dead or failed
        "bytes": pa.int64(),  # of the file
        "sha256": pa.string(),  # of the file, hex; null if it was there, since then it is not read again
    }
)
"""A row per request."""

PLACEHOLDERS = ("photo_unavailable",)
"""What is in the URL to which a server leads in place of a photo that is gone; this one is Flickr's."""

USER_AGENT = "tagger-photo-downloader (python-requests)"

_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_NO_PHOTO = ("text/", "application/json", "application/xml", "application/xhtml")
_PART = re.compile(r"\.(.+)\.[0-9a-f]{16}\.part")
_PIECE = 65_536

Outcome = Literal["ok", "already there", "dead", "failed"]


@dataclass(frozen=True)
class _Photo:
    """A row of ``REQUESTS``."""

    key: str
    url: str
    md5: str
    bytes: str


@dataclass(frozen=True)
class _Result:
    """A row of ``REPORT``."""

    key: str
    outcome: Outcome
    reason: str | None = None
    file: str | None = None
    bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Limits:
    """The settings of :func:`download`."""

    rate: float
    retries: int
    timeout: float
    deadline: float
    patience: float
    backoff: float
    workers: int
    max_bytes: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            may_be_0 = name in ("retries", "patience", "backoff")
            if not (value >= 0 if may_be_0 else value > 0):
                raise SourceError(f"{name} must be {'at least' if may_be_0 else 'above'} 0, got {value}")


class _Problem(Exception):  # noqa: N818 (the photo's problem, no error of ours)
    """Why an attempt did not bring the photo."""

    def __init__(self, reason: str, *, outcome: Outcome = "failed", again: bool = True, once: bool = False) -> None:
        super().__init__(reason)
        self.outcome, self.again, self.once = outcome, again, once


class _Stopped(Exception):  # noqa: N818 (asked for)
    """The caller has gone."""


def _dead(reason: str) -> _Problem:
    return _Problem(reason, outcome="dead", again=False)


def download(
    requests: pa.Table,
    folder: Path,
    *,
    rate: float = 5.0,
    retries: int = 3,
    timeout: float = 20.0,
    deadline: float = 300.0,
    patience: float = 300.0,
    backoff: float = 1.0,
    workers: int = 8,
    max_bytes: int = 100_000_000,
    progress: bool = True,
) -> pa.Table:
    """Fetch the photos that a folder does not have yet.

    Args:
        requests: Columns of ``REQUESTS``; every key once.
        folder: An existing folder; the name of a photo's file is :func:`file_name` of its key.
        rate: Requests a second that a host gets at most, redirects and further attempts included.
        retries: Further attempts, where these may help; after a wrong checksum there is one.
        timeout: Seconds without a byte.
        deadline: Seconds that a body may take, however steadily its bytes come.
        patience: Seconds that a server may ask to wait; if it asks for more, its photos fail for now.
        backoff: Seconds before the second further attempt, doubled for each after it; up to as much again is added at
            random. The first one waits for its turn only.
        workers: Photos that are fetched at a time.
        max_bytes: A photo that is larger is dead.
        progress: Whether to show a bar.

    Returns:
        Schema ``REPORT``, a row per request, in the same order. Nothing that a server does is an error.

    Raises:
        SourceError: If a setting is impossible, a key is requested twice, or another process downloads to the folder.
        OSError: If the folder is missing, full or not writable.
    """
    limits = _Limits(
        rate=rate,
        retries=retries,
        timeout=timeout,
        deadline=deadline,
        patience=patience,
        backoff=backoff,
        workers=workers,
        max_bytes=max_bytes,
    )
    asked = _completed(requests)
    try:
        with FileLock(folder / ".download.lock", timeout=0):
            there, parts = _contents(folder)
            old = _already_there(asked, there)
            new = asked.filter(pc.invert(pc.is_in(asked["key"], old["key"].combine_chunks())))
            downloader = _Downloader(folder, limits, parts)
            report = pa.concat_tables([old, _fetch_all(new, downloader, progress=progress)])
    except Timeout:
        raise SourceError(f"{folder}: another process is downloading to it; wait until it is done") from None
    return report.take(pc.index_in(asked["key"], report["key"].combine_chunks()))


def file_name(key: str) -> str:
    """Return the name of a photo's file: its key, with everything escaped that could lead out of a folder.

    Example:
        >>> file_name("000002b66c9c498e"), file_name("../../etc/passwd")
        ('000002b66c9c498e.jpg', '%2E.%2F..%2Fetc%2Fpasswd.jpg')
    """
    name = quote(key, safe="")
    # A dot in front would hide it.
    return f"{'%2E' + name[1:] if name.startswith('.') else name}.jpg"


def _completed(requests: pa.Table) -> pa.Table:
    """Return the requests with all columns, text everywhere."""
    columns = [
        pc.fill_null(requests[name].cast(pa.string()), "")
        if name in requests.column_names
        else pa.repeat("", len(requests))
        for name in REQUESTS.names
    ]
    asked = pa.table(columns, schema=REQUESTS)
    counts = pc.value_counts(asked["key"].combine_chunks())
    twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        raise SourceError(f"key {str(twice[0])!r} is requested twice, and so are {len(twice) - 1} others")
    return asked


def _contents(folder: Path) -> tuple[pa.Table, dict[str, Path]]:
    """Return name and size of the photos in the folder, and the parts of photos by the photo's name."""
    names, sizes, parts = [], [], {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".jpg") and entry.name.isascii() and Path(entry.path).is_file():
                names.append(entry.name)
                sizes.append(entry.stat().st_size)
            elif (part := _PART.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False):
                parts[part[1]] = folder / entry.name
    return pa.table({"file": pa.array(names, pa.string()), "bytes": pa.array(sizes, pa.int64())}), parts


def _already_there(asked: pa.Table, there: pa.Table) -> pa.Table:
    """Return the report of the photos that have a file; an empty one is none."""
    there = there.filter(pc.greater(there["bytes"], 0))
    names = pa.array([file_name(key) for key in asked["key"].to_pylist()], pa.string())
    place = pc.index_in(names, there["file"].combine_chunks())
    found = there.take(place.drop_null())
    columns = {"key": asked["key"].filter(place.is_valid()), "file": found["file"], "bytes": found["bytes"]}
    columns["outcome"] = pa.repeat("already there", len(found))
    return pa.table([columns.get(field.name, pa.nulls(len(found), field.type)) for field in REPORT], schema=REPORT)


def _fetch_all(asked: pa.Table, downloader: "_Downloader", *, progress: bool) -> pa.Table:
    photos = (_Photo(**row) for batch in asked.to_batches(max_chunksize=1000) for row in batch.to_pylist())
    results = []
    with Progress(transient=True, disable=not progress or not len(asked)) as bar:
        task = bar.add_task("fetching photos", total=len(asked))
        for result in _in_threads(downloader, photos):
            results.append(astuple(result))
            bar.advance(task)
    columns = zip(*results, strict=True) if results else [()] * len(REPORT)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, REPORT, strict=True)], schema=REPORT
    )


def _in_threads(downloader: "_Downloader", photos: Iterator[_Photo]) -> Iterator[_Result]:
    """Yield the results as they come; a few photos wait, not all of a million."""
    workers = downloader.limits.workers
    running: set[Future[_Result]] = set()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for photo in photos:
                running.add(pool.submit(downloader.fetch, photo))
                if len(running) >= 2 * workers:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            yield from (future.result() for future in running)
        except BaseException:
            # Ctrl-C or a full disk: what the threads have begun they leave as parts.
            downloader.stop.set()
            pool.shutdown(cancel_futures=True)
            raise


class _Turns:
    """Whose turn it is to ask a host: requests to one host are at least 1 / rate seconds apart."""

    def __init__(self, limits: _Limits, stop: threading.Event) -> None:
        self.gap, self.patience = 1 / limits.rate, max(limits.patience, 1 / limits.rate)
        self.stop = stop
        self.lock = threading.Lock()
        self.free_at: defaultdict[str, float] = defaultdict(float)

    def wait(self, host: str) -> None:
        """Wait for a turn.

        Raises:
            _Problem: If the host asked everybody to wait for longer than we do.
        """
        while True:
            with self.lock:
                now = time.monotonic()
                delay = self.free_at[host] - now
                if delay <= 0:
                    self.free_at[host] = now + self.gap
                    return
            if delay > self.patience:
                raise _Problem(f"{host} asks to wait for {delay:.0f} more seconds", again=False)
            self.rest(delay)

    def pause(self, host: str, seconds: float) -> None:
        """Give nobody a turn for so long."""
        with self.lock:
            self.free_at[host] = max(self.free_at[host], time.monotonic() + seconds)

    def rest(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise _Stopped


class _TurnTaking(HTTPAdapter):
    """Sends no request out of turn, be it the first one or one that follows a redirect."""

    def __init__(self, turns: _Turns) -> None:
        super().__init__(max_retries=0)
        self.turns = turns

    def send(self, request: http.PreparedRequest, **settings: Any) -> http.Response:  # type: ignore[override]
        self.turns.wait(_host(request.url))
        return super().send(request, **settings)


class _Downloader:
    """Fetches photos, in any thread."""

    def __init__(self, folder: Path, limits: _Limits, parts: dict[str, Path]) -> None:
        self.folder, self.limits, self.parts = folder, limits, parts
        self.stop = threading.Event()
        self.turns = _Turns(limits, self.stop)
        self.local = threading.local()
        # Pillow's limit on pixels is of the process.
        self.check_lock = threading.Lock()

    @property
    def session(self) -> http.Session:
        """The session of this thread."""
        if not hasattr(self.local, "session"):
            session = self.local.session = http.Session()
            session.max_redirects = 5
            session.headers.update({"User-Agent": USER_AGENT, "Accept": "image/*", "Accept-Encoding": "identity"})
            for scheme in ("http://", "https://"):
                session.mount(scheme, _TurnTaking(self.turns))
        return self.local.session  # type: ignore[no-any-return]

    def fetch(self, photo: _Photo) -> _Result:
        """Fetch one photo, in several attempts if these may help."""
        retry = Retry(total=None, backoff_factor=self.limits.backoff / 2, backoff_jitter=self.limits.backoff)
        problems: list[_Problem] = []
        while True:
            try:
                _refuse(photo)
                return self._attempt(photo, file_name(photo.key))
            except _Problem as problem:
                problems.append(problem)
                repeated = problem.once and sum(earlier.once for earlier in problems) > 1
                if repeated or not problem.again or len(problems) > self.limits.retries:
                    if problem.outcome == "dead":
                        self._drop(file_name(photo.key))
                    return _Result(photo.key, problem.outcome, _shown(problem))
                retry = retry.increment("GET", photo.url, error=problem)
                self.turns.rest(retry.get_backoff_time())

    def _attempt(self, photo: _Photo, name: str) -> _Result:
        begun = self.parts.get(name)
        start = begun.stat().st_size if begun else 0
        with self._answer(photo.url, start) as answer:
            self._check(answer)
            total = _total(answer)
            part = self.folder / f".{name}.{_mark(photo.url, answer, total)}.part"
            rest = answer.status_code == 206 and part == begun and _begins_at(answer) == start
            if answer.status_code == 200:
                # The whole photo, whatever was asked for.
                self._drop(name)
                part.unlink(missing_ok=True)
            if answer.status_code == 200 or rest:
                self.parts[name] = part
                self._receive(answer, part, total)
                return self._finish(photo, name, part, whole=total is not None)
        if not begun:
            raise _dead(f"HTTP {answer.status_code} {answer.reason}, though no part was asked for")
        # It is a part of something else: this time all is asked for.
        self._drop(name)
        return self._attempt(photo, name)

    def _answer(self, url: str, start: int) -> http.Response:
        headers = {"Range": f"bytes={start}-"} if start else {}
        try:
            return self.session.get(url, headers=headers, stream=True, timeout=self.limits.timeout)
        except http.TooManyRedirects:
            raise _dead("redirects lead in circles, or through more than 5 places") from None
        # Another scheme, here or where a redirect leads; no URL at all.
        except ValueError as error:
            raise _dead(f"no address of a photo: {error}") from error
        except (http.RequestException, HTTPError) as error:
            raise _Problem(_reason(error)) from error

    def _check(self, answer: http.Response) -> None:
        """Refuse what cannot be the photo, and pause if the server asks for it."""
        status, host = answer.status_code, _host(answer.url)
        if any(placeholder in place.url for place in (*answer.history, answer) for placeholder in PLACEHOLDERS):
            raise _dead(f"gone: leads to the placeholder {answer.url}")
        if status in _TRY_AGAIN:
            self.turns.pause(host, _retry_after(answer))
            raise _Problem(f"HTTP {status} {answer.reason}")
        if status not in (200, 206, 416):
            raise _dead(f"HTTP {status} {answer.reason}")
        kind, encoding = (answer.headers.get(name, "").lower() for name in ("Content-Type", "Content-Encoding"))
        if status != 416 and (kind.startswith(_NO_PHOTO) or encoding not in ("", "identity")):
            raise _dead(f"sends {kind or 'something'} {encoding}".strip() + " in place of a photo")
        if (_total(answer) or 0) > self.limits.max_bytes:
            raise _dead(f"larger than {self.limits.max_bytes:,} bytes")

    def _receive(self, answer: http.Response, part: Path, total: int | None) -> None:
        """Append the body to the part."""
        end = time.monotonic() + self.limits.deadline
        with named(part), part.open("ab") as file:
            try:
                # Not read(), which would wait for a full piece, however slowly it comes.
                while piece := answer.raw.read1(_PIECE, decode_content=False):
                    file.write(piece)
                    if file.tell() > self.limits.max_bytes:
                        raise _dead(f"larger than {self.limits.max_bytes:,} bytes")
                    if time.monotonic() > end:
                        raise _Problem(f"not there after {self.limits.deadline:g} seconds")
                    if self.stop.is_set():
                        raise _Stopped
            except HTTPError as error:
                raise _Problem(_reason(error)) from error
            if total is not None and file.tell() != total:
                raise _Problem(f"cut off: {file.tell():,} of {total:,} bytes came")
            file.flush()
            os.fsync(file.fileno())

    def _finish(self, photo: _Photo, name: str, part: Path, *, whole: bool) -> _Result:
        """Give a part that is complete its name, if it is the photo."""
        size, md5, sha256 = _digests(part)
        if photo.bytes and size != int(photo.bytes):
            problem = _Problem(f"has {size:,} bytes, expected {int(photo.bytes):,}", outcome="dead", once=True)
        elif photo.md5 and md5 != base64.b64decode(photo.md5):
            found = base64.b64encode(md5).decode()
            problem = _Problem(f"has the MD5 {found}, expected {photo.md5}", outcome="dead", once=True)
        elif fault := self._fault(part):
            # Who did not say how long it is may have stopped too early.
            problem = _dead(fault) if whole else _Problem(fault)
        else:
            part.replace(self.folder / name)
            del self.parts[name]
            return _Result(photo.key, "ok", file=name, bytes=size, sha256=sha256)
        self._drop(name)
        raise problem

    def _fault(self, part: Path) -> str | None:
        """Return what is wrong with a photo, None if nothing is."""
        try:
            with self.check_lock, open_photo(part) as opened:
                decode(opened, at_least=(1, 1))
        except BadPhoto as error:
            return "no photo: " + str(error).removeprefix(f"{part}: ")
        return None

    def _drop(self, name: str) -> None:
        """Delete the part of a photo."""
        if part := self.parts.pop(name, None):
            part.unlink(missing_ok=True)


def _refuse(photo: _Photo) -> None:
    """Refuse a request that cannot be carried out."""
    if not photo.key or len(file_name(photo.key)) > 200:
        raise _dead("no key" if not photo.key else "the key is too long to name a file")
    if not photo.url:
        raise _dead("no URL")
    if photo.bytes and not (photo.bytes.isascii() and photo.bytes.isdigit()):
        raise _dead(f"its size should be {photo.bytes!r} bytes, which is no number")
    try:
        md5 = base64.b64decode(photo.md5, validate=True)
    except (binascii.Error, ValueError):
        md5 = b"?"
    if photo.md5 and len(md5) != 16:
        raise _dead(f"its MD5 should be {photo.md5!r}, which is not base64 of 16 bytes")


def _mark(url: str, answer: http.Response, total: int | None) -> str:
    """Return what changes when the photo does; something new where the server says nothing to tell that by."""
    tag, date = (answer.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    identity = f"{url}\n{tag}\n{date}\n{total}" if tag or total is not None else os.urandom(16).hex()
    return hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:16]


def _total(answer: http.Response) -> int | None:
    """Return how long the whole photo is, None if the server does not say."""
    if answer.status_code == 206:
        match = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.headers.get("Content-Range", ""), re.ASCII)
        return int(match[1]) if match else None
    match = re.fullmatch(r"(\d{1,18})", answer.headers.get("Content-Length", ""), re.ASCII)
    return int(match[1]) if match else None


def _begins_at(answer: http.Response) -> int | None:
    match = re.match(r"bytes (\d{1,18})-", answer.headers.get("Content-Range", ""), re.ASCII)
    return int(match[1]) if match else None


def _retry_after(answer: http.Response) -> float:
    """Return for how many seconds the server asks to wait, be it by a number or a date."""
    try:
        return Retry().parse_retry_after(answer.headers.get("Retry-After", "0"))
    except (InvalidHeader, ValueError, OverflowError):
        return 0


def _digests(file: Path) -> tuple[int, bytes, str]:
    """Return size, MD5 and SHA-256 of a file."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with file.open("rb") as opened:
        while piece := opened.read(1 << 20):
            md5.update(piece)
            sha256.update(piece)
        return opened.tell(), md5.digest(), sha256.hexdigest()


def _shown(problem: _Problem) -> str:
    """Return what happened in a form that does nothing to a terminal: servers have a say in it."""
    return "".join(character if character.isprintable() else "?" for character in str(problem))[:300]


def _host(url: str | None) -> str:
    return urlsplit(url or "").netloc


def _reason(error: BaseException) -> str:
    """Return in a few words why there was no answer."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and cause not in causes:
        causes.append(cause)
    if any(isinstance(cause, IncompleteRead) for cause in causes):
        return f"cut off: {causes[-1]!r}"
    if any(isinstance(cause, NameResolutionError) for cause in causes):
        return "host not found"
    if any(isinstance(cause, TimeoutError | http.Timeout | ReadTimeoutError) for cause in causes):
        return "timed out: no byte came"
    return f"no answer: {str(causes[-1] or error)[:200]}"
