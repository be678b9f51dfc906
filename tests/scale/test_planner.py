"""Which source answers: the cheapest that carries the question, and the records where none may."""

from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy import text

from app.cells.compaction import compact
from app.cells.rollups import SPANS
from app.cells.strings import MAX_RELATIVE_ERROR, bucket_amounts, buckets_of
from app.core.database import Database
from app.dependencies import Services
from app.domain.dates import ALL_TIME, Window
from app.settings import Settings
from app.statistics.basis import Basis
from app.statistics.filters import Filters
from app.statistics.grouping import DIMENSIONS, Grouping
from app.statistics.measures import MEASURES
from app.statistics.planner import Bounds, Costs, Source, choose_source, plan_answer
from app.statistics.reading import open_reading
from app.statistics.shape import Shape
from app.statistics.tallies import Made, Needs, order_pairs, rank_buckets, tally_whole
from app.statistics.tiling import is_of_months, tiles_of
from app.taxonomies.catalogue import CatalogueCache
from tests.support.asking import ask
from tests.support.builders import add_records, salary

STATISTICS = "/v1/salaries/statistics"
MILLION = 1_000_000


def tiled(window: Window, coarsest: str = "year") -> list[tuple[str, str, str]]:
    names = {number: name for name, number in SPANS.items()}
    return [(names[t.span], str(t.first), str(t.last)) for t in tiles_of(window, coarsest)]


@pytest.mark.parametrize(
    ("window", "coarsest", "expected"),
    [
        (ALL_TIME, "year", [("year", "None", "None"), ("yearly", "None", "None")]),
        (
            Window(date(2025, 7, 1), date(2026, 6, 30)),
            "year",
            [("quarter", "2025-07-01", "2026-04-01"), ("yearly", "2025-01-01", "2026-01-01")],
        ),
        (
            Window(date(2023, 11, 1), date(2026, 10, 31)),
            "year",
            [
                ("year", "2024-01-01", "2025-01-01"),
                ("month", "2023-11-01", "2023-12-01"),
                ("quarter", "2026-01-01", "2026-07-01"),
                ("month", "2026-10-01", "2026-10-01"),
                ("yearly", "2023-01-01", "2026-01-01"),
            ],
        ),
        (
            Window(None, date(2024, 2, 29)),
            "year",
            [
                ("year", "None", "2023-01-01"),
                ("month", "2024-01-01", "2024-02-01"),
                ("yearly", "None", "2024-01-01"),
            ],
        ),
        (
            Window(date(2024, 2, 1), None),
            "quarter",
            [
                ("quarter", "2024-04-01", "None"),
                ("month", "2024-02-01", "2024-03-01"),
                ("yearly", "2024-01-01", "None"),
            ],
        ),
        (
            Window(date(2024, 1, 1), date(2024, 12, 31)),
            "month",
            [("month", "2024-01-01", "2024-12-01"), ("yearly", "2024-01-01", "2024-01-01")],
        ),
    ],
)
def test_a_window_is_tiled_with_the_fewest_periods(
    window: Window, coarsest: str, expected: list[tuple[str, str, str]]
) -> None:
    assert tiled(window, coarsest) == expected


def test_every_month_of_a_window_is_in_one_tile() -> None:
    for first in range(24):
        for last in range(first, 36):
            window = Window(_month(first), _month(last + 1, before=1))
            assert is_of_months(window)
            assert sorted(_months_in(window)) == list(range(first, last + 1)), window


def _month(number: int, before: int = 0) -> date:
    day = date(2023 + number // 12, number % 12 + 1, 1)
    return date.fromordinal(day.toordinal() - before)


def _months_in(window: Window) -> list[int]:
    months = {SPANS["month"]: 1, SPANS["quarter"]: 3, SPANS["year"]: 12}
    found: list[int] = []
    for tile in tiles_of(window):
        if tile.span in months and tile.first and tile.last:
            first, last = (
                (day.year - 2023) * 12 + day.month - 1 for day in (tile.first, tile.last)
            )
            found += range(first, last + months[tile.span])
    return found


def test_a_window_that_cuts_a_month_is_not_tiled() -> None:
    assert not is_of_months(Window(date(2024, 5, 2), None))
    assert not is_of_months(Window(None, date(2024, 5, 30)))
    assert is_of_months(Window(date(2024, 5, 1), date(2024, 5, 31)))


@pytest.mark.parametrize(
    ("costs", "exact", "needs_amounts", "expected"),
    [
        (Costs(100), False, True, Source.CELLS),
        (Costs(100, role_pairs=50, places=True), False, True, Source.ROLES),
        (Costs(9 * MILLION, places=True), False, True, Source.PLACES),
        (Costs(9 * MILLION, places=True), False, False, Source.PLACES),
        (Costs(9 * MILLION, role_pairs=2 * MILLION, places=True), True, True, Source.ROLES),
        (Costs(3 * MILLION, places=True), True, True, Source.CELLS),
        (Costs(9 * MILLION, places=True), True, True, Source.RECORDS),
        (Costs(9 * MILLION, places=True), True, False, Source.PLACES),
        (Costs(9 * MILLION, role_pairs=5 * MILLION), False, True, Source.RECORDS),
        (Costs(9 * MILLION, role_pairs=5 * MILLION), False, False, Source.ROLES),
        (Costs(9 * MILLION, 9 * MILLION, places=True), False, True, Source.RECORDS),
        (Costs(9 * MILLION, 9 * MILLION, places=True), False, False, Source.RECORDS),
    ],
)
def test_the_cheapest_source_that_carries_the_question_answers(
    costs: Costs, exact: bool, needs_amounts: bool, expected: Source
) -> None:
    bounds = Bounds(exact_records=200_000, most_entries=4 * MILLION, exact=exact)
    assert choose_source(costs, bounds, needs_amounts=needs_amounts) is expected


def test_amounts_of_buckets_are_within_what_is_stated() -> None:
    edges = bucket_amounts(np.arange(930)) * 1.01005 / 1.01
    amounts = np.unique(np.concatenate((np.arange(1_000, 60_000), edges.astype(np.int64), [10**7])))
    amounts = amounts[amounts <= 10**7]
    errors = np.abs(bucket_amounts(buckets_of(amounts)) / amounts - 1)
    assert errors.max() <= MAX_RELATIVE_ERROR


@pytest.mark.parametrize("seed", range(5))
def test_percentiles_between_buckets_are_within_what_is_stated(seed: int) -> None:
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 40, 200)
    codes = np.repeat(np.arange(200), sizes)
    amounts = np.exp(random.uniform(np.log(1_000), np.log(10**7), len(codes))).astype(np.int64)
    exact = tally_whole(codes, amounts, Needs(), Made()).ranked
    near = rank_buckets(order_pairs(codes, buckets_of(amounts), np.ones(len(codes), np.int64)))
    assert exact is not None
    groups = np.arange(200)
    for share in (0.01, 0.25, 0.333, 0.5, 0.9, 0.99):
        places = share * (sizes - 1).astype(np.float64)
        between = places - np.floor(places)
        low, high = exact.around(groups, places)
        below, above = near.around(groups, places)
        figures, found = low + between * (high - low), below + between * (above - below)
        assert np.abs(found / figures - 1).max() <= MAX_RELATIVE_ERROR
        ranks = np.floor(places).astype(np.int64)
        single = near.at(groups, ranks) / exact.at(groups, ranks)
        assert np.abs(single - 1).max() <= MAX_RELATIVE_ERROR


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Of more than 100 records of all roles, amounts may be approximate."""
    return replace(settings, exact_records=100)


async def add_many(database: Database, *, merged: bool = True) -> None:
    random = Random(1)
    roles = ("django-developer", "data-scientist")
    rows = [
        salary(random.randint(50_000, 90_000), role=roles[place % 2], region="US")
        for place in range(300)
    ]
    await add_records(database, *rows)
    if merged:
        await compact(database)


ASKED: dict[str, Any] = {"group_by": "region", "measures": "count,mean,p50"}


async def test_wide_questions_over_many_records_say_that_they_are_approximate(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_many(database)
    wide = await ask(client, STATISTICS, **ASKED)
    assert (wide["meta"]["method"], wide["meta"]["max_relative_error"]) == ("approximate", 0.005)
    exact = await ask(client, STATISTICS, **ASKED, exact="true")
    assert (exact["meta"]["method"], exact["meta"]["max_relative_error"]) == ("exact", 0)
    row, other = wide["data"][0], exact["data"][0]
    assert row["p50"] != other["p50"]
    assert row["p50"] == pytest.approx(other["p50"], rel=0.005)
    assert {**row, "p50": 0} == {**other, "p50": 0}


@pytest.mark.parametrize(
    "asked",
    [
        {"role": "django-developer"},
        {"group_by": "role"},
        {"measures": "count,mean,stddev"},
        {"from_": "2025-06-02"},
        {"work_mode": "unspecified"},
    ],
)
async def test_what_needs_no_approximation_is_exact(
    client: httpx.AsyncClient, database: Database, asked: dict[str, str]
) -> None:
    await add_many(database)
    meta = (await ask(client, STATISTICS, **{**ASKED, **asked}))["meta"]
    assert (meta["method"], meta["max_relative_error"]) == ("exact", 0)


async def test_few_records_of_all_roles_are_exact(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(database, *(salary(50_000 + place) for place in range(50)))
    assert (await ask(client, STATISTICS, **ASKED))["meta"]["method"] == "exact"


async def test_records_are_answered_before_compaction_has_merged_them(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_many(database, merged=False)
    before = await ask(client, STATISTICS, **ASKED)
    await compact(database)
    assert (await ask(client, STATISTICS, **ASKED, limit="9"))["data"] == before["data"]


A_ROLE = "(SELECT id FROM roles WHERE code = 'data-scientist')"
Damage = str
DAMAGES: dict[Damage, str] = {
    "an entry": "UPDATE salary_cells SET amounts = set_byte(amounts, 3, 7)",
    "a length": "UPDATE salary_cells SET amounts = amounts || '\\x00'",
    "a rollup": "UPDATE salary_rollups SET pairs = set_byte(pairs, 0, 77) WHERE grain = 1",
    "a head": "UPDATE salary_rollups SET heads = set_byte(heads, 9, 77) WHERE grain = 1",
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damaged_cells_are_not_answered_from_and_are_marked(
    client: httpx.AsyncClient, database: Database, damage: Damage
) -> None:
    await add_many(database)
    asked = {**ASKED, "role": "data-scientist", "group_by": "level"}
    if damage in {"an entry", "a length"}:
        asked["group_by"] = "work_mode"
    expected = (await ask(client, STATISTICS, **asked))["data"]
    await change(database, DAMAGES[damage])
    # What was read of rollups before they changed is not read again.
    await change(database, "UPDATE rollup_state SET merges = merges + 1")
    assert (await ask(client, STATISTICS, **asked, limit="999"))["data"] == expected
    assert await unsound(database) == ["data-scientist"]


@pytest.mark.parametrize("merged", [False, True])
async def test_a_string_of_another_length_marks_its_own_role_only(
    client: httpx.AsyncClient, database: Database, merged: bool
) -> None:
    await add_many(database, merged=merged)
    asked = {**ASKED, "group_by": "work_mode", "exact": "true"}
    expected = (await ask(client, STATISTICS, **asked))["data"]
    await change(database, f"{DAMAGES['a length']} WHERE role_id = {A_ROLE}")
    assert (await ask(client, STATISTICS, **asked, limit="999"))["data"] == expected
    assert await unsound(database) == ["data-scientist"]


async def test_heads_that_are_cut_are_damaged_even_where_their_check_is_right(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_many(database)
    asked = {"group_by": "role", "measures": "count,mean"}
    expected = (await ask(client, STATISTICS, **asked))["data"]
    cut = "substring(heads FOR octet_length(heads) - 1)"
    await change(
        database,
        f"UPDATE salary_rollups SET heads = {cut}, heads_check = decode(md5({cut}), 'hex')"
        f" WHERE grain = 1 AND role_id = {A_ROLE}",
        "UPDATE rollup_state SET merges = merges + 1",
    )
    assert (await ask(client, STATISTICS, **asked, limit="999"))["data"] == expected
    assert await unsound(database) == ["data-scientist"]


async def test_damaged_rollups_of_places_are_marked_and_the_records_answer(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_many(database)
    exact = (await ask(client, STATISTICS, **ASKED, exact="true"))["data"]
    await change(
        database, "UPDATE salary_rollups SET pairs = set_byte(pairs, 0, 77) WHERE grain = 2"
    )
    answer = await ask(client, STATISTICS, **ASKED)
    assert (answer["data"], answer["meta"]["method"]) == (exact, "exact")
    async with database.read() as session:
        assert not await session.scalar(text("SELECT places_sound FROM rollup_state"))


async def test_cells_of_another_version_are_left_alone(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_many(database, merged=False)
    expected = (await ask(client, STATISTICS, **ASKED, exact="true"))["data"]
    await change(database, "UPDATE salary_cells SET form = 99, amounts = '\\x00'")
    assert (await ask(client, STATISTICS, **ASKED, exact="true", limit="9"))["data"] == expected
    assert await unsound(database) == []


async def test_a_role_whose_cells_are_behind_is_answered_from_its_records(
    client: httpx.AsyncClient, database: Database
) -> None:
    """As an older version of the service leaves it, which writes records only."""
    await add_many(database)
    await change(
        database,
        "INSERT INTO salary_records SELECT r.* FROM (SELECT (jsonb_populate_record(s,"
        ' \'{"record_id": 999999, "annual_amount": 9000000}\')).* FROM salary_records s'
        " LIMIT 1) AS r",
        "UPDATE role_versions SET version = version + 1 WHERE role_id ="
        " (SELECT role_id FROM salary_records WHERE record_id = 999999)",
    )
    answer = await ask(client, STATISTICS, group_by="none", measures="count,p99,mean")
    assert answer["data"][0]["count"] == 301
    assert answer["meta"]["method"] == "exact"


async def test_more_entries_than_memory_allows_are_not_read(
    settings: Settings, database: Database
) -> None:
    await add_many(database)
    few = Services(replace(settings, cell_entries_limit=10), database, CatalogueCache())
    enough = Services(settings, database, CatalogueCache())
    shape = Shape(Grouping((DIMENSIONS["work_mode"],)), (MEASURES["p50"],))
    for services, planned in ((few, False), (enough, True)):
        async with open_reading(services, Filters(pay_kind=("base",)), Basis()) as reading:
            assert (await plan_answer(reading, shape) is not None) is planned


async def change(database: Database, *statements: str) -> None:
    async with database.write() as session:
        for statement in statements:
            await session.execute(text(statement.replace(":", "\\:")))


async def unsound(database: Database) -> list[str]:
    """The roles whose cells are marked."""
    statement = text(
        "SELECT r.code FROM role_versions v JOIN roles r ON r.id = v.role_id"
        " WHERE v.version <> v.cells_version ORDER BY 1"
    )
    async with database.read() as session:
        return list((await session.execute(statement)).scalars())
