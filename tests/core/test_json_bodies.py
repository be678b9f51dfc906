"""The media type of JSON bodies, at every route that takes one."""

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

LEVEL: dict[str, Any] = {"code": "beekeeping", "name": "Beekeeping", "rank": 77}


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "text/csv", "application/x-www-form-urlencoded", "json", "", "a;"],
)
async def test_another_type_is_refused_naming_the_right_one(
    admin: httpx.AsyncClient, application: FastAPI, content_type: str
) -> None:
    tried = 0
    for entry in application.state.routes.entries:
        for method in entry.methods if entry.takes_json else ():
            response = await admin.request(
                method,
                entry.template.replace("{code}", "django-developer"),
                content=json.dumps(LEVEL),
                headers={"Content-Type": content_type},
            )
            problem = response.json()
            assert (response.status_code, problem["code"]) == (415, "unsupported_type"), problem
            assert "application/json" in problem["detail"]
            tried += 1
    assert tried == 14  # five taxonomies twice, titles, profiles, ranks, releases


async def test_a_body_without_a_type_is_refused(admin: httpx.AsyncClient) -> None:
    response = await admin.post("/v1/levels", content=json.dumps(LEVEL))
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_type")
    assert "application/json" in response.json()["detail"]


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "application/a+json"]
)
async def test_json_types_are_taken(admin: httpx.AsyncClient, content_type: str) -> None:
    response = await admin.post(
        "/v1/levels", content=json.dumps(LEVEL), headers={"Content-Type": content_type}
    )
    assert response.status_code == 201, response.text


async def test_no_body_at_all_is_a_missing_value(admin: httpx.AsyncClient) -> None:
    response = await admin.post("/v1/levels")
    assert (response.status_code, response.json()["code"]) == (422, "missing_value")
