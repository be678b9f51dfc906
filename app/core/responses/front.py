"""The layer before everything else: a kept answer, or nothing.

Some microseconds of Python decide what it is worth: no function per request is made here, nothing
is awaited before the answer is known, and what is counted is counted in plain integers.
"""

import re
import secrets
from time import time
from typing import Final, Protocol

import structlog
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from app.core.responses.answering import Responses
from app.core.responses.conditions import is_any, names_tag
from app.core.responses.entry import HeaderList, Variant
from app.core.responses.sending import send_answer
from app.core.responses.store import Slot, is_repeated

SANE_ID: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}")
"""What a caller may name a request, as in `app.core.middleware`."""
METHODS: Final = frozenset(("GET", "HEAD"))
UNUSUAL: Final = frozenset((b"content-length", b"transfer-encoding"))
"""A GET with a body is for the usual way to judge."""
NO_BODY: Final[Message] = {"type": "http.response.body", "body": b""}
DECIDING: Final = (
    b"accept",
    b"accept-encoding",
    b"if-none-match",
    b"authorization",
    b"x-api-key",
    b"x-request-id",
)


class Reader(Protocol):
    """Whoever asks: what limits and the log need to know."""

    @property
    def id(self) -> str:
        """The id of a key, or `anonymous`."""


class Doorkeeper(Protocol):
    """Who may read statistics, as far as that is known without waiting."""

    def find_reader(self, authorization: bytes | None, api_key: bytes | None) -> Reader | None:
        """The caller; None where the usual way must decide."""


class Limiter(Protocol):
    """How often somebody may ask: `app.access.limits.Limiter`."""

    limit: int

    def take(self, who: str) -> bool:
        """Count one request; False where it is one too many."""

    def headers(self, who: str) -> HeaderList:
        """What to say about a limit."""


class Front:
    """Answers from what is kept. Whatever is unusual goes the usual way."""

    def __init__(
        self, responses: Responses, door: Doorkeeper, limiter: Limiter, log_every: int
    ) -> None:
        """One of `log_every` answers is logged; 0: none."""
        self._responses = responses
        self._known = responses.known
        self._spelled = responses.store.spelled
        self._touch = responses.store.slots.move_to_end
        self._counts = responses.counts
        self._find_reader = door.find_reader
        self._limiter = limiter
        self._log_every = self._until_log = log_every
        self._log = structlog.get_logger("access")
        self._prefix = secrets.token_hex(8).encode()
        self._served = 0

    def find_safely(self, scope: Scope) -> tuple[Message, Message] | None:
        """As `find`: a failure of this layer is counted, and no reason not to answer."""
        try:
            return self.find(scope)
        except Exception:  # noqa: BLE001 - whatever it is: the router can still answer
            self._counts.failed += 1
            self._log.exception("the kept answers failed")
            return None

    def find(self, scope: Scope) -> tuple[Message, Message] | None:
        """The two messages of a kept answer, None where the request goes the usual way."""
        if scope["type"] != "http" or scope["method"] not in METHODS:
            return None
        sent = scope["headers"]
        headers = dict(sent)
        accept, coding = headers.get(b"accept"), headers.get(b"accept-encoding")
        spelled = self._spelled.get((scope["path"], scope["query_string"], accept, coding))
        if spelled is None or (len(headers) != len(sent) and is_repeated(sent, DECIDING)):
            return None
        slot, place = spelled
        variant = slot.entry.variants[place]
        if variant is None or not self._holds(slot) or not UNUSUAL.isdisjoint(headers):
            return None
        return self._admitted(scope, headers, slot, variant)

    def _admitted(
        self, scope: Scope, headers: dict[bytes, bytes], slot: Slot, variant: Variant
    ) -> tuple[Message, Message] | None:
        """The messages, where the caller is known, may read, and asks within the limit."""
        reader = self._find_reader(headers.get(b"authorization"), headers.get(b"x-api-key"))
        if reader is None:
            return None
        tags = headers.get(b"if-none-match")
        unchanged = tags is not None and (tags == variant.etag or _names(tags, variant.etag))
        limit = self._limiter.limit
        who = reader.id if reader.id != "anonymous" else _address(scope)
        # 304 costs nothing, and is given to who has nothing left as well.
        if not unchanged and not self._limiter.take(who):
            return None
        self._touch(slot.key)
        if unchanged:
            self._counts.not_modified += 1
            status, ready, body = 304, variant.unchanged_hit, NO_BODY
        else:
            self._counts.hit += 1
            body = NO_BODY if scope["method"] == "HEAD" else variant.message
            status, ready = 200, variant.hit
        request_id = self._request_id(headers.get(b"x-request-id"))
        self._until_log -= 1
        if self._until_log == 0:
            self._write(slot.route, status, reader.id, request_id)
        own = [*ready, (b"x-request-id", request_id)]
        if limit:
            own += self._limiter.headers(who)
        return {"type": "http.response.start", "status": status, "headers": own}, body

    def _holds(self, slot: Slot) -> bool:
        """Whether an answer is that of today, and of the newest data."""
        known, entry = self._known, slot.entry
        return (
            slot.begins <= time() < slot.ends
            and known.is_current()
            and (entry.generation == known.generation or self._responses.holds(entry))
        )

    def _request_id(self, given: bytes | None) -> bytes:
        self._served = served = self._served + 1
        if given is not None and SANE_ID.fullmatch(given):
            return given
        return b"%b%08x" % (self._prefix, served)

    def _write(self, route: str, status: int, caller: str, request_id: bytes) -> None:
        """One line for `log_every` answers, with what this one was."""
        self._until_log = self._log_every
        self._log.info(
            "kept answers",
            answers=self._log_every,
            route=route,
            status=status,
            caller=caller,
            request_id=request_id.decode(),
        )


class Application(FastAPI):
    """FastAPI behind the front, which `front` holds from the start of the lifespan on."""

    front: Front | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or run the lifespan."""
        if self.front is not None and (found := self.front.find_safely(scope)) is not None:
            await send_answer(send, *found)
            return
        scope["payband.send"] = send  # the server's own, for who has to drop a connection
        await super().__call__(scope, receive, send)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _names(tags: bytes, etag: bytes) -> bool:
    return is_any(tags) or names_tag(tags, etag)
