"""Requests of one caller in a minute: counted always, refused past the limit that is set."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from app.access import limits
from app.access.limits import Limiter
from app.core.errors import RateLimited
from app.settings import MEGABYTE, Settings
from tests.conftest import HeadersFor, connect


class Clock:
    """Monotonic seconds that stand still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_without_a_limit_everything_is_counted_and_nothing_refused() -> None:
    clock = Clock()
    limiter = Limiter(0, clock)
    for _ in range(10_000):
        limiter.check("somebody")
    limiter.check("somebody else")
    assert limiter.headers("somebody") == []
    clock.now += 60
    limiter.check("somebody")
    assert (limiter.busiest, limiter.callers, limiter.refused) == (10_000, 2, 0)


def test_past_the_limit_a_caller_waits_for_the_next_minute_and_others_do_not() -> None:
    clock = Clock()
    limiter = Limiter(3, clock)
    for _ in range(3):
        limiter.check("somebody")
    clock.now += 20.5
    with pytest.raises(RateLimited) as raised:
        limiter.check("somebody")
    assert raised.value.headers == {"Retry-After": "40"}
    assert dict(limiter.headers("somebody")) == {
        b"ratelimit-policy": b'"minute";q=3;w=60',
        b"ratelimit": b'"minute";r=0;t=40',
    }
    limiter.check("somebody else")
    clock.now += 40
    limiter.check("somebody")
    assert limiter.refused == 1


def test_an_answer_that_did_not_change_costs_nothing() -> None:
    limiter = Limiter(2, Clock())
    for _ in range(100):
        limiter.check("somebody")
        limiter.give_back("somebody")
    limiter.give_back("nobody")
    assert dict(limiter.headers("somebody"))[b"ratelimit"] == b'"minute";r=2;t=60'


def test_memory_of_callers_is_bounded_and_who_is_not_counted_is_let_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MOST_CALLERS", 10)
    clock = Clock()
    limiter = Limiter(1, clock)
    for number in range(25):
        limiter.check(f"caller {number}")
    limiter.check("caller 24")
    assert limiter.uncounted == 16
    with pytest.raises(RateLimited):
        limiter.check("caller 1")
    clock.now += 300
    limiter.check("caller 1")
    assert (limiter.callers, limiter.busiest) == (0, 0)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, rate_limit=3)


@pytest.fixture
async def limited(application: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """The clock of the limit stands still."""
    application.state.limiter._clock = Clock()
    application.state.limiter._ends = 1060.0
    async with connect(application) as client:
        yield client


async def test_every_answer_says_what_is_left(limited: httpx.AsyncClient) -> None:
    for left, path in ((2, "/v1/levels"), (1, "/v1/levels?limit=0"), (0, "/v1/status")):
        answer = await limited.get(path)
        assert answer.headers["ratelimit-policy"] == '"minute";q=3;w=60'
        assert answer.headers["ratelimit"] == f'"minute";r={left};t=60'


async def test_a_refusal_says_when_to_come_back(limited: httpx.AsyncClient) -> None:
    for _ in range(3):
        assert (await limited.get("/v1/levels")).status_code == 200
    refused = await limited.get("/v1/levels")
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["content-type"] == "application/problem+json"
    (seconds,) = re.findall(r"t=(\d+)", refused.headers["ratelimit"])
    assert refused.headers["retry-after"] == seconds == "60"
    assert (await limited.get("/livez")).status_code == 200
    assert "ratelimit" not in (await limited.get("/readyz")).headers


async def test_keys_and_addresses_have_a_limit_each(
    limited: httpx.AsyncClient, headers_for: HeadersFor
) -> None:
    one, other = await headers_for("stats:read"), await headers_for("stats:read")
    for headers in ({}, one, other):
        statuses = [
            (await limited.get("/v1/levels", headers=headers)).status_code for _ in range(4)
        ]
        assert statuses == [200, 200, 200, 429]
    # What a proxy says about addresses is what anybody can say.
    forged = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    assert (await limited.get("/v1/levels", headers=forged)).status_code == 429


async def test_keys_that_do_not_hold_count_for_the_address(limited: httpx.AsyncClient) -> None:
    wrong = {"X-API-Key": "pb_nobody"}
    statuses = [(await limited.get("/v1/levels", headers=wrong)).status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]


async def test_asking_again_with_a_tag_costs_nothing(limited: httpx.AsyncClient) -> None:
    first = await limited.get("/v1/levels")
    tag = first.headers.get("etag")
    if tag is None:
        pytest.skip("this route's answers are not tagged")
    for _ in range(10):
        again = await limited.get("/v1/levels", headers={"If-None-Match": tag})
        assert again.status_code == 304
        assert again.headers["ratelimit"] == '"minute";r=2;t=60'


class TestKept:
    """A service that keeps answers."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, cache_bytes=8 * MEGABYTE)

    async def test_who_has_nothing_left_is_still_told_that_nothing_changed(
        self, limited: httpx.AsyncClient
    ) -> None:
        for _ in range(3):
            tag = (await limited.get("/v1/levels")).headers["etag"]
        assert (await limited.get("/v1/levels")).status_code == 429
        for _ in range(5):
            again = await limited.get("/v1/levels", headers={"If-None-Match": tag})
            assert again.status_code == 304
            assert again.headers["ratelimit"] == '"minute";r=0;t=60'


def test_what_is_left_is_that_of_this_minute_also_for_who_is_only_told_so() -> None:
    clock = Clock()
    limiter = Limiter(2, clock)
    limiter.check("somebody")
    clock.now += 61
    assert dict(limiter.headers("somebody"))[b"ratelimit"] == b'"minute";r=2;t=60'
