"""DELETE of records: what goes, what stays, and what answers are told."""

from datetime import date
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from app.core.database import Database
from app.core.installation import read_secret
from app.core.versions import DataVersion, read_version
from app.domain.vocabulary import PRECISIONS
from app.records.keys import KEY_NAME, external_key
from app.tables import AuditEntry, SalaryRecord
from tests.conftest import HeadersFor
from tests.support.stored import (
    count_rows,
    days,
    role_id,
    store_demand,
    store_salary,
    store_source,
)

SALARIES = "/v1/salaries/records"
DEMAND = "/v1/demand/records"


async def _version(database: Database) -> DataVersion:
    async with database.read() as session:
        return await read_version(session)


async def _key(database: Database, external_id: str) -> UUID:
    async with database.write() as session:
        return external_key(await read_secret(session, KEY_NAME), external_id)


async def _delete(client: httpx.AsyncClient, address: str, **query: str) -> dict[str, Any]:
    response = await client.delete(address, params=query)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def _left(database: Database) -> set[str | None]:
    async with database.read() as session:
        return set(await session.scalars(select(SalaryRecord.external_id)))


async def test_one_record_goes_by_its_external_id(
    admin: httpx.AsyncClient, database: Database
) -> None:
    key = await _key(database, "17")
    async with database.write() as session:
        acme, other = await store_source(session, "acme"), await store_source(session, "other")
        role = await role_id(session, "data-engineer")
        await store_salary(session, acme, role_id=role, external_id="17", key=key)
        await store_salary(session, acme, role_id=role, external_id="18")
        await store_salary(session, other, role_id=role, external_id="19", key=key)
    before = await _version(database)
    answer = await _delete(admin, SALARIES, source="acme", external_id="17")
    assert (answer["matched"], answer["deleted"], answer["dry_run"]) == (1, 1, False)
    assert await _left(database) == {"18", "19"}
    assert await count_rows(database, "salary_identities") == 2
    after = await _version(database)
    assert (after.roles, after.epoch) == (before.roles + 1, before.epoch)
    assert answer["data_version"] == str(after)
    again = await _delete(admin, SALARIES, source="acme", external_id="17")
    assert again["deleted"] == 0
    assert await _version(database) == after


async def test_a_dry_run_only_counts(admin: httpx.AsyncClient, database: Database) -> None:
    async with database.write() as session:
        source = await store_source(session, "acme")
        for day in days(date(2026, 3, 1), 5):
            await store_salary(session, source, observed_on=day)
    before = await _version(database)
    query = {"source": "acme", "from": "2026-03-02", "to": "2026-03-04", "dry_run": "true"}
    answer = await _delete(admin, SALARIES, **query)
    assert (answer["matched"], answer["deleted"], answer["dry_run"]) == (3, 0, True)
    assert await count_rows(database, "salary_records") == 5
    assert await _version(database) == before


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ({"from": "2026-03-02", "to": "2026-03-02"}, {"before", "month", "after"}),
        ({"from": "2026-03", "to": "2026-03"}, {"before", "after"}),
        ({"to": "2026-03-02"}, {"month", "after"}),
        ({"from": "2026-03-03"}, {"before", "day", "month"}),
        ({"from": "1900"}, set()),
    ],
)
async def test_a_window_takes_what_lies_inside_it(
    admin: httpx.AsyncClient, database: Database, query: dict[str, str], left: set[str]
) -> None:
    async with database.write() as session:
        source = await store_source(session, "acme")
        await store_salary(session, source, external_id="before", observed_on=date(2026, 2, 28))
        await store_salary(session, source, external_id="day", observed_on=date(2026, 3, 2))
        await store_salary(
            session,
            source,
            external_id="month",
            observed_on=date(2026, 3, 1),
            observed_until=date(2026, 3, 31),
            precision=PRECISIONS["month"],
        )
        await store_salary(session, source, external_id="after", observed_on=date(2026, 4, 1))
    await _delete(admin, SALARIES, source="acme", **query)
    assert await _left(database) == left
    assert await count_rows(database, "salary_identities") == len(left)


async def test_many_records_go_batch_by_batch(
    admin: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.records.deletion.BATCH", 4)
    for at_once, advances in ((100, 1), (5, 3)):
        monkeypatch.setattr("app.records.deletion.ONE_TRANSACTION", at_once)
        async with database.write() as session:
            source = await store_source(session, f"acme-{at_once}")
            other = await store_source(session, f"other-{at_once}")
            await store_salary(session, other)
            for _ in range(10):
                await store_salary(session, source)
        before = await _version(database)
        answer = await _delete(admin, SALARIES, **{"source": f"acme-{at_once}", "from": "1900"})
        assert answer["deleted"] == 10
        assert (await _version(database)).roles == before.roles + advances
    assert await count_rows(database, "salary_records") == 2
    assert await count_rows(database, "salary_identities") == 2


async def test_deleting_openings_renews_every_answer(
    admin: httpx.AsyncClient, database: Database
) -> None:
    async with database.write() as session:
        source = await store_source(session, "acme")
        await store_demand(session, source)
        await store_salary(session, source)
    before = await _version(database)
    assert (await _delete(admin, DEMAND, **{"source": "acme", "from": "2026"}))["deleted"] == 1
    assert (await _version(database)).epoch == before.epoch + 1
    assert await count_rows(database, "demand_identities") == 0
    assert await count_rows(database, "salary_records") == 1


async def test_the_last_public_record_renews_every_answer(
    admin: httpx.AsyncClient, database: Database
) -> None:
    async with database.write() as session:
        await store_salary(session, await store_source(session, "acme"))
    before = await _version(database)
    await _delete(admin, SALARIES, **{"source": "acme", "from": "1900"})
    assert (await _version(database)).epoch == before.epoch + 1


async def test_confidential_records_are_deleted_by_admins_only_and_unseen(
    admin: httpx.AsyncClient,
    client: httpx.AsyncClient,
    database: Database,
    headers_for: HeadersFor,
) -> None:
    async with database.write() as session:
        await store_salary(session, await store_source(session, "secret", confidential=True))
    query = {"source": "secret", "from": "1900"}
    writer = await headers_for("records:write")
    for dry_run in ("true", "false"):
        refused = await client.delete(
            SALARIES, params={**query, "dry_run": dry_run}, headers=writer
        )
        assert refused.status_code == 403
    before = await _version(database)
    assert (await _delete(admin, SALARIES, **query))["deleted"] == 1
    assert await _version(database) == before


async def test_a_deletion_is_noted(admin: httpx.AsyncClient, database: Database) -> None:
    async with database.write() as session:
        await store_salary(session, await store_source(session, "acme"))
    await _delete(admin, SALARIES, **{"source": "acme", "from": "1900"})
    async with database.read() as session:
        statement = select(AuditEntry.details).where(AuditEntry.action == "salary_records.delete")
        assert list(await session.scalars(statement)) == [{"source": "acme", "records": 1}]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "missing_value"),
        ({"external_id": "17"}, "missing_value"),
        ({"source": ""}, "missing_value"),
        ({"source": "published-guide"}, "invalid_request"),
        ({"source": "published-guide", "external_id": "17", "from": "2026"}, "invalid_request"),
        ({"source": "published-guide", "external_id": ""}, "invalid_value"),
        ({"source": "published-guide", "from": ""}, "empty_value"),
        ({"source": "published-guide", "from": "2026-05", "to": "2026-04"}, "invalid_window"),
        ({"source": "nobody", "from": "2026"}, "unknown_source"),
        ({"source": "published-guide", "from": "2026", "role": "x"}, "unknown_parameter"),
    ],
)
async def test_what_is_not_clear_is_refused(
    admin: httpx.AsyncClient, query: dict[str, str], code: str
) -> None:
    response = await admin.delete(SALARIES, params=query)
    assert (response.status_code, response.json()["code"]) == (422, code)


async def test_deleting_needs_the_scope(client: httpx.AsyncClient, headers_for: HeadersFor) -> None:
    query = {"source": "published-guide", "from": "2026"}
    assert (await client.delete(SALARIES, params=query)).status_code == 401
    reader = await headers_for("records:read")
    assert (await client.delete(SALARIES, params=query, headers=reader)).status_code == 403
    writer = await headers_for("records:write")
    assert (await client.delete(SALARIES, params=query, headers=writer)).status_code == 200


def test_the_key_is_the_one_that_imports_store() -> None:
    import polars as pl

    from app.ingest.chunks import ROW
    from app.ingest.identity import Identities

    secret = b"s" * 32
    rows = pl.DataFrame({ROW: [1, 2], "external_id": ["17", "ä/ö"]})
    keys = Identities(secret, batch=None).keys(rows, rows)
    assert [UUID(hex=key) for key in keys] == [
        external_key(secret, " 17 "),
        external_key(secret, "ä/ö"),
    ]
