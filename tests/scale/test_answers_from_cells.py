"""Figures from rollups and cells: those of the records, whatever is asked and wherever they are."""

from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from app.cells.compaction import compact
from app.cells.writing import CELL_COLUMNS, cells_sql, entries_sql
from app.core.database import Database
from app.dependencies import Services
from app.domain.dates import ALL_TIME, Window
from app.settings import Settings
from app.statistics.basis import Basis
from app.statistics.cell_answers import answer_plan
from app.statistics.entries import scope_of
from app.statistics.filters import Filters
from app.statistics.grouping import DIMENSIONS, Grouping
from app.statistics.measures import Unit, get_measure
from app.statistics.planner import Plan, Source, rollups_of
from app.statistics.queries import Answer, find_from_records
from app.statistics.reading import Reading, open_reading
from app.statistics.shape import Shape, SortKey
from app.taxonomies.catalogue import CatalogueCache
from tests.support.builders import Row, add_records, add_sources, salary

QUESTIONS = 20
"""Asked of each population."""
DATES = ("2023-05", "2023-12-31", "2024-01-01", "2024-05-09", "2024-05", "2024-05-31", "2025-02")
YEARS = ("2023", "2024", "2024", "2025")
ROLES = ("django-developer", "data-scientist", "data-analyst")
REGIONS = ("US", "US-CA", "US-CA-SFO", "DE", "unspecified")
LEVELS = ("entry", "senior", "unspecified")
WINDOWS = (
    ALL_TIME,
    Window(date(2024, 1, 1), date(2024, 12, 31)),
    Window(date(2023, 12, 1), date(2025, 3, 31)),
    Window(date(2024, 5, 1), None),
    Window(None, date(2024, 5, 31)),
    Window(date(2023, 5, 1), date(2024, 5, 9)),
    Window(date(2024, 5, 10), date(2025, 2, 20)),
)
GROUPINGS = (
    (),
    ("level",),
    ("region", "level"),
    ("region", "month"),
    ("role", "level", "quarter"),
    ("year", "source"),
    ("pay_kind", "quarter"),
    ("level", "month", "year"),
    ("industry", "employment_type"),
    ("work_mode", "region", "role", "month"),
)
MEASURED = (
    ("count", "mean", "p10", "p33.3", "p50", "p90"),
    ("count", "p50", "p50_low", "p50_high", "quality"),
    ("mean", "stddev", "rse", "count"),
    ("p99", "stddev"),
)


def make_records(random: Random, number: int) -> list[Row]:
    return [_record(random) for _ in range(number)]


def _record(random: Random) -> Row:
    low = random.choice((50_000, 50_001, 120_000, random.randint(1_000, 9_000_000)))
    high = random.choice((low, low, low + 1_001, None))
    currency = random.choice(("USD", "USD", "EUR"))
    paid: dict[str, Any] = {"amount_min": low, "amount_max": high, "currency": currency}
    if random.random() < 0.3:
        paid |= {"amount_min": low / 2080, "amount_max": high and high / 2080}
        paid["pay_period"] = "hour"
    record = salary(
        low=low,
        high=high,
        paid=paid,
        rate_pending=currency == "EUR" and random.random() < 0.2,
        role=random.choice((*ROLES, ROLES[0])),
        region=random.choice((*REGIONS, "US")),
        level=random.choice(LEVELS),
        industry=random.choice(("fintech", "unspecified")),
        source=random.choice(("survey", "second")),
        pay_kind=random.choice(("base", "base", "unspecified", "total")),
        employment_type=random.choice(("full_time", "contract")),
        work_mode=random.choice(("remote", "unspecified")),
        on=random.choice((*DATES, *DATES, *YEARS)),
    )
    if random.random() < 0.05:  # priced later, and found to be out of bounds
        record |= {"annual_amount": None, "annual_low": None, "annual_high": None}
    return record


def make_question(random: Random) -> tuple[Filters, Basis]:
    filters: dict[str, Any] = {"pay_kind": ("base", "unspecified")}
    some = {
        "role": random.choice(((ROLES[0],), ROLES[:2])),
        "region": random.choice((("US",), ("DE", "US-CA"))),
        "exclude_region": ("US-CA",),
        "level": random.choice((("senior",), ("entry", "unspecified"))),
        "industry": ("fintech",),
        "work_mode": ("remote",),
        "employment_type": ("contract",),
        "source": ("second",),
        "source_kind": ("posted",),
        "pay_kind": ("total",),
    }
    for name in random.sample(sorted(some), random.choice((0, 0, 1, 1, 2))):
        filters[name] = some[name]
    basis = Basis(pay_period=random.choice(("year", "hour")))
    if random.random() < 0.15:
        filters["paid_in"] = ("EUR",)
        basis = replace(basis, currency=random.choice(("EUR", None)))
    return Filters(**filters, window=random.choice(WINDOWS)), basis


def make_shape(random: Random) -> Shape:
    names = random.choice(GROUPINGS)
    kind = random.choice((None, "country", "metro")) if "region" in names else None
    measures = tuple(get_measure(name) for name in random.choice(MEASURED))
    columns = [*names, *(measure.name for measure in measures)]
    sort = tuple(
        SortKey(name, random.random() < 0.5, None if name in names else get_measure(name))
        for name in random.sample(columns, random.choice((0, 0, 1, 2)))
    )
    grouping = Grouping(tuple(DIMENSIONS[name] for name in names), kind)
    return Shape(grouping, measures, sort, random.choice((1, 5, 10_000)))


async def store(database: Database, random: Random, *, merged: bool) -> None:
    """Records and their cells; `merged`: some of them, in rollups, and some of these withdrawn."""
    await add_records(database, *make_records(random, random.choice((100, 400))))
    if not merged:
        return
    await withdraw(database, "record_id % 7 = 0", put_back=True)
    await compact(database)
    await withdraw(database, "record_id % 5 = 0")
    await withdraw(database, "record_id % 3 = 0", put_back=True)


async def withdraw(database: Database, condition: str, *, put_back: bool = False) -> None:
    """Delete records as writers do, or take them out of the cells and put them back."""
    columns = ", ".join(CELL_COLUMNS)
    gone = f"SELECT {columns}, true AS withdrawn FROM gone"
    delete = f"WITH gone AS (DELETE FROM salary_records WHERE {condition} RETURNING {columns}) "
    rows = f"salary_records WHERE {condition}"
    async with database.write() as session:
        if put_back:
            await session.execute(text(cells_sql(entries_sql(rows, withdrawn=True))))
            await session.execute(text(cells_sql(entries_sql(rows))))
        else:
            await session.execute(text(delete + cells_sql(gone)))


@pytest.fixture
def services(settings: Settings, database: Database) -> Services:
    return Services(settings, database, CatalogueCache())


@pytest.fixture(params=range(3))
async def populated(request: Any, database: Database) -> Random:
    """A population, and the random numbers that its questions go on with."""
    random = Random(request.param)
    await add_sources(database, second={"kind": "posted"})
    await store(database, random, merged=request.param > 0)
    return random


async def test_answers_from_any_source_are_those_of_the_records(
    populated: Random, services: Services
) -> None:
    compared = dict.fromkeys(Source, 0)
    for _ in range(QUESTIONS):
        filters, basis = make_question(populated)
        shape = make_shape(populated)
        async with open_reading(services, filters, basis) as reading:
            expected = await find_from_records(reading, shape)
            for source in (Source.CELLS, Source.ROLES, Source.PLACES):
                found = await answer_from(source, reading, shape)
                if found is not None:
                    assert_alike(found, expected, shape)
                    compared[source] += expected.totals.groups
    assert min(compared[source] for source in compared if source is not Source.RECORDS) > 0


async def answer_from(source: Source, reading: Reading, shape: Shape) -> Answer | None:
    """None where the source does not carry the question."""
    rollups = None
    if source is not Source.CELLS:
        rollups = rollups_of(source, reading.question, shape)
        if rollups is None:
            return None
    error = 0.005 if source is Source.PLACES else 0
    plan = Plan(source, scope_of(reading.question), rollups, max_relative_error=error)
    return await answer_plan(reading, shape, plan)


def assert_alike(found: Answer, expected: Answer, shape: Shape) -> None:
    about = (shape.grouping.names, [str(key) for key in shape.sort])
    assert found.totals == expected.totals, about
    assert found.columns == expected.columns
    rows, wanted = _rows(found), _rows(expected)
    if found.max_relative_error and any(key.measure for key in shape.sort):
        return  # what is sorted by is approximate
    assert len(rows) == len(wanted)
    for row, other in zip(rows, wanted, strict=True):
        for column, value in other.items():
            assert _is_alike(column, row[column], value, found.max_relative_error), (
                about,
                column,
                row,
                other,
            )


def _rows(answer: Answer) -> list[dict[str, Any]]:
    return [dict(zip(answer.columns, row, strict=False)) for row in answer.rows]


def _is_alike(column: str, found: Any, expected: Any, error: float) -> bool:
    if expected is None or not isinstance(expected, float):
        return bool(found == expected) or (column == "quality" and error > 0)
    single = column.startswith("p") and get_measure(column).unit is Unit.MONEY
    return bool(found == pytest.approx(expected, rel=error if single and error else 1e-9, abs=1e-6))
