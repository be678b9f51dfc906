"""POST of records: formats, unreadable bodies, all-or-nothing, idempotency keys."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import polars as pl
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.core.database import Database
from tests.conftest import HeadersFor, connect
from tests.ingest.conftest import Count, csv_of, demand, salary

SALARIES = "/v1/salaries/records"
DEMAND = "/v1/demand/records"
CSV = {"Content-Type": "text/csv"}


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame(rows).write_parquet(buffer)
    return buffer.getvalue()


async def test_every_format_gives_the_same_records(writer: httpx.AsyncClient, count: Count) -> None:
    rows = [salary(external_id=str(n), amount=90_000 + n) for n in range(3)]
    bodies = {
        "application/json": json.dumps(rows).encode(),
        "application/x-ndjson": "\n".join(map(json.dumps, rows)).encode(),
        "text/csv": csv_of(*rows),
        "text/csv; charset=utf-8": b"\xef\xbb\xbf" + csv_of(*rows),
        "application/vnd.apache.parquet": _parquet(rows),
    }
    inserted = []
    for content_type, body in bodies.items():
        response = await writer.post(SALARIES, content=body, headers={"Content-Type": content_type})
        assert response.status_code == 200, (content_type, response.text)
        report = response.json()
        assert report["received"] == 3
        inserted.append((report["inserted"], report["unchanged"]))
    assert inserted == [(3, 0), *[(0, 3)] * 4]
    assert await count("salary_records") == 3


async def test_one_object_is_one_record(writer: httpx.AsyncClient) -> None:
    report = (await writer.post(DEMAND, json=demand())).json()
    assert list(report) == [
        *("import", "received", "inserted", "updated", "unchanged", "rejected", "skipped"),
        *("rate_pending", "errors", "errors_omitted", "warnings", "data_version"),
    ]
    assert report["inserted"] == 1


HEADER = b"source,region,amount,currency,observed_on\n"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code", "said"),
    [
        (b"", "text/csv", 400, "empty_body", "empty"),
        (b"", "application/json", 400, "empty_body", "empty"),
        (b'[{"source": "acme",]', "application/json", 400, "invalid_json", "Line 1, column 20"),
        (b"PAR1 no parquet", "application/vnd.apache.parquet", 400, None, "Parquet"),
        (HEADER.replace(b"region", b"regoin"), "text/csv", 400, "unknown_column", "region"),
        (HEADER.replace(b"region,", b""), "text/csv", 400, "missing_column", "region"),
        (HEADER + b"acme,M\xfcnchen,1,EUR,2025\n", "text/csv", 400, "wrong_encoding", "latin-1"),
        (b"\xff\xfea\0b\0", "text/csv", 400, "wrong_encoding", "UTF-16"),
        (b"{}", "text/html", 415, "unsupported_type", "text/csv"),
        (b"a", "text/csv; charset=latin-1", 415, "unsupported_charset", "UTF-8"),
    ],
)
async def test_a_body_that_cannot_be_read_says_where_and_why(
    writer: httpx.AsyncClient,
    count: Count,
    body: bytes,
    content_type: str,
    status: int,
    code: str | None,
    said: str,
) -> None:
    response = await writer.post(SALARIES, content=body, headers={"Content-Type": content_type})
    problem = response.json()
    assert response.status_code == status, problem
    assert code in (problem["code"], None)
    assert said in problem["detail"], problem
    assert await count("salary_records") == 0


async def test_nothing_is_written_of_a_body_that_breaks_off(
    writer: httpx.AsyncClient, count: Count
) -> None:
    body = json.dumps([salary(external_id=str(n)) for n in range(60_000)])[:-10]
    response = await writer.post(
        SALARIES, content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 400
    assert response.json()["inserted"] == 0
    assert await count("salary_records") == 0
    assert await count("imports WHERE state = 'failed'") == 1


@pytest.mark.parametrize("ending", [b"\r", b"\r\n", b"\n"])
async def test_every_line_ending_is_read(writer: httpx.AsyncClient, ending: bytes) -> None:
    body = csv_of(salary(), salary(external_id="2")).replace(b"\n", ending)
    response = await writer.post(SALARIES, content=body, headers=CSV)
    assert response.json()["inserted"] == 2, response.text


async def test_a_header_alone_is_a_report_of_no_rows(writer: httpx.AsyncClient) -> None:
    response = await writer.post(SALARIES, content=HEADER, headers=CSV)
    assert response.status_code == 200
    assert response.json()["received"] == 0


async def test_a_row_with_too_many_fields_is_rejected_alone(writer: httpx.AsyncClient) -> None:
    body = csv_of(salary()) + b"acme,2,US,90000,USD,2025-03,surplus\n"
    report = (await writer.post(SALARIES, content=body, headers=CSV)).json()
    assert (report["inserted"], report["rejected"]) == (1, 1)
    assert report["errors"][0]["row"] == 2


async def test_ten_megabytes_in_one_field(writer: httpx.AsyncClient) -> None:
    body = csv_of(salary(title="x" * 10_000_000), salary(external_id="2"))
    report = (await writer.post(SALARIES, content=body, headers=CSV)).json()
    assert (report["inserted"], report["rejected"]) == (1, 1)
    assert report["errors"][0]["code"] in ("row_too_long", "too_long")
    assert len(json.dumps(report)) < 2_000


async def test_the_list_of_errors_is_capped_and_says_so(writer: httpx.AsyncClient) -> None:
    rows = [
        salary(external_id=str(n), amount=90_000 if n % 2 else f"bad {n}", level=f"level {n % 300}")
        for n in range(60_000)
    ]
    report = (await writer.post(SALARIES, content=csv_of(*rows), headers=CSV)).json()
    assert (report["inserted"], report["rejected"]) == (30_000, 30_000)
    assert [error["row"] for error in report["errors"]] == list(range(1, 200, 2))
    assert report["errors_omitted"] == 29_900
    assert len(report["warnings"]) <= 102
    assert sum(warning["rows"] for warning in report["warnings"]) == 60_000


async def test_all_or_nothing(writer: httpx.AsyncClient, count: Count) -> None:
    rows = [salary(), salary(external_id="2", region="Atlantis")]
    response = await writer.post(f"{SALARIES}?on_error=abort", json=rows)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "rows_rejected")
    assert (problem["received"], problem["rejected"], problem["inserted"]) == (2, 1, 0)
    assert await count("salary_records") == 0
    assert await count("titles WHERE id > 0") == 0
    good = await writer.post(f"{SALARIES}?on_error=abort", json=rows[:1])
    assert good.json()["inserted"] == 1


async def test_a_dry_run_reports_and_leaves_nothing(
    application: FastAPI, headers_for: HeadersFor, writer: httpx.AsyncClient, count: Count
) -> None:
    await writer.post(SALARIES, json=salary())
    before = await count("salary_records")
    rows = [salary(amount=80_000), salary(external_id="2", title="Chief Beekeeper")]
    headers = await headers_for("records:write", "taxonomy:write")
    async with connect(application, headers) as client:
        response = await client.post(f"{SALARIES}?dry_run=true&create_roles=true", json=rows)
    report = response.json()
    assert (report["inserted"], report["updated"], report["data_version"]) == (1, 1, None)
    assert await count("salary_records") == before == 1
    assert await count("salary_records WHERE annual_amount = 90000") == 1
    assert await count("titles WHERE text = 'Chief Beekeeper'") == 0
    assert await count("roles WHERE code LIKE '%beekeeper%'") == 0


async def test_rows_without_an_external_id_belong_to_their_request(
    writer: httpx.AsyncClient, count: Count
) -> None:
    row = salary(external_id=None)
    for _ in range(2):
        assert (await writer.post(SALARIES, json=[row, row])).json()["inserted"] == 2
    assert await count("salary_records") == 4


async def test_a_source_and_a_date_for_all_rows(writer: httpx.AsyncClient) -> None:
    row = salary(source=None, observed_on=None)
    response = await writer.post(f"{SALARIES}?source=acme&observed_on=2025", json=row)
    assert response.json()["inserted"] == 1, response.text
    response = await writer.post(f"{SALARIES}?source=acmee", json=row)
    assert (response.status_code, response.json()["code"]) == (422, "unknown_source")
    response = await writer.post(f"{SALARIES}?observed_on=someday", json=salary())
    assert (response.status_code, response.json()["code"]) == (422, "invalid_date")


async def test_the_same_key_and_body_get_the_first_answer(
    writer: httpx.AsyncClient, count: Count
) -> None:
    headers = {"Idempotency-Key": "monday"}
    rows = [salary(external_id=None), salary(external_id=None, region="Atlantis")]
    first = await writer.post(SALARIES, json=rows, headers=headers)
    again = await writer.post(SALARIES, json=rows, headers=headers)
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await count("salary_records") == 1
    assert await count("imports") == 1


async def test_a_first_answer_that_was_an_error_is_repeated_with_its_status(
    writer: httpx.AsyncClient,
) -> None:
    headers = {"Idempotency-Key": "refused", "Content-Type": "application/json"}
    body = json.dumps([salary(amount=1)])
    first = await writer.post(SALARIES, content=body, headers=headers)
    again = await writer.post(SALARIES, content=body, headers=headers)
    assert first.status_code == again.status_code == 422
    assert first.json() | {"request_id": ""} == again.json() | {"request_id": ""}
    assert list(first.json()) == list(again.json())


async def test_a_body_that_cannot_be_read_does_not_use_up_its_key(
    writer: httpx.AsyncClient, count: Count
) -> None:
    headers = {"Idempotency-Key": "broken", "Content-Type": "application/json"}
    for _ in range(2):
        broken = await writer.post(SALARIES, content='{"broken', headers=headers)
        assert broken.status_code == 400
    repaired = await writer.post(SALARIES, content=json.dumps([salary()]), headers=headers)
    assert repaired.json()["inserted"] == 1
    assert await count("salary_records") == 1


async def test_another_body_or_target_under_the_same_key_is_refused(
    writer: httpx.AsyncClient,
) -> None:
    headers = {"Idempotency-Key": "monday"}
    await writer.post(SALARIES, json=salary(), headers=headers)
    for address, row in (
        (SALARIES, salary(amount=80_000)),
        (f"{SALARIES}?on_error=abort", salary()),
        (DEMAND, demand()),
    ):
        response = await writer.post(address, json=row, headers=headers)
        assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_key_in_use_is_a_conflict(writer: httpx.AsyncClient, count: Count) -> None:
    started, go = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"["
        started.set()
        await go.wait()
        yield json.dumps(salary()).encode() + b"]"

    headers = {"Idempotency-Key": "monday", "Content-Type": "application/json"}
    first = asyncio.create_task(writer.post(SALARIES, content=slow(), headers=headers))
    await started.wait()
    second = await writer.post(SALARIES, content=b"[]", headers=headers)
    assert (second.status_code, second.json()["code"]) == (409, "idempotency_key_in_use")
    go.set()
    assert (await first).json()["inserted"] == 1
    assert await count("salary_records") == 1


async def test_a_key_that_was_left_by_a_lost_process_is_taken_over(
    writer: httpx.AsyncClient, database: Database, count: Count
) -> None:
    headers = {"Idempotency-Key": "monday"}
    await writer.post(SALARIES, json=salary(external_id=None), headers=headers)
    async with database.write() as session:
        await session.execute(
            text(
                "UPDATE idempotency_keys SET status = NULL, answer = NULL,"
                " updated_at = now() - interval '1 minute'"
            )
        )
        await session.execute(
            text("UPDATE imports SET state = 'running', updated_at = now() - interval '1 minute'")
        )
    again = await writer.post(SALARIES, json=salary(external_id=None), headers=headers)
    # The key is the batch of its rows, so the row that was written already is recognised.
    assert (again.json()["inserted"], again.json()["unchanged"]) == (0, 1)
    assert await count("salary_records") == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_that_is_none_is_refused(writer: httpx.AsyncClient, key: str) -> None:
    response = await writer.post(SALARIES, json=salary(), headers={"Idempotency-Key": key})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_idempotency_key")


async def test_who_may_write(application: FastAPI, headers_for: HeadersFor, sources: None) -> None:
    for scopes, address, status in (
        (["records:read"], SALARIES, 403),
        (["records:write"], SALARIES, 200),
        (["records:write"], f"{SALARIES}?create_roles=true", 403),
        (["records:write", "taxonomy:write"], f"{SALARIES}?create_roles=true", 200),
    ):
        async with connect(application, await headers_for(*scopes)) as client:
            response = await client.post(address, json=salary(title="Grand Falconer"))
            assert response.status_code == status, (scopes, address, response.text)


async def test_a_confidential_source_is_stored_and_advances_nothing(
    writer: httpx.AsyncClient, admin: httpx.AsyncClient, count: Count, database: Database
) -> None:
    before = (await writer.post(SALARIES, json=salary())).json()["data_version"]
    report = (await admin.post(SALARIES, json=salary(source="closed"))).json()
    assert (report["inserted"], report["data_version"]) == (1, before)
    assert await count("salary_records") == 2
    assert len((await writer.get(SALARIES)).json()["data"]) == 1
    changed = (await writer.post(SALARIES, json=salary(amount=80_000))).json()
    assert changed["data_version"] != before
    same = (await writer.post(SALARIES, json=salary(amount=80_000))).json()
    assert same["data_version"] == changed["data_version"]


async def test_a_file_that_repeats_an_id_changes_nothing_when_it_is_loaded_again(
    writer: httpx.AsyncClient, count: Count
) -> None:
    rows = [salary(external_id="a", amount=amount) for amount in (60_000, 70_000, 65_000)]
    rows += [salary(external_id="b", amount=50_000)]
    first = (await writer.post(SALARIES, json=rows)).json()
    assert (first["inserted"], first["updated"], first["unchanged"]) == (2, 2, 0)
    again = (await writer.post(SALARIES, json=rows)).json()
    assert (again["inserted"], again["updated"], again["unchanged"]) == (0, 0, 4)
    assert again["data_version"] == first["data_version"]
    corrected = (await writer.post(SALARIES, json=rows[:2])).json()
    assert corrected["updated"] == 2
    assert await count("salary_records") == 2


async def test_a_name_of_several_regions_is_taken_with_a_warning(
    writer: httpx.AsyncClient,
) -> None:
    rows = [salary(external_id="a", region="Georgia"), salary(external_id="b", region="US-GA")]
    report = (await writer.post(SALARIES, json=rows)).json()
    assert report["inserted"] == 2
    assert report["warnings"] == [
        {"field": "region", "value": "Georgia", "code": "ambiguous_region", "rows": 1}
    ]


async def test_an_unknown_place_names_the_nearest_with_their_codes(
    writer: httpx.AsyncClient,
) -> None:
    report = (await writer.post(SALARIES, json=[salary(region="Freedonian Republic")])).json()
    assert "Republic" in report["errors"][0]["message"]
    assert "(" in report["errors"][0]["message"]


async def test_only_an_admin_learns_what_is_stored_of_a_confidential_source(
    writer: httpx.AsyncClient, admin: httpx.AsyncClient, count: Count
) -> None:
    """A report says inserted, updated or unchanged: enough to confirm a guessed amount."""
    await admin.post(SALARIES, json=salary(source="closed"))
    for dry_run in ("true", "false"):
        named = await writer.post(
            f"{SALARIES}?source=closed&dry_run={dry_run}", json=salary(source=None)
        )
        assert (named.status_code, named.json()["code"]) == (403, "not_allowed")
        in_row = await writer.post(f"{SALARIES}?dry_run={dry_run}", json=salary(source="closed"))
        assert in_row.json()["errors"][0]["code"] == "confidential_source"
        assert in_row.json()["unchanged"] == 0
    assert await count("salary_records") == 1


async def test_another_spelling_of_a_number_is_the_same_number(writer: httpx.AsyncClient) -> None:
    for place, (amount, fte) in enumerate(
        [("100000", "1"), ("100000.00", "1.0"), ("1e5", None), ("0100000", "1.000")]
    ):
        report = (await writer.post(SALARIES, json=salary(amount=amount, fte=fte))).json()
        assert (report["inserted"], report["unchanged"]) == ((1, 0) if place == 0 else (0, 1))
    exact = (await writer.post(SALARIES, json=salary(amount="100000.0000000001"))).json()
    assert exact["updated"] == 1


async def test_a_length_beyond_all_measure_is_no_server_error(writer: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "text/csv", "Content-Length": str(2**63)}
    response = await writer.post("/v1/imports?batch=b", content=csv_of(salary()), headers=headers)
    assert response.status_code == 200


async def test_a_profile_that_cannot_be_stored_is_refused(admin: httpx.AsyncClient) -> None:
    good = {"kind": "salary", "columns": {"amount": "pay"}}
    for bad in (
        {"title": "a\0"},
        {"constants": {"region": "\ud800"}},
        {"scale": {"amount": "1e300"}},
        {"scale": {"amount": 0}},
    ):
        body = json.dumps({"code": "mine", "profile": good | bad})
        response = await admin.post(
            "/v1/profiles", content=body, headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 422, (bad, response.text)
