"""Releases are made from the right records, once, and never change."""

import asyncio
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import text

from app.core.database import Database
from app.core.errors import Conflict, Refused, UnknownValue
from app.core.versions import read_version
from app.settings import Settings
from tests.releases.conftest import MakeRelease, staff
from tests.support.builders import add_records, add_sources, salary

OVERALL = (
    "SELECT n.* FROM release_nodes n WHERE n.source_id = -1 AND n.role_id = -1"
    " AND n.region_id = -1 AND n.level_id = -1 AND n.release_id = :release"
)


@pytest.fixture(autouse=True)
async def sources(database: Database) -> None:
    await add_sources(database, club={"confidential": True}, guild={"confidential": True}, open={})


async def fetch(database: Database, statement: str, **values: Any) -> list[dict[str, Any]]:
    async with database.read() as session:
        rows = await session.execute(text(statement), values)
        return [dict(row._mapping) for row in rows]


async def overall(database: Database, release: int | None) -> dict[int, dict[str, Any]]:
    """The nodes over everything but time, by period."""
    rows = await fetch(database, OVERALL, release=release)
    return {row["period"]: row for row in rows}


async def test_figures_are_those_of_the_records(database: Database, make: MakeRelease) -> None:
    await add_records(database, *staff(41, on="2026-05-20"))
    made = await make()
    assert made.through == date(2026, 6, 30)
    shown = await overall(database, made.id)
    # 80,000 to 160,000 in steps of 2,000: percentiles fall on records, and are then rounded.
    expected = {"count": 40, "employers": 40, "mean": 120_000, "base": 1}
    expected |= {"p10": 88_000, "p25": 100_000, "p50": 120_000, "p75": 140_000, "p90": 152_000}
    assert {name: shown[0][name] for name in expected} == expected
    assert set(shown) == {0, 20262}


async def test_only_the_population_counts(database: Database, make: MakeRelease) -> None:
    await add_records(
        database,
        *staff(40, on="2025-02"),
        *staff(40, on="2025-02", pay_kind="total"),
        *staff(40, on="2026-07-01"),
        *staff(40, on="2026"),
        *staff(40, on="2025-02", source="open"),
        salary(None, low=90_000, high=None, source="club"),
        salary(source="club", rate_pending=True),
    )
    made = await make()
    shown = await overall(database, made.id)
    assert {period: row["count"] for period, row in shown.items()} == {
        0: 40,
        2025: 40,
        20251: 40,
    }


async def test_the_middle_of_ranges_and_unspecified_pay_kinds_count(
    database: Database, make: MakeRelease
) -> None:
    rows = [
        salary(low=80_000 + 2_000 * i, high=100_000 + 2_000 * i, employer=i, source="club")
        for i in range(21)
    ]
    more = staff(20, first=150_000, pay_kind="unspecified")
    await add_records(database, *rows, *more)
    shown = await overall(database, (await make()).id)
    assert (shown[0]["count"], shown[0]["p25"]) == (40, 110_000)


async def test_records_without_an_employer_are_one_employer(
    database: Database, make: MakeRelease
) -> None:
    await add_records(database, *[salary(80_000 + i * 999, source="club") for i in range(40)])
    made = await make(dry_run=True)
    assert made.figures == 0
    assert {(row["employers"], row["why"]) for row in made.hidden} == {(1, "few_employers")}


async def test_a_dry_run_writes_nothing_and_says_why(database: Database, make: MakeRelease) -> None:
    await add_records(database, *staff(40), *staff(3, level="principal"))
    async with database.read() as session:
        before = str(await read_version(session))
    made = await make(dry_run=True)
    assert made.id is None
    assert made.figures > 0
    hidden = {(row["level"], row["role"], row["region"], row["period"]) for row in made.hidden}
    assert ("principal", "django-developer", "US", "2025-Q2") in hidden
    assert made.summary["hidden"] == len(made.hidden)
    async with database.read() as session:
        assert str(await read_version(session)) == before
    for table in ("releases", "release_nodes", "release_versions", "release_regions"):
        assert await fetch(database, f"SELECT * FROM {table}") == []
    assert len((await make(dry_run=True, hidden_limit=2)).hidden) == 2


async def test_a_release_advances_the_epoch_and_is_audited(
    database: Database, make: MakeRelease
) -> None:
    await add_records(database, *staff(40))
    async with database.read() as session:
        before = await read_version(session)
    made = await make()
    async with database.read() as session:
        after = await read_version(session)
    assert (after.epoch, after.stamp != before.stamp) == (before.epoch + 1, True)
    (entry,) = await fetch(database, "SELECT action, details FROM audit_log")
    assert entry["action"] == "release.make"
    assert entry["details"] == {"release": made.id, "source": None, "figures": made.figures}


async def test_versions_follow_the_records(database: Database, make: MakeRelease) -> None:
    await add_records(database, *staff(40))
    await make()
    async with database.write() as session:
        await session.execute(
            text("UPDATE salary_records SET annual_amount = 99999 WHERE employer_key = 1000")
        )
        await session.execute(text("DELETE FROM salary_records WHERE employer_key = 1001"))
    await add_records(database, *staff(1, first=70_000, level="mid"))
    await make()
    stored = await fetch(
        database, "SELECT amount, first, last, record FROM release_versions ORDER BY amount"
    )
    changed = [row for row in stored if row["last"] is not None or row["first"] > 1]
    assert [(row["amount"], row["first"], row["last"]) for row in changed] == [
        (70_000, 2, None),
        (80_000, 1, 1),
        (82_000, 1, 1),
        (99_999, 2, None),
    ]
    records = {row["amount"]: row["record"] for row in changed}
    assert records[80_000] == records[99_999], "two versions of one record"
    assert len(set(records.values())) == 3
    assert len(stored) == 42


async def test_records_that_are_loaded_again_have_not_changed(
    database: Database, make: MakeRelease
) -> None:
    await add_records(database, *staff(40))
    await make()
    async with database.write() as session:
        await session.execute(text("DELETE FROM salary_records"))
    await add_records(database, *staff(40))
    await make()
    versions = await fetch(database, "SELECT first, last FROM release_versions")
    assert [tuple(row.values()) for row in versions] == [(1, None)] * 40


async def test_the_end_of_a_year_changes_no_record(database: Database, make: MakeRelease) -> None:
    await add_records(database, *staff(40, on="2025-11"))
    await make(today=date(2026, 1, 1))
    shown = await overall(database, (await make(today=date(2026, 2, 1))).id)
    assert set(shown) == {0, 2025, 20254}
    versions = await fetch(database, "SELECT DISTINCT first, last, year FROM release_versions")
    assert versions == [{"first": 1, "last": None, "year": 2025}]


async def test_a_region_that_moves_stays_where_it_was_released(
    database: Database, make: MakeRelease
) -> None:
    await add_records(database, *staff(40, region="US-CA-SFO"))
    made = await make()
    california = "SELECT id, parent_id FROM regions WHERE code = 'US-CA'"
    (before,) = await fetch(database, california)
    move = text("UPDATE regions SET parent_id = (SELECT id FROM regions WHERE code = :to)")
    move = text(f"{move.text} WHERE code = 'US-CA-SFO'")
    try:
        async with database.write() as session:
            await session.execute(move, {"to": "US-NY"})
        again = await make()
    finally:
        async with database.write() as session:
            await session.execute(move, {"to": "US-CA"})
    count = "SELECT count(*) AS nodes FROM release_nodes WHERE region_id = :region AND release_id"
    for release in (made.id, again.id):
        (found,) = await fetch(
            database, f"{count} = :release", region=before["id"], release=release
        )
        assert found["nodes"] > 0


async def test_series(database: Database, make: MakeRelease) -> None:
    await add_records(database, *staff(40), *staff(50, source="guild"), *staff(60, source="open"))
    await make()
    await make("club")
    public = await make("open")
    listed = await fetch(
        database,
        "SELECT r.series = 0 AS confidential, number, s.code AS scope FROM releases r"
        " LEFT JOIN sources s ON s.id = r.scope_id ORDER BY r.id",
    )
    assert [tuple(row.values()) for row in listed] == [
        (True, 1, None),
        (True, 2, "club"),
        (False, 1, None),
    ]
    assert (await overall(database, public.id))[0]["count"] == 60
    with pytest.raises(UnknownValue, match="nobody"):
        await make("nobody")


async def test_two_at_once(database: Database, make: MakeRelease, settings: Settings) -> None:
    await add_records(database, *staff(40))
    lock = text("SELECT pg_advisory_xact_lock(x) FROM (SELECT :lock ::bigint AS x) AS l")
    from app.releases.store import LOCK

    async with database.write() as session:
        await session.execute(lock, {"lock": LOCK})
        with pytest.raises(Conflict) as refused:
            await make()
    assert refused.value.problem_code == "locked"
    outcomes = await asyncio.gather(make(), make(), return_exceptions=True)
    made = [found for found in outcomes if not isinstance(found, BaseException)]
    assert len(await fetch(database, "SELECT * FROM releases")) == len(made) >= 1


async def test_a_clock_that_is_behind(database: Database, make: MakeRelease) -> None:
    await make()
    with pytest.raises(Refused) as refused:
        await make(today=date(2026, 6, 1))
    assert refused.value.problem_code == "clock_behind"


async def test_the_policy_is_the_settings(
    database: Database, make: MakeRelease, settings: Settings
) -> None:
    from dataclasses import fields

    from app.domain.disclosure import Policy

    names = {item.name for item in fields(Policy)}
    assert set(settings.release_policy) == names
    assert Policy(**settings.release_policy) == Policy()  # type: ignore[arg-type]
    assert replace(settings, release_min_records=9).release_policy["min_records"] == 9
    await make()
    (stored,) = await fetch(database, "SELECT policy FROM releases")
    assert stored["policy"] == settings.release_policy
