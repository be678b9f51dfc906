"""Errors look alike whichever layer they are from."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from app.access.scopes import Scope, requires
from app.core.database import Database
from tests.conftest import connect

MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}
SECRET = "137137-secret"


async def broken() -> None:
    raise RuntimeError(SECRET)


Ask = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]
CASES: dict[str, tuple[int, Ask]] = {
    "router, no such path": (404, lambda client: client.get("/v1/salary/statistic")),
    "router, wrong method": (405, lambda client: client.delete("/v1/status")),
    "parameters, unknown": (422, lambda client: client.get("/v1/status?regoin=US")),
    "parameters, encoding": (422, lambda client: client.get("/v1/status?a=%FF")),
    "parameters, NUL": (422, lambda client: client.get("/v1/status?a=%00")),
    "access, no key": (401, lambda client: client.get("/v1/probe/closed")),
    "access, bad key": (
        401,
        lambda client: client.get("/v1/status", headers={"X-API-Key": SECRET}),
    ),
    "body, too large": (
        413,
        lambda client: client.post("/v1/salaries/records", content=b" " * 16_000_001),
    ),
    "body, coded": (
        415,
        lambda client: client.post(
            "/v1/salaries/records", content=b"x", headers={"Content-Encoding": "gzip"}
        ),
    ),
    "application, unexpected": (500, lambda client: client.get("/v1/probe/broken")),
}


@pytest.fixture
async def probe(application: FastAPI) -> httpx.AsyncClient:
    router = APIRouter()
    router.add_api_route("/v1/probe/broken", broken, dependencies=[requires(Scope.PUBLIC)])
    router.add_api_route("/v1/probe/closed", broken, dependencies=[requires(Scope.ADMIN)])
    application.include_router(router)
    return connect(application, raises=False)


def check(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert set(document) >= MEMBERS
    assert document["status"] == status
    assert document["type"].startswith("urn:payband:problem:")
    assert document["request_id"] == answer.headers["x-request-id"] != ""
    assert SECRET not in answer.text
    return document


@pytest.mark.parametrize("layer", CASES)
async def test_every_layer_answers_with_the_same_shape(
    probe: httpx.AsyncClient, layer: str
) -> None:
    status, ask = CASES[layer]
    check(await ask(probe), status)


async def test_database_down(probe: httpx.AsyncClient, application: FastAPI) -> None:
    services = application.state.services
    url = services.database.engine.url.difference_update_query(["host", "port"])
    nowhere = url.set(host="127.0.0.1", port=1).render_as_string(hide_password=False)
    application.state.services = replace(services, database=Database(services.settings, nowhere))
    answer = await probe.get("/v1/status")
    document = check(answer, 503)
    assert document["code"] == "database_unavailable"
    assert int(answer.headers["retry-after"]) > 0


async def test_the_caller_s_request_id_is_in_the_document(probe: httpx.AsyncClient) -> None:
    answer = await probe.get("/v1/nothing", headers={"X-Request-ID": "order-66"})
    assert answer.json()["request_id"] == "order-66"
