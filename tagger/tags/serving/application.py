"""What the page asks and what it is answered; there are no other routes.

A browser is known by a cookie, its photos and labels by numbers. Everything that is asked is checked as it is taken.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tagger.errors import UserError
from tagger.pages.visible import visible
from tagger.tags.serving import views
from tagger.tags.serving.album import NEVER, moved
from tagger.tags.serving.body import Bodies
from tagger.tags.serving.border import Border
from tagger.tags.serving.desk import Desk
from tagger.tags.serving.export import as_yaml, own_thresholds
from tagger.tags.serving.views import Looks
from tagger.tags.serving.visitors import Visitor, Visitors

MAX_NAME = 255
"""Characters of a photo's name that are kept."""

MAX_QUESTION = 65_536
"""Bytes of a question that is no photo."""

MAX_NUMBER = 10**9

HERE = Path(__file__).parent
BASE = HERE.parents[1] / "pages" / "base.css"

FILES = {
    "/page.css": ("text/css", BASE.read_bytes() + (HERE / "page.css").read_bytes()),
    "/page.js": ("text/javascript", (HERE / "page.js").read_bytes()),
    # Every browser asks for one.
    "/favicon.ico": ("image/x-icon", b""),
}
"""The page's own files, by path."""


class Answer(Response):
    """JSON in ASCII, since names may hold what is no Unicode."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the bytes."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


@dataclass(frozen=True)
class Question:
    """What a page asks, from whomever."""

    values: Mapping[str, Any]

    @classmethod
    def parse(cls, body: bytes | bytearray) -> "Question":
        """Read a question.

        Raises:
            HTTPException: 400 if it is none.
        """
        try:
            values = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            raise HTTPException(400, "not JSON") from None
        if not isinstance(values, dict):
            raise HTTPException(400, "not an object")
        return cls(values)

    def number(self, name: str, *, below: int = MAX_NUMBER) -> int | None:
        """Return a whole number from 0, None if it is not given.

        Raises:
            HTTPException: 400 if it is something else.
        """
        value = self.values.get(name)
        if value is not None and (type(value) is not int or not 0 <= value < below):
            raise HTTPException(400, f"{name} must be a whole number in [0, {below})")
        return value

    def needed(self, name: str, *, below: int = MAX_NUMBER) -> int:
        """Return a whole number from 0.

        Raises:
            HTTPException: 400 if it is something else, or not given.
        """
        value = self.number(name, below=below)
        if value is None:
            raise HTTPException(400, f"{name} is missing")
        return value

    def text(self, name: str, *, most: int = 4096) -> str:
        """Return a text.

        Raises:
            HTTPException: 400 if it is none, or too long.
        """
        value = self.values.get(name)
        if not isinstance(value, str) or len(value) > most:
            raise HTTPException(400, f"{name} must be a text of at most {most} characters")
        return value


Doing = Callable[[Visitor, Question], Awaitable[None]]
"""Does what is asked; a UserError is shown."""


@dataclass(frozen=True)
class Application:
    """The page.

    Args:
        desk: What all visitors share.
        visitors: What each has.
        bodies: What they send.
        cookie: Name of the cookie: two servers on one machine would overwrite each other's.
    """

    desk: Desk
    visitors: Visitors
    bodies: Bodies
    cookie: str

    def app(self, hosts: Sequence[str]) -> ASGIApp:
        """Return the application as it is served.

        Args:
            hosts: What this machine may be called, see :func:`tagger.tags.serving.hosts.allowed`.
        """
        doing: dict[str, Doing] = {
            **{"look": self._look, "move": self._move, "reset": self._reset, "correct": self._correct},
            **{"undo": self._undo, "clear": self._clear, "folder": self._folder},
        }
        routes = [
            Route("/", self._page),
            *(Route(path, self._file) for path in FILES),
            Route("/pictures/{number}", self._picture),
            Route("/photos", self._add_photo, methods=["POST"]),
            Route("/offered", self._add_offered, methods=["POST"]),
            *(Route(f"/{name}", self._answering(do), methods=["POST"]) for name, do in doing.items()),
        ]
        app = Starlette(
            routes=routes,
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)],
            exception_handlers={HTTPException: _refused, ClientDisconnect: _gone},
            lifespan=self._working,
        )
        app.router.redirect_slashes = False
        return Border(app)

    @asynccontextmanager
    async def _working(self, _: Starlette) -> AsyncIterator[None]:
        await self.desk.workers.start()
        try:
            yield
        finally:
            await self.desk.workers.close()

    # --- what is looked at ------------------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        visitor, token = self.visitors.find(request.cookies.get(self.cookie)), None
        if visitor is None:
            admitted = self.visitors.admit()
            if admitted is None:
                raise HTTPException(503, "too many people have photos here: come again later")
            token, visitor = admitted
        async with visitor.turn:
            html = await run_in_threadpool(lambda: views.page(self.desk, self._drawn(visitor, Question({}))))
        response = HTMLResponse(html)
        if token is not None:
            response.set_cookie(self.cookie, token, httponly=True, samesite="strict")
        return response

    async def _file(self, request: Request) -> Response:
        media_type, content = FILES[request.url.path]
        return Response(content, media_type=media_type)

    async def _picture(self, request: Request) -> Response:
        album = self._visitor(request).album
        row = album.row(_number(request.path_params["number"]))
        if row is None:
            raise HTTPException(404, "no such photo")
        return Response(album.photos[row].picture, media_type="image/jpeg")

    # --- photos -----------------------------------------------------------------------------------------------------

    async def _add_photo(self, request: Request) -> Response:
        visitor, place = self._visitor(request), _number(request.query_params.get("place", ""))
        name = request.query_params.get("name", "")[:MAX_NAME] or "photo"
        if place is None:
            raise HTTPException(400, "place must be a whole number")
        async with self.bodies.of(request, most=self.desk.max_bytes) as photo:
            return Answer({"remark": await self.desk.add(visitor, name, photo, place=place)})

    async def _add_offered(self, request: Request) -> Response:
        visitor, question = self._visitor(request), await self._question(request)
        number, place = question.needed("number"), question.needed("place")
        if number >= len(visitor.offered):
            raise HTTPException(404, "no such photo")
        photo = visitor.offered[number]
        return Answer({"remark": await self.desk.add(visitor, Path(photo).name, photo, place=place)})

    # --- what happens -----------------------------------------------------------------------------------------------

    def _answering(self, do: Doing) -> Callable[[Request], Awaitable[Response]]:
        async def answering(request: Request) -> Response:
            visitor, question = self._visitor(request), await self._question(request)
            remarks = []
            async with visitor.turn:
                try:
                    await do(visitor, question)
                except UserError as error:
                    remarks = [visible(str(error))]
                drawn = await run_in_threadpool(self._drawn, visitor, question)
            return Answer({**drawn, "remarks": remarks})

        return answering

    async def _look(self, visitor: Visitor, question: Question) -> None:
        pass

    async def _move(self, visitor: Visitor, question: Question) -> None:
        threshold = question.values.get("threshold")
        # Of NaN and of numbers without end it does not hold.
        if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= NEVER:
            raise HTTPException(400, f"threshold must lie in [0, {NEVER:g}]")
        self._set(visitor, self._label(question), threshold)

    async def _reset(self, visitor: Visitor, question: Question) -> None:
        label = self._label(question)
        self._set(visitor, label, float(self.desk.tagger.thresholds[label]))

    async def _correct(self, visitor: Visitor, question: Question) -> None:
        label, value = question.needed("corrected", below=len(self.desk.columns)), question.values.get("value")
        if value not in ("present", "absent"):
            raise HTTPException(400, "value must be present or absent")
        row = visitor.album.row(question.number("photo"))
        if row is None:
            raise UserError("this photo is not here any more")
        await run_in_threadpool(self.desk.correct, visitor, row, label, value)

    async def _undo(self, visitor: Visitor, question: Question) -> None:
        await run_in_threadpool(self.desk.undo, visitor)

    async def _clear(self, visitor: Visitor, question: Question) -> None:
        visitor.album.clear()

    async def _folder(self, visitor: Visitor, question: Question) -> None:
        visitor.offered = []
        # One more than there may be, to say that there are more.
        visitor.offered = await self.desk.workers.folder(question.text("name"), limit=self.desk.max_photos + 1)

    # --- what of it is shown ----------------------------------------------------------------------------------------

    def _drawn(self, visitor: Visitor, question: Question) -> dict[str, Any]:
        """Return the parts of the page anew."""
        desk, album = self.desk, visitor.album
        looks = Looks(
            desk.tagger,
            desk.language,
            desk.columns,
            album,
            visitor.thresholds,
            desk.corrections.current,
            album.row(question.number("photo")),
            question.number("label", below=len(desk.columns)),
            by_score=question.values.get("by_score") is True,
        )
        own = moved(visitor.thresholds, desk.tagger)
        return {
            **views.parts(looks, desk.tags(album, visitor.thresholds)),
            "has_photo": looks.photo is not None,
            "for_predict": own_thresholds(own),
            "as_yaml": as_yaml(own),
            "can_undo": bool(visitor.history),
            "offered": len(visitor.offered),
            "room": desk.max_photos - len(album),
            "place": album.next_place,
        }

    def _set(self, visitor: Visitor, label: int, threshold: float) -> None:
        # A copy: the first are the bundle's.
        visitor.thresholds = visitor.thresholds.copy()
        visitor.thresholds[label] = threshold

    def _label(self, question: Question) -> int:
        return question.needed("label", below=len(self.desk.columns))

    def _visitor(self, request: Request) -> Visitor:
        visitor = self.visitors.find(request.cookies.get(self.cookie))
        if visitor is None:
            raise HTTPException(410, "the server has forgotten this page: reload it")
        return visitor

    async def _question(self, request: Request) -> Question:
        async with self.bodies.of(request, most=MAX_QUESTION) as body:
            return Question.parse(body)


def _number(text: str) -> int | None:
    """Return a whole number that a client wrote, None if it is none or too large."""
    return int(text) if len(text) < 10 and text.isascii() and text.isdecimal() else None


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    # What else the client was going to send is not read.
    return Answer({"error": error.detail}, error.status_code, {**(error.headers or {}), "connection": "close"})


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)
