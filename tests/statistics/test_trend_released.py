"""Trend, bands and comparison of a release: what it has, without what it does not carry."""

import httpx
import pytest

from app.core.database import Database
from tests.support.asking import ask, refuse
from tests.support.builders import add_sources
from tests.support.releases import add_release, node

TREND = "/v1/salaries/trend"
BANDS = "/v1/salaries/bands"
COMPARISON = "/v1/salaries/comparison"
RELEASED = {"population": "released"}


@pytest.fixture(autouse=True)
async def confidential(database: Database) -> None:
    await add_sources(database, club={"confidential": True})


async def test_a_trend_has_the_closed_periods_that_are_shown(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_release(
        database,
        node(90),
        node(20, period=2024, p50=100_000),
        node(25, period=2025, p50=110_000),
        node(10, period=20242, p50=80_000),
        node(10, period=20251, p50=90_000),
        node(15, period=20252, p50=100_000),
        node(15, period=20261, p50=120_000),
    )
    answer = await ask(client, TREND, **RELEASED)
    names = ("quarter", "count", "p50", "change_previous", "change_year", "status")
    assert [tuple(row[name] for name in names) for row in answer["data"]] == [
        ("2024-Q2", 10, 80_000, None, None, "ok"),
        ("2025-Q1", 10, 90_000, None, None, "ok"),
        ("2025-Q2", 15, 100_000, 0.111111, 0.25, "ok"),
        ("2026-Q1", 15, 120_000, None, 0.333333, "ok"),
    ]
    assert not {"growth_adjusted", "growth_cells", "quality"} & set(answer["data"][0])
    meta = answer["meta"]
    assert meta["query"]["interval"] == "quarter"
    assert (meta["population"], meta["records"], meta["fx_in_change"]) == ("released", 50, None)
    assert meta["periods"] == {"first": "2024-Q2", "last": "2026-Q1", "count": 8, "cut": []}
    windowed = await ask(client, TREND, from_="2025", to="2025-12", measures="count", **RELEASED)
    assert [(row["quarter"], row["change_year"]) for row in windowed["data"]] == [
        ("2025-Q1", None),
        ("2025-Q2", 0.25),
    ]
    assert windowed["meta"]["records"] == 25
    yearly = await ask(client, TREND, interval="year", change_of="count", **RELEASED)
    assert [(row["year"], row["change_previous"]) for row in yearly["data"]] == [
        (2024, None),
        (2025, 0.25),
    ]


async def test_series_of_a_release(client: httpx.AsyncClient, database: Database) -> None:
    await add_release(
        database,
        node(30, region="US", level="senior", period=2024),
        node(30, region="US", level="senior", period=2025),
        node(20, region="DE", level="senior", period=2025),
        node(30, region="US-CA", level="senior", period=2025),
    )
    asked = {"interval": "year", "group_by": "region,level", "measures": "count"}
    answer = await ask(client, TREND, **asked, **RELEASED)
    assert [(row["region"], row["year"]) for row in answer["data"]] == [
        ("DE", 2025),
        ("US", 2024),
        ("US", 2025),
    ]
    assert answer["meta"]["query"]["region_kind"] == "country"


async def test_bands_of_a_release(client: httpx.AsyncClient, database: Database) -> None:
    await add_release(
        database,
        node(40, region="US", level="senior", p25=71_000, p50=80_000, p75=84_000),
        node(5, region="US", level="mid", p25=None, p50=60_000, p75=None),
    )
    rows = {row["level"]: row for row in (await ask(client, BANDS, **RELEASED))["data"]}
    senior, mid = rows["senior"], rows["mid"]
    assert (senior["band_low"], senior["band_high"], senior["count"]) == (70_000, 85_000, 40)
    assert "quality" not in senior
    assert (mid["p50"], mid["p_low"], mid["band_low"], mid["band_high"]) == (
        60_000,
        None,
        None,
        None,
    )


async def test_a_comparison_of_a_release_has_no_interval(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_release(
        database, node(40, region="US", p50=90_000), node(20, region="DE", p50=60_000)
    )
    asked = {"dimension": "region", "a": "DE", "b": "US,FR"}
    answer = await ask(client, COMPARISON, **asked, **RELEASED)
    names = ("b", "b_count", "difference", "ratio", "difference_low", "status")
    assert [tuple(row[name] for name in names) for row in answer["data"]] == [
        ("US", 40, 30_000, 1.5, None, "no_interval"),
        ("FR", None, None, None, None, "absent"),
    ]


REFUSED = [
    (TREND, {"interval": "month"}, "interval"),
    (TREND, {"measures": "quality"}, "measures"),
    (TREND, {"change_of": "stddev"}, "change_of"),
    (TREND, {"group_by": "industry"}, "group_by"),
    (TREND, {"from": "2025-02"}, "from"),
    (BANDS, {"low": "p33"}, "low"),
    (BANDS, {"group_by": "work_mode"}, "group_by"),
    (BANDS, {"sort": "quality"}, "sort"),
    (BANDS, {"industry": "fintech"}, "industry"),
    (COMPARISON, {"dimension": "level", "a": "mid", "b": "senior", "bound": "low"}, "bound"),
]


async def test_what_a_release_does_not_have_is_refused(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_release(database, node(40))
    for path, parameters, parameter in REFUSED:
        problem = await refuse(client, path, **parameters, **RELEASED)
        assert (problem["code"], problem["parameter"]) == ("not_in_release", parameter), problem


async def test_without_a_release(client: httpx.AsyncClient) -> None:
    compared = {"dimension": "region", "a": "US", "b": "DE"}
    for path, parameters in ((TREND, {}), (BANDS, {}), (COMPARISON, compared)):
        problem = await refuse(client, path, **parameters, **RELEASED)
        assert problem["code"] == "no_releases"
