"""What tests of the database and of HTTP share.

`database_url` (one PostgreSQL for each worker) comes from tests/support/postgres.py. A test that
uses `database` or `client` starts without records, keys and imports; seeded taxonomies, benchmarks
and rates stay from test to test, so a test that changes a seeded row puts it back.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app.core.database import Database
from app.core.freshness import Freshness
from app.events import stream
from app.health.readiness import Readiness
from app.health.status import StatusCache
from app.main import create_app
from app.settings import Settings
from tests.support.emptying import Seeded, empty_tables, remember_seeded

pytest_plugins = ["tests.support.postgres"]

# The heap of a test run is large and lasting: looking through it for garbage at the usual pace
# takes up to half of the time of an application's start.
gc.set_threshold(50_000, 20, 100)

HeadersFor = Callable[..., Awaitable[dict[str, str]]]


@pytest.fixture(scope="session")
def seeded(database_url: str) -> Seeded:
    """What the migrations and seeds have put into the database."""
    return asyncio.run(remember_seeded(database_url))


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a small service; override with dataclasses.replace.

    It keeps no answers: a test that writes and asks at once would race with the notification.
    """
    return Settings(
        database_url=database_url, data_dir=tmp_path, pool_size=5, heavy_queries=2, cache_bytes=0
    )


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


@pytest.fixture(scope="session")
def built() -> dict[Settings, FastAPI]:
    """The applications of this run by their settings; building one takes longer than most tests."""
    return {}


@pytest.fixture
def listening() -> bool:
    """Whether the application hears of writes: a connection more for each test, which only those
    need that are about kept answers and events. Folders of such tests override it."""
    return False


@pytest.fixture
async def application(
    settings: Settings,
    database_url: str,
    emptied: None,
    seeded: Seeded,
    built: dict[Settings, FastAPI],
    listening: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[FastAPI]:
    """The application, started: with its routes from an earlier test, and its state new.

    It knows the seeded catalogue as if it had answered before. Its streams end after the first
    event: a client that reads whole answers would wait for ever.
    """
    if not listening:
        monkeypatch.setattr(Freshness, "start", lambda self: None)
    monkeypatch.setattr(stream, "LONGEST_S", 0.0)
    key = replace(settings, data_dir=Path())
    application = built.pop(key, None) or create_app(settings, database_url)
    routes = len(application.router.routes)
    _renew(application, settings)
    async with application.router.lifespan_context(application):
        application.state.services.catalogue._current = seeded.catalogue
        yield application
    if len(application.router.routes) == routes:
        built[key] = application


def _renew(application: FastAPI, settings: Settings) -> None:
    """Give it what `create_app` makes for every application, apart from routes and middleware."""
    application.state.settings = settings
    application.state.readiness = Readiness()
    application.state.status = StatusCache()
    application.state.in_flight._idle = asyncio.Event()  # an event belongs to one loop
    application.state.in_flight._idle.set()


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
