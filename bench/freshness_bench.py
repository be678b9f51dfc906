"""From the commit of a write until a poll sees it, with notifications and without.

Where they are lost (here: not sent), the service reads the versions every second. Only versions
are written: what a batch of records takes is in the polling benchmark.
"""

import asyncio
import queue
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Final

from app.core.versions import advance_roles
from bench import Measure
from bench.polling_bench import percentile
from bench.questions import LEVELS, read_named
from bench.records import stage_with_records
from bench.service import Service, serving
from bench.stage import Stage
from bench.writer import note_commits

TOLD: Final = 200
UNTOLD: Final = 20
LIMIT_S: Final = 10.0
UNTOLD_WRITE: Final = (
    "UPDATE role_versions SET version = version + 1, cells_version = cells_version + 1"
    " WHERE role_id = $1"
)

Seen = queue.Queue[float]


async def run(stage: Stage) -> list[Measure]:
    """p50 and p99 of one poller, which asks again as soon as it has its answer."""
    full = await stage_with_records(stage)
    named = await read_named(full)
    async with serving(full) as service:
        with _watching(service, LEVELS.path(named)) as seen:
            told = await _told(full, named.role_id, seen)
            untold = await _untold(full, named.role_id, seen)
    return [
        Measure("freshness: commit until a poll sees it, p50", percentile(told, 0.5), "ms"),
        Measure("freshness: the same, p99", percentile(told, 0.99), "ms", bar=100),
        Measure("freshness: notifications lost, longest", max(untold), "ms", bar=2000),
    ]


async def _told(stage: Stage, role_id: int, seen: Seen) -> list[float]:
    async with stage.database() as database:
        commits = note_commits(database)
        delays = []
        for _ in range(TOLD):
            await asyncio.sleep(random.uniform(0.01, 0.05))
            async with database.write() as session:
                await advance_roles(session, [role_id])
            delays.append(await asyncio.to_thread(_delay_ms, seen, commits[-1]))
    return delays


async def _untold(stage: Stage, role_id: int, seen: Seen) -> list[float]:
    delays = []
    async with stage.connect() as connection:
        for _ in range(UNTOLD):
            await asyncio.sleep(random.uniform(0, 1))
            started = time.monotonic()
            await connection.execute(UNTOLD_WRITE, role_id)
            delays.append(await asyncio.to_thread(_delay_ms, seen, started))
    return delays


def _delay_ms(seen: Seen, committed: float) -> float:
    """Raises RuntimeError where no poll saw it in time."""
    try:
        return (seen.get(timeout=LIMIT_S) - committed) * 1000
    except queue.Empty:
        raise RuntimeError(f"no poll saw a commit within {LIMIT_S:.0f} s") from None


@contextmanager
def _watching(service: Service, path: str) -> Iterator[Seen]:
    """Polls in a thread; the moments when an answer with another tag was there."""
    seen, done = Seen(), threading.Event()
    thread = threading.Thread(target=_poll, args=(service.port, path, seen, done))
    thread.start()
    try:
        seen.get(timeout=LIMIT_S)
        yield seen
    finally:
        done.set()
        thread.join()


def _poll(port: int, path: str, seen: Seen, done: threading.Event) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    tag = None
    while not done.is_set():
        connection.request("GET", path, headers={} if tag is None else {"if-none-match": tag})
        response = connection.getresponse()
        response.read()
        if response.status == 200 and response.getheader("etag") != tag:
            tag = response.getheader("etag")
            seen.put(time.monotonic())
    connection.close()
