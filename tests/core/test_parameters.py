"""Query strings: one check for every route."""

from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel

from app.core.parameters import check_parameters
from app.core.problems import add_problem_handlers
from app.core.routing import RouteTable
from tests.conftest import connect


class Shape(BaseModel):
    limit: int = 10
    sort: str = ""


def page(cursor: str = "") -> str:
    return cursor


def build() -> FastAPI:
    app = FastAPI(dependencies=[Depends(check_parameters)])

    @app.get("/things/{name}")
    async def get_things(
        name: str,
        shape: Annotated[Shape, Query()],
        cursor: Annotated[str, Depends(page)],
        region: str = "",
        first: Annotated[str, Query(alias="from")] = "",
        tag: Annotated[list[str] | None, Query()] = None,
    ) -> dict[str, object]:
        return {"name": name, "limit": shape.limit, "region": region, "from": first, "tag": tag}

    add_problem_handlers(app)
    app.state.routes = RouteTable(app)
    return app


@pytest.fixture
def things() -> httpx.AsyncClient:
    return connect(build())


@pytest.mark.parametrize(
    "query",
    ["", "region=US", "limit=5&sort=x", "cursor=c", "from=2026-01", "tag=a&tag=b", "region=%25"],
)
async def test_declared_parameters_pass_wherever_they_are_declared(
    things: httpx.AsyncClient, query: str
) -> None:
    assert (await things.get(f"/things/a?{query}")).status_code == 200


@pytest.mark.parametrize(
    ("query", "code", "named"),
    [
        ("regoin=US", "unknown_parameter", "region"),
        ("frm=2026", "unknown_parameter", "from"),
        ("first=2026", "unknown_parameter", "from"),
        ("shape=1", "unknown_parameter", "sort"),
        ("LIMIT=5", "unknown_parameter", "limit"),
        ("=US", "unknown_parameter", "''"),
        ("region=US&region=DE", "repeated_parameter", "region"),
        ("limit=1&limit=1", "repeated_parameter", "limit"),
        ("region=%00", "nul_byte", "NUL"),
        ("region=%zz", "malformed_encoding", "%25"),
        ("region=100%", "malformed_encoding", "%25"),
        ("region=%E9", "malformed_encoding", "UTF-8"),
        ("region=%ED%A0%80", "malformed_encoding", "UTF-8"),
    ],
)
async def test_a_wrong_query_is_named(
    things: httpx.AsyncClient, query: str, code: str, named: str
) -> None:
    answer = await things.get(httpx.URL("http://payband.test/things/a", query=query.encode()))
    assert answer.status_code == 422
    assert answer.json()["code"] == code
    assert named in answer.json()["detail"]


async def test_nul_in_the_path_is_refused(things: httpx.AsyncClient) -> None:
    answer = await things.get("/things/a%00b")
    assert (answer.status_code, answer.json()["code"]) == (422, "nul_byte")


async def test_a_value_that_cannot_be_parsed_names_its_parameter_and_not_the_value(
    things: httpx.AsyncClient,
) -> None:
    answer = await things.get("/things/a?limit=137137x")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["name"] == "limit"
    assert "137137" not in answer.text
