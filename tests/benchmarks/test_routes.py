"""GET /v1/benchmarks: the guide's bands, figures of SOC codes, filters, pages."""

import csv
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import insert

from app.core.database import Database, WriteSession
from app.domain.vocabulary import PAY_PERIODS
from app.tables import Benchmark
from tests.support.stored import region_id, store_source

BANDS = [("entry", 70_000, 85_000), ("mid", 85_000, 115_000), ("senior", 115_000, 145_000)]


async def _store(session: WriteSession, source_id: int, **values: Any) -> None:
    figures = {
        "source_id": source_id,
        "region_id": await region_id(session, "US"),
        "level_id": 0,
        "industry_id": 0,
        "period": "2024-05",
        "period_from": date(2024, 5, 1),
        "period_until": date(2024, 5, 31),
        "currency": "USD",
        "pay_period": PAY_PERIODS["year"],
        "import_id": 0,
        "changed_import_id": 0,
    }
    await session.execute(insert(Benchmark).values(**figures, **values))


async def _rows(client: httpx.AsyncClient, query: str) -> list[dict[str, Any]]:
    response = await client.get(f"/v1/benchmarks?{query}")
    assert response.status_code == 200, response.text
    rows: list[dict[str, Any]] = response.json()["data"]
    return rows


async def test_the_guide_gives_its_bands(client: httpx.AsyncClient) -> None:
    overall, *bands = await _rows(client, "role=django-developer&source=published-guide")
    assert (overall["level"], overall["low"], overall["high"]) == ("unspecified", 70_000, 145_000)
    assert overall["open_ended"] is True
    assert [(row["level"], row["low"], row["high"]) for row in bands] == BANDS
    for row in bands:
        assert (row["match"], row["role_name"]) == ("role", "Django Developer")
        assert (row["region"], row["region_name"]) == ("US", "United States")
        assert (row["currency"], row["pay_period"], row["period"]) == ("USD", "year", "2026")


async def test_figures_of_a_soc_code_show_under_every_role_of_it(
    client: httpx.AsyncClient, database: Database
) -> None:
    async with database.write() as session:
        source = await store_source(session, "bls")
        await _store(
            session,
            source,
            soc="15-1252",
            p50=133080,
            p90="115.005",
            top_coded=["p90"],
            employment=1_654_440.0,
        )
    for role in ("software-developer", "python-developer"):
        (row,) = await _rows(client, f"role={role}&region=US")
        assert (row["role"], row["soc"], row["match"]) == (role, "15-1252", "soc")
        assert repr(row["employment"]) == "1654440"
        assert (row["p50"], row["p90"], row["top_coded"]) == (133_080, 115.005, ["p90"])
    both = await _rows(client, "role=software-developer,python-developer")
    assert [row["role"] for row in both] == ["software-developer", "python-developer"]
    (plain,) = await _rows(client, "soc=15-1252")
    assert (plain["role"], plain["match"]) == ("unspecified", "soc")
    assert await _rows(client, "role=data-scientist") == []
    assert await _rows(client, "role=software-developer&region=US-CA") == []


async def test_figures_of_the_role_come_first_then_the_newest(
    client: httpx.AsyncClient, database: Database
) -> None:
    async with database.write() as session:
        source = await store_source(session, "bls")
        await _store(session, source, soc="15-1254", p50=1)
        old = {"period": "2023-05", "period_from": date(2023, 5, 1)}
        await session.execute(
            insert(Benchmark).values(
                **{
                    "source_id": source,
                    "region_id": await region_id(session, "US"),
                    "level_id": 0,
                    "industry_id": 0,
                    "period_until": date(2023, 5, 31),
                    "currency": "USD",
                    "import_id": 0,
                    "changed_import_id": 0,
                    "soc": "15-1254",
                    "p50": 2,
                    **old,
                }
            )
        )
    rows = await _rows(client, "role=django-developer")
    assert [row["match"] for row in rows] == ["role"] * 4 + ["soc"] * 2
    assert [row["period"] for row in rows[4:]] == ["2024-05", "2023-05"]
    found: list[dict[str, Any]] = []
    address: str | None = "/v1/benchmarks?role=django-developer&limit=1"
    while address is not None:
        response = await client.get(address)
        found += response.json()["data"]
        address = response.links["next"]["url"] if "next" in response.links else None
    assert found == rows


@pytest.mark.parametrize(
    ("query", "levels"),
    [
        ("level=mid,senior", ["mid", "senior"]),
        ("level=mid&period=2026", ["mid"]),
        ("level=mid&period=2025", []),
        ("level=mid&pay_period=hour", []),
        ("level=mid&industry=fintech", []),
    ],
)
async def test_filters_narrow(client: httpx.AsyncClient, query: str, levels: list[str]) -> None:
    rows = await _rows(client, f"role=django-developer&{query}")
    assert [row["level"] for row in rows] == levels


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("role=django-developr", "unknown_role"),
        ("soc=151252", "unknown_soc"),
        ("pay_period=yearly", "unknown_pay_period"),
        ("region=", "empty_value"),
        ("cursor=abc", "invalid_cursor"),
        ("limit=0", "invalid_value"),
        ("rol=x", "unknown_parameter"),
        ("format=xml", "unknown_format"),
    ],
)
async def test_what_cannot_be_is_refused(client: httpx.AsyncClient, query: str, code: str) -> None:
    response = await client.get(f"/v1/benchmarks?{query}")
    assert (response.status_code, response.json()["code"]) == (422, code)


async def test_a_confidential_source_is_refused(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, database: Database
) -> None:
    async with database.write() as session:
        source = await store_source(session, "secret", confidential=True)
        await _store(session, source, soc="15-1252", p50=Decimal(1))
    for who in (client, admin):
        response = await who.get("/v1/benchmarks?source=secret")
        assert (response.status_code, response.json()["code"]) == (422, "confidential_source")
        assert await _rows(who, "soc=15-1252") == []


async def test_csv_has_the_same_rows(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/benchmarks?role=django-developer&level=mid&format=csv")
    (row,) = csv.DictReader(response.text.splitlines())
    assert (row["low"], row["high"], row["top_coded"]) == ("85000", "115000", "")
    assert row["source_name"] == "Published salary guide: Django developer, 2026"


@pytest.mark.parametrize("period", ["2026-13", "2026-02-30", "2026-Q5", "soon", "2026,2026-00"])
async def test_periods_that_cannot_be_are_refused(client: httpx.AsyncClient, period: str) -> None:
    response = await client.get("/v1/benchmarks", params={"period": period})
    assert response.status_code == 422
    problem = response.json()
    assert (problem["code"], problem["parameter"]) == ("invalid_date", "period")


async def test_periods_without_figures_give_no_rows(client: httpx.AsyncClient) -> None:
    assert await _rows(client, "period=2024-Q3,1999-12,1999-12-31") == []
