"""Compaction changes how cells are kept, and never what they say."""

import asyncio
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.cells import compaction
from app.cells.compaction import Compacted, compact
from app.cells.store import read_blocks, replace_rollups
from app.core.database import Database, WriteSession
from app.core.errors import Unavailable
from tests.support.entries import check_cells
from tests.support.rollups import check_rollups
from tests.support.written import Row, Written, record, written

EXAMPLES = 6
"""Histories that are drawn."""
MONTHS = (date(2024, 12, 31), date(2025, 1, 1), date(2025, 2, 28), date(2025, 3, 14))


@pytest.fixture
async def records(database: Database) -> Written:
    return await written(database)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "BATCH", 3)


async def compact_all(database: Database, most: int = compaction.MOST) -> int:
    """Pass after pass, until nothing is left; how many entries were merged."""
    merged = 0
    for _ in range(1_000):
        done = await compact(database, most)
        assert not done.busy
        if not done.entries:
            return merged
        merged += done.entries
    raise AssertionError("compaction comes to no end")


async def count_rows(database: Database, condition: str = "true") -> int:
    async with database.read() as session:
        counted = await session.scalar(text(f"SELECT count(*) FROM salary_cells WHERE {condition}"))
    return int(counted or 0)


async def execute(database: Database, statement: str) -> None:
    async with database.write() as session:
        await session.execute(text(statement))


@st.composite
def _record(draw: st.DrawFn) -> Row:
    values: Row = {
        "role_id": draw(st.sampled_from((1, 1, 70_000))),
        "source_id": draw(st.sampled_from((0, 0, 1))),
        "region_id": draw(st.sampled_from((1, 2, 2**31 - 1))),
        "level_id": draw(st.sampled_from((1, 2**15 - 1))),
        "observed_on": draw(st.sampled_from(MONTHS)),
        "pay_kind": draw(st.sampled_from((1, 1, 2))),
    }
    precision = draw(st.sampled_from(("day", "day", "day", "month", "year")))
    if precision != "day":
        month = values["observed_on"].month if precision == "month" else 1
        values |= {"precision": precision, "observed_on": date(2025, month, 1)}
    amount = draw(st.sampled_from((1_000, 1_001, 95_000, 95_000, 10_000_000)))
    special: dict[str, Any] = draw(
        st.sampled_from(
            (
                *({}, {}, {}, {"amount_max": amount + 2}),
                {"annual_amount": None, "amount_min": None},
                {"annual_amount": None, "rate_pending": True},
                {"annual_amount": None, "rate_pending": True, "amount_max": None},
                {"annual_amount": None},
            )
        )
    )
    return record(amount, **(values | special))


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(_record(), min_size=1, max_size=12)),
        st.tuples(st.just("withdraw"), st.lists(st.integers(0, 50), min_size=1, max_size=6)),
        st.tuples(st.just("compact"), st.sampled_from((1, 4, 1_000))),
    ),
    min_size=2,
    max_size=8,
)


@given_settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=_STEPS)
async def test_any_history_with_compactions_leaves_what_the_records_say(
    records: Written, small_batches: None, steps: list[tuple[str, Any]]
) -> None:
    await records.begin_again()
    for name, about in steps:
        if name == "add":
            await records.add(about)
        elif name == "withdraw":
            await records.withdraw(about)
        else:
            await compact(records.database, about)
            await check_rollups(records.database)
        await check_cells(records.database)
    await compact_all(records.database)
    await check_rollups(records.database)
    assert await check_cells(records.database) == len(records.left)
    await records.withdraw(range(len(records.left)))
    await compact_all(records.database)
    assert await check_rollups(records.database) == 0
    assert await count_rows(records.database) == 0


async def test_counts_and_gaps_past_a_byte_are_kept(records: Written) -> None:
    """A pair of the rollups of places has a byte for each."""
    rows = [record(amount) for amount in (1_000, 12_000, 10_000_000) for _ in range(256)]
    await records.add([*rows, *rows, record(1_010)])
    await records.add([record(amount, level_id=3) for amount in (1_000, 10_000_000)])
    await compact_all(records.database)
    await records.add(rows)
    await compact_all(records.database)
    assert await check_rollups(records.database) == 6
    await records.withdraw(range(700))
    await compact_all(records.database)
    assert await check_rollups(records.database) == 6


async def test_a_few_new_records_do_not_write_a_long_row_again(records: Written) -> None:
    await records.add([record(50_000 + number) for number in range(100)])
    await compact_all(records.database)
    async with records.database.read() as session:
        long = await session.scalar(text("SELECT id FROM salary_cells"))
    await records.add([record()])
    await compact_all(records.database)
    assert await count_rows(records.database, f"id = {long}") == 1
    await records.add([record(60_000 + number) for number in range(50)])
    await compact_all(records.database)
    assert await count_rows(records.database) == 1
    await check_rollups(records.database)


async def test_merged_entries_are_sorted_by_region_level_and_amount(records: Written) -> None:
    chosen = [(region, level) for region in (3, 1, 2**31 - 1) for level in (2, 1)]
    rows = [
        record(90_000 - region % 7, region_id=region, level_id=level) for region, level in chosen
    ]
    await records.add([*rows, record(80_000, region_id=1, level_id=1)])
    await compact_all(records.database)
    async with records.database.read() as session:
        row = (await session.execute(text("SELECT places, amounts FROM salary_cells"))).one()
    keys = [
        (row.places[at : at + 4], row.amounts[at + 4 : at + 6], row.amounts[at : at + 4])
        for at in range(0, len(row.places), 8)
    ]
    assert keys == sorted(keys)


async def test_answers_stay_while_writers_readers_and_compactions_run(records: Written) -> None:
    stop = asyncio.Event()

    async def write(role: int) -> None:
        for number in range(8):
            await records.add([record(1_000 + 17 * number + n, role_id=role) for n in range(5)])
            if number % 3 == 2:
                await records.withdraw([number, 2 * number])

    async def keep() -> int:
        passes = 0
        while not stop.is_set():
            passes += bool((await compact(records.database, 7)).entries)
        return passes

    async def read() -> None:
        while not stop.is_set():
            await check_cells(records.database)
            await check_rollups(records.database)

    others = [asyncio.create_task(act) for act in (keep(), keep(), read())]
    try:
        await asyncio.gather(write(1), write(2))
    finally:
        stop.set()
        passes = await asyncio.gather(*others)
    assert passes[0] or passes[1]
    await compact_all(records.database)
    await check_rollups(records.database)
    assert await check_cells(records.database) == len(records.left)


async def test_two_compactions_at_once_merge_everything_once(records: Written) -> None:
    await records.add([record(50_000 + number) for number in range(40)])
    done = await asyncio.gather(*(compact(records.database) for _ in range(3)))
    assert sum(one.entries for one in done) == 40
    assert await check_rollups(records.database) == 6
    assert await check_cells(records.database) == 40


async def _end(database: Database, session: WriteSession) -> None:
    """Terminate the connection of a session, as a crash would."""
    backend = await session.scalar(text("SELECT pg_backend_pid()"))
    await execute(database, f"SELECT pg_terminate_backend({backend}, 5000)")


async def test_a_compaction_that_is_cut_off_changes_nothing(
    records: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    await records.add([record(), record(role_id=2)])
    await compact_all(records.database)
    await records.add([record(70_000), record(80_000, role_id=2)])
    calls = 0

    async def cut_off(session: WriteSession, *about: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            await _end(records.database, session)
        await replace_rollups(session, *about)

    monkeypatch.setattr("app.cells.spans.replace_rollups", cut_off)
    with pytest.raises(Unavailable):
        await compact(records.database)
    assert await count_rows(records.database, "NOT merged") == 2
    await check_rollups(records.database)
    assert await check_cells(records.database) == 4
    assert await compact(records.database) == Compacted(2)
    await check_rollups(records.database)


async def test_rows_that_vanish_end_a_compaction_without_effect(
    records: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    await records.add([record(), record(role_id=2)])

    async def meanwhile(session: WriteSession, rows: Any) -> Any:
        blocks = await read_blocks(session, rows)
        await execute(records.database, "DELETE FROM salary_cells WHERE role_id = 2")
        return blocks

    monkeypatch.setattr("app.cells.compaction.read_blocks", meanwhile)
    assert (await compact(records.database)).busy
    assert await count_rows(records.database, "NOT merged") == 1
    assert await check_rollups(records.database) == 0


async def test_what_another_version_writes_is_left_alone(records: Written) -> None:
    await records.add([record()])
    await compact_all(records.database)
    await records.add([record(70_000)])
    for table in ("salary_cells", "salary_rollups"):
        await execute(records.database, f"UPDATE {table} SET form = 99")
        assert await compact(records.database) == Compacted()
        await execute(records.database, f"UPDATE {table} SET form = 1")
    assert await compact(records.database) == Compacted(1)
