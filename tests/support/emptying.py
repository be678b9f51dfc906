"""Takes a test database back to how it was seeded."""

from dataclasses import dataclass
from typing import Final

import asyncpg
from sqlalchemy import make_url

from app.core.database import Database
from app.core.versions import DataVersion
from app.rates import current, indices
from app.settings import Settings
from app.taxonomies.catalogue import Catalogue, CatalogueCache

# Whole tables, and those whose first rows were seeded.
EMPTIED: Final = (
    "salary_records",
    "demand_records",
    "salary_identities",
    "demand_identities",
    "salary_cells",
    "salary_rollups",
    "imports",
    "idempotency_keys",
    "api_keys",
    "audit_log",
    "profiles",
    "releases",
    "release_nodes",
    "release_versions",
    "release_regions",
    "price_indices",
)
SHORTENED: Final = ("roles", "levels", "regions", "industries", "sources", "benchmarks", "titles")


@dataclass(frozen=True, slots=True)
class Seeded:
    """The largest seeded id of each table, the seeded title aliases, and the catalogue and the
    version of both."""

    last_ids: dict[str, int]
    aliases: tuple[str, ...]
    catalogue: Catalogue
    version: DataVersion


async def remember_seeded(url: str) -> Seeded:
    """Note what is there after seeding."""
    connection = await _connect(url)
    try:
        last_ids = {
            table: await connection.fetchval(f"SELECT coalesce(max(id), 0) FROM {table}")
            for table in SHORTENED
        }
        aliases = [row[0] for row in await connection.fetch("SELECT text FROM title_aliases")]
    finally:
        await connection.close()
    database = Database(Settings(), url)
    try:
        async with database.read() as session:
            catalogue, version = await CatalogueCache().current(session)
    finally:
        await database.close()
    return Seeded(last_ids, tuple(aliases), catalogue, version)


async def empty_tables(url: str, seeded: Seeded) -> None:
    """Delete what was not seeded. Deleting few rows is faster than truncating many tables.

    The version goes back with the rows: every test has an application of its own memory, and
    that which it starts with is the seeded catalogue.
    """
    statements = [f"DELETE FROM {table}" for table in EMPTIED]
    statements += [
        f"DELETE FROM {table} WHERE id > {seeded.last_ids[table]}" for table in SHORTENED
    ]
    statements.append("UPDATE role_versions SET cells_version = version")
    statements.append("UPDATE rollup_state SET places_sound = true")
    epoch, stamp = seeded.version.epoch, seeded.version.stamp
    statements.append(f"UPDATE epoch SET epoch = {epoch}, stamp = '{stamp}'")
    changed = f"SELECT EXISTS (SELECT FROM price_indices) OR stamp <> '{stamp}' FROM epoch"
    connection = await _connect(url)
    try:
        if await connection.fetchval(changed):
            # Kept by the stamp, which comes back: what was read since must not come with it.
            indices._current.clear()
            current._tables.clear()
        await connection.execute("; ".join(statements))
        if await connection.fetchval("SELECT count(*) FROM title_aliases") != len(seeded.aliases):
            await connection.execute(
                "DELETE FROM title_aliases WHERE text <> ALL($1)", list(seeded.aliases)
            )
    finally:
        await connection.close()


async def _connect(url: str) -> asyncpg.Connection:
    plain = make_url(url).set(drivername="postgresql")
    return await asyncpg.connect(plain.render_as_string(hide_password=False))
