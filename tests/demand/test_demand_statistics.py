"""GET /v1/demand/statistics: flows add up, stocks are averaged, sources are added."""

import csv
import io
from collections import defaultdict
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.core.database import Database
from tests.support.builders import add_records, add_sources, demand, salary

URL = "/v1/demand/statistics"


async def ask(client: httpx.AsyncClient, **parameters: Any) -> dict[str, Any]:
    """The JSON answer; 200 is asserted."""
    named = {name.rstrip("_"): value for name, value in parameters.items()}
    response = await client.get(URL, params=named)
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


def stock(openings: float, on: str, **values: Any) -> dict[str, Any]:
    """Open positions at a date."""
    return demand(openings, measure="open", on=on, **values)


async def test_sources_with_different_dates_are_averaged_and_then_added(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_sources(database, weekly={}, monthly={})
    weeks = ("2025-06-02", "2025-06-09", "2025-06-16", "2025-06-23")
    await add_records(
        database,
        *(stock(100, week, source="weekly") for week in weeks),
        stock(50, "2025-06", source="monthly"),
    )
    answer = await ask(client, from_="2025-06", to="2025-06")
    assert answer["data"][0]["openings_open"] == 150
    assert answer["data"][0]["openings_new"] is None
    by_month = await ask(client, group_by="month")
    assert [(row["month"], row["openings_open"]) for row in by_month["data"]] == [("2025-06", 150)]


async def test_too_many_groups_are_refused(
    client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_records(database, *(demand(1, region=code) for code in ("US", "DE", "FR")))
    monkeypatch.setattr("app.statistics.shape.MAX_GROUPS", 2)
    refused = await client.get(URL, params={"limit": 1})
    assert (refused.status_code, refused.json()["code"]) == (422, "too_many_groups")
    assert refused.json()["groups"] == 3


async def test_the_nearest_question_with_demand_is_named(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        *(salary(region="US-CA-SFO") for _ in range(3)),
        stock(5, "2025-02", region="US-CA", industry="saas"),
        stock(7, "2025-02", region="US-CA", industry="fintech"),
        demand(9, region="US-CA", on="2025-02"),
    )
    window = {"from_": "2025-01", "to": "2025-03"}
    asked = {"region": "US-CA-SFO", "level": "senior", **window}
    assert (await ask(client, region="US-CA", **window))["meta"]["nearest"] is None
    answer = await ask(client, measure="open", work_mode="unspecified", **asked)
    assert answer["data"] == []
    nearest = answer["meta"]["nearest"]
    assert nearest["changed"] == {"region": ["US-CA"]}
    assert (nearest["records"], nearest["query"]["level"]) == (2, ["senior"])
    # Demand states no work mode: only without it there is any.
    remote = (await ask(client, work_mode="remote", **asked))["meta"]["nearest"]
    assert (remote["changed"]["work_mode"], remote["records"]) == (None, 3)
    assert (await ask(client, pay_kind="base", **asked))["meta"]["nearest"] is None
    later = (await ask(client, region="US-CA", industry="saas", last="1m"))["meta"]["nearest"]
    assert (later["changed"], later["records"]) == ({"from": None, "to": None, "last": None}, 1)


async def test_a_year_is_the_mean_of_its_months(
    client: httpx.AsyncClient, database: Database
) -> None:
    months = {f"2024-{month:02}": 1000 + month for month in range(1, 13)} | {"2025-01": 5000}
    await add_records(database, *(stock(number, month) for month, number in months.items()))
    by_year = (await ask(client, group_by="year"))["data"]
    assert [(row["year"], row["openings_open"]) for row in by_year] == [
        (2024, 1006.5),
        (2025, 5000),
    ]
    assert [row["share"] for row in by_year] == [1, 1]
    by_month = (await ask(client, group_by="month", region="US"))["data"]
    assert [row["openings_open"] for row in by_month] == list(months.values())


async def test_a_group_that_a_report_lacks_had_no_openings(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        stock(100, "2025-01", region="US-CA"),
        stock(40, "2025-02", region="US-CA"),
        stock(30, "2025-02", region="US-NY"),
    )
    rows = (await ask(client))["data"]
    assert {row["region"]: row["openings_open"] for row in rows} == {"US-CA": 70, "US-NY": 15}
    # A filter takes groups away, not the dates on which the source reported.
    alone = (await ask(client, region="US-NY"))["data"]
    assert [(row["openings_open"], row["share"]) for row in alone] == [(15, 1)]
    assert {row["region"]: row["share"] for row in rows} == pytest.approx(
        {"US-CA": 70 / 85, "US-NY": 15 / 85}
    )


async def test_new_openings_add_up_and_share_what_is_there(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        demand(10, candidates=5, on="2025-01-03"),
        demand(20, on="2025-01-04"),
        demand(30, candidates=15, on="2025-02", region="DE"),
    )
    answer = await ask(client)
    assert answer["meta"]["share_of"] == "new"
    assert answer["data"] == [
        {
            "region": "DE",
            "region_name": "Germany",
            "openings_new": 30.0,
            "openings_open": None,
            "tightness": 2.0,
            "share": 0.5,
            "count": 1,
            "status": "ok",
        },
        {
            "region": "US",
            "region_name": "United States",
            "openings_new": 30.0,
            "openings_open": None,
            "tightness": 2.0,
            "share": 0.5,
            "count": 2,
            "status": "ok",
        },
    ]
    by_month = (await ask(client, group_by="month", measures="share,openings_new"))["data"]
    assert [(row["openings_new"], row["share"]) for row in by_month] == [(30, 0.5), (30, 0.5)]


async def test_new_and_open_are_never_mixed(client: httpx.AsyncClient, database: Database) -> None:
    await add_records(database, demand(7, on="2025-01-05"), stock(100, "2025-01-05"))
    both = (await ask(client, group_by="none"))["data"][0]
    assert (both["openings_new"], both["openings_open"], both["count"]) == (7, 100, 2)
    only = (await ask(client, group_by="none", measure="new"))["data"][0]
    assert (only["openings_new"], only["openings_open"], only["share"]) == (7, None, 1)


async def test_population_and_precision_are_as_for_salaries(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_sources(database, secret={"confidential": True}, synthetic={"demo": True})
    await add_records(
        database,
        stock(10, "2025-01"),
        stock(20, "2025"),
        stock(999, "2025-01", source="secret"),
        stock(999, "2025-01", source="synthetic"),
    )
    answer = await ask(client, from_="2025-01", to="2025-06", group_by="month")
    meta = answer["meta"]
    assert [(row["month"], row["openings_open"]) for row in answer["data"]] == [("2025-01", 10)]
    assert meta["coverage"] == {"precision": 1}
    assert (meta["groups"], meta["records"], meta["demo"]) == (1, 1, False)
    assert (meta["data_as_of"], [item["code"] for item in meta["sources"]]) == (
        "2025-01-01",
        ["survey"],
    )
    assert "currency" not in meta
    refused = await client.get(URL, params={"source": "secret"})
    assert (refused.status_code, refused.json()["code"]) == (422, "confidential_source")
    named = await ask(client, source="synthetic")
    assert (named["meta"]["demo"], named["data"][0]["openings_open"]) == (True, 999)


async def test_dimensions_that_demand_records_lack_are_unspecified(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(database, demand(3), salary())
    grouped = await ask(client, group_by="work_mode,pay_kind,employment_type,source")
    assert [row["work_mode"] for row in grouped["data"]] == ["unspecified"]
    assert (await ask(client, work_mode="unspecified,remote"))["meta"]["records"] == 1
    for parameters in ({"work_mode": "remote"}, {"pay_kind": "base"}, {"paid_in": "USD"}):
        assert (await ask(client, **parameters))["data"] == []


async def test_sorting_cutting_lifting_and_formats(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        stock(5, "2025-01", region="US-CA-SFO"),
        stock(6, "2025-01", region="US"),
        stock(50, "2025-01", region="DE"),
    )
    answer = await ask(client, region_kind="country", sort="-openings_open", limit=1)
    assert [row["region"] for row in answer["data"]] == ["DE"]
    assert (answer["meta"]["truncated"], answer["meta"]["groups"]) == (True, 2)
    assert answer["data"][0]["share"] == pytest.approx(50 / 61)
    table = await client.get(URL, params={"format": "csv", "sort": "share"})
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["openings_open"] for row in rows] == ["5.0", "6.0", "50.0"]


async def test_refusals(client: httpx.AsyncClient) -> None:
    refused = {
        "measure=opened": "unknown_measure",
        "measure=": "empty_value",
        "measures=p50": "unknown_measure",
        "sort=-p50": "unknown_measure",
        "sort=level": "invalid_sort",
        "currency=EUR": "unknown_parameter",
        "group_by=": "empty_value",
        "population=released": "not_in_release",
    }
    for query, code in refused.items():
        response = await client.get(f"{URL}?{query}")
        assert (response.status_code, response.json()["code"]) == (422, code), response.text


RECORDS = st.lists(
    st.builds(
        demand,
        st.integers(0, 100_000),
        measure=st.sampled_from(["new", "open"]),
        source=st.sampled_from(["survey", "second"]),
        region=st.sampled_from(["US", "US-CA", "DE"]),
        on=st.sampled_from(["2025-01-01", "2025-01-08", "2025-01", "2025-02", "2024-11", "2025"]),
        candidates=st.none() | st.integers(0, 10),
    ),
    max_size=25,
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(records=RECORDS, period=st.sampled_from([None, "month", "year"]))
async def test_figures_equal_a_plain_computation(
    client: httpx.AsyncClient, database: Database, records: list[dict[str, Any]], period: str | None
) -> None:
    async with database.write() as session:
        await session.execute(text("DELETE FROM demand_records; "))
        await session.execute(text("DELETE FROM sources WHERE code = 'second'"))
    await add_sources(database, second={})
    await add_records(database, *records)
    answer = await ask(client, group_by=f"region,{period}" if period else "region")
    expected = _plain(records, period)
    found = {(row["region"], row.get(period or "")): row for row in answer["data"]}
    assert set(found) == set(expected)
    for key, figures in expected.items():
        assert {name: found[key][name] for name in figures} == pytest.approx(figures), key


def _plain(records: list[dict[str, Any]], period: str | None) -> dict[Any, dict[str, Any]]:
    """openings_new, openings_open and tightness by (region, period), as defined."""

    def period_of(record: dict[str, Any]) -> Any:
        day = record["observed_on"]
        return {None: None, "month": day.strftime("%Y-%m"), "year": day.year}[period]

    placed = [r for r in records if period != "month" or r["precision"] < 3]
    dates, groups = defaultdict(set), defaultdict(list)
    for record in placed:
        groups[record["region"], period_of(record)].append(record)
        if record["measure"] == 2:
            dates[record["source"], period_of(record)].add(record["observed_on"])
    return {
        (region, when): {
            "openings_new": _sum(r["openings"] for r in rows if r["measure"] == 1),
            "openings_open": _sum(
                r["openings"] / len(dates[r["source"], when]) for r in rows if r["measure"] == 2
            ),
            "tightness": _ratio([r for r in rows if r["candidates"] is not None]),
            "count": len(rows),
        }
        for (region, when), rows in groups.items()
    }


def _sum(values: Any) -> float | None:
    values = list(values)
    return sum(values) if values else None


def _ratio(rows: list[dict[str, Any]]) -> float | None:
    candidates = sum(row["candidates"] for row in rows)
    return sum(row["openings"] for row in rows) / candidates if candidates else None
