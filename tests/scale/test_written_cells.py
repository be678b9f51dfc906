"""Cells are what the public records say, whatever writes these."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as given_settings
from sqlalchemy import text

from app.core.database import Database, WriteSession
from app.core.errors import Unavailable
from app.core.versions import advance_roles, read_versions
from app.demo.loading import remove_demo
from app.demo.store import ensure_source
from app.ingest import importer, store
from app.records import deletion
from app.settings import Settings
from app.taxonomies import rematching
from tests.scale.histories import HISTORIES, LATER, Row, Step, Writers
from tests.support.entries import check_cells

EXAMPLES = 4
"""Histories that are drawn, beside one for every way of writing."""
ROW: Row = {
    **{"source": "acme", "external_id": "1", "role": "django-developer", "region": "US"},
    **{"amount": "90000", "currency": "USD", "observed_on": "2025-03-10"},
}
ROLES = ("django-developer", "data-scientist", "data-engineer", "software-developer")


@pytest.fixture
async def writers(settings: Settings, database: Database) -> AsyncIterator[Writers]:
    async with database.read() as session:
        newest = await session.scalar(text("SELECT max(observed_on) FROM exchange_rates"))
    assert newest is not None
    writers = Writers(settings, database, newest + timedelta(days=1))
    await writers.add_sources()
    yield writers
    await writers.begin_again()


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of four rows, of which more than one are tried as all new."""
    monkeypatch.setattr(importer, "CHUNK_ROWS", 4)
    monkeypatch.setattr(store, "MANY_ROWS", 2)
    monkeypatch.setattr(deletion, "BATCH", 2)
    monkeypatch.setattr(deletion, "ONE_TRANSACTION", 3)
    monkeypatch.setattr(rematching, "BATCH", 2)


PENDING = ROW | {"currency": "GBP", "observed_on": LATER}
TITLED = {name: value for name, value in ROW.items() if name != "role"} | {"title": "Data Engineer"}
# One for every way of writing, so that none depends on what is drawn.
CORRECTED: list[Step] = [
    ("write", [ROW, ROW | {"external_id": "2"}, ROW, ROW | {"external_id": "3"}], ""),
    ("write", [ROW | {"role": "data-scientist"}, ROW | {"external_id": "2", "amount": "1500"}], ""),
    ("write", [ROW | {"observed_on": "2025-04"}], "abort"),
    ("undo", 0),
    ("undo", 1),
]
PRICED: list[Step] = [
    ("write", [PENDING, PENDING | {"external_id": "2", "amount": "900"}], ""),
    ("rates", "1.5"),
    ("delete", "acme", "2"),
    ("write", [PENDING | {"source": "wire"}], ""),
    ("write", [PENDING | {"source": "wire", "observed_on": "2025-04-02"}], ""),
]
MOVED: list[Step] = [
    ("write", [TITLED, TITLED | {"external_id": "2"}, TITLED | {"external_id": "3"}], ""),
    ("rematch", "data-scientist", "entry"),
    ("write", [TITLED | {"amount": "1500"}], ""),
    ("clear", "acme", "2025-03"),
]


@example(history=CORRECTED)
@example(history=PRICED)
@example(history=MOVED)
@given_settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=HISTORIES)
async def test_cells_follow_any_history_of_writes(
    writers: Writers, small_chunks: None, history: list[Step]
) -> None:
    await writers.begin_again()
    for step in history:
        await writers.carry_out(step)
        await check_cells(writers.database)


async def _entries(database: Database) -> int:
    async with database.read() as session:
        return int(await session.scalar(text("SELECT sum(entries) FROM salary_cells")) or 0)


async def test_a_sighting_that_changes_no_figure_adds_no_entry(writers: Writers) -> None:
    """Most files of postings are sightings: cells would grow with every file."""
    seen = ROW | {"source": "wire"}
    await writers.write([seen])
    outcome = await writers.write([seen | {"observed_on": "2025-04-02", "url": "https://a.org/1"}])
    assert outcome.report["updated"] == 1
    assert await _entries(writers.database) == 1
    await writers.write([seen | {"amount": "90000.0"}])
    await writers.write([seen | {"amount": "91000"}])
    assert await check_cells(writers.database) == 1


async def test_confidential_records_have_no_cells(writers: Writers) -> None:
    closed = ROW | {"source": "closed"}
    await writers.write([closed, closed | {"external_id": "2", "amount": "80000"}])
    await writers.write([closed | {"role": "data-scientist"}])
    await writers.write([closed | {"currency": "GBP", "observed_on": LATER}])
    await writers.carry_out(("rates", "0.85"))
    await writers.carry_out(("delete", "closed", "2"))
    assert await check_cells(writers.database) == 0
    assert await _entries(writers.database) == 0


async def test_what_an_import_takes_back_leaves_no_entry(writers: Writers) -> None:
    rows = [ROW, ROW | {"external_id": "2", "amount": "nothing"}]
    assert (await writers.write(rows, "abort")).error is not None
    await writers.write([ROW], "dry_run")
    assert await _entries(writers.database) == 0
    await writers.write([ROW], "abort")
    assert await check_cells(writers.database) == 1


async def test_removing_the_demo_data_removes_its_cells(writers: Writers) -> None:
    async with writers.database.write() as session:
        await ensure_source(session)
    await writers.write([ROW | {"source": "demo"}, ROW])
    assert await check_cells(writers.database) == 2
    await remove_demo(writers.database)
    assert await check_cells(writers.database) == 1


async def test_writers_of_the_same_records_leave_cells_right(
    writers: Writers, small_chunks: None
) -> None:
    """Corrections, moves between roles and deletions at once: every entry is withdrawn once."""

    async def correct(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(2):
            chosen = [str(number) for number in chance.sample(range(20), 8)]
            changes = [{"external_id": name, "role": chance.choice(ROLES)} for name in chosen]
            amounts = [{"amount": str(50_000 + chance.randrange(3))} for _ in chosen]
            pairs = zip(changes, amounts, strict=True)
            await writers.write([ROW | change | amount for change, amount in pairs])

    async def delete() -> None:
        for number in range(5):
            await writers.carry_out(("delete", "acme", str(number)))

    await asyncio.gather(correct(1), correct(2), correct(3), delete())
    assert await check_cells(writers.database) > 10


async def _end(database: Database, session: WriteSession) -> None:
    """Terminate the connection of a session, as an operator or a crash would."""
    backend = await session.scalar(text("SELECT pg_backend_pid()"))
    async with database.write() as other:
        await other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": backend})


async def test_a_write_that_is_cut_off_before_its_commit_leaves_nothing_behind(
    writers: Writers, monkeypatch: pytest.MonkeyPatch
) -> None:
    await writers.write([ROW, ROW | {"external_id": "2"}])
    ended: list[Any] = []

    async def advance(session: WriteSession, roles: Any) -> None:
        if not ended:
            ended.append(roles)
            await _end(writers.database, session)
        await advance_roles(session, roles)

    # A deletion is given up; an import tries its chunk again.
    monkeypatch.setattr(deletion, "advance_roles", advance)
    with pytest.raises(Unavailable):
        await writers.carry_out(("clear", "acme", ""))
    assert await check_cells(writers.database) == 2
    ended.clear()
    monkeypatch.setattr(store, "advance_roles", advance)
    await writers.write([ROW | {"role": "data-scientist"}, ROW | {"external_id": "3"}])
    assert ended
    assert await check_cells(writers.database) == 3


AN_OLDER_WRITER = text(
    "INSERT INTO role_versions (role_id, version) VALUES (:role, 1)"
    " ON CONFLICT (role_id) DO UPDATE SET version = role_versions.version + 1"
)


async def test_a_writer_that_knows_no_cells_leaves_a_mark_for_good(writers: Writers) -> None:
    """An older service that goes on during a rollout writes records without their cells."""
    await writers.write([ROW])
    await writers.write([ROW | {"role": "data-scientist", "external_id": "2"}])
    async with writers.database.write() as session:
        written = text("SELECT role_id FROM salary_records WHERE external_id = '1'")
        role = await session.scalar(written)
        await session.execute(AN_OLDER_WRITER, {"role": role})
    for amount in ("91000", "92000"):
        async with writers.database.read() as session:
            assert (await read_versions(session)).unsound == {role}
        await writers.write([ROW | {"amount": amount}])
    async with writers.database.read() as session:
        assert (await read_versions(session)).unsound == {role}
