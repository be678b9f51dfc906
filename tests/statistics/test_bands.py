"""GET /v1/salaries/bands."""

from collections import defaultdict
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from random import Random
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.core.database import Database
from tests.statistics.naive import grade, median_interval
from tests.support.asking import ask, refuse
from tests.support.builders import add_records, add_sources, salary

BANDS = "/v1/salaries/bands"
Refusals = list[tuple[dict[str, str], str, str | None]]


async def test_bands_by_region_and_level(client: httpx.AsyncClient, database: Database) -> None:
    await add_records(
        database,
        # p25 = 71,250, p50 = 77,500, p75 = 83,750
        *(salary(amount, level="entry") for amount in (60_000, 75_000, 80_000, 95_000)),
        # on the step already: p25 = 85,000, p75 = 115,000
        *(salary(amount, level="mid") for amount in (85_000, 85_000, 100_000, 115_000, 115_000)),
        salary(51_000, region="DE", level="mid"),
    )
    answer = await ask(client, BANDS)
    columns = ("p_low", "p50", "p_high", "band_low", "band_high", "count", "quality")
    assert {
        (row["region"], row["level"]): tuple(row[name] for name in columns)
        for row in answer["data"]
    } == {
        ("DE", "mid"): (51_000, 51_000, 51_000, 50_000, 55_000, 1, "E"),
        ("US", "entry"): (71_250, 77_500, 83_750, 70_000, 85_000, 4, "E"),
        ("US", "mid"): (85_000, 100_000, 115_000, 85_000, 115_000, 5, "E"),
    }
    assert list(answer["data"][0]) == [
        "region",
        "region_name",
        "level",
        "level_name",
        "level_rank",
        "count",
        "p_low",
        "p50",
        "p_high",
        "band_low",
        "band_high",
        "quality",
        "status",
    ]
    query = answer["meta"]["query"]
    assert (query["low"], query["high"], query["step"]) == ("p25", "p75", 5_000)
    assert answer["meta"]["records"] == 10
    assert answer["meta"]["currency"] == "USD"


async def test_ends_step_grouping_sorting_and_cutting(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        *(salary(1_000 * amount, role="data-scientist") for amount in range(100, 201)),
        *(salary(1_000 * amount) for amount in range(50, 151)),
    )
    asked = {"group_by": "role", "low": "p10", "high": "p50", "step": "2500", "sort": "-p50"}
    rows = (await ask(client, BANDS, **asked))["data"]
    assert [(row["role"], row["p_low"], row["p50"], row["p_high"]) for row in rows] == [
        ("data-scientist", 110_000, 150_000, 150_000),
        ("django-developer", 60_000, 100_000, 100_000),
    ]
    assert [(row["band_low"], row["band_high"]) for row in rows] == [
        (110_000, 150_000),
        (60_000, 100_000),
    ]
    answer = await ask(client, BANDS, limit=1, low="p33.3", high="p66.6", group_by="role", step=7)
    assert answer["meta"]["truncated"] is True
    (row,) = answer["data"]
    assert (row["p_low"], row["band_low"]) == (133_300, 133_294)
    assert (row["p_high"], row["band_high"]) == (166_600, 166_600)
    whole = await ask(client, BANDS, group_by="none")
    assert len(whole["data"]) == 1


async def test_bands_are_sorted_by_their_own_columns(
    client: httpx.AsyncClient, database: Database
) -> None:
    paid = {"entry": (81_000, 89_000), "mid": (82_000, 83_000, 84_000), "senior": (60_000, 99_000)}
    await add_records(
        database, *(salary(each, level=level) for level, all in paid.items() for each in all)
    )
    asked = {"group_by": "level", "low": "p1", "high": "p99"}

    async def order(sort: str) -> list[str]:
        answer = await ask(client, BANDS, sort=sort, **asked)
        assert answer["meta"]["query"]["sort"] == sort.split(",")
        return [row["level"] for row in answer["data"]]

    # From 81,080 to 88,920, from 82,020 to 83,980, from 60,390 to 98,610.
    assert await order("p_low") == ["senior", "entry", "mid"]
    assert await order("-p_high") == ["senior", "entry", "mid"]
    # From 80,000 each: the count decides.
    assert await order("-band_low,-count") == ["mid", "entry", "senior"]
    assert await order("-band_high,p_low") == ["senior", "entry", "mid"]
    assert await order("band_high") == ["mid", "entry", "senior"]


BY_BAND: dict[str, dict[str, str]] = {
    "of whole steps": {"sort": "band_low,-count"},
    "the upper end": {"sort": "-band_high,-count"},
    # 43.8 an hour is 438 steps, and 437.99... as a binary fraction.
    "of parts of one": {"sort": "-band_low,-count", "step": "0.1", "pay_period": "hour"},
}


@pytest.mark.parametrize("asked", BY_BAND.values(), ids=BY_BAND)
async def test_bands_that_are_the_same_are_tied_in_cells_as_in_the_records(
    client: httpx.AsyncClient, database: Database, asked: dict[str, str]
) -> None:
    paid = {"entry": 91_104, "mid": 91_208, "senior": 91_150, "lead": 99_000}
    await add_records(
        database,
        *(
            salary(amount, level=level)
            for copies, (level, amount) in enumerate(paid.items(), 1)
            for _ in range(copies)
        ),
    )
    asked = {**asked, "group_by": "level"}
    cut = await ask(client, BANDS, **asked, limit=3)
    whole = await ask(client, BANDS, **asked)
    async with database.write() as session:
        # What is written without its cells is answered from the records.
        await session.execute(text("UPDATE role_versions SET version = version + 1"))
    expected = (await ask(client, BANDS, **asked, limit=999))["data"]
    assert [row["level"] for row in whole["data"]] == [row["level"] for row in expected]
    assert cut["data"] == expected[:3]


async def test_a_step_may_be_a_part_of_one(client: httpx.AsyncClient, database: Database) -> None:
    await add_records(database, *(salary(amount) for amount in (83_200, 104_000, 124_800)))
    asked = {"pay_period": "hour", "group_by": "none", "low": "p20", "high": "p80"}
    # 44 and 56 an hour are the percentiles of 40, 50 and 60.
    (row,) = (await ask(client, BANDS, step="0.3", sort="band_low", **asked))["data"]
    assert (row["band_low"], row["band_high"]) == (43.8, 56.1)


async def test_bands_follow_currency_and_pay_period(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(database, *(salary(amount) for amount in (83_200, 104_000, 124_800)))
    hourly = await ask(client, BANDS, pay_period="hour", group_by="none")
    # 45 and 55 an hour are the quartiles of 40, 50 and 60.
    row = hourly["data"][0]
    assert (row["p_low"], row["p50"], row["p_high"]) == (45, 50, 55)
    assert (row["band_low"], row["band_high"]) == (44, 56)
    assert hourly["meta"]["query"]["step"] == 2
    pounds = await ask(client, BANDS, currency="GBP", group_by="none", to="2025-12-31")
    row, rate = pounds["data"][0], pounds["meta"]["exchange_rate"]
    assert row["p_low"] == pytest.approx(93_600 * rate)
    assert row["band_low"] == row["p_low"] // 5_000 * 5_000
    assert row["band_high"] == -(-row["p_high"] // 5_000) * 5_000


async def test_confidential_records_make_no_band(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_sources(database, secret={"confidential": True})
    await add_records(database, salary(50_000), *(salary(987_654, source="secret"),) * 9)
    (row,) = (await ask(client, BANDS, group_by="none"))["data"]
    assert (row["count"], row["p_high"]) == (1, 50_000)
    assert (await refuse(client, BANDS, source="secret"))["code"] == "confidential_source"


async def test_without_data(client: httpx.AsyncClient, database: Database) -> None:
    await add_records(database, salary(level="senior"))
    answer = await ask(client, BANDS, level="entry")
    assert answer["data"] == []
    assert answer["meta"]["nearest"]["changed"] == {"level": None}


REFUSED: Refusals = [
    ({"low": "p0"}, "unknown_measure", "low"),
    ({"high": "p100"}, "unknown_measure", "high"),
    ({"low": ""}, "unknown_measure", "low"),
    ({"low": "mean"}, "invalid_band", "low"),
    ({"high": "p50_high"}, "invalid_band", "high"),
    ({"low": "p75", "high": "p25"}, "invalid_band", "low"),
    ({"low": "p50", "high": "p50"}, "invalid_band", "low"),
    ({"step": "0"}, "invalid_value", None),
    ({"step": "nan"}, "invalid_value", None),
    ({"step": "1e400"}, "invalid_value", None),
    ({"step": ""}, "invalid_value", None),
    ({"group_by": "role,region,level,industry,source"}, "invalid_grouping", "group_by"),
    ({"sort": "band_middle"}, "unknown_measure", "sort"),
    ({"step": "0.001"}, "invalid_value", None),
    ({"step": "1_000"}, "invalid_value", None),
    ({"limit": "1_000"}, "invalid_value", None),
    ({"currency": ""}, "empty_value", "currency"),
    ({"group_by": "region", "region_kind": ""}, "empty_value", "region_kind"),
    ({"from": "2025-02", "to": "2025-01"}, "invalid_window", None),
    ({"measures": "p10"}, "unknown_parameter", "measures"),
]


async def test_what_cannot_be_answered_is_refused(client: httpx.AsyncClient) -> None:
    for parameters, code, parameter in REFUSED:
        problem = await refuse(client, BANDS, **parameters)
        found = problem["code"], problem.get("parameter")
        assert found == (code, parameter), (parameters, problem)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**32),
    number=st.integers(0, 120),
    low=st.sampled_from(["p1", "p10", "p25", "p33.3"]),
    high=st.sampled_from(["p50", "p75", "p99"]),
    step=st.sampled_from([1, 7, 2.5, 1_000, 5_000, 100_000]),
)
async def test_bands_equal_a_plain_computation(
    client: httpx.AsyncClient,
    database: Database,
    seed: int,
    number: int,
    low: str,
    high: str,
    step: float,
) -> None:
    random, amounts = Random(seed), defaultdict(list)
    records = []
    for _ in range(number):
        region, level = random.choice(["US", "DE"]), random.choice(["entry", "senior"])
        amount = random.choice([random.randint(1_000, 400_000), 5_000 * random.randint(1, 40)])
        amounts[region, level].append(amount)
        records.append(salary(amount, region=region, level=level))
    async with database.write() as session:
        await session.execute(text("DELETE FROM salary_records"))
    await add_records(database, *records)
    answer = await ask(client, BANDS, low=low, high=high, step=step)
    found = {(row["region"], row["level"]): row for row in answer["data"]}
    assert set(found) == set(amounts)
    for key, values in amounts.items():
        _assert_band(found[key], values, (low, high), Decimal(str(step)))


def _assert_band(
    row: dict[str, Any], amounts: list[int], ends: tuple[str, str], step: Decimal
) -> None:
    values = np.sort(np.array(amounts, dtype=float))
    p_low, p50, p_high = (
        float(np.percentile(values, float(name[1:]))) for name in (ends[0], "p50", ends[1])
    )
    assert row["count"] == len(values)
    assert row["p_low"] == pytest.approx(p_low)
    assert row["p50"] == pytest.approx(p50)
    assert row["p_high"] == pytest.approx(p_high)
    assert row["quality"] == grade(p50, *median_interval(values))
    # To a millionth, as figures are shown: NumPy's percentile carries the noise of its fractions.
    below, above = (Decimal(f"{value:.6f}") / step for value in (p_low, p_high))
    assert row["band_low"] == float(below.to_integral_value(ROUND_FLOOR) * step)
    assert row["band_high"] == float(above.to_integral_value(ROUND_CEILING) * step)
