"""Cached answers against a bare ASGI function that sends the same bytes.

Both run on the same server settings (uvloop, the service's own protocol class), both stay up, and
are asked in turns by the same load generator; where there are two cores, the servers share one and
the generator has the other. The service checks a key, counts and limits, and names each request.
"""

import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Final

from app.access.keys import create_key
from app.access.scopes import Scope
from bench import Measure
from bench.bare_app import Sent
from bench.closed_loop import Loop, Looped, run_loop
from bench.records import stage_with_records
from bench.service import Service, bare_environment, free_port, pin, running, serving
from bench.stage import Stage

PATH: Final = "/v1/salaries/statistics?group_by=region,level&limit=60"
ROUNDS: Final = 7
SECONDS: Final = 2.0
CONNECTIONS: Final = 8
SERVER_CORE: Final = 0
LOAD_CORE: Final = 1
UNLIMITED: Final = 1_000_000_000

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of answer; `headers` beside the key."""

    name: str
    status: int
    headers: Headers
    bar: float


async def run(stage: Stage) -> list[Measure]:
    """200 as it is and compressed, and 304."""
    full = await stage_with_records(stage)
    key = await make_key(full)
    async with serving(full) as service:
        plain = ("accept-encoding", "identity")
        tag = await asyncio.to_thread(_tag, service, [("x-api-key", key), plain])
        cases = [
            Case("200 of 60 rows", 200, [plain], 0.75),
            Case("200 of 60 rows, gzip", 200, [("accept-encoding", "gzip")], 0.75),
            Case("304", 304, [plain, ("if-none-match", tag)], 0.85),
        ]
        return [await _compared(full, service, case, key) for case in cases]


async def make_key(stage: Stage) -> str:
    """The text of a key that may read statistics and write records."""
    async with stage.database() as database, database.write() as session:
        _, key = await create_key(session, "bench", [Scope.STATS_READ, Scope.RECORDS_WRITE])
    return key


async def _compared(stage: Stage, service: Service, case: Case, key: str) -> Measure:
    headers = [("x-api-key", key), *case.headers]
    sent = await asyncio.to_thread(get, service, headers)
    if sent.status != case.status:
        raise RuntimeError(f"status {sent.status} instead of {case.status}")
    path = stage.folder / "sent.json"
    sent.write(path)
    port = free_port()
    arguments = ("-m", "bench.bare_app", str(port), str(path))
    async with running(arguments, bare_environment(), port, "/") as bare:
        for process in (service.process, bare.process):
            pin(process.pid, SERVER_CORE)
        pairs = [
            await asyncio.to_thread(_pair, service, bare, headers, case.status)
            for _ in range(ROUNDS)
        ]
    ours, theirs = (statistics.median(rates) for rates in zip(*pairs, strict=True))
    name = f"edge: cached {case.name}, against a bare ASGI function"
    return Measure(name, ours, "requests/s", baseline=theirs, bar=case.bar, at_least=True)


def _pair(service: Service, bare: Service, headers: Headers, status: int) -> tuple[float, float]:
    """Requests a second of the two, one after the other."""
    ours, theirs = (_asked(server.port, headers, status) for server in (service, bare))
    if abs(ours.bytes - theirs.bytes) > 8:
        raise RuntimeError(f"{ours.bytes} bytes against {theirs.bytes}")
    return ours.per_second, theirs.per_second


def _asked(port: int, headers: Headers, status: int) -> Looped:
    loop = Loop(port, PATH, headers, CONNECTIONS, SECONDS, core=LOAD_CORE)
    looped = run_loop(loop)
    if set(looped.statuses) != {str(status)}:
        raise RuntimeError(f"answers of other kinds: {looped.statuses}")
    return looped


def _tag(service: Service, headers: Headers) -> str:
    tag = dict(get(service, headers).headers).get("etag")
    if tag is None:
        raise RuntimeError("the answer has no ETag")
    return tag


def get(service: Service, headers: Headers, path: str = PATH) -> Sent:
    """The answer to `path`, the second time: it is a kept one then."""
    connection = HTTPConnection("127.0.0.1", service.port, timeout=60)
    try:
        for _ in range(2):
            connection.request("GET", path, headers=dict(headers))
            response = connection.getresponse()
            body = response.read()
        found = [(name.lower(), value) for name, value in response.getheaders()]
        return Sent.of(response.status, found, body)
    finally:
        connection.close()
