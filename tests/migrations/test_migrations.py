"""Migrations: one head, no drift, up, down and up again on data, and two at once."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.database import Database
from app.core.errors import StaleSchema, WrongSetting
from app.core.migrations import check_schema, current_revision, head_revision, run_alembic, upgrade
from app.settings import Settings
from app.setup import prepare


async def revision_of(url: str) -> str | None:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return await current_revision(connection)
    finally:
        await engine.dispose()


async def test_models_and_migrations_agree(database_url: str) -> None:
    await run_alembic(database_url, lambda command, config: command.check(config))


async def test_up_down_and_up_again_on_data(empty_database_url: str) -> None:
    settings = Settings(database_url=empty_database_url)
    await prepare(settings, empty_database_url, demo=False)
    await run_alembic(empty_database_url, lambda command, config: command.downgrade(config, "base"))
    assert await revision_of(empty_database_url) is None
    again = await prepare(settings, empty_database_url, demo=False)
    assert again.revision == head_revision()


async def test_two_that_run_at_once_both_succeed(empty_database_url: str) -> None:
    settings = Settings(database_url=empty_database_url)
    both = await asyncio.gather(
        *(prepare(settings, empty_database_url, demo=False) for _ in range(2))
    )
    assert {prepared.revision for prepared in both} == {head_revision()}


async def test_a_database_that_was_never_migrated_is_refused(empty_database_url: str) -> None:
    database = Database(Settings(), empty_database_url)
    try:
        async with database.read() as session:
            with pytest.raises(StaleSchema, match="payband migrate"):
                await check_schema(session)
    finally:
        await database.close()


async def test_a_newer_schema_than_the_build_is_refused(empty_database_url: str) -> None:
    await upgrade(empty_database_url)
    engine = create_async_engine(empty_database_url)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await engine.dispose()
    database = Database(Settings(), empty_database_url)
    try:
        async with database.read() as session:
            with pytest.raises(StaleSchema, match="9999"):
                await check_schema(session)
    finally:
        await database.close()


async def test_another_base_currency_is_refused(empty_database_url: str) -> None:
    settings = Settings(database_url=empty_database_url)
    await prepare(settings, empty_database_url, demo=False)
    with pytest.raises(WrongSetting, match="USD"):
        await prepare(replace(settings, base_currency="EUR"), empty_database_url, demo=False)
