"""Questions to a reading route: a test says which, and gets the document."""

from typing import Any

import httpx


async def ask(client: httpx.AsyncClient, path: str, **parameters: Any) -> dict[str, Any]:
    """The JSON answer; 200 is asserted. A trailing underscore of a name is dropped (`from_`)."""
    return await _document(client, path, 200, parameters)


async def refuse(client: httpx.AsyncClient, path: str, **parameters: Any) -> dict[str, Any]:
    """As `ask`, for what is refused: the problem document; 422 is asserted."""
    return await _document(client, path, 422, parameters)


async def _document(
    client: httpx.AsyncClient, path: str, status: int, parameters: dict[str, Any]
) -> dict[str, Any]:
    named = {name.rstrip("_"): value for name, value in parameters.items()}
    response = await client.get(path, params=named)
    assert response.status_code == status, response.text
    document: dict[str, Any] = response.json()
    return document
