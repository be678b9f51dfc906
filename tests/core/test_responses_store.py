"""What is kept, by itself: bounds, order, tags, one computation for many."""

import asyncio
import random
from dataclasses import replace

import pytest
from starlette.responses import Response

from app.core.responses.conditions import accepts_gzip, build_etag, names_tag, quoted
from app.core.responses.entry import Entry, build_entry
from app.core.responses.flights import Flights
from app.core.responses.store import MOST_SPELLINGS, RawKey, Store, raw_key
from app.core.versions import DataVersion

VERSION = DataVersion(3, "9f1c2a7b", 17)
ALWAYS = (float("-inf"), float("inf"))


def entry_of(length: int) -> Entry:
    response = Response(b"x" * length, media_type="application/json")
    return build_entry(response, "tag", b"no-cache", VERSION, None, 0.0)


def spelling(number: int) -> RawKey:
    return f"/v1/{number}", b"", None, None


def put(store: Store, key: str, length: int = 1_000) -> bool:
    return store.put(key, "route", ALWAYS, entry_of(length))


def test_what_was_not_asked_for_the_longest_goes_first() -> None:
    store = Store(40_000)
    put(store, "a", 5_000)
    put(store, "b", 5_000)
    put(store, "c", 5_000)
    store.slots.move_to_end("a")
    put(store, "d", 5_000)
    put(store, "e", 5_000)
    assert "a" in store.slots
    assert "b" not in store.slots


def test_the_bound_holds_whatever_happens() -> None:
    chance = random.Random(7)
    store = Store(100_000)
    for step in range(2_000):
        key = f"q{chance.randrange(40)}"
        match chance.randrange(4):
            case 0 | 1:
                put(store, key, chance.randrange(30_000))
            case 2:
                if slot := store.slots.get(key):
                    store.spell(spelling(step), slot, 0)
            case _:
                if slot := store.slots.get(key):
                    store.drop(slot)
        assert store.used_bytes <= store.limit_bytes
        assert store.used_bytes == sum(slot.size for slot in store.slots.values())
        spelled = sum(len(slot.spellings) for slot in store.slots.values())
        assert spelled == len(store.spelled)
    store.clear()
    assert (store.used_bytes, store.spelled) == (0, {})


def test_one_large_answer_does_not_push_out_all_others() -> None:
    store = Store(100_000)
    put(store, "small")
    assert not put(store, "large", 60_000)
    assert list(store.slots) == ["small"]
    assert not put(store, "small", 60_000)  # its older answer would be a wrong one
    assert not store.slots


def test_spellings_of_one_question_are_bounded() -> None:
    store = Store(1_000_000)
    put(store, "a")
    slot = store.slots["a"]
    for number in range(MOST_SPELLINGS + 5):
        store.spell(spelling(number), slot, 0)
    assert len(store.spelled) == MOST_SPELLINGS
    store.spell(("/" + "x" * 5_000, b"", None, None), slot, 0)
    store.spell(None, slot, 0)
    assert len(store.spelled) == MOST_SPELLINGS
    store.drop(slot)
    assert not store.spelled


def test_a_spelling_that_means_another_question_moves() -> None:
    store = Store(1_000_000)
    put(store, "yesterday")
    put(store, "today")
    for key in ("yesterday", "today"):
        store.spell(spelling(1), store.slots[key], 0)
    assert store.spelled[spelling(1)][0] is store.slots["today"]
    store.drop(store.slots["yesterday"])
    assert spelling(1) in store.spelled


def test_a_request_that_names_two_forms_is_not_known_again() -> None:
    scope = {"path": "/v1/roles", "query_string": b"", "headers": [(b"accept", b"text/csv")]}
    assert raw_key(scope) == ("/v1/roles", b"", b"text/csv", None)
    assert raw_key({**scope, "headers": [*scope["headers"], (b"accept", b"*/*")]}) is None


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (b'"abc"', True),
        (b'W/"abc"', True),
        (b'"x", W/"abc" ,"y"', True),
        (b'"a,b", "abc"', True),
        (b'"abcd"', False),
        (b"abc", False),
        (b"", False),
        (b'"abc', False),
    ],
)
def test_if_none_match_is_compared_as_a_list_of_weak_tags(sent: bytes, found: bool) -> None:
    assert names_tag(sent, b'"abc"') is found


@pytest.mark.parametrize(
    ("sent", "accepted"),
    [
        ("gzip", True),
        ("br, GZIP ; q=0.3", True),
        ("x-gzip", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *;q=1", False),
        ("gzip;q=none", False),
        ("identity, br", False),
        ("", False),
        (None, False),
    ],
)
def test_gzip_is_sent_to_who_gives_it_a_weight(sent: str | None, accepted: bool) -> None:
    assert accepts_gzip(sent) is accepted


def test_a_tag_tells_build_question_version_and_coding_apart() -> None:
    tags = {
        build_etag("1.0", "here", "question", VERSION),
        build_etag("1.1", "here", "question", VERSION),
        build_etag("1.0", "restored", "question", VERSION),
        build_etag("1.0", "here", "question", replace(VERSION, unsound=2)),
        build_etag("1.0", "here", "other", VERSION),
        build_etag("1.0", "here", "question", DataVersion(3, "9f1c2a7b", 18)),
        build_etag("1.0", "here", "question", DataVersion(3, "9f1c2a7b-other", 17)),
    }
    assert len(tags) == 7
    assert quoted("a", gzip=True) != quoted("a", gzip=False)
    assert build_etag("1.0", "here", "question", VERSION) in tags


async def test_a_failure_reaches_all_who_wait_and_is_forgotten() -> None:
    flights: Flights[str] = Flights()
    calls: list[int] = []

    async def fail() -> str:
        calls.append(1)
        await asyncio.sleep(0)
        raise ValueError("no")

    found = await asyncio.gather(
        *(flights.run("key", fail) for _ in range(3)), return_exceptions=True
    )
    assert [type(each) for each in found] == [ValueError] * 3
    assert len(calls) == 1

    async def succeed() -> str:
        return "yes"

    assert await flights.run("key", succeed) == ("yes", False)


async def test_closing_ends_what_is_under_way() -> None:
    flights: Flights[None] = Flights()

    async def wait() -> None:
        await asyncio.Event().wait()

    waiting = asyncio.create_task(flights.run("key", wait))
    await asyncio.sleep(0)
    await flights.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
