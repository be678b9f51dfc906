"""Kept answers over HTTP: who gets which, and when they end."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text

from app.core.database import Database, ReadSession
from app.core.errors import Unavailable
from app.core.responses import entry
from app.core.responses.answering import Responses
from app.core.versions import advance_epoch, advance_roles
from app.settings import MEGABYTE, Settings
from app.tables import Role
from tests.conftest import HeadersFor, connect
from tests.support.builders import add_records, add_sources, demand, salary

PATH = "/v1/demand/statistics"
PAY = "/v1/salaries/statistics"
LISTS = ("/v1/roles", "/v1/regions?kind=country", "/v1/levels", "/v1/industries", "/v1/benchmarks")

Away = Callable[[], None]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, cache_bytes=8 * MEGABYTE)


@pytest.fixture
def responses(application: FastAPI) -> Responses:
    found: Responses = application.state.services.responses
    return found


@pytest.fixture
def away(application: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Away:
    """Call it, and the database is away: for this process, not for the test."""

    def leave() -> None:
        services = application.state.services

        def refuse() -> Any:
            raise Unavailable("away", code="database_unavailable")

        async def refuse_to_confirm() -> None:
            refuse()

        for name in ("read", "heavy_read", "write"):
            monkeypatch.setattr(services.database, name, refuse)
        monkeypatch.setattr(services.freshness, "is_current", lambda: False)
        monkeypatch.setattr(services.freshness, "confirm", refuse_to_confirm)

    return leave


@pytest.fixture
def settle(application: FastAPI) -> Callable[[], Awaitable[None]]:
    """What was committed is known to the application."""
    confirm: Callable[[], Awaitable[None]] = application.state.services.freshness.confirm
    return confirm


async def ask(client: httpx.AsyncClient, path: str = PATH, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.get(path, headers={"accept-encoding": "identity", **named})


async def write_about(database: Database, code: str) -> None:
    """A committed write about one role."""
    async with database.write() as session:
        role_id = await session.scalar(select(Role.id).where(Role.code == code))
        assert role_id is not None
        await advance_roles(session, [role_id])


def state_of(answer: httpx.Response) -> str:
    return answer.headers["cache-status"].removeprefix("payband; ")


async def test_the_second_answer_is_the_first_without_the_database(
    application: FastAPI,
    client: httpx.AsyncClient,
    database: Database,
    responses: Responses,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await add_records(database, demand())
    first = await ask(client)
    assert state_of(first) == "fwd=miss; stored"
    for name in ("read", "heavy_read", "write"):
        monkeypatch.setattr(application.state.services.database, name, None)
    assert first.headers["cache-control"].startswith("no-cache, stale-if-error=")
    assert first.headers["vary"] == "Accept, Accept-Encoding"
    again = await ask(client, x_request_id="mine-7")
    assert (state_of(again), again.content) == ("hit", first.content)
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["x-request-id"] == "mine-7"
    assert again.headers["x-content-type-options"] == "nosniff"
    other = await ask(client, x_request_id="two words")
    assert other.headers["x-request-id"] not in ("two words", "")
    assert (responses.counts.hit, responses.counts.miss) == (2, 1)


@pytest.mark.parametrize(
    "spelling",
    [
        "level=mid,senior&group_by=region",
        "group_by=region&level=senior,mid",
        "level=mid%2Csenior",
        "level=mid,senior,mid&limit=1000",
        "level=senior%2cmid&format=json",
    ],
)
async def test_questions_that_mean_the_same_are_one_entry(
    client: httpx.AsyncClient, responses: Responses, spelling: str
) -> None:
    first = await ask(client, f"{PATH}?level=mid,senior")
    answer = await ask(client, f"{PATH}?{spelling}")
    assert (state_of(answer), answer.content) == ("hit", first.content)
    assert len(responses.store.slots) == 1


@pytest.mark.parametrize(
    "other",
    [
        "level=mid",
        "level=mid,senior&measure=new",
        "level=mid,senior&last=12m",
        "level=mid,senior&format=csv",
    ],
)
async def test_other_questions_are_other_entries(client: httpx.AsyncClient, other: str) -> None:
    first = await ask(client, f"{PATH}?level=mid,senior")
    answer = await ask(client, f"{PATH}?{other}")
    assert state_of(answer) == "fwd=miss; stored"
    assert answer.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("path", LISTS)
async def test_lists_are_kept_until_the_epoch_advances(
    client: httpx.AsyncClient, database: Database, settle: Any, path: str
) -> None:
    first = await ask(client, path)
    await write_about(database, "django-developer")
    await settle()
    assert state_of(await ask(client, path)) == "hit"
    async with database.write() as session:
        await advance_epoch(session)
    await settle()
    after = await ask(client, path)
    assert (state_of(after), after.json()["data"]) == ("fwd=stale; stored", first.json()["data"])
    assert after.headers["etag"] != first.headers["etag"]


async def test_what_is_known_already_is_304(
    client: httpx.AsyncClient, responses: Responses
) -> None:
    tag = (await ask(client)).headers["etag"]
    for sent in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        answer = await ask(client, if_none_match=sent)
        assert (answer.status_code, answer.content) == (304, b""), sent
        assert answer.headers["etag"] == tag
        assert {"vary", "cache-control", "x-request-id"} <= set(answer.headers)
    assert responses.counts.not_modified == 4
    assert (await ask(client, if_none_match='"other"')).status_code == 200


async def test_304_needs_no_entry_only_the_version(
    application: FastAPI,
    client: httpx.AsyncClient,
    database: Database,
    responses: Responses,
    settle: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = f"{PATH}?role=django-developer"
    tag = (await ask(client, path)).headers["etag"]
    responses.store.clear()
    await settle()
    monkeypatch.setattr(application.state.services.database, "heavy_read", None)
    answer = await ask(client, path, if_none_match=tag)
    assert (answer.status_code, state_of(answer)) == (304, "hit; detail=version")


async def test_a_tag_belongs_to_one_format_and_one_coding(
    client: httpx.AsyncClient, database: Database
) -> None:
    await add_records(database, *(demand(region=region) for region in ("US", "DE", "FR", "US-CA")))
    seen = {}
    for accept in ("application/json", "text/csv", "application/x-ndjson"):
        for coding in ("identity", "gzip"):
            answer = await ask(client, accept=accept, accept_encoding=coding)
            again = await ask(client, accept=accept, accept_encoding=coding)
            assert (state_of(again), again.content) == ("hit", answer.content)
            seen[accept, answer.headers.get("content-encoding")] = answer.headers["etag"]
    assert len(set(seen.values())) == len(seen) >= 4
    tag = seen["application/json", "gzip"]
    assert (await ask(client, if_none_match=tag)).status_code == 200
    assert (await ask(client, if_none_match=tag, accept_encoding="gzip")).status_code == 304


async def test_gzip_is_made_once_and_only_for_who_takes_it(
    client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    await add_records(database, *(demand(region=region) for region in ("US", "DE", "FR", "US-CA")))
    compress = entry.compress

    def counted(body: bytes) -> bytes:
        made.append(1)
        return compress(body)

    monkeypatch.setattr(entry, "compress", counted)
    plain = await ask(client)
    assert len(plain.content) > entry.GZIP_FROM
    for _ in range(3):
        async with client.stream("GET", PATH, headers={"accept-encoding": "br, GZIP;q=0.5"}) as got:
            raw = b"".join([part async for part in got.aiter_raw()])
        assert gzip.decompress(raw) == plain.content
        assert got.headers["content-length"] == str(len(raw))
    assert made == [1]
    refused = await ask(client, accept_encoding="gzip;q=0, *")
    assert "content-encoding" not in refused.headers


async def test_head_is_the_headers_of_get(client: httpx.AsyncClient) -> None:
    plain = {"accept-encoding": "identity"}
    for _ in range(2):
        head = await client.head(PATH, headers=plain)
        got = await client.get(PATH, headers=plain)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("etag", "content-length", "content-type"):
            assert head.headers[name] == got.headers[name]
    unchanged = await client.head(PATH, headers={**plain, "if-none-match": head.headers["etag"]})
    assert unchanged.status_code == 304


async def test_a_write_about_one_role_leaves_the_answers_about_another(
    client: httpx.AsyncClient, database: Database, settle: Any
) -> None:
    paths = {code: f"{PATH}?role={code}" for code in ("django-developer", "data-engineer")}
    tags = {code: (await ask(client, path)).headers["etag"] for code, path in paths.items()}
    every = await ask(client)
    await write_about(database, "django-developer")
    await settle()
    assert state_of(await ask(client, paths["data-engineer"])) == "hit"
    renewed = await ask(client, paths["django-developer"], if_none_match=tags["django-developer"])
    assert (renewed.status_code, state_of(renewed)) == (200, "fwd=stale; stored")
    assert (await ask(client)).headers["etag"] != every.headers["etag"]


async def test_an_answer_is_of_the_data_after_a_write(
    client: httpx.AsyncClient, database: Database, settle: Any
) -> None:
    assert (await ask(client)).json()["meta"]["records"] == 0
    await add_records(database, demand(), demand())
    await settle()
    assert (await ask(client)).json()["meta"]["records"] == 2


async def test_stale_only_while_the_database_is_away(
    application: FastAPI, client: httpx.AsyncClient, away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await ask(client)
    away()
    stale = await ask(client)
    assert (stale.status_code, stale.content) == (200, kept.content)
    assert state_of(stale).startswith("hit; ttl=-")
    assert state_of(stale).endswith("detail=stale")
    assert stale.headers["age"].isdigit()
    assert (await ask(client, if_none_match=kept.headers["etag"])).status_code == 304
    other = await ask(client, f"{PATH}?level=mid")
    assert (other.status_code, other.json()["code"]) == (503, "database_unavailable")
    assert "cache-status" not in other.headers
    monkeypatch.undo()
    application.state.services.responses._away_until = 0.0
    assert state_of(await ask(client)) == "hit"


async def test_what_is_too_slow_or_refused_is_not_answered_from_the_past(
    application: FastAPI,
    client: httpx.AsyncClient,
    database: Database,
    settle: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await ask(client)
    await write_about(database, "django-developer")
    await settle()

    def refuse() -> Any:
        raise Unavailable("busy", code="overloaded")

    monkeypatch.setattr(application.state.services.database, "heavy_read", refuse)
    answer = await ask(client)
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")


async def test_a_restored_database_empties_the_cache(
    application: FastAPI, client: httpx.AsyncClient, responses: Responses
) -> None:
    await ask(client)
    freshness = application.state.services.freshness
    freshness.resets += 1
    freshness.generation += 1
    assert state_of(await ask(client)) == "fwd=miss; stored"
    assert state_of(await ask(client)) == "hit"


async def test_yesterday_s_answer_is_not_today_s(
    client: httpx.AsyncClient, responses: Responses
) -> None:
    await ask(client)
    for slot in responses.store.slots.values():
        slot.begins -= 86_400
        slot.ends -= 86_400
    assert responses.counts.hit == 0
    await ask(client)
    assert responses.counts.hit == 1  # by the router, which knows what day it is


async def test_errors_are_not_kept(client: httpx.AsyncClient, responses: Responses) -> None:
    for path in (f"{PATH}?level=senoir", f"{PATH}?role=djang", f"{PATH}?format=xml", "/v1/nothing"):
        for _ in range(2):
            answer = await ask(client, path)
            assert answer.status_code in (404, 422)
            assert answer.headers["cache-control"] == "no-store"
            assert "etag" not in answer.headers
    assert not responses.store.slots


async def test_a_key_is_checked_on_every_hit(
    client: httpx.AsyncClient, database: Database, headers_for: HeadersFor
) -> None:
    await ask(client)
    keys = await headers_for("records:write")
    assert (await ask(client, **keys)).status_code == 200
    assert state_of(await ask(client, **keys)) == "hit"
    wrong = await ask(client, x_api_key="pb_aaaaaaaaaa_" + "a" * 38)
    assert wrong.status_code == 401
    twice = {"authorization": f"Bearer {keys['X-API-Key']}", "x_api_key": "pb_other"}
    assert (await ask(client, **twice)).status_code == 401


class TestClosed:
    """Statistics that need a key."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, open_statistics=False)

    async def test_a_hit_needs_the_scope(
        self, application: FastAPI, client: httpx.AsyncClient, headers_for: HeadersFor
    ) -> None:
        reader, writer = await headers_for("stats:read"), await headers_for("records:write")
        for _ in range(2):
            answer = await ask(client, **reader)
            assert answer.headers["cache-control"].startswith("private, no-cache")
            assert (await ask(client)).status_code == 401
            assert (await ask(client, **writer)).status_code == 403
        assert state_of(answer) == "hit"

    async def test_a_revoked_or_expired_key_ends_with_the_memory_of_it(
        self,
        application: FastAPI,
        client: httpx.AsyncClient,
        database: Database,
        headers_for: HeadersFor,
    ) -> None:
        reader = await headers_for("stats:read")
        authenticator = application.state.gate._authenticator
        clock = authenticator._clock
        for _ in range(2):
            assert (await ask(client, **reader)).status_code == 200
        async with database.write() as session:
            await session.execute(text("UPDATE api_keys SET revoked_at = now()"))
        authenticator._clock = lambda: clock() + 5.1
        answer = await ask(client, **reader)
        assert (answer.status_code, answer.json()["code"]) == (401, "revoked_key")

    async def test_the_use_of_a_key_is_recorded_on_hits_too(
        self,
        application: FastAPI,
        client: httpx.AsyncClient,
        database: Database,
        headers_for: HeadersFor,
    ) -> None:
        reader = await headers_for("stats:read")
        await ask(client, **reader)
        authenticator = application.state.gate._authenticator
        await authenticator.record_use()
        async with database.write() as session:
            await session.execute(text("UPDATE api_keys SET last_used_at = NULL"))
        assert state_of(await ask(client, **reader)) == "hit"
        await authenticator.record_use()
        async with database.read() as session:
            assert await session.scalar(text("SELECT last_used_at FROM api_keys")) is not None


async def test_an_administrator_s_answer_is_everybody_s(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, database: Database
) -> None:
    await add_sources(database, secret={"confidential": True})
    await add_records(database, demand(), demand(source="secret"))
    asked = await ask(admin)
    assert asked.json()["meta"]["records"] == 1
    assert (await ask(client)).content == asked.content
    named = await ask(admin, f"{PATH}?source=secret")
    assert (named.status_code, named.json()["code"]) == (422, "confidential_source")
    for listed in (admin, client):
        codes = {row["code"] for row in (await ask(listed, "/v1/sources")).json()["data"]}
        assert ("secret" in codes) is (listed is admin)


async def test_identical_misses_are_one_computation(
    application: FastAPI,
    client: httpx.AsyncClient,
    responses: Responses,
    settle: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await settle()
    readings = Readings(application.state.services.database)
    monkeypatch.setattr(application.state.services.database, "heavy_read", readings)
    answers = await asyncio.gather(*(ask(client) for _ in range(8)))
    assert readings.count == 1
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(map(state_of, answers)).count("fwd=miss; collapsed") == 7
    assert responses.counts.collapsed == 7


async def test_who_leaves_takes_nothing_from_the_others(
    application: FastAPI, client: httpx.AsyncClient, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settle()
    readings = Readings(application.state.services.database)
    monkeypatch.setattr(application.state.services.database, "heavy_read", readings)
    first, second = (asyncio.create_task(ask(client)) for _ in range(2))
    await readings.begun.wait()
    first.cancel()
    assert (await second).status_code == 200
    assert readings.count == 1
    assert state_of(await ask(client)) == "hit"


async def test_a_question_after_a_write_does_not_join_one_from_before(
    application: FastAPI,
    client: httpx.AsyncClient,
    database: Database,
    settle: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await settle()
    gate = asyncio.Event()
    readings = Readings(application.state.services.database, gate)
    monkeypatch.setattr(application.state.services.database, "heavy_read", readings)
    before = asyncio.create_task(ask(client))
    await readings.begun.wait()
    await add_records(database, demand())
    await settle()
    gate.set()
    after = await ask(client)
    await before
    assert readings.count == 2
    assert after.json()["meta"]["records"] == 1
    assert (await ask(client)).content == after.content


class Readings:
    """Counts the readings that are opened. The first waits in its snapshot for `gate`, if any."""

    def __init__(self, database: Database, gate: asyncio.Event | None = None) -> None:
        self.count = 0
        self.begun = asyncio.Event()
        self._gate = gate
        self._open = database.heavy_read

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[ReadSession]:
        async with self._open() as session:
            await session.execute(text("SELECT 1"))  # the snapshot is taken
            self.count += 1
            self.begun.set()
            if self._gate is not None and self.count == 1:
                await self._gate.wait()
            yield session


async def test_a_failing_layer_lets_the_request_pass(
    application: FastAPI,
    client: httpx.AsyncClient,
    responses: Responses,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await ask(client)
    monkeypatch.setattr(application.state.services.freshness, "is_current", fail_once())
    assert (await ask(client)).status_code == 200
    assert responses.counts.failed == 1


def fail_once() -> Callable[[], bool]:
    calls: list[int] = []

    def is_current() -> bool:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("broken")
        return True

    return is_current


async def test_pay_is_kept_like_demand(client: httpx.AsyncClient, database: Database) -> None:
    await add_records(database, salary())
    for path in (
        PAY,
        "/v1/salaries/histogram",
        "/v1/salaries/trend",
        "/v1/salaries/bands",
        "/v1/salaries/comparison?dimension=region&a=US&b=DE",
        "/v1/market",
        "/v1/roles/django-developer/guide",
        "/v1/demand/trend",
        "/v1/demand/skills",
    ):
        first = await ask(client, path)
        assert first.status_code == 200, first.text
        again = await ask(client, path)
        assert (state_of(again), again.content) == ("hit", first.content), path


async def test_what_is_about_a_person_or_the_moment_is_not_kept(
    client: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    for path in ("/v1/status", "/v1/sources", "/v1/salaries/rank?amount=100000"):
        answer = await ask(admin, path)
        assert answer.status_code == 200
        assert "etag" not in answer.headers
        assert "cache-status" not in answer.headers


class TestWithout:
    """A cache that holds nothing."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, cache_bytes=0)

    async def test_answers_are_the_same(
        self, client: httpx.AsyncClient, responses: Responses, settle: Any
    ) -> None:
        first, second = await ask(client), await ask(client)
        assert (state_of(second), first.content) == ("fwd=miss; detail=not-kept", second.content)
        await settle()
        tag = first.headers["etag"]
        assert (await ask(client, if_none_match=tag)).status_code == 304
        assert (responses.counts.bypass, responses.store.used_bytes) == (2, 0)


async def test_two_clients_of_one_application_share_what_is_kept(application: FastAPI) -> None:
    async with connect(application) as one, connect(application) as other:
        await ask(one)
        assert state_of(await ask(other)) == "hit"
