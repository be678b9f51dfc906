"""GET /v1/market: pay and demand of the same groups in one row."""

from collections import defaultdict
from datetime import date
from statistics import median
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.core.database import Database
from app.rates.index_loading import import_indices
from app.rates.index_profiles import get_index_profile
from tests.support.asking import ask as ask_route
from tests.support.builders import add_records, add_sources, demand, salary

URL = "/v1/market"


async def ask(client: httpx.AsyncClient, **parameters: Any) -> Any:
    """The JSON answer of the route."""
    return await ask_route(client, URL, **parameters)


async def test_pay_and_demand_meet_in_one_row(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        *(salary(100_000 + 1_000 * i, region="US-CA", on="2025-05") for i in range(7)),
        *(salary(90_000, region="US-CA", on="2024-05") for _ in range(2)),
        salary(70_000, region="DE", on="2025-05"),
        demand(30, region="US-CA", candidates=60, on="2025-06"),
        demand(100, region="US-CA", measure="open", on="2025-01"),
        demand(60, region="US-CA", measure="open", on="2025-02"),
        demand(20, region="FR", measure="open", on="2025-02"),
        demand(999, region="US-CA", on="2024-06"),
    )
    answer = await ask(client, from_="2025-01", to="2025-12")
    assert answer["data"] == [
        {
            "region": "DE",
            "region_name": "Germany",
            "count": 1,
            "p50": 70_000,
            "p50_low": None,
            "p50_high": None,
            "quality": "E",
            "change_year": None,
            "openings_new": None,
            "openings_open": None,
            "tightness": None,
            "demand_share": None,
            "demand_records": 0,
            "status": "no_demand",
        },
        {
            "region": "FR",
            "region_name": "France",
            "count": 0,
            "p50": None,
            "p50_low": None,
            "p50_high": None,
            "quality": None,
            "change_year": None,
            # 0 in January, when its source reported without it, and 20 in February.
            "openings_new": None,
            "openings_open": 10,
            "tightness": None,
            "demand_share": pytest.approx(10 / 90),
            "demand_records": 1,
            "status": "no_pay",
        },
        {
            "region": "US-CA",
            "region_name": "California",
            "count": 7,
            "p50": 103_000,
            "p50_low": 100_000,
            "p50_high": 106_000,
            "quality": "A",
            # 103,000 / 90,000 - 1
            "change_year": 0.144444,
            "openings_new": 30,
            "openings_open": 80,
            "tightness": 0.5,
            "demand_share": pytest.approx(80 / 90),
            "demand_records": 3,
            "status": "ok",
        },
    ]
    meta = answer["meta"]
    assert (meta["groups"], meta["records"], meta["truncated"]) == (3, 8, False)
    assert (meta["change_year_from"], meta["change_year_to"]) == ("2024-01-01", "2024-12-31")
    assert (meta["demand"]["records"], meta["demand"]["share_of"]) == (4, "open")
    assert meta["demand"]["population"] == "live"
    assert [source["code"] for source in meta["sources"]] == ["survey"]


async def test_by_year_each_row_looks_a_year_back(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        salary(100_000, on="2023-03"),
        salary(110_000, on="2024-03"),
        salary(99_000, on="2025-03"),
        demand(5, on="2022-01"),
    )
    everything = await ask(client, group_by="year")
    changes = [(row["year"], row["change_year"], row["status"]) for row in everything["data"]]
    assert changes == [
        (2022, None, "no_pay"),
        (2023, None, "no_demand"),
        (2024, 0.1, "no_demand"),
        (2025, -0.1, "no_demand"),
    ]
    # The year before the window is looked up, not shown.
    later = await ask(client, group_by="quarter,region", from_="2025-01")
    assert [(row["quarter"], row["change_year"]) for row in later["data"]] == [("2025-Q1", -0.1)]
    open_ended = await ask(client, group_by="none", from_="2025-01")
    assert open_ended["data"][0]["change_year"] is None
    assert open_ended["meta"]["change_year_from"] is None


async def test_a_leap_year_s_month_is_compared_as_a_whole(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(database, salary(50_000, on="2024-02-29"), salary(60_000, on="2025-02-28"))
    row = (await ask(client, group_by="none", from_="2025-02", to="2025-02"))["data"][0]
    assert (row["p50"], row["change_year"]) == (60_000, 0.2)


async def test_filters_on_pay_leave_demand_as_it_is_and_meta_says_so(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database, salary(100_000, work_mode="remote"), salary(50_000), demand(4, on="2025-06")
    )
    answer = await ask(client, work_mode="remote", paid_in="USD")
    (row,) = answer["data"]
    assert (row["p50"], row["openings_new"], row["status"]) == (100_000, 4, "ok")
    beside = answer["meta"]["demand"]
    assert beside["filters_not_applied"] == ["paid_in", "work_mode"]
    assert "work_mode" not in beside["query"]
    assert answer["meta"]["query"]["work_mode"] == ["remote"]
    assert (await ask(client))["meta"]["demand"]["filters_not_applied"] == []


async def test_regions_are_lifted_on_both_sides(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        salary(100_000, region="US-CA-SFO"),
        salary(80_000, region="US"),
        demand(3, region="US-NY"),
        demand(4, region="US"),
    )
    (row,) = (await ask(client, region="US", region_kind="country"))["data"]
    assert (row["region"], row["count"], row["p50"], row["openings_new"]) == ("US", 2, 90_000, 7)


async def test_order_and_limit(client: httpx.AsyncClient, database: Database) -> None:
    await add_records(
        database,
        salary(50_000, level="lead"),
        salary(90_000, level="entry"),
        demand(9, level="mid"),
        demand(2, level="lead"),
        demand(5, level="unspecified"),
    )

    async def levels(**asked: Any) -> list[str]:
        answer = await ask(client, group_by="level", **asked)
        return [row["level"] for row in answer["data"]]

    assert await levels() == ["entry", "mid", "lead", "unspecified"]
    assert await levels(sort="-level") == ["lead", "mid", "entry", "unspecified"]
    assert await levels(sort="-p50") == ["entry", "lead", "mid", "unspecified"]
    assert await levels(sort="p50") == ["lead", "entry", "mid", "unspecified"]
    assert await levels(sort="-openings_new,level") == ["mid", "unspecified", "lead", "entry"]
    cut = await ask(client, group_by="level", limit=2)
    assert (len(cut["data"]), cut["meta"]["groups"], cut["meta"]["truncated"]) == (2, 4, True)


async def test_the_figures_asked_in_the_order_asked(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(database, salary(50_000, level="lead"), salary(90_000, level="entry"))
    answer = await ask(client, measures="openings_new,p50", sort="-quality,-p50", group_by="level")
    assert list(answer["data"][0]) == [
        *("level", "level_name", "level_rank", "openings_new", "p50", "status")
    ]
    assert [row["p50"] for row in answer["data"]] == [90_000, 50_000]
    assert answer["meta"]["query"]["measures"] == ["openings_new", "p50"]


async def test_pay_that_cannot_be_adjusted_says_so(
    client: httpx.AsyncClient, database: Database
) -> None:
    table = b'GeoFIPS,GeoName,Description,2023\n"06000","California","RPPs: All items ",125\n'
    await import_indices(database, table, get_index_profile("bea_rpp_state"), date(2026, 11, 22))
    await add_records(
        database,
        salary(100_000, region="US-CA"),
        salary(100_000, region="DE"),
        demand(5, region="DE"),
    )
    answer = await ask(client, adjust="price_parity")
    rows = [(row["region"], row["p50"], row["status"]) for row in answer["data"]]
    assert rows == [("DE", None, "no_index"), ("US-CA", 80_000, "no_demand")]
    assert answer["data"][0]["openings_new"] == 5


async def test_confidential_and_demo_sources_are_decided_once_for_both(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_sources(database, secret={"confidential": True}, synthetic={"demo": True})
    await add_records(
        database,
        salary(100_000),
        salary(1, source="secret"),
        salary(2, source="synthetic"),
        demand(7, source="synthetic"),
    )
    (row,) = (await ask(client))["data"]
    assert (row["count"], row["status"]) == (1, "no_demand")
    named = await ask(client, source="synthetic")
    assert (named["data"][0]["openings_new"], named["meta"]["demo"]) == (7, True)
    refused = await client.get(URL, params={"source": "secret"})
    assert (refused.status_code, refused.json()["code"]) == (422, "confidential_source")


async def test_nothing_there(client: httpx.AsyncClient) -> None:
    answer = await ask(client, group_by="role,level")
    assert (answer["data"], answer["meta"]["groups"], answer["meta"]["sources"]) == ([], 0, [])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("group_by=work_mode", "invalid_grouping"),
        ("group_by=source", "invalid_grouping"),
        ("group_by=levle", "unknown_group_by"),
        ("group_by=role,region,level,industry,year", "invalid_grouping"),
        ("sort=-p90", "unknown_measure"),
        ("sort=level", "invalid_sort"),
        ("measures=p50,p90", "unknown_measure"),
        ("measures=", "empty_value"),
        ("adjust=price_parity", "no_index_table"),
        ("role=djang", "unknown_role"),
        ("from=2025-02&to=2025-01", "invalid_window"),
        ("population=released", "no_releases"),
    ],
)
async def test_refusals(client: httpx.AsyncClient, query: str, code: str) -> None:
    response = await client.get(f"{URL}?{query}")
    assert (response.status_code, response.json()["code"]) == (422, code), response.text


PAY = st.builds(
    salary,
    st.integers(20_000, 300_000),
    region=st.sampled_from(["US", "US-CA", "DE"]),
    level=st.sampled_from(["mid", "senior"]),
    on=st.sampled_from(["2024-02-11", "2024-11", "2025-02", "2025-03-03", "2025"]),
)
DEMAND = st.builds(
    demand,
    st.integers(0, 1_000),
    region=st.sampled_from(["US-CA", "DE", "FR"]),
    level=st.sampled_from(["mid", "unspecified"]),
    measure=st.sampled_from(["new", "open"]),
    on=st.sampled_from(["2024-02-11", "2025-02", "2025-03", "2025"]),
)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pay=st.lists(PAY, max_size=15), openings=st.lists(DEMAND, max_size=15), whole=st.booleans())
async def test_rows_equal_a_plain_computation(
    client: httpx.AsyncClient,
    database: Database,
    pay: list[dict[str, Any]],
    openings: list[dict[str, Any]],
    whole: bool,
) -> None:
    async with database.write() as session:
        await session.execute(text("DELETE FROM demand_records"))
        await session.execute(text("DELETE FROM salary_records"))
    await add_records(database, *pay, *openings)
    to = "2025-12" if whole else "2025-06"
    answer = await ask(client, group_by="region,level", from_="2025-01", to=to)
    expected = _plain(pay, openings, to)
    found = {(row["region"], row["level"]): row for row in answer["data"]}
    assert set(found) == set(expected)
    for key, figures in expected.items():
        assert {name: found[key][name] for name in figures} == pytest.approx(figures), key


def _plain(pay: Any, openings: Any, to: str) -> dict[Any, dict[str, Any]]:
    """The rows as defined, from what was inserted; the window begins with 2025-01."""

    def inside(record: Any, year: int) -> bool:
        first, last = f"{year}-01-01", f"{year}-{to[5:]}-31"
        return first <= str(record["observed_on"]) and str(record["observed_until"]) <= last

    def groups(records: Any, year: int) -> dict[Any, list[Any]]:
        found = defaultdict(list)
        for record in records:
            if inside(record, year):
                found[record["region"], record["level"]].append(record)
        return found

    now, before, wanted = groups(pay, 2025), groups(pay, 2024), groups(openings, 2025)
    stock = [r for rows in wanted.values() for r in rows if r["measure"] == 2]
    dates = len({record["observed_on"] for record in stock})
    rows = {}
    for key in {*now, *wanted}:
        amounts = [record["annual_amount"] for record in now.get(key, ())]
        earlier = [record["annual_amount"] for record in before.get(key, ())]
        known = bool(amounts and earlier)
        new = [r["openings"] for r in wanted.get(key, ()) if r["measure"] == 1]
        open_ = [r["openings"] for r in wanted.get(key, ()) if r["measure"] == 2]
        rows[key] = {
            "count": len(amounts),
            "p50": median(amounts) if amounts else None,
            "change_year": round(median(amounts) / median(earlier) - 1, 6) if known else None,
            "openings_new": sum(new) if new else None,
            "openings_open": sum(open_) / dates if open_ else None,
            "demand_records": len(new) + len(open_),
            "status": "no_pay" if not amounts else "ok" if new or open_ else "no_demand",
        }
    return rows
