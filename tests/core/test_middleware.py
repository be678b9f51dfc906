"""The layers around the router, each alone on a small ASGI application."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.body_limit import BodyLimit
from app.core.middleware import HeadAsGet, InFlight, RequestId, TrackInFlight

LIMIT = 1000
DISCARD = 5000


def caller_of(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://payband.test")


class Reader:
    """An application that reads its whole body; `seen` counts what reached it."""

    def __init__(self) -> None:
        self.seen = 0
        self.called = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.called = True
        async for chunk in Request(scope, receive).stream():
            self.seen += len(chunk)
        await PlainTextResponse(str(self.seen))(scope, receive, send)


class Sender:
    """A request body that arrives in chunks of 100 bytes; `taken` counts what was read of it."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.taken = 0

    async def receive(self) -> Message:
        self.taken += 100
        return {
            "type": "http.request",
            "body": b"x" * 100,
            "more_body": self.taken < self.length,
        }


async def exchange(
    app: ASGIApp, sender: Sender, *headers: tuple[bytes, bytes], path: str = "/v1/salaries/records"
) -> tuple[int, dict[str, str], bytes]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "state": {}}
    await app(scope, sender.receive, send)
    fields = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], fields, b"".join(part.get("body", b"") for part in sent[1:])


@pytest.mark.parametrize("length", [100, LIMIT])
async def test_a_body_within_the_limit_arrives_whole(length: int) -> None:
    reader = Reader()
    status, _, body = await exchange(BodyLimit(reader, LIMIT, DISCARD), Sender(length))
    assert (status, body) == (200, str(length).encode())


async def test_a_declared_body_over_the_limit_never_reaches_the_application() -> None:
    reader, sender = Reader(), Sender(LIMIT + 100)
    status, headers, body = await exchange(
        BodyLimit(reader, LIMIT, DISCARD), sender, (b"content-length", b"1100")
    )
    assert (status, reader.called) == (413, False)
    assert headers["connection"] == "close"
    assert b"POST /v1/imports" in body
    assert sender.taken == LIMIT + 100  # dropped first, so that the client gets to read the answer


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/v1/salaries/records", True),
        ("/v1/demand/records", True),
        ("/v1/benchmarks", True),
        ("/v1/titles", False),
        ("/v1/roles/django-developer", False),
        ("/v1/profiles", False),
    ],
)
async def test_only_where_rows_are_sent_are_files_proposed(path: str, named: bool) -> None:
    limit = BodyLimit(Reader(), LIMIT, DISCARD)
    status, _, body = await exchange(
        limit, Sender(LIMIT + 100), (b"content-length", b"1100"), path=path
    )
    assert status == 413
    assert (b"/v1/imports" in body) == named
    assert b"The body is over 0.001 MB" in body


async def test_a_chunked_body_is_cut_off_and_the_rest_dropped_up_to_a_bound() -> None:
    reader, sender = Reader(), Sender(1_000_000)
    status, _, _ = await exchange(BodyLimit(reader, LIMIT, DISCARD), sender)
    assert status == 413
    assert reader.seen <= LIMIT
    assert sender.taken == LIMIT + DISCARD


async def test_a_client_that_waits_to_be_told_to_continue_is_answered_at_once() -> None:
    sender = Sender(LIMIT + 100)
    status, _, _ = await exchange(
        BodyLimit(Reader(), LIMIT, DISCARD),
        sender,
        (b"content-length", b"1100"),
        (b"expect", b"100-continue"),
    )
    assert (status, sender.taken) == (413, 0)


async def test_an_answer_to_a_client_that_still_waits_closes_the_connection() -> None:
    sender = Sender(100)
    _, headers, _ = await exchange(
        BodyLimit(PlainTextResponse("no", 401), LIMIT, DISCARD),
        sender,
        (b"expect", b"100-continue"),
        path="/v1/imports",
    )
    assert (headers["connection"], sender.taken) == ("close", 0)


async def test_an_application_that_swallows_the_interruption_does_not_get_its_answer_through() -> (
    None
):
    async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await Reader()(scope, receive, send)
        except Exception:  # noqa: BLE001 - what a careless framework does
            await PlainTextResponse("bad", 400)(scope, receive, send)

    status, _, _ = await exchange(BodyLimit(stubborn, LIMIT, DISCARD), Sender(2000))
    assert status == 413


async def test_imports_have_no_limit() -> None:
    status, _, body = await exchange(
        BodyLimit(Reader(), LIMIT, DISCARD), Sender(50_000), path="/v1/imports"
    )
    assert (status, body) == (200, b"50000")


async def test_a_compressed_body_is_refused_on_every_route() -> None:
    for path in ("/v1/imports", "/v1/demand/records"):
        sender = Sender(100)
        status, headers, _ = await exchange(
            BodyLimit(Reader(), LIMIT, DISCARD), sender, (b"content-encoding", b"gzip"), path=path
        )
        assert (status, headers["accept-encoding"]) == (415, "identity")


@pytest.mark.parametrize("given", ["a-1", "0b54e1f0-c1d9-4f0f-8e5d-3a1c7e1f2a3b"])
async def test_a_sane_request_id_is_kept(given: str) -> None:
    app = RequestId(PlainTextResponse("x"))
    answer = await caller_of(app).get("/", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == given
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, '{"a":1}', "\u00e9"])
async def test_another_request_id_is_replaced(given: str) -> None:
    app = RequestId(PlainTextResponse("x"))
    headers = {"X-Request-ID": given.encode("latin-1")}
    made = (await caller_of(app).get("/", headers=headers)).headers["x-request-id"]  # type: ignore[arg-type]
    assert made != given
    assert len(made) == 32


async def test_log_lines_of_a_request_carry_its_id() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(structlog.contextvars.get_contextvars()["request_id"])
        await PlainTextResponse("x")(scope, receive, send)

    await caller_of(RequestId(app)).get("/", headers={"X-Request-ID": "mine"})
    assert seen == ["mine"]
    assert "request_id" not in structlog.contextvars.get_contextvars()


async def test_head_is_answered_as_get_without_the_body() -> None:
    methods: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        methods.append(scope["method"])
        await PlainTextResponse("hello")(scope, receive, send)

    answer = await caller_of(HeadAsGet(app)).head("/")
    assert (methods, answer.content, answer.headers["content-length"]) == (["GET"], b"", "5")


async def test_shutting_down_waits_for_a_stream_to_end_and_not_for_ever() -> None:
    in_flight, release = InFlight(), asyncio.Event()

    async def lines() -> AsyncIterator[bytes]:
        yield b"first"
        await release.wait()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(lines())(scope, receive, send)

    request = asyncio.create_task(caller_of(TrackInFlight(app, in_flight)).get("/"))
    await asyncio.sleep(0.01)
    assert await in_flight.wait(0.01) == 1
    release.set()
    assert await in_flight.wait(1) == 0
    await request


async def test_a_request_that_fails_is_no_longer_counted() -> None:
    in_flight = InFlight()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await caller_of(TrackInFlight(app, in_flight)).get("/")
    assert await in_flight.wait(0.01) == 0
