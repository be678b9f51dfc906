"""A load generator: some connections, each asks again as soon as it has its answer.

Runs in a process of its own, on a core of its own where there are two, so that it does not take
from what it measures: `run_loop` starts it. One asked request costs it some 10 microseconds.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, cast

import uvloop

from bench.service import ROOT, bare_environment

HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = b"content-length:"
BODILESS: Final = b"304"


@dataclass(frozen=True, slots=True)
class Loop:
    """What is asked: GET of `path` with `headers` (name, value), for `seconds`.

    `pause_s` is how long a connection waits before it asks again; `core` where the process runs.
    """

    port: int
    path: str
    headers: Sequence[tuple[str, str]]
    connections: int
    seconds: float
    pause_s: float = 0.0
    core: int | None = None

    def request(self) -> bytes:
        """The bytes of the request."""
        lines = [f"GET {self.path} HTTP/1.1", "host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass(frozen=True, slots=True)
class Looped:
    """What came: answers by status, the seconds they took in all, their latencies in ms.

    `bytes` is the size of one answer, head and body. Latencies are kept where there is a pause.
    """

    statuses: Mapping[str, int]
    seconds: float
    bytes: int
    latencies: Sequence[float]

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return sum(self.statuses.values()) / self.seconds


def run_loop(loop: Loop) -> Looped:
    """Run it in a process of its own. Raises RuntimeError where that fails."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(asdict(loop))],
        env=bare_environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=loop.seconds + 60,
    )
    if done.returncode:
        raise RuntimeError(f"the load generator failed: {done.stderr[-2000:]}")
    return Looped(**json.loads(done.stdout))


class _Connection(asyncio.Protocol):
    """Sends the request, reads the answer, and again until `until`."""

    def __init__(self, loop: Loop, until: float) -> None:
        self._request = loop.request()
        self._pause_s = loop.pause_s
        self._until = until
        self._left = 0
        self._head = b""
        self.statuses: Counter[bytes] = Counter()
        self.bytes = 0
        self.latencies: list[float] = []
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Of uvloop's own class, which is none of asyncio's.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._left -= len(data)
        else:
            self._head += data
            end = self._head.find(HEAD_END)
            if end < 0:
                return
            self._begin(self._head, end + len(HEAD_END))
            self._head = b""
        if self._left == 0:
            self._next()
        elif self._left < 0:
            self.connection_lost(ConnectionError("an answer was longer than it said"))

    def _begin(self, data: bytes, body: int) -> None:
        """Take in the head of an answer whose body begins at `body`."""
        status = data[9:12]
        self.statuses[status] += 1
        size = body + (0 if status == BODILESS else length_of(data, body))
        self._left = size - len(data)
        self.bytes = size

    def _next(self) -> None:
        now = time.perf_counter()
        if self._pause_s:
            self.latencies.append((now - self._sent_at) * 1000)
        if now >= self._until:
            self._transport.close()
        elif self._pause_s:
            asyncio.get_running_loop().call_later(self._pause_s, self._send)
        else:
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if self.ended.done():
            return
        if error is None and time.perf_counter() < self._until:
            error = ConnectionError("the server closed the connection")
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)


def length_of(data: bytes, body: int) -> int:
    """The content length that a head states. Raises ValueError where it states none."""
    start = data.find(LENGTH, 0, body)
    if start < 0:
        # Names in another case; slower, and rare.
        start = data[:body].lower().find(LENGTH)
    if start < 0:
        raise ValueError(f"an answer without a length: {data[:body]!r}")
    start += len(LENGTH)
    return int(data[start : data.index(b"\r", start)])


async def run(loop: Loop) -> Looped:
    """Ask in this process."""
    started = time.perf_counter()
    running = asyncio.get_running_loop()
    connections = []
    for _ in range(loop.connections):
        _, connection = await running.create_connection(
            lambda: _Connection(loop, started + loop.seconds), "127.0.0.1", loop.port
        )
        connections.append(connection)
    await asyncio.gather(*(connection.ended for connection in connections))
    statuses: Counter[bytes] = sum((c.statuses for c in connections), Counter())
    return Looped(
        {status.decode(): count for status, count in statuses.items()},
        time.perf_counter() - started,
        connections[0].bytes,
        [latency for connection in connections for latency in connection.latencies],
    )


def main() -> None:
    loop = Loop(**json.loads(sys.argv[1]))
    if loop.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {loop.core})
    print(json.dumps(asdict(uvloop.run(run(loop)))))


if __name__ == "__main__":
    main()
