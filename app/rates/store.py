"""SQL of exchange rates: loading, reading, and pricing what was pending."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import CursorResult, Result, RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.cells.writing import cells_sql, columns_sql, entries_sql
from app.core.database import WriteSession
from app.rates.ecb import ReferenceRates

# Two loads at once would each count, and insert, what the other one has.
_LOCK = text("LOCK TABLE exchange_rates IN SHARE ROW EXCLUSIVE MODE")
_STAGE = text(
    "CREATE TEMP TABLE staged_rates (currency text, observed_on date, per_eur numeric)"
    " ON COMMIT DROP"
)
_CHANGE = text(
    "UPDATE exchange_rates r SET per_eur = s.per_eur FROM staged_rates s"
    " WHERE r.currency = s.currency AND r.observed_on = s.observed_on AND r.per_eur <> s.per_eur"
)
_INSERT = text(
    "INSERT INTO exchange_rates (currency, observed_on, per_eur)"
    " SELECT s.currency, s.observed_on, s.per_eur FROM staged_rates s"
    " LEFT JOIN exchange_rates r USING (currency, observed_on) WHERE r.currency IS NULL"
    " ORDER BY s.currency, s.observed_on"
)
_ANY = text("SELECT EXISTS (SELECT FROM exchange_rates)")
_SUMMARY = text(
    "SELECT currency, count(*) AS days, min(observed_on) AS first_on, max(observed_on) AS last_on,"
    " (array_agg(per_eur ORDER BY observed_on DESC))[1] AS per_eur"
    " FROM exchange_rates GROUP BY currency ORDER BY currency"
)
_HISTORY = text(
    "SELECT observed_on, per_eur FROM exchange_rates WHERE currency = :currency"
    " ORDER BY observed_on DESC LIMIT :limit"
)
# One byte string per currency and column: 300,000 rows without a Python object for each.
_SERIES = text(
    "SELECT currency,"
    " string_agg(int4send(observed_on - DATE '1970-01-01'), ''::bytea ORDER BY observed_on)"
    "  AS days,"
    " string_agg(float8send(per_eur::float8), ''::bytea ORDER BY observed_on) AS per_eur"
    " FROM exchange_rates GROUP BY currency"
)
_QUOTE = text(
    "SELECT per_eur, observed_on FROM exchange_rates"
    " WHERE currency = :currency AND observed_on <= :day ORDER BY observed_on DESC LIMIT 1"
)
_PENDING_SOURCES = text(
    "SELECT DISTINCT source_id FROM salary_records"
    " WHERE rate_pending AND currency = ANY(:currencies)"
)
_PENDING = text(
    "SELECT role_id, record_id, source_id, currency, pay_period, fte::float8 AS fte,"
    " amount_min::float8 AS amount_min, amount_max::float8 AS amount_max, observed_on"
    " FROM salary_records"
    " WHERE rate_pending AND currency = ANY(:currencies) AND source_id = ANY(:sources)"
    "  AND (role_id, record_id) > (:role, :record)"
    " ORDER BY role_id, record_id LIMIT :limit"
)
_STAGE_PRICES = text(
    "CREATE TEMP TABLE staged_prices (role_id int, record_id bigint, rate float8, rate_on date,"
    " annual_low int, annual_high int, annual_amount int) ON COMMIT DROP"
)
# All parts of a statement see the records as they were before it.
_APPLY_PRICES = text(
    f"WITH pending AS (SELECT {columns_sql('r')} FROM salary_records r"  # noqa: S608 - names of ours
    " JOIN staged_prices s ON r.role_id = s.role_id AND r.record_id = s.record_id),"
    " priced AS (UPDATE salary_records r"
    " SET rate_pending = false, rate = s.rate, rate_on = s.rate_on,"
    " annual_low = s.annual_low, annual_high = s.annual_high, annual_amount = s.annual_amount"
    " FROM staged_prices s WHERE r.role_id = s.role_id AND r.record_id = s.record_id"
    f" RETURNING {columns_sql('r')}), written AS ("
    + cells_sql(f"{entries_sql('pending', withdrawn=True)} UNION ALL {entries_sql('priced')}")
    + ") SELECT count(*) FROM priced"
)
_PUBLIC = text("SELECT id FROM sources WHERE NOT confidential")


@dataclass(frozen=True, slots=True)
class CurrencySummary:
    """One currency in the table: how many days, from when to when, and its newest quote."""

    currency: str
    days: int
    first_on: date
    last_on: date
    per_eur: Decimal


async def upsert_quotes(session: WriteSession, rates: ReferenceRates) -> tuple[int, int]:
    """Store all quotes; how many are new, how many changed."""
    await session.execute(_LOCK)
    await session.execute(_STAGE)
    driver = await session.driver()
    lines = "\n".join(map(",".join, rates.quotes)).encode()
    await driver.copy_to_table("staged_rates", source=io.BytesIO(lines), format="csv")
    changed = await session.execute(_CHANGE)
    inserted = await session.execute(_INSERT)
    return rows_of(inserted), rows_of(changed)


def rows_of(result: Result[Any]) -> int:
    """How many rows a writing statement touched."""
    return cast("CursorResult[Any]", result).rowcount


async def has_rates(session: AsyncSession) -> bool:
    """Whether any rate is stored."""
    return bool(await session.scalar(_ANY))


async def list_currencies(session: AsyncSession) -> list[CurrencySummary]:
    """Every currency that has rates, by code."""
    return [CurrencySummary(*row) for row in await session.execute(_SUMMARY)]


async def list_quotes(
    session: AsyncSession, currency: str, limit: int
) -> list[tuple[date, Decimal]]:
    """The newest quotes of one currency: (day, units for one euro)."""
    rows = await session.execute(_HISTORY, {"currency": currency, "limit": limit})
    return [(row.observed_on, row.per_eur) for row in rows]


async def find_quote(
    session: AsyncSession, currency: str, day: date
) -> tuple[Decimal, date] | None:
    """Units of `currency` for one euro on `day` or the last day before it that has a quote."""
    row = (await session.execute(_QUOTE, {"currency": currency, "day": day})).one_or_none()
    return None if row is None else (row.per_eur, row.observed_on)


async def read_series(session: AsyncSession) -> list[tuple[str, bytes, bytes]]:
    """Per currency its days since 1970 and its quotes, as big-endian int32 and float64."""
    return [(row.currency, row.days, row.per_eur) for row in await session.execute(_SERIES)]


async def pending_sources(session: WriteSession, currencies: Sequence[str]) -> list[int]:
    """The sources that have pending records in these currencies."""
    rows = await session.scalars(_PENDING_SOURCES, {"currencies": list(currencies)})
    return list(rows)


async def read_pending(
    session: WriteSession,
    currencies: Sequence[str],
    sources: Sequence[int],
    after: tuple[int, int],
    limit: int,
) -> list[RowMapping]:
    """The next pending salary records after a (role, record) key, in the order of that key."""
    wanted = {"currencies": list(currencies), "sources": list(sources)}
    bounds = {"role": after[0], "record": after[1], "limit": limit}
    rows = await session.execute(_PENDING, wanted | bounds)
    return list(rows.mappings())


async def count_pending(session: AsyncSession) -> int:
    """How many salary records wait for a rate, those in currencies without any included."""
    found = await session.scalar(text("SELECT count(*) FROM salary_records WHERE rate_pending"))
    return int(found or 0)


async def apply_prices(session: WriteSession, prices: Iterable[tuple[Any, ...]]) -> int:
    """Write (role, record, rate, rate day, low, high, middle) to records; how many there were.

    Their sources are locked alone, so that the records are those that were read.
    """
    await session.execute(_STAGE_PRICES)
    driver = await session.driver()
    await driver.copy_records_to_table("staged_prices", records=prices)
    return int(await session.scalar(_APPLY_PRICES) or 0)


async def public_sources(session: AsyncSession) -> frozenset[int]:
    """Ids of the sources whose records enter live figures."""
    return frozenset(await session.scalars(_PUBLIC))
