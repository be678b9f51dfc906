"""GET and POST /v1/releases, and `payband release`."""

import asyncio
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

import app.cli
from app.core.database import Database
from app.core.routing import RouteTable
from app.main import create_app
from app.settings import Settings
from tests.conftest import HeadersFor
from tests.releases.conftest import MakeRelease, staff
from tests.support.builders import add_records, add_sources


@pytest.fixture(autouse=True)
async def records(database: Database) -> None:
    await add_sources(database, club={"confidential": True}, guild={"confidential": True}, open={})
    few = staff(3, level="principal", on="2025-05")
    more = staff(30, level="lead", on="2025-05")
    await add_records(database, *staff(40, on="2025-05"), *more, *few)


async def test_made_by_an_administrator_and_answered_from(
    admin: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    """In a process of its own, as the service does it."""
    dry = await admin.post("/v1/releases", json={"dry_run": True})
    assert dry.status_code == 200, dry.text
    planned = dry.json()
    assert (planned["id"], planned["made_at"], planned["dry_run"]) == (None, None, True)
    assert {"records", "employers", "why", "level"} <= set(planned["hidden"][0])
    assert len(planned["hidden"]) == planned["summary"]["hidden"]
    assert (await client.get("/v1/releases")).json()["data"] == []

    answer = await admin.post("/v1/releases", json={})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["source"], made["hidden"]) == (None, [])
    assert made["figures"] == planned["figures"] > 0

    listed = (await client.get("/v1/releases")).json()
    named = ("id", "source", "made_at", "through", "figures", "base_currency")
    assert listed["data"] == [{**{name: made[name] for name in named}, **made["policy"]}]
    asked = {"population": "released", "group_by": "none", "measures": "count"}
    found = (await client.get("/v1/salaries/statistics", params=asked)).json()
    assert found["data"] == [{"count": 75, "status": "ok"}]
    assert found["meta"]["release"]["id"] == made["id"]


async def test_what_is_refused(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, headers_for: HeadersFor
) -> None:
    assert (await client.post("/v1/releases", json={})).status_code == 401
    writer = await headers_for("records:write", "taxonomy:write")
    assert (await client.post("/v1/releases", json={}, headers=writer)).status_code == 403
    wrong: list[Any] = [{"sauce": "club"}, {"source": ""}, {"dry_run": 7}, []]
    for body in wrong:
        assert (await admin.post("/v1/releases", json=body)).status_code == 422, body
    unknown = await admin.post("/v1/releases", json={"source": "nobody"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_source")


async def test_the_list_tells_nothing_about_a_source_without_figures(
    database: Database, make: MakeRelease, client: httpx.AsyncClient
) -> None:
    await add_records(database, *staff(40, source="open"))
    await make("guild")
    asked = {"population": "released", "group_by": "none"}
    found = (await client.get("/v1/salaries/statistics", params=asked)).json()
    assert found["meta"]["release"]["source"] is None
    await make("club")
    await make("open")
    listed = (await client.get("/v1/releases")).json()["data"]
    assert [(row["source"], row["figures"] > 0) for row in listed] == [
        ("open", True),
        ("club", True),
        (None, False),
    ]
    page = (await client.get("/v1/releases", params={"limit": 2})).json()
    rest = (await client.get(page["meta"]["next"])).json()
    assert [row["id"] for row in page["data"] + rest["data"]] == [row["id"] for row in listed]


async def test_status_shows_the_policy(client: httpx.AsyncClient, settings: Settings) -> None:
    status = (await client.get("/v1/status")).json()
    assert status["policy"]["release"] == settings.release_policy
    assert status["policy"]["release"]["min_employers"] == 5


def test_no_route_changes_a_release() -> None:
    table: RouteTable = create_app(Settings(), "").state.routes
    methods = {m for e in table.entries if "/releases" in e.template for m in e.methods}
    assert methods == {"GET", "POST"}


async def test_it_stays_when_the_records_go(
    make: MakeRelease, admin: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    await make()
    asked = {"population": "released", "source": "club", "group_by": "role"}
    before = (await client.get("/v1/salaries/statistics", params=asked)).json()["data"]
    assert before
    gone = await admin.delete("/v1/salaries/records?source=club&from=2020&to=2026")
    assert gone.status_code == 200, gone.text
    after = (await client.get("/v1/salaries/statistics", params=asked)).json()["data"]
    assert after == before


async def test_the_command(
    database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYBAND_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "160")

    def run(*words: str) -> Any:
        return CliRunner().invoke(app.cli.cli, ["release", *words])

    helped = await asyncio.to_thread(run, "--help")
    assert "Example: " in helped.stdout
    dry = await asyncio.to_thread(run, "--dry-run", "--limit", "3")
    assert dry.exit_code == 0, dry.output
    assert "dry run, nothing written: all confidential sources" in dry.stdout
    assert "few records" in dry.stdout
    assert "part_of_a_line" in dry.stdout
    assert "more; --limit shows them" in dry.stdout
    made = await asyncio.to_thread(run, "--source", "club")
    assert made.exit_code == 0, made.output
    assert "figures" in made.stdout
    assert "part_of_a_line" not in made.stdout
    unknown = await asyncio.to_thread(run, "--source", "nobody")
    assert "nobody" in str(unknown.exception)
