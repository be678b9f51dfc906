"""Every figure against a plain computation, on random records."""

from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.core.database import Database
from tests.conftest import HeadersFor, connect
from tests.statistics import naive
from tests.statistics.naive import figures
from tests.support.builders import add_records, add_sources, salary
from tests.support.cells import renew_cells

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
BOUNDED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(BOUNDED, max_examples=8)
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


PER_DOLLAR = {"USD": 1.0, "EUR": 0.9, "GBP": 0.8, "JPY": 140.0, "HRK": 7.0, "CLP": 800.0}
"""Roughly, so that random pay is accepted. The kuna was replaced in 2023, pesos have no rates."""


def _optional(*words: str | None) -> st.SearchStrategy[str | None]:
    return st.sampled_from([None, *words])


@st.composite
def sent_rows(draw: st.DrawFn) -> dict[str, Any]:
    """A salary row as a client may send it; what is not stated is left out."""
    stated = {
        "source": draw(st.sampled_from(["survey", "second"])),
        "region": draw(st.sampled_from(["US", "US-CA", "US-CA-SFO", "US-NY-NYC", "DE"])),
        "role": draw(_optional("django-developer", "data-scientist")),
        "level": draw(_optional("entry", "senior")),
        "industry": draw(_optional("fintech", "saas")),
        "employer": draw(_optional("Acme", "Globex", "Initech")),
        "employment_type": draw(_optional("full_time", "contract")),
        "work_mode": draw(_optional("remote", "onsite")),
        "pay_kind": draw(_optional("base", "total")),
        "currency": draw(st.sampled_from(["USD", "USD", *PER_DOLLAR])),
        "pay_period": draw(_optional("month", "fortnight", "week", "day", "hour")),
        "fte": draw(_optional("0.5", "0.8", "0.75")),
        "observed_on": draw(
            st.sampled_from(
                ["2022-12-31", "2023-01-01", "2023", "2024-03", "2024-03-31", "2024-11"]
            )
        ),
    }
    row: dict[str, Any] = {name: value for name, value in stated.items() if value is not None}
    yearly = draw(st.integers(3_000, 1_000_000) | st.sampled_from([50_000, 50_001, 120_000]))
    fte = 1 if row.get("pay_period") in {"hour", "day"} else float(row.get("fte", 1))
    periods = naive.PERIODS[row.get("pay_period", "year")]
    amount = round(yearly * PER_DOLLAR[row["currency"]] / periods * fte, 2)
    low, high = amount, round(amount * draw(st.sampled_from([1.0, 1.25, 2.5])), 2)
    shape = draw(st.sampled_from(["point", "point", "range", "range", "from", "up to"]))
    if shape == "point":
        return row | {"amount": amount}
    row |= {} if shape == "up to" else {"amount_min": low}
    return row | ({} if shape == "from" else {"amount_max": high})


@st.composite
def questions(draw: st.DrawFn) -> dict[str, str]:
    """Parameters of the salary statistics."""
    names = draw(st.lists(st.sampled_from(GROUPS), unique=True, max_size=4))
    measures = draw(st.lists(st.sampled_from(FIGURES), unique=True, min_size=1, max_size=8))
    asked: dict[str, str | None] = {
        "group_by": ",".join(names) or "none",
        "measures": ",".join(measures),
        "region_kind": draw(_optional(*naive.LENGTH_OF_KIND)) if "region" in names else None,
        "bound": draw(_optional("low", "high")),
        "pay_period": draw(_optional("month", "hour")),
        "limit": draw(st.sampled_from(["10000", "10000", "2"])),
        **draw(st.sampled_from(MONEY)),
        **draw(st.sampled_from(WINDOWS)),
    }
    for name in draw(st.lists(st.sampled_from(sorted(FILTERS)), unique=True, max_size=3)):
        asked.setdefault(name, draw(st.sampled_from(FILTERS[name])))
    sorts = [name for name in ("count", "p50", "mean") if name in measures]
    sort = draw(
        st.lists(st.sampled_from(names + sorts), unique=True, max_size=2) if names else NONE
    )
    asked["sort"] = ",".join(draw(st.sampled_from(["", "-"])) + name for name in sort) or None
    return {name: value for name, value in asked.items() if value is not None}


NONE: st.SearchStrategy[list[str]] = st.just([])
GROUPS = [
    *("role", "region", "level", "industry", "employment_type", "work_mode", "pay_kind", "source"),
    *("month", "quarter", "year"),
]
FIGURES = [
    *("count", "mean", "stddev", "rse", "quality", "employers", "p50_low", "p50_high"),
    *("p1", "p10", "p33.3", "p50", "p62.125", "p99"),
]
FILTERS = {
    "role": ["django-developer", "data-scientist,unspecified"],
    "region": ["US", "US-CA", "US-CA-SFO,DE", "US-NY,US-CA-SFO"],
    "exclude_region": ["US-CA", "DE,US-NY-NYC", "US"],
    "level": ["entry,senior", "unspecified"],
    "industry": ["fintech", "saas,unspecified"],
    "employment_type": ["full_time", "contract,unspecified"],
    "work_mode": ["remote,onsite"],
    "pay_kind": ["total", "base,total,unspecified"],
    "source": ["second", "second,survey"],
    "source_kind": ["posted"],
    "paid_in": ["USD,EUR", "JPY", "CLP,HRK,USD"],
}
MONEY: list[dict[str, str]] = [
    {},
    {},
    {"currency": "EUR"},
    {"currency": "JPY"},
    *({"currency": code, "paid_in": code} for code in ("EUR", "USD", "CLP", "HRK")),
]
WINDOWS: list[dict[str, str]] = [
    {},
    {},
    {"from": "2023"},
    {"to": "2024-03-30"},
    {"from": "2022-12-31", "to": "2023"},
    {"from": "2023-06", "to": "2024-03"},
]


@pytest.fixture
async def writer(
    application: FastAPI, headers_for: HeadersFor, database: Database
) -> AsyncIterator[httpx.AsyncClient]:
    """A client that may write; the sources that rows name are there."""
    await add_sources(database, survey={}, second={"kind": "posted"})
    async with connect(application, await headers_for("records:write")) as client:
        yield client


@pytest.fixture
async def quotes(database: Database) -> naive.Quotes:
    """The rates of the years in question, as they were loaded."""
    wanted = ", ".join(f"'{code}'" for code in PER_DOLLAR)
    statement = text(
        "SELECT currency, observed_on, per_eur FROM exchange_rates"
        f" WHERE currency IN ({wanted}) AND observed_on >= '2022-11-01' ORDER BY observed_on"
    )
    found = naive.Quotes()
    async with database.read() as session:
        for currency, day, per_eur in await session.execute(statement):
            found.setdefault(currency, []).append((day, Fraction(per_eur)))
    return found


# Without shrinking: an example is many requests, and a failing one says which question it was.
@settings(BOUNDED, max_examples=12, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    rows=st.lists(sent_rows(), min_size=1, max_size=60),
    asked=st.lists(questions(), min_size=4, max_size=6),
)
async def test_answers_equal_a_plain_computation_from_the_rows_as_sent(
    client: httpx.AsyncClient,
    writer: httpx.AsyncClient,
    database: Database,
    quotes: naive.Quotes,
    rows: list[dict[str, Any]],
    asked: list[dict[str, str]],
) -> None:
    async with database.write() as session:
        await session.execute(text("DELETE FROM salary_records"))
        await session.execute(text("DELETE FROM salary_identities"))
        await renew_cells(session)
    report = (await writer.post("/v1/salaries/records", json=rows)).json()
    assert report.get("inserted") == len(rows), report
    for question in asked:
        response = await client.get("/v1/salaries/statistics", params=question)
        assert response.status_code == 200, response.text
        today, document = datetime.now(UTC).date(), response.json()
        _assert_answer(document, naive.answer(rows, quotes, question, today), question)
        if nearest := document["meta"]["nearest"]:
            assert document["data"] == []
            offered = naive.answer(rows, quotes, _offered(question, nearest["query"]), today)
            assert offered.records == nearest["records"] > 0, question


def _offered(asked: dict[str, str], filters: dict[str, Any]) -> dict[str, str]:
    """The question that `meta.nearest` names."""
    kept = {name: value for name, value in asked.items() if name not in {*FILTERS, "from", "to"}}
    lists = {name: ",".join(value) for name, value in filters.items() if name in FILTERS}
    days = {name: filters[name] for name in ("from", "to") if filters[name] is not None}
    return {**kept, **lists, **days}


def _assert_answer(
    document: dict[str, Any], expected: naive.Expected, asked: dict[str, str]
) -> None:
    names, data, meta = naive.grouping(asked), document["data"], document["meta"]
    keys = list(expected.rows)[: int(asked["limit"])]
    assert [tuple(row[name] for name in names) for row in data] == keys, asked
    for row, key in zip(data, keys, strict=True):
        wanted = {name: expected.rows[key][name] for name in asked["measures"].split(",")}
        _assert_equal(row, wanted)
        assert row["status"] == "ok"
    assert meta["coverage"] == expected.coverage, asked
    assert (meta["records"], meta["groups"]) == (expected.records, len(expected.rows))
    assert meta["truncated"] == (len(keys) < len(expected.rows))
    assert {source["code"] for source in meta["sources"]} == expected.sources
    assert meta["data_as_of"] == expected.as_of


@settings(BOUNDED, max_examples=8)
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
        "no_index": 0,
        "range_share": 0.0 if expected else None,
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
