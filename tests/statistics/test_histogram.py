"""GET /v1/salaries/histogram: bins that hold every record once, against NumPy."""

from datetime import date
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.core.database import Database
from app.rates.index_loading import import_indices
from app.rates.index_profiles import get_index_profile
from tests.support.builders import add_records, add_sources, salary

ADDRESS = "/v1/salaries/histogram"
LIMITED = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TODAY = date(2026, 11, 22)
PARITIES = b"""GeoFIPS,GeoName,Description,2023
"00000","United States","RPPs: All items ",100
"06000","California","RPPs: All items ",125
"""
AMOUNTS = st.integers(1_000, 10_000_000) | st.sampled_from([50_000, 50_001, 100_000, 120_000])


async def ask(client: httpx.AsyncClient, **parameters: Any) -> dict[str, Any]:
    answer = await client.get(ADDRESS, params=parameters)
    assert answer.status_code == 200, answer.text
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


def check_bins(document: dict[str, Any], amounts: "np.ndarray[Any, Any]") -> None:
    """The bins of `document` follow one another and hold `amounts`, as NumPy counts them."""
    rows, meta = document["data"], document["meta"]
    assert meta["records"] == len(amounts) == sum(row["count"] for row in rows)
    lows = [row["low"] for row in rows]
    assert [row["high"] for row in rows] == [*lows[1:], None]
    # Half-open: an amount that equals an edge is in the bin above it.
    reached = np.searchsorted(lows, amounts, side="right")
    places = np.maximum(reached - 1, 0)
    counts = np.bincount(places, minlength=len(rows))
    assert [row["count"] for row in rows] == counts.tolist()
    assert [row["share"] for row in rows] == pytest.approx(counts / len(amounts))
    assert [row["status"] for row in rows] == ["ok" if n else "empty" for n in counts]
    assert meta["histogram"]["below_first_edge"] == int((reached == 0).sum())
    # What lies beyond the 99 % percentile is all that the open bin may hold.
    if len(rows) > 1:
        assert (amounts >= lows[-1]).sum() <= (amounts > np.percentile(amounts, 99)).sum()


@LIMITED
@given(
    paid=st.lists(st.tuples(AMOUNTS, st.integers(1, 12)), min_size=1, max_size=120),
    window=st.tuples(st.integers(1, 12), st.integers(1, 12)).map(sorted),
)
async def test_every_record_is_in_one_bin(
    client: httpx.AsyncClient,
    database: Database,
    paid: list[tuple[int, int]],
    window: list[int],
) -> None:
    await replace(database, [salary(each, on=f"2025-{month:02}") for each, month in paid])
    first, last = window
    inside = [each for each, month in paid if first <= month <= last]
    limits = {"from": f"2025-{first:02}", "to": f"2025-{last:02}"}
    for amounts, dates in (([each for each, _ in paid], {}), (inside, limits)):
        for choice in ({}, {"bins": 1}, {"bins": 7}, {"bins": 200}):
            document = await ask(client, **choice, **dates)
            rows, meta = document["data"], document["meta"]
            assert meta["groups"] == meta["histogram"]["bins"] == len(rows)
            assert meta["truncated"] is False
            if not amounts:
                assert rows == []
                continue
            check_bins(document, np.array(amounts, dtype=float))
            assert len(rows) == choice.get("bins", len(rows)) <= 200
            widths = np.diff([row["low"] for row in rows])
            assert widths == pytest.approx(meta["histogram"]["step"] or 0, rel=1e-9)


@LIMITED
@given(amounts=st.lists(st.integers(20_000, 300_000), min_size=1, max_size=80))
async def test_edges_are_round_in_the_currency_and_period_asked(
    client: httpx.AsyncClient, database: Database, amounts: list[int]
) -> None:
    await replace(database, [salary(amount) for amount in amounts])
    for period, periods in {"hour": 2080, "month": 12, "year": 1}.items():
        document = await ask(client, currency="EUR", pay_period=period)
        meta = document["meta"]
        assert meta["exchange_rate"] != 1
        shown = np.round(np.array(amounts) * (meta["exchange_rate"] / periods), 6)
        check_bins(document, shown)
        step = meta["histogram"]["step"]
        assert f"{step:e}"[:3] in {"1.0", "2.0", "2.5", "5.0"}


async def test_amounts_on_an_edge_belong_to_the_bin_above(
    client: httpx.AsyncClient, database: Database
) -> None:
    """4,000 a month is 48,000 a year, whatever the last bit of a division by 12 says."""
    yearly = [12 * month for month in range(1_000, 9_001, 500)]
    await replace(database, [salary(amount) for amount in yearly])
    document = await ask(client, pay_period="month", step="500")
    assert [row["low"] for row in document["data"]] == [*range(1_000, 9_001, 500)]
    assert {row["count"] for row in document["data"]} == {1}


async def test_the_tail_is_in_the_last_open_bin(
    client: httpx.AsyncClient, database: Database
) -> None:
    common = [50_000 + 500 * place for place in range(200)]
    await replace(database, [salary(amount) for amount in [1_000, *common, 9_999_999]])
    document = await ask(client)
    rows = document["data"]
    assert (rows[0]["low"], rows[-1]["low"], rows[-1]["high"]) == (50_000, 150_000, None)
    assert (rows[0]["count"], rows[-1]["count"]) == (11, 1)
    assert document["meta"]["histogram"] == {"bins": 21, "step": 5_000, "below_first_edge": 1}


async def test_everybody_earning_the_same_is_one_bin_and_an_empty_tail(
    client: httpx.AsyncClient, database: Database
) -> None:
    await replace(database, [salary(77_000)] * 30)
    rows = (await ask(client))["data"]
    assert [(row["low"], row["high"], row["count"], row["status"]) for row in rows] == [
        (75_000, 80_000, 30, "ok"),
        (80_000, None, 0, "empty"),
    ]


async def test_filters_window_and_bound(client: httpx.AsyncClient, database: Database) -> None:
    await replace(
        database,
        [
            salary(low=80_000, high=100_000, on="2025-03"),
            salary(120_000, on="2025-03-05", region="US-CA"),
            salary(130_000, on="2025", region="US-CA"),  # which month is not known
            salary(300_000, on="2025-03-05", region="DE"),
            salary(low=None, high=100_000, on="2025-03-05"),
            salary(140_000, on="2025-03-05", pay_kind="total"),
        ],
    )
    found = await ask(client, **{"region": "US", "from": "2025-03", "to": "2025-03"})
    assert found["meta"]["records"] == 2
    assert found["meta"]["coverage"]["precision"] == 1
    assert found["meta"]["coverage"]["one_sided"] == 1
    high = await ask(client, region="US", bound="high", step="20000", last="2y")
    assert sum(row["count"] for row in high["data"]) == high["meta"]["records"] == 4


async def test_native_amounts_stay_as_they_were_paid(
    client: httpx.AsyncClient, database: Database
) -> None:
    paid = {"currency": "JPY", "pay_period": "month"}
    amounts = [300_000, 300_000, 450_000, 600_000]
    both = [{**paid, "amount_min": a, "amount_max": a} for a in amounts]
    await replace(database, [salary(40_000, paid=each) for each in both])
    document = await ask(client, paid_in="JPY", currency="JPY", pay_period="month", step="50000")
    assert document["meta"]["unconverted"] is True
    check_bins(document, np.array(amounts, dtype=float))


async def test_adjusted_amounts_and_what_has_no_index(
    client: httpx.AsyncClient, database: Database
) -> None:
    """California at 125: 100,000 there buy what 80,000 do on average."""
    await import_indices(database, PARITIES, get_index_profile("bea_rpp_state"), TODAY)
    amounts = [100_000, 110_000, 137_500, 137_501]
    await replace(
        database,
        [
            *(salary(a, region="US-CA") for a in amounts),
            salary(90_000),
            salary(50_000, region="DE"),
        ],
    )
    document = await ask(client, adjust="price_parity", step="10000")
    check_bins(document, np.array([*(a / 1.25 for a in amounts), 90_000]))
    assert document["meta"]["coverage"]["no_index"] == 1
    nowhere = await ask(client, adjust="price_parity", region="DE")
    assert (nowhere["data"], nowhere["meta"]["coverage"]["no_index"]) == ([], 1)


async def test_confidential_records_are_in_no_bin(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_sources(database, secret={"confidential": True})
    await replace(database, [salary(50_000), salary(900_000, source="secret")])
    document = await ask(client)
    assert document["meta"]["records"] == 1
    assert all(row["low"] < 100_000 for row in document["data"])
    assert (await refuse(client, source="secret"))["code"] == "confidential_source"


async def test_nothing_found(client: httpx.AsyncClient, database: Database) -> None:
    await replace(database, [salary(level="senior")])
    document = await ask(client, level="entry")
    assert document["data"] == []
    assert (document["meta"]["records"], document["meta"]["groups"]) == (0, 0)
    assert document["meta"]["query"]["level"] == ["entry"]
    assert document["meta"]["nearest"]["records"] == 1
    csv = await client.get(ADDRESS, params={"level": "entry", "format": "csv"})
    assert csv.text == "low,high,count,share,status\r\n"


async def test_a_step_with_too_many_bins_is_refused_naming_one_that_fits(
    client: httpx.AsyncClient, database: Database
) -> None:
    await replace(database, [salary(amount) for amount in range(50_000, 250_001, 1_000)])
    problem = await refuse(client, step="100")
    assert (problem["code"], problem["parameter"]) == ("too_many_bins", "step")
    assert problem["bins"] == 1962  # from 52,000 to the first edge above 248,000, and the tail
    (least,) = problem["nearest"]
    assert least == "1000"
    assert len((await ask(client, step=least))["data"]) <= 200


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"bins": 0}, "invalid_value"),
        ({"bins": 201}, "invalid_value"),
        ({"bins": "many"}, "invalid_value"),
        ({"step": "0"}, "invalid_step"),
        ({"step": "0.0000001"}, "invalid_step"),
        ({"step": "-5"}, "invalid_step"),
        ({"step": "nan"}, "invalid_step"),
        ({"step": "1e400"}, "invalid_step"),
        ({"step": "5,000"}, "invalid_step"),
        ({"step": ""}, "invalid_step"),
        ({"step": "5000", "bins": 10}, "invalid_request"),
        ({"population": "released"}, "not_in_release"),
        ({"group_by": "level"}, "unknown_parameter"),
        ({"role": "djnago-developer"}, "unknown_role"),
        ({"currency": "EURO"}, "unknown_currency"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    client: httpx.AsyncClient, database: Database, parameters: dict[str, Any], code: str
) -> None:
    await replace(database, [salary()])
    assert (await refuse(client, **parameters))["code"] == code
