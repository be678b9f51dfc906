"""How often one caller may ask: counted for each key or address, refused only where a limit is set.

A window of a minute, the same for all callers of one process, in plain numbers: a look costs a
fraction of a microsecond. Who is not counted because too many are is let through.
"""

from collections.abc import Callable, Mapping
from math import ceil, inf
from time import monotonic
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.caller import ANONYMOUS, Caller
from app.core.errors import RateLimited

WINDOW_S: Final = 60.0
MOST_CALLERS: Final = 65_536
"""Callers that are counted in one window: a bound on memory, about 8 MB."""
NAME: Final = "minute"

RawHeaders = list[tuple[bytes, bytes]]


class Limiter:
    """The requests of each caller in the current minute of one process.

    `limit` 0 counts and refuses nobody. `busiest` is the most that one caller asked in the minute
    before, `callers` how many there were; `refused` and `uncounted` are since the start.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = monotonic) -> None:
        self.limit = limit
        self._most: float = limit or inf
        self._clock = clock
        self._counts: dict[str, int] = {}
        self._ends = clock() + WINDOW_S
        self._policy = f'"{NAME}";q={limit};w={WINDOW_S:.0f}'.encode()
        self.refused = 0
        self.uncounted = 0
        self.busiest = 0
        self.callers = 0

    def take(self, who: str) -> bool:
        """Count one request; False, and not counted, where it is one too many."""
        if self._clock() >= self._ends:
            self._begin()
        counts = self._counts
        used = counts.get(who, 0) + 1
        if used > self._most:
            return False
        if used == 1 and len(counts) >= MOST_CALLERS:
            self.uncounted += 1
        else:
            counts[who] = used
        return True

    def check(self, who: str) -> None:
        """Count one request. Raises RateLimited (429) where it is one too many."""
        if self.take(who):
            return
        self.refused += 1
        raise RateLimited(
            f"More than {self.limit} requests in a minute. Wait; and ask with If-None-Match from "
            "the beginning: an answer that did not change costs nothing.",
            retry_after_s=self._left_s(),
        )

    def give_back(self, who: str) -> None:
        """The request was answered with 304: it costs nothing."""
        used = self._counts.get(who, 0)
        if used:
            self._counts[who] = used - 1

    def headers(self, who: str) -> RawHeaders:
        """`RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10)."""
        if not self.limit:
            return []
        if self._clock() >= self._ends:
            self._begin()
        left = self.limit - self._counts.get(who, 0)
        now = f'"{NAME}";r={left};t={self._left_s()}'.encode()
        return [(b"ratelimit-policy", self._policy), (b"ratelimit", now)]

    def _left_s(self) -> int:
        return max(1, ceil(self._ends - self._clock()))

    def _begin(self) -> None:
        """Begin a window; after a pause the one before was empty."""
        now = self._clock()
        counts, self._counts = self._counts, {}
        if now >= self._ends + WINDOW_S:
            counts = {}
        self.busiest, self.callers = max(counts.values(), default=0), len(counts)
        self._ends = now + WINDOW_S


class RateLimitHeaders:
    """Says on every answer that was counted what is left. Only where a limit is set."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            who = scope["state"].get("limited")
            if message["type"] == "http.response.start" and who is not None:
                limiter: Limiter = scope["app"].state.limiter
                if message["status"] == 304:
                    limiter.give_back(who)
                message = {**message, "headers": [*message["headers"], *limiter.headers(who)]}
            await send(message)

        await self.app(scope, receive, send_with_headers)


def identify_for_limits(caller: Caller, scope: Mapping[str, Any]) -> str:
    """A key's id, or the address of who has none. Headers of proxies are not believed."""
    return address_of(scope) if caller.id == ANONYMOUS.id else caller.id


def address_of(scope: Mapping[str, Any]) -> str:
    """The client's address as the server sees it; empty where there is none (a Unix socket)."""
    client = scope.get("client")
    return str(client[0]) if client else ""
