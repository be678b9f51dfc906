"""Kept answers where something is amiss: unsound cells, a silent database, an unknown state."""

import asyncio
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.core.database import Database
from app.core.errors import Unavailable
from app.core.freshness import Freshness
from app.core.responses import answering
from app.events.broadcast import Listener
from app.events.stream import EventStream
from app.settings import MEGABYTE, Settings
from tests.core.test_responses import PATH, PAY, Readings, ask, state_of
from tests.support.builders import add_records, demand, salary


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, cache_bytes=8 * MEGABYTE)


@pytest.fixture
def freshness(application: FastAPI) -> Freshness:
    found: Freshness = application.state.services.freshness
    return found


async def execute(database: Database, statement: str) -> None:
    async with database.write() as session:
        await session.execute(text(statement))


def leave(freshness: Freshness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is away by every way."""

    async def refuse() -> None:
        raise Unavailable("away", code="database_unavailable")

    monkeypatch.setattr(freshness, "is_current", lambda: False)
    monkeypatch.setattr(freshness, "confirm", refuse)
    monkeypatch.setattr(Freshness, "is_away", True)


async def test_a_tag_is_of_one_soundness_and_answers_are_kept_in_each(
    client: httpx.AsyncClient, database: Database, freshness: Freshness
) -> None:
    """Exact and rounded figures of the same data are two bodies."""
    await add_records(database, salary())
    await execute(database, "UPDATE rollup_state SET places_sound = true")
    tags = []
    for statement in (
        "SELECT 1",
        "UPDATE role_versions SET cells_version = version - 1",
        "UPDATE rollup_state SET places_sound = false",
        "UPDATE role_versions SET cells_version = version",
        "UPDATE rollup_state SET places_sound = true",
    ):
        await execute(database, statement)
        await freshness.confirm()
        tags.append([(await ask(client, path)).headers["etag"] for path in (PAY, "/v1/levels")])
        for path in (PAY, "/v1/levels"):
            assert state_of(await ask(client, path)) == "hit", statement
    assert len({pay for pay, _ in tags}) == 4
    assert tags[0] == tags[-1]
    assert len({levels for _, levels in tags}) == 1


async def test_tags_of_another_database_are_not_of_this_one(
    client: httpx.AsyncClient, freshness: Freshness, application: FastAPI
) -> None:
    tag = (await ask(client)).headers["etag"]
    freshness.origin = "the same versions after a restore"
    application.state.services.responses.store.clear()
    again = await ask(client, if_none_match=tag)
    assert (again.status_code, again.headers["etag"] != tag) == (200, True)


async def test_while_versions_are_not_known_nobody_joins_what_was_begun_before(
    application: FastAPI,
    client: httpx.AsyncClient,
    database: Database,
    freshness: Freshness,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await freshness.confirm()
    gate = asyncio.Event()
    readings = Readings(application.state.services.database, gate)
    monkeypatch.setattr(application.state.services.database, "heavy_read", readings)
    monkeypatch.setattr(freshness, "is_current", lambda: False)
    before = asyncio.create_task(ask(client))
    await readings.begun.wait()
    await add_records(database, demand())
    await asyncio.sleep(answering.JOINED_S)
    after = await ask(client)
    gate.set()
    await before
    assert after.json()["meta"]["records"] == 1


async def test_a_new_question_is_refused_at_once_where_the_database_is_away(
    application: FastAPI,
    client: httpx.AsyncClient,
    freshness: Freshness,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leave(freshness, monkeypatch)
    monkeypatch.setattr(application.state.services.database, "heavy_read", None)
    answer = await ask(client)
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.headers["retry-after"].isdigit()


async def test_who_waits_for_a_database_that_became_silent_is_answered(
    application: FastAPI,
    client: httpx.AsyncClient,
    database: Database,
    freshness: Freshness,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With what is kept, where there is something."""
    monkeypatch.setattr(answering, "WATCH_S", 0.02)
    kept = await ask(client)
    await add_records(database, demand())
    await freshness.confirm()
    readings = Readings(application.state.services.database, asyncio.Event())
    monkeypatch.setattr(application.state.services.database, "heavy_read", readings)
    waiting = asyncio.create_task(ask(client))
    await readings.begun.wait()
    leave(freshness, monkeypatch)
    stale = await waiting
    assert (stale.status_code, stale.content) == (200, kept.content)
    assert state_of(stale).endswith("detail=stale")
    assert (await ask(client, f"{PATH}?level=mid")).status_code == 503


async def test_an_ended_stream_does_not_wait_for_a_client_that_reads_nothing() -> None:
    listener, sending = Listener(), asyncio.Event()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            sending.set()
            await asyncio.Event().wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    class Broadcast:
        def listening(self) -> Any:
            return nullcontext(listener)

        def state(self) -> Any:
            return SimpleNamespace(versions=SimpleNamespace(of=lambda _: "1"))

        def render(self, *_: Any) -> bytes:
            return b"event: version\n\n"

    stream = EventStream(Broadcast(), None, None)  # type: ignore[arg-type]
    answer = asyncio.create_task(stream({"type": "http", "method": "GET"}, receive, send))
    await sending.wait()
    listener.end()
    async with asyncio.timeout(5):
        await answer
