"""Cells and rollups made from the records again, after damage, or after writes without cells.

A role is one transaction that works on what one snapshot holds. Writers are not held up: what they
add meanwhile are rows of their own, which stay.

This module loads numpy: import it where it is used, not when the service starts.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any, Final

from anyio import to_thread
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.cells.compaction import days, places_rollup
from app.cells.keeping import mark_unsound
from app.cells.merging import Block, merge_blocks, read_block
from app.cells.reading import DamagedCells
from app.cells.rollups import GRAINS, Rollup
from app.cells.spans import Change, change_rollups, place_of
from app.cells.store import (
    Key,
    Place,
    driver_of,
    has_foreign_form,
    insert_cells,
    places_sound,
    take_turn,
)
from app.cells.summing import add_rollups, sum_entries
from app.cells.writing import entries_sql, packed_sql
from app.core.database import Database, ReadSession, WriteSession

CHUNK: Final = 500_000
"""Records that are packed by one statement: a few seconds, and some 100 bytes for each here."""

_UNSOUND: Final = text(
    "SELECT role_id FROM role_versions WHERE version <> cells_version ORDER BY role_id"
)
_ALL: Final = text(
    "SELECT id FROM (SELECT id FROM roles UNION SELECT role_id FROM role_versions) AS r"
    " WHERE EXISTS (SELECT FROM salary_records WHERE role_id = r.id)"
    " OR EXISTS (SELECT FROM salary_cells WHERE role_id = r.id)"
    " OR EXISTS (SELECT FROM salary_rollups WHERE role_id = r.id AND grain = 1)"
    " OR EXISTS (SELECT FROM role_versions WHERE role_id = r.id AND version <> cells_version)"
    " ORDER BY id"
)
_GAP: Final = text("SELECT version - cells_version FROM role_versions WHERE role_id = :role")
# What writers advance meanwhile stays advanced.
_CLOSE_GAP: Final = text(
    "INSERT INTO role_versions (role_id, version, cells_version) VALUES (:role, 0, 0)"
    " ON CONFLICT (role_id) DO UPDATE SET cells_version = role_versions.cells_version + :gap"
)
_ROWS: Final = text("SELECT id FROM salary_cells WHERE role_id = :role")
_DELETE_ROWS: Final = text("DELETE FROM salary_cells WHERE role_id = :role AND id = ANY(:ids)")
_DELETE_ROLLUPS: Final = text("DELETE FROM salary_rollups WHERE role_id = :role AND grain = :grain")
_MARK_PLACES: Final = text("UPDATE rollup_state SET places_sound = :sound")
_NEXT_CHUNK: Final = text(
    "SELECT record_id FROM salary_records WHERE role_id = :role AND record_id > :after"
    " ORDER BY record_id OFFSET :skipped LIMIT 1"
)
_SORT_IN_MEMORY: Final = text("SET LOCAL work_mem = '64MB'")
PERIODS: Final = text(
    "SELECT DISTINCT source_id, pay_kind, month, yearly FROM salary_cells WHERE merged"
    " ORDER BY month, yearly, source_id, pay_kind"
)
"""The periods of the rollups of places."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was rebuilt; `busy`: nothing, because somebody else replaces cells."""

    entries: int = 0
    busy: bool = False


async def unsound_roles(database: Database) -> list[int]:
    """Roles whose cells are not what their records are."""
    async with database.read() as session:
        return list((await session.execute(_UNSOUND)).scalars())


async def all_roles(database: Database) -> list[int]:
    """All roles that have records or cells, or are not sound."""
    async with database.read() as session:
        return list((await session.execute(_ALL)).scalars())


async def rebuild_unsound(database: Database) -> bool:
    """Rebuild what is not sound; False if that cannot be done now. Raises Unavailable.

    What another version of the service writes is left to it.
    """
    async with database.read() as session:
        if await has_foreign_form(session):
            return False
    for role_id in await unsound_roles(database):
        if (await rebuild_role(database, role_id)).busy:
            return False
    async with database.read() as session:
        if await places_sound(session):
            return True
    try:
        return not (await rebuild_places(database)).busy
    except DamagedCells as damage:
        await mark_unsound(database, damage.role_ids)
        return False


async def rebuild_role(database: Database, role_id: int) -> Rebuilt:
    """Write a role's cells and rollups from its records. Raises Unavailable.

    The rollups of places are not sound from then on, until they are rebuilt as well.
    """
    async with database.write() as session:
        if not await take_turn(session):
            return Rebuilt(busy=True)
        # Begun after the turn was taken: nobody replaces the rows that it sees.
        async with database.read() as snapshot:
            gap = (await snapshot.execute(_GAP, {"role": role_id})).scalar() or 0
            rows = list((await snapshot.execute(_ROWS, {"role": role_id})).scalars())
            await session.execute(_DELETE_ROWS, {"role": role_id, "ids": rows})
            role = {"role": role_id, "grain": GRAINS["role"]}
            deleted: Any = await session.execute(_DELETE_ROLLUPS, role)
            entries = await _write_role(session, snapshot, role_id)
        if rows or entries or deleted.rowcount:
            await session.execute(_MARK_PLACES, {"sound": False})
        if gap or entries:
            await session.execute(_CLOSE_GAP, {"role": role_id, "gap": gap})
    return Rebuilt(entries)


async def rebuild_places(database: Database) -> Rebuilt:
    """Write the rollups of places from the merged cells. Raises DamagedCells, Unavailable."""
    entries = 0
    async with database.write() as session:
        if not await take_turn(session):
            return Rebuilt(busy=True)
        await session.execute(_DELETE_ROLLUPS, {"role": 0, "grain": GRAINS["places"]})
        year, changes = 0, dict[Place, Change]()
        for row in (await session.execute(PERIODS)).all():
            if row.month.year != year:
                await change_rollups(session, GRAINS["places"], 0, changes)
                year, changes = row.month.year, {}
            place = place_of(row.source_id, row.pay_kind, row.month, yearly=row.yearly)
            rollup = await places_rollup(session, place)
            changes[place] = Change(rollup, anew=True)
            entries += int(rollup.heads["count"].sum())
        await change_rollups(session, GRAINS["places"], 0, changes)
        await session.execute(_MARK_PLACES, {"sound": True})
    return Rebuilt(entries)


async def _write_role(session: WriteSession, snapshot: ReadSession, role_id: int) -> int:
    """Cells and rollups of a role that has none; how many entries."""
    months: dict[Place, list[Rollup]] = {}
    entries = 0
    async for cells in packed_records(snapshot, role_id):
        sums = await to_thread.run_sync(_sums, cells)
        for place, rollup in sums:
            months.setdefault(place, []).append(rollup)
        entries += sum(len(block) for _, block in cells)
        await insert_cells(session, cells)
    changes = {place: Change(add_rollups(rollups)) for place, rollups in months.items()}
    await change_rollups(session, GRAINS["role"], role_id, changes)
    return entries


def _sums(cells: Iterable[tuple[Key, Block]]) -> list[tuple[Place, Rollup]]:
    return [
        (
            place_of(key.source_id, key.pay_kind, key.month, yearly=key.yearly),
            sum_entries(GRAINS["role"], block.amounts, None, days(key.month)),
        )
        for key, block in cells
    ]


async def packed_records(
    session: AsyncSession, role_id: int
) -> AsyncIterator[list[tuple[Key, Block]]]:
    """The public records of a role as merged cells, in chunks; a key may come in several."""
    driver = await driver_of(session)
    await session.execute(_SORT_IN_MEMORY)
    after: int | None = -(2**63)
    while after is not None:
        chunk = {"role": role_id, "after": after, "skipped": CHUNK - 1}
        upto = (await session.execute(_NEXT_CHUNK, chunk)).scalar()
        rows = f"salary_records WHERE role_id = {role_id} AND record_id > {after}" + (
            f" AND record_id <= {upto}" if upto is not None else ""
        )
        found = await driver.fetch(packed_sql(entries_sql(rows)))
        yield await to_thread.run_sync(_blocks, found)
        after = upto


def _blocks(rows: Iterable[Any]) -> list[tuple[Key, Block]]:
    return [(Key(*row[:5]), merge_blocks([read_block(*row[6:9])])) for row in rows]
