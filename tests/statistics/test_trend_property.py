"""The trend against a plain computation with NumPy, on random records."""

from collections import defaultdict
from random import Random
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.core.database import Database
from tests.support.asking import ask
from tests.support.builders import Row, add_records, salary

DATES: tuple[str, ...] = (
    "2023-05",
    "2023-05-20",
    "2023-06",
    "2024-04-30",
    "2024-05",
    "2024-06-01",
    "2025-05-31",
)
DATES += ("2025-05", "2025-06", "2023", "2024", "2025")
PER_YEAR = {"month": 12, "quarter": 4, "year": 1}
WINDOWS = {
    None: ("0000-00-00", "9999-99-99"),
    ("2024-05", "2025-05"): ("2024-05-01", "2025-05-31"),
    ("2024", "2025"): ("2024-01-01", "2025-12-31"),
}
CUT = {
    *(("2024-05-01", interval) for interval in ("quarter", "year")),
    *(("2025-05-31", interval) for interval in ("quarter", "year")),
}
"""Bounds of windows that lie within a period."""

Key = tuple[str, ...]


def make_records(seed: int, number: int) -> list[Row]:
    """Few cells with many records; the euro is worth something else each time."""
    random = Random(seed)
    rows = []
    for _ in range(number):
        amount, paid = random.randint(40_000, 200_000), random.randint(40_000, 200_000)
        currency = random.choice(["USD", "USD", "EUR"])
        native = amount if currency == "USD" else paid
        rows.append(
            salary(
                amount,
                paid={"amount_min": native, "amount_max": native, "currency": currency},
                level=random.choice(["entry", "senior"]),
                region=random.choice(["US", "DE"]),
                role=random.choice(["django-developer"] * 5 + ["data-scientist"]),
                on=random.choice(DATES),
            )
        )
    return rows


def period_of(record: Row, interval: str) -> int | None:
    """The number of the record's period, None where its date is too coarse."""
    first, last = record["observed_on"], record["observed_until"]
    if interval != "year" and (last - first).days > 31:
        return None
    return int(first.year * PER_YEAR[interval] + (first.month - 1) * PER_YEAR[interval] // 12)


def label_of(number: int, interval: str) -> Any:
    per_year = PER_YEAR[interval]
    year, place = divmod(number, per_year)
    return {"month": f"{year}-{place + 1:02}", "quarter": f"{year}-Q{place + 1}", "year": year}[
        interval
    ]


def inside(record: Row, first: str, last: str) -> bool:
    start, end = record["observed_on"].isoformat(), record["observed_until"].isoformat()
    return bool(first <= start and end <= last)


def medians_of(
    records: list[Row], names: list[str], interval: str, amount: str
) -> dict[tuple[Key, int], tuple[int, float]]:
    """By the values of `names` and period: records and median."""
    amounts = defaultdict(list)
    for record in records:
        number = period_of(record, interval)
        if number is not None:
            amounts[tuple(record[name] for name in names), number].append(float(record[amount]))
    return {key: (len(found), float(np.median(found))) for key, found in amounts.items()}


def growth_of(
    records: list[Row], names: list[str], interval: str
) -> dict[tuple[Key, int], tuple[int, float]]:
    """By series and period: cells, and the median of their growth, before averaging."""
    cell = [*names, "role", "region", "level", "currency"]
    cells = medians_of(records, cell, interval, "amount_min")
    rates = defaultdict(list)
    for (key, number), (count, p50) in cells.items():
        before = cells.get((key, number - PER_YEAR[interval]), (0, 0.0))
        if min(count, before[0]) >= 5:
            rates[key[: len(names)], number].append(p50 / before[1] - 1)
    return {key: (len(found), float(np.median(found))) for key, found in rates.items()}


def fraction(now: float | None, before: float | None) -> Any:
    if now is None or before is None:
        return None
    return pytest.approx(now / before - 1, abs=1e-6)


def expected_rows(
    records: list[Row], names: list[str], interval: str, window: tuple[str, str] | None
) -> list[dict[str, Any]]:
    first, last = WINDOWS[window]
    early = [record for record in records if inside(record, "0000-00-00", last)]
    shown = medians_of(
        [r for r in records if inside(r, first, last)], names, interval, "annual_amount"
    )
    # The year that ends where the window begins, the same days of a cut period included.
    a_year_before = f"{int(first[:4]) - 1:04}{first[4:]}" if window else first
    earlier = [r for r in early if inside(r, a_year_before, first) and not inside(r, first, first)]
    before = medians_of(earlier, names, interval, "annual_amount") | shown
    growth = growth_of(early, names, interval)
    numbers = [number for _, number in shown]
    series = sorted({key for key, _ in shown} | ({()} if not names else set()))
    if window is not None:
        per_year = PER_YEAR[interval]
        numbers = [
            int(day[:4]) * per_year + (int(day[5:7]) - 1) * per_year // 12 for day in (first, last)
        ]
    # A period that is shown is never filled from before the window.
    before = {key: found for key, found in before.items() if key in shown or key[1] < min(numbers)}
    begins_late, ends_early = (first, interval) in CUT, (last, interval) in CUT
    rows = []
    for key in series if numbers else []:
        for number in range(min(numbers), max(numbers) + 1):
            count, p50 = shown.get((key, number), (0, None))
            averaged = [
                growth[key, n][1] for n in range(number - 2, number + 1) if (key, n) in growth
            ]
            grown = (key, number) in growth
            previous = before.get((key, number - 1), (0, None))[1]
            a_year_ago = before.get((key, number - PER_YEAR[interval]), (0, None))[1]
            if ends_early and number == max(numbers):
                previous = a_year_ago = None
            if begins_late and number in {min(numbers), min(numbers) + 1}:
                # Of years, the first is compared with the same days of the one before.
                alike = interval == "year" and number == min(numbers)
                previous = previous if alike else None
            if begins_late and number == min(numbers) + PER_YEAR[interval]:
                a_year_ago = None
            rows.append(
                {
                    **dict(zip(names, key, strict=True)),
                    interval: label_of(number, interval),
                    "count": count,
                    "p50": p50,
                    "change_previous": fraction(p50, previous),
                    "change_year": fraction(p50, a_year_ago),
                    "growth_adjusted": pytest.approx(np.mean(averaged), abs=1e-6)
                    if grown
                    else None,
                    "growth_cells": growth[key, number][0] if grown else 0,
                    "status": "ok" if count else "empty",
                }
            )
    return rows


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**32),
    number=st.integers(0, 300),
    interval=st.sampled_from(sorted(PER_YEAR)),
    names=st.sampled_from([[], ["level"], ["role", "region"]]),
    window=st.sampled_from(list(WINDOWS)),
)
async def test_a_trend_equals_a_plain_computation(
    client: httpx.AsyncClient,
    database: Database,
    seed: int,
    number: int,
    interval: str,
    names: list[str],
    window: tuple[str, str] | None,
) -> None:
    records = make_records(seed, number)
    async with database.write() as session:
        await session.execute(text("DELETE FROM salary_records"))
    await add_records(database, *records)
    asked = {"interval": interval, "group_by": ",".join(names) or "none", "measures": "count,p50"}
    if window is not None:
        asked |= {"from": window[0], "to": window[1]}
    answer = await ask(client, "/v1/salaries/trend", **asked)
    expected = expected_rows(records, names, interval, window)
    shown = list(expected[0]) if expected else []
    assert [{name: row[name] for name in shown} for row in answer["data"]] == expected
