"""What tests of the database and of HTTP share.

`database_url` (one PostgreSQL for each worker) comes from tests/support/postgres.py. A test that
uses `database` or `client` starts without records, keys and imports; seeded taxonomies, benchmarks
and rates stay from test to test, so a test that changes a seeded row puts it back.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app.core.database import Database
from app.settings import Settings
from tests.support.emptying import Seeded, empty_tables, remember_seeded

pytest_plugins = ["tests.support.postgres"]

HeadersFor = Callable[..., Awaitable[dict[str, str]]]


@pytest.fixture(scope="session")
def seeded(database_url: str) -> Seeded:
    """What the migrations and seeds have put into the database."""
    return asyncio.run(remember_seeded(database_url))


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a small service; override with dataclasses.replace."""
    return Settings(database_url=database_url, data_dir=tmp_path, pool_size=5, heavy_queries=2)


@pytest.fixture
async def emptied(database_url: str, seeded: Seeded) -> None:
    """No records, imports, keys or additions to the taxonomies."""
    await empty_tables(database_url, seeded)


@pytest.fixture
async def database(settings: Settings, database_url: str, emptied: None) -> AsyncIterator[Database]:
    """A pool on the emptied database."""
    database = Database(settings, database_url)
    yield database
    await database.close()


@pytest.fixture
async def application(
    settings: Settings, database_url: str, emptied: None
) -> AsyncIterator[FastAPI]:
    """The application, started."""
    from app.main import create_app

    application = create_app(settings, database_url)
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
async def client(application: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application without a key. What the application raises, tests see."""
    async with connect(application) as client:
        yield client


@pytest.fixture
def headers_for(database: Database) -> HeadersFor:
    """`await headers_for("records:write", ...)`: the headers of a new key with these scopes."""
    from app.access.keys import create_key

    async def make(*scopes: str) -> dict[str, str]:
        async with database.write() as session:
            _, key = await create_key(session, "test", scopes)
        return {"X-API-Key": key}

    return make


@pytest.fixture
async def admin(application: FastAPI, headers_for: HeadersFor) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an admin key."""
    async with connect(application, await headers_for("admin")) as client:
        yield client


def connect(
    application: FastAPI, headers: dict[str, str] | None = None, *, raises: bool = True
) -> httpx.AsyncClient:
    """An HTTP client that calls the application directly.

    `raises`: what the application fails to expect comes out here, instead of its 500.
    """
    transport = httpx.ASGITransport(application, raise_app_exceptions=raises)
    return httpx.AsyncClient(transport=transport, base_url="http://payband.test", headers=headers)
