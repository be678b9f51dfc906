"""Whether cells and rollups are what the records say.

This module loads numpy: import it where it is used, not when the service starts.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from anyio import to_thread
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.cells.compaction import days, in_batches, places_rollup
from app.cells.merging import Block
from app.cells.reading import DamagedCells
from app.cells.rebuilding import PERIODS, packed_records
from app.cells.rollups import GRAINS, Rollup, pack_rollup
from app.cells.spans import Change, changed_rollups, place_of
from app.cells.store import (
    Key,
    Place,
    has_foreign_form,
    places_sound,
    read_blocks,
    read_rollups,
    role_rows,
)
from app.cells.strings import WITHDRAWN
from app.cells.summing import add_rollups, sum_entries
from app.core.database import Database

_IS_SOUND: Final = text(
    "SELECT coalesce(bool_and(version = cells_version), true) FROM role_versions"
    " WHERE role_id = :role"
)
_STORED: Final = text(
    "SELECT span, period, source_id, pay_kind FROM salary_rollups"
    " WHERE role_id = :role AND grain = :grain"
)

Sums = dict[Key, tuple[int, int]]
"""Of each key, how many entries, and the sum of their hashes, withdrawn ones taken off."""


async def check_role(database: Database, role_id: int) -> str | None:
    """What is wrong with a role's cells or rollups; None: nothing. Raises Unavailable."""
    async with database.read() as session:
        if not (await session.execute(_IS_SOUND, {"role": role_id})).scalar_one():
            return "its cells are not sound"
        if await has_foreign_form(session):
            return "another version of the service writes the cells"
        try:
            sums, months = await _read_cells(session, role_id)
            if sums != await _read_records(session, role_id):
                return "its cells are not what its records are"
            if not await _same(session, GRAINS["role"], role_id, months):
                return "its rollups are not what its cells are"
        except DamagedCells:
            return "its cells or rollups are damaged"
    return None


async def check_places(database: Database) -> str | None:
    """What is wrong with the rollups of places; None: nothing. Raises Unavailable."""
    async with database.read() as session:
        if not await places_sound(session):
            return "they are not sound"
        try:
            places = [
                place_of(row.source_id, row.pay_kind, row.month, yearly=row.yearly)
                for row in (await session.execute(PERIODS)).all()
            ]
            months = {place: await places_rollup(session, place) for place in places}
            if not await _same(session, GRAINS["places"], 0, months):
                return "they are not what the cells are"
        except DamagedCells:
            return "they, or cells, are damaged"
    return None


async def _read_cells(session: AsyncSession, role_id: int) -> tuple[Sums, dict[Place, Rollup]]:
    """What the cells of a role hold, and the rollups of months of those that are merged."""
    sums: Sums = {}
    months: dict[Place, list[Rollup]] = defaultdict(list)
    for rows in in_batches(await role_rows(session, role_id), lambda row: row.entries):
        blocks = await read_blocks(session, rows)
        cells = [(row.key, block) for row, block in zip(rows, blocks, strict=True)]
        await to_thread.run_sync(_add, sums, cells)
        for row, (key, block) in zip(rows, cells, strict=True):
            if row.merged:
                place = place_of(key.source_id, key.pay_kind, key.month, yearly=key.yearly)
                rollup = sum_entries(GRAINS["role"], block.amounts, None, days(key.month))
                months[place].append(rollup)
    return _without_empty(sums), {place: add_rollups(found) for place, found in months.items()}


async def _read_records(session: AsyncSession, role_id: int) -> Sums:
    sums: Sums = {}
    async for cells in packed_records(session, role_id):
        await to_thread.run_sync(_add, sums, cells)
    return _without_empty(sums)


def _add(sums: Sums, cells: Iterable[tuple[Key, Block]]) -> None:
    for key, block in cells:
        entries, total = sums.get(key, (0, 0))
        signs = np.where(block.withdraws, -1, 1)
        hashes = _hashes(block) * signs.astype(np.uint64)
        total += int(hashes.sum(dtype=np.uint64))
        sums[key] = entries + int(signs.sum()), total % 2**64


def _without_empty(sums: Sums) -> Sums:
    return {key: found for key, found in sums.items() if found != (0, 0)}


def _hashes(block: Block) -> np.typing.NDArray[np.uint64]:
    """64 bits for each entry, from all of its bytes but the flag of withdrawals (splitmix64)."""
    amounts = block.amounts.copy()
    amounts["day"] &= np.uint8(255 - WITHDRAWN)
    mixed = np.zeros(len(block), np.uint64)
    for string in (amounts, block.places, block.paid):
        mixed ^= np.frombuffer(string.tobytes(), ">u8")
        mixed += np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed


async def _same(
    session: AsyncSession, grain: int, role_id: int, months: Mapping[Place, Rollup]
) -> bool:
    """Whether the rollups of all spans are those that follow from the months."""
    found = await session.execute(_STORED, {"role": role_id, "grain": grain})
    places = [Place(*row) for row in found]
    changes = {place: Change(rollup) for place, rollup in months.items()}
    expected = await to_thread.run_sync(changed_rollups, changes, {})
    if set(places) != set(expected):
        return False
    for place in places:
        stored = await read_rollups(session, grain, role_id, [place])
        if pack_rollup(grain, stored[place]) != pack_rollup(grain, expected[place]):
            return False
    return True
