"""Money from the door to the figures: ECB rates against their file, periods, full-time pay."""

import csv
from bisect import bisect_right
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.database import Database
from tests.statistics.conftest import Ask
from tests.support.builders import add_sources
from tests.support.importing import data_file

RECORDS = "/v1/salaries/records"

# Currency, date as it is stated, and the day whose quote holds by the calendar of the ECB.
PRICED = [
    ("GBP", "2023-03-31", "2023-03-31"),
    ("GBP", "2023-04-01", "2023-03-31"),  # a Saturday
    ("CHF", "2023-04-02", "2023-03-31"),  # a Sunday
    ("SEK", "2020-04-13", "2020-04-09"),  # Easter Monday: nothing from Friday on
    ("JPY", "2012-12-26", "2012-12-24"),  # Christmas
    ("CAD", "2022-01-01", "2021-12-31"),
    ("AUD", "2021", "2020-12-31"),  # a year is its first day
    ("INR", "2019-09", "2019-08-30"),  # a month is its first day, a Sunday
    ("INR", "2009-01-02", "2009-01-02"),  # its first quote
    ("BRL", "2016-02-29", "2016-02-29"),
    ("CNY", "2008-05-01", "2008-04-30"),
    ("KRW", "1999-01-04", "1999-01-04"),  # the first day there is
    ("ISK", "2008-12-25", "2008-12-09"),  # quotes ended on the 9th, and began again in 2018
    ("ISK", "2018-02-04", "2018-02-02"),
    ("TRY", "2018-08-13", "2018-08-13"),
    ("PLN", "2026-04-12", "2026-04-10"),
    ("HRK", "2022-12-31", "2022-12-30"),  # the last day of the kuna
    ("HRK", "2023-07-15", "2022-12-30"),  # it stays fixed to the euro
    ("EEK", "2010-12-31", "2010-12-31"),
    ("EUR", "2024-05-01", "2024-04-30"),
]
FIXED = {"HRK"}
"""The euro took its place, at its last rate: a kuna is worth what so much of a euro is."""

UNPRICED = [("ISK", "2010-05-05"), ("CLP", "2020-01-02"), ("INR", "2008-12-31")]


class Quotes:
    """The file of the ECB: units for one euro by currency and day."""

    def __init__(self, path: Path) -> None:
        with path.open(newline="") as file:
            header, *lines = csv.reader(file)
        self.days = {"EUR": [line[0] for line in reversed(lines)]}
        self.per_eur = {("EUR", line[0]): Decimal(1) for line in lines}
        for place, currency in enumerate(header[1:-1], 1):
            quoted = [line for line in reversed(lines) if line[place] != "N/A"]
            self.days[currency] = [line[0] for line in quoted]
            self.per_eur |= {(currency, line[0]): Decimal(line[place]) for line in quoted}

    def find(self, currency: str, day: str) -> tuple[Decimal, str]:
        """The quote of a day or the last one before, and its day."""
        at = self.days[currency][bisect_right(self.days[currency], day) - 1]
        return self.per_eur[currency, at], at

    def dollars(self, currency: str, day: str) -> Decimal:
        """Dollars for one unit: both quotes of one day, but for what is fixed to the euro."""
        per_eur, quoted = self.find(currency, day)
        return self.find("USD", day if currency in FIXED else quoted)[0] / per_eur


@pytest.fixture(scope="module")
def quotes() -> Quotes:
    return Quotes(data_file("eurofxref-hist.csv"))


def first_day(stated: str) -> str:
    return stated + "0000-01-01"[len(stated) :]


async def store(admin: httpx.AsyncClient, database: Database, *rows: dict[str, Any]) -> Any:
    """The report of posting records of a source `door`."""
    await add_sources(database, door={})
    common = {"source": "door", "region": "DE", "title": "Django Developer"}
    body = [{**common, "external_id": str(place), **row} for place, row in enumerate(rows)]
    response = await admin.post(RECORDS, json=body)
    assert response.status_code == 200, response.text
    assert response.json()["rejected"] == 0, response.text
    return response.json()


async def test_pay_is_priced_with_the_rate_of_its_day_or_the_last_one_before(
    admin: httpx.AsyncClient, ask: Ask, database: Database, quotes: Quotes
) -> None:
    expected = {}
    rows = []
    for currency, stated, quoted in PRICED:
        day = first_day(stated)
        assert quotes.find(currency, day)[1] == quoted, "the case is what it says"
        rate = quotes.dollars(currency, day)
        amount = (Decimal(54_321) / rate).quantize(Decimal("0.01"))
        rows.append({"amount": str(amount), "currency": currency, "observed_on": stated})
        expected[currency, stated] = int((amount * rate).quantize(Decimal(1), ROUND_HALF_UP))
    report = await store(admin, database, *rows)
    assert report["rate_pending"] == 0
    for (currency, stated), annual in expected.items():
        answer = await ask(
            paid_in=currency, from_=stated, to=stated, group_by="none", measures="count,p50"
        )
        (row,) = answer["data"]
        assert (row["count"], row["p50"]) == (1, annual), (currency, stated)


async def test_pay_of_days_without_a_rate_waits_and_is_there_as_it_was_paid(
    admin: httpx.AsyncClient, ask: Ask, database: Database
) -> None:
    rows = [
        {"amount": "9000000.5", "currency": currency, "observed_on": day}
        for currency, day in UNPRICED
    ]
    report = await store(admin, database, *rows)
    assert report["rate_pending"] == len(UNPRICED)
    priced = await ask(group_by="none")
    assert (priced["data"], priced["meta"]["coverage"]["rate_pending"]) == ([], len(UNPRICED))
    paid = await ask(paid_in="CLP", currency="CLP", group_by="none", measures="p50")
    assert paid["data"][0]["p50"] == 9_000_000.5


ASKED = [
    ("EUR", "2024-12-25", "2024-12-24"),
    ("EUR", "2020-04-13", "2020-04-09"),
    ("GBP", "2016-06-26", "2016-06-24"),
    ("JPY", "2011-03-12", "2011-03-11"),
    ("ISK", "2008-12-31", "2008-12-09"),
    ("HRK", "2022-12-31", "2022-12-30"),
]


async def test_figures_are_converted_with_one_rate_of_the_end_of_the_window(
    admin: httpx.AsyncClient, ask: Ask, database: Database, quotes: Quotes
) -> None:
    row = {"amount": 80_000, "currency": "USD", "observed_on": "2005-02-01"}
    await store(admin, database, row)
    for currency, to, quoted in ASKED:
        answer = await ask(currency=currency, to=to, group_by="none", measures="p50,mean")
        rate = 1 / quotes.dollars(currency, to)
        meta = answer["meta"]
        assert (meta["currency"], meta["exchange_rate_on"]) == (currency, quoted)
        assert meta["exchange_rate"] == pytest.approx(float(rate), rel=1e-12)
        assert answer["data"][0]["p50"] == pytest.approx(80_000 * float(rate), abs=1e-6)


# Pay, its period, fte, and the same full-time pay a year, by hand: fte divides all but hour, day.
PAID = [
    ("25.49", "hour", "1", "53019.2"),
    ("25.49", "hour", "0.5", "53019.2"),
    ("203.92", "day", "0.6", "53019.2"),
    ("1019.6", "week", "1", "53019.2"),
    ("509.8", "week", "0.5", "53019.2"),
    ("2039.2", "fortnight", "1", "53019.2"),
    ("1631.36", "fortnight", "0.8", "53019.2"),
    ("4418.27", "month", "1", "53019.24"),
    ("3534.61", "month", "0.8", "53019.15"),
    ("42415.36", "year", "0.8", "53019.2"),
    ("53019.2", "year", "1", "53019.2"),
]
PER_YEAR = {"hour": 2080, "day": 260, "week": 52, "fortnight": 26, "month": 12, "year": 1}


def paid_rows(currency: str) -> list[dict[str, str]]:
    """PAID, each in a month of its own."""
    return [
        {"amount": amount, "pay_period": period, "fte": fte, "currency": currency}
        | {"observed_on": f"2020-{place:02}"}
        for place, (amount, period, fte, _) in enumerate(PAID, 1)
    ]


async def test_euros_asked_in_euros_come_back_as_they_went_in(
    admin: httpx.AsyncClient, ask: Ask, database: Database
) -> None:
    await store(admin, database, *paid_rows("EUR"))
    asked = {"paid_in": "EUR", "currency": "EUR", "group_by": "month", "measures": "p50,mean"}
    for wanted, periods in PER_YEAR.items():
        answer = await ask(**asked, pay_period=wanted)
        for given, (amount, period, fte, yearly) in zip(answer["data"], PAID, strict=True):
            assert given["p50"] == pytest.approx(float(yearly) / periods, abs=1e-6)
            assert given["mean"] == given["p50"]
            if period == wanted and fte == "1":
                assert given["p50"] == float(amount)
        assert answer["meta"]["unconverted"] is True
        assert answer["meta"]["exchange_rate"] is None


async def test_dollars_are_whole_a_year_whatever_their_period(
    admin: httpx.AsyncClient, ask: Ask, database: Database
) -> None:
    await store(admin, database, *paid_rows("USD"))
    answer = await ask(group_by="month", measures="p50")
    whole = [int(Decimal(yearly).quantize(Decimal(1), ROUND_HALF_UP)) for *_, yearly in PAID]
    assert [row["p50"] for row in answer["data"]] == whole
    hourly = await ask(group_by="month", measures="p50", pay_period="hour")
    assert [row["p50"] for row in hourly["data"]] == pytest.approx([y / 2080 for y in whole])
