"""GET of single records: pages, filters, formats, and what is never shown."""

import csv
import io
import json
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest

from app.core.database import Database, WriteSession
from app.core.numbers import exact_number
from app.domain.vocabulary import MEASURES, PAY_PERIODS, PRECISIONS
from tests.conftest import HeadersFor
from tests.support.stored import (
    region_id,
    role_id,
    store_demand,
    store_salary,
    store_source,
    store_title,
)

SALARIES = "/v1/salaries/records"
DEMAND = "/v1/demand/records"


async def _rows(client: httpx.AsyncClient, address: str) -> list[dict[str, Any]]:
    response = await client.get(address)
    assert response.status_code == 200, response.text
    rows: list[dict[str, Any]] = response.json()["data"]
    return rows


async def _one_of_each(session: WriteSession) -> int:
    source = await store_source(session, "acme")
    await store_salary(
        session,
        source,
        role_id=await role_id(session, "django-developer"),
        region_id=await region_id(session, "US-CA-SFO"),
        title_id=await store_title(session, "=Django()"),
        observed_on=date(2026, 3, 1),
        observed_until=date(2026, 3, 31),
        precision=PRECISIONS["month"],
        amount_min=Decimal("37.85"),
        amount_max=Decimal("40.00"),
        currency="EUR",
        pay_period=PAY_PERIODS["hour"],
        rate=1.1,
        rate_on=date(2026, 2, 27),
        external_id="+17",
        employer_key=4_242_424_242,
    )
    await store_demand(session, source, openings=12.0, candidates=1.5, skills=["python", "c++"])
    return source


async def test_a_record_is_shown_as_it_arrived(
    admin: httpx.AsyncClient, database: Database
) -> None:
    async with database.write() as session:
        await _one_of_each(session)
    (row,) = await _rows(admin, SALARIES)
    expected = {
        "source": "acme",
        "external_id": "+17",
        "title": "=Django()",
        "role": "django-developer",
        "role_name": "Django Developer",
        "region": "US-CA-SFO",
        "region_name": "San Francisco",
        "level": "unspecified",
        "observed_on": "2026-03",
        "amount_min": 37.85,
        "amount_max": 40,
        "currency": "EUR",
        "pay_period": "hour",
        "annual_amount": 100_000,
        "rate": 1.1,
        "rate_on": "2026-02-27",
        "fte": 1,
    }
    assert {name: row[name] for name in expected} == expected
    (row,) = await _rows(admin, DEMAND)
    assert (row["measure"], row["openings"], row["candidates"]) == ("new", 12, 1.5)
    assert row["skills"] == ["python", "c++"]
    assert "4242424242" not in (await admin.get(SALARIES)).text


async def test_formats_hold_the_same_row_and_formulas_are_harmless(
    admin: httpx.AsyncClient, database: Database
) -> None:
    async with database.write() as session:
        await _one_of_each(session)
    (row,) = await _rows(admin, SALARIES)
    assert json.loads((await admin.get(f"{SALARIES}?format=ndjson")).text) == row
    response = await admin.get(SALARIES, headers={"Accept": "text/csv"})
    (cells,) = csv.DictReader(io.StringIO(response.text))
    assert cells["title"] == "'=Django()"
    assert (cells["amount_min"], cells["amount_max"], cells["external_id"]) == (
        "37.85",
        "40",
        "+17",
    )


async def test_pages_hold_every_record_once_while_others_are_written(
    admin: httpx.AsyncClient, database: Database
) -> None:
    async with database.write() as session:
        source = await store_source(session, "acme")
        roles = [await role_id(session, code) for code in ("data-engineer", "data-analyst")]
        for number in range(11):
            await store_salary(session, source, role_id=roles[number % 2], external_id=str(number))
    found: list[str] = []
    address: str | None = f"{SALARIES}?source=acme&limit=3"
    while address is not None:
        response = await admin.get(address)
        page = [row["external_id"] for row in response.json()["data"]]
        assert len(page) <= 3
        found += page
        address = response.links["next"]["url"] if "next" in response.links else None
        async with database.write() as session:
            await store_salary(session, source, role_id=0, external_id="late")
    assert sorted(found, key=int) == [str(number) for number in range(11)]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", {"day", "month", "year"}),
        ("region=US", {"day", "month"}),
        ("region=US-CA", {"day"}),
        ("exclude_region=US-CA", {"month", "year"}),
        ("role=data-engineer", {"day", "month", "year"}),
        ("role=data-analyst", set()),
        ("from=2026-03&to=2026-03", {"day", "month"}),
        ("from=2026-03-02", {"day"}),
        ("to=2025-12", {"year"}),
        ("paid_in=EUR", {"month"}),
        ("pay_kind=total", {"year"}),
    ],
)
async def test_filters_choose(
    admin: httpx.AsyncClient, database: Database, query: str, ids: set[str]
) -> None:
    async with database.write() as session:
        source = await store_source(session, "acme")
        shared = {"role_id": await role_id(session, "data-engineer")}
        metro, country = await region_id(session, "US-CA-SFO"), await region_id(session, "US")
        await store_salary(session, source, external_id="day", region_id=metro, **shared)
        await store_salary(
            session,
            source,
            external_id="month",
            region_id=country,
            currency="EUR",
            observed_on=date(2026, 3, 1),
            observed_until=date(2026, 3, 31),
            precision=PRECISIONS["month"],
            **shared,
        )
        await store_salary(
            session,
            source,
            external_id="year",
            region_id=await region_id(session, "DE"),
            pay_kind=2,
            observed_on=date(2025, 1, 1),
            observed_until=date(2025, 12, 31),
            precision=PRECISIONS["year"],
            **shared,
        )
    assert {row["external_id"] for row in await _rows(admin, f"{SALARIES}?{query}")} == ids


async def test_confidential_records_are_shown_to_nobody(
    admin: httpx.AsyncClient, database: Database
) -> None:
    async with database.write() as session:
        secret = await store_source(session, "secret", confidential=True)
        await store_salary(session, secret)
        await store_demand(session, secret, measure=MEASURES["open"])
    for address in (SALARIES, DEMAND):
        assert await _rows(admin, address) == []
        refused = await admin.get(f"{address}?source=secret")
        assert (refused.status_code, refused.json()["code"]) == (422, "confidential_source")


async def test_records_have_a_scope_of_their_own(
    client: httpx.AsyncClient, headers_for: HeadersFor
) -> None:
    for address in (SALARIES, DEMAND):
        assert (await client.get(address)).status_code == 401
        other = await headers_for("records:write")
        assert (await client.get(address, headers=other)).status_code == 403
        reader = await headers_for("records:read")
        assert (await client.get(address, headers=reader)).status_code == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("cursor=abc", "invalid_cursor"),
        ("limit=0", "invalid_value"),
        ("limit=1001", "invalid_value"),
        ("region=", "empty_value"),
        ("source=nobody", "unknown_source"),
        ("from=2026-13", "invalid_window"),
        ("amount=5", "unknown_parameter"),
    ],
)
async def test_what_cannot_be_is_refused(admin: httpx.AsyncClient, query: str, code: str) -> None:
    response = await admin.get(f"{SALARIES}?{query}")
    assert (response.status_code, response.json()["code"]) == (422, code)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (None, None),
        ("70000.00", 70_000),
        ("37.85", 37.85),
        ("-0.1", -0.1),
        ("9007199254740993", "9007199254740993"),
        ("0.1234567890123456789", "0.1234567890123456789"),
    ],
)
def test_numbers_lose_no_digit(stored: str | None, shown: object) -> None:
    value = None if stored is None else Decimal(stored)
    assert exact_number(value) == shown
    assert type(exact_number(value)) is type(shown)
