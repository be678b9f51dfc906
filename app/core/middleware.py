"""Plain ASGI layers around the router, one concern each."""

import asyncio
import re
from time import perf_counter
from typing import Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.routing import RouteTable

# What a caller may name a request: enough for UUIDs and trace ids, nothing that forges log lines.
_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}", re.ASCII)
QUIET: Final = frozenset({"/livez", "/readyz", "/metrics"})


class RequestId:
    """Gives every request an id, the caller's own where it is sane, and every response it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _SANE_ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self.app(scope, receive, send_with_id)


class AccessLog:
    """One line for each request, without its query string: that may hold amounts."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.log = structlog.get_logger("access")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, started = 0, perf_counter()

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_noting)
        except Exception:
            status = status or 500
            raise
        finally:
            self._write(scope, status, perf_counter() - started)

    def _write(self, scope: Scope, status: int, duration_s: float) -> None:
        routes: RouteTable = scope["app"].state.routes
        entry = routes.find(scope)
        route = entry.template if entry is not None else "none"
        scope["app"].state.requests.count(route, status)
        caller = getattr(scope["state"].get("caller"), "id", None)
        write = self.log.debug if route in QUIET else self.log.info
        write(
            "request",
            method=scope["method"][:20],
            route=route,
            status=status,  # 0: the client went before there was an answer
            duration_ms=round(duration_s * 1000, 1),
            caller=caller,
        )


class InFlight:
    """Counts requests, so that shutting down can wait until the last has cleaned up."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def __enter__(self) -> None:
        self._count += 1
        self._idle.clear()

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if self._count == 0:
            self._idle.set()

    async def wait(self, timeout_s: float) -> int:
        """Wait until no request is left, at most `timeout_s`; how many still are."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            pass
        return self._count


class TrackInFlight:
    """Holds `in_flight` for as long as a request runs, its clean-up included."""

    def __init__(self, app: ASGIApp, in_flight: InFlight) -> None:
        self.app = app
        self.in_flight = in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with self.in_flight:
            await self.app(scope, receive, send)


class HeadAsGet:
    """Answers HEAD as GET without the body, which the framework's routes do not do."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        scope["method"] = "GET"

        async def send_without_body(message: Message) -> None:
            # The router has chosen by now; the server must know again that no body follows.
            scope["method"] = "HEAD"
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self.app(scope, receive, send_without_body)
