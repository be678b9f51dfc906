"""Rows put straight into the tables, for tests of what reads, moves and deletes them."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, text

from app.core.database import Database, WriteSession
from app.domain.vocabulary import MEASURES, PAY_PERIODS, PRECISIONS, RECURRENCES, SOURCE_KINDS
from app.tables import (
    DemandIdentity,
    DemandRecord,
    Region,
    Role,
    SalaryIdentity,
    SalaryRecord,
    Source,
    Title,
)
from tests.support.cells import add_cells

_record_ids = count(1)


async def store_source(session: WriteSession, code: str, *, confidential: bool = False) -> int:
    """A source without records; its id. Renews the stamp, so that every catalogue sees it."""
    values = {
        "code": code,
        "name": code.title(),
        "kind": SOURCE_KINDS["reported"],
        "recurrence": RECURRENCES["replace"],
        "confidential": confidential,
    }
    await session.execute(text("UPDATE epoch SET epoch = epoch + 1, stamp = gen_random_uuid()"))
    return await _id(session, insert(Source).values(**values).returning(Source.id))


async def store_title(session: WriteSession, title: str, role_id: int = 0) -> int:
    """A stored title that was matched to a role; its id."""
    return await _id(session, insert(Title).values(text=title, role_id=role_id).returning(Title.id))


async def role_id(session: WriteSession, code: str) -> int:
    """The id of a role by its code."""
    return await _id(session, select(Role.id).where(Role.code == code))


async def region_id(session: WriteSession, code: str) -> int:
    """The id of a region by its code."""
    return await _id(session, select(Region.id).where(Region.code == code))


async def store_salary(session: WriteSession, source_id: int, **values: Any) -> UUID:
    """One salary record of 100,000 USD a year on 2026-03-02, with its identity; the key."""
    day: date = values.pop("observed_on", date(2026, 3, 2))
    amount = Decimal(values.pop("amount", 100_000))
    record = {
        **_shared(source_id, day, values),
        "last_seen_on": day,
        "annual_low": int(amount),
        "annual_high": int(amount),
        "annual_amount": int(amount),
        "amount_min": amount,
        "amount_max": amount,
        "currency": "USD",
        "pay_period": PAY_PERIODS["year"],
        **values,
    }
    return await _store(session, SalaryRecord, SalaryIdentity, record)


async def store_demand(session: WriteSession, source_id: int, **values: Any) -> UUID:
    """One demand record of 10 new openings on 2026-03-02, with its identity; the key."""
    day: date = values.pop("observed_on", date(2026, 3, 2))
    record = {
        **_shared(source_id, day, values),
        "openings": 10.0,
        "measure": MEASURES["new"],
        **values,
    }
    return await _store(session, DemandRecord, DemandIdentity, record)


async def count_rows(database: Database, table: str) -> int:
    """How many rows a table holds."""
    async with database.read() as session:
        return int(await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def _shared(source_id: int, day: date, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "role_id": 0,
        "region_id": 0,
        "source_id": source_id,
        "record_id": next(_record_ids),
        "import_id": 0,
        "changed_import_id": 0,
        "observed_on": day,
        "observed_until": day,
        "precision": PRECISIONS["day"],
        "key": values.pop("key", None) or uuid4(),
    }


async def _store(session: WriteSession, table: Any, identity: Any, record: dict[str, Any]) -> UUID:
    await session.execute(insert(table).values(**record))
    await session.execute(
        insert(identity).values(
            source_id=record["source_id"],
            key=record["key"],
            record_id=record["record_id"],
            role_id=record["role_id"],
            previous_role_id=record["role_id"],
            content_hash=0,
            changed_import_id=0,
        )
    )
    if table is SalaryRecord:
        await add_cells(session, [record["record_id"]])
    key: UUID = record["key"]
    return key


async def _id(session: WriteSession, statement: Any) -> int:
    found = await session.scalar(statement)
    assert found is not None
    return int(found)


def days(start: date, number: int) -> list[date]:
    """`number` days in a row."""
    return [start + timedelta(days=offset) for offset in range(number)]
