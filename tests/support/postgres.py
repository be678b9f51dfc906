"""A migrated database for every test process, on one server that they share.

The server is private (app.core.embedded) unless PAYBAND_TEST_DATABASE_URL names one whose user may
create databases. The first process that needs a database migrates a template; every process works
on its own copy. All of it goes at the end.
"""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
import pytest
from sqlalchemy import URL, make_url

from app.core.private_server.locks import exclusive

SERVER: Final = "PAYBAND_TEST_DATABASE_URL"
# Set by the first process and inherited by those of xdist; PAYBAND_TEST_* are no settings.
FOLDER: Final = "PAYBAND_TEST_FOLDER"
RUN: Final = "PAYBAND_TEST_RUN"

# A test database has nothing to lose in a power cut.
UNSAFE: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def pytest_configure(config: pytest.Config) -> None:
    """Choose the folder and the names that all processes of this run share."""
    if not hasattr(config, "workerinput"):
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="payband-tests-")
        os.environ[RUN] = uuid.uuid4().hex[:8]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the run left: the folder, and the template on a server that stays."""
    if hasattr(config, "workerinput") or FOLDER not in os.environ:
        return
    folder = Path(os.environ.pop(FOLDER))
    server = os.environ.get(SERVER)
    if server and (folder / "migrated").exists():
        asyncio.run(_execute(make_url(server), f'DROP DATABASE IF EXISTS "{_template()}"'))
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server_url() -> Iterator[URL]:
    """The server's maintenance database, as a SQLAlchemy url."""
    given = os.environ.get(SERVER)
    if given:
        yield make_url(given).set(drivername="postgresql+asyncpg")
        return
    from app.core.embedded import embedded_postgres

    data_dir = Path(os.environ[FOLDER]) / "data"
    with embedded_postgres(data_dir, database="postgres", settings=UNSAFE) as url:
        yield make_url(url)


@pytest.fixture(scope="session")
def database_url(server_url: URL) -> Iterator[str]:
    """The url of a migrated and seeded database that only this process uses."""
    with exclusive(Path(os.environ[FOLDER]) / "template.lock"):
        _make_template(server_url)
        copy = create_database(server_url, template=_template())
    yield copy
    drop_database(server_url, copy)


@pytest.fixture
def empty_database_url(server_url: URL) -> Iterator[str]:
    """The url of a database without tables, for one test."""
    made = create_database(server_url)
    yield made
    drop_database(server_url, made)


def create_database(server_url: URL, template: str = "template1") -> str:
    """Create a database under a new name; its url."""
    name = f"payband_test_{os.environ[RUN]}_{uuid.uuid4().hex[:8]}"
    asyncio.run(_execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    return server_url.set(database=name).render_as_string(hide_password=False)


def drop_database(server_url: URL, url: str) -> None:
    """Drop it, with whoever is still connected."""
    name = make_url(url).database
    asyncio.run(_execute(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


def _template() -> str:
    return f"payband_test_{os.environ[RUN]}_template"


def _make_template(server_url: URL) -> None:
    """Migrate and seed the template, once in a run; called under the lock."""
    migrated = Path(os.environ[FOLDER]) / "migrated"
    if migrated.exists():
        return
    from app.settings import build_settings
    from app.setup import prepare

    asyncio.run(_execute(server_url, f'CREATE DATABASE "{_template()}"'))
    url = server_url.set(database=_template()).render_as_string(hide_password=False)
    asyncio.run(prepare(build_settings({}), url, demo=False, admin_key=False))
    migrated.touch()


async def _execute(server_url: URL, statement: str) -> None:
    plain = server_url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
