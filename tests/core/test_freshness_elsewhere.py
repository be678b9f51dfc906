"""What a process knows of committed writes while only the connection that listens is away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from time import monotonic

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from structlog.testing import capture_logs

from app.core import freshness as module
from app.core.database import Database
from app.core.errors import Unavailable
from app.core.freshness import Freshness
from app.core.listening import Listener
from app.core.probing import Found, read_through
from app.core.versions import Versions, advance_epoch, advance_roles, read_versions
from app.settings import MEGABYTE, Settings
from tests.support.builders import add_records, demand

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
ONE = 100_005
PATH = "/v1/demand/statistics"


class Clock:
    """Monotonic seconds that can be moved on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return monotonic() + self.ahead


class Elsewhere:
    """The pool's way, counted; it fails while `broken`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.broken = False
        self.asked = 0

    async def __call__(self) -> Found:
        self.asked += 1
        if self.broken:
            raise Unavailable("away", code="database_unavailable")
        return await read_through(self._database)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def elsewhere(database: Database) -> Elsewhere:
    return Elsewhere(database)


@pytest.fixture
async def deaf(clock: Clock, elsewhere: Elsewhere) -> AsyncIterator[Freshness]:
    """Its own connection cannot be opened."""
    freshness = Freshness(NOWHERE, clock, elsewhere)
    freshness.start()
    yield freshness
    await freshness.stop()


async def advance(database: Database) -> None:
    async with database.write() as session:
        await advance_roles(session, [ONE])


async def test_the_versions_are_read_through_the_pool(
    deaf: Freshness, clock: Clock, database: Database
) -> None:
    await deaf.confirm()
    assert deaf.is_current()
    assert not deaf.is_away
    generation = deaf.generation
    await advance(database)
    clock.ahead += 1.1
    assert not deaf.is_current(), "nothing tells of writes"
    await deaf.confirm()
    async with database.read() as session:
        assert deaf.versions == await read_versions(session)
    assert deaf.generation > generation
    assert deaf.resets == 0


async def test_all_who_ask_at_once_share_one_question(
    deaf: Freshness, elsewhere: Elsewhere
) -> None:
    await asyncio.gather(*(deaf.confirm() for _ in range(50)))
    assert elsewhere.asked == 1


async def test_only_what_neither_way_answers_is_away(
    deaf: Freshness, clock: Clock, elsewhere: Elsewhere
) -> None:
    elsewhere.broken = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            await deaf.confirm()
    assert elsewhere.asked == 1, "for a second nobody asks again"
    assert deaf.is_away
    elsewhere.broken = False
    clock.ahead += 1.1
    await deaf.confirm()
    assert not deaf.is_away


async def test_a_restored_database_is_noticed_through_the_pool(
    deaf: Freshness, clock: Clock, database: Database
) -> None:
    await advance(database)
    await deaf.confirm()
    async with database.write() as session:
        await session.execute(text(f"DELETE FROM role_versions WHERE role_id = {ONE}"))
    clock.ahead += 1.1
    await deaf.confirm()
    assert deaf.resets == 1


async def test_both_ways_name_the_same_origin(
    deaf: Freshness, database: Database, database_url: str
) -> None:
    await deaf.confirm()
    listener = await Listener.open(database_url, lambda _: None, lambda: None)
    try:
        assert deaf.origin == listener.origin != ""
    finally:
        await listener.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


async def test_the_log_says_now_and_then_that_nothing_is_heard_and_when_it_is(
    clock: Clock, database_url: str
) -> None:
    with capture_logs() as logs:
        freshness = Freshness(NOWHERE, clock)

        def said(event: str) -> int:
            return sum(line["event"] == event for line in logs)

        freshness.start()
        try:
            await until(lambda: said("not listening") == 1)
            clock.ahead += 61
            await until(lambda: said("not listening") == 2)
            freshness._url = database_url
            await until(lambda: said("listening again") == 1)
        finally:
            await freshness.stop()


class TestService:
    """A service whose own connection for notifications leads nowhere."""

    @pytest.fixture
    def settings(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
        monkeypatch.setattr(module, "POLL_S", 0.05)
        return replace(settings, cache_bytes=8 * MEGABYTE, listen_url=NOWHERE)

    async def test_no_answer_is_older_than_the_pool_says(
        self, client: httpx.AsyncClient, database: Database
    ) -> None:
        assert (await client.get(PATH)).json()["meta"]["records"] == 0
        await asyncio.sleep(0.06)
        assert (await client.get(PATH)).headers["cache-status"] == "payband; hit"
        await add_records(database, demand())
        await asyncio.sleep(0.06)
        answer = await client.get(PATH)
        assert answer.json()["meta"]["records"] == 1
        assert "stale" not in answer.headers["cache-status"].replace("fwd=stale", "")


async def test_what_computed_answers_have_read_is_known(
    application: FastAPI,
    client: httpx.AsyncClient,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Uncommitted versions are nobody's business."""
    services = application.state.services
    await services.freshness.confirm()
    noted: list[Versions] = []
    monkeypatch.setattr(services.catalogue, "note", noted.append)
    assert (await client.get(PATH)).status_code == 200
    async with database.read() as session:
        assert noted == [await read_versions(session)]
    async with database.write() as session:
        await advance_epoch(session)
        await services.catalogue.read(session)
    assert len(noted) == 1
