"""What merging does to stored records: repeats, corrections, sightings, concurrent writers."""

import asyncio
import random
from datetime import date
from typing import Any

import pytest
from sqlalchemy import text

from app.core.database import Database
from app.ingest import importer
from app.ingest.importer import Outcome
from app.ingest.profiles import Profile
from tests.ingest.conftest import Count, Import, csv_of, demand, salary

COUNTS = ("inserted", "updated", "unchanged")


def _counts(outcome: Outcome) -> tuple[int, ...]:
    return tuple(outcome.report[name] for name in COUNTS)


async def _records(database: Database, columns: str, table: str = "salary_records") -> list[Any]:
    async with database.read() as session:
        statement = text(f"SELECT {columns} FROM {table} ORDER BY external_id, record_id")
        return [tuple(row) for row in await session.execute(statement)]


async def _check_identities(database: Database, kind: str = "salary") -> None:
    """Every identity leads to exactly one record, and every record has one."""
    async with database.read() as session:
        lost = await session.scalar(
            text(
                f"SELECT count(*) FROM {kind}_identities i FULL JOIN {kind}_records r"
                " ON r.role_id = i.role_id AND r.record_id = i.record_id"
                " AND r.source_id = i.source_id AND r.key = i.key"
                " WHERE i.key IS NULL OR r.key IS NULL"
            )
        )
    assert lost == 0


async def test_the_same_file_again_changes_nothing(
    import_body: Import, database: Database, count: Count
) -> None:
    row = salary(external_id=None)
    body = csv_of(row, row, salary(external_id="x"), salary(external_id=None, amount=80_000))
    assert _counts(await import_body(body, batch="f.csv")) == (4, 0, 0)
    assert _counts(await import_body(body, batch="f.csv")) == (0, 0, 4)
    assert await count("salary_records") == 4
    assert _counts(await import_body(body, batch="g.csv")) == (3, 0, 1)
    await _check_identities(database)


async def test_rows_apply_in_file_order(import_body: Import, database: Database) -> None:
    rows = [salary(amount=amount) for amount in (50_000, 60_000, 60_000, 70_000)]
    assert _counts(await import_body(csv_of(*rows))) == (1, 2, 1)
    assert await _records(database, "annual_amount") == [(70_000,)]
    # What is stored is what the last row says: the rows before it are not applied once more.
    assert _counts(await import_body(csv_of(*rows))) == (0, 0, 4)
    assert await _records(database, "annual_amount") == [(70_000,)]
    await _check_identities(database)


async def test_a_change_and_its_return_are_two_updates(
    import_body: Import, database: Database
) -> None:
    there, back = salary(amount=60_000), salary(amount=50_000)
    assert _counts(await import_body(csv_of(back, there, back))) == (1, 2, 0)
    assert await _records(database, "annual_amount") == [(50_000,)]


async def test_repeats_are_counted_across_chunks(
    import_body: Import, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "CHUNK_ROWS", 2)
    rows = [salary(external_id=None) for _ in range(7)]
    assert _counts(await import_body(csv_of(*rows), batch="f.csv")) == (7, 0, 0)
    rows = [salary(amount=50_000 + n) for n in range(5)]
    assert _counts(await import_body(csv_of(*rows))) == (1, 4, 0)
    assert await _records(database, "annual_amount", "salary_records WHERE external_id = '1'") == [
        (50_004,)
    ]
    await _check_identities(database)


async def test_one_external_id_may_be_in_two_sources(
    import_body: Import, database: Database
) -> None:
    body = csv_of(salary(), salary(source="closed"), salary(amount=80_000))
    assert _counts(await import_body(body)) == (2, 1, 0)
    await _check_identities(database)


async def test_a_correction_may_change_the_role_and_keeps_who_inserted(
    import_body: Import, database: Database
) -> None:
    first = await import_body(csv_of(salary(role="django-developer")))
    second = await import_body(csv_of(salary(role="data-scientist")))
    assert _counts(second) == (0, 1, 0)
    columns = "(SELECT code FROM roles WHERE id = role_id), import_id, changed_import_id"
    assert await _records(database, columns) == [
        ("data-scientist", first.report["import"], second.report["import"])
    ]
    await _check_identities(database)


async def test_many_rows_are_tried_as_new_and_then_merged(
    import_body: Import, database: Database, count: Count
) -> None:
    old = [salary(external_id=str(n)) for n in range(500)]
    await import_body(csv_of(*old))
    new = [salary(external_id=str(n), amount=70_000 + n) for n in range(400, 2_400)]
    assert _counts(await import_body(csv_of(*new))) == (1_900, 100, 0)
    assert await count("salary_records") == 2_400
    await _check_identities(database)


async def test_a_large_correction_is_planned_for_its_size(
    import_body: Import, database: Database
) -> None:
    """After many small writes the server would go on with the plan that suited them, which joins
    20,000 rows with 20,000 one by one."""
    rows = [salary(external_id=str(n), role="django-developer") for n in range(20_000)]
    await import_body(csv_of(*rows))
    for n in range(8):
        await import_body(csv_of(salary(amount=80_000 + n)))
    corrected = [row | {"role": "data-scientist", "amount": 70_000} for row in rows]
    async with asyncio.timeout(20):
        assert _counts(await import_body(csv_of(*corrected))) == (0, 20_000, 0)
    await _check_identities(database)


async def test_a_span_source_keeps_the_first_day_and_moves_the_last(
    import_body: Import, database: Database
) -> None:
    def seen(on: str, **fields: Any) -> bytes:
        return csv_of(salary(source="wire", observed_on=on, **fields))

    columns = "observed_on, last_seen_on, annual_amount"
    await import_body(seen("2025-03-10"))
    assert _counts(await import_body(seen("2025-05-10", amount=95_000))) == (0, 1, 0)
    assert await _records(database, columns) == [(date(2025, 3, 10), date(2025, 5, 10), 95_000)]
    # A sighting before the first that was known.
    await import_body(seen("2025-02-01"))
    assert await _records(database, columns) == [(date(2025, 2, 1), date(2025, 5, 10), 90_000)]
    # A year that holds the known day says nothing of an earlier one.
    await import_body(seen("2025"))
    assert await _records(database, columns) == [(date(2025, 2, 1), date(2025, 5, 10), 90_000)]
    assert await _records(database, "precision") == [(1,)]
    # Also where the role changes.
    await import_body(seen("2025-06-01", role="data-scientist"))
    assert await _records(database, columns) == [(date(2025, 2, 1), date(2025, 6, 1), 90_000)]
    await _check_identities(database)


async def test_a_posting_is_priced_on_the_day_it_was_first_seen(
    import_body: Import, database: Database
) -> None:
    def seen(on: str, **fields: Any) -> bytes:
        row = {"source": "wire", "observed_on": on, "currency": "EUR", "amount": 50_000} | fields
        return csv_of(salary(**row))

    columns = "rate_on, rate_pending, round(amount_max * rate::numeric)::int = annual_high"
    await import_body(seen("2024-03-13"))
    await import_body(seen("2025-03-13", amount=55_000))
    assert await _records(database, columns) == [(date(2024, 3, 13), False, True)]
    assert await _records(database, "amount_max") == [(55_000,)]
    # In another currency it is priced anew, for the same day.
    await import_body(seen("2025-04-14", currency="GBP"))
    assert await _records(database, columns) == [(date(2024, 3, 13), False, True)]
    await import_body(seen("2025-05-14", currency="USD"))
    assert await _records(database, "rate_on, rate_pending, annual_high") == [(None, False, 50_000)]


async def test_sightings_within_one_file_count_together(
    import_body: Import, database: Database
) -> None:
    days = ("2025-03-10", "2025-01-05", "2025-07-01", "2025-04-02")
    rows = [salary(source="wire", observed_on=day) for day in days]
    assert _counts(await import_body(csv_of(*rows))) == (1, 3, 0)
    assert await _records(database, "observed_on, last_seen_on") == [
        (date(2025, 1, 5), date(2025, 7, 1))
    ]


async def test_a_title_that_means_something_else_now_moves_its_records(
    import_body: Import, database: Database
) -> None:
    body = csv_of(salary(title="Grand Falconer", external_id=None))
    await import_body(body, batch="f")
    assert await _records(database, "role_id") == [(0,)]
    outcome = await import_body(body, batch="f", create_roles=True)
    assert _counts(outcome) == (0, 1, 0)
    assert await _records(database, "(SELECT code FROM roles WHERE id = role_id)") == [
        ("grand-falconer",)
    ]
    await _check_identities(database)


async def test_demand_merges_alike(import_body: Import, database: Database) -> None:
    body = csv_of(demand(skills="Go;SQL"), demand(external_id="2", openings=0, candidates=3.5))
    assert _counts(await import_body(body, "demand")) == (2, 0, 0)
    assert _counts(await import_body(body, "demand")) == (0, 0, 2)
    assert _counts(await import_body(csv_of(demand(openings=11)), "demand")) == (0, 1, 0)
    assert await _records(database, "openings, candidates, skills", "demand_records") == [
        (11.0, None, []),
        (0.0, 3.5, []),
    ]
    await _check_identities(database, "demand")


async def test_benchmarks_are_replaced_by_their_identity(import_body: Import, count: Count) -> None:
    row = {"source": "acme", "soc": "15-1252", "region": "US", "period": "2024-05"}
    row |= {"currency": "USD", "p50": "130000"}
    other = row | {"period": "2024-Q2", "p50": "131000.0"}
    assert _counts(await import_body(csv_of(row, other), "benchmark")) == (2, 0, 0)
    assert _counts(await import_body(csv_of(row, other), "benchmark")) == (0, 0, 2)
    changed = row | {"p50": "140000"}
    assert _counts(await import_body(csv_of(row, changed, changed), "benchmark")) == (0, 1, 2)
    assert await count("benchmarks WHERE p50 = 140000") == 1


async def test_concurrent_writers_neither_double_nor_lose(
    import_body: Import, database: Database, count: Count
) -> None:
    """Writers correct the same records at once, roles included: nobody fails, and in the end every
    identity has one record, that of one of the writers."""
    roles = ("django-developer", "data-scientist", "data-engineer", "software-developer")
    ids, rounds, writers = 60, 4, 4

    async def write(writer: int) -> None:
        rng = random.Random(writer)
        for _ in range(rounds):
            chosen = rng.sample(range(ids), ids // 2)
            rows = [
                salary(external_id=str(n), role=rng.choice(roles), amount=50_000 + writer)
                for n in chosen
            ]
            outcome = await import_body(csv_of(*rows))
            assert outcome.status == 200
            assert sum(_counts(outcome)) == len(rows)

    await asyncio.gather(*(write(writer) for writer in range(writers)))
    await _check_identities(database)
    assert await count("salary_records") == await count("salary_identities") <= ids
    assert await count("(SELECT DISTINCT external_id FROM salary_records) s") == await count(
        "salary_records"
    )


async def test_a_writer_sees_what_moved_while_it_waited(
    database: Database, import_body: Import
) -> None:
    """Two corrections of one record to two roles, the second waiting for the first: a statement
    that only knows what was committed when it began would leave the first one's record behind."""
    await import_body(csv_of(salary(role="django-developer")))
    async with database.write() as session:
        # Another writer's uncommitted move, as the merge makes it.
        role = "(SELECT id FROM roles WHERE code = 'data-engineer')"
        await session.execute(
            text(f"UPDATE salary_identities SET previous_role_id = role_id, role_id = {role}")
        )
        await session.execute(text(f"UPDATE salary_records SET role_id = {role}"))
        waiting = asyncio.create_task(import_body(csv_of(salary(role="data-scientist"))))
        await asyncio.sleep(1.0)
        assert not waiting.done()
    assert _counts(await waiting) == (0, 1, 0)
    assert await _records(database, "(SELECT code FROM roles WHERE id = role_id)") == [
        ("data-scientist",)
    ]
    await _check_identities(database)


async def test_one_row_may_give_a_salary_and_a_demand_record(
    import_body: Import, count: Count
) -> None:
    shared = {"source": "source", "external_id": "id", "region": "region", "observed_on": "on"}
    pay = {"columns": shared | {"amount": "pay", "currency": "currency"}}
    openings = {"columns": shared | {"openings": "open"}, "constants": {"measure": "new"}}
    profile = Profile.from_mapping({"salary": pay, "demand": openings}, name="both")
    body = b"source,id,region,on,pay,currency,open\nacme,1,US,2025,90000,USD,3\n"
    body += b"acme,2,US,2025,1,USD,4\nacme,3,US,2025,90000,USD,-1\n"
    outcome = await import_body(body, profile=profile)
    assert (outcome.report["received"], outcome.report["rejected"]) == (3, 2)
    assert _counts(outcome) == (4, 0, 0)
    assert [error["row"] for error in outcome.report["errors"]] == [2, 3]
    assert await count("salary_records") == await count("demand_records") == 2
    assert _counts(await import_body(body, profile=profile)) == (0, 0, 4)


async def test_a_number_too_large_to_scale_is_one_bad_row(
    import_body: Import, database: Database
) -> None:
    mapping = {
        "kind": "salary",
        "columns": {name: name for name in ("external_id", "region", "amount", "observed_on")},
        "constants": {"source": "acme", "currency": "USD"},
        "scale": {"amount": 1000},
    }
    profile = Profile.from_mapping(mapping, name="thousands")
    amounts = ["9" * 24, "1e25", "85", "99.1234567890123", "9" * 60, "1e400", "none"]
    lines = [f"k{place},US,{amount},2026" for place, amount in enumerate(amounts)]
    body = "\n".join(["external_id,region,amount,observed_on", *lines]).encode()
    report = (await import_body(body, profile=profile)).report
    assert (report["inserted"], report["rejected"]) == (2, 5)
    assert [str(row[0]) for row in await _records(database, "amount_max")] == [
        "85000",
        "99123.4567890123",
    ]
