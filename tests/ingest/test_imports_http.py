"""POST /v1/imports and what is seen, completed and undone of it."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import polars as pl
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.core.database import Database
from app.ingest import importer
from tests.conftest import HeadersFor, connect
from tests.ingest.conftest import Count, Import, csv_of, demand, salary

IMPORTS = "/v1/imports"
CSV = {"Content-Type": "text/csv"}


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> int:
    """Rows of a chunk, few enough for a short file to have several."""
    monkeypatch.setattr(importer, "CHUNK_ROWS", 10)
    monkeypatch.setattr(importer, "BLOCK_BYTES", 600)
    return 10


def _file(rows: int, **fields: Any) -> bytes:
    return csv_of(*(salary(external_id=f"r{n}", **fields) for n in range(rows)))


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110 - the database tells, not an event
            await asyncio.sleep(0.02)


async def test_chunks_are_committed_while_the_body_arrives(
    writer: httpx.AsyncClient, count: Count, small_chunks: int
) -> None:
    body, go = _file(100), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield body[: len(body) // 2]
        await go.wait()
        yield body[len(body) // 2 :]

    answer = asyncio.create_task(writer.post(IMPORTS, content=slow(), headers=CSV))
    await _until(lambda: _more(count, "salary_records", 20))
    listed = (await writer.get(IMPORTS)).json()["data"][0]
    assert listed["state"] == "running"
    assert listed["progress"]["rows"] >= 20
    assert listed["report"]["inserted"] == listed["progress"]["rows"]
    assert not answer.done()
    undo = await writer.delete(f"{IMPORTS}/{listed['id']}")
    assert (undo.status_code, undo.json()["code"]) == (409, "import_running")
    go.set()
    report = (await answer).json()
    assert (report["received"], report["inserted"]) == (100, 100)
    ended = (await writer.get(f"{IMPORTS}/{report['import']}")).json()
    assert ended["state"] == "complete"
    assert ended["progress"]["bytes"] == len(body)
    assert ended["report"] == report
    assert ended["finished_at"] is not None


async def _more(count: Count, what: str, rows: int) -> bool:
    return await count(what) >= rows


async def test_a_client_that_goes_away_leaves_what_was_committed(
    application: FastAPI,
    headers_for: HeadersFor,
    writer: httpx.AsyncClient,
    count: Count,
    small_chunks: int,
) -> None:
    body = _file(100)
    headers = await headers_for("records:write")

    async def receive() -> dict[str, Any]:
        if not sent:
            sent.append(True)
            return {"type": "http.request", "body": body[: len(body) // 2], "more_body": True}
        await _until(lambda: _more(count, "salary_records", 20))
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        del message

    sent: list[bool] = []
    await application(_scope(IMPORTS, headers), receive, send)
    kept = await count("salary_records")
    (left,) = (await writer.get(IMPORTS)).json()["data"]
    assert left["state"] == "interrupted"
    assert 20 <= kept == left["report"]["inserted"] < 100
    assert "send the same file again" in left["problem"]
    again = (await writer.post(IMPORTS, content=body, headers=CSV)).json()
    assert (again["inserted"], again["unchanged"]) == (100 - kept, kept)
    assert await count("salary_records") == 100


def _scope(path: str, headers: dict[str, str]) -> dict[str, Any]:
    sent = {"content-type": "text/csv", **{name.lower(): value for name, value in headers.items()}}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 80),
    }


async def test_a_body_that_breaks_off_keeps_its_chunks_and_says_so(
    writer: httpx.AsyncClient, count: Count, small_chunks: int
) -> None:
    body = _file(50) + b"acme,\xff\xfe\n"
    response = await writer.post(IMPORTS, content=body, headers=CSV)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (400, "wrong_encoding")
    assert problem["inserted"] == await count("salary_records") > 0
    stored = (await writer.get(f"{IMPORTS}/{problem['import']}")).json()
    assert stored["state"] == "failed"
    assert "line 52" in stored["problem"]


async def test_an_import_whose_process_is_gone_reads_as_interrupted(
    writer: httpx.AsyncClient, database: Database
) -> None:
    report = (await writer.post(IMPORTS, content=_file(3), headers=CSV)).json()
    async with database.write() as session:
        await session.execute(
            text(
                "UPDATE imports SET state = 'running', finished_at = NULL,"
                " updated_at = clock_timestamp() - interval '21 s'"
            )
        )
    found = (await writer.get(f"{IMPORTS}/{report['import']}")).json()
    assert found["state"] == "interrupted"
    assert "send the same file again" in found["problem"]
    undone = await writer.delete(f"{IMPORTS}/{report['import']}")
    assert undone.json()["deleted"] == 3


async def test_all_or_nothing_holds_for_a_file_of_many_chunks(
    writer: httpx.AsyncClient, count: Count, small_chunks: int
) -> None:
    bad = _file(60) + b"acme,last,Atlantis,90000,USD,2025-03\n"
    response = await writer.post(f"{IMPORTS}?on_error=abort", content=bad, headers=CSV)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "rows_rejected")
    assert (problem["received"], problem["rejected"], problem["errors"][0]["row"]) == (61, 1, 61)
    assert await count("salary_records") == 0
    good = await writer.post(f"{IMPORTS}?on_error=abort", content=_file(60), headers=CSV)
    assert good.json()["inserted"] == 60
    assert await count("salary_records") == 60


async def test_a_dry_run_of_many_chunks_counts_as_the_import_would(
    writer: httpx.AsyncClient, count: Count, small_chunks: int
) -> None:
    body = _file(30) + _file(15, amount=91_000).split(b"\n", 1)[1]
    trial = (await writer.post(f"{IMPORTS}?dry_run=true", content=body, headers=CSV)).json()
    assert await count("salary_records") == 0
    real = (await writer.post(IMPORTS, content=body, headers=CSV)).json()
    names = ("received", "inserted", "updated", "unchanged", "rejected")
    assert [trial[name] for name in names] == [real[name] for name in names] == [45, 30, 15, 0, 0]


async def test_rows_without_an_external_id_need_a_batch_or_a_key(
    writer: httpx.AsyncClient, count: Count
) -> None:
    body = csv_of(salary(external_id=None))
    response = await writer.post(IMPORTS, content=body, headers=CSV)
    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "batch_required"
    for _ in range(2):
        await writer.post(f"{IMPORTS}?batch=may.csv", content=body, headers=CSV)
    assert await count("salary_records") == 1
    keyed = {**CSV, "Idempotency-Key": "june"}
    assert (await writer.post(IMPORTS, content=body, headers=keyed)).json()["inserted"] == 1
    assert (await writer.post(IMPORTS, content=body, headers=keyed)).headers[
        "Idempotency-Replayed"
    ] == "true"
    assert await count("salary_records") == 2


async def _in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


async def test_a_repaired_file_goes_on_under_its_key_without_doubling(
    writer: httpx.AsyncClient, count: Count
) -> None:
    url = b"https://example.org/" + b"x" * 120
    lines = b"".join(
        b"acme,US,%d,USD,2026-05-02,%b\n" % (50_000 + row % 9_000, url) for row in range(20_000)
    )
    whole = b"source,region,amount,currency,observed_on,url\n" + lines
    keyed = {**CSV, "Idempotency-Key": "night"}
    broken = whole + b"acme,US,\xe9,USD,2026-05-02,\n" + lines
    for _ in range(2):
        refused = await writer.post(IMPORTS, content=_in_pieces(broken), headers=keyed)
        assert (refused.status_code, refused.json()["code"]) == (400, "wrong_encoding")
    assert await count("salary_records") > 0
    report = (await writer.post(IMPORTS, content=whole, headers=keyed)).json()
    assert report["inserted"] + report["unchanged"] == 20_000
    assert await count("salary_records") == 20_000


async def test_undo_takes_back_what_an_import_inserted_and_no_more(
    writer: httpx.AsyncClient, count: Count, database: Database
) -> None:
    await writer.post(IMPORTS, content=_file(3), headers=CSV)
    keyed = {**CSV, "Idempotency-Key": "second"}
    second = (await writer.post(IMPORTS, content=_file(10, amount=80_000), headers=keyed)).json()
    assert (second["inserted"], second["updated"]) == (7, 3)
    await writer.post(IMPORTS, content=_file(5, amount=70_000), headers=CSV)
    undone = (await writer.delete(f"{IMPORTS}/{second['import']}")).json()
    # r0 to r2 are of the first, and were changed by the third; r3 and r4 were changed since.
    assert (undone["deleted"], undone["kept_updated"], undone["kept_changed"]) == (5, 0, 2)
    assert undone["data_version"] != second["data_version"]
    assert await count("salary_records") == await count("salary_identities") == 5
    assert (await writer.get(f"{IMPORTS}/{second['import']}")).json()["state"] == "undone"
    twice = await writer.delete(f"{IMPORTS}/{second['import']}")
    assert (twice.status_code, twice.json()["code"]) == (409, "import_undone")
    # Its key is forgotten, so the file may come again.
    again = (await writer.post(IMPORTS, content=_file(10, amount=80_000), headers=keyed)).json()
    assert (again["inserted"], again["updated"]) == (5, 5)


async def test_undo_counts_rows_that_it_updated(writer: httpx.AsyncClient) -> None:
    await writer.post(IMPORTS, content=_file(3), headers=CSV)
    second = (await writer.post(IMPORTS, content=_file(4, amount=80_000), headers=CSV)).json()
    undone = (await writer.delete(f"{IMPORTS}/{second['import']}")).json()
    assert (undone["deleted"], undone["kept_updated"], undone["kept_changed"]) == (1, 3, 0)


async def test_undo_of_demand_and_benchmarks(
    import_body: Import, writer: httpx.AsyncClient, count: Count
) -> None:
    rows = csv_of(*(demand(external_id=str(n)) for n in range(4)))
    report = (await import_body(rows, "demand")).report
    assert (await writer.delete(f"{IMPORTS}/{report['import']}")).json()["deleted"] == 4
    assert await count("demand_records") == await count("demand_identities") == 0
    row = {"source": "acme", "soc": "15-1252", "region": "US", "period": "2024-05"}
    body = csv_of(row | {"currency": "USD", "p50": 130_000})
    before = await count("benchmarks")
    report = (await import_body(body, "benchmark")).report
    assert await count("benchmarks") == before + 1
    assert (await writer.delete(f"{IMPORTS}/{report['import']}")).json()["deleted"] == 1
    assert await count("benchmarks") == before


async def test_history_comes_in_pages(writer: httpx.AsyncClient) -> None:
    ids = [
        (await writer.post(IMPORTS, content=_file(1, amount=90_000 + n), headers=CSV)).json()[
            "import"
        ]
        for n in range(5)
    ]
    seen: list[int] = []
    address: str | None = f"{IMPORTS}?limit=2"
    while address:
        page = (await writer.get(address)).json()
        seen += [item["id"] for item in page["data"]]
        address = page["meta"]["next"]
    assert seen == ids[::-1]
    assert (await writer.get(f"{IMPORTS}/999999")).status_code == 404
    assert (await writer.get(f"{IMPORTS}/99999999999")).status_code == 404


async def test_imports_of_confidential_sources_are_for_admins(
    writer: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    mixed = csv_of(salary(), salary(source="closed", amount=1, external_id="2"))
    report = (await writer.post(IMPORTS, content=mixed, headers=CSV)).json()
    assert report["rejected"] == 1
    address = f"{IMPORTS}/{report['import']}"
    assert (await writer.get(address)).status_code == 404
    assert (await writer.delete(address)).status_code == 404
    assert (await writer.get(IMPORTS)).json()["data"] == []
    assert (await admin.get(address)).json()["source"] == "closed"
    assert len((await admin.get(IMPORTS)).json()["data"]) == 1


async def test_a_confidential_source_gives_no_roles_demand_or_benchmarks(
    admin: httpx.AsyncClient, sources: None
) -> None:
    for query, body in (
        ("source=closed&create_roles=true", _file(1)),
        ("source=closed&kind=demand", csv_of(demand(source=None))),
        ("source=closed&kind=benchmark", b"source\n"),
    ):
        response = await admin.post(f"{IMPORTS}?{query}", content=body, headers=CSV)
        assert (response.status_code, response.json()["code"]) == (422, "confidential_source")
    body = csv_of(salary(source="closed", title="Grand Falconer"))
    response = await admin.post(f"{IMPORTS}?create_roles=true", content=body, headers=CSV)
    assert response.json()["errors"][0]["code"] == "confidential_source"


async def test_parquet_streams_through_a_file(writer: httpx.AsyncClient, count: Count) -> None:
    buffer = io.BytesIO()
    pl.DataFrame([salary(external_id=str(n)) for n in range(500)]).write_parquet(buffer)
    body = buffer.getvalue()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1_000):
            yield body[start : start + 1_000]

    headers = {"Content-Type": "application/vnd.apache.parquet"}
    report = (await writer.post(IMPORTS, content=pieces(), headers=headers)).json()
    assert report["inserted"] == await count("salary_records") == 500


async def test_a_profile_of_ones_own(
    application: FastAPI, headers_for: HeadersFor, writer: httpx.AsyncClient, count: Count
) -> None:
    mapping = {
        "kind": "salary",
        "source": {"code": "shop", "name": "Shop", "kind": "reported"},
        "columns": {"external_id": "id", "region": "land", "amount": "pay"},
        "constants": {"currency": "EUR", "observed_on": 2025},
    }
    asked = {"code": "shop-file", "profile": mapping}
    refused = await writer.post("/v1/profiles", json=asked)
    assert refused.status_code == 403
    headers = await headers_for("taxonomy:write")
    async with connect(application, headers) as client:
        assert (await client.post("/v1/profiles", json=asked)).status_code == 201
        assert (await client.post("/v1/profiles", json=asked)).status_code == 200
        shipped = await client.post("/v1/profiles", json={"code": "jolts", "profile": mapping})
        assert (shipped.status_code, shipped.json()["code"]) == (409, "profile_exists")
        wrong = await client.post("/v1/profiles", json={"code": "x", "profile": {"colums": {}}})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_profile")
    listed = (await writer.get("/v1/profiles")).json()["data"]
    assert [item["code"] for item in listed if not item["shipped"]] == ["shop-file"]
    body = b"id,land,pay,note\n1,DE,60000,x\n2,FR,50000,y\n"
    trial = await writer.post(
        f"{IMPORTS}?profile=shop-file&dry_run=true", content=body, headers=CSV
    )
    assert trial.json()["inserted"] == 2
    assert await count("sources WHERE code = 'shop'") == 0
    report = (await writer.post(f"{IMPORTS}?profile=shop-file", content=body, headers=CSV)).json()
    assert report["inserted"] == 2
    assert await count("sources WHERE code = 'shop'") == 1
    nearest = await writer.post(f"{IMPORTS}?profile=shop-fil", content=body, headers=CSV)
    assert (nearest.status_code, nearest.json()["code"]) == (422, "unknown_profile")
    assert "shop-file" in nearest.json()["detail"]
    other = await writer.post(f"{IMPORTS}?profile=shop-file&kind=demand", content=body, headers=CSV)
    assert (other.status_code, other.json()["code"]) == (422, "wrong_kind")


async def test_demo_data_leaves_with_the_first_public_record(
    import_body: Import, database: Database
) -> None:
    async def epoch() -> int:
        async with database.read() as session:
            return int(await session.scalar(text("SELECT epoch FROM epoch")) or 0)

    start = await epoch()
    await import_body(csv_of(salary(source="closed")))
    assert await epoch() == start
    await import_body(csv_of(salary()))
    assert await epoch() == start + 1
    await import_body(csv_of(salary(external_id="2")))
    assert await epoch() == start + 1
    # A new reporting date of a demand source changes averages of all roles.
    await import_body(csv_of(demand()), "demand")
    assert await epoch() == start + 2
    await import_body(csv_of(demand(external_id="2")), "demand")
    assert await epoch() == start + 2
    await import_body(csv_of(demand(external_id="2", observed_on="2025-04-01")), "demand")
    assert await epoch() == start + 3


async def test_a_cursor_that_is_none_is_refused(writer: httpx.AsyncClient) -> None:
    response = await writer.get(f"{IMPORTS}?cursor=bm9uc2Vuc2U")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_cursor")


async def test_an_error_before_the_body_lets_the_client_send_it(
    writer: httpx.AsyncClient,
) -> None:
    taken = []

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            taken.append(True)
            yield b"x" * 100_000

    response = await writer.post(f"{IMPORTS}?source=nobody", content=pieces(), headers=CSV)
    assert response.json()["code"] == "unknown_source"
    assert len(taken) == 20
    assert json.loads(response.content)["status"] == 422
