"""Takes a test database back to how it was seeded."""

from dataclasses import dataclass
from typing import Final

import asyncpg
from sqlalchemy import make_url

# Whole tables, and those whose first rows were seeded.
EMPTIED: Final = (
    "salary_records",
    "demand_records",
    "salary_identities",
    "demand_identities",
    "imports",
    "idempotency_keys",
    "api_keys",
    "audit_log",
    "profiles",
    "releases",
    "release_nodes",
    "release_versions",
    "release_regions",
)
# What is kept in memory until the epoch advances.
KEPT: Final = (
    "WITH gone AS (DELETE FROM price_indices RETURNING value) UPDATE epoch SET epoch = epoch + 1,"
    " stamp = gen_random_uuid() WHERE EXISTS (SELECT FROM gone)"
)
SHORTENED: Final = ("roles", "levels", "regions", "industries", "sources", "benchmarks", "titles")


@dataclass(frozen=True, slots=True)
class Seeded:
    """The largest seeded id of each table, and the seeded title aliases."""

    last_ids: dict[str, int]
    aliases: tuple[str, ...]


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
    return Seeded(last_ids, tuple(aliases))


async def empty_tables(url: str, seeded: Seeded) -> None:
    """Delete what was not seeded. Deleting few rows is faster than truncating many tables."""
    statements = [f"DELETE FROM {table}" for table in EMPTIED]
    statements += [
        f"DELETE FROM {table} WHERE id > {seeded.last_ids[table]}" for table in SHORTENED
    ]
    statements.append(KEPT)
    connection = await _connect(url)
    try:
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
