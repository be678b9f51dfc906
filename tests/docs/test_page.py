"""/docs works without any other host."""

import re

import httpx
import pytest

ADDRESS = re.compile(r"""(?:src|href)="([^"]+)\"""")


async def test_the_page_loads_everything_from_here(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    addresses = [found for found in ADDRESS.findall(page.text) if not found.startswith("data:")]
    assert len(addresses) == 4
    for address in addresses:
        assert "//" not in address
        assert (await client.get(f"/{address}")).status_code == 200


async def test_the_script_asks_for_the_document_and_for_no_validator(
    client: httpx.AsyncClient,
) -> None:
    script = (await client.get("/docs/start.js")).text
    assert 'url: "openapi.json"' in script
    assert "validatorUrl: null" in script
    assert "http" not in script


@pytest.mark.parametrize("name", ["swagger-ui.css", "swagger-ui-bundle.js", "start.js"])
async def test_files_are_not_sent_twice(client: httpx.AsyncClient, name: str) -> None:
    first = await client.get(f"/docs/{name}")
    again = await client.get(f"/docs/{name}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "max-age" in first.headers["cache-control"]


@pytest.mark.parametrize("name", ["page.html", "routes.py", "..%2Fpage.html", "favicon.png"])
async def test_no_other_file_is_served(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/docs/{name}")).status_code == 404


async def test_the_front_door_leads_to_the_page(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "docs")
