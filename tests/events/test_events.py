"""GET /v1/events: who is told what, how often, and what a listener costs."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from app.core.database import Database
from app.core.versions import advance_epoch, advance_roles
from app.events import broadcast, stream
from app.settings import Settings
from tests.conftest import HeadersFor, connect
from tests.support.streams import streaming

DJANGO, GO = "django-developer", "go-developer"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, max_listeners=20)


@pytest.fixture(autouse=True)
async def listening(application: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database was heard of; streams last, and broadcasts follow without a pause."""
    monkeypatch.setattr(stream, "LONGEST_S", 3600.0)
    monkeypatch.setattr(broadcast, "PACE_S", 0.0)
    await application.state.services.freshness.confirm()


@pytest.fixture
def ids(application: FastAPI) -> Callable[[str], int]:
    catalogue = application.state.services.catalogue._current
    return lambda code: int(catalogue.roles.get(code).id)


async def advance(database: Database, *roles: int) -> None:
    async with database.write() as session:
        await advance_roles(session, roles)


async def test_the_current_version_comes_at_once_and_every_change_after_it(
    application: FastAPI, client: httpx.AsyncClient, database: Database, ids: Callable[[str], int]
) -> None:
    async with streaming(application) as events:
        assert events.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert events.headers["cache-control"] == "no-store"
        first = await events.next()
        version = (await client.get("/v1/status")).json()["data_version"]
        assert (first["event"], first["id"], first["retry"]) == ("version", version, "3000")
        assert first["data"]["data_version"] == version
        assert first["data"]["roles"] is None
        await advance(database, ids(DJANGO), ids(GO))
        second = await events.next()
        assert second["data"]["roles"] == [DJANGO, GO]
        assert second["id"] == (await client.get("/v1/status")).json()["data_version"]
        assert set(second) == {"event", "id", "data"}
        assert set(second["data"]) == {"data_version", "epoch", "roles"}


async def test_what_touches_everything_names_no_roles(
    application: FastAPI, database: Database
) -> None:
    async with streaming(application) as events:
        epoch = (await events.next())["data"]["epoch"]
        async with database.write() as session:
            await advance_epoch(session)
        told = (await events.next())["data"]
        assert (told["epoch"], told["roles"]) == (epoch + 1, None)


async def test_so_many_roles_at_once_are_not_named(
    application: FastAPI, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast, "MOST_ROLES", 2)
    async with streaming(application) as events:
        await events.next()
        await advance(database, 1, 2)
        assert len((await events.next())["data"]["roles"]) == 2
        await advance(database, 1, 2, 3)
        assert (await events.next())["data"]["roles"] is None


async def test_a_filter_lets_through_its_roles_and_what_touches_everything(
    application: FastAPI, client: httpx.AsyncClient, database: Database, ids: Callable[[str], int]
) -> None:
    async with streaming(application, query=f"role={DJANGO}") as events:
        first = await events.next()
        await advance(database, ids(GO))
        await advance(database, ids(DJANGO))
        second = await events.next()
        assert second["data"]["roles"] == [DJANGO]
        assert int(second["id"].split("-")[2]) == int(first["id"].split("-")[2]) + 1
        answer = await client.get("/v1/salaries/statistics", params={"role": DJANGO})
        assert answer.json()["meta"]["data_version"] == second["id"]
        async with database.write() as session:
            await advance_epoch(session)
        assert (await events.next())["data"]["roles"] is None


async def test_a_listener_that_comes_back_is_not_told_what_it_has_seen(
    application: FastAPI, database: Database, ids: Callable[[str], int]
) -> None:
    async with streaming(application) as events:
        seen = (await events.next())["id"]
    async with streaming(application, headers={"Last-Event-ID": seen}) as events:
        assert (await events.next_part()).startswith(":")
        await advance(database, ids(GO))
        missed = (await events.next())["id"]
    async with streaming(application, headers={"Last-Event-ID": seen}) as events:
        assert (await events.next())["id"] == missed


async def test_silence_is_broken_now_and_then(
    application: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    async with streaming(application) as events:
        await events.next()
        assert (await events.next_part()).startswith(":")
        assert (await events.next_part()).startswith(":")


async def test_a_slow_reader_gets_the_newest_state_and_nothing_is_queued(
    application: FastAPI, database: Database, ids: Callable[[str], int]
) -> None:
    async with streaming(application) as slow, streaming(application) as quick:
        start = (await slow.next())["id"]
        await quick.next()
        slow.hold()
        for _ in range(20):
            await advance(database, ids(GO))
            newest = await quick.next()
        slow.go_on()
        # The one that was on its way when it stopped reading, and the newest.
        told = [await slow.next(), await slow.next()]
        assert start not in {event["id"] for event in told}
        assert told[-1]["id"] == newest["id"]
        assert len(slow.parts) == 3


async def test_listeners_hold_no_connection_of_the_pool(application: FastAPI) -> None:
    pool = application.state.services.database.engine.pool
    async with (
        streaming(application) as one,
        streaming(application, query=f"role={DJANGO}") as other,
    ):
        await one.next()
        await other.next()
        assert pool.checkedout() == 0


async def test_listeners_past_the_limit_are_told_to_come_later(application: FastAPI) -> None:
    broadcast = application.state.broadcast
    broadcast._limit = 1
    async with streaming(application) as events:
        await events.next()
        async with connect(application) as client:
            refused = await client.get("/v1/events")
        assert (refused.status_code, refused.json()["code"]) == (503, "too_many_listeners")
        assert refused.headers["retry-after"] == "10"
    async with streaming(application) as events:
        await events.next()
    assert len(broadcast) == 0


async def test_a_listener_that_leaves_is_forgotten(application: FastAPI) -> None:
    async with streaming(application) as events:
        await events.next()
        assert len(application.state.broadcast) == 1
    assert len(application.state.broadcast) == 0


async def test_streams_end_when_the_process_is_told_to(application: FastAPI) -> None:
    async with streaming(application) as events:
        await events.next()
        application.state.readiness.set_draining()
        await events.until_complete()
        async with connect(application) as client:
            refused = await client.get("/v1/events")
        assert (refused.status_code, refused.json()["code"]) == (503, "draining")


async def test_streams_end_after_a_while_so_that_keys_are_checked_again(
    application: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LONGEST_S", 0.0)
    async with streaming(application) as events:
        await events.next()
        await events.until_complete()


async def test_before_the_database_was_ever_reached_there_is_nothing_to_tell(
    application: FastAPI,
) -> None:
    freshness = application.state.services.freshness
    await freshness.stop()
    freshness.versions = None
    async with connect(application) as client:
        refused = await client.get("/v1/events")
    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    assert "retry-after" in refused.headers


async def test_head_ends_at_once(client: httpx.AsyncClient) -> None:
    answer = await client.head("/v1/events")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("role=djnago-developer", "unknown_role"),
        ("role=", "empty_value"),
        ("rol=x", "unknown_parameter"),
    ],
)
async def test_a_filter_that_cannot_be_meant_is_refused(
    client: httpx.AsyncClient, query: str, code: str
) -> None:
    refused = await client.get(f"/v1/events?{query}")
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    if code == "unknown_role":
        assert refused.json()["nearest"][0] == DJANGO


async def test_confidential_writes_are_no_event(
    application: FastAPI, admin: httpx.AsyncClient
) -> None:
    source = {"code": "payroll", "name": "Payroll", "kind": "reported", "confidential": True}
    assert (await admin.post("/v1/sources", json=source)).status_code == 201
    public = {**source, "code": "open-survey", "confidential": False}
    assert (await admin.post("/v1/sources", json=public)).status_code == 201
    row = {"role": DJANGO, "region": "US", "amount": 100_000, "currency": "USD"}
    row |= {"observed_on": "2026-03-02"}
    # The first public record ends the demo, which touches everything.
    await store(admin, "open-survey", row)
    for _ in range(2):  # the first may share a question that was under way before
        await application.state.services.freshness.confirm()
    async with streaming(application) as events:
        before = (await events.next())["id"]
        await store(admin, "payroll", row)
        await store(admin, "open-survey", row)
        told = await events.next()
        assert told["data"]["roles"] == [DJANGO]
        # One role advanced once: by the public record.
        assert int(told["id"].split("-")[2]) == int(before.split("-")[2]) + 1
        assert len(events.parts) == 2


async def store(admin: httpx.AsyncClient, source: str, row: dict[str, object]) -> None:
    answer = await admin.post("/v1/salaries/records", json={**row, "source": source})
    assert answer.json()["inserted"] == 1, answer.text


async def test_a_write_that_touches_everything_is_one_event(
    application: FastAPI, database: Database, ids: Callable[[str], int]
) -> None:
    """It tells its roles before it tells that."""
    async with streaming(application) as events:
        before = (await events.next())["data"]["epoch"]
        async with database.write() as session:
            await advance_roles(session, [ids(GO)])
            await advance_epoch(session)
        told = (await events.next())["data"]
        assert (told["epoch"], told["roles"]) == (before + 1, None)


async def test_a_key_without_the_scope_is_refused(
    settings: Settings, database_url: str, headers_for: HeadersFor
) -> None:
    from app.main import create_app

    closed = create_app(replace(settings, open_statistics=False), database_url)
    async with closed.router.lifespan_context(closed):
        async with connect(closed, await headers_for("records:write")) as client:
            assert (await client.get("/v1/events")).status_code == 403
        async with connect(closed) as client:
            assert (await client.get("/v1/events")).status_code == 401
        async with streaming(closed, headers=await headers_for("stats:read")) as events:
            await events.next()


async def test_many_listeners_are_all_told(
    application: FastAPI, database: Database, ids: Callable[[str], int]
) -> None:
    application.state.broadcast._limit = 300
    async with asyncio.TaskGroup() as group:
        ready = asyncio.Barrier(201)

        async def listen(query: str) -> None:
            async with streaming(application, query=query) as events:
                await events.next()
                await ready.wait()
                assert (await events.next())["data"]["roles"] == [GO]

        for number in range(200):
            group.create_task(listen(f"role={GO}" if number % 2 else ""))
        await ready.wait()
        await advance(database, ids(GO))
