"""Shorthands for tests of reading routes."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

Ask = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def ask(client: httpx.AsyncClient) -> Ask:
    """`await ask(group_by="role")`: the JSON answer of the salary statistics; 200 is asserted.

    A trailing underscore of a name is dropped (`from_`).
    """

    async def get(**parameters: Any) -> dict[str, Any]:
        named = {name.rstrip("_"): value for name, value in parameters.items()}
        response = await client.get("/v1/salaries/statistics", params=named)
        assert response.status_code == 200, response.text
        document: dict[str, Any] = response.json()
        return document

    return get


@pytest.fixture
def refuse(client: httpx.AsyncClient) -> Ask:
    """As `ask`, for what is refused: the problem document; 422 is asserted."""

    async def get(**parameters: Any) -> dict[str, Any]:
        named = {name.rstrip("_"): value for name, value in parameters.items()}
        response = await client.get("/v1/salaries/statistics", params=named)
        assert response.status_code == 422, response.text
        document: dict[str, Any] = response.json()
        return document

    return get
