"""From starting to ready: the database is reached, and it is one of this build and setting."""

import asyncio
from typing import Final

import structlog

from app.core.database import Database, ReadSession
from app.core.errors import StaleSchema, Unavailable, WrongSetting
from app.core.migrations import check_base_currency, check_schema
from app.health.readiness import Readiness

RETRY_S: Final = 1.0


async def look(database: Database, readiness: Readiness, base_currency: str) -> None:
    """Look at the schema and the base currency of the stored amounts once, and note what was found.

    Raises StaleSchema.
    """
    try:
        async with database.read() as session:
            await check_schema(session)
            await _check_currency(session, base_currency)
    except Unavailable as obstacle:
        readiness.set_obstacle(obstacle)
        if isinstance(obstacle, StaleSchema):
            raise
    else:
        readiness.set_ready()


async def _check_currency(session: ReadSession, base_currency: str) -> None:
    """As a stale schema: the database is not the one that this process was set up for."""
    try:
        await check_base_currency(session, base_currency)
    except WrongSetting as error:
        raise StaleSchema(error.detail, code="wrong_base_currency") from None


async def become_ready(database: Database, readiness: Readiness, base_currency: str) -> None:
    """Look again every second until this process is ready.

    A database that comes back with an old schema is waited for as well: `payband migrate` may
    be on its way, and nothing is answered meanwhile.
    """
    log = structlog.get_logger()
    log.warning("starting without the database")
    while not readiness.is_ready:
        await asyncio.sleep(RETRY_S)
        try:
            await look(database, readiness, base_currency)
        except StaleSchema:
            log.error("the schema or its base currency is not this build's")
    log.info("ready")
