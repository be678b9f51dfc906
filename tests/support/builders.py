"""Builders of records: a test says what matters, the rest has sensible values.

Rows go straight into the tables, past the import: for tests of what reads them.
"""

from collections.abc import Sequence
from itertools import count
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select

from app.core.database import Database, WriteSession
from app.core.versions import advance_epoch
from app.domain.dates import parse_interval
from app.domain.vocabulary import (
    EMPLOYMENT_TYPES,
    MEASURES,
    PAY_KINDS,
    PAY_PERIODS,
    PRECISIONS,
    SOURCE_KINDS,
    WORK_MODES,
)
from app.tables import (
    DemandRecord,
    Industry,
    Level,
    Region,
    Role,
    SalaryRecord,
    Source,
    Table,
)
from tests.support.cells import renew_cells

Row = dict[str, Any]

_record_ids = count(1)


def salary(amount: int | None = 100_000, **values: Any) -> Row:
    """A salary record: a point, or a range with `low` and `high` (one may be None).

    `role`, `region`, `level`, `industry` and `source` are codes, `on` a date of any precision,
    `employer` any number. Amounts are yearly and in the base currency, unless `paid` gives the
    columns amount_min, amount_max, currency, pay_period and fte.
    """
    low, high = values.pop("low", amount), values.pop("high", amount)
    whole = low is not None and high is not None
    paid = {"amount_min": low, "amount_max": high, "currency": "USD", "pay_period": "year"}
    paid |= values.pop("paid", {})
    pending = values.pop("rate_pending", False)
    return {
        **_common(values),
        **paid,
        "pay_period": PAY_PERIODS[paid["pay_period"]],
        "annual_low": None if pending else low,
        "annual_high": None if pending else high,
        "annual_amount": (low + high + 1) // 2 if whole and not pending else None,
        "rate_pending": pending,
        "employment_type": EMPLOYMENT_TYPES[values.pop("employment_type", "full_time")],
        "work_mode": WORK_MODES[values.pop("work_mode", "unspecified")],
        "pay_kind": PAY_KINDS[values.pop("pay_kind", "base")],
        **_nothing_left(values),
    }


def demand(openings: float = 10, **values: Any) -> Row:
    """A demand record; `measure` is new (default) or open. Otherwise as `salary`."""
    return {
        **_common(values),
        "openings": openings,
        "candidates": values.pop("candidates", None),
        "measure": MEASURES[values.pop("measure", "new")],
        **_nothing_left(values),
    }


def _common(values: Row) -> Row:
    interval = parse_interval(values.pop("on", "2025-06-15"))
    codes = {"role": "django-developer", "region": "US", "level": "senior", "source": "survey"}
    codes |= {"industry": "unspecified"}
    return {
        **{name: values.pop(name, default) for name, default in codes.items()},
        "employer_key": values.pop("employer", None),
        "observed_on": interval.first,
        "observed_until": interval.last,
        "precision": PRECISIONS[interval.precision],
        "external_id": values.pop("external_id", None),
    }


def _nothing_left(values: Row) -> Row:
    assert not values, f"builders do not know {sorted(values)}"
    return {}


async def add_sources(database: Database, **sources: Any) -> None:
    """Sources by code; each value is a mapping of columns, `kind` as a word (default reported)."""
    async with database.write() as session:
        for code, columns in sources.items():
            row = {"code": code.replace("_", "-"), "name": code.title(), **columns}
            row["kind"] = SOURCE_KINDS[columns.get("kind", "reported")]
            await session.execute(insert(Source).values(row))
        await advance_epoch(session)


async def add_records(database: Database, *rows: Row) -> None:
    """Insert what `salary` and `demand` built. A source `survey` is made where it is missing."""
    if any(row["source"] == "survey" for row in rows):
        async with database.read() as session:
            known = await session.scalar(select(Source.id).where(Source.code == "survey"))
        if known is None:
            await add_sources(database, survey={"name": "Survey", "licence": "CC0 1.0"})
    async with database.write() as session:
        ids = {
            "role": await _ids(session, Role),
            "region": await _ids(session, Region),
            "level": await _ids(session, Level),
            "industry": await _ids(session, Industry),
            "source": await _ids(session, Source),
        }
        for table in (SalaryRecord, DemandRecord):
            wanted = [row for row in rows if ("openings" in row) == (table is DemandRecord)]
            if wanted:
                await session.execute(insert(table), _stored(wanted, ids, table))
        await renew_cells(session)
        await advance_epoch(session)


def _stored(rows: Sequence[Row], ids: dict[str, dict[str, int]], table: type[Table]) -> list[Row]:
    stored = []
    for row in rows:
        columns = {name: value for name, value in row.items() if name not in ids}
        columns |= {f"{name}_id": known[row[name]] for name, known in ids.items()}
        columns |= {"record_id": next(_record_ids), "key": uuid4()}
        columns |= {"import_id": 0, "changed_import_id": 0}
        if table is SalaryRecord:
            columns["last_seen_on"] = row["observed_until"]
        stored.append(columns)
    return stored


async def _ids(session: WriteSession, table: type[Any]) -> dict[str, int]:
    rows = (await session.execute(select(table.code, table.id))).all()
    return {row.code: row.id for row in rows}
