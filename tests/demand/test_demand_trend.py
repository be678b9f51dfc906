"""GET /v1/demand/trend: dense periods, changes and an index, by hand."""

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.core.database import Database
from tests.support.asking import ask as ask_route
from tests.support.builders import add_records, add_sources, demand

URL = "/v1/demand/trend"


async def ask(client: httpx.AsyncClient, **parameters: Any) -> Any:
    """The JSON answer of the route."""
    return await ask_route(client, URL, **parameters)


def stock(openings: float, on: str, **values: Any) -> dict[str, Any]:
    """Open positions at a date."""
    return demand(openings, measure="open", on=on, **values)


def columns(answer: Any, *names: str) -> list[tuple[Any, ...]]:
    """Those columns of all rows."""
    return [tuple(row[name] for name in names) for row in answer["data"]]


async def test_months_without_records_are_there_and_empty(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        demand(40, candidates=20, on="2025-01-10"),
        demand(60, candidates=30, on="2025-01-20"),
        demand(50, on="2025-02"),
        demand(75, candidates=10, on="2025-04"),
    )
    answer = await ask(client)
    assert answer["data"][:3] == [
        {
            "month": "2025-01",
            "openings_new": 100,
            "openings_open": None,
            "tightness": 2,
            "count": 2,
            "change_previous": None,
            "change_year": None,
            "index": 100,
            "status": "ok",
        },
        {
            "month": "2025-02",
            "openings_new": 50,
            "openings_open": None,
            "tightness": None,
            "count": 1,
            "change_previous": -0.5,
            "change_year": None,
            "index": 50,
            "status": "ok",
        },
        {
            "month": "2025-03",
            "openings_new": None,
            "openings_open": None,
            "tightness": None,
            "count": 0,
            "change_previous": None,
            "change_year": None,
            "index": None,
            "status": "empty",
        },
    ]
    # After an empty month nothing is known of the change.
    assert columns(answer, "month", "change_previous", "index")[3] == ("2025-04", None, 75)
    meta = answer["meta"]
    assert (meta["change_of"], meta["records"], meta["groups"]) == ("openings_new", 4, 1)
    assert meta["index"] == {"base": "2025-01", "series_without_base": 0}
    assert meta["periods"] == {"first": "2025-01", "last": "2025-04", "count": 4}


async def test_a_window_s_bounds_are_the_trend_s(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database, demand(10, on="2024-02"), demand(30, on="2025-02"), demand(15, on="2025-03")
    )
    answer = await ask(client, from_="2025-01", to="2025-04")
    assert columns(answer, "month", "openings_new", "change_previous", "change_year", "index") == [
        ("2025-01", None, None, None, None),
        # 30 against 10 a year before, which lies before the window.
        ("2025-02", 30, None, 2, 100),
        ("2025-03", 15, -0.5, None, 50),
        ("2025-04", None, None, None, None),
    ]
    assert answer["meta"]["records"] == 2
    cut = await ask(client, from_="2025-02", to="2025-05-15", interval="quarter")
    assert columns(cut, "quarter", "openings_new") == [("2025-Q1", 45), ("2025-Q2", None)]
    assert cut["meta"]["cut_periods"] == ["2025-Q1", "2025-Q2"]


async def test_a_period_that_the_window_cuts_is_no_measure_of_another(
    client: httpx.AsyncClient, database: Database
) -> None:
    openings = {
        **{"2024-05-10": 100, "2024-05-28": 10, "2024-06-10": 40, "2024-08-05": 3},
        **{"2025-05-10": 20, "2025-05-28": 30, "2025-06-10": 60, "2025-07-10": 90, "2025-08-05": 9},
    }
    await add_records(database, *(demand(number, on=on) for on, number in openings.items()))
    names = ("openings_new", "change_previous", "change_year", "index")
    answer = await ask(client, from_="2025-05-25", to="2025-08-20")
    assert columns(answer, *names) == [
        # From the 25th on, 30 against the 10 of the same days a year before.
        (30, None, 2, None),
        (60, None, 0.5, 100),
        (90, 0.5, None, 150),
        # Twenty days are compared with no month.
        (9, None, None, None),
    ]
    assert answer["meta"]["cut_periods"] == ["2025-05", "2025-08"]
    assert answer["meta"]["index"] == {"base": "2025-06", "series_without_base": 0}
    longer = await ask(client, from_="2024-05-25", to="2025-06")
    # May a year before is in the answer, of seven days.
    assert columns(longer, *names)[-2:] == [(50, None, None, 125), (60, 0.2, 0.5, 150)]
    assert longer["meta"]["index"]["base"] == "2024-06"
    based = await ask(client, from_="2025-05-25", to="2025-07", base="2025-05")
    assert columns(based, "index") == [(None,), (None,), (None,)]
    assert based["meta"]["index"]["series_without_base"] == 1
    within = await ask(client, from_="2025-05-25", to="2025-05-29")
    assert columns(within, *names) == [(30, None, None, None)]
    yearly = await ask(client, from_="2025-05-25", to="2025", interval="year")
    # 189 against 53, both from the 25th of May on.
    assert columns(yearly, *names) == [(189, 2.566038, 2.566038, None)]


async def test_an_empty_trend_names_the_nearest_question(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(database, demand(3, region="US", on="2025"), demand(4, region="DE"))
    asked = {"region": "US-CA", "from_": "2025-01", "to": "2025-12"}
    # By month the record of a year has no place.
    nearest = (await ask(client, **asked))["meta"]["nearest"]
    assert (nearest["changed"], nearest["records"]) == ({"region": None}, 1)
    nearest = (await ask(client, interval="year", **asked))["meta"]["nearest"]
    assert (nearest["changed"], nearest["records"]) == ({"region": ["US"]}, 1)
    assert (await ask(client))["meta"]["nearest"] is None


async def test_a_report_without_the_group_is_none_open_and_not_empty(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_sources(database, other={})
    await add_records(
        database,
        stock(100, "2025-01", region="US-CA"),
        stock(60, "2025-02", region="US-CA"),
        stock(40, "2025-02", region="US-NY"),
        stock(80, "2025-04", region="US-CA"),
        # Another source's report says nothing of New York.
        stock(7, "2025-03", region="DE", source="other"),
    )
    answer = await ask(client, group_by="region", region="US")
    rows = columns(answer, "region", "month", "openings_open", "count", "status")
    assert rows == [
        ("US-CA", "2025-01", 100, 1, "ok"),
        ("US-CA", "2025-02", 60, 1, "ok"),
        ("US-CA", "2025-03", None, 0, "empty"),
        ("US-CA", "2025-04", 80, 1, "ok"),
        ("US-NY", "2025-01", 0, 0, "ok"),
        ("US-NY", "2025-02", 40, 1, "ok"),
        ("US-NY", "2025-03", None, 0, "empty"),
        ("US-NY", "2025-04", 0, 0, "ok"),
    ]
    changes = columns(answer, "change_previous", "index")
    assert changes[:2] == [(None, 100), (-0.4, 60)]
    # Nothing is a base for nothing: 40 against 0, and 0 against 40.
    assert changes[4:] == [(None, None), (None, None), (None, None), (None, None)]
    assert answer["meta"]["index"] == {"base": "2025-01", "series_without_base": 1}
    based = await ask(client, group_by="region", region="US", base="2025-02")
    assert columns(based, "index")[4:] == [(0,), (100,), (None,), (0,)]


async def test_the_base_may_be_coarser_than_the_interval(
    client: httpx.AsyncClient, database: Database
) -> None:
    openings = {"2024-01": 90, "2024-07": 110, "2025-01": 150}
    await add_records(database, *(stock(number, on) for on, number in openings.items()))
    answer = await ask(client, base="2024")
    assert answer["meta"]["index"]["base"] == 2024
    found = {row["month"]: row["index"] for row in answer["data"] if row["index"] is not None}
    assert found == {"2024-01": 90, "2024-07": 110, "2025-01": 150}
    by_quarter = await ask(client, interval="quarter", base="2025-Q1")
    assert columns(by_quarter, "quarter", "index")[-1] == ("2025-Q1", 100)
    by_year = await ask(client, interval="year")
    # The stock of a year is the mean of the dates on which it was reported.
    assert columns(by_year, "year", "openings_open", "change_year", "change_previous") == [
        (2024, 100, None, None),
        (2025, 150, 0.5, 0.5),
    ]


async def test_changes_are_of_what_was_asked(client: httpx.AsyncClient, database: Database) -> None:
    await add_records(
        database,
        demand(10, candidates=20, on="2025-01"),
        demand(10, candidates=5, on="2025-02"),
        stock(50, "2025-01"),
        stock(40, "2025-02"),
    )
    usual = await ask(client)
    assert usual["meta"]["change_of"] == "openings_open"
    assert columns(usual, "change_previous")[1] == (-0.2,)
    tight = await ask(client, change_of="tightness", measures="count")
    assert columns(tight, "change_previous", "index") == [(None, 100), (3, 400)]
    assert "tightness" not in tight["data"][0]
    only_new = await ask(client, measure="new")
    assert only_new["meta"]["change_of"] == "openings_new"
    assert columns(only_new, "openings_open", "change_previous") == [(None, None), (None, 0)]


async def test_coarse_dates_are_in_coarse_trends_only(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(database, demand(5, on="2025"), demand(7, on="2025-03"))
    by_month = await ask(client)
    assert (columns(by_month, "openings_new"), by_month["meta"]["coverage"]) == (
        [(7,)],
        {"precision": 1},
    )
    assert columns(await ask(client, interval="year"), "openings_new") == [(12,)]


async def test_the_largest_series_are_shown(client: httpx.AsyncClient, database: Database) -> None:
    await add_records(
        database,
        demand(1, level="mid", on="2025-01"),
        *(demand(1, level="senior", on=f"2025-0{month}") for month in (1, 2)),
        *(demand(1, level="entry", on="2025-02") for _ in range(3)),
    )
    answer = await ask(client, group_by="level", series=2)
    assert [row["level"] for row in answer["data"]] == ["entry", "entry", "senior", "senior"]
    assert (answer["meta"]["groups"], answer["meta"]["truncated"]) == (3, True)
    assert answer["data"][0]["level_rank"] == 1


async def test_nothing_there(client: httpx.AsyncClient) -> None:
    assert (await ask(client))["data"] == []
    dense = await ask(client, from_="2025-01", to="2025-02", base="2025-01")
    assert columns(dense, "status", "index", "count") == [("empty", None, 0), ("empty", None, 0)]
    assert dense["meta"]["index"]["series_without_base"] == 1
    assert (await ask(client, from_="2025-01", to="2025-02", group_by="level"))["data"] == []


@pytest.mark.parametrize(
    ("query", "code", "parameter"),
    [
        ("interval=week", "unknown_interval", "interval"),
        ("group_by=month", "invalid_grouping", "group_by"),
        ("group_by=role,region,level,industry", "invalid_grouping", "group_by"),
        ("base=2030-01", "base_outside_window", "base"),
        ("base=2025-01-05", "invalid_base", "base"),
        ("base=2025-01&interval=year", "invalid_base", "base"),
        ("base=soon", "invalid_base", "base"),
        ("base=", "empty_value", "base"),
        ("change_of=count", "unknown_change_of", "change_of"),
        ("measures=p50", "unknown_measure", "measures"),
        ("from=1900-01&to=2199-12", "too_many_periods", "interval"),
        ("from=2025-02&to=2025-01", "invalid_window", None),
        ("population=released", "not_in_release", "population"),
        ("currency=EUR", "unknown_parameter", "currency"),
        ("series=0", "invalid_parameter", None),
    ],
)
async def test_refusals(
    client: httpx.AsyncClient, database: Database, query: str, code: str, parameter: str | None
) -> None:
    await add_records(database, demand(5, on="2025-01"))
    response = await client.get(f"{URL}?{query}")
    problem = response.json()
    assert response.status_code == 422, response.text
    if parameter is not None:
        assert (problem["code"], problem["parameter"]) == (code, parameter), response.text


RECORDS = st.lists(
    st.builds(
        demand,
        st.integers(0, 1_000),
        measure=st.sampled_from(["new", "open"]),
        source=st.sampled_from(["survey", "second"]),
        region=st.sampled_from(["US-CA", "DE"]),
        on=st.sampled_from(["2024-11-03", "2024-12", "2025-01", "2025-01-15", "2025-03", "2025"]),
    ),
    max_size=20,
)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(records=RECORDS)
async def test_open_positions_equal_a_plain_computation(
    client: httpx.AsyncClient, database: Database, records: list[dict[str, Any]]
) -> None:
    async with database.write() as session:
        await session.execute(text("DELETE FROM demand_records"))
        await session.execute(text("DELETE FROM sources WHERE code = 'second'"))
    await add_sources(database, second={})
    await add_records(database, *records)
    answer = await ask(client, group_by="region", from_="2024-11", to="2025-03")
    months = ["2024-11", "2024-12", "2025-01", "2025-02", "2025-03"]
    found = {(row["region"], row["month"]): row["openings_open"] for row in answer["data"]}
    expected = {
        (region, month): _plain(records, region, month)
        for region in ("DE", "US-CA")
        for month in months
        if any(r["region"] == region and r["precision"] < 3 for r in records)
    }
    assert found == pytest.approx(expected)


def _plain(records: list[dict[str, Any]], region: str, month: str) -> float | None:
    """Sum / dates of each source that ever reports the region, where it reported in the month."""
    stocks = [r for r in records if r["measure"] == 2 and r["precision"] < 3]
    total = None
    for source in {r["source"] for r in stocks if r["region"] == region}:
        reported = [
            r for r in stocks if r["source"] == source and f"{r['observed_on']:%Y-%m}" == month
        ]
        dates = {r["observed_on"] for r in reported}
        if dates:
            openings = sum(r["openings"] for r in reported if r["region"] == region)
            total = (total or 0) + openings / len(dates)
    return total
