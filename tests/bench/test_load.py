"""The load generators count what servers answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from sqlalchemy import text

from app.core.database import Database
from app.core.versions import advance_roles, read_versions
from bench import closed_loop, dashboards
from bench.bare_app import Sent, build_app
from bench.closed_loop import Loop, length_of
from bench.dashboards import Polling
from bench.writer import note_commits

BODY = b"x" * 300


@asynccontextmanager
async def _server(said: list[bytes]) -> AsyncIterator[int]:
    """Answers 304 to whoever sends the tag, in two pieces otherwise; notes the request lines."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await _request(reader):
            said.append(request.split(b"\r\n")[0])
            if b'if-none-match: "1"' in request:
                writer.write(b'HTTP/1.1 304 Not Modified\r\netag: "1"\r\n\r\n')
                continue
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 300\r\netag: "1"\r\n\r\nx')
            await writer.drain()
            await asyncio.sleep(0.001)
            writer.write(BODY[1:])
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _request(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


async def test_a_closed_loop_asks_again_and_counts_every_answer() -> None:
    said: list[bytes] = []
    async with _server(said) as port:
        looped = await closed_loop.run(Loop(port, "/a", [("x-api-key", "k")], 2, 0.1, 0.001))
    assert looped.statuses == {"200": len(said)}
    assert len(looped.latencies) == len(said) > 2
    assert looped.per_second > 0
    assert set(said) == {b"GET /a HTTP/1.1"}


async def test_dashboards_ask_each_question_once_a_second_and_send_tags(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dashboards, "GRACE_S", 0.1)
    said: list[bytes] = []
    async with _server(said) as port:
        polled = await dashboards.run(Polling(port, ["/a", "/b", "/c"], [], 4, 2))
    assert polled.statuses == {"200": 12, "304": 12}
    assert polled.unanswered == 0
    assert len(polled.latencies) == len(said) == 24
    assert {line: said.count(line) for line in said} == {
        f"GET /{name} HTTP/1.1".encode(): 8 for name in "abc"
    }
    assert [len(changes) for changes in polled.changes] == [1, 1, 1]


def test_a_head_without_a_length_is_refused() -> None:
    assert length_of(b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n", 40) == 17
    with pytest.raises(ValueError, match="without a length"):
        length_of(b"HTTP/1.1 200 OK\r\n\r\n", 19)


async def test_the_bare_application_sends_what_was_received() -> None:
    headers = [("content-type", "text/csv"), ("date", "today"), ("etag", '"1"')]
    app = build_app(Sent.of(200, headers, BODY))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://bare") as client:
        answer = await client.get("/any")
    assert answer.content == BODY
    assert answer.headers["etag"] == '"1"'
    assert "date" not in answer.headers


async def test_commits_that_advance_versions_are_noted_and_others_not(database: Database) -> None:
    commits = note_commits(database)
    async with database.read() as session:
        await read_versions(session)
    async with database.write() as session:
        await session.execute(text("SELECT 1"))
    assert commits == []
    async with database.write() as session:
        await advance_roles(session, [1, 2])
    assert len(commits) == 1
