"""What a process knows of committed writes, and what happens when it stops hearing of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from sqlalchemy import text

from app.core import freshness as module
from app.core.database import Database
from app.core.errors import Unavailable
from app.core.freshness import Freshness
from app.core.listening import Listener
from app.core.versions import Versions, advance_epoch, advance_roles, read_versions
from tests.support.proxies import proxied

PATIENCE_S = 20
"""Nothing here takes that long; a busy machine may."""
ONE, OTHER, MANY = 100_005, 100_009, range(100_010, 101_500)
"""Roles of nobody else's."""


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Freshness]:
    freshness = Freshness(url)
    freshness.start()
    try:
        await until(freshness.is_current, freshness)
        yield freshness
    finally:
        await freshness.stop()


async def until(holds: Callable[[], bool], freshness: Freshness) -> None:
    """Wait until something holds, looking whenever `freshness` changed and now and then."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            with suppress(TimeoutError):
                await asyncio.wait_for(freshness.changed(freshness.generation), 0.02)


async def advance(database: Database, *roles: int) -> None:
    async with database.write() as session:
        await advance_roles(session, roles)


async def execute(database: Database, statement: str) -> None:
    async with database.write() as session:
        await session.execute(text(statement))


def version(freshness: Freshness, role: int) -> int:
    return freshness.versions.roles.get(role, 0) if freshness.versions is not None else 0


def state(freshness: Freshness) -> Versions:
    assert freshness.versions is not None
    return freshness.versions


@pytest.fixture(autouse=True)
async def no_versions(database: Database) -> None:
    """What earlier tests have left of these roles."""
    await execute(database, f"DELETE FROM role_versions WHERE role_id >= {ONE}")


@pytest.fixture
def never_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first answer, only notifications (and whoever asks) tell anything."""
    monkeypatch.setattr(module, "POLL_S", 3600.0)


@pytest.fixture
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """As usual, asking more often; answers may still take as long, on a busy machine."""
    monkeypatch.setattr(module, "POLL_S", 0.1)
    monkeypatch.setattr(module, "CURRENT_S", 0.6)


@pytest.mark.usefixtures("never_polling")
async def test_a_notification_tells_which_role_has_which_version(
    database: Database, database_url: str
) -> None:
    async with listening(database_url) as freshness:
        before = freshness.generation
        await advance(database, ONE, OTHER)
        await advance(database, ONE)
        await until(lambda: version(freshness, ONE) == 2, freshness)
        assert version(freshness, OTHER) == 1
        assert freshness.generation > before
        async with database.read() as session:
            assert state(freshness).of() == (await read_versions(session)).of()


@pytest.mark.usefixtures("never_polling")
async def test_what_a_notification_cannot_say_is_asked_at_once(
    database: Database, database_url: str
) -> None:
    async with listening(database_url) as freshness:
        stamp = state(freshness).stamp
        async with database.write() as session:
            await advance_epoch(session)
        await until(lambda: state(freshness).stamp != stamp, freshness)
        # So many roles that their names do not fit into a notification.
        await advance(database, *MANY)
        await until(lambda: version(freshness, MANY[-1]) == 1, freshness)


@pytest.mark.usefixtures("never_polling")
async def test_nothing_is_current_between_a_hint_and_the_answer_to_it(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(database_url) as freshness:
        may_answer = asyncio.Event()
        read = Listener.read

        async def slow(listener: Listener) -> Versions:
            await may_answer.wait()
            return await read(listener)

        monkeypatch.setattr(Listener, "read", slow)
        epoch = state(freshness).epoch
        async with database.write() as session:
            await advance_epoch(session)
        await until(lambda: not freshness.is_current(), freshness)
        may_answer.set()
        await freshness.confirm()
        assert freshness.is_current()
        assert state(freshness).epoch == epoch + 1


@pytest.mark.usefixtures("never_polling")
@pytest.mark.parametrize("payload", ["", "roles", "roles x", "roles 5=", "roles =", "nonsense 1=2"])
async def test_a_notification_of_nobody_of_ours_does_no_harm(
    database: Database, database_url: str, payload: str
) -> None:
    async with listening(database_url) as freshness:
        await execute(database, f"SELECT pg_notify('payband_versions', '{payload}')")
        await advance(database, ONE)
        await until(lambda: version(freshness, ONE) == 1, freshness)


@pytest.mark.usefixtures("in_haste")
async def test_a_write_whose_notification_is_lost_is_seen_by_the_poll(
    database: Database, database_url: str
) -> None:
    async with listening(database_url) as freshness:
        await execute(database, f"INSERT INTO role_versions VALUES ({ONE}, 7, 7)")
        await until(lambda: version(freshness, ONE) == 7, freshness)
        assert freshness.is_current()


@pytest.mark.usefixtures("never_polling")
async def test_writers_that_commit_out_of_order_do_not_hide_one_another(
    database: Database, database_url: str
) -> None:
    async with listening(database_url) as freshness:
        async with database.write() as first:
            await advance_roles(first, [ONE])
            await advance(database, OTHER)
            await until(lambda: version(freshness, OTHER) == 1, freshness)
            await freshness.confirm()
            assert version(freshness, ONE) == 0
            seen_between = state(freshness).of()
        await until(lambda: version(freshness, ONE) == 1, freshness)
        assert version(freshness, OTHER) == 1
        assert state(freshness).of() != seen_between


async def test_a_killed_connection_is_replaced_and_what_was_missed_is_caught_up(
    database: Database, database_url: str
) -> None:
    async with listening(database_url) as freshness:
        async with database.write() as session:
            killed = await session.scalar(
                text(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE"
                    " application_name = 'payband-listen' AND datname = current_database()"
                )
            )
            await session.execute(text(f"INSERT INTO role_versions VALUES ({ONE}, 3, 3)"))
        assert killed == 1
        await until(lambda: version(freshness, ONE) == 3, freshness)
        assert (freshness.reconnects, freshness.resets) == (1, 0)
        await advance(database, OTHER)
        await until(lambda: version(freshness, OTHER) == 1, freshness)


@pytest.mark.usefixtures("in_haste")
async def test_a_connection_that_dies_silently_is_noticed_and_replaced(
    database: Database, database_url: str
) -> None:
    async with proxied(database_url) as proxy, listening(proxy.url) as freshness:
        proxy.silence()
        await advance(database, ONE)
        await until(lambda: version(freshness, ONE) == 1, freshness)
        assert proxy.connections == 2
        assert freshness.reconnects == 1


@pytest.mark.usefixtures("in_haste")
async def test_while_nothing_answers_nothing_is_current_and_asking_says_so(
    database: Database, database_url: str
) -> None:
    async with proxied(database_url) as proxy, listening(proxy.url) as freshness:
        proxy.freeze()
        await until(lambda: not freshness.is_current(), freshness)
        with pytest.raises(Unavailable) as raised:
            await freshness.confirm()
        assert raised.value.problem_code == "database_unavailable"
        assert freshness.versions is not None
        await advance(database, ONE)
        proxy.thaw()
        proxy.cut()
        await until(freshness.is_current, freshness)
        assert version(freshness, ONE) == 1
        await freshness.confirm()


async def test_a_database_that_comes_later_is_found(database: Database, database_url: str) -> None:
    del database
    async with proxied(database_url) as proxy:
        url = proxy.url
        await proxy.stop()
        freshness = Freshness(url)
        freshness.start()
        with pytest.raises(Unavailable):
            await freshness.confirm()
        assert not freshness.is_current()
        await freshness.stop()
    with pytest.raises(Unavailable):
        await freshness.confirm()


@pytest.mark.usefixtures("never_polling")
async def test_all_who_ask_at_once_share_one_question(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del database
    asked = 0
    read = Listener.read

    async def counting(listener: Listener) -> Versions:
        nonlocal asked
        asked += 1
        return await read(listener)

    async with listening(database_url) as freshness:
        monkeypatch.setattr(Listener, "read", counting)
        await asyncio.gather(*(freshness.confirm() for _ in range(50)))
        assert asked == 1


@pytest.mark.parametrize(
    "restored",
    [
        f"UPDATE role_versions SET version = 4, cells_version = 4 WHERE role_id = {ONE}",
        f"DELETE FROM role_versions WHERE role_id = {ONE}",
        "UPDATE epoch SET epoch = epoch - 1",
        "UPDATE epoch SET stamp = gen_random_uuid()",
    ],
)
async def test_a_database_that_went_back_in_time_resets_what_is_known(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch, restored: str
) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.05)
    for _ in range(5):
        await advance(database, ONE)
    async with listening(database_url) as freshness:
        before = freshness.generation
        await execute(database, restored)
        await until(lambda: freshness.resets == 1 and freshness.versions is not None, freshness)
        assert freshness.generation > before
        async with database.read() as session:
            assert freshness.versions == await read_versions(session)


async def test_another_database_at_the_same_address_resets_what_is_known(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if it went on so far meanwhile that its versions are higher."""
    async with proxied(database_url) as proxy, listening(proxy.url) as freshness:

        async def elsewhere(_: Listener) -> str:
            return "another system/1/2/00000002"

        monkeypatch.setattr(Listener, "_find_origin", elsewhere)
        await advance(database, ONE)
        proxy.cut()
        await until(lambda: freshness.resets == 1 and freshness.versions is not None, freshness)


def known(**values: object) -> Versions:
    start = Versions(3, "a" * 36, {5: 7, 9: 2}, frozenset(), places_sound=True)
    return replace(start, **values)  # type: ignore[arg-type]


def test_what_other_sessions_read_is_taken_in_by_its_highest_versions() -> None:
    freshness = Freshness("postgresql://nowhere/nothing")
    freshness.note(known())
    assert freshness.versions is None, "the connection itself has to hear of the database first"
    freshness.versions = known()
    for noted in (known(), known(roles={5: 6, 9: 2}), known(epoch=2, stamp="b" * 36)):
        freshness.note(noted)
        assert (freshness.versions, freshness.generation) == (known(), 0)
    freshness.note(known(roles={5: 6, 9: 3, 11: 1}))
    assert freshness.versions == known(roles={5: 7, 9: 3, 11: 1})
    freshness.note(known(epoch=4, stamp="b" * 36))
    assert freshness.versions == known(epoch=4, stamp="b" * 36, roles={5: 7, 9: 3, 11: 1})
    assert freshness.generation == 2


@pytest.mark.usefixtures("never_polling")
async def test_what_is_noted_while_a_question_is_under_way_is_no_step_back(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer may be of a snapshot from before it."""
    async with listening(database_url) as freshness:
        read = Listener.read

        async def overtaken(listener: Listener) -> Versions:
            answer = await read(listener)
            await advance(database, ONE)
            async with database.read() as session:
                freshness.note(await read_versions(session))
            return answer

        monkeypatch.setattr(Listener, "read", overtaken)
        await freshness.confirm()
        assert (version(freshness, ONE), freshness.resets) == (1, 0)


async def test_wall_clock_jumps_do_not_matter(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(database_url) as freshness:
        monkeypatch.setattr(time, "time", lambda: 4e9)
        await advance(database, ONE)
        await until(lambda: version(freshness, ONE) == 1, freshness)
        monkeypatch.setattr(time, "time", lambda: 0.0)
        await freshness.confirm()
        assert freshness.is_current()
        assert (freshness.reconnects, freshness.resets) == (0, 0)
