"""The rates in use: the table for pricing, kept while the epoch's stamp stays, and single rates."""

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import UnknownValue
from app.core.versions import read_version
from app.domain.currencies import judge_currency
from app.rates.store import find_quote, read_series

if TYPE_CHECKING:
    from app.rates.pricing import RateTable

EURO: Final = "EUR"
MAX_AGE_DAYS: Final = 31

# Per base currency the stamp and the table: one entry in practice, replaced when rates arrive.
_tables: "dict[str, tuple[str, RateTable]]" = {}

MOST_KEPT: Final = 1_000
_kept: dict[tuple[str, str, str, date], tuple[float, date | None]] = {}


async def load_rate_table(session: AsyncSession, base: str) -> "RateTable":
    """Rates to `base` as of the session's snapshot; read again only after an epoch's advance."""
    stamp = (await read_version(session)).stamp
    known = _tables.get(base)
    if known is None or known[0] != stamp:
        known = _tables[base] = (stamp, await read_rate_table(session, base))
    return known[1]


async def read_rate_table(session: AsyncSession, base: str) -> "RateTable":
    """Rates to `base` as the database holds them now (some 0.3 s)."""
    import numpy as np

    from app.rates.pricing import build_rate_table

    quotes = {
        currency: (
            np.frombuffer(days, ">i4").astype(np.int64),
            np.frombuffer(per_eur, ">f8").astype(np.float64),
        )
        for currency, days, per_eur in await read_series(session)
    }
    return build_rate_table(base, quotes)


async def find_output_rate(
    session: AsyncSession, stamp: str, base: str, currency: str, on: date
) -> tuple[float, date | None]:
    """`output_rate`, kept in memory: `stamp` is the epoch's in the session's snapshot, and rates do
    not change without it."""
    key = (stamp, base, currency, on)
    found = _kept.get(key)
    if found is None:
        found = await output_rate(session, base, currency, on)
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        _kept[key] = found
    return found


async def output_rate(
    session: AsyncSession, base: str, currency: str, on: date
) -> tuple[float, date | None]:
    """Units of `currency` for one unit of `base` on `on` or the last day before, and that day.

    For showing figures in another currency: multiply. (1.0, None) for the base currency itself.
    Unlike in pricing, days after the newest loaded rate use the newest; but a currency that was
    no longer quoted then is refused. Raises UnknownValue (422) for codes that are not currencies,
    naming the nearest, and for currencies without a rate.
    """
    if currency == base:
        return 1.0, None
    verdict = judge_currency(currency)
    if not verdict.known:
        raise UnknownValue(
            f"currency: {verdict.message}.", parameter="currency", nearest=list(verdict.nearest)
        )
    quoted = await _quote(session, verdict.code, on)
    of_base = None if quoted is None else await _quote(session, base, quoted[1])
    newest = await find_quote(session, "USD" if base == EURO else base, on)
    if quoted is None or of_base is None or newest is None:
        raise _no_rate(verdict.code, on)
    if (newest[1] - quoted[1]).days > MAX_AGE_DAYS:
        raise _no_rate(verdict.code, on)
    return float(quoted[0] / of_base[0]), quoted[1]


async def _quote(session: AsyncSession, currency: str, on: date) -> tuple[Decimal, date] | None:
    if currency != EURO:
        return await find_quote(session, currency, on)
    # The euro is what others are quoted in: its days are those of the dollar.
    dollar = await find_quote(session, "USD", on)
    return None if dollar is None else (Decimal(1), dollar[1])


def _no_rate(currency: str, on: date) -> UnknownValue:
    return UnknownValue(
        f"currency: there is no exchange rate of {currency} for {on}; "
        f"ask with paid_in={currency}&currency={currency} for amounts as they were paid.",
        code="no_exchange_rate",
        parameter="currency",
    )
