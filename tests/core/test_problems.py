"""Every error is one problem document."""

from typing import Literal

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from app.core.errors import Conflict, Unavailable, WrongSetting
from app.core.problems import add_problem_handlers
from app.core.routing import RouteTable
from tests.conftest import connect

SECRET = "secret-137137"


class Body(BaseModel):
    amount: int
    level: Literal["entry", "senior"] = "entry"


def build() -> FastAPI:
    app = FastAPI(redirect_slashes=False)

    @app.get("/things")
    async def get_things() -> None:
        raise Conflict("It runs already.", import_id=7, status=200)

    @app.post("/things")
    async def post_things(body: Body) -> int:
        return body.amount

    @app.get("/away")
    async def get_away() -> None:
        raise Unavailable("Later.", retry_after_s=3)

    @app.get("/broken")
    async def get_broken() -> None:
        raise ValueError(SECRET)

    @app.get("/misconfigured")
    async def get_misconfigured() -> None:
        raise WrongSetting(SECRET)

    add_problem_handlers(app)
    app.state.routes = RouteTable(app)
    return app


@pytest.fixture
def things() -> httpx.AsyncClient:
    return connect(build(), raises=False)


async def test_members_of_an_error_travel_and_cannot_replace_the_standard_ones(
    things: httpx.AsyncClient,
) -> None:
    answer = await things.get("/things")
    document = answer.json()
    assert (answer.status_code, document["status"], document["import_id"]) == (409, 409, 7)
    assert document["type"] == "urn:payband:problem:conflict"
    assert answer.headers["content-type"] == "application/problem+json"


async def test_unavailable_says_when_to_come_back(things: httpx.AsyncClient) -> None:
    answer = await things.get("/away")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")


@pytest.mark.parametrize("path", ["/broken", "/misconfigured"])
async def test_the_unexpected_shows_nothing_of_itself(things: httpx.AsyncClient, path: str) -> None:
    answer = await things.get(path)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert SECRET not in answer.text


async def test_the_unexpected_is_raised_again_after_it_was_rendered() -> None:
    with pytest.raises(ValueError, match=SECRET):
        await connect(build()).get("/broken")


async def test_an_unknown_path_names_the_nearest(things: httpx.AsyncClient) -> None:
    answer = await things.get("/thing")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_path")
    assert answer.json()["nearest"][0] == "/things"


async def test_a_wrong_method_names_all_that_some_route_answers(things: httpx.AsyncClient) -> None:
    answer = await things.delete("/things")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"


async def test_options_lists_the_methods(things: httpx.AsyncClient) -> None:
    answer = await things.options("/things")
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")


async def test_a_body_that_is_not_json_is_400_with_the_position(things: httpx.AsyncClient) -> None:
    answer = await things.post(
        "/things", content=b'{"amount": 1,,}', headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body")
    assert answer.json()["position"] == 13


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        ({}, "missing_value", "amount"),
        ({"amount": SECRET}, "invalid_value", "amount"),
        ({"amount": 1, "level": "seniour"}, "unknown_value", "senior"),
    ],
)
async def test_an_invalid_body_says_which_member_without_its_value(
    things: httpx.AsyncClient, body: dict[str, object], code: str, named: str
) -> None:
    answer = await things.post("/things", json=body)
    document = answer.json()
    assert (answer.status_code, document["code"]) == (422, code)
    assert named in document["detail"]
    assert SECRET not in answer.text
