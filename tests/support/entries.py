"""Whether cells are what the public records say."""

from collections import Counter
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from math import isnan
from typing import Any, Final

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.cells.reading import CellScope, read_cells
from app.cells.strings import (
    DAY,
    MONTHLY,
    ONE_SIDED,
    OUT_OF_BOUNDS,
    PENDING,
    PENDING_ONE_SIDED,
    RANGED,
    WITHDRAWN,
)
from app.core.database import Database
from app.core.versions import read_versions
from app.domain.money import annual_amount
from app.domain.vocabulary import PAY_PERIODS, PRECISIONS, word_of
from app.tables import Source

_KEYS: Final = ("role_id", "source_id", "pay_kind", "month", "yearly")


Entry = tuple[Any, ...]
"""What cells say of a record: role, source, pay kind, month, yearly, amount or its code, level,
day, ranged, monthly, employment type, work mode, region, industry, currency, paid (None: nothing).
"""


async def check_cells(database: Database) -> int:
    """Assert that cells add up to the public records, and their versions are those of the roles;
    how many records there are."""
    async with database.read() as session:
        expected, found = await _of_records(session), await _of_cells(session)
        versions = await read_versions(session)
    assert found == expected
    assert not versions.unsound
    return sum(expected.values())


async def _of_records(session: AsyncSession) -> dict[Entry, int]:
    """How often each entry must be there: every public record, one by one."""
    rows = await session.execute(
        text(
            "SELECT r.* FROM salary_records r, sources s"
            " WHERE s.id = r.source_id AND NOT s.confidential"
        )
    )
    return dict(Counter(_entry_of(row) for row in rows.mappings()))


def _entry_of(row: RowMapping) -> Entry:
    day: date = row["observed_on"]
    return (
        *(row["role_id"], row["source_id"], row["pay_kind"], day.replace(day=1)),
        *(row["precision"] == PRECISIONS["year"], _amount_of(row), row["level_id"], day.day),
        row["amount_min"] is not None
        and row["amount_max"] is not None
        and row["amount_min"] < row["amount_max"],
        row["precision"] == PRECISIONS["month"],
        *(row["employment_type"], row["work_mode"], row["region_id"], row["industry_id"]),
        *(row["currency"], _paid_of(row)),
    )


def _amount_of(row: RowMapping) -> int:
    one_sided = None in {row["amount_min"], row["amount_max"]}
    if row["rate_pending"]:
        return PENDING_ONE_SIDED if one_sided else PENDING
    if one_sided:
        return ONE_SIDED
    return OUT_OF_BOUNDS if row["annual_amount"] is None else row["annual_amount"]


def _paid_of(row: RowMapping) -> float | None:
    """The middle as it was paid, a year; None where it is one-sided or was out of bounds."""
    if _amount_of(row) in {ONE_SIDED, OUT_OF_BOUNDS, PENDING_ONE_SIDED}:
        return None
    middle = (row["amount_min"] + row["amount_max"]) / 2
    yearly = annual_amount(middle, word_of(PAY_PERIODS, row["pay_period"]), row["fte"])
    return float(yearly.quantize(Decimal("0.000001"), ROUND_HALF_UP, Context(prec=60)))


async def _of_cells(session: AsyncSession) -> dict[Entry, int]:
    """The entries of cells with their signs added up; those that cancel out are left out."""
    sources = tuple(await session.scalars(select(Source.id)))
    entries = await read_cells(session, CellScope(sources), ("amounts", "places", "paid"))
    assert entries.places is not None
    assert entries.paid is not None
    keys = zip(*(entries.spread(name).tolist() for name in _KEYS), strict=True)
    strings = (entries.amounts.tolist(), entries.places.tolist(), entries.paid.tolist())
    totals: Counter[Entry] = Counter()
    for key, amounts, places, paid in zip(keys, *strings, strict=True):
        amount, level, day, kinds = amounts
        region, industry, currency = places
        entry = (
            *key[:3],
            date(1970, 1, 1) + timedelta(days=key[3]),
            *(bool(key[4]), amount, level, day & DAY, bool(day & RANGED), bool(day & MONTHLY)),
            *(kinds // 16, kinds % 16, region, industry, _currency_of(currency)),
            None if isnan(paid) else paid,
        )
        totals[entry] += -1 if day & WITHDRAWN else 1
    return {entry: total for entry, total in totals.items() if total}


def _currency_of(code: int) -> str:
    return "".join(chr(65 + letter) for letter in (code // 676, code // 26 % 26, code % 26))
