"""Loads the demo data through the same door as everybody's, and removes it."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from typing import TYPE_CHECKING

from app.access.caller import COMMAND_LINE
from app.core.database import Database
from app.demo.store import State, ensure_source, read_state, remove_records
from app.dependencies import Services
from app.rates.current import load_rate_table, read_rate_table
from app.settings import Settings
from app.taxonomies.catalogue import CatalogueCache

if TYPE_CHECKING:
    import polars as pl

    from app.ingest.fields import Kind


async def load_demo(
    settings: Settings, database: Database, *, today: date, again: bool = False
) -> int:
    """Load the synthetic demo data once; how many records were inserted, 0 where it is there.

    Records are of the 36 months up to `today`. A load that was cut off is completed. Data that
    was removed stays away, unless asked for `again`.
    """
    async with database.read() as session:
        state = await read_state(session)
    if state is State.LOADED or (state is State.REMOVED and not again):
        return 0
    async with database.write() as session:
        await ensure_source(session)
    salaries, openings = await _generate(settings, database, today)
    services = Services(settings, database, CatalogueCache())
    # Salaries first: the state tells a complete load from the demand records.
    inserted = await _write(services, "salary", salaries)
    return inserted + await _write(services, "demand", openings)


async def remove_demo(database: Database) -> int:
    """Remove every record of the demo data; how many there were."""
    async with database.write() as session:
        return await remove_records(session)


async def _generate(
    settings: Settings, database: Database, today: date
) -> "tuple[pl.DataFrame, pl.DataFrame]":
    from app.demo.openings import generate_openings
    from app.demo.salaries import generate_salaries

    async with database.read() as session:
        base = await load_rate_table(session, settings.base_currency)
        dollars = base if base.base == "USD" else await read_rate_table(session, "USD")
    salaries = await asyncio.to_thread(generate_salaries, today, dollars, base)
    return salaries, await asyncio.to_thread(generate_openings, today)


async def _write(services: Services, kind: "Kind", frame: "pl.DataFrame") -> int:
    """Import a frame as the CSV file that a user would; how many records were inserted.

    Raises the error that carries the report, should a row be rejected.
    """
    from app.ingest.importer import Importer
    from app.ingest.media import MediaType
    from app.ingest.options import ImportOptions
    from app.ingest.profiles import Profile

    profile = Profile.identity(kind)
    options = ImportOptions(MediaType.CSV, profile, batch="payband demo", abort=True)
    outcome = await Importer(services, options, COMMAND_LINE).run(_body(frame.write_csv()))
    if outcome.error is not None:
        raise outcome.error
    inserted: int = outcome.report["inserted"]
    return inserted


async def _body(text: str) -> AsyncIterator[bytes]:
    yield text.encode()


async def load_demo_apart(settings: Settings, database: Database, url: str, *, today: date) -> int:
    """As `load_demo`, in a process of its own where there is something to load.

    The service loads the demo data at its first start, and would keep the 150 MB of the columnar
    library in memory for as long as it runs.
    """
    async with database.read() as session:
        if await read_state(session) in {State.LOADED, State.REMOVED}:
            return 0
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return await loop.run_in_executor(pool, _load, settings, url, today)


def _load(settings: Settings, url: str, today: date) -> int:
    async def load() -> int:
        database = Database(settings, url)
        try:
            return await load_demo(settings, database, today=today)
        finally:
            await database.close()

    return asyncio.run(load())
