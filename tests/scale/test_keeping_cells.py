"""Cells that are damaged, or behind their records, are found and made anew."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

import app.cli
from app.cells import rebuilding
from app.cells.checking import check_places, check_role
from app.cells.compaction import Compacted, compact
from app.cells.keeping import Keeper, count_unmerged, mark_unsound
from app.cells.rebuilding import rebuild_role, rebuild_unsound
from app.core.database import Database
from app.core.versions import read_versions
from app.settings import Settings
from tests.support.entries import check_cells
from tests.support.rollups import check_rollups
from tests.support.written import Written, record, written


@pytest.fixture
async def records(database: Database) -> Written:
    """Two roles, merged."""
    records = await written(database)
    await records.add([record(50_000 + number, role_id=1 + number % 2) for number in range(20)])
    await compact(database)
    return records


async def execute(database: Database, statement: str) -> None:
    async with database.write() as session:
        await session.execute(text(statement))


async def unsound(database: Database) -> tuple[set[int], bool]:
    """Roles that are not sound, and whether the rollups of places are."""
    async with database.read() as session:
        versions = await read_versions(session)
    return set(versions.unsound), versions.places_sound


async def is_right(records: Written) -> bool:
    """Whether cells and rollups are what the records say, as tests and the command see it."""
    assert await check_cells(records.database) == len(records.left)
    await check_rollups(records.database)
    return [
        await check_role(records.database, 1),
        await check_role(records.database, 2),
        await check_places(records.database),
    ] == [None] * 3


CELL_STRINGS = ("amounts", "places", "paid", "amounts_check", "places_check", "paid_check")


@pytest.mark.parametrize(
    ("string", "merged"),
    [(name, ("merged", "NOT merged")[place % 2]) for place, name in enumerate(CELL_STRINGS)],
)
async def test_a_damaged_cell_is_found_and_its_role_made_anew(
    records: Written, string: str, merged: str
) -> None:
    database = records.database
    await records.add([record(60_000 + number, role_id=1 + number % 2) for number in range(20)])
    await execute(
        database,
        f"UPDATE salary_cells SET {string} = set_byte({string}, 1, 255 - get_byte({string}, 1))"
        f" WHERE role_id = 2 AND {merged}",
    )
    assert await check_role(database, 2) == "its cells or rollups are damaged"
    assert await check_role(database, 1) is None
    # The other role is merged all the same.
    assert await compact(database) == Compacted(10)
    assert await unsound(database) == ({2}, True)
    assert await rebuild_unsound(database)
    assert await unsound(database) == (set(), True)
    assert await is_right(records)


@pytest.mark.parametrize(
    ("string", "grain"),
    [
        ("heads", 1),
        ("pairs", 1),
        ("pairs_check", 1),
        ("heads", 2),
        ("pairs", 2),
        ("heads_check", 2),
    ],
)
async def test_a_damaged_rollup_is_found_and_made_anew(
    records: Written, string: str, grain: int
) -> None:
    database = records.database
    await execute(
        database,
        f"UPDATE salary_rollups SET {string} = set_byte({string}, 1, 255 - get_byte({string}, 1))"
        f" WHERE role_id = {2 if grain == 1 else 0} AND grain = {grain} AND span = 1",
    )
    await records.add([record(60_000 + number, role_id=1 + number % 2) for number in range(20)])
    assert await compact(database) == Compacted(10 if grain == 1 else 20)
    assert await unsound(database) == (({2}, True) if grain == 1 else (set(), False))
    assert await rebuild_unsound(database)
    assert await is_right(records)


async def test_a_withdrawal_of_what_is_not_there_makes_the_role_anew(records: Written) -> None:
    database = records.database
    await execute(database, "DELETE FROM salary_cells WHERE role_id = 2")
    await records.withdraw([1])
    assert await compact(database) == Compacted()
    assert await unsound(database) == ({2}, True)
    assert await rebuild_unsound(database)
    assert await is_right(records)


async def test_writers_go_on_while_a_role_is_made_anew(
    records: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they write after the snapshot of the rebuild is neither lost nor counted twice."""
    database = records.database
    packed = rebuilding.packed_records

    async def meanwhile(session: Any, role_id: int) -> Any:
        async for cells in packed(session, role_id):
            await records.add([record(90_000, role_id=2), record(91_000, role_id=2)])
            await records.withdraw([1, 3])
            yield cells

    monkeypatch.setattr(rebuilding, "packed_records", meanwhile)
    await mark_unsound(database, {2})
    assert (await rebuild_role(database, 2)).entries == 10
    assert await unsound(database) == (set(), False)
    monkeypatch.undo()
    await compact(database)
    assert await rebuild_unsound(database)
    assert await is_right(records)


async def test_a_writer_without_cells_during_a_rebuild_leaves_the_role_unsound(
    records: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = records.database
    packed = rebuilding.packed_records

    async def meanwhile(session: Any, role_id: int) -> Any:
        async for cells in packed(session, role_id):
            await execute(database, "UPDATE role_versions SET version = version + 1")
            yield cells

    monkeypatch.setattr(rebuilding, "packed_records", meanwhile)
    await mark_unsound(database, {2})
    await rebuild_role(database, 2)
    assert 2 in (await unsound(database))[0]


async def test_long_roles_are_made_anew_piece_by_piece(
    records: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "CHUNK", 3)
    await mark_unsound(records.database, {1, 2})
    await mark_unsound(records.database, ())
    assert await rebuild_unsound(records.database)
    assert await is_right(records)


async def test_what_another_version_writes_is_not_made_anew(records: Written) -> None:
    await mark_unsound(records.database, {1})
    await execute(records.database, "UPDATE salary_cells SET form = 99 WHERE role_id = 2")
    assert not await rebuild_unsound(records.database)
    assert await unsound(records.database) == ({1}, True)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_entries_are_merged_when_they_are_many_or_have_waited(
    records: Written, settings: Settings
) -> None:
    database, clock = records.database, Clock()
    few = replace(settings, compact_entries=10, compact_every_s=60)
    keeper = Keeper(database, few, clock=clock)

    async def left() -> int:
        assert await keeper.look()
        return (await count_unmerged(database)).entries

    assert await left() == 0
    await records.add([record() for _ in range(9)])
    assert await left() == 9
    clock.now += 59
    assert await left() == 9
    await records.add([record()])
    assert await left() == 0
    await records.add([record()])
    assert await left() == 1
    clock.now += 61
    assert await left() == 0
    assert await is_right(records)


async def test_the_service_makes_unsound_roles_anew_by_itself(
    records: Written, settings: Settings
) -> None:
    """As after writes of an older service, which knows no cells."""
    database = records.database
    await execute(database, "DELETE FROM salary_cells WHERE role_id = 1")
    await execute(database, "UPDATE role_versions SET version = version + 1 WHERE role_id = 1")
    assert await Keeper(database, settings).look()
    assert await unsound(database) == (set(), True)
    assert await is_right(records)


async def test_keeping_goes_on_after_the_database_was_away(
    records: Written, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cells.keeping.LOOK_S", 0.001)
    monkeypatch.setattr("app.cells.keeping.LONGEST_PAUSE_S", 0.01)
    database = records.database
    away = Database(settings, "postgresql+asyncpg://nobody@127.0.0.1:1/none")
    keeper = Keeper(away, replace(settings, compact_entries=1))
    task = asyncio.create_task(keeper.run())
    try:
        await asyncio.sleep(0.05)
        assert not task.done()
        await records.add([record()])
        keeper._database = database
        ends = time.monotonic() + 20
        while (await count_unmerged(database)).entries:
            assert time.monotonic() < ends
            await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await away.close()


@pytest.fixture
def payband(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PAYBAND_DATABASE_URL", database_url)

    async def run(*words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app.cli.cli, ["compact", *words])

    return run


async def test_the_command_merges_repairs_and_checks(records: Written, payband: Any) -> None:
    await records.add([record(), record(role_id=2)])
    assert "2 entries merged" in (await payband()).output
    assert "are what the records say" in (await payband("--check")).output
    await execute(records.database, "UPDATE salary_cells SET places = amounts WHERE role_id = 2")
    checked = await payband("--check")
    assert checked.exit_code == 1
    assert "role 2: its cells or rollups are damaged" in checked.output
    assert "22 records" in (await payband("--rebuild")).output
    assert (await payband("--check")).exit_code == 0
    assert await is_right(records)
