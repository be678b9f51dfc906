"""GET /v1/demand/skills: which skills are asked for, by hand."""

from typing import Any

import httpx
import pytest

from app.core.database import Database
from tests.support.asking import ask as ask_route
from tests.support.builders import add_records, add_sources, demand

URL = "/v1/demand/skills"


async def ask(client: httpx.AsyncClient, **parameters: Any) -> Any:
    """The JSON answer of the route."""
    return await ask_route(client, URL, **parameters)


def naming(skills: str, openings: float = 10, **values: Any) -> dict[str, Any]:
    """A demand record that names skills, separated by ';'."""
    return {**demand(openings, **values), "skills": [s for s in skills.split(";") if s]}


async def test_skills_by_frequency(client: httpx.AsyncClient, database: Database) -> None:
    await add_records(
        database,
        naming("Python;SQL", 10, on="2025-01"),
        naming("Python;Git", 20, on="2025-01"),
        naming("Python", 60, measure="open", on="2025-01"),
        naming("SQL", 40, measure="open", on="2025-02"),
        naming("", 1000, on="2025-01"),
    )
    answer = await ask(client)
    assert answer["data"] == [
        # Its source reported stocks on two dates, on one of them without Python.
        {
            "skill": "Python",
            "records": 3,
            "openings_new": 30,
            "openings_open": 30,
            "share": 0.75,
            "status": "ok",
        },
        {
            "skill": "SQL",
            "records": 2,
            "openings_new": 10,
            "openings_open": 20,
            "share": 0.5,
            "status": "ok",
        },
        {
            "skill": "Git",
            "records": 1,
            "openings_new": 20,
            "openings_open": None,
            "share": 0.25,
            "status": "ok",
        },
    ]
    meta = answer["meta"]
    assert (meta["records"], meta["groups"], meta["truncated"]) == (4, 3, False)
    assert meta["coverage"] == {"precision": 0, "no_skills": 1}
    assert (meta["population"], meta["data_as_of"]) == ("live", "2025-02-01")


async def test_spellings_are_one_skill(client: httpx.AsyncClient, database: Database) -> None:
    await add_records(
        database,
        *(naming("PostgreSQL", 1) for _ in range(3)),
        naming("postgresql", 5),
        naming("POSTGRESQL", 7),
        naming("Café", 1),
    )
    rows = (await ask(client))["data"]
    assert [(row["skill"], row["records"], row["openings_new"]) for row in rows] == [
        ("PostgreSQL", 5, 15),
        ("Café", 1, 1),
    ]
    assert rows[0]["share"] == pytest.approx(5 / 6, abs=1e-6)


async def test_filters_measure_order_and_limit(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_sources(database, secret={"confidential": True})
    await add_records(
        database,
        naming("Python;Go", 10, on="2025-01", region="US-CA"),
        naming("Python", 10, on="2025", region="US-CA"),
        naming("Rust", 90, on="2025-01", region="DE"),
        naming("Go", 5, measure="open", on="2025-02", region="US"),
        naming("Hidden", 5, source="secret"),
    )
    in_us = await ask(client, region="US")
    assert [(row["skill"], row["records"]) for row in in_us["data"]] == [("Go", 2), ("Python", 2)]
    by_openings = await ask(client, sort="-openings_new")
    assert [row["skill"] for row in by_openings["data"]] == ["Rust", "Python", "Go"]
    by_name = await ask(client, sort="-skill", limit=1)
    assert [row["skill"] for row in by_name["data"]] == ["Rust"]
    assert (by_name["meta"]["groups"], by_name["meta"]["truncated"]) == (3, True)
    stocks = await ask(client, measure="open")
    assert [(row["skill"], row["openings_new"]) for row in stocks["data"]] == [("Go", None)]
    january = await ask(client, from_="2025-01", to="2025-06", region="US-CA")
    assert [row["records"] for row in january["data"]] == [1, 1]
    assert january["meta"]["coverage"] == {"precision": 1, "no_skills": 0}


async def test_nothing_there(client: httpx.AsyncClient, database: Database) -> None:
    assert (await ask(client))["meta"]["groups"] == 0
    await add_records(database, demand(5))
    answer = await ask(client)
    assert (answer["data"], answer["meta"]["coverage"]["no_skills"]) == ([], 1)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("sort=-opennings_new", "unknown_sort"),
        ("sort=", "empty_value"),
        ("measure=opened", "unknown_measure"),
        ("group_by=region", "unknown_parameter"),
        ("source=secret", "unknown_source"),
        ("population=released", "not_in_release"),
    ],
)
async def test_refusals(client: httpx.AsyncClient, query: str, code: str) -> None:
    response = await client.get(f"{URL}?{query}")
    assert (response.status_code, response.json()["code"]) == (422, code), response.text


async def test_the_nearest_question_counts_records_that_name_skills(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(
        database,
        naming("", region="US-CA-SFO"),
        naming("", region="US-CA"),
        naming("Python", region="US-NY"),
    )
    nearest = (await ask(client, region="US-CA-SFO"))["meta"]["nearest"]
    assert (nearest["changed"], nearest["records"]) == ({"region": ["US"]}, 1)
    assert (await ask(client, region="US-NY"))["meta"]["nearest"] is None
