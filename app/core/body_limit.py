"""Bounds request bodies before anything reads them, and before it is known who sends them."""

from contextlib import suppress
from math import inf
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import PaybandError, TooLarge, UnsupportedType
from app.core.problems import ProblemResponse

UNBOUNDED: Final = ("POST", "/v1/imports")
ROWS: Final = frozenset({"/v1/salaries/records", "/v1/demand/records", "/v1/benchmarks"})
"""What is sent here can also be sent in parts, or as a file."""

MEGABYTE: Final = 1_000_000


def too_large_detail(limit: int, *, rows: bool) -> str:
    """What the 413 says. `rows`: on a route that takes rows, which has other ways."""
    hint = (
        "Send files of any length to POST /v1/imports, or send the records in several requests."
        if rows
        else "Nothing that this route takes is that long."
    )
    return f"The body is over {limit / MEGABYTE:g} MB. {hint}"


class _OverLimit(Exception):
    """Raised inside of the application when it asks for more than the limit."""


class BodyLimit:
    """Answers 413 past `limit` bytes, and 415 for a coded (compressed) body.

    Up to `discard` bytes past the limit are read and dropped before the 413: most clients read
    no answer while they still send, and would report a reset connection. A client that waits for
    `100 Continue` is answered at once. Coded bodies are refused because ten megabytes of zeros
    travel as ten kilobytes.
    """

    def __init__(self, app: ASGIApp, limit: int, discard: int) -> None:
        self.app = app
        self.limit = limit
        self.discard = discard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        coding = headers.get("content-encoding", "identity").strip().lower()
        if coding != "identity":
            await _answer(_coded(coding), scope, receive, send)
            return
        bounded = (scope["method"], scope["path"]) != UNBOUNDED
        waiting = headers.get("expect", "").lower() == "100-continue"
        exchange = _Exchange(receive, send, self.limit if bounded else inf, waiting=waiting)
        declared = headers.get("content-length", "0")
        if bounded and declared.isdecimal() and int(declared) > self.limit:
            exchange.over = True
        else:
            with suppress(_OverLimit):
                await self.app(scope, exchange.receive, exchange.send)
        if exchange.over and not exchange.started:
            if not exchange.waiting:
                await exchange.drop(self.discard)
            await _answer(self._too_large(scope["path"]), scope, receive, send)

    def _too_large(self, path: str) -> TooLarge:
        return TooLarge(too_large_detail(self.limit, rows=path in ROWS), limit_bytes=self.limit)


class _Exchange:
    """One request's receive and send, with the bytes counted.

    `waiting`: the client sends nothing before it is told to continue, or has its answer.
    """

    def __init__(self, receive: Receive, send: Send, limit: float, *, waiting: bool) -> None:
        self._receive = receive
        self._send = send
        self._left = limit
        self._complete = False
        self.waiting = waiting
        self.over = False
        self.started = False

    async def receive(self) -> Message:
        if self.over:
            raise _OverLimit
        self.waiting = False
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
            if self._left < 0:
                self.over = True
                raise _OverLimit
        return message

    async def send(self, message: Message) -> None:
        # Whatever the application makes of the interrupted body, the answer is the 413.
        if self.over and not self.started:
            return
        if not self.started and self.waiting:
            # An answer without the body having been asked for: no telling what comes next.
            MutableHeaders(scope=message)["Connection"] = "close"
        self.started = True
        await self._send(message)

    async def drop(self, discard: int) -> None:
        """Read and forget the rest of the body, to `discard` bytes past the limit."""
        while self._left + discard > 0 and not self._complete:
            message = await self._receive()
            if message["type"] != "http.request":
                return
            self._left -= len(message.get("body", b""))
            self._complete = not message.get("more_body", False)


def _coded(coding: str) -> UnsupportedType:
    return UnsupportedType(
        f"Content-Encoding {coding[:40]!r} is not read; send the body as it is. Parquet files are "
        "compressed inside.",
        code="unsupported_coding",
        headers={"Accept-Encoding": "identity"},
    )


async def _answer(error: PaybandError, scope: Scope, receive: Receive, send: Send) -> None:
    response = ProblemResponse(scope, error)
    MutableHeaders(raw=response.raw_headers)["Connection"] = "close"
    await response(scope, receive, send)
