"""GET /v1/salaries/rank: the share below an amount, its interval and its ratio to the median."""

from math import sqrt
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.core.database import Database
from tests.support.builders import add_records, add_sources, salary

ADDRESS = "/v1/salaries/rank"
AMOUNTS = st.integers(1_000, 10_000_000) | st.sampled_from([50_000, 50_001, 100_000, 120_000])


async def ask(client: httpx.AsyncClient, **parameters: Any) -> dict[str, Any]:
    answer = await client.get(ADDRESS, params=parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    document: dict[str, Any] = answer.json()
    return document


async def refuse(client: httpx.AsyncClient, **parameters: Any) -> dict[str, Any]:
    answer = await client.get(ADDRESS, params=parameters)
    assert answer.status_code == 422, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def replace(database: Database, records: list[dict[str, Any]]) -> None:
    async with database.write() as session:
        await session.execute(text("DELETE FROM salary_records"))
    await add_records(database, *records)


def check_row(row: dict[str, Any], amounts: "np.ndarray[Any, Any]", amount: float) -> None:
    """The row of `amount` among `amounts`, computed plainly."""
    n = len(amounts)
    share = ((amounts < amount).sum() + (amounts == amount).sum() / 2) / n
    assert (row["amount"], row["n"], row["status"]) == (amount, n, "ok")
    assert row["rank"] == pytest.approx(share, abs=1e-12)
    # The roots of (share - p)^2 = z^2 p (1 - p) / n.
    square = 1.959963984540054**2 / n
    roots = np.roots([1 + square, -(2 * share + square), share**2])
    low, high = sorted(float(root.real) for root in roots)
    assert row["rank_low"] == pytest.approx(low, abs=1e-6)
    assert row["rank_high"] == pytest.approx(high, abs=1e-6)
    median = float(np.percentile(amounts, 50))
    assert row["p50"] == pytest.approx(median, rel=1e-9)
    assert row["compa_ratio"] == pytest.approx(amount / median, rel=1e-9)


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    paid=st.lists(st.tuples(AMOUNTS, st.integers(1, 12)), min_size=1, max_size=80),
    window=st.tuples(st.integers(1, 12), st.integers(1, 12)).map(sorted),
    other=AMOUNTS,
)
async def test_ranks_equal_a_plain_computation(
    client: httpx.AsyncClient,
    database: Database,
    paid: list[tuple[int, int]],
    window: list[int],
    other: int,
) -> None:
    await replace(database, [salary(each, on=f"2025-{month:02}") for each, month in paid])
    first, last = window
    limits = {"from": f"2025-{first:02}", "to": f"2025-{last:02}"}
    everything = np.array([each for each, _ in paid], dtype=float)
    inside = np.array([each for each, month in paid if first <= month <= last], dtype=float)
    asked = [int(everything[0]), int(everything.max()), int(everything.min()), other]
    for amount in asked:
        row = (await ask(client, amount=amount))["data"][0]
        check_row(row, everything, amount)
        assert (row["currency"], row["pay_period"]) == ("USD", "year")
    items: list[dict[str, Any]]
    items = [{"amount": amount, **dates} for dates in ({}, limits) for amount in (*asked, *asked)]
    answer = await client.post(ADDRESS, json={"items": items})
    assert answer.status_code == 200, answer.text
    for row, item in zip(answer.json()["data"], items, strict=True):
        known = inside if "from" in item else everything
        if len(known):
            check_row(row, known, item["amount"])
        else:
            assert (row["status"], row["n"], row["rank"]) == ("empty", 0, None)


async def test_a_worked_example(client: httpx.AsyncClient, database: Database) -> None:
    """Of 60, 70, 70, 80 and 100 thousand: one below 70, two equal to it."""
    await replace(database, [salary(k * 1000) for k in (60, 70, 70, 80, 100)])
    document = await ask(client, amount=70_000, role="django-developer")
    row = document["data"][0]
    assert row["rank"] == pytest.approx(0.4)
    assert row["compa_ratio"] == pytest.approx(1.0)
    z = 1.959964
    middle, half = 0.4 + z * z / 10, z * sqrt(0.24 / 5 + z * z / 100)
    assert row["rank_low"] == pytest.approx((middle - half) / (1 + z * z / 5), abs=1e-6)
    assert row["rank_high"] == pytest.approx((middle + half) / (1 + z * z / 5), abs=1e-6)
    assert document["meta"]["query"]["role"] == ["django-developer"]
    assert document["meta"]["query"]["amount"] == 70_000
    assert document["meta"]["records"] == 5


async def test_below_and_above_all(client: httpx.AsyncClient, database: Database) -> None:
    await replace(database, [salary(50_000)] * 10)
    low = (await ask(client, amount="49999.99"))["data"][0]
    assert (low["rank"], low["rank_low"]) == (0, 0)
    assert low["rank_high"] == pytest.approx(0.2775, abs=1e-4)  # z^2 / (n + z^2)
    high = (await ask(client, amount="50000.01"))["data"][0]
    assert (high["rank"], high["rank_high"]) == (1, 1)


@pytest.mark.parametrize("period", ["hour", "day", "week", "fortnight", "month", "year"])
async def test_an_amount_that_equals_the_median_as_shown_ranks_in_the_middle(
    client: httpx.AsyncClient, database: Database, period: str
) -> None:
    """Conversion may not push it off by the last bit."""
    await replace(database, [salary(amount) for amount in (61_111, 77_777, 99_991)])
    asked = {"currency": "EUR", "pay_period": period}
    statistics = {**asked, "group_by": "none", "measures": "p50"}
    shown = (await client.get("/v1/salaries/statistics", params=statistics)).json()
    p50 = shown["data"][0]["p50"]
    document = await ask(client, amount=p50, **asked)
    row = document["data"][0]
    assert (row["rank"], row["compa_ratio"]) == (0.5, 1.0)
    assert (row["currency"], row["pay_period"]) == ("EUR", period)
    assert document["meta"]["exchange_rate"] == shown["meta"]["exchange_rate"]
    assert document["meta"]["exchange_rate_on"] == shown["meta"]["exchange_rate_on"]


async def test_amounts_that_differ_in_the_last_bit_are_the_same(
    client: httpx.AsyncClient, database: Database
) -> None:
    await replace(database, [salary(amount) for amount in (60_000, 66_000, 72_000)])
    amounts = [66_000, 66_000.0000000001, 66_000.000000001, 65_999.9999999]
    assert len(set(amounts)) == 4
    answer = await client.post(ADDRESS, json={"items": [{"amount": each} for each in amounts]})
    assert [row["rank"] for row in answer.json()["data"]] == [0.5] * 4


async def test_filters_window_and_bound_decide_the_population(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_sources(database, secret={"confidential": True})
    await replace(
        database,
        [
            salary(low=80_000, high=100_000, on="2025-03", region="US-CA"),
            salary(low=60_000, high=120_000, on="2025-03-05"),
            salary(130_000, on="2025"),
            salary(70_000, on="2025-03-05", region="DE"),
            salary(70_000, on="2025-03-05", pay_kind="total"),
            salary(70_000, on="2025-03-05", source="secret"),
        ],
    )
    window = {"from": "2025-03", "to": "2025-03", "region": "US"}
    middle = await ask(client, amount=90_000, **window)
    assert (middle["data"][0]["n"], middle["data"][0]["rank"]) == (2, 0.5)
    assert middle["meta"]["coverage"]["precision"] == 1
    high = (await ask(client, amount=110_000, bound="high", **window))["data"][0]
    assert (high["n"], high["rank"]) == (2, 0.5)
    assert (await ask(client, amount=75_000))["data"][0]["n"] == 4
    assert (await refuse(client, amount=75_000, source="secret"))["code"] == "confidential_source"


async def test_native_amounts_are_compared_as_they_were_paid(
    client: httpx.AsyncClient, database: Database
) -> None:
    paid = [{"amount_min": a, "amount_max": a, "currency": "EUR"} for a in (40_000, 60_000)]
    await replace(database, [salary(50_000, paid=each) for each in paid])
    asked = {"paid_in": "EUR", "currency": "EUR"}
    document = await ask(client, amount=60_000, **asked)
    assert document["data"][0]["rank"] == 0.75
    assert document["meta"]["unconverted"] is True
    # The bounds are those of the base currency all the same.
    assert (await refuse(client, amount=600, **asked))["code"] == "amount_out_of_bounds"


@pytest.mark.parametrize("currency", [{"currency": "USD"}, {}])
async def test_amounts_paid_in_the_base_currency_tie_with_what_was_paid(
    client: httpx.AsyncClient, database: Database, currency: dict[str, str]
) -> None:
    hourly = {"amount_min": 25.49, "amount_max": 25.49, "pay_period": "hour"}
    weekly = {"amount_min": 1_000.01, "amount_max": 1_000.01, "pay_period": "week"}
    await replace(
        database,
        [
            *(salary(53_019, paid=hourly, level="entry") for _ in range(20)),
            *(salary(52_001, paid=weekly, level="mid") for _ in range(20)),
        ],
    )
    for level, period, amount in (("entry", "hour", 25.49), ("mid", "week", 1_000.01)):
        asked = {"level": level, "pay_period": period, "paid_in": "USD", **currency}
        document = await ask(client, amount=amount, **asked)
        (row,) = document["data"]
        assert (row["rank"], row["p50"], row["compa_ratio"]) == (0.5, amount, 1.0)
        assert document["meta"]["unconverted"] is True


async def test_the_interval_of_the_highest_rank_ends_with_1(
    client: httpx.AsyncClient, database: Database
) -> None:
    for count in (6, 7, 11):
        await replace(database, [salary(50_000) for _ in range(count)])
        row = (await ask(client, amount=60_000))["data"][0]
        assert (row["rank"], row["rank_high"]) == (1, 1)
        assert (await ask(client, amount=40_000))["data"][0]["rank_low"] == 0


async def test_nothing_found(client: httpx.AsyncClient, database: Database) -> None:
    await replace(database, [salary(level="senior")])
    document = await ask(client, amount=50_000, level="entry")
    (row,) = document["data"]
    assert (row["status"], row["n"]) == ("empty", 0)
    for name in ("rank", "rank_low", "rank_high", "p50", "compa_ratio"):
        assert row[name] is None
    assert document["meta"]["nearest"]["records"] == 1


@pytest.mark.parametrize(
    ("parameters", "code", "told"),
    [
        ({}, "missing_value", "amount is required"),
        ({"amount": "0"}, "invalid_amount", "above zero"),
        ({"amount": "-50000"}, "invalid_amount", "above zero"),
        ({"amount": "nan"}, "invalid_amount", "above zero"),
        ({"amount": "1e400"}, "invalid_amount", "above zero"),
        ({"amount": "inf"}, "invalid_amount", "above zero"),
        ({"amount": "85,000"}, "invalid_amount", "thousands separators"),
        ({"amount": "$85000"}, "invalid_amount", "currency sign"),
        ({"amount": ""}, "invalid_amount", "above zero"),
        ({"amount": "\u0663\u0665"}, "invalid_amount", "above zero"),
        ({"amount": "37.85"}, "amount_out_of_bounds", "state pay_period=hour"),
        ({"amount": "125000", "pay_period": "hour"}, "amount_out_of_bounds", "pay_period=year"),
        ({"amount": "1e15"}, "amount_out_of_bounds", "10,000,000"),
        ({"amount": "50000", "currency": "EURO"}, "unknown_currency", "EUR"),
        ({"amount": "50000", "role": "djnago"}, "unknown_role", "django-developer"),
        ({"amount": "50000", "pay_period": "yaer"}, "unknown_pay_period", "year"),
        ({"amount": "50000", "population": "released"}, "no_releases", "release"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    client: httpx.AsyncClient,
    database: Database,
    parameters: dict[str, Any],
    code: str,
    told: str,
) -> None:
    await replace(database, [salary()])
    problem = await refuse(client, **parameters)
    assert problem["code"] == code
    assert told in problem["detail"]
    assert parameters.get("amount") not in {"37.85", "125000"} or (
        parameters["amount"] not in problem["detail"]
    )
