"""Imports while the database or the process fails: nothing is lost, doubled or counted wrongly."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from app.access.caller import COMMAND_LINE
from app.core.database import Database, WriteSession
from app.core.errors import Conflict, Unavailable
from app.dependencies import Services
from app.ingest import importer, imports, pipeline
from app.ingest.importer import Importer, Outcome
from app.ingest.media import MediaType
from app.ingest.options import ImportOptions
from app.ingest.profiles import Profile
from app.ingest.undo import undo_import
from app.settings import Settings
from app.taxonomies.catalogue import CatalogueCache
from tests.ingest.conftest import Count, Import, csv_of, salary
from tests.support.reading import pieces_of

REPOSITORY = Path(__file__).resolve().parents[2]


class FlakyDatabase(Database):
    """Fails after chosen transactions (counted from 1) were committed, or before they begin."""

    def __init__(self, settings: Settings, url: str, before: set[int], after: set[int]) -> None:
        super().__init__(settings, url)
        self._before, self._after = before, after
        self.transactions = 0

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        self.transactions += 1
        number = self.transactions
        if number in self._before:
            raise Unavailable("away")
        async with super().write() as session:
            yield session
        if number in self._after:
            raise Unavailable("the answer was lost")


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "CHUNK_ROWS", 10)
    monkeypatch.setattr(importer, "BLOCK_BYTES", 600)
    monkeypatch.setattr(pipeline, "RETRY_PAUSES_S", (0.01, 0.01))


def _file(rows: int) -> bytes:
    return csv_of(*(salary(external_id=f"r{n}") for n in range(rows)))


async def _import(
    settings: Settings, url: str, before: set[int], after: set[int], *, whole: bool
) -> Outcome:
    database = FlakyDatabase(settings, url, before, after)
    try:
        services = Services(settings, database, CatalogueCache())
        options = ImportOptions(MediaType.CSV, Profile.identity("salary"), whole=whole)
        return await Importer(services, options, COMMAND_LINE).run(pieces_of(_file(50)))
    finally:
        await database.close()


@pytest.mark.parametrize(
    ("before", "after", "whole"),
    [({4, 5}, set(), False), (set(), {3, 5}, False), ({4}, {6}, False), (set(), {3}, True)],
)
async def test_a_chunk_is_tried_again_and_counted_once(
    settings: Settings,
    database_url: str,
    sources: None,
    small_chunks: None,
    count: Count,
    before: set[int],
    after: set[int],
    *,
    whole: bool,
) -> None:
    # Transaction 1 reads the secrets, 2 opens the import; chunks follow.
    outcome = await _import(settings, database_url, before, after, whole=whole)
    assert (outcome.report["received"], outcome.report["inserted"]) == (50, 50)
    assert await count("salary_records") == 50
    assert await count("imports WHERE state = 'complete'") == 1


async def test_a_database_that_stays_away_fails_the_import(
    settings: Settings, database_url: str, sources: None, small_chunks: None, count: Count
) -> None:
    with pytest.raises(Unavailable):
        await _import(settings, database_url, {5, 6, 7}, set(), whole=False)
    assert await count("imports WHERE state = 'failed'") == 1
    kept = await count("salary_records")
    assert 0 < kept < 50
    outcome = await _import(settings, database_url, set(), set(), whole=False)
    assert (outcome.report["inserted"], outcome.report["unchanged"]) == (50 - kept, kept)


async def test_a_running_import_has_a_heartbeat(
    settings: Settings,
    database: Database,
    sources: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(imports, "HEARTBEAT_S", 0.05)
    body = _file(10)

    async def slow() -> AsyncIterator[bytes]:
        yield body[:100]
        await asyncio.sleep(1.0)
        seen.append(await _updated_at(database))
        yield body[100:]

    seen: list[float] = []
    options = ImportOptions(MediaType.CSV, Profile.identity("salary"))
    services = Services(settings, database, CatalogueCache())
    await Importer(services, options, COMMAND_LINE).run(slow())
    assert 0 <= seen[0] < 0.5


async def _updated_at(database: Database) -> float:
    """Seconds since the import was last heard of."""
    async with database.read() as session:
        age = "SELECT extract(epoch FROM clock_timestamp() - updated_at) FROM imports"
        return float(await session.scalar(text(age)) or 0)


async def test_an_import_that_is_cut_off_says_so(
    settings: Settings, database: Database, sources: None, count: Count
) -> None:
    started = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield _file(10)
        started.set()
        await asyncio.sleep(60)

    options = ImportOptions(MediaType.CSV, Profile.identity("salary"))
    services = Services(settings, database, CatalogueCache())
    task = asyncio.create_task(Importer(services, options, COMMAND_LINE).run(endless()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count("imports WHERE state = 'interrupted'") == 1


@pytest.mark.slow
async def test_a_killed_import_is_completed_by_the_same_file(
    database_url: str, import_body: Import, count: Count, tmp_path: Path
) -> None:
    rows = 90_000  # more than three chunks: the first is seen long before the last
    path = tmp_path / "large.csv"
    body = _file(rows)
    path.write_bytes(body)
    process = _start(path, database_url)
    try:
        async with asyncio.timeout(60):
            while not await count("salary_records"):  # noqa: ASYNC110 - the database tells
                await asyncio.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = await count("salary_records")
    assert 0 < kept < rows
    assert await count("imports WHERE state = 'running'") == 1
    outcome = await import_body(body, batch=path.name)
    assert (outcome.report["inserted"], outcome.report["unchanged"]) == (rows - kept, kept)
    assert await count("salary_identities") == rows


def _start(path: Path, database_url: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", "from app.cli import main; main()", "import", str(path)],
        env={**os.environ, "PAYBAND_DATABASE_URL": database_url, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL,
    )


async def test_an_import_that_was_undone_writes_no_more(
    settings: Settings, database: Database, sources: None, small_chunks: None, count: Count
) -> None:
    """Its process stood still for so long that it counted as gone, and somebody undid it."""

    async def body() -> AsyncIterator[bytes]:
        yield _file(40)
        while not await count("salary_records"):  # noqa: ASYNC110 - another task commits
            await asyncio.sleep(0.05)
        async with database.write() as session:
            await session.execute(
                text("UPDATE imports SET updated_at = now() - interval '1 minute'")
            )
            await undo_import(session, await session.scalar(text("SELECT max(id) FROM imports")))
        yield b"".join(line + b"\n" for line in _file(400).splitlines()[200:])

    options = ImportOptions(MediaType.CSV, Profile.identity("salary"))
    services = Services(settings, database, CatalogueCache())
    with pytest.raises(Conflict, match="undone"):
        await Importer(services, options, COMMAND_LINE).run(body())
    assert await count("imports WHERE state = 'undone'") == 1
    assert await count("salary_records") == 0
