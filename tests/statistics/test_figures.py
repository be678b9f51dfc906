"""Every figure against a plain computation, on random records."""

from collections import defaultdict
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.core.database import Database
from tests.statistics.naive import figures
from tests.support.builders import add_records, salary

REGIONS = {"US": "US", "US-CA": "US", "US-CA-SFO": "US", "DE": "DE", "unspecified": "unspecified"}
LEVELS = ["entry", "senior", "unspecified"]
DATES = ["2024-03-31", "2024-03", "2024-04", "2024-12-31", "2025", "2025-01-01", "2024"]
PERCENTILES = ["p1", "p10", "p33.3", "p50", "p75", "p99"]
MEASURES = ["count", "mean", "stddev", "rse", "p50_low", "p50_high", "quality", *PERCENTILES]

RECORDS = st.lists(
    st.builds(
        salary,
        st.integers(1_000, 10_000_000) | st.sampled_from([50_000, 50_001, 120_000]),
        region=st.sampled_from(sorted(REGIONS)),
        level=st.sampled_from(LEVELS),
        on=st.sampled_from(DATES),
        pay_kind=st.sampled_from(["base", "unspecified", "total"]),
    ),
    max_size=80,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(records=RECORDS, grouping=st.sampled_from(["region,level", "level", "region", "none"]))
async def test_figures_equal_a_plain_computation(
    client: httpx.AsyncClient, database: Database, records: list[dict[str, Any]], grouping: str
) -> None:
    await _replace(database, records)
    asked = {"group_by": grouping, "measures": ",".join(MEASURES), "limit": "10000"}
    answer = (await client.get("/v1/salaries/statistics", params=asked)).json()
    names = [] if grouping == "none" else grouping.split(",")
    expected = defaultdict(list)
    for record in records:
        if record["pay_kind"] != 2:
            expected[tuple(record[name] for name in names)].append(record["annual_amount"])
    found = {tuple(row[name] for name in names): row for row in answer["data"]}
    assert set(found) == set(expected)
    for key, amounts in expected.items():
        _assert_equal(found[key], figures(amounts, PERCENTILES))
    assert answer["meta"]["records"] == sum(map(len, expected.values()))
    assert answer["meta"]["groups"] == len(expected)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    records=RECORDS,
    period=st.sampled_from(["month", "quarter", "year"]),
    window=st.sampled_from([(None, None), ("2024-03", "2024-12"), ("2024-04-01", "2025-06")]),
)
async def test_records_are_placed_only_where_their_whole_date_lies(
    client: httpx.AsyncClient,
    database: Database,
    records: list[dict[str, Any]],
    period: str,
    window: tuple[str | None, str | None],
) -> None:
    records = [record for record in records if record["pay_kind"] != 2]
    await _replace(database, records)
    asked = {"group_by": period, "measures": "count,p50"}
    asked |= {name: end for name, end in zip(("from", "to"), window, strict=True) if end}
    answer = (await client.get("/v1/salaries/statistics", params=asked)).json()
    expected, left_out = defaultdict(list), 0
    for record in records:
        verdict, key = _placed(record, period, window)
        left_out += verdict == "precision"
        if verdict == "inside":
            expected[key].append(record["annual_amount"])
    assert {row[period]: row["count"] for row in answer["data"]} == {
        key: len(amounts) for key, amounts in expected.items()
    }
    for row in answer["data"]:
        assert row["p50"] == pytest.approx(figures(expected[row[period]], ["p50"])["p50"])
    assert answer["meta"]["coverage"] == {
        "rate_pending": 0,
        "one_sided": 0,
        "out_of_bounds": 0,
        "precision": left_out,
    }


ENDS = {"2024-03": ("2024-03-01", "2024-03-31"), "2024-12": ("2024-12-01", "2024-12-31")}
ENDS |= {"2024-04-01": ("2024-04-01",) * 2, "2025-06": ("2025-06-01", "2025-06-30")}


def _placed(
    record: dict[str, Any], period: str, window: tuple[str | None, str | None]
) -> tuple[str, Any]:
    """inside, precision or outside, and the row it belongs to; dates compared as ISO text."""
    first, last = record["observed_on"].isoformat(), record["observed_until"].isoformat()
    start = ENDS[window[0]][0] if window[0] else "0000"
    end = ENDS[window[1]][1] if window[1] else "9999"
    if last < start or first > end:
        return "outside", None
    year, month = first[:4], first[5:7]
    key = {
        "month": f"{year}-{month}",
        "quarter": f"{year}-Q{(int(month) + 2) // 3}",
        "year": int(year),
    }[period]
    whole_year = first[5:] == "01-01" and last[5:] == "12-31"
    if first < start or last > end or (whole_year and period != "year"):
        return "precision", None
    return "inside", key


async def _replace(database: Database, records: list[dict[str, Any]]) -> None:
    async with database.write() as session:
        await session.execute(text("DELETE FROM salary_records"))
    await add_records(database, *records)


def _assert_equal(row: dict[str, Any], expected: dict[str, Any]) -> None:
    for name, value in expected.items():
        if isinstance(value, float):
            assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-6), name
        else:
            assert row[name] == value, name
