"""Sources and a writing client for tests of the write pipeline."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.access.caller import COMMAND_LINE
from app.core.database import Database
from app.dependencies import Services
from app.ingest.fields import Kind
from app.ingest.importer import Importer, Outcome
from app.ingest.media import MediaType
from app.ingest.options import ImportOptions
from app.ingest.profiles import Profile
from app.settings import Settings
from app.taxonomies.catalogue import CatalogueCache
from tests.conftest import HeadersFor, connect
from tests.support.builders import add_sources
from tests.support.reading import pieces_of

SPAN = 2

Import = Callable[..., Coroutine[Any, Any, Outcome]]
Count = Callable[[str], Coroutine[Any, Any, int]]


@pytest.fixture
async def sources(database: Database) -> None:
    """`acme` (replace), `wire` (span), `closed` (confidential)."""
    await add_sources(
        database,
        acme={},
        wire={"recurrence": SPAN, "kind": "posted"},
        closed={"confidential": True},
    )


@pytest.fixture
async def writer(
    application: FastAPI, headers_for: HeadersFor, sources: None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client that may write records and read them."""
    headers = await headers_for("records:write", "records:read")
    async with connect(application, headers) as client:
        yield client


@pytest.fixture
def import_body(settings: Settings, database: Database, sources: None) -> Import:
    """`await import_body(csv_bytes, kind="demand", batch=..., ...)` without HTTP."""

    async def run(
        body: bytes,
        kind: Kind = "salary",
        media_type: MediaType = MediaType.CSV,
        **options: Any,
    ) -> Outcome:
        services = Services(settings, database, CatalogueCache())
        profile = options.pop("profile", None) or Profile.identity(kind)
        asked = ImportOptions(media_type, profile, **options)
        return await Importer(services, asked, COMMAND_LINE).run(pieces_of(body))

    return run


@pytest.fixture
def count(database: Database) -> Count:
    """`await count("salary_records WHERE ...")`."""

    async def run(what: str) -> int:
        async with database.read() as session:
            return int(await session.scalar(text(f"SELECT count(*) FROM {what}")) or 0)

    return run


def salary(**fields: Any) -> dict[str, Any]:
    """A salary row that holds; None leaves a field out."""
    row = {
        "source": "acme",
        "external_id": "1",
        "region": "US",
        "amount": 90_000,
        "currency": "USD",
        "observed_on": "2025-03",
    } | fields
    return {name: value for name, value in row.items() if value is not None}


def demand(**fields: Any) -> dict[str, Any]:
    """A demand row that holds; None leaves a field out."""
    row = {
        "source": "acme",
        "external_id": "1",
        "region": "US",
        "measure": "new",
        "openings": 10,
        "observed_on": "2025-03-01",
    } | fields
    return {name: value for name, value in row.items() if value is not None}


def csv_of(*rows: dict[str, Any]) -> bytes:
    """Rows as CSV: the columns of all of them."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [",".join(names)]
    lines += [",".join(str(row.get(name, "")) for name in names) for row in rows]
    return "\n".join(lines).encode() + b"\n"
