"""From an empty database to a working one; every step is safe to repeat."""

import asyncio
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context

import typer
from sqlalchemy import update

from app.core.cursors import KEY_NAME
from app.core.database import Database
from app.core.installation import read_secret
from app.core.migrations import check_base_currency, upgrade
from app.settings import Settings
from app.tables import Epoch


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was there or made. `key_made`: the admin key file is new."""

    revision: str
    key_made: bool
    demo_loaded: int


async def prepare(settings: Settings, url: str, *, demo: bool, admin_key: bool = True) -> Prepared:
    """Migrate, seed taxonomies, benchmarks and rates, make secrets and the admin key, load demo
    data once."""
    from app.access.keys import ensure_admin_key
    from app.rates import seed_rates
    from app.taxonomies.seeding import seed

    revision = await upgrade(url)
    database = Database(settings, url)
    try:
        async with database.write() as session:
            await check_base_currency(session, settings.base_currency)
            await session.execute(update(Epoch).values(base_currency=settings.base_currency))
            await seed(session)
            await read_secret(session, KEY_NAME)
        await seed_rates(database)
        key_made = False
        if admin_key and settings.database_url is None:
            async with database.write() as session:
                key_made = await ensure_admin_key(session, settings.data_dir / "admin.key")
        loaded = await _demo(settings, database, url) if demo else 0
    finally:
        await database.close()
    return Prepared(revision, key_made, loaded)


def prepare_apart(settings: Settings, url: str, *, demo: bool) -> Prepared:
    """`prepare` in a process of its own: what a first start loads does not stay in the service.

    That is some 25 MB of lists of the world's places and of migration tools.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_prepare_now, settings, url, demo=demo).result()


def _prepare_now(settings: Settings, url: str, *, demo: bool) -> Prepared:
    return asyncio.run(prepare(settings, url, demo=demo))


async def _demo(settings: Settings, database: Database, url: str) -> int:
    from app.demo import load_demo_apart

    return await load_demo_apart(settings, database, url, today=datetime.now(UTC).date())


def greet(settings: Settings, prepared: Prepared) -> None:
    """Print where to look next, before the service starts."""
    address = f"http://{settings.host}:{settings.port}"
    lines = [f"Payband: documentation at {address}/docs"]
    if prepared.demo_loaded:
        lines.append(f"Loaded {prepared.demo_loaded:,} synthetic demo records.")
    lines.append(
        f"Try: curl '{address}/v1/salaries/statistics?role=django-developer&region=US"
        "&group_by=level&format=csv'"
    )
    if prepared.key_made:
        lines.append(f"An admin key was written to {settings.data_dir / 'admin.key'} (mode 600).")
    typer.echo("\n".join(lines))
