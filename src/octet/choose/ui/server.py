"""The endpoints of ``octet ui``, and the headers that every answer carries.

What lives here: HTTP. What it must not know: how anything is decided or measured, who may come in (``door``).
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from octet.choose.page.html import Bundle, html, policy
from octet.choose.ui.comparing import Comparing
from octet.choose.ui.door import Asked, Door
from octet.choose.ui.session import Session
from octet.errors import BadConfigurationError

LARGEST = 64 * 1024
"""Bytes of a request's body: a form has a few hundred."""

JSON = "application/json"


class Refusal(msgspec.Struct, frozen=True):
    """Why an answer of the form can't be taken, and which."""

    field: str
    message: str


class Guarded:
    """Lets in what the door lets in, and gives every answer its headers."""

    def __init__(self, app: ASGIApp, door: Door, held: Bundle) -> None:
        self._app, self._door = app, door
        self._headers = {
            "Content-Security-Policy": policy(held, connect="'self'") + "; frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cache-Control": "no-store",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge a request; lifespan events pass."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"no {scope['type']} here")
        refused = self._door.judge(_asked(Request(scope), self._door))
        app = PlainTextResponse(f"{refused.why}\n", refused.status) if refused else self._app

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode()) for name, value in self._headers.items()]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        await app(scope, receive, sending)


def _asked(request: Request, door: Door) -> Asked:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    return Asked(
        method=request.method,
        host=request.headers.get("host", ""),
        origin=request.headers.get("origin", ""),
        token=request.query_params.get("token", "") if request.url.path == "/" else "",
        cookie=request.cookies.get(door.cookie, ""),
        bearer=bearer if scheme.lower() == "bearer" else "",
    )


class Endpoints:
    """What can be asked of the server."""

    def __init__(self, session: Session, comparing: Comparing, door: Door, held: Bundle) -> None:
        self._session, self._comparing, self._door, self._held = session, comparing, door, held

    def routes(self) -> list[Route]:
        """Return every address and what answers there."""
        return [
            Route("/", self.page),
            Route("/api/page", self.document),
            Route("/api/state", self.state),
            Route("/api/decide", self.decide, methods=["POST"]),
            Route("/api/compare", self.compare, methods=["POST"]),
        ]

    async def page(self, request: Request) -> Response:
        """Return the page; with the token in the address, give the cookie and take the token out of it."""
        if "token" in request.query_params:
            moved = RedirectResponse("/", 303)
            moved.set_cookie(self._door.cookie, self._door.pass_, httponly=True, samesite="strict", path="/")
            return moved
        text = await run_in_threadpool(lambda: html(self._session.page(), self._held))
        return Response(text, media_type="text/html")

    async def document(self, _request: Request) -> Response:
        """Return what the page is made of."""
        return _json(await run_in_threadpool(self._session.page))

    async def state(self, _request: Request) -> Response:
        """Return how far a comparison is."""
        return _json(self._comparing.progress)

    async def decide(self, request: Request) -> Response:
        """Decide for ``{"requirements": {...}}``; 422 names the field that can't be taken."""
        try:
            body = await _body(request)
            answered = await run_in_threadpool(self._session.answer, body.get("requirements"))
        except BadConfigurationError as error:
            return _json(Refusal(error.field.rpartition(".")[2], str(error)), 422)
        return _json(answered)

    async def compare(self, request: Request) -> Response:
        """Start a comparison: 202, or 409 where one is running."""
        try:
            await _body(request)
        except BadConfigurationError as error:
            return _json(Refusal(error.field, str(error)), 422)
        started = self._comparing.start()
        return _json(self._comparing.progress, 202 if started else 409)


def _json(value: msgspec.Struct, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type=JSON)


async def _body(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request. Raises BadConfigurationError when it is none, or too large."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != JSON:
        kind = request.headers.get("content-type")
        raise BadConfigurationError("the request", "content-type", kind, "is not JSON", hint=JSON)
    text = bytearray()
    async for chunk in request.stream():
        text += chunk
        if len(text) > LARGEST:
            problem = f"has more than {LARGEST} bytes"
            raise BadConfigurationError("the request", "body", len(text), problem)
    try:
        held = msgspec.json.decode(bytes(text))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadConfigurationError("the request", "body", bytes(text[:80]), str(error)) from error
    if not isinstance(held, dict):
        raise BadConfigurationError("the request", "body", held, "is no JSON object")
    return held


def application(session: Session, comparing: Comparing, door: Door, held: Bundle) -> ASGIApp:
    """Return the whole server as an ASGI application; a comparison ends with it."""

    @contextlib.asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await comparing.close()

    routes = Endpoints(session, comparing, door, held).routes()
    return Guarded(Starlette(routes=routes, lifespan=life), door, held)
