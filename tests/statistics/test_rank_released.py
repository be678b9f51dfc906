"""Ranks of a release: between its published percentiles, and no nearer than they say."""

from typing import Any

import httpx
import pytest

from app.core.database import Database
from tests.support.builders import add_records, add_sources, salary
from tests.support.releases import add_release, node

ADDRESS = "/v1/salaries/rank"
FIGURES = ("rank", "rank_low", "rank_high", "p50", "compa_ratio", "n", "status")


@pytest.fixture(autouse=True)
async def released(database: Database) -> None:
    """p10 to p90 are 80, 90, 100, 110 and 120 thousand; of seniors only the median is shown."""
    await add_sources(database, club={"confidential": True})
    ends = {"p10": 80_000, "p25": 90_000, "p50": 100_000, "p75": 110_000, "p90": 120_000}
    hidden = dict.fromkeys(("p10", "p25", "p75", "p90"))
    await add_release(
        database, node(40, **ends), node(5, level="senior", **{**ends, **hidden, "mean": None})
    )
    await add_records(database, salary(1_000_000), salary(105_000, source="club"))


async def rank(client: httpx.AsyncClient, **asked: Any) -> tuple[Any, ...]:
    answer = await client.get(ADDRESS, params={"population": "released", **asked})
    assert answer.status_code == 200, answer.text
    (row,) = answer.json()["data"]
    return tuple(row[name] for name in FIGURES)


@pytest.mark.parametrize(
    ("amount", "share", "low", "high"),
    [
        (100_000, 0.5, 0.5, 0.5),
        (105_000, 0.625, 0.5, 0.75),
        (82_000, 0.13, 0.1, 0.25),
        (79_000, None, 0.0, 0.1),
        (120_500, None, 0.9, 1.0),
    ],
)
async def test_between_the_percentiles(
    client: httpx.AsyncClient, amount: int, share: float | None, low: float, high: float
) -> None:
    found = await rank(client, amount=amount)
    assert found[0] == (None if share is None else pytest.approx(share))
    assert found[1:4] == (low, high, 100_000)
    assert found[4:] == (pytest.approx(amount / 100_000), 40, "ok")


async def test_where_the_median_alone_is_published(client: httpx.AsyncClient) -> None:
    assert (await rank(client, amount=90_000, level="senior"))[:4] == (None, 0, 0.5, 100_000)


async def test_hidden_and_empty_nodes_look_alike(client: httpx.AsyncClient) -> None:
    for asked in ({"level": "mid"}, {"role": "django-developer"}):
        assert await rank(client, amount=90_000, **asked) == (*[None] * 6, "absent")


async def test_many_at_once_beside_live_ones(client: httpx.AsyncClient) -> None:
    items = [
        {"amount": 105_000, "population": "released"},
        {"amount": 105_000},
        {"amount": 80_000, "population": "released"},
    ]
    document = (await client.post(ADDRESS, json={"items": items})).json()
    assert [row["rank"] for row in document["data"]] == [0.625, 0, 0.1]
    assert [row["n"] for row in document["data"]] == [40, 1, 40]
    released, live = document["meta"]["questions"]
    assert (released["population"], live["population"]) == ("released", "live")
    assert released["release"]["through"] == "2026-06-30"


async def test_what_a_release_does_not_have_names_the_item(client: httpx.AsyncClient) -> None:
    item: dict[str, Any] = {"amount": 105_000, "population": "released"}
    bad = [
        {**item, "industry": "fintech"},
        {**item, "bound": "high"},
        {**item, "role": "djnago-developer"},
        {**item, "from": "2025-05", "to": "2025-06"},
    ]
    answer = await client.post(ADDRESS, json={"items": [item, *bad]})
    assert answer.status_code == 422
    errors = answer.json()["errors"]
    assert [error["item"] for error in errors] == [1, 2, 3, 4]
    assert [error["code"] for error in errors[:3]] == [*["not_in_release"] * 2, "unknown_role"]
    assert (await client.get(ADDRESS, params={**bad[0]})).json()["code"] == "not_in_release"
