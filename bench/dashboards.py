"""A load generator: dashboards that poll their questions every second, spread over the second.

Each has one connection, asks for compressed answers as browsers do, and sends the tag of the last
answer along. Latency counts from when a question was due, so that waiting for the answer before it
is part of it. Runs in a process of its own: `run_dashboards` starts it.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, cast

import uvloop

from bench.closed_loop import BODILESS, HEAD_END, length_of
from bench.service import ROOT, bare_environment

GRACE_S: Final = 2.0
"""How long answers may still come after the last question."""
TAG: Final = b"etag:"


@dataclass(frozen=True, slots=True)
class Polling:
    """Each of `dashboards` asks each of `paths` once a second, for `seconds`."""

    port: int
    paths: Sequence[str]
    headers: Sequence[tuple[str, str]]
    dashboards: int
    seconds: int

    def request(self, question: int) -> bytes:
        """The request without the tag and the empty line that ends it."""
        lines = [f"GET {self.paths[question]} HTTP/1.1", "host: 127.0.0.1"]
        lines += ["accept: */*", "accept-encoding: gzip, deflate, br, zstd"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return ("\r\n".join(lines) + "\r\n").encode()


@dataclass(frozen=True, slots=True)
class Polled:
    """What came: answers by status, their latencies in ms, and for each question the moments
    (`time.monotonic`) when an answer with a new tag was there for the first time."""

    statuses: Mapping[str, int]
    unanswered: int
    latencies: Sequence[float]
    changes: Sequence[Sequence[float]]


def run_dashboards(polling: Polling) -> Polled:
    """Run them in a process of their own. Raises RuntimeError where that fails."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(asdict(polling))],
        env=bare_environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=polling.seconds + 60,
    )
    if done.returncode:
        raise RuntimeError(f"the dashboards failed: {done.stderr[-2000:]}")
    return Polled(**json.loads(done.stdout))


class _Seen:
    """What all dashboards note together."""

    def __init__(self, questions: int) -> None:
        self.statuses: Counter[bytes] = Counter()
        self.latencies: list[float] = []
        self.changes: list[list[float]] = [[] for _ in range(questions)]
        self._tags: list[set[bytes]] = [set() for _ in range(questions)]

    def note_tag(self, question: int, tag: bytes) -> None:
        if tag not in self._tags[question]:
            self._tags[question].add(tag)
            self.changes[question].append(time.monotonic())


class _Dashboard(asyncio.Protocol):
    """One connection; questions wait in line until the one before is answered."""

    def __init__(self, requests: Sequence[bytes], seen: _Seen) -> None:
        self._requests = requests
        self._seen = seen
        self._tags: dict[int, bytes] = {}
        self._waiting: deque[tuple[int, float]] = deque()
        self._asked: tuple[int, float] | None = None
        self._data = b""
        self._size = 0
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Of uvloop's own class, which is none of asyncio's.
        self._transport = cast("asyncio.WriteTransport", transport)

    def ask(self, question: int, due: float) -> None:
        """Ask now, or as soon as the connection is free."""
        self._waiting.append((question, due))
        if self._asked is None:
            self._send()

    @property
    def unanswered(self) -> int:
        return len(self._waiting) + (self._asked is not None)

    def _send(self) -> None:
        self._asked = self._waiting.popleft()
        tag = self._tags.get(self._asked[0])
        end = b"\r\n" if tag is None else b"if-none-match: " + tag + b"\r\n\r\n"
        self._transport.write(self._requests[self._asked[0]] + end)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._size:
            end = self._data.find(HEAD_END)
            if end < 0:
                return
            body = end + len(HEAD_END)
            bodiless = self._data[9:12] == BODILESS
            self._size = body + (0 if bodiless else length_of(self._data, body))
        if len(self._data) >= self._size:
            self._answered(self._data)
            self._data, self._size, self._asked = b"", 0, None
            if self._waiting:
                self._send()

    def _answered(self, data: bytes) -> None:
        assert self._asked is not None
        question, due = self._asked
        self._seen.latencies.append((time.monotonic() - due) * 1000)
        self._seen.statuses[data[9:12]] += 1
        if data[9:12] == b"200":
            start = data.find(TAG)
            if start >= 0:
                tag = data[start + len(TAG) : data.index(b"\r", start)].strip()
                self._tags[question] = tag
                self._seen.note_tag(question, tag)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True


async def run(polling: Polling) -> Polled:
    """Poll in this process."""
    running = asyncio.get_running_loop()
    questions = len(polling.paths)
    seen = _Seen(questions)
    requests = [polling.request(question) for question in range(questions)]
    dashboards = []
    for _ in range(polling.dashboards):
        _, dashboard = await running.create_connection(
            lambda: _Dashboard(requests, seen), "127.0.0.1", polling.port
        )
        dashboards.append(dashboard)
    await _poll(polling, dashboards)
    await asyncio.sleep(GRACE_S)
    return Polled(
        {status.decode(): count for status, count in seen.statuses.items()},
        sum(dashboard.unanswered for dashboard in dashboards),
        seen.latencies,
        seen.changes,
    )


async def _poll(polling: Polling, dashboards: Sequence[_Dashboard]) -> None:
    """Ask every question of every dashboard once a second, one after another in even steps."""
    questions = len(polling.paths)
    rate = polling.dashboards * questions
    started = time.monotonic()
    for slot in range(rate * polling.seconds):
        due = started + slot / rate
        left_s = due - time.monotonic()
        if left_s > 0:
            await asyncio.sleep(left_s)
        number = slot % polling.dashboards
        turn = slot // polling.dashboards
        if dashboards[number].lost:
            raise ConnectionError("the server closed a connection")
        dashboards[number].ask((turn + number) % questions, due)


def main() -> None:
    polling = Polling(**json.loads(sys.argv[1]))
    print(json.dumps(asdict(uvloop.run(run(polling)))))


if __name__ == "__main__":
    main()
