"""GET /v1/salaries/comparison."""

from math import comb, sqrt
from statistics import NormalDist

import httpx
import numpy as np
import pytest

from app.core.database import Database
from tests.statistics.naive import median_interval
from tests.support.asking import ask, refuse
from tests.support.builders import add_records, add_sources, demand, salary

COMPARISON = "/v1/salaries/comparison"
Refusals = list[tuple[dict[str, str], str, str | None]]
TOTALS = {"rate_pending": 0, "one_sided": 0, "out_of_bounds": 0, "precision": 0, "no_index": 0}


def interval(a: list[int], b: list[int]) -> tuple[float, float]:
    """Bonett and Price (2002), with the binomial summed."""

    def variance(values: list[int]) -> float:
        n, (low, high) = len(values), median_interval(np.sort(np.array(values, dtype=float)))
        assert low is not None
        assert high is not None
        rank = int(np.searchsorted(np.sort(values), low)) + 1
        tail = sum(comb(n, k) for k in range(rank)) / 2**n
        return ((high - low) / 2 / NormalDist().inv_cdf(1 - tail)) ** 2

    half = NormalDist().inv_cdf(0.975) * sqrt(variance(a) + variance(b))
    difference = float(np.median(b) - np.median(a))
    return difference - half, difference + half


async def test_regions_with_everything_under_them(
    client: httpx.AsyncClient, database: Database
) -> None:
    us = [70_000 + 1_100 * step for step in range(30)]
    germany = [50_000 + 1_300 * step for step in range(17)]
    places = ["US", "US-CA", "US-CA-SFO"]
    await add_records(
        database,
        *(salary(amount, region=places[i % 3]) for i, amount in enumerate(us)),
        *(salary(amount, region="DE") for amount in germany),
        *(salary(40_000, region="GB") for _ in range(5)),
        salary(900_000, region="US", on="2020"),
    )
    asked = {"dimension": "region", "a": "DE", "b": "US,GB,FR", "from": "2021"}
    answer = await ask(client, COMPARISON, **asked)
    by_code = {row["b"]: row for row in answer["data"]}
    assert list(by_code) == ["US", "GB", "FR"]
    row = by_code["US"]
    low, high = interval(germany, us)
    assert row == {
        "dimension": "region",
        "a": "DE",
        "a_name": "Germany",
        "b": "US",
        "b_name": "United States",
        "a_count": 17,
        "b_count": 30,
        "a_p50": 60_400,
        "b_p50": 85_950,
        "difference": 25_550,
        "ratio": pytest.approx(85_950 / 60_400, abs=1e-6),
        "difference_low": pytest.approx(low, abs=1e-4),
        "difference_high": pytest.approx(high, abs=1e-4),
        "status": "ok",
    }
    few = by_code["GB"]
    assert (few["difference"], few["ratio"]) == (-20_400, pytest.approx(0.662252, abs=1e-6))
    assert (few["difference_low"], few["difference_high"], few["status"]) == (None, None, "too_few")
    none = by_code["FR"]
    assert (none["a_count"], none["b_count"], none["b_p50"], none["difference"]) == (
        17,
        0,
        None,
        None,
    )
    assert none["status"] == "empty"
    meta = answer["meta"]
    assert (meta["records"], meta["groups"], meta["truncated"]) == (52, 3, False)
    assert meta["interval"]["confidence"] == 0.95
    assert "Bonett and Price (2002)" in meta["interval"]["method"]
    assert meta["query"]["b"] == ["US", "GB", "FR"]
    assert meta["query"]["from"] == "2021-01-01"
    assert [source["code"] for source in meta["sources"]] == ["survey"]


async def test_coverage_and_sources_are_those_of_all_groups(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_sources(database, second={}, third={})
    await add_records(
        database,
        salary(low=50_000, high=70_000, level="entry"),
        salary(low=50_000, high=None, level="entry"),
        salary(90_000, level="mid", source="second", on="2025-08-01"),
        salary(1, rate_pending=True, level="mid"),
        salary(80_000, level="mid", on="2025"),
        salary(90_000, level="senior", source="third", on="2025-09-01"),
    )
    asked = {"dimension": "level", "a": "entry", "b": "mid", "from": "2025-06"}
    meta = (await ask(client, COMPARISON, **asked))["meta"]
    expected = {"rate_pending": 1, "one_sided": 1, "precision": 1, "range_share": 0.5}
    assert meta["coverage"] == TOTALS | expected
    assert [source["code"] for source in meta["sources"]] == ["second", "survey"]
    assert meta["data_as_of"] == "2025-08-01"


async def test_roles_in_another_currency_and_period(
    client: httpx.AsyncClient, database: Database
) -> None:
    a, b = [60_000 + 977 * i for i in range(9)], [66_000 + 1_409 * i for i in range(12)]
    await add_records(
        database,
        *(salary(amount, role="data-scientist") for amount in a),
        *(salary(amount) for amount in b),
    )
    asked = {"dimension": "role", "a": "data-scientist", "b": "django-developer"}
    answer = await ask(client, COMPARISON, currency="GBP", pay_period="month", **asked)
    factor = answer["meta"]["exchange_rate"] / 12
    (row,) = answer["data"]
    low, high = interval(a, b)
    assert row["difference"] == pytest.approx((np.median(b) - np.median(a)) * factor, rel=1e-6)
    assert row["difference_low"] == pytest.approx(low * factor, rel=1e-6, abs=1e-4)
    assert row["difference_high"] == pytest.approx(high * factor, rel=1e-6, abs=1e-4)
    assert row["ratio"] == pytest.approx(np.median(b) / np.median(a), abs=1e-6)
    assert answer["meta"]["currency"] == "GBP"


async def test_the_other_filters_hold_for_both(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_sources(database, secret={"confidential": True})
    await add_records(
        database,
        salary(80_000, level="entry", region="DE"),
        salary(90_000, level="mid", region="DE"),
        salary(10_000, level="mid", region="US"),
        salary(987_654, level="mid", region="DE", source="secret"),
        salary(10_000, level="mid", region="DE", pay_kind="total"),
        demand(region="DE"),
    )
    asked = {"dimension": "level", "a": "entry", "b": "mid", "region": "DE"}
    (row,) = (await ask(client, COMPARISON, **asked))["data"]
    assert (row["a_p50"], row["b_p50"], row["b_count"]) == (80_000, 90_000, 1)
    assert (await refuse(client, COMPARISON, source="secret", **asked))[
        "code"
    ] == "confidential_source"


REGIONS = {"dimension": "region", "a": "US", "b": "DE"}
LEVELS = {"dimension": "level", "a": "mid", "b": "senior"}


REFUSED: Refusals = [
    ({"a": "US", "b": "DE"}, "missing_value", None),
    ({"dimension": "region", "a": "US"}, "missing_value", None),
    ({**REGIONS, "dimension": "industry"}, "unknown_dimension", "dimension"),
    ({**REGIONS, "dimension": ""}, "empty_value", "dimension"),
    ({**REGIONS, "a": "US,GB"}, "invalid_comparison", "a"),
    ({**REGIONS, "a": ""}, "empty_value", "a"),
    ({**REGIONS, "b": "DE,,FR"}, "empty_value", "b"),
    ({**REGIONS, "b": "DE,US"}, "invalid_comparison", "b"),
    ({**REGIONS, "a": "USX"}, "unknown_region", "a"),
    ({**REGIONS, "b": "DE,XX"}, "unknown_region", "b"),
    ({**REGIONS, "b": "DE,US-CA"}, "overlapping_groups", "b"),
    ({**REGIONS, "a": "US-CA-SFO", "b": "US"}, "overlapping_groups", "b"),
    ({**REGIONS, "region": "US"}, "invalid_comparison", "region"),
    ({**REGIONS, "exclude_region": "US-CA"}, "invalid_comparison", "exclude_region"),
    (LEVELS | {"level": "mid"}, "invalid_comparison", "level"),
    ({"dimension": "role", "a": "django-developer", "b": "djano"}, "unknown_role", "b"),
    ({**REGIONS, "b": ",".join(f"R{i}" for i in range(51))}, "too_many_values", "b"),
    ({**REGIONS, "group_by": "level"}, "unknown_parameter", "group_by"),
]


async def test_what_cannot_be_answered_is_refused(client: httpx.AsyncClient) -> None:
    for parameters, code, parameter in REFUSED:
        problem = await refuse(client, COMPARISON, **parameters)
        found = problem["code"], problem.get("parameter")
        assert found == (code, parameter), (parameters, problem)


async def test_ties_leave_no_interval_rather_than_one_without_width(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        *(salary(80_000, level="entry") for _ in range(20)),
        *(salary(95_000, level="mid") for _ in range(20)),
        *(salary(90_000 + 1_000 * step, level="senior") for step in range(20)),
    )
    answer = await ask(client, COMPARISON, dimension="level", a="entry", b="mid,senior")
    ties, apart = answer["data"]
    assert (ties["difference"], ties["status"]) == (15_000, "ties")
    assert (ties["difference_low"], ties["difference_high"]) == (None, None)
    # One median with an error is enough for an interval.
    assert apart["status"] == "ok"
    assert apart["difference_low"] < apart["difference"] < apart["difference_high"]


async def test_the_nearest_question_compares_the_same(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        salary(region="US-CA", level="mid"),
        salary(region="DE", level="senior"),
        salary(region="FR"),
    )
    asked = {"dimension": "region", "a": "US-CA", "b": "DE", "level": "lead"}
    meta = (await ask(client, COMPARISON, **asked))["meta"]
    assert meta["nearest"]["changed"] == {"level": None}
    assert meta["nearest"]["records"] == 2
    assert "region" not in meta["nearest"]["query"]
    assert (await ask(client, COMPARISON, **asked | {"level": "mid"}))["meta"]["nearest"] is None
    # Without records of what is compared no wider region is offered in its place.
    nothing = {"dimension": "region", "a": "US-NY", "b": "GB", "level": "lead"}
    assert (await ask(client, COMPARISON, **nothing))["meta"]["nearest"] is None
