"""What the service holds, counted once for each data version."""

import asyncio
from datetime import date
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import __version__
from app.core.migrations import current_revision
from app.core.versions import DataVersion, read_version
from app.dependencies import Services
from app.settings import Settings
from app.statistics.filters import Filters
from app.statistics.population import DEFAULT_PAY_KINDS, Population, decide_population
from app.tables import DemandRecord, SalaryRecord

EXAMPLE: Final = {
    "data_version": "4-9f1c2a7b-1204",
    "data_as_of": "2026-10-31",
    "records": {"salaries": 74296, "demand": 13158},
    "newest": {"salaries": "2026-10-31", "demand": "2026-09-01"},
    "sources": 2,
    "demo": False,
    "base_currency": "USD",
    "schema_revision": "0001",
    "build": "0.1.0",
    "policy": {
        "open_statistics": True,
        "pay_kind_default": ["base", "unspecified"],
        "body_limit_bytes": 16000000,
        "statement_timeout_s": 30,
        "release": Settings().release_policy,
    },
}


class StatusCache:
    """The newest status of this process. Polling it costs one small query."""

    def __init__(self) -> None:
        self._version = ""
        self._counted: dict[str, Any] = {}
        self._counting = asyncio.Lock()

    async def get(self, services: Services) -> dict[str, Any]:
        """The status as of now. Raises Unavailable."""
        async with services.database.read() as session:
            version = await read_version(session)
            revision = await current_revision(session)
        if str(version) != self._version:
            # Whoever waits here holds no connection, and finds the count done.
            async with self._counting:
                if str(version) != self._version:
                    version = await self._count(services)
        return {**_described(services, version), **self._counted, "schema_revision": revision}

    async def _count(self, services: Services) -> DataVersion:
        async with services.database.heavy_read() as session:
            catalogue, version = await services.catalogue.current(session)
            population = await decide_population(session, catalogue, Filters())
            counted = await _count(session, population)
        self._version, self._counted = str(version), counted
        return version


def _described(services: Services, version: DataVersion) -> dict[str, Any]:
    settings = services.settings
    return {
        "data_version": str(version),
        "base_currency": settings.base_currency,
        "build": __version__,
        "policy": {
            "open_statistics": settings.open_statistics,
            "pay_kind_default": list(DEFAULT_PAY_KINDS),
            "body_limit_bytes": settings.body_limit,
            "statement_timeout_s": settings.statement_timeout_s,
            "release": settings.release_policy,
        },
    }


async def _count(session: AsyncSession, population: Population) -> dict[str, Any]:
    """Counts and newest dates of the records that a question without filters reaches."""
    counts: dict[str, int] = {}
    newest: dict[str, str | None] = {}
    for name, table in (("salaries", SalaryRecord), ("demand", DemandRecord)):
        statement = select(func.count(), func.max(table.observed_on)).where(
            population.condition(table)
        )
        counts[name], day = (await session.execute(statement)).one()
        newest[name] = _text(day)
    return {
        "data_as_of": max((day for day in newest.values() if day), default=None),
        "records": counts,
        "newest": newest,
        "sources": len(population.source_ids),
        "demo": bool(population.demo_ids),
    }


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
