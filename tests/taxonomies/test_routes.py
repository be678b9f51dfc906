"""The taxonomies over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from app.core.database import Database
from app.core.versions import read_version
from app.tables import AuditEntry, Import
from tests.conftest import HeadersFor
from tests.support.stored import (
    region_id,
    role_id,
    store_demand,
    store_salary,
    store_source,
    store_title,
)


async def _rows(client: httpx.AsyncClient, address: str) -> list[dict[str, Any]]:
    response = await client.get(address)
    assert response.status_code == 200, response.text
    rows: list[dict[str, Any]] = response.json()["data"]
    return rows


async def _codes(client: httpx.AsyncClient, address: str) -> list[str]:
    return [row["code"] for row in await _rows(client, address)]


async def _epoch(database: Database) -> int:
    async with database.read() as session:
        return (await read_version(session)).epoch


async def test_levels_come_by_rank(client: httpx.AsyncClient) -> None:
    assert await _codes(client, "/v1/levels") == [
        *("unspecified", "entry", "mid", "senior", "lead", "principal", "executive")
    ]
    first = await client.get("/v1/levels?limit=4")
    pages = [row["code"] for row in first.json()["data"]]
    pages += await _codes(client, first.links["next"]["url"])
    assert pages == await _codes(client, "/v1/levels")


async def test_pages_of_regions_join_without_gap_or_repetition(client: httpx.AsyncClient) -> None:
    found: list[str] = []
    address: str | None = "/v1/regions?parent=US&limit=13"
    while address is not None:
        response = await client.get(address)
        assert response.status_code == 200
        found += [row["code"] for row in response.json()["data"]]
        address = response.json()["meta"]["next"]
        assert ("next" in response.links) == (address is not None)
    assert found == sorted(set(found))
    assert {"US-CA", "US-NY", "US-DC"} <= set(found)
    assert "US-CA-SFO" not in found


@pytest.mark.parametrize(
    ("query", "inside", "outside"),
    [
        ("parent=US-CA", {"US-CA-SFO", "US-CA-LAX"}, {"US-CA", "US-NY-NYC"}),
        ("parent=US&kind=metro", {"US-CA-SFO", "US-NY-NYC"}, {"US-CA", "DE-BE-BER"}),
        ("kind=country", {"US", "DE"}, {"US-CA", "unspecified"}),
        ("q=san%20fran", {"US-CA-SFO"}, {"US-CA"}),
        ("q=41860", {"US-CA-SFO"}, {"US-CA-LAX"}),
        ("q=SAO%20PAULO", {"BR-SP"}, {"BR"}),
    ],
)
async def test_regions_are_filtered(
    client: httpx.AsyncClient, query: str, inside: set[str], outside: set[str]
) -> None:
    found = set(await _codes(client, f"/v1/regions?{query}"))
    assert inside <= found
    assert not outside & found


async def test_a_region_names_what_it_lies_in(client: httpx.AsyncClient) -> None:
    (row,) = await _rows(client, "/v1/regions/US-CA-SFO")
    assert (row["name"], row["kind"], row["cbsa"]) == ("San Francisco", "metro", "41860")
    assert (row["parent"], row["parent_name"], row["country"]) == ("US-CA", "California", "US")


async def test_roles_are_filtered_by_family_and_text(client: httpx.AsyncClient) -> None:
    assert await _codes(client, "/v1/roles?q=django") == ["django-developer"]
    families = {row["family"] for row in await _rows(client, "/v1/roles?family=software,data")}
    assert families == {"software", "data"}
    assert "software-developer" in await _codes(client, "/v1/roles?q=15-1252")


@pytest.mark.parametrize(
    ("address", "code", "near"),
    [
        ("/v1/roles?family=softwar", "unknown_family", "software"),
        ("/v1/regions?kind=metros", "unknown_kind", "metro"),
        ("/v1/regions?parent=US-CX", "unknown_region", "US-CA"),
        ("/v1/salaries/statistics?level=junior", "unknown_level", "entry"),
        ("/v1/salaries/statistics?level=Jr.", "unknown_level", "entry"),
        ("/v1/salaries/statistics?region=Silicon+Valley", "unknown_region", "US-CA-SJC"),
    ],
)
async def test_unknown_values_name_the_nearest(
    client: httpx.AsyncClient, address: str, code: str, near: str
) -> None:
    response = await client.get(address)
    assert response.status_code == 422
    assert response.json()["code"] == code
    assert near in response.json()["nearest"]


async def test_an_alias_as_a_filter_names_its_code_only(client: httpx.AsyncClient) -> None:
    problem = (await client.get("/v1/salaries/statistics?level=junior")).json()
    assert problem["nearest"] == ["entry"]
    assert "'junior' is not known. It is an alias of entry" in problem["detail"]


async def test_errors_about_regions_name_the_parameter(client: httpx.AsyncClient) -> None:
    problem = (await client.get("/v1/regions?parent=XX")).json()
    assert problem["parameter"] == "parent"
    assert problem["detail"].startswith("parent 'XX'")
    problem = (await client.get("/v1/regions?kind=planet")).json()
    assert problem["parameter"] == "kind"
    assert sorted(problem["nearest"]) == ["country", "metro", "subdivision"]


@pytest.mark.parametrize("path", ["roles", "levels", "regions", "industries", "sources"])
async def test_an_unknown_address_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(f"/v1/{path}/no-such-thing")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("cursor", ["", "abc", "!!!!", "Zm9v", "\u00e9", "A" * 1_999])
async def test_a_bad_cursor_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    response = await client.get("/v1/roles", params={"cursor": cursor})
    assert response.status_code == 422
    assert response.json()["code"] == "invalid_cursor"


async def test_a_cursor_of_another_question_is_refused(client: httpx.AsyncClient) -> None:
    following = (await client.get("/v1/roles?family=software&limit=1")).json()["meta"]["next"]
    assert (await client.get(following)).status_code == 200
    response = await client.get(following.replace("software", "data"))
    assert response.json()["code"] == "invalid_cursor"


async def test_other_formats_hold_the_same_rows(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/industries?format=csv&limit=3")
    assert response.text.splitlines()[0] == "code,name,naics,aliases"
    assert len(response.text.splitlines()) == 4
    assert 'rel="next"' in response.headers["link"]


async def test_a_title_is_explained(client: httpx.AsyncClient) -> None:
    (row,) = await _rows(client, "/v1/titles/match?title=Sr. Django Engineer")
    assert (row["role"], row["role_name"]) == ("django-developer", "Django Developer")
    assert (row["level"], row["level_name"]) == ("senior", "Senior")
    assert 0.5 < row["confidence"] <= 1
    assert "django engineer" in row["why"]
    (row,) = await _rows(client, "/v1/titles/match?title=Lead Django Developer")
    assert (row["level"], row["focus_area"], row["method"]) == ("lead", "Team Leadership", "exact")


@pytest.mark.parametrize(
    ("written", "code"),
    [
        *(("San Francisco, CA", "US-CA-SFO"), ("41860", "US-CA-SFO"), ("USA", "US")),
        *(("Germany", "DE"), ("US-NY", "US-NY"), ("Xyzzyville", None)),
    ],
)
async def test_regions_are_matched(
    client: httpx.AsyncClient, written: str, code: str | None
) -> None:
    for name in ("region", "q"):
        response = await client.get("/v1/regions/match", params={name: written})
        (row,) = response.json()["data"]
        assert row["region"] == code
        assert row["why"]


async def test_matching_needs_a_text(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/regions/match")).status_code == 422
    assert (await client.get("/v1/titles/match")).status_code == 422


async def test_unmatched_titles_come_most_records_first(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, database: Database
) -> None:
    async with database.write() as session:
        public = await store_source(session, "acme")
        secret = await store_source(session, "secret", confidential=True)
        keeper = await store_title(session, "Beekeeper")
        rare = await store_title(session, "=Beekeeper()")
        hidden = await store_title(session, "Secret Beekeeper")
        for _ in range(2):
            await store_salary(session, public, title_id=keeper)
        await store_demand(session, public, title_id=keeper)
        await store_salary(session, public, title_id=rare)
        await store_salary(session, secret, title_id=hidden)
        role = await role_id(session, "data-engineer")
        await store_salary(session, public, title_id=hidden, role_id=role, role_stated=True)
    listed = [(row["title"], row["records"]) for row in await _rows(client, "/v1/titles/unmatched")]
    assert listed == [("Beekeeper", 3), ("=Beekeeper()", 1)]
    everything = [row["title"] for row in await _rows(admin, "/v1/titles/unmatched")]
    assert sorted(everything) == ["=Beekeeper()", "Beekeeper", "Secret Beekeeper"]
    first = await client.get("/v1/titles/unmatched?limit=1")
    following = await client.get(first.links["next"]["url"])
    assert [row["title"] for row in following.json()["data"]] == ["=Beekeeper()"]
    assert "next" not in following.links
    assert "'=Beekeeper()" in (await client.get("/v1/titles/unmatched?format=csv")).text


async def test_new_aliases_say_what_they_would_move(
    admin: httpx.AsyncClient, database: Database
) -> None:
    async with database.write() as session:
        await store_title(session, "Senior Beekeeper")
        await store_title(session, "Beekeeper")
        await store_title(session, "Plumber")
    before = await _epoch(database)
    response = await admin.post("/v1/titles", json={"title": "Beekeeper", "role": "data-engineer"})
    assert response.status_code == 201, response.text
    assert response.json()["meta"]["added"] == 1
    assert response.json()["meta"]["titles_to_rematch"] == 2
    assert await _epoch(database) == before + 1
    (row,) = await _rows(admin, "/v1/titles/match?title=Sr Beekeeper")
    assert (row["role"], row["level"]) == ("data-engineer", "senior")


async def test_an_alias_is_not_changed_by_accident(admin: httpx.AsyncClient) -> None:
    alias = {"title": "Beekeeper", "role": "data-engineer"}
    assert (await admin.post("/v1/titles", json=[alias])).status_code == 201
    again = await admin.post("/v1/titles", json=alias)
    assert again.json()["meta"]["unchanged"] == 1
    other = {**alias, "title": " BEEKEEPER", "role": "data-analyst"}
    refused = await admin.post("/v1/titles", json=other)
    assert refused.status_code == 409
    assert "data-engineer" in refused.json()["detail"]
    changed = await admin.post("/v1/titles", json={**other, "replace": True})
    assert changed.json()["meta"]["changed"] == 1
    assert (await admin.post("/v1/titles", json=[alias, other])).json()["code"] == "duplicate_title"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"title": "Beekeeper", "role": "data-enginer"}, "unknown_role"),
        ({"title": "Beekeeper", "role": "unspecified"}, "unknown_role"),
        ({"title": "Beekeeper", "role": "data-engineer", "level": "snior"}, "unknown_level"),
        ({"title": "", "role": "data-engineer"}, "invalid_value"),
        ({"title": "a\0b", "role": "data-engineer"}, "invalid_value"),
        ({"role": "data-engineer"}, "missing_value"),
        ([], "invalid_value"),
        ("Beekeeper", "invalid_value"),
    ],
)
async def test_aliases_that_cannot_be_are_refused(
    admin: httpx.AsyncClient, body: Any, code: str
) -> None:
    response = await admin.post("/v1/titles", json=body)
    assert response.status_code == 422
    assert response.json()["code"] == code


NEW = [
    ("levels", {"code": "staff-x", "name": "Staff X", "rank": 77, "aliases": ["sx"]}),
    ("roles", {"code": "beekeeper", "name": "Beekeeper", "family": "animals", "soc": "45-2093"}),
    ("industries", {"code": "apiculture", "name": "Apiculture", "naics": "112910"}),
    (
        "regions",
        {"code": "US-CA-BEE", "name": "Bee City", "kind": "metro", "parent": "US-CA"},
    ),
    ("sources", {"code": "bee-survey", "name": "Bee survey", "kind": "reported"}),
]


@pytest.mark.parametrize(("path", "body"), NEW)
async def test_a_member_is_added_once_and_replaced(
    admin: httpx.AsyncClient, database: Database, path: str, body: dict[str, Any]
) -> None:
    before = await _epoch(database)
    added = await admin.post(f"/v1/{path}", json=body)
    assert added.status_code == 201, added.text
    (row,) = added.json()["data"]
    assert {name: row[name] for name in body} == body
    assert (await admin.post(f"/v1/{path}", json=body)).status_code == 409
    fields = {name: value for name, value in body.items() if name not in {"code", "kind"}}
    if path == "sources":
        fields["kind"] = "posted"
    changed = await admin.put(f"/v1/{path}/{body['code']}", json={**fields, "name": "Other name"})
    assert changed.status_code == 200, changed.text
    (row,) = await _rows(admin, f"/v1/{path}/{body['code']}")
    assert row["name"] == "Other name"
    assert body["code"] in await _codes(admin, f"/v1/{path}?limit=10000")
    assert await _epoch(database) == before + 2
    async with database.read() as session:
        columns = (AuditEntry.action, AuditEntry.details)
        found = await session.execute(select(*columns).order_by(AuditEntry.id))
        trail = [tuple(row) for row in found]
    kind = {"industries": "industry"}.get(path, path[:-1])
    assert trail[1:] == [(f"{kind}.{act}", {"code": body["code"]}) for act in ("create", "update")]


@pytest.mark.parametrize(("path", "body"), NEW)
async def test_a_put_that_changes_nothing_advances_nothing(
    admin: httpx.AsyncClient, database: Database, path: str, body: dict[str, Any]
) -> None:
    await admin.post(f"/v1/{path}", json=body)
    before = await _epoch(database)
    fields = {name: value for name, value in body.items() if name not in {"code", "kind"}}
    if path == "sources":
        fields["kind"] = body["kind"]
    address = f"/v1/{path}/{body['code']}"
    first = await admin.put(address, json=fields)
    assert first.status_code == 200, first.text
    assert await _epoch(database) == before
    async with database.read() as session:
        actions = list(await session.scalars(select(AuditEntry.action)))
    assert not [action for action in actions if action.endswith(".update")]
    changed = await admin.put(address, json={**fields, "name": "Other name"})
    assert changed.json()["data"][0]["name"] == "Other name"
    assert await _epoch(database) == before + 1


async def test_titles_that_mean_what_they_did_advance_nothing(
    admin: httpx.AsyncClient, database: Database
) -> None:
    body = {"title": "Hive Keeper", "role": "django-developer"}
    before = await _epoch(database)
    counts = [(await admin.post("/v1/titles", json=body)).json()["meta"] for _ in range(2)]
    assert [meta["unchanged"] for meta in counts] == [0, 1]
    assert await _epoch(database) == before + 1


async def test_a_put_compares_lists_facts_and_parents(
    admin: httpx.AsyncClient, database: Database
) -> None:
    """What is more than a word: the same again is no change, one part of it is."""
    facts = {"years": {"low": 2, "high": 5}, "skills": ["Python"]}
    await admin.post("/v1/roles", json={"code": "beekeeper", "name": "Beekeeper", "facts": facts})
    bees = {"code": "US-CA-BEE", "name": "Bee City", "kind": "metro", "parent": "US-CA"}
    await admin.post("/v1/regions", json={**bees, "aliases": ["Hive", "Comb"]})
    fields = {"name": "Bee City", "parent": "US-CA", "aliases": ["Hive", "Comb"]}
    steps: list[tuple[str, dict[str, Any], int]] = [
        ("roles/beekeeper", {"name": "Beekeeper", "facts": facts}, 0),
        ("roles/beekeeper", {"name": "Beekeeper", "facts": {**facts, "skills": []}}, 1),
        ("regions/US-CA-BEE", fields, 0),
        ("regions/US-CA-BEE", {**fields, "aliases": ["Hive"]}, 1),
        ("regions/US-CA-BEE", {**fields, "aliases": ["Hive"], "parent": "US"}, 1),
    ]
    for address, body, advanced in steps:
        before = await _epoch(database)
        response = await admin.put(f"/v1/{address}", json=body)
        assert response.status_code == 200, response.text
        assert await _epoch(database) == before + advanced, (address, body)
    (row,) = await _rows(admin, "/v1/regions/US-CA-BEE")
    assert (row["parent"], row["subdivision"]) == ("US", None)


@pytest.mark.parametrize(("path", "body"), NEW)
async def test_changes_need_the_scope(
    client: httpx.AsyncClient, headers_for: HeadersFor, path: str, body: dict[str, Any]
) -> None:
    assert (await client.post(f"/v1/{path}", json=body)).status_code == 401
    reader = await headers_for("records:write")
    assert (await client.post(f"/v1/{path}", json=body, headers=reader)).status_code == 403
    editor = await headers_for("taxonomy:write")
    assert (await client.post(f"/v1/{path}", json=body, headers=editor)).status_code == 201


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("levels", {"code": "Staff", "name": "S", "rank": 9}, 422, "invalid_value"),
        ("levels", {"code": "staff", "name": "S", "rank": 3}, 409, "rank_taken"),
        ("levels", {"code": "x", "name": "X", "rank": 77, "aliases": ["SR."]}, 409, "alias_taken"),
        ("roles", {"code": "x", "name": "X", "soc": "151252"}, 422, "invalid_value"),
        ("roles", {"code": "x", "name": "django  DEVELOPER"}, 409, "name_taken"),
        ("roles", {"code": "x", "name": "X", "colour": "red"}, 422, "unknown_parameter"),
        ("industries", {"code": "x", "name": "Fintech"}, 409, "alias_taken"),
        ("sources", {"code": "x", "name": "X", "kind": "rumour"}, 422, "unknown_value"),
    ],
)
async def test_members_that_cannot_be_are_refused(
    admin: httpx.AsyncClient, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    response = await admin.post(f"/v1/{path}", json=body)
    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"code": "US-CA-ABCDEF"}, 422, "invalid_value"),
        ({"code": "US-NY-BEE"}, 422, "invalid_code"),
        ({"parent": None}, 422, "invalid_parent"),
        ({"parent": "US-CA-SFO"}, 422, "invalid_parent"),
        ({"parent": "US-CX"}, 422, "unknown_region"),
        ({"cbsa": "41860"}, 409, "alias_taken"),
        ({"aliases": ["Bay Area"]}, 409, "alias_taken"),
        ({"alpha3": "BEE"}, 422, "invalid_value"),
        ({"kind": "country", "code": "XB"}, 422, "invalid_parent"),
    ],
)
async def test_regions_that_cannot_be_are_refused(
    admin: httpx.AsyncClient, change: dict[str, Any], status: int, code: str
) -> None:
    body = {"code": "US-CA-BEE", "name": "Bee City", "kind": "metro", "parent": "US-CA", **change}
    response = await admin.post("/v1/regions", json=body)
    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_a_region_moves_with_all_that_lies_in_it(admin: httpx.AsyncClient) -> None:
    for code, parent, kind in (
        ("US-XA", "US", "subdivision"),
        ("US-XB", "US", "subdivision"),
        ("US-XC", "US-XA", "subdivision"),
        ("US-XC-BEE", "US-XC", "metro"),
    ):
        body = {"code": code, "name": code, "kind": kind, "parent": parent}
        assert (await admin.post("/v1/regions", json=body)).status_code == 201
    assert await _codes(admin, "/v1/regions?parent=US-XA&kind=metro") == ["US-XC-BEE"]
    moved = await admin.put("/v1/regions/US-XC", json={"name": "C", "parent": "US-XB"})
    assert moved.status_code == 200, moved.text
    assert await _codes(admin, "/v1/regions?parent=US-XA&kind=metro") == []
    assert await _codes(admin, "/v1/regions?parent=US-XB&kind=metro") == ["US-XC-BEE"]
    circle = await admin.put("/v1/regions/US-XB", json={"name": "B", "parent": "US-XC"})
    assert circle.json()["code"] == "invalid_parent"
    abroad = await admin.put("/v1/regions/US-XB", json={"name": "B", "parent": "DE"})
    assert abroad.json()["code"] == "invalid_code"


async def test_unspecified_stays(admin: httpx.AsyncClient) -> None:
    response = await admin.put("/v1/roles/unspecified", json={"name": "Nobody"})
    assert response.status_code == 409


async def test_sources_say_what_they_hold(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, database: Database
) -> None:
    async with database.write() as session:
        public = await store_source(session, "acme")
        secret = await store_source(session, "secret", confidential=True)
        region = await region_id(session, "US")
        await store_salary(session, public, region_id=region)
        await store_demand(session, public, region_id=region)
        await store_salary(session, secret, region_id=region)
    rows = {row["code"]: row for row in await _rows(client, "/v1/sources")}
    assert "secret" not in rows
    assert (rows["acme"]["records"], rows["acme"]["newest_on"]) == (2, "2026-03-02")
    assert rows["published-guide"]["benchmarks"] == 4
    assert (await client.get("/v1/sources/secret")).status_code == 404
    near = (await client.get("/v1/sources/secre")).json()["nearest"]
    assert "secret" not in near
    everything = {row["code"]: row for row in await _rows(admin, "/v1/sources")}
    assert everything["secret"]["records"] == 1


async def test_a_source_with_records_keeps_its_confidentiality(
    admin: httpx.AsyncClient, database: Database
) -> None:
    async with database.write() as session:
        source = await store_source(session, "acme")
    fields = {"name": "Acme", "kind": "reported"}
    secret = {**fields, "confidential": True}
    assert (await admin.put("/v1/sources/acme", json=secret)).status_code == 200
    assert (await admin.put("/v1/sources/acme", json=fields)).status_code == 200
    async with database.write() as session:
        await store_salary(session, source)
    refused = await admin.put("/v1/sources/acme", json=secret)
    assert (refused.status_code, refused.json()["code"]) == (409, "source_not_empty")
    renamed = await admin.put("/v1/sources/acme", json={**fields, "name": "Acme Ltd"})
    assert renamed.status_code == 200


async def test_a_source_that_is_being_imported_keeps_its_confidentiality(
    admin: httpx.AsyncClient, database: Database
) -> None:
    async with database.write() as session:
        source = await store_source(session, "acme")
        running = Import(kind=1, source_id=source, state="running", report={})
        session.add(running)
    secret = {"name": "Acme", "kind": "reported", "confidential": True}
    assert (await admin.put("/v1/sources/acme", json=secret)).status_code == 409
    async with database.write() as session:
        silent = datetime.now(UTC) - timedelta(hours=1)
        await session.execute(update(Import).values(updated_at=silent))
    assert (await admin.put("/v1/sources/acme", json=secret)).status_code == 200
