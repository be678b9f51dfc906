"""Loading and removing the demo data."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text

from app.core.database import Database
from app.core.versions import read_version
from app.demo import load_demo, load_demo_apart, remove_demo
from app.settings import Settings

_COUNTS = text(
    "SELECT (SELECT count(*) FROM salary_records), (SELECT count(*) FROM salary_identities),"
    " (SELECT count(*) FROM demand_records), (SELECT count(*) FROM demand_identities)"
)
_NEWEST_RATE = text("SELECT max(observed_on) FROM exchange_rates")


async def counts(database: Database) -> tuple[int, ...]:
    async with database.read() as session:
        return tuple((await session.execute(_COUNTS)).one())


@pytest.fixture
async def today(database: Database) -> date:
    """Some weeks after the newest rate, as on the day of a fresh installation."""
    async with database.read() as session:
        newest: date | None = await session.scalar(_NEWEST_RATE)
    assert newest is not None
    return newest + timedelta(days=20)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less of it, where the amount does not matter."""
    monkeypatch.setattr("app.demo.salaries.SALARIES", 500)
    monkeypatch.setattr("app.demo.openings.MONTHS", 2)


async def test_it_is_loaded_once_and_says_what_it_is(
    settings: Settings, database: Database, today: date
) -> None:
    loaded = await load_demo(settings, database, today=today)
    assert loaded > 30_000
    salaries, salary_keys, demand, demand_keys = before = await counts(database)
    assert salaries + demand == loaded
    assert (salaries, demand) == (salary_keys, demand_keys)
    assert await load_demo(settings, database, today=today + timedelta(days=9)) == 0
    assert await counts(database) == before
    async with database.read() as session:
        source = (
            await session.execute(
                text("SELECT name, demo, confidential, licence FROM sources WHERE code = 'demo'")
            )
        ).one()
        odd = await session.scalar(
            text(
                "SELECT count(*) FROM salary_records WHERE rate_pending OR annual_amount IS NULL"
                " OR role_id = 0 OR region_id = 0 OR level_id = 0 OR industry_id = 0"
                " OR employer_key IS NULL"
            )
        )
    assert "synthetic demo data" in source.name
    assert (source.demo, source.confidential, source.licence) == (True, False, "CC0-1.0")
    assert odd == 0


async def test_an_interrupted_load_is_completed(
    settings: Settings, database: Database, today: date, small: None
) -> None:
    loaded = await load_demo(settings, database, today=today)
    complete = await counts(database)
    async with database.write() as session:
        await session.execute(text("DELETE FROM demand_records"))
        await session.execute(text("DELETE FROM demand_identities"))
    again = await load_demo(settings, database, today=today)
    assert 0 < again < loaded
    assert await counts(database) == complete


async def test_removal_takes_it_all_and_advances_the_epoch(
    settings: Settings, database: Database, today: date, small: None
) -> None:
    loaded = await load_demo(settings, database, today=today)
    async with database.read() as session:
        before = await read_version(session)
    assert await remove_demo(database) == loaded
    assert await counts(database) == (0, 0, 0, 0)
    async with database.read() as session:
        after = await read_version(session)
    assert after.epoch > before.epoch
    assert after.roles > before.roles
    assert await remove_demo(database) == 0


async def test_after_a_removal_it_comes_back_only_when_asked_for(
    settings: Settings, database: Database, today: date, small: None
) -> None:
    loaded = await load_demo(settings, database, today=today)
    await remove_demo(database)
    assert await load_demo(settings, database, today=today) == 0
    assert await load_demo(settings, database, today=today, again=True) == loaded


async def test_nothing_to_remove(database: Database) -> None:
    assert await remove_demo(database) == 0


async def test_a_process_of_its_own_loads_the_same(
    settings: Settings, database: Database, database_url: str, today: date
) -> None:
    loaded = await load_demo_apart(settings, database, database_url, today=today)
    salaries, _, demand, _ = await counts(database)
    assert loaded == salaries + demand > 30_000
    assert await load_demo_apart(settings, database, database_url, today=today) == 0
