"""Connections of the pool: dead ones are replaced before they are used, without asking each."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection

from app.core import database as module
from app.core.database import Database, fetch
from app.core.errors import Unavailable
from app.settings import Settings


async def backend(database: Database) -> int:
    """The server's process behind the connection that a reading gets."""
    async with database.read() as session:
        return int(await session.scalar(text("SELECT pg_backend_pid()")) or 0)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """One entry for each time that a connection was asked whether it is alive: it never is."""
    times: list[bool] = []

    def ping(_: object) -> None:
        times.append(True)
        raise asyncpg.InterfaceError("connection lost")

    monkeypatch.setattr(AsyncAdapt_asyncpg_connection, "ping", ping)
    return times


async def test_a_connection_that_the_server_closed_is_replaced(
    database: Database, settings: Settings, database_url: str, asked: list[bool]
) -> None:
    closed = asyncio.Event()
    first = await backend(database)
    async with database.read() as session:
        assert await session.scalar(text("SELECT pg_backend_pid()")) == first
        driver = (await (await session.connection()).get_raw_connection()).driver_connection
        assert driver is not None
        driver.add_termination_listener(lambda _: closed.set())
    other = Database(settings, database_url)
    async with other.read() as session:
        await session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": first})
    await other.close()
    async with asyncio.timeout(10):
        await closed.wait()
    assert await backend(database) != first
    assert not asked


async def test_a_connection_in_use_is_not_asked(database: Database, asked: list[bool]) -> None:
    assert len({await backend(database) for _ in range(3)}) == 1
    assert not asked


async def test_a_connection_that_rested_is_asked_and_replaced(
    database: Database, asked: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await backend(database)
    monkeypatch.setattr(module, "RESTED_S", 0.0)
    second = await backend(database)
    assert second != first
    assert len(asked) == 1


async def test_a_connection_that_rested_and_lives_is_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await backend(database)
    monkeypatch.setattr(module, "RESTED_S", 0.0)
    assert await backend(database) == first


async def test_fetching_is_in_the_transaction_of_the_session(database: Database) -> None:
    now = "SELECT now() AS at, pg_backend_pid() AS pid, txid_current_if_assigned() AS writes"
    async with database.read() as session:
        rows = [await fetch(session, now) for _ in range(2)]
        by_name = (await session.execute(text(now))).mappings().one()
        isolation = await fetch(session, "SHOW transaction_isolation")
        assert (isolation[0][0], rows[0], rows[1]) == ("repeatable read", rows[1], rows[0])
        assert dict(rows[0][0]) == dict(by_name)
        await session.rollback()
        later = await fetch(session, now)
        assert later[0]["at"] > rows[0][0]["at"]


async def test_a_fetched_statement_that_takes_too_long_is_told_as_others_are(
    database: Database,
) -> None:
    async def wait() -> None:
        async with database.read() as session:
            await session.execute(text("SET LOCAL statement_timeout = 20"))
            await fetch(session, "SELECT pg_sleep(10)")

    with pytest.raises(Unavailable) as error:
        await wait()
    assert error.value.problem_code == "query_timeout"
    await backend(database)


async def test_a_connection_that_dies_while_fetching_is_unavailable(database: Database) -> None:
    first = await backend(database)
    with pytest.raises(Unavailable):
        async with database.read() as session:
            await fetch(session, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert await backend(database) != first
