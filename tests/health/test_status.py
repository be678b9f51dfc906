"""GET /v1/status."""

from datetime import date

import httpx
from sqlalchemy import text

from app.core.database import Database

SOURCE = text(
    "INSERT INTO sources (code, name, kind, confidential) VALUES (:code, :code, 1, :confidential)"
    " RETURNING id"
)
RECORD = text(
    "INSERT INTO salary_records (role_id, record_id, source_id, region_id, import_id,"
    " changed_import_id, observed_on, observed_until, precision, key, last_seen_on, currency)"
    " VALUES (0, nextval('record_ids'), :source, 0, 1, 1, :day, :day, 1, gen_random_uuid(), :day,"
    " 'USD')"
)
ADVANCE = text("UPDATE epoch SET epoch = epoch + 1, stamp = gen_random_uuid()")


async def add_record(database: Database, code: str, day: str, *, confidential: bool) -> None:
    async with database.write() as session:
        values = {"code": code, "confidential": confidential}
        source = (await session.execute(SOURCE, values)).scalar_one()
        await session.execute(RECORD, {"source": source, "day": date.fromisoformat(day)})
        await session.execute(ADVANCE)


async def test_an_empty_service_says_what_it_is(client: httpx.AsyncClient) -> None:
    status = (await client.get("/v1/status")).json()
    assert status["records"] == {"salaries": 0, "demand": 0}
    assert status["data_as_of"] is None
    assert status["base_currency"] == "USD"
    assert status["schema_revision"]
    assert status["policy"]["open_statistics"] is True


async def test_counts_follow_a_write_and_leave_confidential_records_out(
    client: httpx.AsyncClient, database: Database
) -> None:
    await client.get("/v1/status")  # what was counted now must not be shown later
    await add_record(database, "open-source", "2026-03-31", confidential=False)
    await add_record(database, "closed-source", "2026-05-31", confidential=True)
    status = (await client.get("/v1/status")).json()
    assert status["records"]["salaries"] == 1
    assert (status["data_as_of"], status["newest"]["salaries"]) == ("2026-03-31", "2026-03-31")
    assert "closed" not in str(status)


async def test_polling_it_counts_only_when_the_data_changed(
    client: httpx.AsyncClient, database: Database
) -> None:
    await client.get("/v1/status")
    async with database.write() as session:
        await session.execute(RECORD, {"source": 0, "day": date(2026, 1, 1)})
    assert (await client.get("/v1/status")).json()["records"]["salaries"] == 0
