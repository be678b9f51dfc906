"""Demo data leaves and comes back with an epoch, whoever writes and deletes at once."""

import asyncio

import httpx
import pytest

from app.core.database import Database, WriteSession
from app.core.versions import Versions, read_versions
from app.ingest import store
from app.ingest.writing import held_before_writing, holds_public_records
from tests.support.builders import add_sources

RECORDS = "/v1/salaries/records"
ONE = {"source": "acme", "external_id": "1"}


class HeldUp:
    """A writer that has seen that there is public data, and waits for `gate`."""

    def __init__(self) -> None:
        self.reached, self.gate = asyncio.Event(), asyncio.Event()

    async def __call__(self, session: WriteSession) -> bool:
        held = await held_before_writing(session)
        self.reached.set()
        await self.gate.wait()
        return held


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> HeldUp:
    held = HeldUp()
    monkeypatch.setattr(store, "held_before_writing", held)
    return held


async def post(client: httpx.AsyncClient, source: str) -> httpx.Response:
    row = {
        "source": source,
        "role": "data-engineer",
        "level": "mid",
        "region": "US",
        "amount": 90_000,
        "currency": "USD",
        "pay_period": "year",
        "pay_kind": "base",
        "observed_on": "2024-05-01",
        "external_id": "1",
    }
    return await client.post(RECORDS, json=[row])


async def versions(database: Database) -> Versions:
    async with database.read() as session:
        return await read_versions(session)


async def holds(database: Database) -> bool:
    async with database.read() as session:
        return await holds_public_records(session)


async def begin_to_delete(
    client: httpx.AsyncClient, import_id: int | None
) -> asyncio.Task[httpx.Response]:
    """Begun, and as far as it comes in a while."""
    if import_id is None:
        deleting = asyncio.create_task(client.delete(RECORDS, params=ONE))
    else:
        deleting = asyncio.create_task(client.delete(f"/v1/imports/{import_id}"))
    await asyncio.wait({deleting}, timeout=0.4)
    return deleting


@pytest.mark.parametrize("undone", [False, True])
async def test_the_last_record_is_not_the_last_while_another_is_being_written(
    admin: httpx.AsyncClient, database: Database, held_up: HeldUp, undone: bool
) -> None:
    await add_sources(database, acme={}, beta={})
    held_up.gate.set()
    posted = await post(admin, "acme")
    assert posted.status_code < 300, posted.text
    import_id = posted.json()["import"] if undone else None
    held_up.gate.clear()
    held_up.reached.clear()
    before = await versions(database)
    writing = asyncio.create_task(post(admin, "beta"))
    await held_up.reached.wait()
    deleting = await begin_to_delete(admin, import_id)
    assert not deleting.done(), "it looks again when the other has committed"
    held_up.gate.set()
    assert (await writing).status_code < 300
    assert (await deleting).status_code == 200
    assert await holds(database)
    assert (await versions(database)).epoch == before.epoch, "demo data was never back"


async def test_who_writes_after_the_last_record_went_takes_demo_data_out(
    admin: httpx.AsyncClient, database: Database
) -> None:
    await add_sources(database, acme={}, beta={})
    assert (await post(admin, "acme")).status_code < 300
    epochs = [(await versions(database)).epoch]
    assert (await admin.delete(RECORDS, params=ONE)).status_code == 200
    epochs.append((await versions(database)).epoch)
    assert (await post(admin, "beta")).status_code < 300
    epochs.append((await versions(database)).epoch)
    assert epochs == [epochs[0], epochs[0] + 1, epochs[0] + 2]


async def test_writers_do_not_wait_for_one_another(
    admin: httpx.AsyncClient, database: Database, held_up: HeldUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_sources(database, acme={}, beta={})
    writing = asyncio.create_task(post(admin, "acme"))
    await held_up.reached.wait()
    monkeypatch.setattr(store, "held_before_writing", held_before_writing)
    assert (await post(admin, "beta")).status_code < 300
    assert not writing.done()
    held_up.gate.set()
    assert (await writing).status_code < 300
