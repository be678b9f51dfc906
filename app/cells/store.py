"""Rows of cells and rollups in and out of the database, for compaction and rebuilding.

This module loads numpy: import it where it is used, not when the service starts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

from anyio import to_thread
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.cells.merging import Block, read_block
from app.cells.reading import DamagedCells
from app.cells.rollups import GRAINS, SPANS, Rollup, pack_rollup, unpack_rollup
from app.cells.strings import FORM, check_of, is_whole
from app.cells.summing import entries_of
from app.core.database import WriteSession

TURN: Final = 0x7061_7962_616E_6404
"""The advisory lock of whoever replaces rows of cells: only one does at a time."""


class VanishedRows(Exception):
    """Rows that were read are gone: cells were replaced by somebody who did not wait for a turn."""


class Key(NamedTuple):
    """What all entries of a row of cells have in common."""

    role_id: int
    source_id: int
    pay_kind: int
    month: date
    yearly: bool


@dataclass(frozen=True, slots=True)
class CellRow:
    """Where a row of cells is, and how long."""

    key: Key
    id: int
    entries: int
    merged: bool


class Place(NamedTuple):
    """Which rollup of a role, or of the places: `span` as in SPANS."""

    span: int
    period: date
    source_id: int
    pay_kind: int


_KEY: Final = "role_id, source_id, pay_kind, month, yearly"
_STRINGS: Final = ("amounts", "places", "paid")
_CHECKED: Final = ", ".join(f"{name}, {name}_check" for name in _STRINGS)
_CELL_COLUMNS: Final = (
    *("role_id", "source_id", "pay_kind", "month", "yearly", "entries", "form", "merged"),
    *_STRINGS,
    *(f"{name}_check" for name in _STRINGS),
)
_ROLLUP_COLUMNS: Final = (
    *("role_id", "grain", "span", "period", "source_id", "pay_kind", "form", "entries"),
    *("heads", "pairs", "heads_check", "pairs_check"),
)
_FOREIGN: Final = (
    f"SELECT EXISTS (SELECT FROM salary_cells WHERE form <> {FORM})"  # noqa: S608 - a number
    f" OR EXISTS (SELECT FROM salary_rollups WHERE form <> {FORM})"
)
# Whole keys, so that a withdrawal is always merged together with what it withdraws, or later.
_UNMERGED: Final = (
    f"SELECT {_KEY}, entries FROM (SELECT {_KEY}, sum(entries)::bigint AS entries,"  # noqa: S608 - names of ours
    f" sum(sum(entries)) OVER (ORDER BY {_KEY}) AS upto FROM salary_cells AS c WHERE NOT merged"
    " AND NOT EXISTS (SELECT FROM role_versions AS v"
    " WHERE v.role_id = c.role_id AND v.version <> v.cells_version)"
    f" GROUP BY {_KEY}) AS k WHERE upto - entries < $1 ORDER BY {_KEY}"
)
_ROWS: Final = (
    f"SELECT {_KEY}, c.id, c.entries, c.merged FROM salary_cells AS c"  # noqa: S608 - names of ours
    " JOIN unnest($1::int[], $2::int[], $3::smallint[], $4::date[], $5::bool[])"
    f" AS k ({_KEY}) USING ({_KEY}) ORDER BY role_id, c.id"
)
_ROLE_ROWS: Final = (
    f"SELECT {_KEY}, id, entries, merged FROM salary_cells WHERE role_id = $1 ORDER BY id"  # noqa: S608 - names of ours
)
_MERGED: Final = (
    f"SELECT {_KEY}, id, entries, merged FROM salary_cells WHERE merged"  # noqa: S608 - names of ours
    " AND source_id = $1 AND pay_kind = $2 AND month = $3 AND yearly = $4 ORDER BY role_id, id"
)
_IDS: Final = "(role_id, id) IN (SELECT * FROM unnest($1::int[], $2::bigint[]))"
_PLACES: Final = (
    "(span, period, source_id, pay_kind) IN"
    " (SELECT * FROM unnest($3::smallint[], $4::date[], $5::int[], $6::smallint[]))"
)
_OF_ROLLUPS: Final = f"FROM salary_rollups WHERE role_id = $1 AND grain = $2 AND {_PLACES}"


async def driver_of(session: AsyncSession) -> Any:
    """The driver's own connection inside the session's transaction: it moves bytes as they are."""
    connection = await (await session.connection()).get_raw_connection()
    return connection.driver_connection


async def take_turn(session: WriteSession) -> bool:
    """Whether this transaction may replace cells, and nobody else does until it ends.

    It then counts as one that changes rollups: what others keep of these holds no longer.
    """
    taken = await session.execute(text(f"SELECT pg_try_advisory_xact_lock({TURN})"))
    if not taken.scalar_one():
        return False
    await session.execute(text("UPDATE rollup_state SET merges = merges + 1"))
    return True


async def places_sound(session: AsyncSession) -> bool:
    """Whether the rollups of places hold all merged cells."""
    found = await session.execute(text("SELECT places_sound FROM rollup_state"))
    return bool(found.scalar_one())


async def has_foreign_form(session: AsyncSession) -> bool:
    """Whether there are cells or rollups as another version of the service writes them."""
    found = await session.execute(text(_FOREIGN))
    return bool(found.scalar_one())


async def unmerged_keys(session: WriteSession, most: int) -> dict[Key, int]:
    """Keys with unmerged entries, and how many; of sound roles, some `most` entries in all."""
    driver = await driver_of(session)
    return {Key(*row[:5]): row[5] for row in await driver.fetch(_UNMERGED, most)}


async def rows_of(session: AsyncSession, keys: Iterable[Key]) -> list[CellRow]:
    """All rows of those keys."""
    driver = await driver_of(session)
    columns = [list(column) for column in zip(*keys, strict=True)]
    found = await driver.fetch(_ROWS, *columns)
    return [CellRow(Key(*row[:5]), *row[5:]) for row in found]


async def role_rows(session: AsyncSession, role_id: int) -> list[CellRow]:
    """All rows of a role."""
    driver = await driver_of(session)
    return [CellRow(Key(*row[:5]), *row[5:]) for row in await driver.fetch(_ROLE_ROWS, role_id)]


async def merged_rows(session: AsyncSession, place: Place) -> list[CellRow]:
    """The merged rows of all roles that the rollup of places of a month, or of a year's records
    of no month, adds up."""
    driver = await driver_of(session)
    yearly = place.span == SPANS["yearly"]
    found = await driver.fetch(_MERGED, place.source_id, place.pay_kind, place.period, yearly)
    return [CellRow(Key(*row[:5]), *row[5:]) for row in found]


async def read_blocks(session: AsyncSession, rows: Sequence[CellRow]) -> list[Block]:
    """What the rows hold. Raises DamagedCells, VanishedRows."""
    driver = await driver_of(session)
    statement = f"SELECT role_id, id, {_CHECKED} FROM salary_cells WHERE {_IDS}"  # noqa: S608 - names of ours
    found = {row["id"]: row for row in await driver.fetch(statement, *_ids(rows))}
    if len(found) != len(rows):
        raise VanishedRows
    return await to_thread.run_sync(_whole_blocks, rows, found)


def _whole_blocks(rows: Sequence[CellRow], found: dict[int, Any]) -> list[Block]:
    return [whole_block(found[row.id], row.key.role_id, row.entries) for row in rows]


def whole_block(row: Any, role_id: int, entries: int) -> Block:
    """The block of a row that has the strings and their checks. Raises DamagedCells."""
    strings = [row[name] for name in _STRINGS]
    checks = [row[f"{name}_check"] for name in _STRINGS]
    if not all(map(is_whole, strings, checks)):
        raise DamagedCells(frozenset({role_id}))
    try:
        block = read_block(*strings)
    except ValueError:
        raise DamagedCells(frozenset({role_id})) from None
    if len(block) != entries:
        raise DamagedCells(frozenset({role_id}))
    return block


async def delete_rows(session: WriteSession, rows: Sequence[CellRow]) -> None:
    """Raises VanishedRows."""
    driver = await driver_of(session)
    done = await driver.execute(f"DELETE FROM salary_cells WHERE {_IDS}", *_ids(rows))  # noqa: S608 - names of ours
    if done != f"DELETE {len(rows)}":
        raise VanishedRows


def _ids(rows: Sequence[CellRow]) -> tuple[list[int], list[int]]:
    return [row.key.role_id for row in rows], [row.id for row in rows]


async def insert_cells(session: WriteSession, cells: Sequence[tuple[Key, Block]]) -> None:
    """Write merged rows; empty ones are left out."""
    records = await to_thread.run_sync(_cell_records, cells)
    driver = await driver_of(session)
    await driver.copy_records_to_table("salary_cells", records=records, columns=_CELL_COLUMNS)


def _cell_records(cells: Sequence[tuple[Key, Block]]) -> list[tuple[Any, ...]]:
    records = []
    for key, block in cells:
        if len(block):
            strings = block.strings()
            records.append((*key, len(block), FORM, True, *strings, *map(check_of, strings)))
    return records


async def read_rollups(
    session: AsyncSession, grain: int, role_id: int, places: Sequence[Place]
) -> dict[Place, Rollup]:
    """Those of the rollups that there are. Raises DamagedCells, without roles for places."""
    driver = await driver_of(session)
    columns = [list(column) for column in zip(*places, strict=True)] or [[], [], [], []]
    found = await driver.fetch(f"SELECT * {_OF_ROLLUPS}", role_id, grain, *columns)
    return await to_thread.run_sync(_whole_rollups, found, grain, role_id)


def _whole_rollups(rows: Sequence[Any], grain: int, role_id: int) -> dict[Place, Rollup]:
    return {
        Place(*(row[name] for name in Place._fields)): _whole_rollup(row, grain, role_id)
        for row in rows
    }


def _whole_rollup(row: Any, grain: int, role_id: int) -> Rollup:
    damaged = frozenset({role_id}) if grain == GRAINS["role"] else frozenset[int]()
    checks = (row["heads_check"], row["pairs_check"])
    if not all(map(is_whole, (row["heads"], row["pairs"]), checks)):
        raise DamagedCells(damaged)
    try:
        return unpack_rollup(grain, row["heads"], row["pairs"])
    except ValueError:
        raise DamagedCells(damaged) from None


async def replace_rollups(
    session: WriteSession, grain: int, role_id: int, rollups: dict[Place, Rollup]
) -> None:
    """Write rollups in the place of those that are there; empty ones are only deleted."""
    if not rollups:
        return
    records = await to_thread.run_sync(_rollup_records, grain, role_id, rollups)
    driver = await driver_of(session)
    columns = [list(column) for column in zip(*rollups, strict=True)]
    await driver.execute(f"DELETE {_OF_ROLLUPS}", role_id, grain, *columns)
    await driver.copy_records_to_table("salary_rollups", records=records, columns=_ROLLUP_COLUMNS)


def _rollup_records(
    grain: int, role_id: int, rollups: dict[Place, Rollup]
) -> list[tuple[Any, ...]]:
    records = []
    for place, rollup in rollups.items():
        if entries := entries_of(rollup):
            strings = pack_rollup(grain, rollup)
            checks = map(check_of, strings)
            records.append((role_id, grain, *place, FORM, entries, *strings, *checks))
    return records
