"""Who gets in, over HTTP."""

from dataclasses import replace

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy import text

from app.access.caller import CallerDep
from app.access.scopes import Scope, requires
from app.core.database import Database
from app.main import create_app
from app.settings import Settings
from tests.conftest import HeadersFor, connect

WRITE = "/v1/probe/write"
READ = "/v1/probe/read"


@pytest.fixture
def application(application: FastAPI) -> FastAPI:
    """The application with two routes more."""
    router = APIRouter()

    @router.get(WRITE, dependencies=[requires(Scope.RECORDS_WRITE)])
    async def probe_write(caller: CallerDep) -> str:
        return caller.id

    @router.get(READ, dependencies=[requires(Scope.STATS_READ)])
    async def probe_read(caller: CallerDep) -> str:
        return caller.id

    application.include_router(router)
    return application


async def test_without_a_key_statistics_are_open_and_the_rest_is_401(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.get(READ)).json() == "anonymous"
    answer = await client.get(WRITE)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "records:write" in answer.json()["detail"]


async def test_a_key_opens_its_scope_in_both_headers(
    client: httpx.AsyncClient, headers_for: HeadersFor
) -> None:
    headers = await headers_for("records:write")
    bearer = {"Authorization": f"bearer {headers['X-API-Key']}"}
    for sent in (headers, bearer, headers | bearer):
        assert (await client.get(WRITE, headers=sent)).status_code == 200


async def test_a_key_without_the_scope_is_403_and_says_what_it_has(
    client: httpx.AsyncClient, headers_for: HeadersFor
) -> None:
    answer = await client.get(WRITE, headers=await headers_for("records:read", "taxonomy:write"))
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert "records:read, " in answer.json()["detail"]


async def test_admin_implies_all(admin: httpx.AsyncClient) -> None:
    for path in (READ, WRITE):
        assert (await admin.get(path)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "wrong"},
        {"X-API-Key": ""},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"X-API-Key": "one", "Authorization": "Bearer two"},
    ],
)
async def test_a_bad_key_is_401_on_open_routes_too(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await client.get(READ, headers=headers)
    assert answer.status_code == 401
    assert "wrong" not in answer.text
    assert (await client.get("/livez", headers=headers)).status_code == 200


async def test_statistics_can_be_closed(
    settings: Settings, database_url: str, headers_for: HeadersFor
) -> None:
    closed = create_app(replace(settings, open_statistics=False), database_url)
    async with closed.router.lifespan_context(closed), connect(closed) as client:
        assert (await client.get("/v1/status")).status_code == 401
        other = await headers_for("records:write")
        assert (await client.get("/v1/status", headers=other)).status_code == 403
        reader = await headers_for("stats:read")
        assert (await client.get("/v1/status", headers=reader)).status_code == 200


async def test_a_refused_request_takes_no_connection(
    client: httpx.AsyncClient, application: FastAPI
) -> None:
    used: list[object] = []
    database: Database = application.state.services.database
    from sqlalchemy import event

    event.listen(database.engine.sync_engine, "checkout", lambda *_: used.append(1))
    assert (await client.get(WRITE)).status_code == 401
    assert (await client.get(f"{READ}?nothing=1")).status_code == 422
    assert (await client.get("/v1/nothing")).status_code == 404
    assert used == []


async def test_a_key_is_looked_up_once_in_a_while_and_not_for_each_request(
    client: httpx.AsyncClient, application: FastAPI, headers_for: HeadersFor, database: Database
) -> None:
    headers = await headers_for("records:write")
    assert (await client.get(WRITE, headers=headers)).status_code == 200
    async with database.write() as session:
        await session.execute(text("DELETE FROM api_keys"))
    assert (await client.get(WRITE, headers=headers)).status_code == 200
