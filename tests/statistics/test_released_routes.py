"""Every route about pay answers population=released from the release, or says that it cannot."""

from typing import Any

import httpx
import pytest

from app.core.database import Database
from tests.support.builders import add_records, add_sources, demand, salary
from tests.support.releases import add_release, node

ROLE = "django-developer"
PERIODS = (0, 2025, 20251, 20252, 20253, 20254, 20261, 20262)


@pytest.fixture(autouse=True)
async def release(database: Database) -> None:
    """What the club pays, and public records that pay something else."""
    await add_sources(database, club={"confidential": True})
    nodes = [
        node(
            40,
            p50=100_000 + 10_000 * place,
            period=period,
            **({} if level is None else {"level": level}),
            **({} if region is None else {"region": region}),
            **({} if role is None else {"role": role}),
        )
        for place, level in enumerate((None, "mid", "senior"))
        for region in (None, "US", "DE")
        for role in (None, ROLE)
        for period in PERIODS
    ]
    await add_release(database, *nodes)
    await add_records(database, *[salary(1_234 + i, on="2025-05") for i in range(9)])
    await add_records(database, demand(7, on="2025-05"))


async def rows(client: httpx.AsyncClient, path: str, **asked: str) -> list[dict[str, Any]]:
    answer = await client.get(path, params={"population": "released", **asked})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert document["meta"]["population"] == "released"
    assert document["meta"]["release"]["through"] == "2026-06-30"
    found: list[dict[str, Any]] = document["data"]
    return found


async def test_trend(client: httpx.AsyncClient) -> None:
    found = await rows(client, "/v1/salaries/trend", interval="quarter", role=ROLE)
    assert [row["quarter"] for row in found] == [
        *("2025-Q1", "2025-Q2", "2025-Q3", "2025-Q4", "2026-Q1", "2026-Q2")
    ]
    assert {row["p50"] for row in found} == {100_000}
    assert found[-1]["change_previous"] == 0


async def test_bands(client: httpx.AsyncClient) -> None:
    found = await rows(client, "/v1/salaries/bands", role=ROLE)
    assert [(row["region"], row["level"], row["p50"]) for row in found] == [
        ("DE", "mid", 110_000),
        ("DE", "senior", 120_000),
        ("US", "mid", 110_000),
        ("US", "senior", 120_000),
    ]
    assert (found[0]["band_low"], found[0]["band_high"]) == (90_000, 110_000)


async def test_comparison(client: httpx.AsyncClient) -> None:
    asked = {"dimension": "level", "a": "mid", "b": "senior"}
    (found,) = await rows(client, "/v1/salaries/comparison", **asked)
    assert found["difference"] == 10_000
    assert found.get("difference_low") is None


async def test_market(client: httpx.AsyncClient) -> None:
    found = await rows(client, "/v1/market", group_by="role")
    (row,) = [row for row in found if row["role"] == ROLE]
    assert row["p50"] == 100_000
    assert row["count"] == 40


async def test_guide(client: httpx.AsyncClient) -> None:
    path = f"/v1/roles/{ROLE}/guide"
    answer = await client.get(path, params={"population": "released", "section": "bands"})
    assert answer.status_code == 200, answer.text
    assert {row["p50"] for row in answer.json()["data"]} >= {110_000, 120_000}


async def test_rank(client: httpx.AsyncClient) -> None:
    path = "/v1/salaries/rank"
    answer = await client.get(path, params={"population": "released", "amount": "100000"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"][0]["rank"] == 0.5


async def test_histogram_is_not_published(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/salaries/histogram", params={"population": "released"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "not_in_release"


async def test_adjustments_are_refused(client: httpx.AsyncClient) -> None:
    asked = {"population": "released", "adjust": "price_parity"}
    answer = await client.get("/v1/salaries/statistics", params=asked)
    assert answer.status_code == 422, answer.text
