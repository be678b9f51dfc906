"""Compaction: unmerged rows of cells become few merged ones, and are added to the rollups.

One pass is one transaction, and only one at a time works in the database. Readers see all of it or
nothing; writers only add rows and meet nobody.

This module loads numpy: import it where it is used, not when the service starts.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, TypeVar

import numpy as np
from anyio import to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from app.cells.keeping import mark_unsound
from app.cells.merging import Block, UnmatchedWithdrawal, merge_blocks
from app.cells.reading import DamagedCells
from app.cells.rollups import GRAINS, Rollup
from app.cells.spans import Change, change_rollups, place_of
from app.cells.store import (
    CellRow,
    Key,
    Place,
    VanishedRows,
    delete_rows,
    has_foreign_form,
    insert_cells,
    merged_rows,
    places_sound,
    read_blocks,
    rows_of,
    take_turn,
    unmerged_keys,
)
from app.cells.strings import AMOUNTS
from app.cells.summing import add_rollups, sum_entries
from app.core.database import Database, WriteSession

MOST: Final = 500_000
"""Entries that one pass takes up; it needs some 100 bytes for each."""
BATCH: Final = 100_000
"""Entries that are read and merged at once."""
TIER: Final = 4
"""A merged row up to so many times as long as what comes to it is written again, together with it.
Longer ones stay as they are, so that a few new records do not cost a whole month."""
EPOCH: Final = date(1970, 1, 1)
_TRIES: Final = 100

Item = TypeVar("Item")
Blocks = Mapping[int, Block]
"""What rows hold, by the id of the row."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a pass did: how many entries it merged, and whether these were all (`is_all`); `busy`:
    none, because somebody else is at it."""

    entries: int = 0
    is_all: bool = True
    busy: bool = False


@dataclass(frozen=True, slots=True)
class _Merged:
    """A key after merging: `written` is its new row, `added` its new entries, or all that it has
    (`anew`) where some were withdrawn."""

    key: Key
    written: Block
    added: Block
    anew: bool


@dataclass(slots=True)
class _PlaceChanges:
    """What the rollups of places have to learn: entries, and periods to add up anew."""

    added: dict[Place, list[Block]] = field(default_factory=lambda: defaultdict(list))
    anew: set[Place] = field(default_factory=set)


async def compact(database: Database, most: int = MOST) -> Compacted:
    """One pass over some `most` entries. Raises Unavailable.

    Damaged roles are marked and left alone. Rows that vanish meanwhile end the pass without
    effect, as if another were at work.
    """
    for _ in range(_TRIES):
        try:
            async with database.write() as session:
                return await _compact(session, most)
        except DamagedCells as damage:
            await mark_unsound(database, damage.role_ids)
        except VanishedRows:
            break
    return Compacted(busy=True)


async def _compact(session: WriteSession, most: int) -> Compacted:
    if not await take_turn(session):
        return Compacted(busy=True)
    if await has_foreign_form(session):
        return Compacted()
    keys = await unmerged_keys(session, most)
    if not keys:
        return Compacted()
    places = _PlaceChanges()
    for role_id, rows in _by_role(await rows_of(session, keys)).items():
        changes: dict[Place, Change] = {}
        for batch in _batches(rows):
            changes |= await _merge(session, batch, places)
        await change_rollups(session, GRAINS["role"], role_id, changes)
    if await places_sound(session):
        await _change_places(session, places)
    entries = sum(keys.values())
    return Compacted(entries, is_all=entries < most)


def _by_role(rows: Iterable[CellRow]) -> dict[int, list[CellRow]]:
    found: dict[int, list[CellRow]] = defaultdict(list)
    for row in rows:
        found[row.key.role_id].append(row)
    return found


def _batches(rows: Iterable[CellRow]) -> Iterator[list[list[CellRow]]]:
    """Rows of one key each, in batches of some BATCH entries."""
    of_key: dict[Key, list[CellRow]] = defaultdict(list)
    for row in rows:
        of_key[row.key].append(row)
    return in_batches(of_key.values(), lambda found: sum(row.entries for row in found))


def in_batches(items: Iterable[Item], entries: Callable[[Item], int]) -> Iterator[list[Item]]:
    """The items in lists of some BATCH entries."""
    batch: list[Item] = []
    total = 0
    for item in items:
        batch.append(item)
        total += entries(item)
        if total >= BATCH:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


async def _merge(
    session: WriteSession, batch: Sequence[Sequence[CellRow]], places: _PlaceChanges
) -> dict[Place, Change]:
    """Merge the rows of some keys of one role; what that changes in the role's rollups."""
    new = [row for rows in batch for row in rows if not row.merged]
    blocks = dict(zip([row.id for row in new], await read_blocks(session, new), strict=True))
    old = [row for rows in batch for row in _rewritten(rows, blocks)]
    blocks |= zip([row.id for row in old], await read_blocks(session, old), strict=True)
    merged = await to_thread.run_sync(_merge_all, batch, blocks)
    await delete_rows(session, new + old)
    await insert_cells(session, [(one.key, one.written) for one in merged])
    return await to_thread.run_sync(_changes, merged, places)


def _rewritten(rows: Sequence[CellRow], blocks: Blocks) -> list[CellRow]:
    """The merged rows that are written again: all of a key in which something is withdrawn,
    otherwise the short ones."""
    new = [row for row in rows if not row.merged]
    old = sorted((row for row in rows if row.merged), key=lambda row: row.entries)
    if any(blocks[row.id].withdraws.any() for row in new):
        return old
    total, taken = sum(row.entries for row in new), []
    for row in old:
        if row.entries > TIER * total:
            break
        taken.append(row)
        total += row.entries
    return taken


def _merge_all(batch: Sequence[Sequence[CellRow]], blocks: Blocks) -> list[_Merged]:
    return [_merge_key(rows, blocks) for rows in batch]


def _merge_key(rows: Sequence[CellRow], blocks: Blocks) -> _Merged:
    key = rows[0].key
    new = [blocks[row.id] for row in rows if not row.merged]
    old = [blocks[row.id] for row in rows if row.merged and row.id in blocks]
    anew = any(block.withdraws.any() for block in new)
    try:
        written = merge_blocks(new + old)
    except UnmatchedWithdrawal:
        raise DamagedCells(frozenset({key.role_id})) from None
    added = written if anew or not old else merge_blocks(new)
    return _Merged(key, written, added, anew)


def _changes(merged: Sequence[_Merged], places: _PlaceChanges) -> dict[Place, Change]:
    changes = {}
    for one in merged:
        key = one.key
        place = place_of(key.source_id, key.pay_kind, key.month, yearly=key.yearly)
        rollup = sum_entries(GRAINS["role"], one.added.amounts, None, days(key.month))
        changes[place] = Change(rollup, anew=one.anew)
        if one.anew:
            places.anew.add(place)
        else:
            places.added[place].append(one.added)
    return changes


async def _change_places(session: WriteSession, places: _PlaceChanges) -> None:
    changes = {}
    for place in places.anew:
        changes[place] = Change(await places_rollup(session, place), anew=True)
    for place in places.added.keys() - places.anew:
        rollup = await to_thread.run_sync(sum_places, place, places.added[place])
        changes[place] = Change(rollup)
    await change_rollups(session, GRAINS["places"], 0, changes)


async def places_rollup(session: AsyncSession, place: Place) -> Rollup:
    """The rollup of places of a month, or of a year's records of no month, from merged cells.

    Raises DamagedCells.
    """
    rollups = [sum_places(place, [])]
    for rows in in_batches(await merged_rows(session, place), lambda row: row.entries):
        blocks = await read_blocks(session, rows)
        rollups.append(await to_thread.run_sync(sum_places, place, blocks))
    return await to_thread.run_sync(add_rollups, rollups)


def sum_places(place: Place, blocks: Sequence[Block]) -> Rollup:
    """The rollup of places of those blocks."""
    amounts = np.concatenate([np.empty(0, AMOUNTS), *(block.amounts for block in blocks)])
    regions = [np.empty(0, ">i4"), *(block.places["region"] for block in blocks)]
    return sum_entries(GRAINS["places"], amounts, np.concatenate(regions), days(place.period))


def days(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days
