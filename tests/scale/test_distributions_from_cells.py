"""Growth, histograms and ranks from cells: equal to what the records give, whatever is asked."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from app.cells.compaction import compact
from app.cells.writing import cells_sql, entries_sql
from app.core.database import Database
from app.dependencies import Services
from app.domain.dates import ALL_TIME, Window
from app.settings import Settings
from app.statistics.basis import Basis
from app.statistics.coarser import (
    coarser_filters,
    count_in_cells,
    count_in_records,
    first_offer,
)
from app.statistics.filters import Filters
from app.statistics.grouping import DIMENSIONS, Grouping
from app.statistics.growth import (
    Growth,
    find_growth,
    growth_from_cells,
    growth_from_records,
)
from app.statistics.reading import Reading, open_reading
from app.statistics.thresholds import count_amounts, count_records
from app.taxonomies.catalogue import CatalogueCache
from tests.support.builders import Row, add_records, add_sources, salary

QUESTIONS = 14
"""Asked of each population."""
DATES = ("2023-05", "2023-05-20", "2024-05-09", "2024-05", "2024-05-31", "2025-05-31", "2025-05")
OTHERS = ("2024-04-30", "2024-06-01", "2023", "2024", "2025")
ROLES = ("django-developer", "data-scientist")
REGIONS = ("US", "US-CA", "DE")
LEVELS = ("senior", "senior", "unspecified")
WINDOWS = (
    ALL_TIME,
    Window(date(2024, 5, 1), date(2025, 5, 31)),
    Window(date(2024, 5, 10), None),
    Window(None, date(2025, 5, 30)),
    Window(date(2023, 1, 1), date(2024, 12, 31)),
)


def make_records(random: Random, number: int) -> list[Row]:
    """Few cells with many records: points and ranges, priced or not, per year and per hour."""
    return [_record(random) for _ in range(number)]


def _record(random: Random) -> Row:
    low = random.choice((40_000, 50_000, 60_000, random.randint(40_000, 90_000)))
    high = random.choice((low, low, low + 10_001, None))
    currency = random.choice(("USD", "USD", "EUR", "JPY"))
    paid: dict[str, Any] = {"amount_min": low, "amount_max": high, "currency": currency}
    if currency == "JPY":
        paid |= {"amount_min": low * 150_000, "amount_max": high and high * 150_000}
    if currency == "EUR" and random.random() < 0.5:
        paid |= {"amount_min": low / 2080, "amount_max": high and high / 2080}
        paid["pay_period"] = "hour"
    return salary(
        low=low,
        high=high,
        paid=paid,
        rate_pending=currency == "EUR" and random.random() < 0.1,
        role=random.choice((*ROLES, ROLES[0])),
        region=random.choice((*REGIONS, "US", "US")),
        level=random.choice(LEVELS),
        industry=random.choice(("fintech", "saas")),
        source=random.choice(("survey", "second")),
        pay_kind=random.choice(("base", "base", "total")),
        work_mode=random.choice(("remote", "onsite")),
        on=random.choice((*DATES, *DATES, *OTHERS)),
    )


def make_question(random: Random) -> tuple[Filters, Basis]:
    """A few filters at a time; now and then in the currency that was paid."""
    filters: dict[str, Any] = {"pay_kind": ("base", "unspecified")}
    some = {
        "role": random.choice(((ROLES[0],), ROLES)),
        "region": random.choice((("US",), ("DE",), ("US-CA",))),
        "exclude_region": ("US-CA",),
        "level": ("senior",),
        "industry": ("saas",),
        "work_mode": ("remote",),
        "source": ("second",),
        "pay_kind": ("base", "total"),
    }
    for name in random.sample(sorted(some), random.choice((0, 1, 1, 2))):
        filters[name] = some[name]
    basis = Basis(pay_period=random.choice(("year", "month")))
    if random.random() < 0.3:
        filters["paid_in"] = ("EUR",)
        basis = replace(basis, currency="EUR")
    return Filters(**filters, window=random.choice(WINDOWS)), basis


async def store(
    database: Database, records: Sequence[Row], random: Random, *, merged: bool
) -> None:
    """The records and their cells: some that came and went, the first of them merged or not."""
    await add_records(database, *records)
    gone = entries_sql("salary_records WHERE record_id % 3 = 0", withdrawn=True)
    back = entries_sql("salary_records WHERE record_id % 3 = 0")
    for step in random.choice(([back, gone], [gone, back])):
        async with database.write() as session:
            await session.execute(text(cells_sql(step)))
        if merged and step is back:
            await compact(database)


@pytest.fixture
def services(settings: Settings, database: Database) -> Services:
    return Services(settings, database, CatalogueCache())


@pytest.fixture(params=range(2))
async def populated(request: Any, database: Database) -> Random:
    """A population, and the random numbers that its questions go on with."""
    random = Random(request.param)
    await add_sources(database, second={"kind": "posted"})
    records = make_records(random, random.choice((500, 900)))
    await store(database, records, random, merged=request.param > 0)
    return random


@asynccontextmanager
async def asking(services: Services, random: Random) -> AsyncIterator[Reading]:
    filters, basis = make_question(random)
    async with open_reading(services, filters, basis) as reading:
        yield reading


def grouped_by(random: Random) -> tuple[Grouping, str]:
    interval = random.choice(("month", "quarter", "year"))
    names = random.choice(
        ([], ["level"], ["role", "region"], ["industry", "source"], ["pay_kind", "work_mode"])
    )
    kind = random.choice((None, "country", "metro")) if "region" in names else None
    return Grouping(tuple(DIMENSIONS[name] for name in (*names, interval)), kind), interval


async def test_growth_from_cells_is_that_of_the_records(
    populated: Random, services: Services
) -> None:
    grown = 0
    for _ in range(QUESTIONS):
        async with asking(services, populated) as reading:
            grouping, interval = grouped_by(populated)
            found = await growth_from_cells(reading, grouping, interval)
            expected = await growth_from_records(reading, grouping, interval)
        assert found == expected, (reading.question.filters, grouping.names, interval)
        grown += len(expected.figures)
    assert grown > 0


async def test_counts_from_cells_are_those_of_the_records(
    populated: Random, services: Services
) -> None:
    counted = 0
    for _ in range(QUESTIONS):
        async with asking(services, populated) as reading:
            edges = sorted({populated.randint(30_000, 90_000) for _ in range(6)} | {50_000, 60_000})
            per = 12 if reading.question.basis.pay_period == "month" else 1
            thresholds = [Fraction(round(edge * 10**6 / per), 10**6) for edge in edges]
            found = await count_amounts(reading, thresholds)
            scaled = [float(threshold * 10**6) for threshold in thresholds]
            expected = await count_records(reading, scaled)
        assert found == expected, reading.question.filters
        counted += sum(expected.equal)
    assert counted > 0


async def test_the_nearest_question_in_cells_is_that_in_the_records(
    populated: Random, services: Services
) -> None:
    offered = 0
    for _ in range(10):
        async with asking(services, populated) as reading:
            question = reading.question
            grouping, _ = grouped_by(populated)
            candidates = coarser_filters(question.filters, question.catalogue.regions)
            if not candidates:
                continue
            cells = await count_in_cells(reading, candidates, grouping)
            records = await count_in_records(reading, candidates, grouping)
        assert cells is not None
        offers = [first_offer(question.filters, candidates, each) for each in (cells, records)]
        assert offers[0] == offers[1], question.filters
        offered += offers[0] is not None
    assert offered > 0


async def test_growth_of_all_roles_over_too_many_records_is_left_out(
    populated: Random, services: Services
) -> None:
    few = replace(services.settings, cell_entries_limit=100)
    services = Services(few, services.database, CatalogueCache())
    grouping = Grouping((DIMENSIONS["year"],))
    filters = Filters(pay_kind=("base",))

    async def ask(filters: Filters, *, exact: bool = False) -> Growth:
        async with open_reading(services, filters, Basis(exact=exact)) as reading:
            return await find_growth(reading, grouping, "year")

    left_out = await ask(filters)
    assert "name one or more roles" in (left_out.left_out or "")
    assert (left_out.adjusted((), 2025), left_out.cells_of((), 2025)) == (None, None)
    assert left_out.converted is None
    assert (await ask(filters, exact=True)).cells_of((), 2025)
    assert (await ask(replace(filters, role=ROLES))).cells_of((), 2025)
